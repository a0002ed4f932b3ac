package store_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"callboard/store"
	"callboard/store/storetest"
)

func TestAGuardHoldsBeforeTheCommit(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		const rename = `UPDATE apps SET name = 'Renamed'`
		cases := []struct {
			name, first, guarded string
			want                 error
			app                  string
		}{
			{"one row", rename, `UPDATE apps SET identifier = 'x'`, nil, "Renamed"},
			{"no row", rename, `UPDATE apps SET identifier = 'x' WHERE sdkappid = 5`, store.ErrMoved, "Aurora"},
			{"many rows", rename, `DELETE FROM change_steps`, store.ErrMoved, "Aurora"},
			{"the first fails", `UPDATE apps SET nothing = 1`, rename, store.ErrUnavailable, "Aurora"},
			{"the guarded fails", rename, `UPDATE apps SET nothing = 1`, store.ErrUnavailable, "Aurora"},
		}
		f.end(f.opened(confB), ending(store.Applied))
		for _, c := range cases {
			if err := store.Write(ctx(t), f.Store, c.first, c.guarded, func() {}); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
			same(t, "name: "+c.name, c.app, f.app(aurora).Name)
			f.exec(`UPDATE apps SET name = 'Aurora'`)
		}
	})
}

func TestACommitThatTheServerTurnsDownIsTold(t *testing.T) {
	f := newFixture(t, storetest.Postgres(t))
	if err := store.WriteOn(ctx(t), f.Store, `UPDATE apps SET nothing = 1`); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a commit after a failure: %v", err)
	}
	// A guard that does not hold hides what fails behind it.
	if err := store.WriteOnAfterGuard(ctx(t), f.Store, `UPDATE apps SET name = 'x' WHERE sdkappid = 5`, `UPDATE apps SET nothing = 1`); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a commit after a failure behind a guard: %v", err)
	}
	f.must(store.WriteOn(ctx(t), f.Store, `UPDATE apps SET name = 'Renamed'`))
	same(t, "the name", "Renamed", f.app(aurora).Name)
}

func TestAPanicGivesTheConnectionBack(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		store.WriterOf(f.Store).SetMaxOpenConns(1)
		func() {
			defer func() { same(t, "panic", any("in the middle"), recover()) }()
			_ = store.Write(ctx(t), f.Store, `UPDATE apps SET name = 'x'`, `UPDATE apps SET name = 'x'`, func() { panic("in the middle") })
		}()
		f.must(f.Ping(ctx(t)))
		same(t, "the name", "Aurora", f.app(aurora).Name)
	})
}

// TestWritesGoToPostgresInFewTrips counts trips, the commit among them. What is asked in the middle of a transaction, such
// as the audit's last row, costs one each.
func TestWritesGoToPostgresInFewTrips(t *testing.T) {
	f := newFixture(t, storetest.Postgres(t))
	withSession(f)
	plan := newPlan(aurora, "p")
	cases := []struct {
		name  string
		trips int
		do    func() error
	}{
		{"a reading as before", 1, func() error {
			return one(f.KeepReading(ctx(t), store.Console, store.NewReading{SDKAppID: aurora, Configuration: confA}))
		}},
		{"a session is used", 1, func() error { return f.TouchSession(ctx(t), "s1") }},
		{"a failed read", 1, func() error { return f.ReadingFailed(ctx(t), aurora, nil, "x") }},
		{"a plan", 3, func() (err error) { plan, err = f.AddPlan(ctx(t), mei, plan, confB); return err }},
		{"an intent", 4, func() error { _, _, err := f.OpenChange(ctx(t), mei, intent(plan, 7)); return err }},
		{"an outcome", 3, func() error { return f.CloseChange(ctx(t), mei, 1, ending(store.Applied)) }},
		{"housekeeping", 1, func() error { return f.DropOldLinks(ctx(t)) }},
	}
	seen := f.watched()
	for _, c := range cases {
		seen.clear()
		f.must(c.do())
		same(t, c.name, c.trips, seen.trips)
	}
}

// TestALeftStatementKeepsItsConnection has somebody leave while their statement waits for a lock.
func TestALeftStatementKeepsItsConnection(t *testing.T) {
	store.SetLeftLimit(t, time.Minute)
	f := newFixture(t, storetest.Postgres(t))
	readers := store.ReaderOf(f.Store)
	held, err := readers.Conn(ctx(t))
	f.must(err)
	defer held.Close()
	const lock = `SELECT pg_advisory_lock(7)`
	if _, err := held.ExecContext(ctx(t), lock); err != nil {
		t.Fatal(err)
	}
	other, err := readers.Conn(ctx(t))
	f.must(err)
	defer other.Close()
	process := func() (pid int) {
		f.must(other.QueryRowContext(ctx(t), `SELECT pg_backend_pid()`).Scan(&pid))
		return pid
	}
	before := process()
	leaving, leave := context.WithCancel(ctx(t))
	left := make(chan struct{})
	go func() {
		_, _ = other.ExecContext(leaving, lock) // whether it still got the lock does not matter
		close(left)
	}()
	for f.number(`SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND pid = $1`, before) == 0 {
		runtime.Gosched()
	}
	leave()
	if _, err := held.ExecContext(ctx(t), `SELECT pg_advisory_unlock(7)`); err != nil {
		t.Fatal(err)
	}
	<-left
	same(t, "the server's process", before, process())
}

// TestLightWritesTakeRowsInTheOrderOfOthers has somebody hold the row that all take first, then take the second one while a
// light write waits.
func TestLightWritesTakeRowsInTheOrderOfOthers(t *testing.T) {
	f := newFixture(t, storetest.Postgres(t))
	withSession(f)
	cases := []struct {
		name, first, second string
		light               func() error
	}{
		{"a session is used", `UPDATE users SET theme = 'dark'`, `UPDATE sessions SET browser = 'x'`, func() error { return f.TouchSession(ctx(t), "s1") }},
		{"a reading as before", `UPDATE apps SET name = 'x'`, `UPDATE readings SET request_id = 'x'`, func() error {
			return one(f.KeepReading(ctx(t), store.Console, store.NewReading{SDKAppID: aurora, Configuration: confA}))
		}},
	}
	for _, c := range cases {
		other, err := store.ReaderOf(f.Store).BeginTx(ctx(t), nil)
		f.must(err)
		_, err = other.ExecContext(ctx(t), c.first)
		f.must(err)
		ended := make(chan error)
		go func() { ended <- c.light() }()
		for f.number(`SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'`) == 0 {
			runtime.Gosched()
		}
		if _, err := other.ExecContext(ctx(t), c.second); err != nil {
			t.Errorf("%s: the second row: %v", c.name, err)
		}
		if err := other.Commit(); err != nil {
			t.Errorf("%s: the commit: %v", c.name, err)
		}
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
