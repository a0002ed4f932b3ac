package torture_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
)

// writesOf are the writing calls of a journal.
func writesOf(journal []sandbox.Entry) []sandbox.Entry {
	return slices.DeleteFunc(journal, func(e sandbox.Entry) bool { return strings.HasPrefix(e.Command, "get_") })
}

// writes counts the writing calls for an app.
func (r *rig) writes(app int64) int {
	n := 0
	for _, e := range writesOf(r.box.Journal()) {
		if e.SDKAppID == app {
			n++
		}
	}
	return n
}

// call is what joins a row with the sandbox's journal.
type call struct {
	app    int64
	random int64
}

// check compares the journal with the history once everything is settled.
func (r *rig) check(s *store.Store) {
	r.t.Helper()
	writes := map[call][]sandbox.Entry{}
	for _, e := range writesOf(r.box.Journal()) {
		c := call{e.SDKAppID, int64(e.Random)}
		writes[c] = append(writes[c], e)
	}
	rows, plans, applied := map[int64]int64{}, map[string]int64{}, map[int64]store.Change{}
	for _, c := range storetest.Changes(r.t, s) {
		rows[c.Number] = c.SDKAppID
		if c.Attempt == nil {
			continue
		}
		if other := plans[c.Plan]; other != 0 {
			r.t.Errorf("changes %d and %d carry out one plan", c.Number, other)
		}
		plans[c.Plan] = c.Number
		plan, _, err := s.Plan(r.t.Context(), c.Plan)
		must(r.t, err)
		key := call{c.SDKAppID, *c.Attempt}
		r.checkChange(c, storetest.Wanted(r.t, s, c), plan.BaseSeen, writes[key])
		delete(writes, key)
		if c.State() == store.Applied && applied[c.SDKAppID].Number < c.Number {
			applied[c.SDKAppID] = c
		}
	}
	for c := range writes {
		r.t.Errorf("the call %d for app %d has no row", c.random, c.app)
	}
	for number, app := range r.shown {
		if rows[number] != app {
			r.t.Errorf("change %d of app %d was shown and is lost", number, app)
		}
	}
	for _, app := range r.apps {
		r.checkRecord(s, app, applied[app])
	}
	if number, broken, err := s.CheckAudit(r.t.Context()); err != nil || broken {
		r.t.Errorf("the audit chain at row %d: broken %v, %v", number, broken, err)
	}
}

// checkChange compares one change, whose plan was opened on a reading of the time seen, with the calls that carried its number.
func (r *rig) checkChange(c store.Change, wanted store.Configuration, seen int64, writes []sandbox.Entry) {
	r.t.Helper()
	if len(writes) > 1 {
		r.t.Errorf("change %d wrote %d times", c.Number, len(writes))
	}
	did := slices.ContainsFunc(writes, func(e sandbox.Entry) bool { return e.Applied })
	if complaint := r.judge(c, seen, len(writes) > 0, did); complaint != "" {
		r.t.Errorf("change %d (outcome %s, settled %s, cause %s) %s; the journal: %+v", c.Number, c.Outcome, c.Settled, c.Cause, complaint, writes)
	}
	for _, e := range writes {
		if e.Command != c.Call {
			r.t.Errorf("change %d says %s, %s arrived", c.Number, c.Call, e.Command)
		}
		if e.Applied && (e.After == nil || !store.NewConfiguration(e.After.Url, e.After.CallbackCommandList).Equal(wanted)) {
			r.t.Errorf("change %d wrote %v, wanted %v", c.Number, e.After, wanted)
		}
	}
}

// judge says what is wrong with an outcome, "" for nothing.
func (r *rig) judge(c store.Change, seen int64, arrived, did bool) string {
	switch {
	case c.Open():
		return "is open"
	case c.State() == store.Applied && !did:
		return "is applied, and nothing was"
	case c.Outcome == store.Refused && !arrived:
		return "is refused, and was never asked"
	case c.Outcome == store.NotSent && arrived:
		return "is not sent, and arrived"
	case (c.State() == store.Refused || c.State() == store.NotApplied) && did:
		return "is not applied, and was"
	case c.State() == store.Overtaken && !r.movedSince(c, seen):
		return "is overtaken, and nobody moved the callback"
	}
	return ""
}

// movedSince tells whether somebody else changed the callback of the change's app between the reading that its plan was
// opened on and its settlement.
func (r *rig) movedSince(c store.Change, seen int64) bool {
	from, until := time.UnixMilli(seen), time.UnixMilli(c.SettledAt+1)
	return slices.ContainsFunc(r.moved[c.SDKAppID], func(at time.Time) bool { return !at.Before(from) && !at.After(until) })
}

// checkRecord wants our record to be what was applied last, and the cloud to hold it unless somebody else moved it.
func (r *rig) checkRecord(s *store.Store, id int64, last store.Change) {
	r.t.Helper()
	app, err := s.App(r.t.Context(), id)
	must(r.t, err)
	if last.Number == 0 {
		return
	}
	if app.Record != last.Wanted || app.RecordNumber != last.Number {
		r.t.Errorf("the record of app %d is that of change %d, want change %d", id, app.RecordNumber, last.Number)
	}
	cloud, _ := r.box.Callback(id)
	since := slices.ContainsFunc(r.moved[id], func(at time.Time) bool { return at.UnixMilli() >= last.StartedAt })
	if got := store.NewConfiguration(cloud.Url, cloud.CallbackCommandList).Digest(); !since && got != last.Wanted {
		r.t.Errorf("app %d: the cloud holds %s, change %d wrote another", id, cloud.Url, last.Number)
	}
}

// TestJudge shows that each complaint is made.
func TestJudge(t *testing.T) {
	begun := time.UnixMilli(1000)
	r := &rig{moved: map[int64][]time.Time{1: {begun.Add(time.Second)}}}
	for _, c := range []struct {
		change       store.Change
		arrived, did bool
		want         string
	}{
		{store.Change{Outcome: store.Applied}, true, true, ""},
		{store.Change{Outcome: store.Applied}, true, false, "is applied, and nothing was"},
		{store.Change{Outcome: store.Unknown, Settled: store.Applied}, true, true, ""},
		{store.Change{Outcome: store.Unknown, Settled: store.Applied}, false, false, "is applied, and nothing was"},
		{store.Change{Outcome: store.Unknown, Settled: store.NotApplied}, true, false, ""},
		{store.Change{Outcome: store.Unknown, Settled: store.NotApplied}, true, true, "is not applied, and was"},
		{store.Change{Outcome: store.Unknown}, true, true, "is open"},
		{store.Change{Outcome: store.Pending}, false, false, "is open"},
		{store.Change{Outcome: store.Refused}, true, false, ""},
		{store.Change{Outcome: store.Refused}, true, true, "is not applied, and was"},
		{store.Change{Outcome: store.Refused}, false, false, "is refused, and was never asked"},
		{store.Change{Outcome: store.NotSent}, false, false, ""},
		{store.Change{Outcome: store.NotSent}, true, false, "is not sent, and arrived"},
		{store.Change{SDKAppID: 1, Outcome: store.Unknown, Settled: store.Overtaken, SettledAt: 3000}, true, true, ""},
		{store.Change{SDKAppID: 1, Outcome: store.Unknown, Settled: store.Overtaken, SettledAt: 1500}, true, true, "is overtaken, and nobody moved the callback"},
		{store.Change{SDKAppID: 2, Outcome: store.Unknown, Settled: store.Overtaken, SettledAt: 3000}, true, true, "is overtaken, and nobody moved the callback"},
	} {
		if got := r.judge(c.change, 1000, c.arrived, c.did); got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
}
