package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"callboard/store"
	"callboard/store/storetest"
)

// TestPrune removes what is older than the option says, and nothing when it says for ever.
func TestPrune(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		s := pastOf(t, db)
		c := &console{store: s, log: slog.New(slog.DiscardHandler)}
		entries := func() int {
			list, err := s.Entries(t.Context(), store.Filter{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			return len(list.Entries)
		}
		for _, test := range []struct {
			keep time.Duration
			left int
		}{{0, 3}, {50 * 24 * time.Hour, 3}, {25 * 24 * time.Hour, 2}, {24 * time.Hour, 1}} {
			c.keep = test.keep
			if err := c.prune(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			if got := entries(); got != test.left {
				t.Errorf("kept for %s: %d entries are left, want %d", test.keep, got, test.left)
			}
		}
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.prune(stopped, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("a console that stops: %v", err)
		}
	})
}

// pastOf is a store with entries of 30, 20 and 10 days ago.
func pastOf(t *testing.T, db storetest.Database) *store.Store {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	s := db.Open(t, func() time.Time { return now })
	const app = 20010452
	must(s.AddApp(t.Context(), store.Console, store.AppSettings{SDKAppID: app, Name: "Aurora", Region: "singapore", Identifier: "administrator", Environment: store.Test, Secret: "k"}))
	for i, days := range []int{40, 30, 20, 10} {
		now = time.Now().AddDate(0, 0, -days)
		a, err := s.App(t.Context(), app)
		must(err)
		_, err = s.KeepReading(t.Context(), store.Console, store.NewReading{SDKAppID: app, RecordVersion: a.RecordVersion,
			Configuration: store.NewConfiguration("https://hooks.example.com/"+string(rune('a'+i)), nil)})
		must(err)
	}
	now = time.Now()
	return s
}
