package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"testing"
	"time"

	"callboard/store"
	"callboard/store/storetest"
)

func TestWriteOnALockedDatabaseEndsAsUnavailable(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		before := f.dump()
		lock, free := lockWriters(t, db)
		lock()
		store.SetWriteLimit(t, 300*time.Millisecond)
		// Far more than the limit, so that only a write without one is stopped by it.
		patient, cancel := context.WithTimeout(ctx(t), time.Minute)
		defer cancel()
		for range 2 {
			err := f.AddApp(patient, mei, settings(borea, "Borea"))
			if !errors.Is(err, store.ErrUnavailable) || patient.Err() != nil {
				t.Errorf("a write on a locked database: %v (%v)", err, patient.Err())
			}
		}
		same(t, "reading goes on", "Aurora", f.app(aurora).Name)
		free()
		store.SetWriteLimit(t, 30*time.Second)
		same(t, "every row", before, f.dump())
		f.must(f.AddApp(ctx(t), mei, settings(borea, "Borea")))
		f.intact()
	})
}

// lockWriters has another process hold the lock that every write needs, and let it go.
func lockWriters(t *testing.T, db storetest.Database) (lock, free func()) {
	driver, address, begin := "sqlite", "file:"+db.Address, "BEGIN IMMEDIATE"
	if db.Name == "postgres" {
		driver, address, begin = "pgx", db.Address, "BEGIN; LOCK TABLE audit_head"
	}
	pool, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	other, err := pool.Conn(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	run := func(statement string) func() {
		return func() {
			if _, err := other.ExecContext(ctx(t), statement); err != nil {
				t.Error(err)
			}
		}
	}
	return run(begin), run("ROLLBACK")
}

func TestAWaitInVainLeavesOthersTheirTime(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		lock, free := lockWriters(t, db)
		store.SetWriteLimit(t, time.Second)
		lock()
		page := store.OneWait(ctx(t))
		if err := f.AddApp(page, mei, settings(borea, "Borea")); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a write on a locked database: %v", err)
		}
		free()
		store.SetWriteLimit(t, time.Hour)
		if limit := store.LimitOf(page); limit > time.Second {
			t.Errorf("the next wait of the same page may last %v", limit)
		}
		for name, c := range map[string]context.Context{"another page": store.OneWait(ctx(t)), "no page": context.Background()} {
			if limit := store.LimitOf(c); limit < time.Minute {
				t.Errorf("%s may wait only %v", name, limit)
			}
		}
		f.must(f.AddApp(ctx(t), mei, settings(borea, "Borea")))
	})
}

func TestWriteOnAReadOnlyDatabaseEndsAsUnavailable(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		before := f.dump()
		driver, address := "sqlite", "file:"+db.Address+"?_pragma=query_only(1)"
		if db.Name == "postgres" {
			driver, address = "pgx", db.Address+"&default_transaction_read_only=on"
		}
		pool, err := sql.Open(driver, address)
		f.must(err)
		defer pool.Close()
		writer, reader := store.WriterOf(f.Store), store.ReaderOf(f.Store)
		store.SetDatabase(f.Store, pool, reader)
		if err := f.AddApp(ctx(t), mei, settings(borea, "Borea")); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a write on a read-only database: %v", err)
		}
		if err := f.Ping(ctx(t)); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("the readiness check: %v", err)
		}
		store.SetDatabase(f.Store, writer, reader)
		same(t, "every row", before, f.dump())
		f.must(f.Ping(ctx(t)))
	})
}

func TestAFileThatWasMovedAwayIsNotMadeAnew(t *testing.T) {
	db := storetest.SQLite(t)
	f := newFixture(t, db)
	for _, pool := range []*sql.DB{store.ReaderOf(f.Store), store.WriterOf(f.Store)} {
		pool.SetMaxIdleConns(0) // each statement opens the file
	}
	f.must(os.Rename(db.Address, db.Address+".away"))
	if _, err := f.App(ctx(t), aurora); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("reading: %v", err)
	}
	if err := f.Ping(ctx(t)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("writing: %v", err)
	}
	if _, err := os.Stat(db.Address); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file in its place: %v", err)
	}
	f.must(os.Rename(db.Address+".away", db.Address))
	same(t, "once it is back", "Aurora", f.app(aurora).Name)
	f.must(f.Ping(ctx(t)))
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		s, err := store.Open(ctx(t), store.Options{Database: db.Address, Keys: db.Keys})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for name, err := range map[string]error{
			"AddApp": s.AddApp(ctx(t), mei, settings(aurora, "Aurora")), "App": one(s.App(ctx(t), aurora)), "AppWithOpen": one2(s.AppWithOpen(ctx(t), aurora)), "Apps": one(s.Apps(ctx(t), false)),
			"KeepReading": one(s.KeepReading(ctx(t), mei, store.NewReading{SDKAppID: aurora, Configuration: confA})), "ReadingFailed": s.ReadingFailed(ctx(t), aurora, nil, "x"), "TouchSession": s.TouchSession(ctx(t), "x"),
			"ArchiveApp": s.ArchiveApp(ctx(t), mei, aurora, true), "SetWatched": s.SetWatched(ctx(t), mei, aurora, true), "HasUsers": one(s.HasUsers(ctx(t))), "CheckAudit": one2(s.CheckAudit(ctx(t))),
		} {
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestAFailedStatementIsNotAMissingApp(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.exec(`ALTER TABLE apps RENAME TO away`)
		for name, err := range map[string]error{
			"ArchiveApp": f.ArchiveApp(ctx(t), mei, aurora, true), "SetWatched": f.SetWatched(ctx(t), mei, aurora, true), "UpdateApp": f.UpdateApp(ctx(t), mei, 1, settings(aurora, "x")),
		} {
			if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
