package handlers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
)

// changeRow is one way in which a change ends, and what its page says.
type changeRow struct {
	name     string
	fault    sandbox.Fault // of the writing call
	read     sandbox.Fault // of the read just before it
	before   func(*world)  // between plan and apply
	after    func(*world, *browser, string)
	headline string   // id of the headline
	args     []any    // of the headline; a time in it is cut off
	id       string   // id of the sentence instead of a RequestId, "" when there is one
	code     string   // the explained code
	answer   string   // part of the answer as it is shown
	buttons  []string // that an admin has, with the one that closes
}

func changeRows() []changeRow {
	update := func(f sandbox.Fault) sandbox.Fault {
		f.Command = "update_callback"
		return f
	}
	read := func(f sandbox.Fault) sandbox.Fault {
		f.Command = "get_callback"
		return f
	}
	body := `{"ActionStatus":"FAIL","ErrorCode":99887766,"ErrorInfo":"<script>alert(1)</script>\u0000\u0007\u202e","RequestId":"Id-00112233445566778899aabbccddeeff-O-Seq-7"}`
	check := func(w *world, b *browser, change string) {
		wantSeeOther(w.t, b.post(change, url.Values{"do": {"check"}}), change)
	}
	return []changeRow{
		{name: "applied", headline: "applied"},
		{name: "refused, none there", fault: update(sandbox.Fault{Code: 100301, Info: "no callback"}), headline: "refused_gone", args: []any{"Code", 100301}, code: "100301", buttons: []string{"create"}},
		{name: "refused, one there", fault: update(sandbox.Fault{Code: 100300, Info: "exists"}), headline: "refused", args: []any{"Code", 100300}, code: "100300", buttons: []string{"update"}},
		{name: "refused, unknown code with a hostile text", fault: update(sandbox.Fault{Body: body}), headline: "refused_unsure", args: []any{"Code", 99887766}, code: "99887766", buttons: []string{"again"}},
		{name: "unknown code", fault: update(sandbox.Fault{Code: 100001, Info: "internal"}), headline: "unknown_code", args: []any{"Code", 100001}, code: "100001", buttons: []string{"check", "close"}},
		{name: "unknown, then not applied", fault: update(sandbox.Fault{Code: 100001, Info: "internal"}), after: check, headline: "settled_not_applied", code: "100001", buttons: []string{"again"}},
		{name: "dropped after applying, then applied", fault: update(sandbox.Fault{Drop: "after"}), after: check, headline: "settled_applied", id: "change.no_id"},
		{name: "dropped, then overtaken", fault: update(sandbox.Fault{Drop: "before"}), headline: "settled_overtaken", id: "change.no_id", buttons: []string{"again"}, after: func(w *world, b *browser, change string) {
			w.box.SetCallback(appID, &sandbox.Callback{Url: "https://somebody.example.com/", CallbackCommandList: []string{members}})
			check(w, b, change)
		}},
		{name: "cut", fault: update(sandbox.Fault{CutAt: 9}), headline: "unknown_cut", id: "change.no_id_answer", buttons: []string{"check", "close"}},
		{name: "dropped", fault: update(sandbox.Fault{Drop: "before"}), headline: "unknown_cut", id: "change.no_id", buttons: []string{"check", "close"}},
		{name: "bad gateway", fault: update(sandbox.Fault{Status: http.StatusBadGateway}), headline: "unknown_status", id: "change.no_id_answer", buttons: []string{"check", "close"}},
		{name: "no answer of the API", fault: update(sandbox.Fault{Body: "<b>hello</b>\xff\x00\x07\u202e"}), headline: "unknown_other", id: "change.no_id_answer", answer: `<b>hello</b>\xff\u0000\u0007\u202e`, buttons: []string{"check", "close"}},
		{name: "applied without a RequestId", fault: update(sandbox.Fault{NoRequestID: true}), headline: "applied", id: "change.no_id_answer"},
		{name: "moved", headline: "not_sent_moved", id: "change.no_id_not_sent", buttons: []string{"merged"}, before: func(w *world) {
			w.box.SetCallback(appID, &sandbox.Callback{Url: oldURL, CallbackCommandList: []string{created}})
		}},
		{name: "unread", read: read(sandbox.Fault{Code: 60010, Info: "no admin"}), headline: "not_sent_unread", code: "60010", buttons: []string{"again"}},
		{name: "unread without an answer", read: read(sandbox.Fault{Status: http.StatusBadGateway}), headline: "not_sent_unread", id: "change.no_id_not_sent", buttons: []string{"again"}},
		{name: "stale", headline: "not_sent_stale", id: "change.no_id_not_sent", buttons: []string{"again"}, before: func(w *world) {
			b := w.as(store.Operator)
			b.apply(b.plan(appID, "https://hooks.example.com/other", created, ended))
		}},
		{name: "closed by hand", fault: update(sandbox.Fault{Drop: "before"}), headline: "by_hand", id: "change.no_id", buttons: []string{"again"}, after: func(w *world, _ *browser, change string) {
			wantSeeOther(w.t, w.as(store.Admin).post(change, url.Values{"do": {"close"}, "reason": {"the app is gone"}}), change)
		}},
	}
}

// headlineLike is the fixed front of a headline, up to its first argument that is not given.
func (w *world) headlineLike(id string, args []any) string {
	text := w.T("head."+id+".title", append(args, "Time", "\x01", "Meaning", "\x01")...)
	front, _, _ := strings.Cut(text, "\x01")
	return strings.TrimSpace(front)
}

func TestChangePages(t *testing.T) {
	for _, row := range changeRows() {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			b := w.as(store.Operator)
			plan := b.plan(appID, newURL, created, ended, members)
			if row.before != nil {
				row.before(w)
			}
			for _, f := range []sandbox.Fault{row.fault, row.read} {
				if f.Command != "" {
					w.box.Script(f)
				}
			}
			change := b.apply(plan)
			w.box.ClearFaults()
			if row.after != nil {
				row.after(w, b, change)
			}
			for _, who := range []string{store.Support, store.Operator, store.Admin} {
				checkChange(t, w, row, who, w.as(who).get(change))
			}
			zh := w.as(store.Support)
			wantSeeOther(t, zh.post("/account", url.Values{"do": {"preferences"}, "language": {"zh-Hans"}}), "/account?saved=1")
			if p := zh.get(change); p.attr("html", "lang") != "zh-Hans" {
				t.Error("the page is not in Chinese")
			}
		})
	}
}

func checkChange(t *testing.T, w *world, row changeRow, who string, p page) {
	t.Helper()
	wantStatus(t, p, http.StatusOK)
	if want := w.headlineLike(row.headline, row.args); !strings.HasPrefix(p.text("h1"), want) {
		t.Errorf("%s: headline %q, want %q…", who, p.text("h1"), want)
	}
	if row.id == "" {
		if id := p.text("#request-id"); !strings.HasPrefix(id, "Id-") || strings.Contains(p.text(".cb-outcome"), "#request-id") {
			t.Errorf("%s: RequestId %q", who, id)
		}
	} else if !strings.Contains(p.text(".cb-outcome"), w.T(row.id)) || !strings.HasPrefix(p.text("#instead-id"), map[bool]string{true: "#", false: "random="}[strings.HasPrefix(row.headline, "not_sent")]) || p.count("#request-id") != 0 {
		t.Errorf("%s: instead of a RequestId: %q", who, p.text("#instead-id"))
	}
	code := strings.TrimPrefix(p.attr(`a[href^="/errors/"]`, "href"), "/errors/")
	if code != row.code {
		t.Errorf("%s: code %q is explained, want %q", who, code, row.code)
	}
	// Without script a page that renews itself would take what is typed into the form that closes.
	if p.count("noscript meta") != 0 && p.count("button[value=close]") != 0 {
		t.Errorf("%s: the page renews itself under a form", who)
	}
	got := p.values("main button[name=do]")
	want := slices.Clone(row.buttons)
	switch who {
	case store.Support:
		want = nil
	case store.Operator:
		want = slices.DeleteFunc(want, func(do string) bool { return do == "close" })
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("%s: buttons %q, want %q", who, got, want)
	}
	if pre := p.text("pre"); strings.ContainsAny(pre, "\x00\x07\u202e") || !strings.Contains(pre, "usersig=[removed]") && row.headline != "not_sent_moved" && row.headline != "not_sent_stale" {
		t.Errorf("%s: request and answer are %q", who, pre)
	}
	if !strings.Contains(p.text("pre"), row.answer) {
		t.Errorf("%s: the answer %q lacks %q", who, p.text("pre"), row.answer)
	}
	if p.count("main script") != 0 {
		t.Error("markup of an answer became part of the page")
	}
}

func TestHostileErrorInfoIsInert(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Operator)
		w.box.Script(sandbox.Fault{Command: "update_callback", Body: `{"ActionStatus":"FAIL","ErrorCode":60020,"ErrorInfo":"a<img src=x onerror=alert(1)>\u0000\u001b[31m\u202eb` + strings.Repeat("x", 9000) + `","RequestId":"Id-<b>\u0000"}`})
		p := b.get(b.apply(b.plan(appID, newURL, created, ended)))
		wantStatus(t, p, http.StatusOK)
		if p.count("main img, main b") != 0 || !strings.Contains(p.text("main"), `a<img src=x onerror=alert(1)>`) || !strings.Contains(p.text("main"), `\u001b[31m\u202eb`) || strings.ContainsAny(p.Body.String(), "\x00\x1b\u202e") {
			t.Error("the text that Tencent sent is not shown as text")
		}
		if p := b.get("/history"); p.Code != http.StatusOK || p.count("main b, main img") != 0 {
			t.Error("the history shows markup")
		}
		wantStatus(t, b.get("/history.jsonl"), http.StatusOK)
	})
}

func TestPendingAndLeftOver(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	plan, _, err := w.store.Plan(t.Context(), planOf(b.plan(appID, newURL, created, ended)))
	must(t, err)
	// A process that ended between intent and call leaves exactly this.
	number, made, err := w.store.OpenChange(t.Context(), store.Console, store.Intent{Plan: plan, Host: "127.0.0.1", Attempt: 7})
	if err != nil || !made {
		t.Fatal(made, err)
	}
	change := "/changes/" + itoa64(number)
	p := b.get(change)
	if p.text("h1") != w.T("head.pending.title") || p.count(`noscript`) != 1 || !strings.Contains(p.text(".cb-outcome"), w.T("change.no_id_yet")) || p.count("main button[name=do]") != 0 {
		t.Errorf("pending: %s, buttons %q", heading(p), p.values("main button[name=do]"))
	}
	must(t, w.store.LeaseOver(t.Context(), store.Console, number, time.Nanosecond))
	p = b.get(change)
	got := p.values("main button[name=do]")
	if slices.Sort(got); p.text("h1") != w.T("head.unknown_left_over.title") || !slices.Equal(got, []string{"check", "close"}) {
		t.Errorf("left over: %s, buttons %q", heading(p), got)
	}
	// Header and work list say it too.
	w.ahead.Store(0)
	if p := b.get("/apps?state=attention"); p.count("tbody tr") != 1 {
		t.Errorf("%d apps need attention, want one", p.count("tbody tr"))
	}
	wantSeeOther(t, b.post(change, url.Values{"do": {"check"}}), change)
	if p := b.get(change); p.text("h1") != w.T("head.settled_not_applied.title") {
		t.Errorf("after a look: %s", heading(p))
	}
	// Checking what is settled shows it; closing it is too late.
	wantSeeOther(t, b.post(change, url.Values{"do": {"check"}}), change)
	wantStatus(t, b.post(change, url.Values{"do": {"close"}, "reason": {"x"}}), http.StatusConflict)
}

func TestCloseByHand(t *testing.T) {
	w := newWorld(t)
	admin, operator := w.as(store.Admin), w.as(store.Operator)
	change := operator.unknown(appID, created)
	before := w.traces()
	wantStatus(t, operator.post(change, url.Values{"do": {"close"}, "reason": {"x"}}), http.StatusForbidden)
	operator.get("/events")
	long := w.T("problem.reason_long", "count", 501, "limit", 500)
	for reason, want := range map[string]string{"": w.T("problem.reason_missing"), "  ": w.T("problem.reason_missing"), strings.Repeat("é", 501): long, "\uFFFD": w.T("problem.reason_text")} {
		p := admin.post(change, url.Values{"do": {"close"}, "reason": {reason}})
		if p.Code != 422 || p.attr("#close-reason", "value") != reason || p.text("#close-err") != want || p.count("details[open] #close-reason") != 1 {
			t.Errorf("a reason of %d bytes: %d %q", len(reason), p.Code, p.text("#close-err"))
		}
	}
	wantStatus(t, admin.post(change, url.Values{"do": {"close"}, "reason": {"known\x00"}}), http.StatusUnprocessableEntity)
	if w.traces() != before {
		t.Error("a refused close left traces")
	}
	for _, do := range []string{"", "explode", "again", "create"} {
		wantStatus(t, admin.post(change, url.Values{"do": {do}}), http.StatusBadRequest)
		admin.get("/events")
	}
	wantSeeOther(t, admin.post(change, url.Values{"do": {"close"}, "reason": {" " + strings.Repeat("é", 500) + " "}}), change)
	wantStatus(t, admin.get(change), http.StatusOK)
}

func TestNextStepsMakePlans(t *testing.T) {
	tests := []struct {
		name   string
		fault  sandbox.Fault
		do     string
		silent bool
		call   string
	}{
		{"create instead", sandbox.Fault{Command: "update_callback", Code: 100301, Info: "x"}, "create", false, "set_callback"},
		{"update instead", sandbox.Fault{Command: "update_callback", Code: 100300, Info: "x"}, "update", false, "update_callback"},
		{"again", sandbox.Fault{Command: "update_callback", Code: 60020, Info: "x"}, "again", false, "update_callback"},
		{"try again", sandbox.Fault{Command: "get_callback", Code: 60020, Info: "x"}, "again", false, "update_callback"},
		{"again while Tencent is silent", sandbox.Fault{Command: "update_callback", Code: 60020, Info: "x"}, "again", true, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			b := w.as(store.Operator)
			plan := b.plan(appID, newURL, created, ended)
			w.box.Script(test.fault)
			change := b.apply(plan)
			if test.silent {
				w.box.Script(sandbox.Fault{Drop: "before", Times: -1})
				p := b.post(change, url.Values{"do": {test.do}})
				wantStatus(t, p, http.StatusConflict)
				if p.count(".cb-note.bad") != 1 {
					t.Errorf("the page does not say that the app could not be read: %s", heading(p))
				}
				return
			}
			writes := w.writes()
			p := b.post(change, url.Values{"do": {test.do}})
			wantStatus(t, p, http.StatusSeeOther)
			next, _, err := w.store.Plan(t.Context(), planOf(p.location()))
			must(t, err)
			if next.Call != test.call || itoa64(next.Origin) != strings.TrimPrefix(change, "/changes/") || w.writes() != writes {
				t.Errorf("the plan calls %q, origin %d, %d writes", next.Call, next.Origin, w.writes()-writes)
			}
			if p := b.get(p.location()); !strings.Contains(p.text("pre"), "/"+test.call) {
				t.Error("the plan page shows another call")
			}
		})
	}
}

func TestThreeWay(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	plan := b.plan(appID, newURL, created, members) // ended goes, members comes
	cloud := "https://somebody.example.com/"
	w.box.SetCallback(appID, &sandbox.Callback{Url: cloud, CallbackCommandList: []string{created, ended, gift, foreign}})
	change := b.apply(plan)
	p := b.get(change)
	wantStatus(t, p, http.StatusOK)
	three := `form:has(table.cb-three)`
	if got := p.values(three + " input[type=radio]"); !slices.Equal(got, []string{cloud, newURL}) || p.count(three+" input[type=radio][checked]") != 0 {
		t.Errorf("URLs to choose from are %q, and one is chosen already: %d", got, p.count(three+" input[type=radio][checked]"))
	}
	fields := fieldsOf(p.doc.Find(three))
	got := fields["command"]
	if slices.Sort(got); !slices.Equal(got, []string{created, members, foreign, gift}) {
		t.Errorf("merged are %q", got)
	}
	// No choice, or somebody else's URL: the page again with what was ticked.
	for _, address := range []string{"", "https://evil.example.net/", oldURL} {
		q := b.press(p, three, url.Values{"do": {"merged"}, "url": {address}, "command": {created}})
		wantStatus(t, q, http.StatusUnprocessableEntity)
		if got := fieldsOf(q.doc.Find(three))["command"]; !slices.Equal(got, []string{created}) || !slices.Equal(links(q, "#errors a"), []string{"#url-cloud"}) || q.count("#url-cloud") != 1 {
			t.Errorf("%q: ticked are %q, mistakes at %q", address, got, links(q, "#errors a"))
		}
	}
	// Support sees the three sides without the button.
	if p := w.as(store.Support).get(change); p.count("main button[name=do]") != 0 || p.count("table.cb-three") != 1 {
		t.Error("support has a button, or not the table")
	}
	q := b.press(p, three, url.Values{"do": {"merged"}, "url": {newURL}})
	wantStatus(t, q, http.StatusSeeOther)
	if w.writes() != 0 {
		t.Fatal("something was sent before the merged plan was applied")
	}
	b.get(b.apply(q.location()))
	if now, _ := w.box.Callback(appID); now.Url != newURL || len(now.CallbackCommandList) != 4 {
		t.Errorf("the sandbox has %+v", now)
	}
}

// TestThreeWayOfStale is about two people who save the same app: the second one's plan is out of date.
func TestThreeWayOfStale(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	mine := b.plan(appID, newURL, created, members)
	cloud := "https://somebody.example.com/"
	b.get(b.apply(b.plan(appID, cloud, created, ended, gift)))
	change := b.apply(mine)
	if p := b.get(change); p.count("table.cb-three") != 0 || p.count("button[value=again]") != 1 {
		t.Error("before anybody looked there are three sides, or no way on")
	}
	b.get(formOf(appID))
	p := b.get(change)
	if !strings.Contains(p.text("main"), w.T("related.came_first", "Number", 1, "Who", "operator")) {
		t.Errorf("the page does not say who came first: %q", p.text("main"))
	}
	three := `form:has(table.cb-three)`
	if got := p.values(three + " input[type=radio]"); !slices.Equal(got, []string{cloud, newURL}) || p.count("button[value=again]") != 0 {
		t.Fatalf("URLs to choose from are %q", got)
	}
	q := b.press(p, three, url.Values{"do": {"merged"}, "url": {""}})
	wantStatus(t, q, http.StatusUnprocessableEntity)
	q = b.press(q, three, url.Values{"do": {"merged"}, "url": {cloud}})
	wantStatus(t, q, http.StatusSeeOther)
	merged := b.apply(q.location())
	if p := b.get(merged); !strings.Contains(p.text("main"), w.T("related.merges", "Number", strings.TrimPrefix(change, "/changes/"))) {
		t.Errorf("the merge does not say what it merges: %q", p.text("main"))
	}
	// What was settled is not offered a second time.
	if p := b.get(change); p.count("table.cb-three") != 0 || p.count("main button[name=do]") != 0 {
		t.Error("a merge that was carried out is still on offer")
	}
	if now, _ := w.box.Callback(appID); now.Url != cloud || !slices.Equal(now.CallbackCommandList, []string{created, members, gift}) {
		t.Errorf("the sandbox has %+v", now)
	}
}

func TestDriftPage(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	b.get(formOf(appID))
	w.box.SetCallback(appID, &sandbox.Callback{Url: newURL, CallbackCommandList: []string{created, gift}})
	p := b.get(formOf(appID))
	change := p.attr(".cb-note.care a", "href")
	if !strings.HasPrefix(change, "/changes/") || !strings.Contains(p.text(".cb-note.care"), w.T("callback.drift_title")) {
		t.Fatalf("the form says %s", heading(p))
	}
	p = b.get(change)
	wantStatus(t, p, http.StatusOK)
	if !strings.HasPrefix(p.text("h1"), "Changed outside this console") || !strings.Contains(p.text("#request-id"), "Id-") {
		t.Errorf("%s, RequestId %q", heading(p), p.text("#request-id"))
	}
	if p.text("ins") == "" || !strings.Contains(p.text("li.ok"), gift) || !strings.Contains(p.text("li.bad"), ended) {
		t.Errorf("the difference is %q, %q", p.text("li.ok"), p.text("li.bad"))
	}
	if w.as(store.Support).get(change).count("main button[name=do]") != 0 {
		t.Error("support has buttons")
	}
}

func TestReadBack(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	for _, same := range []bool{true, false} {
		change := b.apply(b.plan(appID, newURL+map[bool]string{true: "/a", false: "/b"}[same], created, ended))
		if !same {
			w.box.SetCallback(appID, &sandbox.Callback{Url: oldURL, CallbackCommandList: []string{created}})
		}
		number := w.number(`SELECT MAX(number) FROM changes`)
		must(t, w.changes.ReadBackNow(context.Background(), number))
		p := b.get(change)
		if differs := strings.Contains(p.text(".cb-note"), w.T("change.differs_title")); differs == same {
			t.Errorf("same %v: the page says %q", same, p.text(".cb-note"))
		}
		if (p.count("main [data-until]") == 1) != same {
			t.Errorf("same %v: whether the page expects it to come into effect is wrong", same)
		}
	}
}
