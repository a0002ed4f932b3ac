package handlers

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"callboard/sandbox"
	"callboard/store"
)

// TestMissingSteps: what should have happened and did not is said, on the page and in the bundle; what may still come is due.
func TestMissingSteps(t *testing.T) {
	for _, row := range []struct {
		name         string
		fault        sandbox.Fault
		after        func(w *world)
		missing, due []string
	}{
		{name: "applied, not read back yet", due: []string{"step.due_read_back"}},
		{name: "applied and read back", after: func(w *world) { must(w.t, w.changes.ReadBackNow(w.t.Context(), 1)) }},
		{name: "applied, every read failed", missing: []string{"step.missing_read_back"}, after: func(w *world) { must(w.t, w.store.Postpone(w.t.Context(), 1, nil, "timeout", true)) }},
		{name: "no answer", fault: sandbox.Fault{Drop: "before"}, missing: []string{"step.missing_answer"}, due: []string{"step.due_settled"}},
		{name: "no answer, settled", fault: sandbox.Fault{Drop: "before"}, missing: []string{"step.missing_answer"}, after: func(w *world) { must(w.t, w.changes.CheckNow(w.t.Context(), store.Console, 1)) }},
		{name: "another's answer", fault: sandbox.Fault{Status: http.StatusBadGateway}, due: []string{"step.due_settled"}},
		{name: "no RequestId", fault: sandbox.Fault{NoRequestID: true}, missing: []string{"step.missing_request_id"}, due: []string{"step.due_read_back"}},
		{name: "refused", fault: sandbox.Fault{Code: 60020, Info: "x"}},
		{name: "closed by hand", fault: sandbox.Fault{Status: http.StatusBadGateway}, due: []string{"step.due_read_back"}, after: func(w *world) { must(w.t, w.changes.CloseByHand(w.t.Context(), store.Console, 1, "x")) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			b := w.as(store.Operator)
			plan := b.plan(appID, newURL, created)
			if row.fault != (sandbox.Fault{}) {
				row.fault.Command = "update_callback"
				w.box.Script(row.fault)
			}
			change := b.apply(plan)
			w.box.ClearFaults()
			if row.after != nil {
				row.after(w)
			}
			checkCourse(t, w, change, row.missing, row.due)
		})
	}
}

func TestMissingStepsOfADeadProcess(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	plan, _, err := w.store.Plan(t.Context(), planOf(b.plan(appID, newURL, created)))
	must(t, err)
	number, _, err := w.store.OpenChange(t.Context(), store.Console, store.Intent{Plan: plan, Host: "127.0.0.1", Attempt: 7})
	must(t, err)
	change := "/changes/" + itoa64(number)
	checkCourse(t, w, change, nil, []string{"step.due_settled"})
	must(t, w.store.LeaseOver(t.Context(), store.Console, number, time.Nanosecond))
	checkCourse(t, w, change, []string{"step.missing_sent", "step.missing_answer"}, []string{"step.due_settled"})
	// Its writer was only frozen: what it did is known after all.
	code := int64(0)
	must(t, w.store.CloseChange(t.Context(), store.Console, number, store.Ending{Outcome: store.Applied, Reply: &store.Reply{Call: "update_callback", ErrorCode: &code, RequestID: "Id-late"},
		Steps: []store.Step{{Name: store.StepSent}, {Name: store.StepAnswered, Code: &code}}}))
	checkCourse(t, w, change, nil, []string{"step.due_read_back"})
	if p, want := b.get(change), w.headlineLike("late_applied", nil); !strings.HasPrefix(p.text("h1"), want) {
		t.Errorf("the headline is %q, want %q…", p.text("h1"), want)
	}
	if _, texts, _ := unzip(t, b.post(change+"/bundle", nil)); !strings.Contains(texts["ticket.en.txt"], w.T("inquiry.ask.applied")) {
		t.Errorf("the ticket asks:\n%s", texts["ticket.en.txt"])
	}
}

func checkCourse(t *testing.T, w *world, change string, missing, due []string) {
	t.Helper()
	b := w.as(store.Support)
	p := b.get(change)
	_, texts, _ := unzip(t, b.post(change+"/bundle", nil))
	for class, ids := range map[string][]string{"missing": missing, "due": due} {
		var want []string
		for _, id := range ids {
			want = append(want, w.T(id))
		}
		got := p.doc.Find(".cb-time li." + class).Map(func(_ int, s *goquery.Selection) string { return strings.TrimSpace(s.Find("span").Text()) })
		got = slices.DeleteFunc(got, func(text string) bool { return text == w.T("step.due_effect") })
		if !slices.Equal(got, want) {
			t.Errorf("the page has as %s %q, want %q", class, got, want)
		}
		for _, text := range want {
			if word := w.T(map[string]string{"missing": "word.missing", "due": "word.not_yet"}[class]); !strings.Contains(texts["timeline.txt"], word+"  "+text+"\n") {
				t.Errorf("the timeline of the bundle lacks %q:\n%s", text, texts["timeline.txt"])
			}
		}
	}
	if n := strings.Count(texts["timeline.txt"], w.T("word.missing")+"  "); n != len(missing) {
		t.Errorf("the bundle has %d missing steps:\n%s", n, texts["timeline.txt"])
	}
}

// TestTheAnswerIsShownAsItCame: also one that is no JSON, to its last byte, or with what was cut off.
func TestTheAnswerIsShownAsItCame(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	long := "<html>\x00" + strings.Repeat("é", 40<<10) + "</html>"
	for body, want := range map[string]string{
		"<html>\n<p>502\x00 'x' & \"y\"</p>\xff</html>": "<html>\n<p>502\\u0000 'x' & \"y\"</p>\\xff</html>",
		long: "<html>\\u0000" + strings.Repeat("é", (64<<10-7)/2) + "\\xc3",
	} {
		plan := b.plan(appID, newURL, created)
		w.box.Script(sandbox.Fault{Command: "update_callback", Status: http.StatusBadGateway, Body: body})
		change := b.apply(plan)
		p := b.get(change)
		said := w.T("change.cut", "Kept", "65,536", "All", w.printer["en"].Number(len(long)))
		if got := p.doc.Find("pre[aria-label=Answer]").Text(); got != want || strings.Contains(p.text(".card-footer"), said) != (body == long) {
			t.Errorf("of %d bytes the page shows %d, want %d, and says %q", len(body), len(got), len(want), p.text(".card-footer"))
		}
		must(t, w.changes.CheckNow(t.Context(), store.Console, w.number(`SELECT MAX(number) FROM changes`)))
	}
}
