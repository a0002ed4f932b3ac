package changes

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
)

// lost makes a change whose answer never came; nothing was applied.
func (r *rig) lost(id int64) store.Change {
	r.t.Helper()
	r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "update_callback", Drop: "before"})
	c := r.apply(r.plan(id, wanted))
	if c.Outcome != store.Unknown {
		r.t.Fatalf("the lost change is %s", c.Outcome)
	}
	return c
}

// leave writes an intent as a process does that dies right after it.
func (r *rig) leave(id int64) int64 {
	r.t.Helper()
	attempt, err := draw()
	r.must(err)
	number, made, err := r.store.OpenChange(r.ctx(), mei, store.Intent{Plan: r.plan(id, wanted), Host: "h", Attempt: attempt, Lease: time.Minute})
	r.must(err)
	if !made {
		r.t.Fatal("no change was made")
	}
	return number
}

// TestLoopSettles lets the loop find unknown and left-over changes, with the cloud in every state.
func TestLoopSettles(t *testing.T) {
	tests := []struct {
		name   string
		left   bool // left over by a dead process, else unknown
		cloud  store.Configuration
		grace  bool // whether the grace is over
		want   string
		record string // digest afterwards
		drifts int
	}{
		{"unknown, applied", false, wanted, false, "applied", wanted.Digest(), 0},
		{"unknown, applied after the grace", false, wanted, true, "applied", wanted.Digest(), 0},
		{"unknown, as before within the grace", false, before, false, "", before.Digest(), 0},
		{"unknown, as before", false, before, true, "not_applied", before.Digest(), 0},
		{"unknown, something else", false, other, false, "overtaken", before.Digest(), 1},
		{"unknown, deleted", false, store.None, true, "overtaken", before.Digest(), 1},
		{"left over, applied", true, wanted, false, "applied", wanted.Digest(), 0},
		{"left over, as before within the grace", true, before, false, "", before.Digest(), 0},
		{"left over, as before", true, before, true, "not_applied", before.Digest(), 0},
		{"left over, something else", true, other, true, "overtaken", before.Digest(), 1},
	}
	onBoth(t, func(t *testing.T, r *rig) {
		numbers := make([]int64, len(tests))
		for i, test := range tests {
			id := r.app(before)
			over := time.Duration(0)
			if test.grace {
				over = time.Hour
			}
			if test.left {
				numbers[i] = r.leave(id)
				r.pass("lease", numbers[i], over)
			} else {
				numbers[i] = r.lost(id).Number
				if test.grace {
					r.pass("grace", numbers[i], 0)
				}
			}
			r.cloud(id, test.cloud)
		}
		stop := r.run(r.Service)
		defer stop()
		for i, test := range tests {
			number := numbers[i]
			r.until(test.name, func() bool {
				c := r.change(number)
				return c.Settled != "" || (test.want == "" && c.Outcome == store.Unknown && len(r.reads(c.SDKAppID)) > 1)
			})
			c := r.change(number)
			if c.Settled != test.want || c.Outcome != store.Unknown || c.Open() != (test.want == "") {
				t.Errorf("%s: outcome %s, settled %q", test.name, c.Outcome, c.Settled)
			}
			cause := map[bool]string{false: "cut", true: "left_over"}[test.left]
			if steps := r.steps(number); c.Cause != cause || strings.Count(steps, "left_over") != strings.Count(cause, "left_over") {
				t.Errorf("%s: cause %s, steps %s", test.name, c.Cause, steps)
			}
			if test.want != "" && (c.ReadBack != test.cloud.Digest() || c.SettledAt == 0) {
				t.Errorf("%s: read back %q", test.name, c.ReadBack)
			}
			r.until(test.name+", drift", func() bool { return len(r.drifts(c.SDKAppID)) == test.drifts })
			if a := r.find(c.SDKAppID); a.Record != test.record || (a.Drift != 0) != (test.drifts > 0) {
				t.Errorf("%s: our record is %s, drift %d", test.name, a.Record, a.Drift)
			}
		}
	})
}

// TestDriftIsJudgedAfterSettlement: while a change is open a difference is no drift; then it is one, with the read that
// found it.
func TestDriftIsJudgedAfterSettlement(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		c := r.lost(id)
		r.cloud(id, other)
		r.look(id)
		if n := len(r.drifts(id)); n != 0 || r.find(id).Drift != 0 {
			t.Errorf("%d drifts while the change is open", n)
		}
		r.checkNow(c.Number)
		drifts := r.drifts(id)
		if len(drifts) != 1 {
			t.Fatalf("%d drifts after it was settled", len(drifts))
		}
		reads := r.reads(id)
		last := reads[len(reads)-1]
		d := drifts[0]
		if d.Previous != before.Digest() || d.Found != other.Digest() || d.RequestID != last.RequestID || d.Actor != store.Console || d.Host == "" || ParseSummary(d.Summary) != (Summary{URL: true}) {
			t.Errorf("drift %+v, the read was %s", d, last.RequestID)
		}
		if v := r.look(id); v.Reading.Drift != d.Number || v.Reading.RequestID == "" || len(r.drifts(id)) != 1 {
			t.Errorf("the reading %+v", v.Reading)
		}
	})
}

// TestReadBack: after applied the cloud is read once, and what it holds is told even when it is something else.
func TestReadBack(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		for _, test := range []struct {
			name   string
			holds  store.Configuration
			drifts int
		}{{"as sent", wanted, 0}, {"something else", other, 1}, {"none", store.None, 1}} {
			id := r.app(before)
			c := r.apply(r.plan(id, wanted))
			if reads := len(r.reads(id)); c.ReadBack != "" || reads != 2 {
				t.Errorf("%s: Apply read back itself: %d reads", test.name, reads)
			}
			r.cloud(id, test.holds)
			stop := r.run(r.Service)
			r.until("the read-back", func() bool { return r.change(c.Number).ReadBackAt != 0 })
			stop()
			got := r.change(c.Number)
			if got.ReadBack != test.holds.Digest() || got.NextCheckAt != 0 || got.State() != store.Applied {
				t.Errorf("%s: read back %s, next %d, %s", test.name, got.ReadBack, got.NextCheckAt, got.State())
			}
			if n := len(r.drifts(id)); n != test.drifts || len(r.reads(id)) != 3 {
				t.Errorf("%s: %d drifts, %d reads", test.name, n, len(r.reads(id)))
			}
			r.must(r.ReadBackNow(r.ctx(), c.Number))
			if len(r.reads(id)) != 3 {
				t.Errorf("%s: it was read back twice", test.name)
			}
		}
	})
}

// TestReadBackGivesUp: looks at a change that is not open end after a while when they tell nothing.
func TestReadBackGivesUp(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		c := r.apply(r.plan(id, wanted))
		r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "get_callback", Code: 60010, Times: -1})
		for range readBackTries + 3 {
			r.must(r.ReadBackNow(r.ctx(), c.Number))
		}
		got := r.change(c.Number)
		if got.Checks != readBackTries || got.NextCheckAt != 0 || text(got.CheckCode) != "60010" || got.ReadBack != "" || got.CheckedAt == 0 {
			t.Errorf("%d checks, next %d, code %s", got.Checks, got.NextCheckAt, text(got.CheckCode))
		}
	})
}

// TestAPIDownThenUp: an open change waits without end, and is settled once the API answers.
func TestAPIDownThenUp(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		c := r.lost(id)
		r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "get_callback", Status: 502, Times: -1})
		for range readBackTries + 3 {
			r.checkNow(c.Number)
		}
		got := r.change(c.Number)
		if !got.Open() || got.Checks != readBackTries+3 || got.CheckFault != "status" || got.CheckCode != nil || got.NextCheckAt == 0 {
			t.Errorf("while down: %+v", got)
		}
		if v := r.find(id); v.FailedAt == 0 || v.FailedFault != "status" {
			t.Errorf("the app: %+v", v)
		}
		if state := StateOf(r.find(id), &before); state != Unreadable {
			t.Errorf("the app is %s", state)
		}
		r.sandbox.ClearFaults()
		r.pass("grace", c.Number, 0)
		r.due(c.Number)
		stop := r.run(r.Service)
		r.until("settled", func() bool { return r.change(c.Number).Settled == store.NotApplied })
		stop()
		if v := r.find(id); v.FailedAt != 0 {
			t.Error("the app still counts as unreadable")
		}
	})
}

// TestNoTarget: a region that this process does not know, or a key that it cannot read, puts the look off.
func TestNoTarget(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		c := r.lost(id)
		s := r.service(directory(t, ""))
		r.must(s.CheckNow(r.ctx(), mei, c.Number))
		if got := r.change(c.Number); !got.Open() || got.Checks != 1 || got.CheckFault != "region" {
			t.Errorf("%d checks, fault %q", got.Checks, got.CheckFault)
		}
		if _, err := s.Look(r.ctx(), mei, id); !errors.Is(err, ErrNoRegion) {
			t.Errorf("Look: %v", err)
		}
		p := r.plan(r.app(before), wanted)
		if _, err := s.Apply(r.ctx(), mei, p.SDKAppID, p.ID, nil); !errors.Is(err, ErrNoRegion) {
			t.Errorf("Apply: %v", err)
		}
	})
}

func TestCheckNowAndCloseByHandRefuse(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		done := r.apply(r.plan(r.app(before), wanted))
		pending := r.leave(r.app(before))
		due := r.change(pending).NextCheckAt
		for _, test := range []struct {
			number       int64
			check, close error
		}{
			{done.Number, ErrNotOpen, ErrNotOpen},
			{pending, nil, ErrNotOpen},
			{99999, store.ErrNotFound, ErrNotOpen},
		} {
			reads := len(r.sandbox.Journal())
			if err := r.CheckNow(r.ctx(), mei, test.number); !errors.Is(err, test.check) {
				t.Errorf("CheckNow(%d) = %v", test.number, err)
			}
			if err := r.CloseByHand(r.ctx(), mei, test.number, "x"); !errors.Is(err, test.close) {
				t.Errorf("CloseByHand(%d) = %v", test.number, err)
			}
			if len(r.sandbox.Journal()) != reads {
				t.Errorf("change %d was looked at", test.number)
			}
		}
		if c := r.change(pending); c.Outcome != store.Pending || c.NextCheckAt != due {
			t.Errorf("the pending change is %s, its next check %d, was %d", c.Outcome, c.NextCheckAt, due)
		}
	})
}

// TestCloseByHand leaves our record alone and asks for a reading.
func TestCloseByHand(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		for _, test := range []struct {
			name   string
			cloud  store.Configuration
			drifts int
		}{{"as before", before, 0}, {"as wanted", wanted, 1}, {"something else", other, 1}} {
			id := r.app(before)
			c := r.lost(id)
			r.must(r.CloseByHand(r.ctx(), mei, c.Number, "we know"))
			r.cloud(id, test.cloud)
			got := r.change(c.Number)
			if got.Settled != store.Overtaken || got.Open() || r.find(id).Record != before.Digest() {
				t.Errorf("%s: settled %q, record %s", test.name, got.Settled, r.find(id).Record)
			}
			if err := r.CloseByHand(r.ctx(), mei, c.Number, "again"); !errors.Is(err, ErrNotOpen) {
				t.Errorf("%s: closed again: %v", test.name, err)
			}
			stop := r.run(r.Service)
			r.until("the reading", func() bool { return r.change(c.Number).ReadBackAt != 0 })
			stop()
			if a := r.find(id); a.Record != before.Digest() || len(r.drifts(id)) != test.drifts || r.change(c.Number).ReadBack != test.cloud.Digest() {
				t.Errorf("%s: record %s, %d drifts", test.name, a.Record, len(r.drifts(id)))
			}
			if c := r.apply(r.plan(id, config("https://hooks.example.test/live", createRoom, follow))); c.Outcome != store.Applied {
				t.Errorf("%s: the next change ended %s %s", test.name, c.Outcome, c.Cause)
			}
		}
	})
}

// TestLateWriter: the lease passes while the answer is held, another process takes the row for left over and perhaps
// settles it, and then the answer comes.
func TestLateWriter(t *testing.T) {
	answers := map[string]sandbox.Fault{"applied": {}, "refused": {Code: 100002}, "maybe": {Code: 100001, Apply: "yes"}, "dropped": {Drop: "after"}, "dropped before": {Drop: "before"}}
	// What another process makes of the row while the answer is held.
	meanwhile := map[string]func(*rig, *Service, store.Change){
		"": func(*rig, *Service, store.Change) {},
		"applied": func(r *rig, s *Service, c store.Change) {
			r.cloud(c.SDKAppID, wanted)
			r.must(s.CheckNow(r.ctx(), mei, c.Number))
		},
		"not_applied": func(r *rig, s *Service, c store.Change) {
			r.pass("grace", c.Number, 0)
			r.must(s.CheckNow(r.ctx(), mei, c.Number))
		},
		"overtaken": func(r *rig, s *Service, c store.Change) {
			r.cloud(c.SDKAppID, other)
			r.must(s.CheckNow(r.ctx(), mei, c.Number))
		},
		"by hand": func(r *rig, s *Service, c store.Change) { r.must(s.CloseByHand(r.ctx(), mei, c.Number, "x")) },
	}
	settled := map[string]string{"applied": "applied", "not_applied": "not_applied", "overtaken": "overtaken", "by hand": "overtaken"}
	late := map[string]string{"applied": "applied", "refused": "not_applied"}
	onBoth(t, func(t *testing.T, r *rig) {
		second := r.service(r.regions)
		stop := r.run(second)
		var numbers []int64
		for answer, fault := range answers {
			for between, act := range meanwhile {
				name := fmt.Sprintf("%s, meanwhile %q", answer, between)
				id := r.app(before)
				p := r.plan(id, wanted)
				fault.SDKAppID, fault.Command, fault.Gate = id, "update_callback", name
				r.sandbox.Script(fault)
				done := r.applyBeside(r.Service, p)
				r.awaitGate(name)
				_, st, err := r.store.Plan(r.ctx(), p.ID)
				r.must(err)
				r.pass("lease", st.Number, 0)
				second.poke()
				r.until(name, func() bool { return r.change(st.Number).Outcome == store.Unknown })
				// The loop looks at once; what it finds within the grace tells nothing.
				r.until(name, func() bool { return len(r.reads(id)) >= 3 })
				act(r, second, r.change(st.Number))
				r.sandbox.Release(name)
				r.receive(done)
				want := settled[between]
				if between == "" {
					want = late[answer]
				}
				if between == "" && want == "" {
					// No definite answer: reading back decides.
					want = map[bool]string{true: "applied", false: "not_applied"}[answer != "dropped before"]
					r.pass("grace", st.Number, 0)
					r.must(ignore(second.CheckNow(r.ctx(), mei, st.Number), ErrNotOpen))
				}
				got := r.change(st.Number)
				if got.Settled != want || got.Outcome != store.Unknown || got.Cause != store.CauseLeftOver {
					t.Errorf("%s: outcome %s %s, settled %q, want %q", name, got.Outcome, got.Cause, got.Settled, want)
				}
				if got.Open() {
					t.Errorf("%s: still open", name)
				}
				steps := r.steps(st.Number)
				for step, n := range map[string]int{"left_over": 1, "late_reply": 1, "settled": 1, "sent": 1} {
					if strings.Count(" "+steps+" ", " "+step+" ") != n {
						t.Errorf("%s: steps %s", name, steps)
					}
				}
				if _, err := storetest.Exchange(r.ctx(), r.store, st.Number); err != nil || (got.RequestID != "") != !strings.HasPrefix(answer, "dropped") {
					t.Errorf("%s: exchange %v, RequestId %q", name, err, got.RequestID)
				}
				if a := r.find(id); (a.Record == wanted.Digest()) != (want == store.Applied) {
					t.Errorf("%s: our record is %s", name, a.Record)
				}
				numbers = append(numbers, st.Number)
			}
		}
		stop()
		for _, number := range numbers {
			if c := r.change(number); len(r.writes(c.SDKAppID)) != 1 {
				t.Errorf("change %d wrote %d times", number, len(r.writes(c.SDKAppID)))
			}
		}
	})
}

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}

// TestTwoProcesses applies different plans of few apps at once through two services, with faults, while both loops run.
func TestTwoProcesses(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		services := []*Service{r.Service, r.service(r.regions)}
		var plans []store.Plan
		var ids []int64
		for range 3 {
			id := r.app(before)
			ids = append(ids, id)
			r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "update_callback", Drop: "after"})
			r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "update_callback", Code: 100002})
			for i := range 8 {
				plans = append(plans, r.plan(id, config(fmt.Sprintf("https://hooks.example.test/%d", i), createRoom)))
			}
		}
		stops := []func(){r.run(services[0]), r.run(services[1])}
		refused := make([]error, 2*len(plans))
		var posts sync.WaitGroup
		for i, p := range plans {
			ticks := r.allTicks(p)
			for j, s := range services {
				posts.Go(func() {
					_, err := s.Apply(r.ctx(), mei, p.SDKAppID, p.ID, ticks)
					refused[2*i+j] = err
				})
			}
		}
		posts.Wait()
		for i, err := range refused {
			var open *store.OpenChangeError
			if err != nil && !errors.As(err, &open) {
				t.Errorf("post %d: %v", i, err)
			}
		}
		for _, id := range ids {
			r.until("everything is settled", func() bool {
				list, err := r.store.History(r.ctx(), store.Filter{SDKAppID: id, Limit: 100})
				r.must(err)
				for _, c := range list {
					if c.Open() {
						return false
					}
				}
				return len(list) > 0
			})
			r.compareRecord(id)
		}
		for _, stop := range stops {
			stop()
		}
	})
}

// compareRecord: nobody else writes, so our record is what the cloud has, and there is no drift.
func (r *rig) compareRecord(id int64) {
	r.t.Helper()
	if a := r.find(id); a.Record != r.holds(id).Digest() || a.Drift != 0 || len(r.drifts(id)) != 0 {
		r.t.Errorf("app %d: our record is %s, the cloud has %v, drift %d", id, a.Record, r.holds(id), a.Drift)
	}
}

// TestLoopStops with looks under way.
func TestLoopStops(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		c := r.lost(id)
		was := r.ended(c.Number)
		r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "get_callback", Gate: "look"})
		stop := r.run(r.Service)
		r.awaitGate("look")
		stop()
		r.sandbox.Release("look")
		if diff := cmp.Diff(was, r.ended(c.Number)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		r.pass("grace", c.Number, 0)
		r.checkNow(c.Number)
	})
}
