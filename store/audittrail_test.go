package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"callboard/store"
	"callboard/store/storetest"
)

// auditFilters has every field alone, and some together.
var auditFilters = []store.AuditFilter{
	{},
	{Person: "Mei"},
	{Person: "nobody"},
	{Acts: []string{"session.refused"}},
	{Acts: []string{"session.refused", "session.started", "change.opened"}},
	{SDKAppID: aurora},
	{SDKAppID: borea},
	{From: start + minute, To: start + 3*minute},
	{From: start + 2*minute},
	{To: start + 2*minute},
	{From: start + 900*minute},
	{Person: "Mei", From: start + minute},
	{SDKAppID: aurora, To: start + 3*minute},
	{Person: "Mei", SDKAppID: aurora},
	{Person: "Ota", Acts: []string{"session.refused", "access.refused"}},
	{Acts: []string{"change.opened", "app.added"}, SDKAppID: aurora},
	{Person: "Mei", Acts: []string{"change.opened", "change.ended"}, SDKAppID: aurora, From: start + minute, To: start + 4*minute},
}

// busy has an audit trail with people, apps and changes, and a clock that was set back in between.
func busy(t *testing.T, db storetest.Database) fixture {
	t.Helper()
	f := newFixture(t, db)
	ota := store.Actor{Kind: store.PersonActor, UserID: 2, Name: "Ota", Role: store.Support, Address: "203.0.113.9"}
	f.must(f.AddApp(ctx(t), ota, settings(borea, "Borea")))
	withUser(f)
	for i := range 5 {
		f.later(minute)
		if i == 3 {
			f.later(-5 * minute / 2)
		}
		f.must(f.StartSession(ctx(t), mei, "h", fmt.Sprintf("s%d", i), "browser"))
		f.must(f.SignInFailed(ctx(t), store.Actor{Kind: store.PersonActor, Address: "192.0.2.1"}, []string{"Mei", "Ota", "x"}[i%3]))
		f.must(f.AccessRefused(ctx(t), ota, fmt.Sprintf("GET /%d", i)))
		f.applied([]store.Configuration{confB, confC}[i%2])
		f.end(f.open(f.planFor(borea, fmt.Sprintf("b%d", i), confB), uint32(900+i)), ending(store.Refused))
	}
	return f
}

// wanted selects as the filter says, row by row.
func (f fixture) wanted(filter store.AuditFilter) []int64 {
	f.t.Helper()
	all, err := f.AuditTrail(ctx(f.t), store.AuditFilter{Limit: 1000})
	f.must(err)
	var list []int64
	for _, e := range all.Entries {
		about := e.Target == fmt.Sprintf("app %d", filter.SDKAppID)
		if number, ok := strings.CutPrefix(e.Target, "change "); ok {
			about = f.number(`SELECT sdkappid FROM changes WHERE number = `+number) == filter.SDKAppID
		}
		if (filter.Person == "" || e.Actor.Name == filter.Person || e.Target == filter.Person) &&
			(len(filter.Acts) == 0 || slices.Contains(filter.Acts, e.Act)) && (filter.SDKAppID == 0 || about) &&
			e.At >= filter.From && (filter.To == 0 || e.At < filter.To) {
			list = append(list, e.Number)
		}
	}
	return list
}

func numbersOf(page store.AuditPage) []int64 {
	var list []int64
	for _, e := range page.Entries {
		list = append(list, e.Number)
	}
	return list
}

func TestAuditIsFoundByEveryField(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := busy(t, db)
		found := 0
		for _, filter := range auditFilters {
			want := f.wanted(filter)
			found += len(want)
			for _, limit := range []int{1, 7, 1000} {
				filter.Limit, filter.Before = limit, 0
				var got []int64
				for {
					page, err := f.AuditTrail(ctx(t), filter)
					f.must(err)
					same(t, "searched to", int64(0), page.SearchedTo)
					got = append(got, numbersOf(page)...)
					if len(page.Entries) < limit {
						break
					}
					filter.Before = got[len(got)-1]
				}
				same(t, fmt.Sprintf("%+v", filter), want, got)
			}
		}
		if found < 200 {
			t.Errorf("all filters together find only %d rows", found)
		}
	})
}

func TestAuditSearchForSeveralFieldsIsBounded(t *testing.T) {
	store.SetAuditSearch(t, 10)
	both(t, func(t *testing.T, db storetest.Database) {
		f := busy(t, db)
		filter := store.AuditFilter{Person: "Mei", SDKAppID: aurora, Limit: 50}
		want := f.wanted(filter)
		var got []int64
		steps := 1
		for ; ; steps++ {
			page, err := f.AuditTrail(ctx(t), filter)
			f.must(err)
			got = append(got, numbersOf(page)...)
			if page.SearchedTo == 0 {
				break
			}
			filter.Before = page.SearchedTo
		}
		same(t, "found in steps", want, got)
		same(t, "steps", (f.audited()+9)/10, int64(steps))
		page, err := f.AuditTrail(ctx(t), store.AuditFilter{Person: "Mei", Limit: 50})
		f.must(err)
		same(t, "one field is not bounded", int64(0), page.SearchedTo)
	})
}

// TestAuditOfDaysIsBounded: neither the first and last rows of some days nor the rows between are all looked at.
func TestAuditOfDaysIsBounded(t *testing.T) {
	store.SetAuditSearch(t, 40)
	both(t, func(t *testing.T, db storetest.Database) {
		f := busy(t, db)
		seen := f.watched()
		for _, filter := range []store.AuditFilter{{From: start}, {To: start + 900*minute}, {From: start + minute, To: start + 4*minute}, {Person: "Mei", From: start}} {
			filter.Limit = 50
			want, steps := f.wanted(filter), 0
			seen.clear()
			var got []int64
			for before := int64(1); before != 0; steps++ {
				page, err := f.AuditTrail(ctx(t), filter)
				f.must(err)
				got = append(got, numbersOf(page)...)
				before = page.SearchedTo
				filter.Before = before
			}
			same(t, fmt.Sprintf("%+v", filter), want, got)
			if steps < 2 {
				t.Errorf("%+v is looked for in one go", filter)
			}
			for _, st := range seen.all() {
				if strings.Contains(st.text, "edge") && (strings.Count(st.text, "LIMIT 40") != 2 || strings.Count(f.explain(st), "audit_at") < 2) {
					t.Errorf("the ends are found by %s:\n%s", st.text, f.explain(st))
				}
			}
		}
	})
}

func TestRefusalsAreWrittenDownOnceAMinute(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		ota := store.Actor{Kind: store.PersonActor, UserID: 2, Name: "Ota", Role: store.Support}
		for _, step := range []struct {
			name  string
			wait  int64
			actor store.Actor
			route string
			want  int64
		}{
			{"first", 0, mei, "GET /users", 1},
			{"again at once", 0, mei, "GET /users", 1},
			{"another route", 0, mei, "POST /users", 2},
			{"another person", 0, ota, "GET /users", 3},
			{"within the minute", minute - 1, mei, "GET /users", 3},
			{"after the minute", 1, mei, "GET /users", 4},
			{"counted from the last one written", minute - 1, mei, "GET /users", 4},
		} {
			f.later(step.wait)
			f.must(f.AccessRefused(ctx(t), step.actor, step.route))
			same(t, step.name, step.want, f.audited())
		}
		f.later(minute)
		f.must(errors.Join(together(20, func(int) error { return f.AccessRefused(ctx(t), mei, "GET /users") })...))
		same(t, "many at once", int64(5), f.audited())
		f.intact()
	})
}

// TestOlderAuditRowsAreFoundByApp goes back before the list of apps and forward again.
func TestOlderAuditRowsAreFoundByApp(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := busy(t, db)
		before := f.dumpTable("audit_apps")
		m, err := store.MigratorOf(f.Store)
		f.must(err)
		if _, err := m.DownTo(ctx(t), 3); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Up(ctx(t)); err != nil {
			t.Fatal(err)
		}
		same(t, "rows by app", before, f.dumpTable("audit_apps"))
		if len(before) < 20 {
			t.Errorf("only %d rows belong to an app", len(before))
		}
	})
}

func TestEachFieldOfTheAuditHasItsIndex(t *testing.T) {
	tests := []struct {
		filter  store.AuditFilter
		indexes []string
	}{
		{store.AuditFilter{Person: "Mei"}, []string{"audit_who", "audit_target"}},
		{store.AuditFilter{Acts: []string{"session.refused", "change.opened"}}, []string{"audit_act"}},
		{store.AuditFilter{SDKAppID: aurora}, []string{"audit_apps"}},
		{store.AuditFilter{From: start + minute, To: start + 2*minute}, []string{"audit_at"}},
	}
	both(t, func(t *testing.T, db storetest.Database) {
		f := busy(t, db)
		series := `WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 3000) `
		f.exec(series+`INSERT INTO audit (number, at, actor, user_id, who, role, address, act, target, detail, mac)
			SELECT 1000 + i, CAST($1 AS BIGINT) + i * 1000, 'person', i % 97, 'U' || (i % 97), 'admin', '', 'act.' || (i % 31), 'app ' || (i % 53), '', $2 FROM s`, start, []byte{})
		f.exec(series + `INSERT INTO audit_apps (sdkappid, number) SELECT i % 53, 1000 + i FROM s`)
		f.exec(`ANALYZE`)
		seen := f.watched()
		for _, test := range tests {
			seen.clear()
			test.filter.Limit = 50
			f.must(one(f.AuditTrail(ctx(t), test.filter)))
			var plans []string
			for _, st := range seen.all() {
				plans = append(plans, f.explain(st))
			}
			for _, index := range test.indexes {
				if !strings.Contains(strings.Join(plans, "\n"), index) {
					t.Errorf("%+v does not use %s:\n%s", test.filter, index, strings.Join(plans, "\n"))
				}
			}
		}
	})
}

func TestEveryActIsInAGroup(t *testing.T) {
	grouped := map[string]bool{}
	for _, g := range store.ActGroups {
		for _, act := range store.ActsOf(g.Name) {
			grouped[act] = false
		}
	}
	for _, a := range acts {
		for _, name := range a.want {
			if _, ok := grouped[name]; !ok {
				t.Errorf("%s writes %s, which is in no group of store.ActGroups", a.method, name)
			}
			grouped[name] = true
		}
	}
	for name, written := range grouped {
		if !written {
			t.Errorf("%s is in a group, but nothing writes it", name)
		}
	}
	if store.ActsOf("") != nil || store.ActsOf("all") != nil {
		t.Error("a name that is no group has acts")
	}
}
