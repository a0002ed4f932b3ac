package torture_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
)

// tenant is a database of its own with an owner of its own on the PostgreSQL server, so that a test can have the server turn
// them away without turning anybody else away.
type tenant struct {
	t       *testing.T
	admin   *sql.DB
	name    string // of both
	address string
}

func newTenant(t *testing.T) *tenant {
	t.Helper()
	server := os.Getenv(storetest.PostgresVariable)
	if server == "" {
		t.Fatalf("this test needs a PostgreSQL server: run `make test`, or set %s to the address of one", storetest.PostgresVariable)
	}
	u, err := url.Parse(server)
	must(t, err)
	admin, err := sql.Open("pgx", server)
	must(t, err)
	n := &tenant{t: t, admin: admin, name: "test_" + strings.ToLower(rand.Text())}
	key := rand.Text()
	n.order("CREATE ROLE %s LOGIN PASSWORD '" + key + "'")
	n.order("CREATE DATABASE %[1]s OWNER %[1]s")
	t.Cleanup(func() {
		n.order("DROP DATABASE %s WITH (FORCE)")
		n.order("DROP ROLE %s")
		must(t, admin.Close())
	})
	u.User, u.Path = url.UserPassword(n.name, key), "/"+n.name
	n.address = u.String()
	return n
}

// order has the server do something with the tenant, whose name stands for %s.
func (n *tenant) order(statement string) {
	n.t.Helper()
	if _, err := n.admin.ExecContext(context.Background(), fmt.Sprintf(statement, n.name)); err != nil {
		n.t.Errorf("%s: %v", statement, err)
	}
}

// hangUp ends the connections that the tenant has, and returns when the server is rid of them.
func (n *tenant) hangUp() {
	n.t.Helper()
	n.order("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '%s'")
}

// TestServerRestarted stops a PostgreSQL server while Tencent answers, and starts it again: the server ends every connection
// and turns new ones away until it is back. What Tencent answered meanwhile is written down then, without asking again.
func TestServerRestarted(t *testing.T) {
	t.Parallel()
	n := newTenant(t)
	run(newRigAt(t, "postgres", n.address, 4), func(r *rig) {
		r.client.Timeout = hangs
		p := r.start("", "--lease=20s")
		r.signIn(p)
		orders := make([]order, 0, len(r.apps))
		for _, app := range r.apps {
			orders = append(orders, r.mustPlan(p, app))
		}
		under, late, draft := orders[:2], orders[2], orders[3]
		r.box.Script(sandbox.Fault{Command: "update_callback", Gate: "restart", Times: len(under)})
		landed := make([]int64, len(under))
		var posts sync.WaitGroup
		for i, o := range under {
			posts.Go(func() {
				var err error
				if landed[i], _, err = r.apply(p, o); err != nil {
					t.Error(err)
				}
			})
		}
		must(t, r.box.AwaitGate(t.Context(), "restart", len(under)))
		n.order("ALTER DATABASE %s ALLOW_CONNECTIONS false")
		n.hangUp()
		r.box.Release("restart")
		r.unwritable(p, late, draft)
		for _, path := range []string{"/apps", "/readyz"} {
			r.pageSays(p, path, http.StatusServiceUnavailable, "")
		}
		posts.Wait() // each shows its change, though nobody can write what became of it
		n.order("ALTER DATABASE %s ALLOW_CONNECTIONS true")
		r.withStore(func(s *store.Store) {
			r.until("the outcomes to be written", 100*time.Millisecond, func() bool { return len(r.open(s)) == 0 })
		})
		for i, number := range landed {
			r.outcome(number, store.Applied)
			if w := r.writes(under[i].app); w != 1 {
				t.Errorf("app %d was written %d times", under[i].app, w)
			}
		}
		r.outcome(r.mustApply(p, late), store.Applied)
		p.stop()
	})
}
