package changes

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
)

const (
	asked    = "form_opened plan_made intent"
	answered = asked + " read sent answered"
	silent   = asked + " read sent no_answer"
)

// ended is what a test compares of a change.
type ended struct {
	Outcome string
	Settled string
	Cause   string
	Call    string
	Code    string
	HTTP    string
	ID      bool // whether it has a RequestId
	Steps   string
	Record  string // "old" or "new"
}

func (r *rig) ended(number int64) ended {
	r.t.Helper()
	c := r.change(number)
	e := ended{Outcome: c.Outcome, Settled: c.Settled, Cause: c.Cause, Call: c.Call, Code: text(c.ErrorCode), HTTP: text(c.HTTPStatus), ID: c.RequestID != "", Steps: r.steps(number), Record: "old"}
	if r.find(c.SDKAppID).Record == c.Wanted {
		e.Record = "new"
	}
	return e
}

func text(n *int64) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

// endingCase is an answer of Tencent and what it means.
type endingCase struct {
	name    string
	fault   sandbox.Fault
	want    ended
	settled string // how reading back settles it, "" for what is not open
}

func endingCases() []endingCase {
	list := []endingCase{
		{"accepted", sandbox.Fault{}, ended{Outcome: "applied", Code: "0", HTTP: "200", ID: true, Steps: answered, Record: "new"}, ""},
		{"accepted without a RequestId", sandbox.Fault{NoRequestID: true}, ended{Outcome: "applied", Code: "0", HTTP: "200", Steps: answered, Record: "new"}, ""},
		{"OK by word alone", sandbox.Fault{Body: `{"ActionStatus":"OK","ErrorCode":0}`, Apply: "no"}, ended{Outcome: "applied", Code: "0", HTTP: "200", Steps: answered, Record: "new"}, ""},
		{"502", sandbox.Fault{Status: 502}, ended{Outcome: "unknown", Cause: "status", HTTP: "502", Steps: silent, Record: "old"}, "not_applied"},
		{"502 and applied", sandbox.Fault{Status: 502, Apply: "yes"}, ended{Outcome: "unknown", Cause: "status", HTTP: "502", Steps: silent, Record: "old"}, "applied"},
		{"a redirect", sandbox.Fault{Status: 302}, ended{Outcome: "unknown", Cause: "status", HTTP: "302", Steps: silent, Record: "old"}, "not_applied"},
		{"a refusal as 403", sandbox.Fault{Status: 403, Body: `{"ActionStatus":"FAIL","ErrorCode":60010}`}, ended{Outcome: "unknown", Cause: "status", Code: "60010", HTTP: "403", Steps: silent, Record: "old"}, "not_applied"},
		{"HTML", sandbox.Fault{Body: "<html><body>Busy</body></html>"}, ended{Outcome: "unknown", Cause: "shape", HTTP: "200", Steps: silent, Record: "old"}, "applied"},
		{"dropped before applying", sandbox.Fault{Drop: "before"}, ended{Outcome: "unknown", Cause: "cut", Steps: silent, Record: "old"}, "not_applied"},
		{"dropped after applying", sandbox.Fault{Drop: "after"}, ended{Outcome: "unknown", Cause: "cut", Steps: silent, Record: "old"}, "applied"},
		{"reset after applying", sandbox.Fault{Drop: "after", Reset: true}, ended{Outcome: "unknown", Cause: "cut", Steps: silent, Record: "old"}, "applied"},
	}
	for _, cut := range []int{1, 20, 60, 100} {
		want := ended{Outcome: "unknown", Cause: "cut", HTTP: "200", Steps: silent, Record: "old"}
		if cut >= 60 {
			want.Code = "0" // what could be read is kept, and decides nothing
		}
		list = append(list, endingCase{fmt.Sprintf("cut at %d", cut), sandbox.Fault{CutAt: cut}, want, "applied"},
			endingCase{fmt.Sprintf("cut at %d and not applied", cut), sandbox.Fault{CutAt: cut, Apply: "no"}, want, "not_applied"})
	}
	for i, body := range []string{`{"ActionStatus":"OK","ErrorCode":"0"}`, `{"ActionStatus":"OK","ErrorCode":0.0}`, `{"ActionStatus":"ok","ErrorCode":0}`,
		`{"ActionStatus":"OK"}`, `{"ActionStatus":"OK","ErrorCode":0}{}`, `null`} {
		want := ended{Outcome: "unknown", Cause: "shape", HTTP: "200", Steps: silent, Record: "old"}
		want.Code = map[int]string{2: "0", 4: "0"}[i]
		list = append(list, endingCase{"nearly OK: " + body, sandbox.Fault{Body: body, Apply: "no"}, want, "not_applied"})
	}
	for _, code := range []int64{100002, 100300, 100301, 60010, 60007, 70001, 70009, 60002, 424242, -5} {
		list = append(list, endingCase{fmt.Sprintf("code %d", code), sandbox.Fault{Code: code, Info: "no"}, ended{Outcome: "refused", Code: fmt.Sprint(code), HTTP: "200", ID: !gateway(code), Steps: answered, Record: "old"}, ""})
	}
	for _, code := range []int64{100001, 60008, 60013, 60014, 70169, 70202, 70500} {
		want := ended{Outcome: "unknown", Code: fmt.Sprint(code), HTTP: "200", ID: !gateway(code), Steps: silent, Record: "old"}
		list = append(list, endingCase{fmt.Sprintf("code %d", code), sandbox.Fault{Code: code}, want, "not_applied"},
			endingCase{fmt.Sprintf("code %d, done all the same", code), sandbox.Fault{Code: code, Apply: "yes"}, want, "applied"})
	}
	return list
}

// TestRefusalsThatMayBeNone reads again after a code that does not say that nothing was done, and after no other.
func TestRefusalsThatMayBeNone(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		for code, sure := range map[int64]bool{424242: false, 120001: true, 60010: true, 70009: true} {
			id := r.app(before)
			p := r.plan(id, wanted)
			r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "update_callback", Code: code})
			calls := len(r.reads(id))
			c := r.apply(p)
			want := map[bool]int{true: 1, false: 2}[sure] // the one just before writing, and another
			if n := len(r.reads(id)) - calls; c.Outcome != store.Refused || n != want || NothingDone(code) != sure {
				t.Errorf("code %d: %s, %d reads, nothing done: %v", code, c.Outcome, n, NothingDone(code))
			}
		}
	})
}

// gateway tells of a code that was seen without a RequestId, and that the sandbox answers so.
func gateway(code int64) bool { return code == 60002 }

// TestEndings sends every kind of answer, in turn through both calls, and settles what stays open by reading back.
func TestEndings(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		bases := []store.Configuration{before, store.None}
		calls := []string{"update_callback", "set_callback"}
		for i, test := range endingCases() {
			id, want := r.app(bases[i%2]), test.want
			want.Call = calls[i%2]
			test.fault.SDKAppID, test.fault.Command = id, want.Call
			r.sandbox.Script(test.fault)
			c := r.apply(r.plan(id, wanted))
			if diff := cmp.Diff(want, r.ended(c.Number)); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", test.name, want.Call, diff)
			}
			if w := r.writes(id); len(w) != 1 || int64(w[0].Random) != *c.Attempt || w[0].Command != want.Call {
				t.Errorf("%s: the journal has %+v, the attempt is %d", test.name, w, *c.Attempt)
			}
			r.settles(test.name, c, want, test.settled)
		}
	})
}

// settles reads back after a change: equal to previous tells nothing before the grace is over.
func (r *rig) settles(name string, c store.Change, was ended, settled string) {
	r.t.Helper()
	if settled == "" {
		if err := r.CheckNow(r.ctx(), mei, c.Number); !errors.Is(err, ErrNotOpen) {
			r.t.Errorf("%s: CheckNow of a settled change = %v", name, err)
		}
		return
	}
	r.checkNow(c.Number)
	if settled == store.NotApplied {
		if diff := cmp.Diff(was, r.ended(c.Number)); diff != "" {
			r.t.Errorf("%s, within the grace (-want +got):\n%s", name, diff)
		}
		r.pass("grace", c.Number, 0)
		r.checkNow(c.Number)
	}
	was.Settled, was.Steps = settled, was.Steps+" settled"
	if settled == store.Applied {
		was.Record = "new"
	}
	if diff := cmp.Diff(was, r.ended(c.Number)); diff != "" {
		r.t.Errorf("%s, settled (-want +got):\n%s", name, diff)
	}
	if got := r.change(c.Number); got.ReadBack != r.holds(c.SDKAppID).Digest() {
		r.t.Errorf("%s: what was read back is not kept", name)
	}
}

// TestWhatIsSent looks at the words and the kept exchange of one applied change.
func TestWhatIsSent(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(config("https://hooks.example.test/live", createRoom, foreign))
		want := config("https://hooks.example.test/é?a=b&c=<d>", foreign, destroyRoom, PolicyWord, GiftWord)
		c := r.apply(r.plan(id, want))
		if !r.holds(id).Equal(want) {
			t.Errorf("the sandbox has %v", r.holds(id))
		}
		w := r.writes(id)
		if len(w) != 1 || c.RequestID != w[0].RequestID || w[0].Identifier != "administrator" || "http://"+c.Host != r.sandbox.APIURL() {
			t.Errorf("the row has RequestId %q and host %q, the journal %+v", c.RequestID, c.Host, w)
		}
		if s := ParseSummary(c.Summary); s != (Summary{Added: 2, Removed: 1, Policy: "on", URL: true, Blocking: true}) {
			t.Errorf("summary %+v", s)
		}
		e, err := storetest.Exchange(r.ctx(), r.store, c.Number)
		if err != nil || len(e.Request) == 0 || e.AnswerSize != int64(len(e.Answer)) || e.AnswerCut {
			t.Errorf("exchange %q, %v", e.Request, err)
		}
		if c.Actor != mei || c.Reason != "because" || c.Region != "play" || c.Previous == "" || c.EndedAt < c.StartedAt || c.DurationMS == nil || c.ClockAheadMS == nil {
			t.Errorf("row %+v", c)
		}
	})
}

// TestNotSent is everything that ends before the first byte of the write.
func TestNotSent(t *testing.T) {
	reads := func(f sandbox.Fault) func(*rig, int64) {
		return func(r *rig, id int64) {
			f.SDKAppID, f.Command = id, "get_callback"
			r.sandbox.Script(f)
		}
	}
	unread := func(code, status string, id bool) ended {
		return ended{Outcome: "not_sent", Cause: "unread", Call: "get_callback", Code: code, HTTP: status, ID: id, Steps: asked + " unread", Record: "old"}
	}
	moved := ended{Outcome: "not_sent", Cause: "moved", Call: "update_callback", Steps: asked + " moved", Record: "old"}
	stale := ended{Outcome: "not_sent", Cause: "stale", Call: "update_callback", Steps: asked + " stale", Record: "old"}
	tests := []struct {
		name  string
		after func(*rig, int64) // what happens between plan and apply
		want  ended
		found store.Configuration // zero: nothing was found
	}{
		{"a wrong key", func(r *rig, id int64) {
			r.must(r.sandbox.AddApp(sandbox.App{SDKAppID: id, Key: "another", Admins: []string{"administrator"}}))
		}, unread("70009", "200", true), store.Configuration{}},
		{"no administrator", func(r *rig, id int64) { r.must(r.sandbox.AddApp(sandbox.App{SDKAppID: id, Key: secret})) }, unread("60010", "200", true), store.Configuration{}},
		{"the read is 502", reads(sandbox.Fault{Status: 502}), unread("", "502", false), store.Configuration{}},
		{"the read is dropped", reads(sandbox.Fault{Drop: "before"}), unread("", "", false), store.Configuration{}},
		{"the read is cut", reads(sandbox.Fault{CutAt: 30}), unread("", "200", false), store.Configuration{}},
		{"the read says OK with nothing in it", reads(sandbox.Fault{Body: `{"ActionStatus":"OK","ErrorCode":0}`}), unread("0", "200", false), store.Configuration{}},
		{"the read may have failed inside", reads(sandbox.Fault{Code: 100001}), unread("100001", "200", true), store.Configuration{}},
		{"the cloud moved", func(r *rig, id int64) { r.cloud(id, other) }, moved, other},
		{"the cloud has what is wanted already", func(r *rig, id int64) { r.cloud(id, wanted) }, moved, wanted},
		{"the cloud has none any more", func(r *rig, id int64) { r.cloud(id, store.None) }, moved, store.None},
		{"the cloud has none, says a fault", reads(sandbox.Fault{Code: 100301}), moved, store.None},
		{"a newer change was applied", func(r *rig, id int64) { r.apply(r.plan(id, other)) }, stale, store.Configuration{}},
		{"there and back again", func(r *rig, id int64) {
			r.apply(r.plan(id, other))
			r.look(id)
			r.apply(r.plan(id, before))
			r.look(id)
		}, stale, store.Configuration{}},
		{"a newer change was closed by hand", func(r *rig, id int64) {
			r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "update_callback", Drop: "before"})
			c := r.apply(r.plan(id, other))
			r.must(r.CloseByHand(r.ctx(), mei, c.Number, "so"))
		}, stale, store.Configuration{}},
		{"the region is another", func(r *rig, id int64) {
			a := r.find(id)
			r.must(r.store.UpdateApp(r.ctx(), mei, a.Version, store.AppSettings{SDKAppID: id, Name: a.Name, Region: "singapore", Identifier: a.Identifier, Environment: a.Environment}))
		}, stale, store.Configuration{}},
	}
	onBoth(t, func(t *testing.T, r *rig) {
		for _, test := range tests {
			id := r.app(before)
			p := r.plan(id, wanted)
			test.after(r, id)
			earlier := len(r.writes(id))
			c := r.apply(p)
			if diff := cmp.Diff(test.want, r.ended(c.Number)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
			if n := len(r.writes(id)) - earlier; n != 0 {
				t.Errorf("%s: %d writes", test.name, n)
			}
			found := ""
			if !test.found.Equal(store.Configuration{}) || test.found.IsNone() {
				found = test.found.Digest()
			}
			if c.Found != found || c.Open() {
				t.Errorf("%s: found %q, want %q; open %v", test.name, c.Found, found, c.Open())
			}
			if again, err := r.Apply(r.ctx(), mei, id, p.ID, nil); err != nil || again != c.Number {
				t.Errorf("%s: the plan posted again = %d, %v, want %d", test.name, again, err, c.Number)
			}
		}
	})
}

// TestPlansOutliveChangesWithoutEffect: a change that ended without effect leaves other plans alone.
func TestPlansOutliveChangesWithoutEffect(t *testing.T) {
	faults := map[string]sandbox.Fault{"refused": {Code: 100002}, "not_applied": {Drop: "before"}}
	onBoth(t, func(t *testing.T, r *rig) {
		for state, fault := range faults {
			id := r.app(before)
			first, second := r.plan(id, other), r.plan(id, wanted)
			fault.SDKAppID, fault.Command = id, "update_callback"
			r.sandbox.Script(fault)
			c := r.apply(first)
			if c.Open() {
				r.pass("grace", c.Number, 0)
				r.checkNow(c.Number)
			}
			if got := r.change(c.Number).State(); got != state {
				t.Errorf("the first is %s, want %s", got, state)
			}
			if got := r.apply(second); got.Outcome != store.Applied {
				t.Errorf("after %s the other plan ended %s %s", state, got.Outcome, got.Cause)
			}
		}
	})
}

// TestUnreachable has a door before the sandbox that can be shut.
func TestUnreachable(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		for _, test := range []struct {
			name  string
			after string // the call after which nobody listens any more
			want  ended
		}{
			{"from the start", "", ended{Outcome: "not_sent", Cause: "unread", Call: "get_callback", Steps: asked + " unread", Record: "old"}},
			{"after the read", "get_callback", ended{Outcome: "not_sent", Cause: "connect", Call: "update_callback", Steps: asked + " read not_sent", Record: "old"}},
		} {
			id := r.app(before)
			p := r.plan(id, wanted)
			s := r.service(directory(t, "play="+r.door(test.after)))
			number, err := s.Apply(r.ctx(), mei, id, p.ID, nil)
			r.must(err)
			if diff := cmp.Diff(test.want, r.ended(number)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
			if n := len(r.writes(id)); n != 0 {
				t.Errorf("%s: %d writes", test.name, n)
			}
		}
	})
}

// door is a listener before the sandbox that is gone after a call, "" for at once.
func (r *rig) door(after string) string {
	r.t.Helper()
	target, err := url.Parse(r.sandbox.APIURL())
	r.must(err)
	transport := &http.Transport{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = transport
	door := httptest.NewUnstartedServer(nil)
	door.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/v4/live_config/"+after {
			w.Header().Set("Connection", "close")
			_ = door.Listener.Close()
		}
		proxy.ServeHTTP(w, req)
	})
	door.Start()
	r.t.Cleanup(transport.CloseIdleConnections)
	r.t.Cleanup(door.Close)
	if after == "" {
		door.Close()
	}
	return door.URL
}

// TestNoChange is every Apply that must not leave a row.
func TestNoChange(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		messageOn := config("http://new.example.test/x", messages)
		needs := []string{"blocking_added." + messages, "host", "http"}
		tests := []struct {
			name   string
			wanted store.Configuration
			app    int64
			ticks  []string
			before func(store.Plan)
			want   string
		}{
			{"nothing differs", before, id, nil, nil, ErrNothing.Error()},
			{"another app's", wanted, r.app(before), nil, nil, ErrPlanGone.Error()},
			{"no such app", wanted, 5, nil, nil, ErrPlanGone.Error()},
			{"no ticks", messageOn, id, nil, nil, fmt.Sprint(needs)},
			{"one tick is missing", messageOn, id, []string{"http", "blocking_added." + messages, "off"}, nil, "[host]"},
			{"expired", wanted, id, nil, func(store.Plan) { r.clock.move(PlanLife) }, ErrPlanGone.Error()},
			{"the caller went away before anything was written", wanted, id, nil, nil, "gone"},
			{"archived, and ticks missing too", messageOn, id, nil, func(store.Plan) { r.must(r.store.ArchiveApp(r.ctx(), mei, id, true)) }, store.ErrArchived.Error()},
		}
		for _, test := range tests {
			p := r.plan(id, test.wanted)
			if test.before != nil {
				test.before(p)
			}
			ctx, cancel := context.WithCancel(r.ctx())
			if test.want == "gone" {
				cancel()
			}
			number, err := r.Apply(ctx, mei, test.app, p.ID, test.ticks)
			cancel()
			var missing TicksMissing
			switch {
			case err == nil:
				t.Errorf("%s: applied as %d", test.name, number)
			case errors.As(err, &missing) && fmt.Sprint([]string(missing)) == test.want:
			case test.want == "gone" && errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrUnavailable):
			case err.Error() != test.want:
				t.Errorf("%s: %v (%v), want %s", test.name, err, missing, test.want)
			}
			if list, err := r.store.History(r.ctx(), store.Filter{Limit: 5}); err != nil || len(list) != 0 || number != 0 {
				t.Errorf("%s: %d rows, number %d, %v", test.name, len(list), number, err)
			}
		}
		if _, err := r.Apply(r.ctx(), mei, id, "nothing", nil); !errors.Is(err, ErrPlanGone) {
			t.Errorf("an unknown plan: %v", err)
		}
		if _, err := r.MakePlan(r.ctx(), mei, Proposal{SDKAppID: id, Reading: r.find(id).ReadingID, URL: wanted.URL(), Reason: "x"}); !errors.Is(err, store.ErrArchived) {
			t.Errorf("a plan for an archived app: %v", err)
		}
		if n := len(r.writes(id)); n != 0 {
			t.Errorf("%d writes", n)
		}
	})
}

// TestUsedPlanKeepsItsAddress: a plan that was used leads to its change, expired or not.
func TestUsedPlanKeepsItsAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		p := r.plan(id, wanted)
		c := r.apply(p)
		r.clock.move(2 * PlanLife)
		full, err := r.Plan(r.ctx(), id, p.ID)
		if err != nil || full.State.Number != c.Number || full.State.Open != 0 {
			t.Errorf("the used plan: %+v, %v", full.State, err)
		}
		r.must(r.store.ArchiveApp(r.ctx(), mei, id, true))
		if n, err := r.Apply(r.ctx(), mei, id, p.ID, nil); err != nil || n != c.Number {
			t.Errorf("posted again: %d, %v", n, err)
		}
	})
}

// TestParallelApplyOfOnePlan posts one plan 200 times at once, to two services.
func TestParallelApplyOfOnePlan(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		p := r.plan(id, wanted)
		services := []*Service{r.Service, r.service(r.regions)}
		numbers := make([]int64, 200)
		var posts sync.WaitGroup
		for i := range numbers {
			posts.Go(func() {
				var err error
				if numbers[i], err = services[i%2].Apply(r.ctx(), mei, id, p.ID, nil); err != nil {
					t.Errorf("post %d: %v", i, err)
				}
			})
		}
		posts.Wait()
		if slices.Min(numbers) != slices.Max(numbers) || numbers[0] == 0 {
			t.Errorf("numbers %v", slices.Compact(numbers))
		}
		r.until("the outcome", func() bool { return !r.change(numbers[0]).Open() })
		if n := len(r.writes(id)); n != 1 {
			t.Errorf("%d writes", n)
		}
		if list, err := r.store.History(r.ctx(), store.Filter{SDKAppID: id, Limit: 10}); err != nil || len(list) != 1 || list[0].Outcome != store.Applied {
			t.Errorf("history %v, %v", list, err)
		}
	})
}

// TestOpenChange: while a change is open, another plan of its app is told so and stays usable.
func TestOpenChange(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id, second := r.app(before), r.service(r.regions)
		mine, theirs := r.plan(id, wanted), r.plan(id, other)
		r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "update_callback", Gate: "open", Code: 100002})
		done := r.applyBeside(r.Service, mine)
		r.awaitGate("open")
		_, st, err := r.store.Plan(r.ctx(), mine.ID)
		r.must(err)
		var open *store.OpenChangeError
		if n, err := second.Apply(r.ctx(), mei, id, theirs.ID, nil); !errors.As(err, &open) || open.Number != st.Number || n != 0 {
			t.Errorf("the other plan: %d, %v", n, err)
		}
		if n, err := second.Apply(r.ctx(), mei, id, mine.ID, nil); err != nil || n != st.Number {
			t.Errorf("the plan itself: %d, %v, want %d", n, err, st.Number)
		}
		full, err := second.Plan(r.ctx(), id, theirs.ID)
		if err != nil || full.State != (store.PlanState{Open: st.Number}) {
			t.Errorf("the other plan's state %+v, %v", full.State, err)
		}
		if err := r.store.ArchiveApp(r.ctx(), mei, id, true); !errors.Is(err, store.ErrRegionLocked) {
			t.Errorf("archiving: %v", err)
		}
		r.sandbox.Release("open")
		if n := r.receive(done); r.change(n).Outcome != store.Refused {
			t.Errorf("the first ended %s", r.change(n).Outcome)
		}
		if c := r.apply(theirs); c.Outcome != store.Applied {
			t.Errorf("the other plan ended %s %s", c.Outcome, c.Cause)
		}
	})
}

// TestClosedTab: a person who leaves stops nothing, and Close waits for what is under way.
func TestClosedTab(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		p := r.plan(id, wanted)
		s := r.service(r.regions)
		r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "update_callback", Gate: "tab"})
		ctx, leave := context.WithCancel(r.ctx())
		done := make(chan int64, 1)
		go func() {
			n, err := s.Apply(ctx, mei, id, p.ID, nil)
			if err != nil {
				t.Errorf("Apply: %v", err)
			}
			done <- n
		}()
		r.awaitGate("tab")
		leave()
		number := r.receive(done)
		if c := r.change(number); c.Outcome != store.Pending {
			t.Errorf("after leaving it is %s", c.Outcome)
		}
		s.Close(ctx) // which has ended, so it does not wait
		if c := r.change(number); c.Outcome != store.Pending {
			t.Errorf("after an impatient Close it is %s", c.Outcome)
		}
		r.sandbox.Release("tab")
		s.Close(context.Background())
		if c := r.change(number); c.Outcome != store.Applied {
			t.Errorf("after Close it is %s", c.Outcome)
		}
	})
}

// TestStopping closes a service while plans are applied through it, as requests do that outlive their time when the program
// stops: each is carried out to its end or turned down without a row, and a plan that was turned down works elsewhere.
func TestStopping(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.service(r.regions)
		plans := make([]store.Plan, 12)
		for i := range plans {
			plans[i] = r.plan(r.app(before), wanted)
		}
		numbers, refused := make([]int64, len(plans)), make([]error, len(plans))
		var posts sync.WaitGroup
		for i, p := range plans {
			posts.Go(func() { numbers[i], refused[i] = s.Apply(r.ctx(), mei, p.SDKAppID, p.ID, nil) })
			if i == len(plans)/2 {
				posts.Go(func() { s.Close(context.Background()) })
			}
		}
		posts.Wait()
		s.Close(context.Background())
		late := r.plan(r.app(before), wanted)
		if n, err := s.Apply(r.ctx(), mei, late.SDKAppID, late.ID, nil); !errors.Is(err, ErrStopping) || n != 0 {
			t.Errorf("after Close: change %d, %v, want ErrStopping", n, err)
		}
		for i, p := range plans {
			if refused[i] == nil {
				if c := r.change(numbers[i]); c.Outcome != store.Applied {
					t.Errorf("change %d is %s after Close", c.Number, c.Outcome)
				}
				continue
			}
			if !errors.Is(refused[i], ErrStopping) || len(r.writes(p.SDKAppID)) != 0 {
				t.Errorf("app %d: %v, %d writes", p.SDKAppID, refused[i], len(r.writes(p.SDKAppID)))
			}
			if c := r.apply(p); c.Outcome != store.Applied {
				t.Errorf("the plan that was turned down ended %s", c.Outcome)
			}
		}
	})
}

// TestDeadlineOfTheWrite: an answer that does not come in time leaves the change open; the call may still land.
func TestDeadlineOfTheWrite(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		r := newRig(t, db, 4*time.Second)
		r.writeDeadline = 300 * time.Millisecond
		id := r.app(before)
		r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "update_callback", Gate: "slow"})
		c := r.apply(r.plan(id, wanted))
		want := ended{Outcome: "unknown", Cause: "timeout", Call: "update_callback", Steps: silent, Record: "old"}
		if diff := cmp.Diff(want, r.ended(c.Number)); diff != "" {
			t.Errorf("after the deadline (-want +got):\n%s", diff)
		}
		r.checkNow(c.Number)
		if got := r.change(c.Number); !got.Open() {
			t.Errorf("settled as %s while the call may still land", got.Settled)
		}
		r.sandbox.Release("slow")
		r.awaitWrite(id, 1)
		r.checkNow(c.Number)
		want.Settled, want.Steps, want.Record = "applied", silent+" settled", "new"
		if diff := cmp.Diff(want, r.ended(c.Number)); diff != "" {
			t.Errorf("after it landed (-want +got):\n%s", diff)
		}
		r.checkInvariants()
	})
}

// TestFrozenWriter: between intent and write the lease passes, so nothing is sent, whether or not another process has
// taken the row for left over.
func TestFrozenWriter(t *testing.T) {
	tests := []struct {
		taken bool
		want  ended
	}{
		{false, ended{Outcome: "not_sent", Cause: "late", Call: "update_callback", Steps: asked + " read not_sent", Record: "old"}},
		{true, ended{Outcome: "unknown", Settled: "not_applied", Cause: "left_over", Call: "update_callback", Steps: asked + " left_over read not_sent late_reply settled", Record: "old"}},
	}
	onBoth(t, func(t *testing.T, r *rig) {
		for _, test := range tests {
			id := r.app(before)
			p := r.plan(id, wanted)
			r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "get_callback", Gate: "frozen"})
			done := r.applyBeside(r.Service, p)
			r.awaitGate("frozen")
			_, st, err := r.store.Plan(r.ctx(), p.ID)
			r.must(err)
			r.pass("lease", st.Number, 0)
			if test.taken {
				stop := r.run(r.service(r.regions))
				r.until("left over", func() bool { return r.change(st.Number).Outcome == store.Unknown })
				stop()
			}
			r.sandbox.Release("frozen")
			if diff := cmp.Diff(test.want, r.ended(r.receive(done))); diff != "" {
				t.Errorf("taken %v (-want +got):\n%s", test.taken, diff)
			}
			if n := len(r.writes(id)); n != 0 {
				t.Errorf("taken %v: %d writes", test.taken, n)
			}
		}
	})
}

// TestNeverAppliedByMistake draws answers: applied needs the sandbox's word, or an answer that is exactly OK.
func TestNeverAppliedByMistake(t *testing.T) {
	const exact = `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"RequestId":"Id-1"}`
	draws(t, 15)
	onBoth(t, func(t *testing.T, r *rig) {
		rapid.Check(t, func(rt *rapid.T) {
			id := r.app(before)
			f := sandbox.Fault{SDKAppID: id, Command: "update_callback",
				Drop:        rapid.SampledFrom([]string{"", "", "", "before", "after"}).Draw(rt, "drop"),
				Apply:       rapid.SampledFrom([]string{"", "no"}).Draw(rt, "apply"),
				Status:      rapid.SampledFrom([]int{0, 0, 0, 200, 201, 502}).Draw(rt, "status"),
				CutAt:       rapid.SampledFrom([]int{0, 0, 0, 1, 40, 70}).Draw(rt, "cut"),
				Code:        rapid.SampledFrom([]int64{0, 0, 0, 100002, 100001, 1}).Draw(rt, "code"),
				NoRequestID: rapid.Bool().Draw(rt, "no id"),
			}
			if rapid.Bool().Draw(rt, "body") {
				cut := rapid.IntRange(0, len(exact)).Draw(rt, "from")
				f.Body = exact[:cut] + rapid.SampledFrom([]string{"", "0", `"`, " ", ",", "}", "\x00", "é"}).Draw(rt, "put") + exact[cut:]
			}
			r.sandbox.Script(f)
			c := r.apply(r.plan(id, wanted))
			w := r.writes(id)
			if len(w) != 1 {
				rt.Fatalf("%d writes", len(w))
			}
			said := r.answerIsExactlyOK(c)
			if c.Outcome == store.Applied && !w[0].Applied && !said {
				rt.Fatalf("applied after %+v", f)
			}
			if said != (c.Outcome == store.Applied) {
				rt.Fatalf("an answer that is exactly OK: %v, outcome %s", said, c.Outcome)
			}
			r.must(closeIfOpen(r, c))
		})
	})
}

// draws says how many draws the properties of a test get; each of these costs commits.
func draws(t *testing.T, n int) {
	t.Helper()
	f := flag.Lookup("rapid.checks")
	old := f.Value.String()
	t.Cleanup(func() {
		if err := f.Value.Set(old); err != nil {
			t.Error(err)
		}
	})
	if err := f.Value.Set(strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
}

func closeIfOpen(r *rig, c store.Change) error {
	if !c.Open() {
		return nil
	}
	return r.CloseByHand(r.ctx(), mei, c.Number, "the end of a draw")
}

// exactlyOK is the accepted answer as bytes: the two members that count exact, the two others of any name and text.
var exactlyOK = regexp.MustCompile(`^\s*\{\s*"ActionStatus"\s*:\s*"OK"\s*,\s*"[^"\\\x00-\x1f]*"\s*:\s*"[^"\\\x00-\x1f]*"\s*,\s*"ErrorCode"\s*:\s*0\s*,\s*"[^"\\\x00-\x1f]*"\s*:\s*"[^"\\\x00-\x1f]*"\s*\}\s*$|^\{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0\}\s*$`)

func (r *rig) answerIsExactlyOK(c store.Change) bool {
	r.t.Helper()
	e, err := storetest.Exchange(r.ctx(), r.store, c.Number)
	r.must(err)
	return c.HTTPStatus != nil && *c.HTTPStatus == 200 && exactlyOK.Match(e.Answer)
}

// messageLog gives what is logged to a channel.
type messageLog struct {
	slog.Handler
	seen chan string
}

func (m messageLog) Enabled(context.Context, slog.Level) bool { return true }

func (m messageLog) WithAttrs([]slog.Attr) slog.Handler { return m }

func (m messageLog) Handle(_ context.Context, r slog.Record) error {
	m.seen <- r.Message
	return nil
}

// TestOutcomeIsWrittenAgain: while the store refuses the outcome, the commit is repeated and the call is not; when the
// process ends meanwhile, the next one settles the row.
func TestOutcomeIsWrittenAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		rename := func(from, to string) {
			_, err := r.raw.ExecContext(r.ctx(), "ALTER TABLE "+from+" RENAME TO "+to)
			r.must(err)
		}
		for _, ends := range []bool{false, true} {
			id, s := r.app(before), r.service(r.regions)
			seen := make(chan string, 1000)
			s.log = slog.New(messageLog{slog.DiscardHandler, seen})
			p := r.plan(id, wanted)
			r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "update_callback", Gate: "store"})
			done := r.applyBeside(s, p)
			r.awaitGate("store")
			rename("change_steps", "away")
			r.sandbox.Release("store")
			r.until("a refused commit", func() bool {
				return len(seen) > 0 && <-seen == "an outcome could not be written yet; trying again"
			})
			if ends {
				ctx, cancel := context.WithCancel(r.ctx())
				cancel()
				s.Close(ctx)
				s.Close(context.Background())
			}
			rename("away", "change_steps")
			number := r.receive(done)
			if ends {
				if c := r.change(number); c.Outcome != store.Pending {
					t.Errorf("the process ended before the commit, and the change is %s", c.Outcome)
				}
				r.pass("lease", number, 0)
				stop := r.run(r.Service)
				r.until("the next process", func() bool { return r.change(number).Settled == store.Applied })
				stop()
			} else if c := r.change(number); c.Outcome != store.Applied || c.RequestID == "" {
				t.Errorf("after the store came back the change is %s", c.Outcome)
			}
			if n := len(r.writes(id)); n != 1 {
				t.Errorf("%d writes", n)
			}
		}
	})
}
