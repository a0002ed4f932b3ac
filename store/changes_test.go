package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"callboard/store"
	"callboard/store/storetest"
)

// byTheDatabase are times of the database's clock.
var byTheDatabase = cmpopts.IgnoreFields(store.Change{}, "NextCheckAt", "GraceUntil")

func TestPlansAreKept(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		n := f.applied(confC)
		f.later(minute)
		given := newPlan(aurora, "p1")
		given.Origin = n
		made, err := f.AddPlan(ctx(t), mei, given, confB)
		f.must(err)
		want := given
		want.Wanted, want.UserID, want.Who, want.Role, want.Newest, want.MadeAt = confB.Digest(), 1, "Mei", store.Admin, n, start+minute
		same(t, "made", want, made)
		got, _, err := f.Plan(ctx(t), "p1")
		f.must(err)
		same(t, "read back", want, got)
		for _, id := range []string{"", "p2", "p1\x00", "\xff", "'"} {
			if _, _, err := f.Plan(ctx(t), id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Plan(%q): %v", id, err)
			}
		}
	})
}

func TestPlanState(t *testing.T) {
	confs := map[string]store.Configuration{"a": confA, "b": confB}
	settle := func(settled string) func(f fixture) {
		return func(f fixture) { f.must(f.Settle(ctx(f.t), mei, f.unknown(confC), store.Settlement{Settled: settled})) }
	}
	ended := func(outcome string) func(f fixture) {
		return func(f fixture) { f.end(f.opened(confC), ending(outcome)) }
	}
	tests := []struct {
		name  string
		after func(f fixture)
		stale bool
	}{
		{"nothing happened", func(fixture) {}, false},
		{"another was applied", ended(store.Applied), true},
		{"another was refused", ended(store.Refused), false},
		{"another was not sent", ended(store.NotSent), false},
		{"settled applied", settle(store.Applied), true},
		{"settled overtaken", settle(store.Overtaken), true},
		{"settled not applied", settle(store.NotApplied), false},
		{"there and back again", func(f fixture) { f.applied(confs["b"]); f.applied(confs["a"]) }, true},
		{"drift", func(f fixture) { f.read(aurora, confC) }, false},
		{"another app's change", func(f fixture) {
			f.must(f.AddApp(ctx(f.t), mei, settings(borea, "Borea")))
			f.end(f.open(f.planFor(borea, "other", confB), 1), ending(store.Applied))
		}, false},
		{"name edited", func(f fixture) { f.must(f.UpdateApp(ctx(f.t), mei, 1, settings(aurora, "New"))) }, false},
		{"region edited", func(f fixture) {
			s := settings(aurora, "Aurora")
			s.Region = "china"
			f.must(f.UpdateApp(ctx(f.t), mei, 1, s))
		}, true},
	}
	both(t, func(t *testing.T, db storetest.Database) {
		base := empty(t, db)
		for _, test := range tests {
			f := base.anew(t)
			p := f.plan("p", confB)
			test.after(f)
			_, got, err := f.Plan(ctx(t), p.ID)
			f.must(err)
			same(t, test.name, store.PlanState{Stale: test.stale}, got)
			n, made, err := f.OpenChange(ctx(t), mei, intent(p, 77))
			f.must(err)
			c := f.change(n)
			want := []any{true, store.Pending, "", "form_opened plan_made intent", int64(0)}
			if test.stale {
				want = []any{false, store.NotSent, store.CauseStale, "form_opened plan_made intent stale", c.StartedAt}
			}
			same(t, test.name+": posted", want, []any{made, c.Outcome, c.Cause, f.steps(n), c.EndedAt})
			_, state, err := f.Plan(ctx(t), p.ID)
			f.must(err)
			same(t, test.name+": used", store.PlanState{Number: n, Stale: test.stale}, state)
		}
	})
}

func TestPlanStateNamesTheOpenChange(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		p, other := f.plan("p", confB), f.plan("o", confC)
		n := f.open(other, 1)
		_, got, err := f.Plan(ctx(t), p.ID)
		f.must(err)
		same(t, "the other plan", store.PlanState{Open: n}, got)
		_, got, err = f.Plan(ctx(t), other.ID)
		f.must(err)
		same(t, "its own", store.PlanState{Number: n}, got)
	})
}

func TestAppWithOpen(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.standsOpen(0)
		n := f.open(f.plan("p", confB), 1)
		f.standsOpen(n)
		f.read(aurora, confA) // the same again
		f.read(aurora, confC)
		f.standsOpen(n)
		f.end(n, ending(store.Unknown))
		f.standsOpen(n)
		f.must(f.Settle(ctx(t), mei, n, store.Settlement{Settled: store.NotApplied, Found: &confC}))
		f.standsOpen(0)
		if _, _, err := f.AppWithOpen(ctx(t), 1); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an app that is not there: %v", err)
		}
	})
}

// standsOpen checks which change of an app is open.
func (f fixture) standsOpen(want int64) {
	f.t.Helper()
	_, open, err := f.AppWithOpen(ctx(f.t), aurora)
	f.must(err)
	same(f.t, "the open change", want, open)
}

func TestIntent(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		p := f.plan("p", confB)
		f.later(minute)
		n := f.open(p, 4294967295)
		same(t, "the row", store.Change{Number: n, Kind: store.KindChange, SDKAppID: aurora, App: "Aurora", Environment: store.Production, Region: "singapore", Host: "h.example", Call: "update_callback",
			Attempt: ptr[int64](4294967295), Plan: "p", Outcome: store.Pending, Actor: mei, Reason: "because", Summary: `{"url":true}`, Previous: confA.Digest(), Wanted: confB.Digest(), StartedAt: start + minute}, f.change(n), byTheDatabase)
		e, err := f.WholeEntry(ctx(t), n)
		f.must(err)
		same(t, "steps", []store.Step{{At: start - 5, Name: store.StepOpened}, {At: start, Name: store.StepPlanned}, {At: start + minute, Name: store.StepIntent}}, e.Steps)
		if _, err := storetest.Exchange(ctx(t), f.Store, n); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an exchange before the call: %v", err)
		}
		again, made, err := f.OpenChange(ctx(t), mei, intent(p, 5))
		if again != n || made || err != nil {
			t.Errorf("posted again: %d, %v, %v", again, made, err)
		}
		// Renaming the app leaves the history as it was.
		f.must(f.UpdateApp(ctx(t), mei, 1, settings(aurora, "Renamed")))
		same(t, "the app's name in the entry", "Aurora", f.change(n).App)

		var open *store.OpenChangeError
		if n2, made, err := f.OpenChange(ctx(t), mei, intent(f.plan("p2", confC), 6)); !errors.As(err, &open) || open.Number != n || n2 != 0 || made {
			t.Errorf("a second open change: %d, %v, %v", n2, made, err)
		}
		f.end(n, ending(store.Refused))
		if _, _, err := f.OpenChange(ctx(t), mei, intent(f.plan("p3", confC), 4294967295)); !store.IsAttemptTaken(err) {
			t.Errorf("an attempt id a second time: %v", err)
		}
		f.must(f.AddApp(ctx(t), mei, settings(borea, "Borea")))
		f.open(f.planFor(borea, "b", confC), 4294967295)
		if _, _, err := f.OpenChange(ctx(t), mei, intent(newPlan(5, "none"), 1)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a change of no app: %v", err)
		}
		f.intact()
	})
}

func TestOnePlanOneChange(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		p := f.plan("p", confB)
		numbers, makers := make([]int64, 50), make([]bool, 50)
		f.must(errors.Join(together(50, func(i int) (err error) {
			numbers[i], makers[i], err = f.OpenChange(ctx(t), mei, intent(p, uint32(i)))
			return err
		})...))
		slices.Sort(numbers)
		if numbers[0] != numbers[49] || numbers[0] == 0 {
			t.Errorf("the plan's changes: %v", numbers)
		}
		same(t, "makers", 1, len(slices.DeleteFunc(makers, func(made bool) bool { return !made })))
		same(t, "rows", int64(1), f.number(`SELECT COUNT(*) FROM changes`))
	})
}

func TestOneOpenChangePerApp(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		var plans []store.Plan
		for i := range 20 {
			plans = append(plans, f.plan(fmt.Sprintf("p%d", i), confB))
		}
		made := 0
		for _, err := range together(20, func(i int) error { return one2(f.OpenChange(ctx(t), mei, intent(plans[i], uint32(i)))) }) {
			var open *store.OpenChangeError
			if err == nil {
				made++
			} else if !errors.As(err, &open) || open.Number != f.newest() {
				t.Errorf("a plan that lost: %v", err)
			}
		}
		same(t, "made", 1, made)
		same(t, "rows", int64(1), f.number(`SELECT COUNT(*) FROM changes`))
	})
}

func one2[A, B any](_ A, _ B, err error) error { return err }

func TestMaySend(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		n := f.opened(confB) // its lease is a minute
		may := func(what string, deadline time.Duration, want bool) {
			got, err := f.MaySend(ctx(t), n, deadline)
			f.must(err)
			same(t, what, want, got)
		}
		f.later(1000 * minute) // the made-up clock has no say
		may("young", 10*time.Second, true)
		may("a call longer than the lease", 61*time.Second, false)
		f.exec(`UPDATE changes SET lease_until = lease_until - 55000`)
		may("too old for the call", 10*time.Second, false)
		may("not too old for a short call", time.Second, true)
		f.end(n, ending(store.NotSent))
		may("ended", time.Second, false)
		n = 99
		may("no change", time.Second, false)
	})
}

func TestCloseChange(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		base := empty(t, db)
		for _, outcome := range []string{store.Applied, store.Refused, store.Unknown, store.NotSent} {
			f := base.anew(t)
			n := f.opened(confB)
			want := f.change(n)
			f.later(minute)
			e := ending(outcome)
			e.Cause, e.Found = "cause", &confC
			f.end(n, e)
			want.Outcome, want.Cause, want.EndedAt, want.Found = outcome, "cause", start+minute, confC.Digest()
			if r := e.Reply; r != nil {
				want.DurationMS, want.HTTPStatus, want.ActionStatus, want.ErrorCode, want.ErrorInfo, want.RequestID, want.ClockAheadMS = &r.DurationMS, r.HTTPStatus, r.ActionStatus, r.ErrorCode, r.ErrorInfo, r.RequestID, r.ClockAheadMS
			}
			got := f.change(n)
			same(t, outcome, want, got, byTheDatabase)
			same(t, outcome+": open", outcome == store.Unknown, got.Open())
			same(t, outcome+": to be looked at", outcome == store.Unknown || outcome == store.Applied, got.NextCheckAt != 0)
			a := f.app(aurora)
			record, number := confA.Digest(), int64(0)
			if outcome == store.Applied {
				record, number = confB.Digest(), n
			}
			same(t, outcome+": our record", []any{record, number}, []any{a.Record, a.RecordNumber})
			x, err := storetest.Exchange(ctx(t), f.Store, n)
			if e.Reply == nil {
				same(t, outcome+": steps", "form_opened plan_made intent not_sent", f.steps(n))
				if !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: an exchange: %v", outcome, err)
				}
			} else {
				f.must(err)
				same(t, outcome+": exchange", store.Exchange{Request: []byte("request"), Answer: []byte("answer"), AnswerSize: 70000, AnswerCut: true}, x)
				same(t, outcome+": steps", "form_opened plan_made intent sent answered", f.steps(n))
			}
			// A commit whose answer was lost is repeated, with the same ending or another.
			before := f.dump()
			for _, other := range []string{outcome, store.Applied, store.NotSent} {
				f.end(n, ending(other))
				same(t, outcome+": every row after a repetition", before, f.dump())
			}
			if err := f.LeaseOver(ctx(t), store.Console, n, time.Minute); !errors.Is(err, store.ErrMoved) {
				t.Errorf("%s: left over after its end: %v", outcome, err)
			}
			f.intact()
		}
		f := base.anew(t)
		if err := f.CloseChange(ctx(t), mei, 99, ending(store.Applied)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("closing no change: %v", err)
		}
	})
}

func TestAnyAnswerCanBeStored(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		n := f.opened(confB)
		odd := ""
		for range 3000 {
			odd += "\x00€\xff"
		}
		e := store.Ending{Outcome: store.Unknown, Found: ptr(store.NewConfiguration(odd, []string{odd})), Steps: []store.Step{{Name: store.StepAnswered, Detail: odd}},
			Reply: &store.Reply{Call: "update_callback", ActionStatus: odd, ErrorInfo: odd, RequestID: odd, Request: []byte(odd), Answer: []byte(odd)}}
		f.end(n, e)
		c := f.change(n)
		same(t, "texts", []string{store.Text(odd, 64), store.Text(odd, 8<<10), store.Text(odd, 256)}, []string{c.ActionStatus, c.ErrorInfo, c.RequestID})
		x, err := storetest.Exchange(ctx(t), f.Store, n)
		f.must(err)
		same(t, "answer", store.Exchange{Request: []byte(odd), Answer: []byte(odd)}, x)
		list, err := f.History(ctx(t), store.Filter{RequestID: odd[:50], Limit: 5})
		f.must(err)
		same(t, "found by its odd RequestId", 1, len(list))
	})
}

func TestLateWriter(t *testing.T) {
	// The row was left over; then, before its writer comes back, it is settled or not.
	tests := []struct{ settled, outcome, want string }{
		{"", store.Applied, store.Applied}, {"", store.Refused, store.NotApplied}, {"", store.NotSent, store.NotApplied}, {"", store.Unknown, ""},
	}
	for _, settled := range []string{store.Applied, store.NotApplied, store.Overtaken} {
		for _, outcome := range []string{store.Applied, store.Refused, store.NotSent, store.Unknown} {
			tests = append(tests, struct{ settled, outcome, want string }{settled, outcome, settled})
		}
	}
	both(t, func(t *testing.T, db storetest.Database) {
		base := empty(t, db)
		for _, test := range tests {
			f := base.anew(t)
			n := f.leftOver(confB)
			if test.settled != "" {
				f.must(f.Settle(ctx(t), mei, n, store.Settlement{Settled: test.settled, Found: &confC}))
			}
			f.exec(`UPDATE changes SET grace_until = grace_until - 3600000`)
			rows, steps, old := f.audited(), f.steps(n), f.change(n)
			f.later(minute)
			e := ending(test.outcome)
			for range 2 {
				f.end(n, e)
			}
			name, c := test.settled+" "+test.outcome, f.change(n)
			same(t, name, []any{store.Unknown, store.CauseLeftOver, test.want, test.want == ""}, []any{c.Outcome, c.Cause, c.Settled, c.Open()})
			act, lateSteps := "change.late", " sent answered late_reply"
			if test.outcome == store.NotSent {
				lateSteps = " not_sent late_reply"
			}
			if test.settled == "" && test.want != "" {
				act, lateSteps = "change.settled", lateSteps+" settled"
				same(t, name+": settled at", int64(start+minute), c.SettledAt)
			} else {
				same(t, name+": settled at", old.SettledAt, c.SettledAt)
			}
			same(t, name+": audit", []string{act}, f.acts(rows))
			same(t, name+": steps", steps+lateSteps, f.steps(n))
			if e.Reply != nil {
				same(t, name+": RequestId", e.Reply.RequestID, c.RequestID)
				f.must(one(storetest.Exchange(ctx(t), f.Store, n)))
			}
			record := confA.Digest()
			if test.want == store.Applied {
				record = confB.Digest()
			}
			same(t, name+": our record", record, f.app(aurora).Record)
			over, err := f.GraceOver(ctx(t), n)
			f.must(err)
			same(t, name+": the grace begins anew with the end of the call", test.want != "", over)
			f.intact()
		}
	})
}

func TestLeaseOver(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		n := f.opened(confB)
		before := f.dump()
		if err := f.LeaseOver(ctx(t), store.Console, n, time.Minute); !errors.Is(err, store.ErrMoved) {
			t.Errorf("left over before its lease passed: %v", err)
		}
		same(t, "every row", before, f.dump())
		want := f.change(n)
		f.leaseEnds(n)
		f.later(minute)
		f.must(f.LeaseOver(ctx(t), store.Console, n, time.Minute))
		want.Outcome, want.Cause, want.EndedAt = store.Unknown, store.CauseLeftOver, start+minute
		same(t, "left over", want, f.change(n), byTheDatabase)
		over, err := f.GraceOver(ctx(t), n)
		f.must(err)
		same(t, "grace counts from the lease, long ago", true, over)
		if err := f.LeaseOver(ctx(t), store.Console, n, time.Minute); !errors.Is(err, store.ErrMoved) {
			t.Errorf("left over twice: %v", err)
		}
	})
}

func TestGraceOver(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		n := f.unknown(confB) // with a minute's grace
		over, err := f.GraceOver(ctx(t), n)
		f.must(err)
		same(t, "at once", false, over)
		f.exec(`UPDATE changes SET grace_until = grace_until - 60000`)
		over, err = f.GraceOver(ctx(t), n)
		f.must(err)
		same(t, "after a minute", true, over)
	})
}

func TestSettle(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		base := empty(t, db)
		for _, settled := range []string{store.Applied, store.NotApplied, store.Overtaken} {
			for _, found := range []*store.Configuration{nil, &confC} {
				f := base.anew(t)
				n := f.opened(confB)
				how := store.Settlement{Settled: settled, Found: found}
				if err := f.Settle(ctx(t), mei, n, how); !errors.Is(err, store.ErrMoved) {
					t.Errorf("a pending change was settled: %v", err)
				}
				f.end(n, ending(store.Unknown))
				want := f.change(n)
				f.later(minute)
				f.must(f.Settle(ctx(t), mei, n, how))
				want.Settled, want.SettledAt = settled, start+minute
				if found != nil {
					want.ReadBack, want.ReadBackAt = confC.Digest(), start+minute
				}
				got := f.change(n)
				same(t, settled, want, got, byTheDatabase)
				same(t, settled+": a look is asked for", found == nil, got.NextCheckAt != 0)
				record := confA.Digest()
				if settled == store.Applied {
					record = confB.Digest()
				}
				same(t, settled+": our record", record, f.app(aurora).Record)
				before := f.dump()
				for _, other := range []string{store.Applied, store.NotApplied, store.Overtaken} {
					if err := f.Settle(ctx(t), mei, n, store.Settlement{Settled: other}); !errors.Is(err, store.ErrMoved) {
						t.Errorf("settled twice: %v", err)
					}
				}
				same(t, "every row", before, f.dump())
			}
		}
	})
}

func TestClaimDueGivesEachRowOnce(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		var due []int64
		for i := range int64(12) {
			f.must(f.AddApp(ctx(t), mei, settings(i+1, "App")))
			f.read(i+1, confA)
			n := f.open(f.planFor(i+1, fmt.Sprint(i), confB), 1)
			if i%3 != 0 { // the others wait for their lease
				f.end(n, ending(store.Unknown))
				due = append(due, n)
			}
		}
		var lock sync.Mutex
		var got []int64
		claim := func(int) error {
			for {
				c, err := f.ClaimDue(ctx(t))
				if errors.Is(err, store.ErrNotFound) {
					return nil
				}
				if err != nil {
					return err
				}
				lock.Lock()
				got = append(got, c.Number)
				lock.Unlock()
			}
		}
		// Several rounds, as two claimers do not meet at a row each time.
		for range 8 {
			got = nil
			f.exec(`UPDATE changes SET next_check_at = checks_since - number WHERE outcome = 'unknown'`)
			f.must(errors.Join(together(8, claim)...))
			f.must(claim(0))
			slices.Sort(got)
			same(t, "claimed", due, got)
		}
	})
}

func TestLooksAtAChange(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		n := f.unknown(confB)
		wait := func() int64 {
			return f.number(`SELECT next_check_at - (SELECT checks_since FROM changes WHERE number = $1) FROM changes WHERE number = $1`, n)
		}
		c, err := f.Claim(ctx(t), n)
		f.must(err)
		same(t, "claimed", n, c.Number)
		if wait() < 5000 || wait() > 65000 {
			t.Errorf("the next look is %d ms after the end", wait())
		}
		f.exec(`UPDATE changes SET checks_since = checks_since - 61000`)
		f.must(one(f.Claim(ctx(t), n)))
		if wait() < 121000 {
			t.Errorf("after a minute the next look is %d ms after the end", wait())
		}
		f.later(minute)
		want := f.change(n)
		for i := range int64(2) {
			f.must(f.Postpone(ctx(t), n, ptr(60008+i), "timeout", true))
			want.Checks, want.CheckedAt, want.CheckCode, want.CheckFault = i+1, start+minute, ptr(60008+i), "timeout"
			same(t, "an open change is looked at again", want, f.change(n))
		}
		if err := f.KeepReadBack(ctx(t), store.Console, n, confC); !errors.Is(err, store.ErrMoved) {
			t.Errorf("a read-back of an open change: %v", err)
		}
		f.must(f.Settle(ctx(t), mei, n, store.Settlement{Settled: store.Overtaken}))
		f.must(f.Postpone(ctx(t), n, nil, "", false))
		if c := f.change(n); c.NextCheckAt == 0 || c.CheckCode != nil {
			t.Errorf("not the last look: %+v", c)
		}
		f.must(f.Postpone(ctx(t), n, nil, "", true))
		same(t, "the last look", int64(0), f.change(n).NextCheckAt)
		if _, err := f.Claim(ctx(t), n); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("claimed after the last look: %v", err)
		}
		applied := f.applied(confB)
		want = f.change(applied)
		f.must(f.KeepReadBack(ctx(t), store.Console, applied, confC))
		want.ReadBack, want.ReadBackAt, want.NextCheckAt = confC.Digest(), start+minute, 0
		same(t, "read back", want, f.change(applied))
	})
}
