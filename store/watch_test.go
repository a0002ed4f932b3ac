package store_test

import (
	"errors"
	"fmt"
	"testing"

	"callboard/store"
	"callboard/store/storetest"
)

// seen writes a piece of evidence as text: from, until, number and configuration, in minutes since the start.
func seen(e *store.Evidence) string {
	if e == nil {
		return ""
	}
	name := map[string]string{confA.Digest(): "A", confB.Digest(): "B", confC.Digest(): "C", store.None.Digest(): "none"}[e.Configuration.Digest()]
	return fmt.Sprintf("%d-%d #%d %s", (e.From-start)/minute, (e.Until-start)/minute, e.Number, name)
}

// TestConfigurationAt follows one app through readings, an applied change, one that was lost and a deletion behind the
// console's back.
func TestConfigurationAt(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db) // minute 0: A
		f.must(f.AddApp(ctx(t), mei, settings(borea, "Borea")))
		f.later(10 * minute)
		f.read(aurora, confA) // 0-10: A
		f.read(borea, confC)  // of another app, which proves nothing
		f.later(10 * minute)
		change := f.applied(confB) // 20: set to B
		f.later(10 * minute)
		f.read(aurora, confB) // 30: B
		f.later(10 * minute)
		f.read(aurora, confB) // 30-40: B
		f.later(10 * minute)
		f.end(f.opened(confC), ending(store.Refused)) // 50: sets nothing
		f.later(10 * minute)
		f.read(aurora, store.None) // 60: none, and not seen again
		f.later(10 * minute)
		f.unknown(confC) // 70: nobody knows
		set := fmt.Sprintf("20-20 #%d B", change)
		for _, test := range []struct {
			name                 string
			app                  int64
			ms                   int64 // since the start
			proof, before, after string
		}{
			{"long before", aurora, -1e12, "", "", "0-10 #0 A"},
			{"just before the first reading", aurora, -1, "", "", "0-10 #0 A"},
			{"as it was first seen", aurora, 0, "0-10 #0 A", "", "0-10 #0 A"},
			{"within a reading", aurora, 5 * minute, "0-10 #0 A", "", set},
			{"as it was last seen", aurora, 10 * minute, "0-10 #0 A", "0-10 #0 A", set},
			{"just after", aurora, 10*minute + 1, "", "0-10 #0 A", set},
			{"as it was set", aurora, 20 * minute, "", set, set},
			{"after it was set", aurora, 25 * minute, "", set, "30-40 #0 B"},
			{"read back", aurora, 30 * minute, "30-40 #0 B", set, "30-40 #0 B"},
			{"just before it was last seen", aurora, 40*minute - 1, "30-40 #0 B", set, "60-60 #0 none"},
			{"after a refused change", aurora, 55 * minute, "", "30-40 #0 B", "60-60 #0 none"},
			{"gone", aurora, 60 * minute, "60-60 #0 none", "60-60 #0 none", "60-60 #0 none"},
			{"after an unknown change", aurora, 80 * minute, "", "60-60 #0 none", ""},
			{"far ahead", aurora, 1e14, "", "60-60 #0 none", ""},
			{"another app", borea, 10 * minute, "10-10 #0 C", "10-10 #0 C", "10-10 #0 C"},
			{"another app, before", borea, 5 * minute, "", "", "10-10 #0 C"},
			{"no app", 7, 5 * minute, "", "", ""},
		} {
			got, err := f.ConfigurationAt(ctx(t), test.app, start+test.ms)
			f.must(err)
			same(t, test.name, []string{test.proof, test.before, test.after}, []string{seen(got.Proof), seen(got.Before), seen(got.After)})
		}
	})
}

// TestConfigurationAtPicksTheNewest: readings that touch in one millisecond are told apart by their order.
func TestConfigurationAtPicksTheNewest(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.read(aurora, confB)
		f.read(aurora, confC)
		got, err := f.ConfigurationAt(ctx(t), aurora, start)
		f.must(err)
		same(t, "proof and before", []string{"0-0 #0 C", "0-0 #0 C"}, []string{seen(got.Proof), seen(got.Before)})
		same(t, "after", "0-0 #0 A", seen(got.After))
	})
}

// TestDriftSince bounds the moment of a drift by the readings on both sides.
func TestDriftSince(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.must(f.AddApp(ctx(t), mei, settings(borea, "Borea")))
		f.later(10 * minute)
		f.read(aurora, confA)
		f.later(5 * minute)
		f.read(borea, confC) // of another app, which bounds nothing
		f.later(5 * minute)
		first := f.read(aurora, confB).Drift
		f.later(10 * minute)
		f.read(aurora, confB) // prolongs, which does not move either bound
		f.later(10 * minute)
		second := f.read(aurora, confC).Drift
		f.later(10 * minute)
		f.read(aurora, confA) // back in step
		f.later(10 * minute)
		third := f.read(aurora, confB).Drift
		change := f.applied(confC)
		for _, test := range []struct {
			name             string
			app, number      int64
			earliest, latest int64 // minutes since the start
			err              error
		}{
			{"the first drift", aurora, first, 10, 20, nil},
			{"a drift of a drift", aurora, second, 30, 40, nil},
			{"after it was in step again", aurora, third, 50, 60, nil},
			{"an entry of another kind", aurora, change, 0, 0, store.ErrNotFound},
			{"of another app", borea, first, 0, 0, store.ErrNotFound},
			{"no entry", aurora, 0, 0, 0, store.ErrNotFound},
		} {
			earliest, latest, err := f.DriftSince(ctx(t), test.app, test.number)
			if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
				t.Errorf("%s: %v, want %v", test.name, err, test.err)
			}
			if err == nil {
				same(t, test.name, []int64{test.earliest, test.latest}, []int64{(earliest - start) / minute, (latest - start) / minute})
			}
		}
		f.exec(`DELETE FROM readings WHERE sdkappid = $1 AND drift_number IS NULL`, aurora)
		earliest, latest, err := f.DriftSince(ctx(t), aurora, first)
		f.must(err)
		same(t, "with no reading before", []int64{0, start + 20*minute}, []int64{earliest, latest})
	})
}
