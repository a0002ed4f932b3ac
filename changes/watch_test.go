package changes

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
	"callboard/tencent"
)

// watcher is one more process, which reads every app on a schedule.
func (r *rig) watcher(every time.Duration) *Service {
	r.t.Helper()
	s := r.service(r.regions)
	s.watchEvery = every
	return s
}

// places is a pool for so many looks at once.
func places(n int) pool {
	return pool{all: &sync.WaitGroup{}, places: make(chan struct{}, n)}
}

// tickOnce lets one tick of scheduled reads pass and waits for its reads.
func (r *rig) tickOnce(s *Service, p pool) {
	s.watchDue(r.ctx(), p)
	p.all.Wait()
}

// watched adds n apps that were read once, when they were added.
func (r *rig) watched(n int) []int64 {
	r.t.Helper()
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = r.app(before)
	}
	return ids
}

// scheduled counts the reads of each app since it was added, as "2 1 0".
func (r *rig) scheduled(ids []int64) string {
	r.t.Helper()
	counts := make([]string, len(ids))
	for i, id := range ids {
		counts[i] = fmt.Sprint(len(r.reads(id)) - 1)
	}
	return strings.Join(counts, " ")
}

func (r *rig) count(query string) int64 {
	r.t.Helper()
	var n int64
	r.must(r.raw.QueryRowContext(r.ctx(), query).Scan(&n))
	return n
}

// dueAgain makes the next scheduled read of every app due now.
func (r *rig) dueAgain() {
	r.t.Helper()
	_, err := r.raw.ExecContext(r.ctx(), `UPDATE apps SET watch_at = 0`)
	r.must(err)
}

// TestLoopReadsWatchedApps: the loop reads every watched app again and again, and no other; drift that it finds is entered
// once, without a person.
func TestLoopReadsWatchedApps(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		ids := r.watched(5)
		moved, failing, unwatched, archived := ids[1], ids[2], ids[3], ids[4]
		r.must(r.store.SetWatched(r.ctx(), mei, unwatched, false))
		r.must(r.store.ArchiveApp(r.ctx(), mei, archived, true))
		for _, id := range []int64{moved, unwatched, archived} {
			r.cloud(id, other)
		}
		r.sandbox.Script(sandbox.Fault{SDKAppID: failing, Command: "get_callback", Code: 60010, Times: -1})
		stop := r.run(r.watcher(time.Millisecond))
		r.until("two scheduled reads of each watched app", func() bool {
			return len(r.reads(ids[0])) > 2 && len(r.reads(moved)) > 2 && len(r.reads(failing)) > 2
		})
		stop()
		if a, b := len(r.reads(unwatched)), len(r.reads(archived)); a != 1 || b != 1 {
			t.Errorf("%d reads of an app that is not watched, %d of one that is archived", a, b)
		}
		if a := r.find(failing); a.FailedAt == 0 || text(a.FailedCode) != "60010" || a.Drift != 0 {
			t.Errorf("the app that cannot be read: failed at %d with %s, drift %d", a.FailedAt, text(a.FailedCode), a.Drift)
		}
		for _, id := range ids {
			want := 0
			if id == moved {
				want = 1
			}
			if n := len(r.drifts(id)); n != want {
				t.Errorf("app %d has %d drift entries, want %d", id, n, want)
			}
		}
		d := r.drifts(moved)[0]
		if d.Actor != store.Console || d.Previous != before.Digest() || d.Found != other.Digest() || d.RequestID == "" || r.find(moved).Drift != d.Number {
			t.Errorf("the drift entry %+v", d)
		}
	})
}

// TestWatchKeepsItsPace: a tick begins so many reads and no more, the longest due first; what was read is not due again
// for about the chosen time.
func TestWatchKeepsItsPace(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		ids := r.watched(2*watchPace + 1)
		never := r.watcher(0)
		r.tickOnce(never, places(looksAtOnce))
		s, p := r.watcher(time.Hour), places(looksAtOnce)
		total := func() int {
			n := 0
			for _, id := range ids {
				n += len(r.reads(id)) - 1
			}
			return n
		}
		for i, want := range []int{0, watchPace, 2 * watchPace, 2*watchPace + 1, 2*watchPace + 1} {
			if i > 0 {
				r.tickOnce(s, p)
			}
			if n := total(); n != want {
				t.Errorf("after tick %d there were %d reads, want %d", i, n, want)
			}
		}
		if got, want := r.scheduled(ids), strings.TrimSpace(strings.Repeat("1 ", len(ids))); got != want {
			t.Errorf("reads %s, want %s", got, want)
		}
		now := time.Now().UnixMilli()
		first, last := r.count(`SELECT MIN(watch_at) FROM apps`)-now, r.count(`SELECT MAX(watch_at) FROM apps`)-now
		if tenth := (time.Hour / 10).Milliseconds(); first == last || first < time.Hour.Milliseconds()-tenth*3/2 || last > time.Hour.Milliseconds()+tenth*3/2 {
			t.Errorf("the next reads are due in %d to %d ms", first, last)
		}
	})
}

// TestWatchWaitsForPlaces: while every place is taken by a slow host nothing is claimed, so nothing is missed.
func TestWatchWaitsForPlaces(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		ids := r.watched(4)
		r.sandbox.Script(sandbox.Fault{Command: "get_callback", Gate: "slow", Times: -1})
		s, p := r.watcher(time.Hour), places(2)
		claimed := func(when string, want int64) {
			t.Helper()
			if n := r.count(`SELECT COUNT(*) FROM apps WHERE watch_at > 0`); n != want {
				t.Errorf("%s: %d apps were claimed, want %d", when, n, want)
			}
		}
		s.watchDue(r.ctx(), p)
		claimed("the first tick", 2)
		s.watchDue(r.ctx(), p)
		claimed("with all places taken", 2)
		r.sandbox.ClearFaults()
		r.sandbox.Release("slow")
		p.all.Wait()
		r.tickOnce(s, p)
		claimed("with places again", 4)
		if got := r.scheduled(ids); got != "1 1 1 1" {
			t.Errorf("reads %s", got)
		}
	})
}

// TestTwoWatchersShare: of several processes on one database one reads an app for one due time.
func TestTwoWatchersShare(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		ids := r.watched(12)
		r.cloud(ids[0], other)
		two := []*Service{r.watcher(time.Hour), r.watcher(time.Hour)}
		pools := []pool{places(looksAtOnce), places(looksAtOnce)}
		for round := 1; round <= 2; round++ {
			r.dueAgain()
			for r.count(`SELECT COUNT(*) FROM apps WHERE watch_at = 0`) > 0 {
				var both sync.WaitGroup
				for i, s := range two {
					both.Go(func() { r.tickOnce(s, pools[i]) })
				}
				both.Wait()
			}
			if got, want := r.scheduled(ids), strings.TrimSpace(strings.Repeat(fmt.Sprint(round, " "), len(ids))); got != want {
				t.Errorf("round %d: reads %s, want %s", round, got, want)
			}
		}
		if n := len(r.drifts(ids[0])); n != 1 {
			t.Errorf("%d drift entries", n)
		}
	})
}

// onBothDeleting is onBoth for tests that delete: what a deletion leaves in the journal is compared by the test itself.
func onBothDeleting(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	storetest.Run(t, func(t *testing.T, db storetest.Database) { f(t, newRig(t, db, 20*time.Second)) })
}

// TestPutBack plans to write our record over what the cloud has, whatever that is.
func TestPutBack(t *testing.T) {
	tests := []struct {
		name        string
		ours, cloud store.Configuration
		kind, call  string
		ticks       string
		nothing     bool
	}{
		{"something else", before, other, store.KindChange, "update_callback", "", false},
		{"deleted", before, store.None, store.KindChange, "set_callback", "", false},
		{"created, and ours is none", store.None, other, store.KindDelete, "delete_callback", "off", false},
		{"in step again", before, before, store.KindChange, "update_callback", "", true},
		{"none, in step", store.None, store.None, store.KindDelete, "delete_callback", "", true},
	}
	onBothDeleting(t, func(t *testing.T, r *rig) {
		for _, test := range tests {
			id := r.app(test.ours)
			r.cloud(id, test.cloud)
			p, v, err := r.PutBack(r.ctx(), mei, id, "ours is right")
			if err != nil || !v.Fresh || v.Reading == nil || !v.Reading.Configuration.Equal(test.cloud) {
				t.Fatalf("%s: view %+v, %v", test.name, v, err)
			}
			drift := r.find(id).Drift
			if (drift != 0) == test.nothing || p.Origin != drift || p.BaseSeen != v.Reading.LastSeen || p.Base != test.cloud.Digest() || p.Wanted != test.ours.Digest() {
				t.Errorf("%s: drift %d, plan %+v", test.name, drift, p)
			}
			if p.Kind != test.kind || p.Call != test.call || p.Reason != "ours is right" || p.Who != mei.Name || strings.Join(r.allTicks(p), " ") != test.ticks {
				t.Errorf("%s: %s by %s for %q, ticks %q", test.name, p.Kind, p.Call, p.Reason, r.allTicks(p))
			}
			if test.nothing {
				if n, err := r.Apply(r.ctx(), mei, id, p.ID, nil); !errors.Is(err, ErrNothing) || n != 0 || len(r.writes(id)) != 0 {
					t.Errorf("%s: change %d, %v", test.name, n, err)
				}
				continue
			}
			c := r.apply(p)
			if c.State() != store.Applied || c.Kind != test.kind || c.Call != test.call || c.Origin != drift || !r.holds(id).Equal(test.ours) {
				t.Errorf("%s: %s %s by %s, the cloud has %v", test.name, c.Kind, c.State(), c.Call, r.holds(id))
			}
			r.oneWrite(c)
			if a := r.find(id); a.Drift != 0 || a.Record != test.ours.Digest() || a.RecordNumber != c.Number {
				t.Errorf("%s: drift %d, our record %s of %d", test.name, a.Drift, a.Record, a.RecordNumber)
			}
		}
	})
}

func TestPutBackRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		r.cloud(id, other)
		r.look(id)
		plans := func() int64 { return r.count(`SELECT COUNT(*) FROM plans`) }
		r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "get_callback", Code: 60010})
		_, v, err := r.PutBack(r.ctx(), mei, id, "because")
		if !errors.Is(err, ErrNoReading) || v.Fresh || v.Reply == nil || v.Reply.ErrorCode != 60010 || v.Reading == nil || !v.Reading.Configuration.Equal(other) {
			t.Errorf("an app that cannot be read: %+v, %v", v, err)
		}
		if _, _, err := r.PutBack(r.ctx(), mei, 1499999999, "because"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an unknown app: %v", err)
		}
		r.must(r.store.ArchiveApp(r.ctx(), mei, id, true))
		if _, _, err := r.PutBack(r.ctx(), mei, id, "because"); !errors.Is(err, store.ErrArchived) {
			t.Errorf("an archived app: %v", err)
		}
		if n := plans(); n != 0 || len(r.writes(id)) != 0 {
			t.Errorf("%d plans, %d writes", n, len(r.writes(id)))
		}
	})
}

// oneWrite compares the one write of a change with the journal.
func (r *rig) oneWrite(c store.Change) {
	r.t.Helper()
	w := r.writes(c.SDKAppID)
	if len(w) != 1 || c.Attempt == nil || int64(w[0].Random) != *c.Attempt || w[0].Command != c.Call {
		r.t.Errorf("change %d by %s wrote %+v", c.Number, c.Call, w)
	}
}

func TestPlanDelete(t *testing.T) {
	long := strings.Repeat("x", maxReason+1)
	onBoth(t, func(t *testing.T, r *rig) {
		id, beside := r.app(before), r.app(other)
		read := r.find(id)
		tests := []struct {
			name    string
			reading int64
			reason  string
			want    string // problems, "" for a plan
		}{
			{"planned", read.ReadingID, "the show is over", ""},
			{"blanks around the reason", read.ReadingID, "  the show is over\n", ""},
			{"longest reason", read.ReadingID, strings.Repeat("界", maxReason), ""},
			{"no reason", read.ReadingID, "", "reason reason_missing"},
			{"blank reason", read.ReadingID, " \t", "reason reason_missing"},
			{"long reason", read.ReadingID, long, fmt.Sprintf("reason reason_long map[count:%d limit:%d]", maxReason+1, maxReason)},
			{"NUL in the reason", read.ReadingID, "a\x00", "reason reason_text"},
			{"no reading", 0, "because", "reading no_reading"},
			{"reading of another app", r.find(beside).ReadingID, "because", "reading no_reading"},
			{"neither", 0, "", "reason reason_missing, reading no_reading"},
		}
		for _, test := range tests {
			plans := r.count(`SELECT COUNT(*) FROM plans`)
			p, err := r.PlanDelete(r.ctx(), mei, id, test.reading, test.reason)
			var list Problems
			if errors.As(err, &list); problems(list) != test.want || (err != nil) != (test.want != "") {
				t.Errorf("%s: %v: %s", test.name, err, problems(list))
			}
			if err != nil {
				if n := r.count(`SELECT COUNT(*) FROM plans`); n != plans {
					t.Errorf("%s: a plan was stored", test.name)
				}
				continue
			}
			v := r.look(id)
			if p.Kind != store.KindDelete || p.Call != "delete_callback" || p.Base != before.Digest() || p.Wanted != store.None.Digest() || p.Region != "play" ||
				p.Origin != 0 || p.BaseSeen > v.Reading.LastSeen || p.BaseSeen < v.Reading.FirstSeen || p.Reason != strings.TrimSpace(test.reason) {
				t.Errorf("%s: plan %+v", test.name, p)
			}
			if ticks := r.allTicks(p); len(ticks) != 1 || ticks[0] != "off" {
				t.Errorf("%s: ticks %q", test.name, ticks)
			}
		}
		r.must(r.store.ArchiveApp(r.ctx(), mei, id, true))
		if _, err := r.PlanDelete(r.ctx(), mei, id, read.ReadingID, "because"); !errors.Is(err, store.ErrArchived) {
			t.Errorf("an archived app: %v", err)
		}
	})
}

// planDelete plans to delete on the newest reading.
func (r *rig) planDelete(id int64) store.Plan {
	r.t.Helper()
	p, err := r.PlanDelete(r.ctx(), mei, id, r.find(id).ReadingID, "the show is over")
	r.must(err)
	return p
}

// stateOf is how an app stands after a look.
func (r *rig) stateOf(id int64) State {
	r.t.Helper()
	v := r.look(id)
	return StateOf(v.App, &v.Reading.Configuration)
}

// TestDeleteAndResume: a deletion is one call, our record is none after it, and a new plan brings back what was there.
func TestDeleteAndResume(t *testing.T) {
	onBothDeleting(t, func(t *testing.T, r *rig) {
		id := r.app(wanted)
		p := r.planDelete(id)
		var missing TicksMissing
		if n, err := r.Apply(r.ctx(), mei, id, p.ID, nil); !errors.As(err, &missing) || n != 0 || len(r.writes(id)) != 0 {
			t.Fatalf("without its tick: change %d, %v", n, err)
		}
		c := r.apply(p)
		if c.Kind != store.KindDelete || c.State() != store.Applied || c.Call != "delete_callback" || c.Previous != wanted.Digest() || c.Wanted != store.None.Digest() || c.RequestID == "" {
			t.Errorf("the deletion %+v", c)
		}
		r.oneWrite(c)
		if w := r.writes(id)[0]; !w.Applied || w.After != nil || w.Before == nil || !r.holds(id).IsNone() {
			t.Errorf("the journal says %+v, the cloud has %v", w, r.holds(id))
		}
		if a, state := r.find(id), r.stateOf(id); a.Record != store.None.Digest() || a.RecordNumber != c.Number || a.Drift != 0 || state != NotConfigured || len(r.drifts(id)) != 0 {
			t.Errorf("our record is %s of %d, drift %d, state %s", a.Record, a.RecordNumber, a.Drift, state)
		}
		if again, _, err := r.Again(r.ctx(), mei, c.Number, ""); err != nil || again.Kind != store.KindDelete || again.Call != "delete_callback" {
			t.Errorf("deleting again: %+v, %v", again, err)
		}
		back := r.apply(r.plan(id, wanted))
		if back.Kind != store.KindChange || back.State() != store.Applied || back.Call != "set_callback" || back.Previous != store.None.Digest() || !r.holds(id).Equal(wanted) {
			t.Errorf("resuming ended %s by %s, the cloud has %v", back.State(), back.Call, r.holds(id))
		}
		if w, state := r.writes(id), r.stateOf(id); len(w) != 2 || int64(w[1].Random) != *back.Attempt || r.find(id).Record != wanted.Digest() || state != InStep {
			t.Errorf("%d writes, state %s", len(w), state)
		}
	})
}

// TestLostDelete: a deletion whose answer never came is settled by reading back, as any change is.
func TestLostDelete(t *testing.T) {
	tests := []struct {
		name   string
		drop   string
		moved  bool // somebody else writes meanwhile
		grace  bool // whether the grace is over
		state  string
		record store.Configuration
		app    State
	}{
		{"it was deleted", "after", false, false, store.Applied, store.None, NotConfigured},
		{"it was not", "before", false, true, store.NotApplied, before, InStep},
		{"it may still be", "before", false, false, store.Unknown, before, InStep},
		{"something else is there", "after", true, true, store.Overtaken, before, Drifted},
	}
	onBothDeleting(t, func(t *testing.T, r *rig) {
		for _, test := range tests {
			id := r.app(before)
			r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "delete_callback", Drop: test.drop})
			c := r.apply(r.planDelete(id))
			if c.Outcome != store.Unknown || c.Settled != "" || c.RequestID != "" || r.find(id).Record != before.Digest() {
				t.Fatalf("%s: the lost deletion is %s", test.name, c.State())
			}
			if test.moved {
				r.cloud(id, other)
			}
			if test.grace {
				r.pass("grace", c.Number, 0)
			}
			r.checkNow(c.Number)
			c = r.change(c.Number)
			if c.Outcome != store.Unknown || c.State() != test.state || c.Kind != store.KindDelete {
				t.Errorf("%s: %s, settled %q", test.name, c.Outcome, c.Settled)
			}
			r.oneWrite(c)
			if a, state := r.find(id), r.stateOf(id); a.Record != test.record.Digest() || state != test.app {
				t.Errorf("%s: our record is %s, state %s", test.name, a.Record, state)
			}
		}
	})
}

// TestDeleteRefused: the planned call is made, whatever is there by then, and a new plan wants the same.
func TestDeleteRefused(t *testing.T) {
	onBothDeleting(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "delete_callback", Code: 60010})
		c := r.apply(r.planDelete(id))
		if c.State() != store.Refused || text(c.ErrorCode) != "60010" || !r.holds(id).Equal(before) || r.find(id).Record != before.Digest() {
			t.Fatalf("%s %s, the cloud has %v", c.State(), text(c.ErrorCode), r.holds(id))
		}
		p, _, err := r.Again(r.ctx(), mei, c.Number, "")
		if err != nil || p.Kind != store.KindDelete || p.Call != string(tencent.CallDeleteCallback) || p.Origin != c.Number || p.Base != before.Digest() {
			t.Fatalf("again: %+v, %v", p, err)
		}
		if c = r.apply(p); c.State() != store.Applied || !r.holds(id).IsNone() {
			t.Errorf("again: %s, the cloud has %v", c.State(), r.holds(id))
		}
		moved := r.app(before)
		p = r.planDelete(moved)
		r.cloud(moved, other)
		if c = r.apply(p); c.Outcome != store.NotSent || c.Cause != store.CauseMoved || c.Found != other.Digest() || len(r.writes(moved)) != 0 {
			t.Errorf("a moved cloud: %s %s", c.State(), c.Cause)
		}
	})
}
