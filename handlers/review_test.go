package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callboard/store"
	"callboard/store/storetest"
)

func planOf(address string) string { return address[strings.LastIndex(address, "/")+1:] }

func TestPlanIsApplied(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Operator)
		plan := b.plan(appID, newURL, created, ended, members)
		p := b.get(plan)
		wantStatus(t, p, http.StatusOK)
		if p.count("main form button") != 1 || w.writes() != 0 {
			t.Errorf("%d buttons, %d writes before applying", p.count("main form button"), w.writes())
		}
		if s := w.as(store.Support).get(plan); s.Code != http.StatusOK || s.count("main form button") != 0 {
			t.Error("support sees the plan with its button, or not at all")
		}
		change := b.apply(plan)
		if got, _ := w.box.Callback(appID); got.Url != newURL || len(got.CallbackCommandList) != 3 {
			t.Errorf("the sandbox has %+v", got)
		}
		// However often it is applied, it stays one change with one call.
		for range 3 {
			wantSeeOther(t, b.post(formOf(appID)+"/apply", url.Values{"plan": {planOf(plan)}}), change)
		}
		p = b.get(plan)
		if p.count("main form button") != 0 || p.attr(".cb-note a", "href") != change || w.writes() != 1 {
			t.Errorf("the used plan has %d buttons and leads to %q; %d writes", p.count("main form button"), p.attr(".cb-note a", "href"), w.writes())
		}
	})
}

func TestParallelAppliesMakeOneChange(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Operator)
		plan := b.plan(appID, newURL, created, ended)
		places := make([]string, 20)
		browsers := make([]*browser, len(places))
		for i := range browsers {
			browsers[i] = w.as(store.Operator)
		}
		var all sync.WaitGroup
		for i, one := range browsers {
			all.Go(func() {
				p := one.post(formOf(appID)+"/apply", url.Values{"plan": {planOf(plan)}})
				places[i] = p.location()
			})
		}
		all.Wait()
		if slices.Sort(places); places[0] == "" || len(slices.Compact(places)) != 1 || w.writes() != 1 {
			t.Errorf("the applies led to %q with %d writes", places, w.writes())
		}
	})
}

func TestPlansThatAreGone(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Operator)
		plan := planOf(b.plan(appID, newURL, created, ended))
		b.get(formOf(otherID))
		gone := func(id int64, plan string) {
			t.Helper()
			for _, p := range []page{b.get(formOf(id) + "/review/" + url.PathEscape(plan)), b.post(formOf(id)+"/apply", url.Values{"plan": {plan}})} {
				wantStatus(t, p, http.StatusNotFound)
				if p.text("h1") != w.T("problem.plan_gone.title") || p.attr("main .cb-row a", "href") != formOf(id) {
					t.Errorf("%d, %q: %s leads to %q", id, plan, heading(p), p.attr("main .cb-row a", "href"))
				}
			}
			b.get("/events")
		}
		gone(otherID, plan)
		for _, odd := range []string{"x", strings.ToUpper(plan) + "0", "a\x00b", "\xff", strings.Repeat("a", 4096), "' OR '1'='1"} {
			gone(appID, odd)
		}
		wantStatus(t, b.get(formOf(appID)+"/review/"+plan), http.StatusOK)
		w.ahead.Store(int64(7*24*time.Hour - time.Minute))
		wantStatus(t, b.get(formOf(appID)+"/review/"+plan), http.StatusOK)
		w.ahead.Store(int64(7*24*time.Hour + time.Minute))
		gone(appID, plan)
		if w.writes() != 0 || w.traces().Changes != 0 {
			t.Error("a plan that is gone made a change")
		}
	})
}

func TestPlanThatChangesNothing(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	plan := b.plan(appID, oldURL, ended, created, created)
	p := b.get(plan)
	if p.count("main form button") != 0 || !strings.Contains(p.text("main"), w.T("review.nothing_title")) {
		t.Errorf("%d buttons: %s", p.count("main form button"), heading(p))
	}
	wantStatus(t, b.post(formOf(appID)+"/apply", url.Values{"plan": {planOf(plan)}}), http.StatusConflict)
	if v := w.traces(); v.Changes != 0 || w.writes() != 0 {
		t.Error("it made a change all the same")
	}
}

func TestTicksOfAPlan(t *testing.T) {
	tests := []struct {
		name, address string
		commands      []string
		ticks         []string
	}{
		{"nothing dangerous", newURL, []string{created, ended, members}, []string{}},
		{"another host", "https://other.example.com/", []string{created, ended}, []string{"host"}},
		{"plain http", "http://hooks.example.com/live", []string{created, ended}, []string{"host", "http"}},
		{"a blocking event", newURL, []string{created, ended, gift}, []string{"blocking_added." + gift}},
		{"everything off", oldURL, nil, []string{"off"}},
		{"two at once", "https://other.example.com/", []string{created, gift}, []string{"blocking_added." + gift, "host"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			b := w.as(store.Operator)
			plan := b.plan(appID, test.address, test.commands...)
			p := b.get(plan)
			got := p.values("input[name=tick]")
			if test.name == "plain http" {
				got = slices.DeleteFunc(got, func(s string) bool { return s == "host" })
				test.ticks = []string{"http"}
			}
			if slices.Sort(got); !slices.Equal(got, test.ticks) {
				t.Fatalf("boxes are %q, want %q", got, test.ticks)
			}
			all := p.values("input[name=tick]")
			for i := range all {
				// All but one, with a made-up one instead.
				some := append(slices.Delete(slices.Clone(all), i, i+1), "everything")
				q := b.press(p, "main form", url.Values{"tick": some})
				wantStatus(t, q, http.StatusUnprocessableEntity)
				if len(q.values("input[name=tick][checked]")) != len(all)-1 || q.count("input[name=tick].is-invalid") != 1 || q.count("#errors a") != 1 || q.count(q.attr("#errors a", "href")+".is-invalid") != 1 {
					t.Errorf("without %q the page has ticked %q and leads to %q", all[i], q.values("input[name=tick][checked]"), links(q, "#errors a"))
				}
			}
			if w.writes() != 0 || w.traces().Changes != 0 {
				t.Fatal("a change was made without its ticks")
			}
			b.get(b.apply(plan))
			if w.writes() != 1 {
				t.Errorf("%d writes with every tick", w.writes())
			}
		})
	}
}

func TestPlanMeetsAnOpenChange(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Operator)
		plan := b.plan(appID, newURL, created, ended)
		open := b.unknown(appID, created)
		calls := w.traces()
		p := b.post(formOf(appID)+"/apply", url.Values{"plan": {planOf(plan)}})
		wantStatus(t, p, http.StatusConflict)
		if p.attr(".cb-note a", "href") != open || w.traces() != calls {
			t.Errorf("the page leads to %q, want %q", p.attr(".cb-note a", "href"), open)
		}
		if p := b.get(formOf(appID)); p.attr(".cb-note a", "href") != open {
			t.Errorf("the form leads to %q, want %q", p.attr(".cb-note a", "href"), open)
		}
		// Once it is settled as not applied the plan can be used.
		wantSeeOther(t, b.post(open, url.Values{"do": {"check"}}), open)
		if p := b.get(open); !strings.Contains(p.text("h1"), w.T("head.settled_not_applied.title")) {
			t.Fatalf("the open change: %s", heading(p))
		}
		change := b.apply(plan)
		if p := b.get(change); change == open || !strings.HasPrefix(p.text("h1"), "Accepted by Tencent") {
			t.Errorf("%s: %s", change, heading(p))
		}
	})
}

func TestPlanForAnAppWithoutCallback(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	change := b.apply(b.plan(otherID, newURL, created))
	calls := w.box.Journal()
	if last := calls[len(calls)-1]; last.Command != "set_callback" || !last.Applied {
		t.Errorf("the last call is %+v", last)
	}
	if p := b.get(change); p.Code != http.StatusOK {
		t.Errorf("%d", p.Code)
	}
	if got, ok := w.box.Callback(otherID); !ok || !slices.Equal(got.CallbackCommandList, []string{created}) {
		t.Errorf("the sandbox has %+v", got)
	}
}
