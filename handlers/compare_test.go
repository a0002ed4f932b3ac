package handlers

import (
	"fmt"
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

// words are the command words of a list of a comparison: "ok" those added, "bad" those removed.
func (p page) words(class string) string {
	list := []string{}
	for _, n := range p.doc.Find("ul.cb-set li." + class + " code").EachIter() {
		list = append(list, n.Text())
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// urls are the dd of a comparison of URLs, joined.
func (p page) urls() string {
	list := []string{}
	for _, n := range p.doc.Find(".cb-urldiff dd").EachIter() {
		list = append(list, strings.Join(strings.Fields(n.Text()), ""))
	}
	return strings.Join(list, " > ")
}

// past makes an app with a past: a change to newURL with three events, then a drift to a third URL with two, of which one
// is in no list of ours.
func (b *browser) past() (change, drift int64) {
	b.w.t.Helper()
	change = b.w.entryAt(b.apply(b.plan(appID, newURL, created, ended, members))).Number
	return change, b.drifted(appID, "https://third.example.com/", created, foreign)
}

func comparePath(id int64, from, to string) string {
	return views.AppPath(id, "/compare?"+url.Values{"from": {from}, "to": {to}}.Encode())
}

func TestCompare(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		change, drift := w.as(store.Operator).past()
		n, d := itoa64(change), itoa64(drift)
		b := w.as(store.Support)
		before := w.traces()
		const third = "https://third.example.com/"
		for _, row := range []struct {
			from, to, urls, added, removed string
			same                           bool
		}{
			{"record", "cloud", newURL + " > " + third, foreign, ended + " " + members, false},
			{"cloud", "record", third + " > " + newURL, ended + " " + members, foreign, false},
			{n, "cloud", newURL + " > " + third, foreign, ended + " " + members, false},
			{d, n, third + " > " + newURL, ended + " " + members, foreign, false},
			{d, "cloud", third, "", "", true},
			{n, "record", newURL, "", "", true},
			{"cloud", "cloud", third, "", "", true},
		} {
			p := b.get(comparePath(appID, row.from, row.to))
			wantStatus(t, p, http.StatusOK)
			if p.urls() != row.urls || p.words("ok") != row.added || p.words("bad") != row.removed || (p.count(".cb-note.ok") == 1) != row.same {
				t.Errorf("%s to %s: %q, added %q, removed %q, same %v", row.from, row.to, p.urls(), p.words("ok"), p.words("bad"), p.count(".cb-note.ok"))
			}
			if from, to := p.values("#from option[selected]"), p.values("#to option[selected]"); !slices.Equal(from, []string{row.from}) || !slices.Equal(to, []string{row.to}) {
				t.Errorf("%s to %s: the fields have %q and %q", row.from, row.to, from, to)
			}
			if got := p.values("#from option"); !slices.Equal(got, []string{"cloud", "record", d, n}) {
				t.Errorf("the sides are %q", got)
			}
			if swap := p.attr("main form a", "href"); swap != views.AppPath(appID, "/compare?from="+row.to+"&to="+row.from) {
				t.Errorf("%s to %s: swap leads to %q", row.from, row.to, swap)
			}
		}
		// Without sides it compares our record with the cloud.
		if p := b.get(views.AppPath(appID, "/compare")); p.urls() != newURL+" > "+third {
			t.Errorf("without sides: %q", p.urls())
		}
		w.untouched(before, "comparing")
	})
}

func TestCompareSidesThatAreNone(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	change, _ := b.past()
	unread := func(id int64, from, to string) {
		t.Helper()
		p := b.get(comparePath(id, from, to))
		if p.Code != http.StatusOK || p.text(".cb-empty h2") != w.T("compare.missing") || p.count(".cb-urldiff") != 0 {
			t.Errorf("%s to %s: %d, %q", from, to, p.Code, p.text(".cb-empty h2"))
		}
	}
	unread(otherID, "record", "cloud")
	unread(otherID, "cloud", "record")
	for _, side := range []string{"x", "0", "-1", "999", "1.5", "99999999999999999999", "record ", "' OR '1'='1", "\x00", strings.Repeat("9", 4096)} {
		for _, path := range []string{comparePath(appID, side, "cloud"), comparePath(appID, "cloud", side)} {
			if p := b.get(path); p.Code != http.StatusNotFound {
				t.Errorf("side %.20q: status %d", side, p.Code)
			}
		}
	}
	wantStatus(t, b.get(comparePath(otherID, itoa64(change), "cloud")), http.StatusNotFound)
	wantStatus(t, b.get(comparePath(otherID, "cloud", itoa64(change))), http.StatusNotFound)
	wantStatus(t, b.get(comparePath(1, "record", "cloud")), http.StatusNotFound)
	// An app without a callback is known, and compared as having none.
	wantStatus(t, b.get(formOf(otherID)), http.StatusOK)
	if p := b.get(comparePath(otherID, "record", "cloud")); p.count(".cb-empty") != 0 || p.count(".cb-note.ok") != 1 || !strings.Contains(p.urls(), "nocallback") {
		t.Errorf("none and none: %q", p.urls())
	}
}

// interval is when a reading began and when it ended.
type interval struct{ from, until string }

// readings moves the readings of appID, the oldest first.
func (w *world) readings(zone *time.Location, list ...interval) {
	w.t.Helper()
	for i, m := range list {
		ms := make([]int64, 2)
		for j, text := range []string{m.from, m.until} {
			at, err := time.ParseInLocation("2006-01-02 15:04:05", text, zone)
			must(w.t, err)
			ms[j] = at.UnixMilli()
		}
		w.exec(`UPDATE readings SET first_seen = $1, last_seen = $2
			WHERE id = (SELECT r.id FROM readings r WHERE r.sdkappid = $3 ORDER BY r.id LIMIT 1 OFFSET `+fmt.Sprint(i)+`)`, ms[0], ms[1], appID)
	}
}

func atPath(at string) string {
	return views.AppPath(appID, "/at?"+url.Values{"time": {at}}.Encode())
}

func TestTimeMachine(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	change := w.entryAt(b.apply(b.plan(appID, newURL, created, ended, members)))
	b.drifted(appID, "https://third.example.com/", created)
	w.exec(`UPDATE users SET time_zone = 'Asia/Shanghai' WHERE name = 'support'`)
	shanghai := time.FixedZone("", 8*3600)
	// The same configuration was seen until 10:00 and from 12:00 on by the change's own read-back; then the drift.
	w.readings(shanghai, interval{"2026-03-01 09:00:00", "2026-03-01 10:00:00"}, interval{"2026-03-01 12:00:00", "2026-03-01 13:00:00"}, interval{"2026-03-01 15:00:00", "2026-03-01 16:00:00"})
	at, err := time.ParseInLocation("2006-01-02 15:04:05", "2026-03-01 11:00:00", shanghai)
	must(t, err)
	w.exec(`UPDATE changes SET ended_at = $1 WHERE number = $2`, at.UnixMilli(), change.Number)
	const (
		oldShort = "https://hooks.example.com/live with 2 events"
		newShort = "https://hooks.example.com/live/v2 with 3 events"
		third    = "https://third.example.com/"
	)
	set := "#" + itoa64(change.Number)
	none := w.T("word.none")
	for _, row := range []struct {
		name, utc, local    string // the same moment in both zones
		proof               string // the URL that was proven
		from, until         string // by the reading between
		before, after, mark string
	}{
		{"proven", "2026-03-01T01:30", "2026-03-01T09:30", oldURL, "09:00:00", "10:00:00", "", "", ""},
		{"at the first sight", "2026-03-01T01:00", "2026-03-01T09:00", oldURL, "09:00:00", "10:00:00", "", "", ""},
		{"at the last sight", "2026-03-01T08:00", "2026-03-01T16:00", third, "15:00:00", "16:00:00", "", "", ""},
		{"between", "2026-03-01T02:30", "2026-03-01T10:30", "", "", "", "10:00:00 " + oldShort, "11:00:00 " + newShort, set},
		{"after it was set", "2026-03-01T03:30", "2026-03-01T11:30", "", "", "", "11:00:00 " + newShort, "12:00:00 " + newShort, set},
		{"before the first", "2026-02-28T17:00", "2026-03-01T01:00", "", "", "", none, "09:00:00 " + oldShort, ""},
		{"after the last", "2026-03-02T00:00", "2026-03-02T08:00", "", "", "", "16:00:00 " + third + " with 1 event", none, ""},
	} {
		for _, who := range []string{store.Operator, store.Support} {
			text, zone, name := row.utc, time.UTC, "UTC"
			if who == store.Support {
				text, zone, name = row.local, shanghai, "UTC+8"
			}
			checkMoment(t, w, w.as(who).get(atPath(text)), moments{row.name + " by " + who, text, zone, name, row.proof, row.from, row.until, row.before, row.after, row.mark})
		}
	}
}

// moments is what the page of a moment says; its times are those of Shanghai.
type moments struct {
	name, text  string
	zone        *time.Location
	zoneName    string
	proof       string
	from, until string
	before      string
	after, mark string
}

func (m moments) stamp(t *testing.T, clock string) string {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05", "2026-03-01 "+clock, time.FixedZone("", 8*3600))
	must(t, err)
	return at.In(m.zone).Format("2 Jan 2006 15:04:05") + " (" + m.zoneName + ")"
}

func checkMoment(t *testing.T, w *world, p page, m moments) {
	t.Helper()
	wantStatus(t, p, http.StatusOK)
	asked, err := time.ParseInLocation(atLayout, m.text, m.zone)
	must(t, err)
	headline := map[bool]string{true: "at.known", false: "at.not_known"}[m.proof != ""]
	if want := w.T(headline, "Time", asked.Format("2 Jan 2006 15:04:05")+" ("+m.zoneName+")"); p.text("article h2") != want || p.attr("#time", "value") != m.text {
		t.Errorf("%s: %q, want %q; the field has %q", m.name, p.text("article h2"), want, p.attr("#time", "value"))
	}
	if m.proof != "" {
		want := w.T("at.proof", "From", m.stamp(t, m.from), "Until", m.stamp(t, m.until))
		if p.text("article p") != want || p.urls() != m.proof || p.count("article dt") != 0 {
			t.Errorf("%s: %q with %q, want %q", m.name, p.text("article p"), p.urls(), want)
		}
		return
	}
	for id, want := range map[string]string{"at.before": m.before, "at.after": m.after} {
		if clock, what, ok := strings.Cut(want, " "); ok {
			want = w.T("at.seen", "Time", m.stamp(t, clock), "What", what)
		}
		if got := p.fact(w.T(id)); got != want {
			t.Errorf("%s: %s %q, want %q", m.name, id, got, want)
		}
	}
	said := w.T("at.not_known_text")
	if _, what, _ := strings.Cut(m.before, " "); what != "" && strings.HasSuffix(m.after, " "+what) {
		said += " " + w.T("at.same_around")
	}
	if p.text("article p") != said || p.fact(w.T("at.set_by")) != m.mark || p.count(".cb-urldiff") != 0 {
		t.Errorf("%s: %q, set by %q", m.name, p.text("article p"), p.fact(w.T("at.set_by")))
	}
}

func TestTimeMachineSaysWhatItCannotKnow(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Support)
	p := b.get(views.AppPath(appID, "/at"))
	if p.Code != http.StatusOK || p.count("article") != 0 || p.attr("#time", "value") == "" || p.text("label[for=time]") != w.T("at.time", "Zone", "UTC") {
		t.Errorf("without a time: %d, %q, %q", p.Code, p.attr("#time", "value"), p.text("label[for=time]"))
	}
	soon := time.Now().UTC().Add(48 * time.Hour).Format(atLayout)
	never := func(when string) {
		t.Helper()
		p := b.get(atPath(soon))
		if p.Code != http.StatusOK || p.text("article p") != w.T("at.future") || p.count(".cb-urldiff") != 0 {
			t.Errorf("%s, a moment to come: %d, %q", when, p.Code, p.text("article p"))
		}
	}
	never("never read")
	wantStatus(t, b.get(formOf(appID)), http.StatusOK)
	never("read")
	for _, odd := range []string{"yesterday", "2026-02-30T10:00", "2026-03-01T25:00", "1999-12-31T23:59", "0000-01-01T00:00", "99999-01-01T00:00",
		`"><script>alert(1)</script>`, "a\x00b", "\xff", strings.Repeat("9", 4096)} {
		p := b.get(atPath(odd))
		if p.Code != http.StatusUnprocessableEntity || !strings.HasSuffix(p.text("#time-err"), " such as 2026-05-03 14:00") || p.count("article") != 0 {
			t.Errorf("time %.30q: %d, %q", odd, p.Code, p.text("#time-err"))
		}
		if _, err := time.Parse(atLayout, p.attr("#time", "value")); err != nil {
			t.Errorf("time %.30q: the field has %q", odd, p.attr("#time", "value"))
		}
	}
	wantStatus(t, b.get(views.AppPath(1, "/at?time=2026-03-01T10:00")), http.StatusNotFound)
	// The same on both sides is said, and still no proof.
	w.readings(time.UTC, interval{"2026-03-01 09:00:00", "2026-03-01 10:00:00"})
	w.exec(`INSERT INTO readings (sdkappid, digest, first_seen, last_seen, request_id) SELECT sdkappid, digest, first_seen + 7200000, last_seen + 7200000, '' FROM readings`)
	if p := b.get(atPath("2026-03-01T10:30")); p.text("article h2") != w.T("at.not_known", "Time", "1 Mar 2026 10:30:00 (UTC)") || p.text("article p") != w.T("at.not_known_text")+" "+w.T("at.same_around") {
		t.Errorf("the same around: %q, %q", p.text("article h2"), p.text("article p"))
	} else if got := p.fact(w.T("at.before_events")); !strings.Contains(got, w.T("command."+created+".name")) {
		t.Errorf("the events of before are %q", got)
	}
	for _, typed := range []string{"2026-03-01T09:30:20", "2026-03-01 09:30:20", " 2026-03-01T09:30:20Z", "2026-03-01T10:30:20+01:00"} {
		if p := b.get(atPath(typed)); p.text("article h2") != w.T("at.known", "Time", "1 Mar 2026 09:30:20 (UTC)") {
			t.Errorf("%q: %d, %q", typed, p.Code, p.text("article h2"))
		} else if p.attr("#time", "value") != "2026-03-01T09:30:20" || p.attr("#time", "step") != "1" {
			t.Errorf("%q: the field has %q in steps of %q", typed, p.attr("#time", "value"), p.attr("#time", "step"))
		}
	}
	if p := b.get(atPath("2026-03-01T09:30")); !strings.Contains(p.text("section"), w.T("app.events")) || strings.Contains(p.text("main"), w.T("diff.same_events")) || p.count(".cb-set li") == 0 {
		t.Errorf("what was known is said in the words of a comparison: %q", p.text("main"))
	}
}

// restorePath fills the form of an app from an entry.
func restorePath(id, number int64, more string) string {
	return formOf(id) + "?restore=" + itoa64(number) + more
}

func TestRestore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Operator)
		change, drift := b.past()
		for _, row := range []struct {
			name, side string
			number     int64
			url        string
			ticked     []string
			extra      []string // that are on now and were off then
		}{
			{"what a change made", "", change, newURL, []string{created, ended, members, foreign}, []string{foreign}},
			{"what was before a change", "&side=before", change, oldURL, []string{created, ended, foreign}, []string{foreign}},
			{"what a drift found", "", drift, "https://third.example.com/", []string{created, foreign}, nil},
			{"what was before a drift", "&side=before", drift, newURL, []string{created, ended, members, foreign}, []string{foreign}},
			{"an unknown side", "&side=x", change, newURL, []string{created, ended, members, foreign}, []string{foreign}},
		} {
			plans := w.traces().Plans
			p := b.get(restorePath(appID, row.number, row.side))
			wantStatus(t, p, http.StatusOK)
			got := p.values("input[name=command][checked]")
			slices.Sort(got)
			slices.Sort(row.ticked)
			if p.attr("#url", "value") != row.url || !slices.Equal(got, row.ticked) || p.attr("#reason", "value")+p.text("#reason") != w.T("restore.reason", "Number", row.number) {
				t.Errorf("%s: %q with %q for %q", row.name, p.attr("#url", "value"), got, p.attr("#reason", "value")+p.text("#reason"))
			}
			note := p.doc.Find(".cb-note").FilterFunction(func(_ int, s *goquery.Selection) bool {
				return strings.TrimSpace(s.Find("h2").Text()) == w.T("restore.title", "Number", row.number)
			})
			text := note.Find("p").First().Text()
			leads := views.ChangePath(row.number)
			if len(row.extra) > 0 {
				leads = restorePath(appID, row.number, row.side+"&exact=1")
			}
			if note.Length() != 1 || note.Find("a").AttrOr("href", "") != leads || note.HasClass("care") != (len(row.extra) > 0) {
				t.Errorf("%s: %d notes, %q", row.name, note.Length(), text)
			}
			if want := w.T("restore.extra", "Words", strings.Join(row.extra, ", ")); len(row.extra) > 0 && text != want || len(row.extra) == 0 && text != w.T("restore.text") {
				t.Errorf("%s: %q, want %q", row.name, text, want)
			}
			if now := w.traces(); now.Plans != plans || w.writes() != 1 {
				t.Errorf("%s: %d plans, %d writes", row.name, now.Plans, w.writes())
			}
		}
		// Exactly as it was takes off what came since.
		p := b.get(restorePath(appID, change, "&side=before&exact=1"))
		if got := p.values("input[name=command][checked]"); slices.Contains(got, foreign) || !strings.Contains(p.text(".cb-note.care"), w.T("restore.exact", "Words", foreign)) {
			t.Errorf("exactly: %q, %q", got, p.text(".cb-note.care"))
		}
		// A word that neither our list nor the cloud has cannot be turned on, and is named.
		w.box.SetCallback(appID, &sandbox.Callback{Url: "https://third.example.com/", CallbackCommandList: []string{created, foreign}})
		b.get(formOf(appID))
		held := w.number(`SELECT MAX(number) FROM changes`)
		w.box.SetCallback(appID, &sandbox.Callback{Url: "https://third.example.com/", CallbackCommandList: []string{created}})
		p = b.get(restorePath(appID, held, ""))
		if got := fieldsOf(p.doc.Find("#callback-form"))["command"]; slices.Contains(got, foreign) || !strings.Contains(p.text(".cb-note.care"), w.T("restore.lost", "Words", foreign)) {
			t.Errorf("a word that nobody has: %q, %q", got, p.text(".cb-note"))
		}
		w.box.SetCallback(appID, &sandbox.Callback{Url: "https://third.example.com/", CallbackCommandList: []string{created, foreign}})
		// What was filled is reviewed and applied like any draft.
		p = b.press(b.get(restorePath(appID, change, "&side=before")), "#callback-form", nil)
		wantStatus(t, p, http.StatusSeeOther)
		e := w.entryAt(b.apply(p.location()))
		if got, _ := w.box.Callback(appID); got.Url != oldURL || !slices.Contains(got.CallbackCommandList, foreign) || e.Reason != w.T("restore.reason", "Number", change) {
			t.Errorf("the cloud has %+v for %q", got, e.Reason)
		}
	})
}

func TestRestoreIsRefused(t *testing.T) {
	w := newWorld(t)
	b, support := w.as(store.Operator), w.as(store.Support)
	change, _ := b.past()
	wantStatus(t, b.get(formOf(otherID)), http.StatusOK)
	for _, path := range []string{restorePath(otherID, change, ""), restorePath(otherID, change, "&side=before"), restorePath(appID, 999, ""), restorePath(appID, 0, ""),
		formOf(appID) + "?restore=x", formOf(appID) + "?restore=" + strings.Repeat("9", 40), formOf(appID) + "?restore=%00"} {
		if p := b.get(path); p.Code != http.StatusNotFound {
			t.Errorf("%.60s: status %d", path, p.Code)
		}
	}
	// An app had none before its first callback, which is nothing to fill a form with.
	first := w.entryAt(b.apply(b.plan(otherID, newURL, created))).Number
	wantStatus(t, b.get(restorePath(otherID, first, "&side=before")), http.StatusNotFound)
	for _, path := range []string{restorePath(appID, change, ""), restorePath(appID, change, "&side=before"), restorePath(appID, 999, "")} {
		p := support.get(path)
		if p.Code != http.StatusOK || p.attr("#url", "value") != "https://third.example.com/" || p.count("#reason") != 0 || strings.Contains(p.text(".cb-note"), w.T("restore.title", "Number", change)) {
			t.Errorf("support at %s: %d, %q: %s", path, p.Code, p.attr("#url", "value"), heading(p))
		}
	}
}
