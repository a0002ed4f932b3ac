package torture_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"callboard/sandbox"
	"callboard/store"
)

// outages are the ways in which Tencent's API can be away.
var outages = []struct {
	name    string
	away    func(r *rig)
	back    func(r *rig)
	outcome string // of a change that begins meanwhile
}{
	{"every connection is refused", func(r *rig) { r.proxy.down() }, func(r *rig) { r.proxy.up() }, store.NotSent},
	{"calls are taken and never answered", func(r *rig) { r.proxy.silent() }, func(r *rig) { r.proxy.speak() }, store.NotSent},
	{"a gateway answers everything", func(r *rig) { r.box.Script(sandbox.Fault{Status: http.StatusBadGateway, Times: -1}) }, func(r *rig) { r.box.ClearFaults() }, store.NotSent},
	{"a gateway answers writes, done or not", func(r *rig) {
		r.box.Script(sandbox.Fault{Command: "update_callback", Status: http.StatusBadGateway, Apply: "yes", Times: 2})
		r.box.Script(sandbox.Fault{Command: "update_callback", Drop: "before", Times: -1})
	}, func(r *rig) { r.box.ClearFaults() }, store.Unknown},
}

// TestOutage takes the API away in each way while people are at work on several apps at once, with the deadlines of use.
// Every request is answered in time, every change is told, and once the API is back everything settles without a hand.
func TestOutage(t *testing.T) {
	t.Parallel()
	for _, db := range []string{"sqlite", "postgres"} {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			run(newRig(t, db, 4*len(outages)), func(r *rig) {
				r.client.Timeout = hangs
				p := r.start("", "--lease=20s")
				r.signIn(p)
				orders := make([]order, len(r.apps)) // before, as forms rest for a while after a failed read
				for i, app := range r.apps {
					orders[i] = r.mustPlan(p, app)
				}
				for i, o := range outages {
					r.outage(p, orders[4*i:4*i+4], o.name, o.away, o.back)
				}
				r.withStore(func(s *store.Store) {
					r.until("everything to settle by itself", 100*time.Millisecond, func() bool { return len(r.open(s)) == 0 })
					r.endings(s)
				})
				p.stop()
			})
		})
	}
}

// outage lets one person per app apply and look at once while the API is away.
func (r *rig) outage(p *process, orders []order, name string, away, back func(*rig)) {
	r.t.Helper()
	away(r)
	var all sync.WaitGroup
	for _, o := range orders {
		all.Go(func() {
			if err := r.work(p, o); err != nil {
				r.t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
	back(r)
}

// work applies a plan, looks at its change, and opens form and list; each has to be answered.
func (r *rig) work(p *process, o order) error {
	number, got, err := r.apply(p, o)
	if err != nil {
		return err
	}
	if number == 0 {
		return fmt.Errorf("the apply was answered with %d", got.status)
	}
	for _, path := range []string{fmt.Sprintf("/changes/%d", number), fmt.Sprintf("/apps/%d/callback", o.app), "/apps", "/history"} {
		got, err := do(r.client, http.MethodGet, p.url+path, nil)
		if err != nil {
			return err
		}
		if got.status != http.StatusOK {
			return fmt.Errorf("%s came with %d", path, got.status)
		}
	}
	return nil
}

// endings wants each app to have one change, ended in a way that fits its outage.
func (r *rig) endings(s *store.Store) {
	r.t.Helper()
	for i, app := range r.apps {
		list, err := s.History(r.t.Context(), store.Filter{SDKAppID: app, Limit: 10})
		must(r.t, err)
		if len(list) != 1 || r.shown[list[0].Number] != app {
			r.t.Errorf("app %d has the entries %+v, want the one that was shown", app, list)
			continue
		}
		want := outages[i/4].outcome
		if list[0].Outcome != want {
			r.t.Errorf("%s: change %d ended %s by %s, want %s", outages[i/4].name, list[0].Number, list[0].Outcome, list[0].Cause, want)
		}
	}
}
