package changes

import (
	"errors"
	"testing"

	"callboard/sandbox"
	"callboard/store"
)

// TestAgain repeats a change on a fresh reading; a call chosen by a person overrules what the reading says.
func TestAgain(t *testing.T) {
	tests := []struct {
		name  string
		base  store.Configuration
		fault sandbox.Fault // what the first change meets
		cloud store.Configuration
		call  string // chosen by the person
		want  string // the call that is made
		state string
		code  string
	}{
		{"refused, then good", before, sandbox.Fault{Code: 100002}, before, "", "update_callback", "applied", "0"},
		{"the cloud moved meanwhile", before, sandbox.Fault{Code: 100002}, other, "", "update_callback", "applied", "0"},
		{"deleted meanwhile", before, sandbox.Fault{Code: 100301}, store.None, "", "set_callback", "applied", "0"},
		{"created meanwhile", store.None, sandbox.Fault{Code: 100300}, before, "", "update_callback", "applied", "0"},
		{"set by hand, and there is one", before, sandbox.Fault{Code: 100301}, before, "set_callback", "set_callback", "refused", "100300"},
		{"update by hand, and there is none", store.None, sandbox.Fault{Code: 100300}, store.None, "update_callback", "update_callback", "refused", "100301"},
		{"set by hand, and there is none", store.None, sandbox.Fault{Code: 100002}, store.None, "set_callback", "set_callback", "applied", "0"},
	}
	onBoth(t, func(t *testing.T, r *rig) {
		for _, test := range tests {
			id := r.app(test.base)
			test.fault.SDKAppID, test.fault.Command = id, string(callFor(test.base))
			r.sandbox.Script(test.fault)
			first := r.apply(r.plan(id, wanted))
			r.cloud(id, test.cloud)
			p, v, err := r.Again(r.ctx(), mei, first.Number, test.call)
			if err != nil || !v.Fresh || p.Origin != first.Number || p.Call != test.want || p.Base != test.cloud.Digest() || p.Wanted != wanted.Digest() || p.Reason != "because" {
				t.Errorf("%s: plan %+v, %v", test.name, p, err)
			}
			c := r.apply(p)
			if c.State() != test.state || text(c.ErrorCode) != test.code || c.Call != test.want || c.Origin != first.Number || c.Number == first.Number {
				t.Errorf("%s: %s %s by %s", test.name, c.State(), text(c.ErrorCode), c.Call)
			}
			if w := r.writes(id); len(w) != 2 || w[1].Command != test.want || w[0].Random == w[1].Random {
				t.Errorf("%s: %+v", test.name, w)
			}
		}
	})
}

func TestAgainRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		c := r.apply(r.plan(id, wanted))
		p, _, err := r.Again(r.ctx(), mei, c.Number, "")
		r.must(err)
		if n, err := r.Apply(r.ctx(), mei, id, p.ID, nil); !errors.Is(err, ErrNothing) || n != 0 {
			t.Errorf("wanting what is there: %d, %v", n, err)
		}
		r.sandbox.Script(sandbox.Fault{SDKAppID: id, Command: "get_callback", Code: 60010})
		if _, v, err := r.Again(r.ctx(), mei, c.Number, ""); !errors.Is(err, ErrNoReading) || v.Reply == nil || v.Reply.ErrorCode != 60010 {
			t.Errorf("an app that cannot be read: %v", err)
		}
		if _, _, err := r.Again(r.ctx(), mei, 9999, ""); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an unknown change: %v", err)
		}
		r.cloud(id, other)
		r.look(id)
		drift := r.drifts(id)[0]
		if _, _, err := r.Again(r.ctx(), mei, drift.Number, ""); !errors.Is(err, ErrNothing) {
			t.Errorf("an entry that wanted nothing: %v", err)
		}
		r.must(r.store.ArchiveApp(r.ctx(), mei, id, true))
		if _, _, err := r.Again(r.ctx(), mei, c.Number, ""); !errors.Is(err, store.ErrArchived) {
			t.Errorf("an archived app: %v", err)
		}
	})
}

// TestPlanMerged settles a change that found the cloud moved.
func TestPlanMerged(t *testing.T) {
	cloud := config("https://hooks.example.test/theirs", createRoom, follow, foreign)
	mine := config("https://hooks.example.test/mine", createRoom, destroyRoom)
	tests := []struct {
		name     string
		cloud    store.Configuration
		url      string
		commands []string
		problems string
		call     string
	}{
		{"theirs", cloud, cloud.URL(), []string{createRoom, follow, destroyRoom, foreign}, "", "update_callback"},
		{"mine", cloud, mine.URL(), nil, "", "update_callback"},
		{"a word of the catalogue that neither has", cloud, mine.URL(), []string{messages}, "", "update_callback"},
		{"the callback was deleted", store.None, mine.URL(), []string{createRoom}, "", "set_callback"},
		{"no URL chosen", cloud, "", nil, "url url_choose", ""},
		{"no URL chosen, deleted", store.None, "", nil, "url url_choose", ""},
		{"the former URL", cloud, before.URL(), nil, "url url_choose", ""},
		{"a strange word and URL", cloud, "https://evil.example/", []string{"Live.X"}, "url url_choose, command unknown_word map[word:Live.X]", ""},
	}
	onBoth(t, func(t *testing.T, r *rig) {
		for _, test := range tests {
			id := r.app(before)
			p := r.plan(id, mine)
			r.cloud(id, test.cloud)
			c := r.apply(p)
			m, err := r.MergeOfChange(r.ctx(), c, 0)
			if err != nil || !m.Opened.Equal(before) || !m.Cloud.Equal(test.cloud) || !m.Mine.Equal(mine) || m.Conflict() == test.cloud.IsNone() {
				t.Errorf("%s: %+v, %v", test.name, m, err)
			}
			merged, err := r.PlanMerged(r.ctx(), mei, c.Number, 0, test.url, test.commands)
			var list Problems
			if errors.As(err, &list); problems(list) != test.problems || (err != nil) != (test.problems != "") {
				t.Errorf("%s: %v", test.name, err)
			}
			if err != nil {
				continue
			}
			if merged.Call != test.call || merged.Origin != c.Number || merged.Base != test.cloud.Digest() || merged.BaseSeen != c.EndedAt {
				t.Errorf("%s: plan %+v", test.name, merged)
			}
			want := config(test.url, test.commands...)
			if got := r.apply(merged); got.Outcome != store.Applied || !r.holds(id).Equal(want) || r.writes(id)[0].Command != test.call {
				t.Errorf("%s: %s %s, the cloud has %v", test.name, got.Outcome, got.Cause, r.holds(id))
			}
		}
	})
}

// TestPlanMergedOfStale settles a change whose plan was out of date: the cloud is what a reading says.
func TestPlanMergedOfStale(t *testing.T) {
	theirs := config("https://hooks.example.test/theirs", createRoom, follow)
	mine := config("https://hooks.example.test/mine", createRoom, destroyRoom)
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		p := r.plan(id, mine)
		r.apply(r.plan(id, theirs))
		c := r.apply(p)
		if c.Cause != store.CauseStale {
			t.Fatalf("the second change ended %s %s", c.Outcome, c.Cause)
		}
		// Nobody looked since, as far as the store knows: there are no three sides yet.
		if _, err := r.MergeOfChange(r.ctx(), c, 0); !errors.Is(err, ErrNothing) {
			t.Errorf("before a look: %v", err)
		}
		seen := r.look(id).Reading
		m, err := r.MergeOfChange(r.ctx(), c, 0)
		if err != nil || !m.Opened.Equal(before) || !m.Cloud.Equal(theirs) || !m.Mine.Equal(mine) || !m.Conflict() || m.Reading != seen.ID || m.Seen != seen.LastSeen {
			t.Errorf("%+v, %v", m, err)
		}
		// The page was opened on a reading, and stays on it when there is a newer one; the comparison of the call finds out.
		r.cloud(id, other)
		r.look(id)
		for reading, want := range map[int64]error{seen.ID: nil, 9999: ErrNothing} {
			merged, err := r.PlanMerged(r.ctx(), mei, c.Number, reading, mine.URL(), []string{createRoom})
			if !errors.Is(err, want) || err == nil && (merged.Base != theirs.Digest() || merged.BaseSeen != seen.LastSeen || merged.Origin != c.Number) {
				t.Errorf("reading %d: plan %+v, %v", reading, merged, err)
			}
			if err == nil {
				if got := r.apply(merged); got.Cause != store.CauseMoved || !r.holds(id).Equal(other) {
					t.Errorf("%s %s, the cloud has %v", got.Outcome, got.Cause, r.holds(id))
				}
			}
		}
	})
}

func TestPlanMergedRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id := r.app(before)
		done := r.apply(r.plan(id, wanted))
		r.look(id)
		p := r.plan(id, other)
		r.cloud(id, before)
		moved := r.apply(p)
		r.must(r.store.ArchiveApp(r.ctx(), mei, id, true))
		for number, want := range map[int64]error{done.Number: ErrNothing, moved.Number: store.ErrArchived, 9999: store.ErrNotFound} {
			if _, err := r.PlanMerged(r.ctx(), mei, number, 0, other.URL(), nil); !errors.Is(err, want) {
				t.Errorf("change %d: %v, want %v", number, err, want)
			}
		}
	})
}
