package handlers

import (
	"net/url"
	"slices"
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

// TestTimesOfASearchSayTheirZone is about an address that is sent to a colleague in another zone.
func TestTimesOfASearchSayTheirZone(t *testing.T) {
	w := newWorld(t)
	past(w)
	w.exec(`UPDATE users SET time_zone = 'Asia/Shanghai' WHERE name = 'support'`)
	w.exec(`UPDATE changes SET started_at = $1 WHERE number = 1`, time.Date(2026, 3, 1, 6, 5, 30, 425e6, time.UTC).UnixMilli())
	for q, chip := range map[string]string{
		"from:2026-03-01 to:2026-03-01":                                   "2026-03-01 (UTC+8)",
		"from:2026-03-01T14:05 to:2026-03-01T14:05":                       "2026-03-01T14:05 (UTC+8)",
		"from:2026-03-01T14:05:30 to:2026-03-01T14:05:30":                 "2026-03-01T14:05:30 (UTC+8)",
		"from:2026-03-01T06:05Z to:2026-03-01T06:05Z":                     "2026-03-01T06:05Z",
		"from:2026-03-01T06:05:30.425Z to:2026-03-01T06:05:30.425Z":       "2026-03-01T06:05:30.425Z",
		"from:2026-03-01T07:05:30+01:00 to:2026-03-01T07:05:30.425+01:00": "2026-03-01T07:05:30+01:00",
	} {
		p := w.as(store.Support).sought(q)
		if !slices.Equal(numbers(p), []string{"#1"}) || !strings.Contains(p.text(".cb-chip"), chip) {
			t.Errorf("%s: entries %q, understood as %q", q, numbers(p), p.text(".cb-chip"))
		}
	}
}

// TestAddressOfASearchSaysItsZone: a day that was looked for in one zone is the same to whoever is sent the address, on
// every page and in exports.
func TestAddressOfASearchSaysItsZone(t *testing.T) {
	w := newWorld(t)
	past(w)
	w.exec(`UPDATE users SET time_zone = 'Asia/Shanghai' WHERE name = 'support'`)
	w.exec(`UPDATE changes SET started_at = $1 WHERE number = 1`, time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC).UnixMilli()) // 2 March in Shanghai
	support, operator := w.as(store.Support), w.as(store.Operator)
	const day = "q=from%3A2026-03-02+to%3A2026-03-02"
	p := support.get("/history?" + day)
	wantSeeOther(t, p, "/history?"+day+"&zone=Asia%2FShanghai")
	address := p.location()
	for _, b := range []*browser{support, operator} {
		p := b.get(address)
		if !slices.Equal(numbers(p), []string{"#1"}) || !strings.Contains(p.text(".cb-chip"), "2026-03-02 (UTC+8)") {
			t.Errorf("entries %q, understood as %q", numbers(p), p.text(".cb-chip"))
		}
		hrefs := links(p, ".cb-tabs a[href^='/history'], .cb-head a[href^='/history'], .cb-chip a")
		if len(hrefs) != 6+2+2 || p.attr("main input[name=zone]", "value") != "Asia/Shanghai" {
			t.Errorf("links %q, the search's zone is %q", hrefs, p.attr("main input[name=zone]", "value"))
		}
		for _, href := range hrefs {
			if !strings.Contains(href, "zone=Asia%2FShanghai") {
				t.Errorf("%s has lost the zone", href)
			}
		}
		if got := b.get("/history.jsonl" + strings.TrimPrefix(address, "/history")).Body.String(); strings.Count(got, "\n") != 1 {
			t.Errorf("the export has %q", got)
		}
	}
	for _, q := range []string{"from:1d", "from:2026-03-01T20:00Z", "by:admin", "2026"} {
		if p := support.get("/history?q=" + url.QueryEscape(q)); strings.Contains(p.location(), "zone=") {
			t.Errorf("%s means the same everywhere and leads to %s", q, p.location())
		}
	}
	for _, zone := range []string{"Mars/Base", "Local", "../../etc/passwd", "\x00"} {
		wantSeeOther(t, operator.get("/history?"+day+"&zone="+url.QueryEscape(zone)), "/history?"+day+"&zone=UTC")
	}
	operator.get("/history.csv?" + day)
	if w.number(`SELECT COUNT(*) FROM audit WHERE detail LIKE '%zone=UTC%'`) != 1 {
		t.Error("the audit does not say whose days were exported")
	}
}

func TestAddressOfAMomentSaysItsZone(t *testing.T) {
	w := newWorld(t)
	w.exec(`UPDATE users SET time_zone = 'Asia/Shanghai' WHERE name = 'support'`)
	b := w.as(store.Support)
	if p := b.get(atPath("2026-03-01T14:05")); p.attr("input[name=zone]", "value") != "Asia/Shanghai" {
		t.Errorf("the form has the zone %q", p.attr("input[name=zone]", "value"))
	}
	for zone, want := range map[string]string{"": "14:05", "UTC": "22:05", "Europe/Berlin": "21:05", "Local": "14:05", "Mars/Base": "14:05", "../../etc/passwd": "14:05"} {
		p := b.get(atPath("2026-03-01T14:05") + "&zone=" + url.QueryEscape(zone))
		if !strings.Contains(p.text("article h2"), "1 Mar 2026 "+want+":00 (UTC+8)") || p.attr("#time", "value") != "2026-03-01T"+want {
			t.Errorf("zone %q: %q, the field has %q", zone, p.text("article h2"), p.attr("#time", "value"))
		}
	}
}
