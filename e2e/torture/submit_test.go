package torture_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"callboard/store"
)

// postsAtOnce is how often one plan is posted at the same time.
const postsAtOnce = 200

// TestOnePlanOneCall posts plans in every way that people and browsers find: all at once, again after going back, and from
// two tabs. Each plan has one change and one call, and everybody lands on the same page.
func TestOnePlanOneCall(t *testing.T) {
	onBoth(t, 3, func(r *rig) {
		p := r.start("", "--lease=20s") // as usual: so many posts need their time
		r.signIn(p)
		r.parallel(p, r.mustPlan(p, r.apps[0]))

		resent := r.mustPlan(p, r.apps[1])
		r.resend(p, resent, r.mustApply(p, resent))

		tab := r.mustPlan(p, r.apps[2])
		other := tab
		reopened, err := do(r.client, http.MethodGet, p.url+strings.TrimSuffix(tab.path, "apply")+"review/"+tab.form.Get("plan"), nil)
		must(t, err)
		other.form, err = reopened.form(tab.path)
		must(t, err)
		r.resend(p, other, r.mustApply(p, tab))
		r.withStore(func(s *store.Store) { r.settle(p, s) })
		p.stop()
	})
}

// parallel posts one plan many times at once.
func (r *rig) parallel(p *process, o order) {
	r.t.Helper()
	landed := make([]int64, postsAtOnce)
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i := range landed {
		all.Go(func() {
			<-begin
			number, got, err := r.apply(p, o)
			if err != nil || got.status != http.StatusSeeOther {
				r.t.Errorf("post %d: status %d, %v", i, got.status, err)
			}
			landed[i] = number
		})
	}
	close(begin)
	all.Wait()
	for i, number := range landed {
		if number != landed[0] || number == 0 {
			r.t.Errorf("post %d landed on change %d, post 0 on %d", i, number, landed[0])
		}
	}
	r.oneCall(o, landed[0])
}

// resend posts a plan once more that has its change already.
func (r *rig) resend(p *process, o order, first int64) {
	r.t.Helper()
	if again := r.mustApply(p, o); again != first {
		r.t.Errorf("the plan of change %d, posted again, landed on change %d", first, again)
	}
	r.oneCall(o, first)
}

// oneCall wants one change and one call for the app of a plan.
func (r *rig) oneCall(o order, number int64) {
	r.t.Helper()
	r.withStore(func(s *store.Store) {
		list, err := s.History(r.t.Context(), store.Filter{SDKAppID: o.app, Limit: 10})
		must(r.t, err)
		if len(list) != 1 || list[0].Number != number || list[0].Outcome != store.Applied {
			r.t.Errorf("app %d has the entries %+v, want change %d alone, applied", o.app, list, number)
		}
	})
	if n := r.writes(o.app); n != 1 {
		r.t.Errorf("app %d was written %d times", o.app, n)
	}
}
