package store_test

import (
	"fmt"
	"testing"

	"callboard/store"
	"callboard/store/storetest"
)

func TestRelated(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		from := func(id string, origin int64) store.Plan {
			p := newPlan(aurora, id)
			p.Origin = origin
			p, err := f.AddPlan(ctx(t), mei, p, confB)
			f.must(err)
			f.later(10)
			return p
		}
		f.applied(confB)                                               // 1
		f.read(aurora, confC)                                          // 2, drift
		f.end(f.open(from("again", 1), 800), ending(store.Refused))    // 3
		f.end(f.open(from("put back", 2), 801), ending(store.Applied)) // 4
		from("unused", 1)
		f.read(aurora, confB)
		f.read(aurora, confC)                                                 // 5, drift
		f.must(one(f.AcceptRecord(ctx(t), mei, aurora, confC.Digest(), "x"))) // 6
		f.exec(`UPDATE changes SET origin = 99 WHERE number = 3`)
		for number, want := range map[int64]string{
			1: "origin 0, later [], plans [unused], drift 0, answered 0",
			2: "origin 0, later [4], plans [], drift 0, answered 4",
			3: "origin 0, later [], plans [], drift 2, answered 0",
			4: "origin 2, later [], plans [], drift 2, answered 0",
			5: "origin 0, later [6], plans [], drift 0, answered 6",
			6: "origin 5, later [], plans [], drift 5, answered 0",
		} {
			same(t, "what belongs to the entry", want, f.related(number))
		}
		f.exec(`DELETE FROM change_steps WHERE number = 2`)
		f.exec(`DELETE FROM changes WHERE number = 2`)
		same(t, "what stood beside a drift that was pruned", "origin 0, later [], plans [], drift 0, answered 0", f.related(3))
		f.exec(`UPDATE changes SET origin = 1 WHERE number > 1`)
		f.end(f.opened(confB), ending(store.Refused))
		f.exec(`UPDATE changes SET origin = 1 WHERE number > 1`)
		same(t, "the newest five", "origin 0, later [7 6 5 4 3], plans [unused], drift 0, answered 0", f.related(1))
	})
}

func (f fixture) related(number int64) string {
	f.t.Helper()
	e, err := f.WholeEntry(ctx(f.t), number)
	f.must(err)
	r, err := f.Related(ctx(f.t), e.Change, e.Beside)
	f.must(err)
	var origin int64
	if r.Origin != nil {
		origin = r.Origin.Number
	}
	later, plans := []int64{}, []string{}
	for _, c := range r.Later {
		later = append(later, c.Number)
	}
	for _, p := range r.Plans {
		plans = append(plans, p.ID)
	}
	return fmt.Sprintf("origin %d, later %v, plans %v, drift %d, answered %d", origin, later, plans, r.Drift, r.Answered)
}
