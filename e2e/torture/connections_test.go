package torture_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"callboard/sandbox"
	"callboard/store"
)

// inTime is how long any answer may take that says that the database cannot be used.
const inTime = 6 * time.Second

// places is how many connections the server has for the role of the program.
const places = 4

// role is one at the PostgreSQL server that is no superuser, so that its connections can be counted.
type role struct {
	r       *rig
	admin   *sql.DB
	name    string
	address string // of the database as this role sees it
}

func newRole(r *rig) *role {
	r.t.Helper()
	admin, err := sql.Open("pgx", r.addr)
	must(r.t, err)
	u, err := url.Parse(r.addr)
	must(r.t, err)
	schema := u.Query().Get("search_path")
	o := &role{r: r, admin: admin, name: "role_of_" + schema}
	u.User = url.UserPassword(o.name, password)
	o.address = u.String()
	o.exec("CREATE ROLE " + o.name + " LOGIN PASSWORD '" + password + "'")
	r.t.Cleanup(func() {
		_, err := admin.ExecContext(context.Background(), "DROP OWNED BY "+o.name+"; DROP ROLE "+o.name)
		if err := errors.Join(err, admin.Close()); err != nil {
			r.t.Error(err)
		}
	})
	o.exec("GRANT ALL ON SCHEMA " + schema + " TO " + o.name)
	o.exec("GRANT ALL ON ALL TABLES IN SCHEMA " + schema + " TO " + o.name)
	o.exec("GRANT ALL ON ALL SEQUENCES IN SCHEMA " + schema + " TO " + o.name)
	return o
}

func (o *role) exec(statement string) {
	o.r.t.Helper()
	_, err := o.admin.ExecContext(o.r.t.Context(), statement)
	must(o.r.t, err)
}

// connect opens a connection beside the program, and gives the number of its backend.
func (o *role) connect() (c *sql.DB, backend int, err error) {
	if c, err = sql.Open("pgx", o.address); err != nil {
		return nil, 0, err
	}
	c.SetMaxOpenConns(1)
	if err := c.QueryRowContext(o.r.t.Context(), "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return nil, 0, errors.Join(err, c.Close())
	}
	return c, backend, nil
}

// takeAll has others hold every connection that the server has for the role; the program loses those that it had. free
// ends that.
func (o *role) takeAll() (free func()) {
	o.r.t.Helper()
	var others []*sql.DB
	var theirs []int
	for range places {
		c, backend, err := o.connect()
		must(o.r.t, err)
		others, theirs = append(others, c), append(theirs, backend)
	}
	o.exec(fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT %d", o.name, places))
	o.r.until("the program's connections to end", 10*time.Millisecond, func() bool {
		rows, err := o.admin.QueryContext(o.r.t.Context(), "SELECT pid FROM pg_stat_activity WHERE usename = $1", o.name)
		must(o.r.t, err)
		defer rows.Close()
		var left []int
		for rows.Next() {
			var pid int
			must(o.r.t, rows.Scan(&pid))
			if !slices.Contains(theirs, pid) {
				left = append(left, pid)
			}
		}
		must(o.r.t, rows.Err())
		for _, pid := range left {
			o.exec(fmt.Sprintf("SELECT pg_terminate_backend(%d)", pid))
		}
		return len(left) == 0
	})
	var refused *pgconn.PgError
	if _, _, err := o.connect(); !errors.As(err, &refused) || refused.Code != "53300" {
		o.r.t.Fatalf("the server has room all the same: %v", err)
	}
	return func() {
		for _, c := range others {
			must(o.r.t, c.Close())
		}
	}
}

// TestNoConnectionLeft has others take every connection that a PostgreSQL server has, while one call to Tencent is under
// way. Who begins something is told in time, the answer of that call is written down once there is room, and few
// connections are enough to go on.
func TestNoConnectionLeft(t *testing.T) {
	r := newRig(t, "postgres", 4)
	role, direct := newRole(r), r.addr
	r.addr = role.address
	p := r.start("", "--lease=20s")
	r.addr = direct
	r.signIn(p)
	done := r.mustApply(p, r.mustPlan(p, r.apps[0]))
	r.withStore(func(s *store.Store) { r.settle(p, s) })
	o, draft, underWay := r.mustPlan(p, r.apps[1]), r.mustPlan(p, r.apps[2]), r.mustPlan(p, r.apps[3])
	r.box.Script(sandbox.Fault{SDKAppID: underWay.app, Command: "update_callback", Gate: "taken"})
	number := make(chan int64, 1)
	go func() {
		n, _, err := r.apply(p, underWay)
		if err != nil {
			t.Error(err)
		}
		number <- n
	}()
	must(t, r.box.AwaitGate(t.Context(), "taken", 1))

	free := role.takeAll()
	r.client.Timeout = inTime
	r.box.Release("taken")
	asked := r.proxy.asked()
	r.unwritable(p, o, draft)
	for _, path := range []string{"/apps", "/history", fmt.Sprintf("/changes/%d", done), fmt.Sprintf("/apps/%d/callback", o.app)} {
		r.pageSays(p, path, http.StatusServiceUnavailable, "database does not answer")
	}
	r.pageSays(p, "/readyz", http.StatusServiceUnavailable, "")
	r.pageSays(p, "/healthz", http.StatusOK, "")
	if n := r.proxy.asked() - asked; n != 0 {
		t.Errorf("%d calls were made for what could not be written down", n)
	}
	n := <-number
	r.outcome(n, store.Pending)
	free()
	r.withStore(func(s *store.Store) {
		r.until("the outcome to be written", 100*time.Millisecond, func() bool { return len(r.open(s)) == 0 })
	})
	r.outcome(n, store.Applied)
	r.recovers(p, o)
}
