package storetest

import (
	"testing"

	"callboard/store"
)

// Changes are all entries of a store, newest first.
func Changes(t testing.TB, s *store.Store) []store.Change {
	t.Helper()
	var list []store.Change
	for f := (store.Filter{Limit: 1000}); ; f.Before = list[len(list)-1].Number {
		some, err := s.History(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, some...)
		if len(some) < f.Limit {
			return list
		}
	}
}

// Wanted is the configuration that a change asked for, the zero one where it asked for none.
func Wanted(t testing.TB, s *store.Store, c store.Change) (wanted store.Configuration) {
	t.Helper()
	if c.Wanted == "" {
		return wanted
	}
	wanted, err := s.Configuration(t.Context(), c.Wanted)
	if err != nil {
		t.Fatal(err)
	}
	return wanted
}
