package torture_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"callboard/sandbox"
	"callboard/store"
)

// looksMeanwhile is how often pages are opened while a program that woke up comes to its end.
const looksMeanwhile = 50

// TestFrozenWithAnOldAnswer freezes a program while it waits for what the cloud holds, with the change claimed, for longer than
// its lease. Another program settles the change and applies the next one. Awake again, the first holds an answer of long ago:
// it settles nothing, sends nothing, and takes nothing old for what the cloud holds now.
func TestFrozenWithAnOldAnswer(t *testing.T) {
	t.Parallel()
	run(newRig(t, "postgres", 1), func(r *rig) {
		app := r.apps[0]
		sleeper := r.start("")
		r.signIn(sleeper)
		o := r.mustPlan(sleeper, app)
		r.box.Script(sandbox.Fault{SDKAppID: app, Command: "update_callback", Drop: "before"})
		r.box.Script(sandbox.Fault{SDKAppID: app, Command: "get_callback"}) // the comparison
		r.box.Script(sandbox.Fault{SDKAppID: app, Command: "get_callback", Gate: "back"})
		lost := r.mustApply(sleeper, o)
		must(t, r.box.AwaitGate(t.Context(), "back", 1))
		sleeper.signal(syscall.SIGSTOP)
		r.until("the program to freeze", time.Millisecond, sleeper.frozen)
		r.box.Release("back")

		other := r.start("")
		r.withStore(func(s *store.Store) {
			r.settle(other, s)
			next := r.mustApply(other, r.mustPlan(other, app))
			r.until("the next change to be read back", 50*time.Millisecond, func() bool {
				c, err := s.Change(t.Context(), next)
				must(t, err)
				return c.ReadBack != ""
			})
			before := r.standing(s, app, lost, next)
			sleeper.signal(syscall.SIGCONT)
			for range looksMeanwhile {
				r.pageSays(sleeper, fmt.Sprintf("/changes/%d", lost), http.StatusOK, "The cloud still holds what was there before")
			}
			sleeper.stop()
			if diff := cmp.Diff(before, r.standing(s, app, lost, next)); diff != "" {
				t.Errorf("what was, and what is since the sleeper woke up (-was +is):\n%s", diff)
			}
		})
		r.pageSays(other, fmt.Sprintf("/apps/%d/callback", app), http.StatusOK, "In step")
		if n := r.writes(app); n != 2 {
			t.Errorf("the app was written %d times, want 2: one that was lost and the next", n)
		}
		other.stop()
	})
}

// standing says what was read of an app, and how its changes stand.
func (r *rig) standing(s *store.Store, app int64, numbers ...int64) []string {
	r.t.Helper()
	var list []string
	pool, err := sql.Open("pgx", r.addr)
	must(r.t, err)
	defer pool.Close()
	rows, err := pool.QueryContext(r.t.Context(), `SELECT digest FROM readings WHERE sdkappid = $1 ORDER BY id`, app)
	must(r.t, err)
	defer rows.Close()
	for rows.Next() {
		var digest string
		must(r.t, rows.Scan(&digest))
		list = append(list, "read "+digest)
	}
	must(r.t, rows.Err())
	for _, n := range numbers {
		c, err := s.WholeEntry(r.t.Context(), n)
		must(r.t, err)
		list = append(list, fmt.Sprint(n, c.Outcome, c.Settled, c.SettledAt, c.Cause, c.ReadBack, c.ReadBackAt))
		for _, st := range c.Steps {
			list = append(list, fmt.Sprint(n, st.At, st.Name, st.Detail))
		}
	}
	entries, err := s.History(r.t.Context(), store.Filter{SDKAppID: app, Limit: 10})
	must(r.t, err)
	for _, c := range entries {
		list = append(list, fmt.Sprint(c.Number, c.Kind, c.Outcome, c.Settled))
	}
	return list
}
