package handlers

import (
	"strings"
	"testing"
	"time"

	"callboard/store"
)

// TestZoneIsThatOfTheTime is about zones with summer time: what stands beside a time holds for that time, not for now.
func TestZoneIsThatOfTheTime(t *testing.T) {
	w := newWorld(t)
	past(w)
	w.exec(`UPDATE users SET time_zone = 'Europe/Berlin' WHERE name = 'support'`)
	winter, summer := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC).UnixMilli(), time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC).UnixMilli()
	b := w.as(store.Support)
	for _, test := range []struct {
		ms         int64
		time, zone string
	}{{winter, "15 Jan 2026 13:00:00", "UTC+1"}, {summer, "15 Jul 2026 14:00:00", "UTC+2"}} {
		w.exec(`UPDATE changes SET started_at = $1, ended_at = $2 WHERE number = 1`, test.ms, test.ms)
		want := test.time + " (" + test.zone + ")"
		p := b.get("/changes/1")
		if facts := p.text("article, aside"); !strings.Contains(p.text("h1"), want) || !strings.Contains(facts, w.T("fact.started")+want) || !strings.Contains(facts, test.time[:11]+" · "+test.zone) {
			t.Errorf("%s: the page says %q, %q", want, p.text("h1"), facts)
		}
		if p := b.get("/changes/1/bundle"); strings.Count(p.text("pre"), w.T("head.applied.title", "Time", want)) != 2 {
			t.Errorf("%s: the bundle says %q", want, p.text("pre"))
		}
		if p := b.get("/history?q=by:operator"); !strings.Contains(p.text("thead"), "("+test.zone+")") {
			t.Errorf("%s: the head of the list is %q", want, p.text("thead"))
		}
	}
	w.exec(`UPDATE changes SET started_at = $1 WHERE number = 2`, winter)
	if p := b.get("/history?q=kind:change"); !strings.Contains(p.text("thead"), "(Europe/Berlin)") {
		t.Errorf("the head of a list with summer and winter in it is %q", p.text("thead"))
	}
}
