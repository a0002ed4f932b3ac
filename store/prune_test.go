package store_test

import (
	"fmt"
	"testing"
	"time"

	"callboard/store"
	"callboard/store/storetest"
)

const (
	day      = 24 * 60 * minute
	retained = 400 * 24 * time.Hour
)

// prune goes on until nothing is left to look at, and tells how many steps that took.
func (f fixture) prune() (steps int) {
	f.t.Helper()
	var at store.Pruning
	for more := true; more; steps++ {
		var err error
		more, err = f.PruneStep(ctx(f.t), retained, &at)
		f.must(err)
	}
	return steps
}

// list gives the values of a column in their order.
func (f fixture) list(query string) string {
	f.t.Helper()
	rows, err := store.WriterOf(f.Store).QueryContext(ctx(f.t), query)
	f.must(err)
	defer rows.Close()
	text := ""
	for rows.Next() {
		var value any
		f.must(rows.Scan(&value))
		text += fmt.Sprint(value) + " "
	}
	f.must(rows.Err())
	return text
}

func TestPruneKeepsWhatIsNeeded(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.must(f.AddApp(ctx(t), mei, settings(borea, "Borea")))
		f.read(borea, confA)
		f.end(f.opened(confB), ending(store.Refused))                                         // 1: may go
		f.applied(confB)                                                                      // 2: may go, a newer one made the record
		f.applied(confC)                                                                      // 3: our record
		f.end(f.opened(confB), ending(store.Refused))                                         // 4: may go
		f.read(aurora, confB)                                                                 // 5: the open drift
		f.end(f.opened(confA), ending(store.NotSent))                                         // 6: may go
		f.end(f.opened(confA), ending(store.NotSent))                                         // 7: aurora's newest
		f.end(f.open(f.planFor(borea, "x", confC), 900), ending(store.Refused))               // 8: may go
		f.must(f.Settle(ctx(t), mei, f.open8(), store.Settlement{Settled: store.NotApplied})) // 9: settled late, see below
		f.end(f.open(f.planFor(borea, "late", confC), 902), ending(store.Refused))            // 10: may go
		number := f.open(f.planFor(borea, "open", confC), 903)                                // 11: open
		f.end(number, ending(store.Unknown))
		f.plan("never used", confB)
		f.later(400*day - 1)
		f.exec(`UPDATE changes SET settled_at = $1 WHERE number = 9`, f.clock.Load())
		fresh := newPlan(aurora, "fresh")
		fresh.ExpiresAt = f.clock.Load() + 7*day
		_, err := f.AddPlan(ctx(t), mei, fresh, confB)
		f.must(err)

		before := f.dump()
		f.prune()
		same(t, "every row a moment before the limit", before, f.dump())

		f.later(2)
		audited, configs := f.dumpTable("audit"), f.dumpTable("configurations")
		f.prune()
		same(t, "entries", "3 5 7 9 11 ", f.list(`SELECT number FROM changes ORDER BY number`))
		same(t, "entries with steps", "3 7 9 11 ", f.list(`SELECT DISTINCT number FROM change_steps ORDER BY number`))
		same(t, "entries with an exchange", "3 9 11 ", f.list(`SELECT number FROM exchanges ORDER BY number`))
		same(t, "readings", f.list(`SELECT reading_id FROM apps ORDER BY reading_id`), f.list(`SELECT id FROM readings ORDER BY id`))
		same(t, "audit", audited, f.dumpTable("audit"))
		same(t, "configurations", configs, f.dumpTable("configurations"))
		same(t, "the record", confC.Digest(), f.app(aurora).Record)
		same(t, "the drift", int64(5), f.app(aurora).Drift)
		f.intact()

		// Plans count from when they could last be used.
		f.later(7 * day)
		f.prune()
		same(t, "plans", f.list(`SELECT id FROM plans WHERE id = 'fresh' OR id IN (SELECT plan FROM changes) ORDER BY id`), f.list(`SELECT id FROM plans ORDER BY id`))
		same(t, "the fresh plan", int64(1), f.number(`SELECT COUNT(*) FROM plans WHERE id = 'fresh'`))
		same(t, "plans of 3, 7, 9 and 11, and the fresh one", int64(5), f.number(`SELECT COUNT(*) FROM plans`))
	})
}

// open8 is an unknown change of borea.
func (f fixture) open8() int64 {
	f.t.Helper()
	n := f.open(f.planFor(borea, "settled", confC), 901)
	f.end(n, ending(store.Unknown))
	return n
}

// TestPruneGoesInSmallSteps: many rows take many steps, each of which can be the last before a stop.
func TestPruneGoesInSmallSteps(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.many(1000) // of the year 1970
		newest := f.applied(confB)
		f.exec(`UPDATE changes SET started_at = $1 WHERE number % 250 = 0`, f.clock.Load())
		var at store.Pruning
		left := f.number(`SELECT COUNT(*) FROM changes`)
		for more := true; more; {
			var err error
			more, err = f.PruneStep(ctx(t), retained, &at)
			f.must(err)
			now := f.number(`SELECT COUNT(*) FROM changes`)
			if gone := left - now; gone > 500 {
				t.Errorf("one step removed %d entries", gone)
			}
			left = now
		}
		same(t, "entries", fmt.Sprintf("250 500 750 1000 %d ", newest), f.list(`SELECT number FROM changes ORDER BY number`))
		if steps := f.prune(); steps > 6 {
			t.Errorf("with nothing left to remove it still takes %d steps", steps)
		}
	})
}

// TestPruneStopsAtTheFirstNewRows: what is kept need not be walked through every hour.
func TestPruneStopsAtTheFirstNewRows(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.many(2000)
		f.exec(`UPDATE changes SET started_at = started_at + CAST($1 AS BIGINT)`, start)
		same(t, "steps", 3, f.prune())
	})
}

// TestPruneMindsWhatOthersRefer is about rows that something outside the history refers to.
func TestPruneMindsWhatOthersRefer(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.read(aurora, confB)                                                 // 1: a drift
		_, err := f.AcceptRecord(ctx(t), mei, aurora, confB.Digest(), "ours") // 2
		f.must(err)
		f.must(tokenPlan(f, true))
		f.must(f.EndRotation(ctx(t), mei, aurora))
		second := newPlan(aurora, "second")
		second.Kind = store.KindToken
		f.must(one(f.AddTokenPlan(ctx(t), mei, second, store.TokenConfiguration(store.TokenState{}), store.TokenConfiguration(store.TokenState{Set: true}), store.NewToken{Value: "x", Rotate: true})))
		f.later(500 * day)
		f.prune()
		same(t, "plans", "second ", f.list(`SELECT id FROM plans ORDER BY id`))
		same(t, "rotations", int64(1), f.number(`SELECT COUNT(*) FROM rotations`))
		same(t, "the drift that the current reading names, and the record", "1 2 ", f.list(`SELECT number FROM changes ORDER BY number`))
		f.intact()
	})
}
