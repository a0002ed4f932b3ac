package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"callboard/store"
	"callboard/store/storetest"
)

// past gives a store with entries of all sorts: numbers 1 to 7.
func past(t *testing.T, db storetest.Database) fixture {
	t.Helper()
	f := newFixture(t, db)
	f.must(f.AddApp(ctx(t), mei, settings(borea, "Borea")))
	f.read(borea, confA)
	f.applied(confB)                                                                          // 1
	f.end(f.open(f.planFor(borea, "x", confC), 900), ending(store.Refused))                   // 2
	f.must(f.Settle(ctx(t), mei, f.unknown(confA), store.Settlement{Settled: store.Applied})) // 3
	f.read(aurora, confC)                                                                     // 4, drift
	f.end(f.opened(confB), ending(store.NotSent))                                             // 5
	ota := store.Actor{Kind: store.PersonActor, UserID: 2, Name: "Öta", Role: store.Operator}
	p, err := f.AddPlan(ctx(t), ota, newPlan(aurora, "ota"), store.NewConfiguration("https://odd.example/100%_a!b\\", nil))
	f.must(err)
	n, _, err := f.OpenChange(ctx(t), ota, store.Intent{Plan: p, Host: "h", Attempt: 900, Lease: time.Minute, About: []string{"https://odd.example/100%_a!b\\"}}) // 6
	f.must(err)
	e := ending(store.Unknown)
	e.Reply.RequestID = "Id-%_'\U0010FFFF\U0010FFFFz"
	f.end(n, e)
	f.open(f.planFor(borea, "y", confB), 901) // 7
	return f
}

func TestHistory(t *testing.T) {
	tests := []struct {
		name string
		f    store.Filter
		want []int64
	}{
		{"everything", store.Filter{}, []int64{7, 6, 5, 4, 3, 2, 1}},
		{"limit", store.Filter{Limit: 2}, []int64{7, 6}},
		{"cursor", store.Filter{Before: 4}, []int64{3, 2, 1}},
		{"cursor and limit", store.Filter{Before: 4, Limit: 1}, []int64{3}},
		{"number", store.Filter{Number: 3}, []int64{3}},
		{"app", store.Filter{SDKAppID: borea}, []int64{7, 2}},
		{"attempt of two apps", store.Filter{Attempt: ptr[int64](900)}, []int64{6, 2}},
		{"attempt 0", store.Filter{Attempt: ptr[int64](0)}, nil},
		{"who", store.Filter{Who: " MEI "}, []int64{7, 5, 3, 2, 1}},
		{"who, other letters", store.Filter{Who: "öTA"}, []int64{6}},
		{"who is whole", store.Filter{Who: "Me"}, nil},
		{"who, odd", store.Filter{Who: "\x00\xff"}, nil},
		{"applied, settled or not", store.Filter{State: store.Applied}, []int64{3, 1}},
		{"unknown", store.Filter{State: store.Unknown}, []int64{6}},
		{"pending", store.Filter{State: store.Pending}, []int64{7}},
		{"not sent", store.Filter{State: store.NotSent}, []int64{5}},
		{"no such state", store.Filter{State: "x"}, nil},
		{"kind", store.Filter{Kind: store.KindDrift}, []int64{4}},
		{"code", store.Filter{Code: ptr[int64](0)}, []int64{4, 1}},
		{"a code that was never answered", store.Filter{Code: ptr[int64](70001)}, nil},
		{"acts", store.Filter{Acts: true}, []int64{7, 6, 5, 3, 2, 1}},
		{"above", store.Filter{After: 5}, []int64{7, 6}},
		{"words of reason, person and app, ignoring case", store.Filter{Words: []string{"BECAUSE", "mei", "bor"}}, []int64{7, 2}},
		{"words that do not occur together", store.Filter{Words: []string{"borea", "aurora"}}, nil},
		{"from the first", store.Filter{From: 1}, []int64{7, 6, 5, 4, 3, 2, 1}},
		{"from a time to come", store.Filter{From: 1 << 52}, nil},
		{"to the first", store.Filter{To: 1}, nil},
		{"to a time to come", store.Filter{To: 1 << 52, SDKAppID: borea}, []int64{7, 2}},
		{"URL", store.Filter{Words: []string{"C.Example"}}, []int64{4, 2}},
		{"URL with odd letters", store.Filter{Words: []string{`100%_a!b\`}}, []int64{6}},
		{"URL: % is itself", store.Filter{Words: []string{`1%_`}}, nil},
		{"URL: _ is itself", store.Filter{Words: []string{`100_`}}, nil},
		{"URL: odd bytes", store.Filter{Words: []string{"\x00\xff"}}, nil},
		{"RequestId", store.Filter{RequestID: "Id-ok"}, []int64{1}},
		{"RequestId's beginning", store.Filter{RequestID: "Id-"}, []int64{6, 4, 3, 2, 1}},
		{"RequestId: letters count", store.Filter{RequestID: "id-"}, nil},
		{"RequestId: %", store.Filter{RequestID: "Id-%"}, []int64{6}},
		{"RequestId: _ is itself", store.Filter{RequestID: "Id__"}, nil},
		{"RequestId: quote", store.Filter{RequestID: "Id-%_'"}, []int64{6}},
		{"RequestId: the last rune of all", store.Filter{RequestID: "Id-%_'\U0010FFFF"}, []int64{6}},
		{"RequestId: whole", store.Filter{RequestID: "Id-%_'\U0010FFFF\U0010FFFFz"}, []int64{6}},
		{"RequestId: longer", store.Filter{RequestID: "Id-%_'\U0010FFFF\U0010FFFFzz"}, nil},
		{"RequestId: NUL and bytes", store.Filter{RequestID: "Id-\x00\xff"}, nil},
		{"app and state", store.Filter{SDKAppID: borea, State: store.Refused}, []int64{2}},
		{"app and who, below", store.Filter{SDKAppID: aurora, Who: "mei", Before: 5}, []int64{3, 1}},
		{"all at once", store.Filter{Before: 9, Number: 6, SDKAppID: aurora, Attempt: ptr[int64](900), Who: "öta", RequestID: "Id-%", Words: []string{"odd"}, State: store.Unknown, Kind: store.KindChange}, []int64{6}},
		{"all but one", store.Filter{Number: 6, SDKAppID: borea, Attempt: ptr[int64](900), Who: "öta", RequestID: "Id-%", Words: []string{"odd"}, State: store.Unknown, Kind: store.KindChange}, nil},
	}
	both(t, func(t *testing.T, db storetest.Database) {
		f := past(t, db)
		for _, test := range tests {
			if test.f.Limit == 0 {
				test.f.Limit = 50
			}
			list, err := f.History(ctx(t), test.f)
			f.must(err)
			var got []int64
			for _, c := range list {
				got = append(got, c.Number)
				same(t, test.name+": the row", f.change(c.Number), c)
			}
			same(t, test.name, test.want, got)
			entries, err := f.Entries(ctx(t), test.f)
			f.must(err)
			same(t, test.name+": in short", f.short(list), entries.Entries)
		}
	})
}

// short is what lists show of entries.
func (f fixture) short(list []store.Change) (short []store.Entry) {
	f.t.Helper()
	for _, c := range list {
		short = append(short, store.Entry{Number: c.Number, Kind: c.Kind, SDKAppID: c.SDKAppID, App: c.App, Environment: c.Environment, Who: c.Actor.Name, Summary: c.Summary, Outcome: c.Outcome,
			Settled: c.Settled, StartedAt: c.StartedAt, DurationMS: c.DurationMS, ErrorCode: c.ErrorCode, RequestID: c.RequestID,
			Version: f.number(`SELECT row_version FROM changes WHERE number = $1`, c.Number)})
	}
	return short
}

func TestEntriesFromMemoryAreAsTheyAre(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.many(30) // more than are read one by one
		// Another process on the same database, whose memory knows nothing of what this one does.
		other := fixture{Store: db.Open(t, nil), t: t, db: db, clock: f.clock}
		var n int64
		var drift int64
		var from store.Plan
		settle := func(how string) func() error {
			return func() error {
				return f.Settle(ctx(t), mei, n, store.Settlement{Settled: how, Cause: store.CauseByHand, Reason: "r", Found: &confB})
			}
		}
		for _, a := range []struct {
			name string
			do   func() error
		}{
			{"nothing", func() error { return nil }},
			{"an intent", func() error { n = f.opened(confB); return nil }},
			{"its refusal", func() error { return f.CloseChange(ctx(t), mei, n, ending(store.Refused)) }},
			{"an unknown one", func() error { n = f.unknown(confC); return nil }},
			{"its settlement", settle(store.Overtaken)},
			{"one left over", func() error {
				n = f.opened(confC)
				f.exec(`UPDATE changes SET lease_until = 0 WHERE number = $1`, n)
				return f.LeaseOver(ctx(t), mei, n, time.Minute)
			}},
			{"its late answer, which says little", func() error { return f.CloseChange(ctx(t), mei, n, ending(store.Unknown)) }},
			{"a drift", func() error {
				f.exec(`UPDATE changes SET settled = 'overtaken' WHERE number = $1`, n)
				f.read(aurora, confC)
				return nil
			}},
			{"a plan made from it", func() (err error) {
				p := newPlan(aurora, "from it")
				p.Origin = f.app(aurora).Drift
				from, err = f.AddPlan(ctx(t), mei, p, confA)
				return err
			}},
			{"a change made from it", func() error { n = f.open(from, 9000); return nil }},
			{"its unknown end", func() error { return f.CloseChange(ctx(t), mei, n, ending(store.Unknown)) }},
			{"its late success", settle(store.Applied)},
			{"one more drift", func() error { f.read(aurora, confB); drift = f.app(aurora).Drift; return nil }},
			{"one after the drift", func() error { n = f.applied(confC); return nil }},
			{"all of them at once", func() error { f.exec(`UPDATE changes SET summary = 'changed'`); return nil }},
		} {
			f.must(a.do())
			list, err := f.History(ctx(t), store.Filter{Limit: 60})
			f.must(err)
			for _, s := range []fixture{f, other, other} {
				entries, err := s.Entries(ctx(t), store.Filter{Limit: 60})
				f.must(err)
				same(t, "entries after "+a.name, f.short(list), entries.Entries)
			}
			f.wholeEntries(a.name, list, f, other)
		}
		same(t, "beside the newest", fmt.Sprintf("origin 0, later [], plans [], drift %d, answered 0", drift), f.related(n))
	})
}

// A version that a crash took back must not come again with other contents, so it follows the clock.
func TestVersionsFollowTheClock(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.opened(confB)
		for _, table := range []string{"apps", "changes"} {
			last := time.Now().UnixMilli() - 1
			for range 3 {
				f.exec(`UPDATE ` + table + ` SET environment = environment`)
				version := f.number(`SELECT row_version FROM ` + table)
				if version <= last {
					t.Errorf("%s: version %d after %d", table, version, last)
				}
				last = version
			}
		}
	})
}

// wholeEntries compares the newest entries with those of a store that remembers nothing.
func (f fixture) wholeEntries(after string, list []store.Change, stores ...fixture) {
	f.t.Helper()
	fresh := f.db.Open(f.t, nil)
	for _, c := range list[:5] {
		want, err := fresh.WholeEntry(ctx(f.t), c.Number)
		f.must(err)
		same(f.t, "the entry after "+after, c, want.Change)
		for _, s := range stores {
			for range 2 {
				got, err := s.WholeEntry(ctx(f.t), c.Number)
				f.must(err)
				same(f.t, "the whole entry after "+after, want, got, cmp.AllowUnexported(store.Beside{}))
			}
		}
	}
}

// many adds n entries that look like real ones.
func (f fixture) many(n int) {
	f.t.Helper()
	series := `WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ` + fmt.Sprint(n) + `) `
	f.exec(series+`INSERT INTO changes (kind, sdkappid, app, environment, region, host, call, attempt, outcome, actor, user_id, who, who_key, role, address, reason, previous, wanted, started_at, request_id)
		SELECT 'change', CAST($1 AS BIGINT), 'Aurora', 'production', 'singapore', 'h', 'update_callback', CAST($3 AS BIGINT) + i, CASE WHEN i % 9 = 0 THEN 'refused' ELSE 'applied' END,
			'person', i % 97, 'U' || (i % 97), 'u' || (i % 97), 'admin', '', 'r', CAST($2 AS TEXT), CAST($2 AS TEXT), i, 'Id-many-' || i FROM s`, aurora, confA.Digest(), max(100000, f.number(`SELECT COALESCE(MAX(attempt), 0) FROM changes`)))
}

// settled lets the planner know the rows, as a database in use does.
func (f fixture) settled() {
	f.t.Helper()
	f.exec(map[string]string{"sqlite": `ANALYZE`, "postgres": `VACUUM ANALYZE`}[f.db.Name])
}

func TestPagingIsStableWhileRowsAreAdded(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.many(50)
		var got []int64
		filter := store.Filter{Limit: 7, SDKAppID: aurora}
		for {
			list, err := f.History(ctx(t), filter)
			f.must(err)
			for _, c := range list {
				got = append(got, c.Number)
			}
			if len(list) < filter.Limit {
				break
			}
			filter.Before = got[len(got)-1]
			f.many(3)
		}
		var want []int64
		for n := int64(50); n > 0; n-- {
			want = append(want, n)
		}
		same(t, "each once, newest first", want, got)
	})
}

func TestReasons(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := past(t, db)
		for number, reason := range map[int]string{1: "oldest", 2: "old", 3: "new", 5: "", 7: "new"} {
			f.exec(`UPDATE changes SET reason = $1 WHERE number = $2`, reason, number)
		}
		for _, want := range [][]string{{"new", "old", "oldest"}, {"newest", "new", "old"}} {
			for _, who := range []string{"mei", " MEI "} {
				got, err := f.Reasons(ctx(t), who)
				f.must(err)
				same(t, "the last reasons", want, got)
			}
			f.exec(`UPDATE changes SET reason = 'newest' WHERE number = 7`)
		}
		got, err := f.Reasons(ctx(t), "nobody")
		f.must(err)
		same(t, "of nobody", []string(nil), got)
	})
}

func TestEachStep(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := past(t, db)
		f.many(1193)
		var got []int64
		f.must(f.EachStep(ctx(t), store.Filter{Limit: 3}, func(step []store.ExportEntry) error {
			for _, e := range step {
				got = append(got, e.Number)
				row := f.change(e.Number)
				for digest, c := range map[string]*store.Configuration{row.Previous: e.Previous, row.Wanted: e.Wanted} {
					if (digest == "") != (c == nil) || (c != nil && c.Digest() != digest) {
						t.Errorf("entry %d: configuration %v for %q", e.Number, c, digest)
					}
				}
			}
			// Writing goes on meanwhile.
			return f.Ping(ctx(t))
		}))
		same(t, "entries", 1200, len(got))
		slices.Reverse(got)
		for i, n := range got {
			if n != int64(i)+1 {
				t.Fatalf("entry %d stands at place %d", n, i)
			}
		}
		stop, calls := errors.New("gone"), 0
		err := f.EachStep(ctx(t), store.Filter{}, func([]store.ExportEntry) error { calls++; return stop })
		if !errors.Is(err, stop) || calls != 1 {
			t.Errorf("after an error: %v, %d calls", err, calls)
		}
		// A page that is closed gets no export that looks whole.
		gone, leave := context.WithCancel(ctx(t))
		calls = 0
		err = f.EachStep(gone, store.Filter{}, func([]store.ExportEntry) error {
			calls++
			leave()
			return nil
		})
		if !errors.Is(err, context.Canceled) || calls == 3 {
			t.Errorf("given up: %v, %d steps", err, calls)
		}
	})
}

// TestLooksAreBounded pages through searches that no index answers: every look ends after a number of rows, and going on
// where it ended finds each entry once.
func TestLooksAreBounded(t *testing.T) {
	tests := []struct {
		name  string
		f     store.Filter
		want  int // entries in all
		looks int // that pages of 50 take
		steps int // of an export
	}{
		{"words that every row has", store.Filter{Words: []string{"word"}}, 900, 19, 9},
		{"words that one row in nine has", store.Filter{Words: []string{"word", "ninth"}}, 100, 9, 9},
		{"words that no row has", store.Filter{Words: []string{"nowhere"}}, 0, 9, 9},
		{"an app and a state", store.Filter{SDKAppID: aurora, State: store.Refused}, 100, 9, 9},
		{"an app and words that are rare in it", store.Filter{SDKAppID: borea, Words: []string{"word"}}, 0, 1, 1},
		{"words within a time", store.Filter{Words: []string{"word"}, From: 851_000}, 50, 2, 1},
		{"words above a number", store.Filter{Words: []string{"nowhere"}, After: 880}, 0, 1, 1},
		{"an id needs no bound", store.Filter{RequestID: "Id-many-77", State: store.Applied}, 10, 1, 1},
		{"a single filter needs no bound", store.Filter{State: store.Refused}, 100, 3, 1},
	}
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.many(900)
		f.exec(`UPDATE changes SET search = CASE WHEN outcome = 'refused' THEN 'word ninth' ELSE 'word' END, started_at = number * 1000`)
		store.SetExamined(t, 100)
		for _, test := range tests {
			test.f.Limit = 50
			seen, looks := map[int64]bool{}, 0
			for before := int64(1); before != 0; looks++ {
				found, err := f.Entries(ctx(t), test.f)
				f.must(err)
				for _, e := range found.Entries {
					if seen[e.Number] {
						t.Fatalf("%s: entry %d comes twice", test.name, e.Number)
					}
					seen[e.Number] = true
				}
				if before = found.Down; before != 0 && found.DownAt != before*1000 {
					t.Errorf("%s: down to %d at %d", test.name, before, found.DownAt)
				}
				if len(found.Entries) == test.f.Limit {
					before = found.Entries[test.f.Limit-1].Number
				}
				test.f.Before = before
			}
			if len(seen) != test.want || looks != test.looks {
				t.Errorf("%s: %d entries in %d looks, want %d in %d", test.name, len(seen), looks, test.want, test.looks)
			}
			// An export goes on over what a look found nothing in, and tells of each.
			test.f.Before = 0
			entries, steps := 0, 0
			f.must(f.EachStep(ctx(t), test.f, func(step []store.ExportEntry) error { entries, steps = entries+len(step), steps+1; return nil }))
			if entries != test.want || steps != test.steps {
				t.Errorf("%s: an export has %d entries in %d steps, want %d in %d", test.name, entries, steps, test.want, test.steps)
			}
		}
	})
}

func TestCounts(t *testing.T) {
	n := func(n int) store.Count { return store.Count{N: n} }
	tests := []struct {
		name string
		f    store.Filter
		want store.Counts
	}{
		{"everything", store.Filter{}, store.Counts{All: n(7), Acts: n(6), Drift: n(1), Refused: n(1), Unknown: n(1), NotSent: n(1)}},
		{"an app", store.Filter{SDKAppID: borea}, store.Counts{All: n(2), Acts: n(2), Refused: n(1)}},
		{"words", store.Filter{Words: []string{"c.example"}}, store.Counts{All: n(2), Acts: n(1), Drift: n(1), Refused: n(1)}},
		{"a time", store.Filter{From: 1 << 52}, store.Counts{}},
	}
	both(t, func(t *testing.T, db storetest.Database) {
		f := past(t, db)
		for _, test := range tests {
			got, err := f.Counts(ctx(t), test.f)
			f.must(err)
			same(t, test.name, test.want, got)
			test.f.Limit = 100
			found, err := f.Entries(ctx(t), test.f)
			f.must(err)
			same(t, test.name+", of the entries", test.want, found.Counts())
		}
		f.many(10_100)
		most := store.Count{N: 10_000, More: true}
		got, err := f.Counts(ctx(t), store.Filter{})
		f.must(err)
		same(t, "many", store.Counts{All: most, Acts: most, Drift: n(1), Refused: n(1123), Unknown: n(1), NotSent: n(1)}, got)
		got, err = f.Counts(ctx(t), store.Filter{SDKAppID: aurora})
		f.must(err)
		if got.All != most || !got.Refused.More || got.Refused.N < 1000 {
			t.Errorf("of an app: %+v", got)
		}
	})
}

// TestFiltersAreCountedByIndexAlone: how far down a combined filter looks, and how many entries a filter has, is found
// without reading a row.
func TestFiltersAreCountedByIndexAlone(t *testing.T) {
	tests := map[string]store.Filter{
		"changes_app":   {SDKAppID: aurora},
		"changes_who":   {Who: "u7"},
		"changes_kind":  {Kind: store.KindChange},
		"changes_state": {State: store.Applied},
		"changes_code":  {Code: ptr[int64](60020)},
	}
	both(t, func(t *testing.T, db storetest.Database) {
		f := past(t, db)
		f.many(800)
		f.settled()
		store.SetExamined(t, 5)
		seen := f.watched()
		for index, filter := range tests {
			seen.clear()
			f.must(one(f.Counts(ctx(t), filter)))
			filter.Words, filter.Limit = []string{"nothing"}, 50
			f.must(one(f.Entries(ctx(t), filter)))
			want := map[string]string{"sqlite": "COVERING INDEX ", "postgres": "Index Only Scan using "}[db.Name] + index
			for _, st := range seen.all()[:2] {
				if plan := f.explain(st); !strings.Contains(plan, want) {
					t.Errorf("not %s for %s:\n%s", want, st.text, plan)
				}
			}
		}
	})
}

func TestFiltersUseTheirIndex(t *testing.T) {
	tests := []struct {
		name, index string
		f           store.Filter
	}{
		{"number", "", store.Filter{Number: 77}},
		{"cursor", "", store.Filter{Before: 77}},
		{"app", "changes_app", store.Filter{SDKAppID: borea}},
		{"attempt", "changes_attempt", store.Filter{Attempt: ptr[int64](100077)}},
		{"who", "changes_who", store.Filter{Who: "u7"}},
		{"RequestId", "changes_request_id", store.Filter{RequestID: "Id-many-77"}},
		{"kind", "changes_kind", store.Filter{Kind: store.KindDrift}},
		{"state", "changes_state", store.Filter{State: store.NotSent}},
		{"app below", "changes_app", store.Filter{SDKAppID: borea, Before: 500}},
		{"state below", "changes_state", store.Filter{State: store.NotSent, Before: 500}},
		{"code", "changes_code", store.Filter{Code: ptr[int64](60020)}},
	}
	both(t, func(t *testing.T, db storetest.Database) {
		f := past(t, db)
		f.many(800)
		f.settled()
		seen := f.watched()
		for _, test := range tests {
			test.f.Limit = 50
			seen.clear()
			f.must(one(f.History(ctx(t), test.f)))
			plan := f.explain(seen.all()[0])
			index, condition := test.index, "("
			if db.Name == "postgres" {
				condition = "Index Cond"
			}
			if index == "" {
				index = map[string]string{"sqlite": "INTEGER PRIMARY KEY", "postgres": "changes_pkey"}[db.Name]
			}
			if !strings.Contains(plan, index) || !strings.Contains(plan, condition) || strings.Contains(plan, "SCAN") || strings.Contains(plan, "Seq Scan") {
				t.Errorf("%s does not look up %s:\n%s", test.name, index, plan)
			}
		}
	})
}
