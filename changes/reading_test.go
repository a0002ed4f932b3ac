package changes

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"callboard/sandbox"
	"callboard/store"
	"callboard/tencent"
)

func TestStateOf(t *testing.T) {
	none := store.None
	for i, test := range []struct {
		app     store.App
		current *store.Configuration
		want    State
	}{
		{store.App{}, nil, NeverRead},
		{store.App{FailedAt: 1}, nil, Unreadable},
		{store.App{FailedAt: 1, Drift: 1}, &before, Unreadable},
		{store.App{Drift: 1}, &before, Drifted},
		{store.App{Drift: 1}, &none, Drifted},
		{store.App{}, &none, NotConfigured},
		{store.App{}, &before, InStep},
	} {
		if got := StateOf(test.app, test.current); got != test.want {
			t.Errorf("row %d: %s, want %s", i, got, test.want)
		}
	}
}

// TestLook reads, keeps the reading, and finds drift once per interval.
func TestLook(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		for i, test := range []struct {
			cloud  store.Configuration
			same   bool // whether the interval goes on
			drifts int
			drift  bool
		}{
			{before, true, 0, false}, {other, false, 1, true}, {other, true, 1, true}, {store.None, false, 2, true}, {before, false, 2, false}, {other, false, 3, true},
		} {
			last := r.find(id).ReadingID
			r.cloud(id, test.cloud)
			v := r.look(id)
			if !v.Fresh || v.Rested || v.Reply == nil || !v.Reading.Configuration.Equal(test.cloud) || v.Reading.RequestID == "" || (v.Reading.ID == last) != test.same {
				t.Errorf("row %d: %+v", i, v)
			}
			if len(r.drifts(id)) != test.drifts || (v.App.Drift != 0) != test.drift || v.App.Record != before.Digest() {
				t.Errorf("row %d: %d drifts, %d is open", i, len(r.drifts(id)), v.App.Drift)
			}
		}
	})
}

// TestFailedLook keeps the last reading and says that it is old.
func TestFailedLook(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		for _, test := range []struct {
			fault sandbox.Fault
			code  string
			kind  string
		}{
			{sandbox.Fault{Code: 70009}, "70009", ""}, {sandbox.Fault{Code: 100001}, "100001", ""}, {sandbox.Fault{Drop: "before"}, "", "cut"}, {sandbox.Fault{Status: 500}, "", "status"},
			{sandbox.Fault{Body: `{"ActionStatus":"OK","ErrorCode":0,"Response":{"Url":5}}`}, "0", "shape"},
		} {
			test.fault.SDKAppID, test.fault.Command = id, "get_callback"
			r.sandbox.Script(test.fault)
			v := r.look(id)
			if v.Fresh || v.Reading == nil || !v.Reading.Configuration.Equal(before) || v.App.FailedAt == 0 || text(v.App.FailedCode) != test.code || v.App.FailedFault != test.kind {
				t.Errorf("%+v: %+v, code %s, fault %q", test.fault, v, text(v.App.FailedCode), v.App.FailedFault)
			}
			if v := r.look(id); !v.Fresh || v.App.FailedAt != 0 {
				t.Errorf("after %+v: %+v", test.fault, v)
			}
		}
		if _, err := r.Look(r.ctx(), mei, 5); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an unknown app: %v", err)
		}
	})
}

// TestNeverRead: without any reading there is nothing to show, and nothing can be planned.
func TestNeverRead(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.must(r.store.AddApp(r.ctx(), mei, store.AppSettings{SDKAppID: 7, Name: "Seven", Region: "play", Identifier: "administrator", Environment: store.Test, Secret: "x"}))
		v := r.look(7)
		if v.Fresh || v.Reading != nil || text(v.App.FailedCode) != "70020" {
			t.Errorf("%+v", v)
		}
		var list Problems
		if _, err := r.MakePlan(r.ctx(), mei, Proposal{SDKAppID: 7, URL: "https://h.example/", Reason: "r"}); !errors.As(err, &list) || problems(list) != "reading no_reading" {
			t.Errorf("MakePlan: %v", err)
		}
	})
}

// TestHostRest: pages leave a host alone for 30 s that did not answer; a person's own look always tries.
func TestHostRest(t *testing.T) {
	type look struct {
		polite bool
		fault  sandbox.Fault
		move   time.Duration // before the look
		gone   bool          // the person leaves before the answer
		calls  int
		rested bool
	}
	silent := sandbox.Fault{Drop: "before"}
	tests := map[string][]look{
		"an answer":                {{polite: true, calls: 1}, {polite: true, calls: 1}},
		"no answer":                {{polite: true, fault: silent, calls: 1}, {polite: true, rested: true}, {polite: true, move: hostRest - time.Second, rested: true}, {polite: true, move: time.Second, calls: 1}},
		"no API answer":            {{polite: true, fault: sandbox.Fault{Status: 502}, calls: 1}, {polite: true, rested: true}},
		"half an answer":           {{polite: true, fault: sandbox.Fault{CutAt: 10}, calls: 1}, {polite: true, rested: true}},
		"any code is an answer":    {{polite: true, fault: sandbox.Fault{Code: 70009}, calls: 1}, {polite: true, calls: 1}},
		"none is an answer":        {{polite: true, fault: sandbox.Fault{Code: 100301}, calls: 1}, {polite: true, calls: 1}},
		"a person's own look":      {{fault: silent, calls: 1}, {polite: true, rested: true}, {fault: silent, calls: 1}, {calls: 1}, {polite: true, calls: 1}},
		"silence starts anew":      {{fault: silent, calls: 1}, {move: hostRest / 2, fault: silent, calls: 1}, {polite: true, move: hostRest - time.Second, rested: true}},
		"an answer ends the rest":  {{fault: silent, calls: 1}, {fault: sandbox.Fault{Code: 60010}, calls: 1}, {polite: true, calls: 1}},
		"who leaves tells nothing": {{polite: true, fault: sandbox.Fault{Gate: "leave"}, gone: true, calls: 1}, {polite: true, calls: 1}},
	}
	onBoth(t, func(t *testing.T, r *rig) {
		for name, looks := range tests {
			r.clock.move(time.Hour)
			id := r.app(before)
			for i, l := range looks {
				r.clock.move(l.move)
				l.fault.SDKAppID, l.fault.Command = id, "get_callback"
				if l.fault != (sandbox.Fault{SDKAppID: id, Command: "get_callback"}) {
					r.sandbox.Script(l.fault)
				}
				calls := len(r.reads(id))
				v := r.lookAs(id, l.polite, l.gone)
				if n := len(r.reads(id)) - calls; n != l.calls || v.Rested != l.rested {
					t.Errorf("%s, look %d: %d calls, rested %v", name, i, n, v.Rested)
				}
				if !l.gone && (v.Reading == nil || v.Reading.Configuration.IsNone() == v.Reading.Configuration.Equal(before)) {
					t.Errorf("%s, look %d: reading %+v", name, i, v.Reading)
				}
			}
		}
	})
}

// lookAs looks politely or not; gone leaves while the call stands at the gate "leave".
func (r *rig) lookAs(id int64, polite, gone bool) View {
	r.t.Helper()
	ctx, leave := context.WithCancel(r.ctx())
	defer leave()
	f := r.Look
	if polite {
		f = r.Peek
	}
	if !gone {
		v, err := f(ctx, mei, id)
		r.must(err)
		return v
	}
	done := make(chan error, 1)
	go func() {
		_, err := f(ctx, mei, id)
		done <- err
	}()
	r.awaitGate("leave")
	leave()
	if err := <-done; err == nil {
		r.t.Error("a look that nobody waits for succeeded")
	}
	calls := len(r.reads(id))
	r.sandbox.Release("leave")
	r.until("the call", func() bool { return len(r.reads(id)) > calls })
	return View{}
}

// TestArchivedRests: pages of archived apps make no calls.
func TestArchivedRests(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		r.must(r.store.ArchiveApp(r.ctx(), mei, id, true))
		calls := len(r.reads(id))
		v, err := r.Peek(r.ctx(), mei, id)
		if err != nil || !v.Rested || !v.Reading.Configuration.Equal(before) || len(r.reads(id)) != calls {
			t.Errorf("%+v, %v", v, err)
		}
		if v := r.look(id); !v.Fresh {
			t.Error("a person's own look made no call")
		}
	})
}

// TestHeldBackCallsSayNothingOfTheHost: a read that this console itself did not send is no silence.
func TestHeldBackCallsSayNothingOfTheHost(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id, another := r.app(before), r.app(before)
		a := r.find(id)
		settings := store.AppSettings{SDKAppID: id, Name: a.Name, Region: a.Region, Identifier: "", Environment: a.Environment}
		r.must(r.store.UpdateApp(r.ctx(), mei, a.Version, settings))
		v := r.look(id)
		if v.Fresh || v.Reply.Fault != "sign" || v.App.FailedFault != "sign" {
			t.Errorf("the look's fault is %q, the app's %q", v.Reply.Fault, v.App.FailedFault)
		}
		if v, err := r.Peek(r.ctx(), mei, another); err != nil || v.Rested {
			t.Errorf("another app on the host rests: %v", err)
		}
	})
}

func TestAnswerThatComesTooLateTellsNothing(t *testing.T) {
	answer := tencent.Reply{Call: tencent.CallGetCallback, Host: "h.example", HasCode: true, Ending: tencent.Accepted, HTTPStatus: 200, RequestID: "Id-1", Answer: []byte("{}")}
	none := tencent.Reply{Call: tencent.CallGetCallback, Ending: tencent.NotSent, Fault: tencent.FaultConnect}
	late := tencent.Reply{Call: tencent.CallGetCallback, Host: "h.example", Ending: tencent.Unknown, Fault: tencent.FaultTimeout}
	for _, row := range []struct {
		name string
		r    tencent.Reply
		took time.Duration
		want tencent.Reply
	}{
		{"in time", answer, time.Second, answer},
		{"by a process that was frozen", answer, time.Hour, late},
		{"no answer", none, time.Hour, none},
	} {
		if got := inTime(row.r, time.Now().Add(-row.took), time.Minute); !cmp.Equal(got, row.want) {
			t.Errorf("%s: %s", row.name, cmp.Diff(row.want, got))
		}
	}
}

// TestANewerAnswerIsShown holds one look up at Tencent while another begins an interval: what the first is told is newer
// than that, and is what its page shows as the cloud's.
func TestANewerAnswerIsShown(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "get_callback", Gate: "newer"})
		shown := make(chan View, 1)
		go func() {
			v, err := r.Peek(r.ctx(), mei, id)
			if err != nil {
				t.Errorf("Peek: %v", err)
			}
			shown <- v
		}()
		r.awaitGate("newer")
		r.cloud(id, other)
		r.look(id)
		r.cloud(id, wanted)
		r.sandbox.Release("newer")
		v := <-shown
		if !v.Fresh || !v.Reading.Configuration.Equal(wanted) || r.find(id).ReadingID != v.Reading.ID {
			t.Errorf("the cloud holds %v, shown as fresh (%v) is %v", wanted, v.Fresh, v.Reading.Configuration)
		}
	})
}

// TestARefusalIsReadAfterAnIntervalOfItsOwn has the comparison of a change begin an interval before a stranger removes
// the callback: what is read after the refusal is newer than that.
func TestARefusalIsReadAfterAnIntervalOfItsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		p := r.plan(id, wanted)
		r.cloud(id, other)
		r.look(id)
		r.cloud(id, before)
		r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "update_callback", Gate: "removed"})
		number := r.applyBeside(r.Service, p)
		r.awaitGate("removed")
		r.cloud(id, store.None)
		r.sandbox.Release("removed")
		c := r.change(r.receive(number))
		if c.Outcome != store.Refused {
			t.Errorf("the change is %s", c.Outcome)
		}
		current := func() store.Configuration {
			v, err := r.store.CurrentReading(r.ctx(), id)
			r.must(err)
			return v.Configuration
		}
		r.until("the reading of none", func() bool { return current().IsNone() })
	})
}
