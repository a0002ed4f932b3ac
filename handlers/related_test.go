package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
	"callboard/views"
)

// TestRelatedEntries walks from entry to entry by what each page says of the others.
func TestRelatedEntries(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Operator)
		w.box.Script(sandbox.Fault{Command: "update_callback", Code: 60020, Info: "x"})
		first := b.apply(b.plan(appID, newURL, created))               // 1, refused
		b.apply(b.post(first, url.Values{"do": {"again"}}).location()) // 2
		restore := b.press(b.get(restorePath(appID, 2, "&side=before")), "#callback-form", nil)
		b.apply(restore.location()) // 3
		w.box.SetCallback(appID, &sandbox.Callback{Url: newURL})
		b.get(formOf(appID))                                                                 // 4, drift
		b.apply(b.post(views.AppPath(appID, ""), url.Values{"do": {"put-back"}}).location()) // 5
		b.unknown(appID, created, ended)                                                     // 6
		must(t, w.changes.CheckNow(t.Context(), store.Console, 6))
		unused := b.post("/changes/6", url.Values{"do": {"again"}}).location()
		// What another app's entry is called in the form counts for nothing.
		other := b.press(b.get(formOf(otherID)), "#callback-form", url.Values{"url": {newURL}, "command": {created}, "reason": {"x"}, "origin": {"3"}})
		wantStatus(t, other, http.StatusSeeOther)
		if p, _, err := w.store.Plan(t.Context(), planOf(other.location())); err != nil || p.Origin != 0 {
			t.Errorf("a plan of another app comes from %d, %v", p.Origin, err)
		}
		planned := func(number string) string {
			return views.AppPath(appID, "/callback/review/"+w.column(`SELECT plan FROM changes WHERE number = ` + number)[0]) + " related.plan 0"
		}
		for number, want := range map[string][]string{
			"1": {planned("1"), "/changes/2 related.later.repeats 2"},
			"2": {planned("2"), "/changes/1 related.repeats 1", "/changes/3 related.later.restores 3"},
			"3": {planned("3"), "/changes/2 related.restores 2"},
			"4": {"/changes/5 related.later.answers 5"},
			"5": {planned("5"), "/changes/4 related.answers 4"},
			"6": {planned("6"), "#h-tl related.read_other 0", "#h-tl related.settled_reading 0", unused + " related.unused 0"},
		} {
			checkRelated(t, w, number, want)
		}
	})
}

// checkRelated compares the links of a page; each wanted one is address, id of the sentence and number in it.
func checkRelated(t *testing.T, w *world, number string, want []string) {
	t.Helper()
	p := w.as(store.Support).get("/changes/" + number)
	got := p.doc.Find("section[aria-labelledby=h-related] a").Map(func(_ int, s *goquery.Selection) string { return s.AttrOr("href", "") + " " + s.Text() })
	c, err := w.store.Change(t.Context(), w.number(`SELECT number FROM changes WHERE number = `+number))
	must(t, err)
	wanted := make([]string, 0, len(want))
	for _, line := range want {
		wanted = append(wanted, relatedLine(w, c, line))
	}
	if !slices.Equal(got, wanted) {
		t.Errorf("change %s is related to\n%q, want\n%q", number, got, wanted)
	}
}

func relatedLine(w *world, c store.Change, line string) string {
	part := strings.Fields(line)
	return part[0] + " " + w.T(part[1], "Number", part[2], "Who", "operator", "Time", time.UnixMilli(c.SettledAt).UTC().Format("15:04:05"))
}
