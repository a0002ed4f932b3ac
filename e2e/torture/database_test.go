package torture_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

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
