package torture_test

import (
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"callboard/changes"
	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
)

// freezes is how often a process may be too slow to freeze before it has sent: SIGSTOP stops a process a moment after it
// was sent, in which other threads go on.
const freezes = 10

// TestFrozen freezes a program between intent and outcome for longer than its lease, has a second one on the same database
// settle the change, and wakes it again.
func TestFrozen(t *testing.T) {
	for _, c := range []struct {
		point   string // "" freezes it from outside while it reads what the cloud holds
		sent    int    // calls before the freeze
		settled string
	}{
		{"", 0, store.NotApplied},
		{changes.PointIntentCommitted, 0, store.NotApplied},
		{changes.PointBeforeDial, 0, store.NotApplied},
		{changes.PointAnswered, 1, store.Applied},
	} {
		t.Run(c.point, func(t *testing.T) {
			r := newRig(t, "postgres", freezes)
			other := r.start("")
			r.signIn(other)
			r.withStore(func(s *store.Store) {
				app := slices.IndexFunc(r.apps, func(app int64) bool { return r.freeze(s, other, app, c.point, c.sent, c.settled) })
				if app < 0 {
					t.Errorf("none of %d programs froze in time", freezes)
				}
				r.check(s)
			})
			other.stop()
		})
	}
}

// freeze lets one program sleep and tells whether it fell asleep in time.
func (r *rig) freeze(s *store.Store, other *process, app int64, point string, sent int, settled string) bool {
	r.t.Helper()
	fault := ""
	if point != "" {
		fault = point + ":1:stop"
	}
	sleeper := r.start(fault)
	order := r.mustPlan(sleeper, app)
	gate := fmt.Sprintf("read-%d", app)
	if point == "" {
		r.box.Script(sandbox.Fault{SDKAppID: app, Command: "get_callback", Gate: gate})
	}
	answered := make(chan error, 1)
	go func() {
		_, _, err := r.apply(sleeper, order)
		answered <- err
	}()
	if point == "" {
		must(r.t, r.box.AwaitGate(r.t.Context(), gate, 1))
		sleeper.signal(syscall.SIGSTOP)
	}
	r.until("the program to freeze", time.Millisecond, sleeper.frozen)
	r.box.Release(gate)

	var change store.Change
	r.until("the other program to settle the change", 100*time.Millisecond, func() bool {
		list, err := s.History(r.t.Context(), store.Filter{SDKAppID: app, Kind: store.KindChange, Limit: 1})
		must(r.t, err)
		if len(list) == 0 || !list[0].Open() {
			change = append(list, store.Change{})[0]
			return len(list) > 0
		}
		if list[0].Outcome == store.Unknown {
			r.checkNow(other, list[0].Number)
		}
		return false
	})
	before := r.writes(app)
	sleeper.signal(syscall.SIGCONT)
	r.until("the sleeper's own ending", 10*time.Millisecond, func() bool {
		e, err := s.WholeEntry(r.t.Context(), change.Number)
		must(r.t, err)
		return slices.ContainsFunc(e.Steps, func(st store.Step) bool { return st.Name == store.StepLate })
	})
	must(r.t, <-answered)
	sleeper.stop()

	if after := r.writes(app); after != before {
		r.t.Errorf("frozen at %q, it sent %d calls when it woke up", point, after-before)
	}
	after, err := s.Change(r.t.Context(), change.Number)
	must(r.t, err)
	if after.Settled != change.Settled || after.Outcome != change.Outcome || after.SettledAt != change.SettledAt || after.Cause != store.CauseLeftOver {
		r.t.Errorf("frozen at %q, the change was %s, %s and is %s, %s by %s", point, change.Outcome, change.Settled, after.Outcome, after.Settled, after.Cause)
	}
	if before != sent {
		return false
	}
	if change.Settled != settled {
		r.t.Errorf("frozen at %q, the change was settled as %s, want %s", point, change.Settled, settled)
	}
	return true
}

// TestFrozenInItsIntent freezes a program in the middle of a transaction, which holds rows that the others need. The
// database ends that transaction, the others go on, and the sleeper has done nothing when it wakes up.
func TestFrozenInItsIntent(t *testing.T) {
	r := newRig(t, "postgres", 1)
	other, sleeper := r.start(""), r.start(store.PointIntentInserted+":1:stop")
	r.signIn(other)
	app := r.apps[0]
	slept := r.mustPlan(sleeper, app)
	answered := make(chan int, 1)
	go func() {
		_, got, err := r.apply(sleeper, slept)
		if err != nil {
			got.status = 0
		}
		answered <- got.status
	}()
	r.until("the program to freeze", time.Millisecond, sleeper.frozen)

	order := r.mustPlan(other, app)
	var number int64
	r.until("the other program to change the app", 100*time.Millisecond, func() bool {
		n, _, err := r.apply(other, order)
		number = n
		return err == nil && number != 0
	})
	sleeper.signal(syscall.SIGCONT)
	if status := <-answered; status != http.StatusServiceUnavailable {
		t.Errorf("what the sleeper was asked was answered with %d", status)
	}
	sleeper.stop()
	r.withStore(func(s *store.Store) {
		list := storetest.Changes(t, s)
		if len(list) != 1 || list[0].Number != number || list[0].State() != store.Applied || r.writes(app) != 1 {
			t.Errorf("%d calls, entries %+v", r.writes(app), list)
		}
		r.check(s)
	})
	other.stop()
}
