package torture_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"callboard/sandbox"
	"callboard/store"
)

// TestDown takes the API away while people are at work, first in the middle of their calls, then wholly.
func TestDown(t *testing.T) {
	onBoth(t, 6, func(r *rig) {
		p := r.start("")
		r.signIn(p)
		orders := make([]order, 0, len(r.apps))
		for _, app := range r.apps {
			orders = append(orders, r.mustPlan(p, app))
		}
		// It dies with four calls under way: two arrived, two did not.
		want := map[int64]string{}
		for i, o := range orders[:4] {
			c := cut{inRequest, i}
			if i < 2 {
				c = cut{where: unheard}
			}
			r.proxy.cutNext(o.app, c)
			want[r.mustApply(p, o)] = store.Unknown
		}
		r.proxy.down()
		for _, o := range orders[4:] {
			want[r.mustApply(p, o)] = store.NotSent
		}
		for number, outcome := range want {
			r.outcome(number, outcome)
			r.pageSays(p, fmt.Sprintf("/changes/%d", number), http.StatusOK, "")
		}
		for _, path := range []string{"/apps", "/history", strings.TrimSuffix(orders[0].path, "apply") + "review/" + orders[0].form.Get("plan")} {
			r.pageSays(p, path, http.StatusOK, "")
		}
		r.noneWaits(p)
		r.proxy.up()
		r.withStore(func(s *store.Store) { r.settle(p, s) })
		for i, o := range orders[:4] {
			if n := r.writes(o.app); n > 1 || (i < 2) != (n == 1) {
				t.Errorf("app %d was written %d times", o.app, n)
			}
		}
		p.stop()
	})
}

// noneWaits opens every form while the host is known to be silent: each shows the last reading, and nobody is called, so
// that nothing is waited for.
func (r *rig) noneWaits(p *process) {
	r.t.Helper()
	r.proxy.up()
	before := r.proxy.asked()
	for _, app := range r.apps[4:] {
		r.pageSays(p, fmt.Sprintf("/apps/%d/callback", app), http.StatusOK, "did not answer")
	}
	if n := r.proxy.asked() - before; n != 0 {
		r.t.Errorf("pages made %d calls to a host that had just not answered", n)
	}
	r.proxy.down()
}

// outcome wants a change to have ended like this.
func (r *rig) outcome(number int64, want string) {
	r.t.Helper()
	r.withStore(func(s *store.Store) {
		c, err := s.Change(r.t.Context(), number)
		must(r.t, err)
		if c.Outcome != want {
			r.t.Errorf("change %d is %s by %s, want %s", number, c.Outcome, c.Cause, want)
		}
	})
}

// pageSays wants a page to come with this status and to hold this text.
func (r *rig) pageSays(p *process, path string, status int, text string) {
	r.t.Helper()
	got := r.get(p, path)
	if said := words(got.Find("main")); got.status != status || !strings.Contains(said, text) {
		r.t.Errorf("%s came with %d, want %d and %q; it says: %.600s", path, got.status, status, text, said)
	}
}

// TestClock gives the two sides different times: Tencent refuses the signature, and the page says by how much the clocks differ.
func TestClock(t *testing.T) {
	for _, c := range []struct {
		name    string
		ahead   time.Duration // Tencent's clock before ours
		code    int64         // answered to the write by script, 0 for what the sandbox itself finds
		outcome string
		says    string
	}{
		{"six minutes", 6 * time.Minute, 70001, store.Refused, "behind Tencent’s"},
		{"six minutes back", -6 * time.Minute, 70001, store.Refused, "ahead of Tencent’s"},
		{"a day back", -24 * time.Hour, 70001, store.Refused, "ahead of Tencent’s"},
		{"a day", 24 * time.Hour, 0, store.NotSent, "behind Tencent’s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, "sqlite", 1)
			p := r.start("")
			r.signIn(p)
			o := r.mustPlan(p, r.apps[0])
			shifted := func() time.Time { return time.Now().Add(c.ahead) }
			r.proxy.answeredBy(dated(t, r, shifted))
			if c.code != 0 {
				r.box.Script(sandbox.Fault{Command: "update_callback", Code: c.code})
			}
			number := r.mustApply(p, o)
			r.outcome(number, c.outcome)
			page := r.get(p, fmt.Sprintf("/changes/%d", number))
			said := words(page.Find("main"))
			if !strings.Contains(said, "70001") || !strings.Contains(said, c.says) {
				t.Errorf("the page names neither code nor clock: %s", said)
			}
			if cloud, _ := r.box.Callback(r.apps[0]); cloud.Url == o.url {
				t.Error("it was applied all the same")
			}
			p.stop()
			run(r, func(*rig) {})
		})
	}
}

// dated serves the sandbox's API with another clock, which both its checks and its Date header follow.
func dated(t *testing.T, r *rig, now func() time.Time) string {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{Apps: []sandbox.App{{SDKAppID: r.apps[0], Key: secret, Admins: []string{"administrator"}}}, Now: now})
	must(t, err)
	before, _ := r.box.Callback(r.apps[0])
	box.SetCallback(r.apps[0], &before)
	r.box = box
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
		box.API().ServeHTTP(w, q)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestDiskFull lets no file of a running program be written any more, as a full disk does, and ends that again.
func TestDiskFull(t *testing.T) {
	r := newRig(t, "sqlite", 3)
	p := r.start("")
	r.signIn(p)
	done := r.mustApply(p, r.mustPlan(p, r.apps[0]))
	r.withStore(func(s *store.Store) { r.settle(p, s) })
	o, draft := r.mustPlan(p, r.apps[1]), r.mustPlan(p, r.apps[2])

	p.limitFiles("0")
	r.unwritable(p, o, draft)
	for _, path := range []string{"/apps", "/history", fmt.Sprintf("/changes/%d", done), fmt.Sprintf("/apps/%d/callback", r.apps[1])} {
		r.pageSays(p, path, http.StatusOK, "")
	}
	p.limitFiles("unlimited")
	r.recovers(p, o)
}

// unwritable posts a review and an apply to a program whose database cannot be written: both are told so, and nothing is sent.
func (r *rig) unwritable(p *process, o, draft order) {
	r.t.Helper()
	for path, form := range map[string]url.Values{o.path: o.form, strings.TrimSuffix(draft.path, "apply") + "review": draft.review} {
		got, err := do(r.client, http.MethodPost, p.url+path, form)
		must(r.t, err)
		if got.status != http.StatusServiceUnavailable {
			r.t.Errorf("%s was answered with %d, want 503: %.300s", path, got.status, words(got.Find("main")))
		}
	}
	for _, app := range []int64{o.app, draft.app} {
		if n := r.writes(app); n != 0 {
			r.t.Errorf("app %d was written %d times without a row", app, n)
		}
	}
}

// recovers applies, without a restart, the plan that could not be applied, and wants no half of the first try to be left.
func (r *rig) recovers(p *process, o order) {
	r.t.Helper()
	number := r.mustApply(p, o)
	r.withStore(func(s *store.Store) {
		r.settle(p, s)
		list, err := s.History(r.t.Context(), store.Filter{SDKAppID: o.app, Limit: 10})
		must(r.t, err)
		if len(list) != 1 || list[0].Number != number || list[0].State() != store.Applied {
			r.t.Errorf("app %d has the entries %+v, want change %d alone, applied", o.app, list, number)
		}
		r.check(s)
	})
	p.stop()
}

// limitFiles sets how many bytes into a file a running process may write. Beyond that writes fail; reads do not.
func (p *process) limitFiles(bytes string) {
	p.t.Helper()
	if text, err := exec.Command("prlimit", "--pid", strconv.Itoa(p.cmd.Process.Pid), "--fsize="+bytes+":unlimited").CombinedOutput(); err != nil {
		p.t.Fatalf("limiting the files of the program: %v: %s", err, text)
	}
}

// TestDatabaseGone takes a PostgreSQL server away from a running program, and gives it back.
func TestDatabaseGone(t *testing.T) {
	r, p, between := throughServer(t)
	done := r.mustApply(p, r.mustPlan(p, r.apps[0]))
	r.withStore(func(s *store.Store) { r.settle(p, s) })
	o, draft := r.mustPlan(p, r.apps[1]), r.mustPlan(p, r.apps[2])

	between.down()
	r.unwritable(p, o, draft)
	for _, path := range []string{"/apps", fmt.Sprintf("/changes/%d", done), "/readyz"} {
		r.pageSays(p, path, http.StatusServiceUnavailable, "")
	}
	r.pageSays(p, "/healthz", http.StatusOK, "")
	between.up()
	r.recovers(p, o)
}
