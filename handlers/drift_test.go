package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
	"callboard/views"
)

// cloud changes what an app has at Tencent, behind the console's back; no URL deletes it.
func (w *world) cloud(id int64, address string, commands ...string) {
	if address == "" {
		w.box.SetCallback(id, nil)
		return
	}
	w.box.SetCallback(id, &sandbox.Callback{Url: address, CallbackCommandList: commands})
}

func (w *world) app(id int64) store.App {
	w.t.Helper()
	a, err := w.store.App(w.t.Context(), id)
	must(w.t, err)
	return a
}

// entryAt is the entry whose page stands at an address.
func (w *world) entryAt(address string) store.Change {
	w.t.Helper()
	c, err := w.store.Change(w.t.Context(), w.number(`SELECT MAX(number) FROM changes WHERE '/changes/' || number = $1`, address))
	must(w.t, err)
	return c
}

// drifted makes a drift of an app and returns its entry: read as it is, then changed and read again.
func (b *browser) drifted(id int64, address string, commands ...string) int64 {
	b.w.t.Helper()
	wantStatus(b.w.t, b.get(formOf(id)), http.StatusOK)
	b.w.cloud(id, address, commands...)
	wantStatus(b.w.t, b.get(formOf(id)), http.StatusOK)
	drift := b.w.app(id).Drift
	if drift == 0 {
		b.w.t.Fatal("no drift was found")
	}
	return drift
}

// act posts one of the acts that concern an app as a whole.
func (b *browser) act(id int64, do string, fields url.Values) page {
	sent := url.Values{"do": {do}}
	for name, values := range fields {
		sent[name] = values
	}
	return b.post(views.AppPath(id, ""), sent)
}

// untouched checks that a refused act left nothing behind.
func (w *world) untouched(before traces, what string) {
	w.t.Helper()
	if now := w.traces(); now != before {
		w.t.Errorf("%s left something behind: %+v, before %+v", what, now, before)
	}
}

// fact is what a page says under a name, "" when it has no such name.
func (p page) fact(name string) string {
	found := p.doc.Find("dl.cb-facts dt").FilterFunction(func(_ int, s *goquery.Selection) bool { return strings.TrimSpace(s.Text()) == name })
	return strings.Join(strings.Fields(found.First().Next().Text()), " ")
}

func TestAcceptDrift(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Operator)
		for _, row := range []struct{ name, address, reason, want string }{
			{"without a reason", newURL, " ", "Accepted after drift #"},
			{"with a reason", "https://hooks.example.com/live/v3", " they told us ", "they told us"},
			{"a deletion", "", "", "Accepted after drift #"},
		} {
			ours := w.app(appID).Record
			drift := b.drifted(appID, row.address, created, members)
			p := b.get(views.ChangePath(drift))
			if got := p.values("main button[name=do]"); len(got) != 2 || got[0] != "put-back" || got[1] != "accept" {
				t.Errorf("%s: buttons %q", row.name, got)
			}
			if s := w.as(store.Support).get(views.ChangePath(drift)); s.count("main button[name=do]") != 0 {
				t.Errorf("%s: support sees the buttons", row.name)
			}
			seen, before := p.attr("input[name=seen]", "value"), w.traces()
			p = b.act(appID, "accept", url.Values{"seen": {seen}, "reason": {row.reason}})
			wantStatus(t, p, http.StatusSeeOther)
			e, a := w.entryAt(p.location()), w.app(appID)
			if e.Kind != store.KindAccepted || e.Origin != drift || e.Found != seen || (ours != "" && e.Previous != ours) || !strings.HasPrefix(e.Reason, row.want) || e.Actor.Name != store.Operator {
				t.Errorf("%s: entry %+v", row.name, e)
			}
			if a.Record != seen || a.RecordNumber != e.Number || a.Drift != 0 {
				t.Errorf("%s: our record is %s of %d, drift %d", row.name, a.Record, a.RecordNumber, a.Drift)
			}
			if now := w.traces(); now.Calls != before.Calls || now.Changes != before.Changes+1 || now.Plans != before.Plans || now.Audit != before.Audit+1 || w.writes() != 0 {
				t.Errorf("%s: traces %+v, before %+v", row.name, now, before)
			}
			if got := b.get(p.location()); !strings.HasPrefix(got.text("h1"), w.headlineLike("accepted", nil)) {
				t.Errorf("%s: %s", row.name, heading(got))
			}
			if got := b.get(views.ChangePath(drift)); got.count("main button[name=do]") != 0 || got.count("input[name=seen]") != 0 {
				t.Errorf("%s: the ended drift has buttons", row.name)
			}
			if got := b.get(formOf(appID)); w.app(appID).Drift != 0 || strings.Contains(got.text(".cb-note"), w.T("callback.drift_title")) {
				t.Errorf("%s: it drifts again: %s", row.name, heading(got))
			}
		}
	})
}

func TestAcceptIsRefused(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) { acceptIsRefused(t, worldOn(t, db)) })
}

func acceptIsRefused(t *testing.T, w *world) {
	t.Helper()
	b, support := w.as(store.Operator), w.as(store.Support)
	refused := func(what string, p page, status int) {
		t.Helper()
		if p.Code != status {
			t.Errorf("%s: status %d, want %d; %s", what, p.Code, status, heading(p))
		}
	}
	before := w.traces()
	refused("never read", b.act(otherID, "accept", nil), http.StatusConflict)
	w.untouched(before, "accepting what was never read")
	drift := b.drifted(appID, newURL, created)
	seen := b.get(views.ChangePath(drift)).attr("input[name=seen]", "value")
	before = w.traces()
	for _, odd := range []string{"", "x", strings.Repeat("a", 4096), "a\x00", strings.ToUpper(seen) + "0"} {
		refused("seen "+odd, b.act(appID, "accept", url.Values{"seen": {odd}}), http.StatusConflict)
	}
	w.untouched(before, "accepting what nobody saw")
	w.cloud(appID, "https://hooks.example.com/third", members)
	wantStatus(t, b.get(formOf(appID)), http.StatusOK)
	before, ours := w.traces(), w.app(appID)
	p := b.act(appID, "accept", url.Values{"seen": {seen}})
	refused("the cloud moved on", p, http.StatusConflict)
	if p.text("h1") != w.T("problem.moved.title") {
		t.Errorf("the cloud moved on: %s", heading(p))
	}
	w.untouched(before, "accepting what is no longer there")
	if now := w.app(appID); now.Record != ours.Record || now.Drift != ours.Drift {
		t.Errorf("our record is %s, drift %d", now.Record, now.Drift)
	}
	seen = b.get(views.ChangePath(ours.Drift)).attr("input[name=seen]", "value")
	before = w.traces()
	refused("support", support.act(appID, "accept", url.Values{"seen": {seen}}), http.StatusForbidden)
	refused("an act that there is none of", b.act(appID, "accepted", url.Values{"seen": {seen}}), http.StatusBadRequest)
	refused("an unknown app", b.act(1, "accept", url.Values{"seen": {seen}}), http.StatusNotFound)
	refused("another app", b.act(otherID, "accept", url.Values{"seen": {seen}}), http.StatusConflict)
	w.untouched(before, "a refused accept")

	newest := views.ChangePath(w.app(appID).Drift)
	for _, do := range []string{"accept", "put-back"} {
		before = w.traces()
		p = b.act(appID, do, url.Values{"seen": {seen}, "reason": {strings.Repeat("é", 501)}})
		refused(do+" for a long reason", p, http.StatusUnprocessableEntity)
		if p.attr("#next-reason", "value") != strings.Repeat("é", 501) || p.text("#next-reason-err") != w.T("problem.reason_long", "count", 501, "limit", 500) {
			t.Errorf("%s for a long reason: %q", do, p.text("#next-reason-err"))
		}
		if p = b.get(newest); p.count("#next-reason") != 1 || p.count("#next-reason-err") != 0 {
			t.Errorf("%s: the form is gone", do)
		}
		w.untouched(before, do+" for a long reason")
	}
	refused("a long reason where nothing drifted", b.act(otherID, "accept", url.Values{"seen": {seen}, "reason": {strings.Repeat("é", 501)}}), http.StatusConflict)

	open := b.unknown(appID, created)
	before, ours = w.traces(), w.app(appID)
	wantSeeOther(t, b.act(appID, "accept", url.Values{"seen": {seen}}), open)
	w.untouched(before, "accepting while a change is open")
	if now := w.app(appID); now.Record != ours.Record || now.Drift != ours.Drift {
		t.Errorf("our record is %s, drift %d while a change is open", now.Record, now.Drift)
	}
	b.post(open, url.Values{"do": {"check"}})
	must(t, w.store.ArchiveApp(t.Context(), store.Console, appID, true))
	before = w.traces()
	refused("archived", b.act(appID, "accept", url.Values{"seen": {seen}}), http.StatusConflict)
	w.untouched(before, "accepting for an archived app")
}

func TestPutBack(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Operator)
		for _, row := range []struct {
			name     string
			id       int64
			address  string
			call     string
			ticks    int
			kind     string
			restored string
			reason   string
		}{
			{"something else", appID, newURL, "update_callback", 0, store.KindChange, oldURL, "  "},
			{"deleted", appID, "", "set_callback", 0, store.KindChange, oldURL, " a mistake "},
			{"ours is none", otherID, newURL, "delete_callback", 1, store.KindDelete, "", ""},
		} {
			drift, writes := b.drifted(row.id, row.address, created, ended), w.writes()
			p := b.act(row.id, "put-back", url.Values{"reason": {row.reason}})
			wantStatus(t, p, http.StatusSeeOther)
			why := orElse(strings.TrimSpace(row.reason), w.T("drift.put_back_reason", "Number", drift))
			if !strings.HasPrefix(p.location(), formOf(row.id)+"/review/") || w.writes() != writes {
				t.Fatalf("%s: leads to %q after %d writes", row.name, p.location(), w.writes()-writes)
			}
			plan := b.get(p.location())
			if plan.count("input[name=tick]") != row.ticks || plan.count(`a[href="`+views.ChangePath(drift)+`"]`) == 0 || !strings.Contains(plan.text("main"), row.call) ||
				!strings.Contains(plan.text("main"), why) {
				t.Errorf("%s: the plan has %d ticks: %s", row.name, plan.count("input[name=tick]"), heading(plan))
			}
			e := w.entryAt(b.apply(p.location()))
			got, _ := w.box.Callback(row.id)
			if e.State() != store.Applied || e.Kind != row.kind || e.Call != row.call || e.Origin != drift || got.Url != row.restored || w.writes() != writes+1 {
				t.Errorf("%s: %s by %s, the cloud has %q", row.name, e.State(), e.Call, got.Url)
			}
			if a := w.app(row.id); a.Drift != 0 || a.RecordNumber != e.Number {
				t.Errorf("%s: drift %d, our record is that of %d", row.name, a.Drift, a.RecordNumber)
			}
		}
	})
}

func TestPutBackIsRefused(t *testing.T) {
	w := newWorld(t)
	b, support := w.as(store.Operator), w.as(store.Support)
	b.drifted(appID, newURL, created)
	before := w.traces()
	wantStatus(t, support.act(appID, "put-back", nil), http.StatusForbidden)
	w.untouched(before, "support")
	w.box.Script(sandbox.Fault{SDKAppID: appID, Command: "get_callback", Code: 60010, Info: "no admin"})
	p := b.act(appID, "put-back", nil)
	wantStatus(t, p, http.StatusConflict)
	if p.text("h1") != w.T("drift.unread_title") || !strings.Contains(p.text("main"), w.T("drift.unread_text")) || p.attr(`main .cb-row a`, "href") != formOf(appID) ||
		p.count(`a[href="/errors/60010"]`) == 0 {
		t.Errorf("an app that cannot be read: %s", heading(p))
	}
	if v := w.traces(); v.Plans != 0 || v.Changes != before.Changes {
		t.Errorf("traces %+v", v)
	}
}

// stopForm is the form that plans to delete.
const stopForm = `form:has(button[value="delete"])`

func TestDeleteAndResume(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Operator)
		form := b.get(formOf(appID))
		stop := func(reason ...string) page {
			return b.press(form, stopForm, url.Values{"do": {"delete"}, "reason": reason})
		}
		for _, reason := range []string{"", "  ", strings.Repeat("x", 501)} {
			p := stop(reason)
			wantStatus(t, p, http.StatusUnprocessableEntity)
			if p.count("details[open] "+stopForm) != 1 || p.attr("#url", "value") != oldURL || p.count("#errors a") != 1 || len(p.values("input[name=command][checked]")) != 2 {
				t.Errorf("reason %.9q: the form has %q with %q: %s", reason, p.attr("#url", "value"), p.values("input[name=command][checked]"), heading(p))
			}
			if p.attr("#stop-reason", "value") != reason || p.attr("#reason", "value") != "" || p.attr("#errors a", "href") != "#stop-reason" || p.text("#stop-reason-err") == "" || p.text("#reason-err") != "" {
				t.Errorf("reason %.9q: the fields have %.9q and %.9q, the mistake is at %q", reason, p.attr("#stop-reason", "value"), p.attr("#reason", "value"), p.attr("#errors a", "href"))
			}
			if p.attr(stopForm+" input[name=reading]", "value") != form.attr(stopForm+" input[name=reading]", "value") {
				t.Errorf("reason %.9q: the reading is lost", reason)
			}
		}
		wantStatus(t, b.act(appID, "delete", url.Values{"reason": {"x"}}), http.StatusUnprocessableEntity)
		wantStatus(t, b.act(appID, "delete", url.Values{"reason": {"x"}, "reading": {"99"}}), http.StatusUnprocessableEntity)
		if v := w.traces(); v.Plans != 0 || v.Changes != 0 || v.Calls != 1 {
			t.Fatalf("traces %+v", v)
		}
		p := stop(" the show is over ")
		wantStatus(t, p, http.StatusSeeOther)
		plan := b.get(p.location())
		if got := plan.values("input[name=tick]"); len(got) != 1 || got[0] != "off" || !strings.Contains(plan.text("main"), "delete_callback") {
			t.Errorf("ticks %q: %s", got, heading(plan))
		}
		wantStatus(t, b.press(plan, "main form", nil), http.StatusUnprocessableEntity)
		if w.writes() != 0 {
			t.Fatal("it was sent without its tick")
		}
		change := b.apply(p.location())
		e := w.entryAt(change)
		if _, there := w.box.Callback(appID); there || e.Kind != store.KindDelete || e.State() != store.Applied || e.Reason != "the show is over" || w.writes() != 1 {
			t.Errorf("%s %s for %q, callback there: %v", e.Kind, e.State(), e.Reason, there)
		}
		resume(t, w, b, change)
	})
}

// resume follows the link that a deleted callback has, and brings it back.
func resume(t *testing.T, w *world, b *browser, deleted string) {
	t.Helper()
	link := formOf(appID) + "?restore=" + strings.TrimPrefix(deleted, "/changes/") + "&side=before"
	if p := b.get(deleted); p.count(`main a[href="`+link+`"]`) != 1 {
		t.Errorf("the entry of the deletion has no link to restore: %s", heading(p))
	}
	p := b.get(formOf(appID))
	if p.attr(`.cb-note a[href^="`+formOf(appID)+`?"]`, "href") != link || p.count(stopForm) != 0 {
		t.Errorf("the form leads to %q, %d forms to delete", p.attr(`.cb-note a[href*="restore"]`, "href"), p.count(stopForm))
	}
	if s := w.as(store.Support).get(formOf(appID)); s.count(`a[href*="restore"]`) != 0 || s.count(stopForm) != 0 {
		t.Error("support sees the link or the form")
	}
	p = b.get(link)
	if got := p.values("input[name=command][checked]"); p.attr("#url", "value") != oldURL || len(got) != 2 {
		t.Errorf("the form has %q with %q", p.attr("#url", "value"), got)
	}
	p = b.press(p, "#callback-form", nil)
	wantStatus(t, p, http.StatusSeeOther)
	e := w.entryAt(b.apply(p.location()))
	if got, there := w.box.Callback(appID); !there || got.Url != oldURL || len(got.CallbackCommandList) != 2 || e.Call != "set_callback" || e.State() != store.Applied {
		t.Errorf("%s by %s, the cloud has %+v", e.State(), e.Call, got)
	}
	if p := b.get(formOf(appID)); p.count(`.cb-note a[href*="restore"]`) != 0 {
		t.Error("the link stays after resuming")
	}
}

func TestDeleteIsRefused(t *testing.T) {
	w := newWorld(t)
	b, support := w.as(store.Operator), w.as(store.Support)
	form := b.get(formOf(appID))
	fields := url.Values{"reason": {"x"}, "reading": {form.attr(stopForm+" input[name=reading]", "value")}}
	if support.get(formOf(appID)).count(stopForm) != 0 || b.get(formOf(otherID)).count(stopForm) != 0 {
		t.Error("support, or an app without a callback, has the form to delete")
	}
	before := w.traces()
	wantStatus(t, support.act(appID, "delete", fields), http.StatusForbidden)
	wantStatus(t, b.act(otherID, "delete", fields), http.StatusUnprocessableEntity)
	must(t, w.store.ArchiveApp(t.Context(), store.Console, appID, true))
	wantStatus(t, b.act(appID, "delete", fields), http.StatusConflict)
	before.Versions++
	before.Audit++
	w.untouched(before, "a refused deletion")
}

func TestWatchIsSwitched(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Admin)
		settings := views.AppPath(appID, "/settings")
		others := []*browser{w.as(store.Support), w.as(store.Operator)}
		for _, row := range []struct {
			do   string
			on   bool
			next string // the button afterwards
		}{{"unwatch", false, "watch"}, {"unwatch", false, "watch"}, {"watch", true, "unwatch"}} {
			acts := w.number(`SELECT COUNT(*) FROM audit WHERE act = 'app.watched'`)
			wantSeeOther(t, b.post(settings, url.Values{"do": {row.do}}), settings+"?saved=1")
			p := b.get(settings)
			if got := p.values(`main form button[name=do][value$="watch"]`); w.app(appID).Watched != row.on || len(got) != 1 || got[0] != row.next {
				t.Errorf("%s: watched %v, buttons %q", row.do, w.app(appID).Watched, got)
			}
			if n := w.number(`SELECT COUNT(*) FROM audit WHERE act = 'app.watched'`); n != acts+1 {
				t.Errorf("%s: %d audit rows", row.do, n-acts)
			}
		}
		if !w.app(otherID).Watched {
			t.Error("another app was switched")
		}
		before := w.traces()
		for _, o := range others {
			wantStatus(t, o.post(settings, url.Values{"do": {"unwatch"}}), http.StatusForbidden)
		}
		wantStatus(t, b.act(appID, "unwatch", nil), http.StatusBadRequest) // where an operator may act
		wantStatus(t, b.post(views.AppPath(1, "/settings"), url.Values{"do": {"unwatch"}}), http.StatusNotFound)
		w.untouched(before, "a refused switch")
		if !w.app(appID).Watched {
			t.Error("it was switched off")
		}
	})
}

// TestDriftSince: the page of a drift bounds when it happened, by the readings on both sides.
func TestDriftSince(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	at := func(ahead time.Duration) int64 {
		w.ahead.Store(int64(ahead))
		b.get(formOf(appID))
		return w.number(`SELECT MAX(last_seen) FROM readings WHERE sdkappid = $1`, appID)
	}
	at(0)
	earliest := at(10 * time.Minute)
	w.cloud(appID, newURL, created)
	latest := at(25 * time.Minute)
	at(30 * time.Minute) // seen again, which says nothing of when it began
	drift := views.ChangePath(w.app(appID).Drift)
	if latest-earliest < (10 * time.Minute).Milliseconds() {
		t.Fatalf("read at %d and %d", earliest, latest)
	}
	stamp := func(ms int64, zone, name string) string {
		z, err := time.LoadLocation(zone)
		must(t, err)
		return time.UnixMilli(ms).In(z).Format("2 Jan 2006 15:04:05") + " (" + name + ")"
	}
	since := func(want string) {
		t.Helper()
		if got := b.get(drift).fact(w.T("fact.changed")); got != want {
			t.Errorf("the page says %q, want %q", got, want)
		}
	}
	since(w.T("drift.since", "From", stamp(earliest, "UTC", "UTC"), "Until", stamp(latest, "UTC", "UTC")))
	w.exec(`UPDATE users SET time_zone = 'Asia/Shanghai'`)
	since(w.T("drift.since", "From", stamp(earliest, "Asia/Shanghai", "UTC+8"), "Until", stamp(latest, "Asia/Shanghai", "UTC+8")))
	w.exec(`DELETE FROM readings WHERE drift_number IS NULL`)
	since(w.T("drift.since_unknown", "Until", stamp(latest, "Asia/Shanghai", "UTC+8")))
	w.exec(`UPDATE readings SET drift_number = NULL`)
	if p := b.get(drift); p.Code != http.StatusOK || p.fact(w.T("fact.changed")) != "" {
		t.Errorf("without a reading it says since when: %s", p.fact(w.T("fact.changed")))
	}
}
