package torture_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"callboard/sandbox"
	"callboard/store"
)

// hangs is how long an answer may take before it counts as none. The database has six seconds, Tencent's part of a post five.
const hangs = 9 * time.Second

// lockWriters has another process hold what every write needs. free lets it go.
func (r *rig) lockWriters() (free func()) {
	r.t.Helper()
	driver, address, lock := "sqlite", "file:"+r.addr, "BEGIN IMMEDIATE"
	if r.db == "postgres" {
		driver, address, lock = "pgx", r.addr, "BEGIN; LOCK TABLE audit_head, sessions, meta IN SHARE MODE"
	}
	pool, err := sql.Open(driver, address)
	must(r.t, err)
	other, err := pool.Conn(r.t.Context())
	must(r.t, err)
	_, err = other.ExecContext(r.t.Context(), `UPDATE sessions SET used_at = used_at - 120000`) // their last use is to be written
	must(r.t, err)
	_, err = other.ExecContext(r.t.Context(), lock)
	must(r.t, err)
	return func() {
		_, err := other.ExecContext(r.t.Context(), "ROLLBACK")
		must(r.t, err)
		must(r.t, other.Close())
		must(r.t, pool.Close())
	}
}

// TestDatabaseLocked has another process hold the lock that every write needs for longer than a write waits.
func TestDatabaseLocked(t *testing.T) {
	onBoth(t, 3, func(r *rig) {
		r.client.Timeout = hangs
		p := r.start("")
		r.signIn(p)
		done := r.mustApply(p, r.mustPlan(p, r.apps[0]))
		r.withStore(func(s *store.Store) { r.settle(p, s) })
		o, draft := r.mustPlan(p, r.apps[1]), r.mustPlan(p, r.apps[2])
		free := r.lockWriters()
		r.unwritable(p, o, draft)
		for _, path := range []string{"/apps", "/history", fmt.Sprintf("/changes/%d", done), fmt.Sprintf("/apps/%d/callback", r.apps[1]), "/healthz"} {
			r.pageSays(p, path, http.StatusOK, "")
		}
		r.pageSays(p, "/readyz", http.StatusServiceUnavailable, "")
		free()
		r.recovers(p, o)
	})
}

// TestDatabaseSilent has a PostgreSQL server take every statement and answer none, as a frozen machine does.
func TestDatabaseSilent(t *testing.T) {
	r, p, between := throughServer(t)
	r.client.Timeout = hangs
	done := r.mustApply(p, r.mustPlan(p, r.apps[0]))
	r.withStore(func(s *store.Store) { r.settle(p, s) })
	o, draft := r.mustPlan(p, r.apps[1]), r.mustPlan(p, r.apps[2])

	between.silent()
	r.unwritable(p, o, draft)
	for _, path := range []string{"/apps", fmt.Sprintf("/changes/%d", done), "/readyz"} {
		r.pageSays(p, path, http.StatusServiceUnavailable, "")
	}
	r.pageSays(p, "/healthz", http.StatusOK, "")
	between.speak()
	r.recovers(p, o)
}

// throughServer starts a program whose PostgreSQL server stands behind another one, and signs in. The test itself goes there directly.
func throughServer(t *testing.T) (*rig, *process, *server) {
	t.Helper()
	r := newRig(t, "postgres", 3)
	direct := r.addr
	u, err := url.Parse(direct)
	must(t, err)
	between := newServer(t, u.Host)
	u.Host = between.address
	r.addr = u.String()
	p := r.start("")
	r.addr = direct
	r.signIn(p)
	return r, p, between
}

// TestDiskFullMeanwhile lets the disk be full when an answer of Tencent is to be written down, which is done once there is room.
func TestDiskFullMeanwhile(t *testing.T) {
	run(newRig(t, "sqlite", 1), func(r *rig) {
		r.client.Timeout = hangs
		p := r.start("", "--lease=20s")
		r.signIn(p)
		o := r.mustPlan(p, r.apps[0])
		r.box.Script(sandbox.Fault{Command: "update_callback", Gate: "full"})
		number := make(chan int64, 1)
		go func() {
			n, _, err := r.apply(p, o)
			if err != nil {
				t.Error(err)
			}
			number <- n
		}()
		must(t, r.box.AwaitGate(t.Context(), "full", 1))
		p.limitFiles("0")
		r.box.Release("full")
		n := <-number
		r.outcome(n, store.Pending)
		r.pageSays(p, fmt.Sprintf("/changes/%d", n), http.StatusOK, "")
		p.limitFiles("unlimited")
		r.withStore(func(s *store.Store) {
			r.until("the outcome to be written", 100*time.Millisecond, func() bool { return len(r.open(s)) == 0 })
		})
		r.outcome(n, store.Applied)
		p.stop()
	})
}

// TestTwoProcesses posts the same plans to two programs on one database at once, kills one in the middle of its calls, and
// has the other settle what that leaves.
func TestTwoProcesses(t *testing.T) {
	run(newRig(t, "postgres", 6), func(r *rig) {
		r.client.Timeout = hangs
		one, two := r.start(""), r.start("")
		r.signIn(one)
		var orders []order
		for i, app := range r.apps {
			orders = append(orders, r.mustPlan([]*process{one, two}[i%2], app))
		}
		r.box.Script(sandbox.Fault{Command: "update_callback", Gate: "both", Times: len(orders)})
		var posts sync.WaitGroup
		landed := make([][2]int64, len(orders))
		for i, o := range orders {
			for j, p := range []*process{one, two} {
				posts.Go(func() {
					n, got, err := r.apply(p, o)
					if err == nil && n == 0 {
						t.Errorf("app %d: answered with %d", o.app, got.status)
					}
					if landed[i][j] = n; err != nil && p == two {
						t.Error(err)
					}
				})
			}
		}
		must(t, r.box.AwaitGate(t.Context(), "both", len(orders)))
		one.kill()
		r.box.Release("both")
		posts.Wait()
		for i, pair := range landed {
			if pair[1] == 0 || (pair[0] != 0 && pair[0] != pair[1]) {
				t.Errorf("app %d: the posts landed on the changes %v", r.apps[i], pair)
			}
		}
		r.withStore(func(s *store.Store) {
			r.until("the other program to settle everything", 100*time.Millisecond, func() bool { return len(r.open(s)) == 0 })
		})
		for _, app := range r.apps {
			if n := r.writes(app); n != 1 {
				t.Errorf("app %d was written %d times", app, n)
			}
		}
		two.stop()
	})
}
