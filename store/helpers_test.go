package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"callboard/store"
	"callboard/store/storetest"
)

var mei = store.Actor{Kind: store.PersonActor, UserID: 1, Name: "Mei", Role: store.Admin, Address: "203.0.113.24"}

const (
	aurora = 1400000001
	borea  = 1400000002
	start  = 1767323045000 // the made-up clock at the beginning of each test
	minute = 60_000
)

var (
	confA = store.NewConfiguration("https://a.example/x", []string{"Live.B", "Live.A"})
	confB = store.NewConfiguration("https://b.example/x", []string{"Live.A"})
	confC = store.NewConfiguration("https://c.example/x", nil)
)

// fixture is a store with a made-up clock.
type fixture struct {
	*store.Store
	t     *testing.T
	db    storetest.Database
	clock *atomic.Int64
}

// empty gives a store with nothing in it.
func empty(t *testing.T, db storetest.Database) fixture {
	t.Helper()
	clock := &atomic.Int64{}
	clock.Store(start)
	s := db.Open(t, func() time.Time { return time.UnixMilli(clock.Load()) })
	return fixture{Store: s, t: t, db: db, clock: clock}
}

// newFixture gives a store with one app that was read once, as confA.
func newFixture(t *testing.T, db storetest.Database) fixture {
	t.Helper()
	f := empty(t, db)
	f.must(f.AddApp(ctx(t), mei, settings(aurora, "Aurora")))
	f.read(aurora, confA)
	return f
}

func ctx(t testing.TB) context.Context { return t.Context() }

func settings(sdkappid int64, name string) store.AppSettings {
	return store.AppSettings{SDKAppID: sdkappid, Name: name, Region: "singapore", Identifier: "administrator", Environment: store.Production, Secret: "k3y"}
}

func (f fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// later moves the made-up clock.
func (f fixture) later(ms int64) { f.clock.Add(ms) }

// exec runs a statement behind the store's back.
func (f fixture) exec(statement string, args ...any) {
	f.t.Helper()
	if _, err := store.WriterOf(f.Store).ExecContext(ctx(f.t), statement, args...); err != nil {
		f.t.Fatalf("%s: %v", statement, err)
	}
}

func (f fixture) number(query string, args ...any) int64 {
	f.t.Helper()
	var n int64
	if err := store.WriterOf(f.Store).QueryRowContext(ctx(f.t), query, args...).Scan(&n); err != nil {
		f.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// read keeps a reading that began with the app's record as it is.
func (f fixture) read(sdkappid int64, c store.Configuration) store.Reading {
	f.t.Helper()
	r, err := f.KeepReading(ctx(f.t), store.Console, f.reading(sdkappid, c))
	f.must(err)
	f.asItStands(sdkappid, r)
	return r.Reading
}

// asItStands checks what came with a reading.
func (f fixture) asItStands(sdkappid int64, r store.Kept) {
	f.t.Helper()
	a, open, err := f.AppWithOpen(ctx(f.t), sdkappid)
	f.must(err)
	same(f.t, "the app as it is after a reading", f.app(sdkappid), r.Of)
	same(f.t, "the app beside its open change", a, r.Of)
	same(f.t, "the open change", open, r.Open)
}

func (f fixture) reading(sdkappid int64, c store.Configuration) store.NewReading {
	f.t.Helper()
	return store.NewReading{SDKAppID: sdkappid, Configuration: c, RequestID: "Id-read", DurationMS: 12, Host: "h.example", RecordVersion: f.app(sdkappid).RecordVersion, Summary: "{}", About: []string{c.URL()}}
}

func (f fixture) app(sdkappid int64) store.App {
	f.t.Helper()
	a, err := f.App(ctx(f.t), sdkappid)
	f.must(err)
	return a
}

// plan stores a plan for aurora from confA.
func (f fixture) plan(id string, wanted store.Configuration) store.Plan {
	f.t.Helper()
	return f.planFor(aurora, id, wanted)
}

func (f fixture) planFor(sdkappid int64, id string, wanted store.Configuration) store.Plan {
	f.t.Helper()
	p, err := f.AddPlan(ctx(f.t), mei, newPlan(sdkappid, id), wanted)
	f.must(err)
	return p
}

func newPlan(sdkappid int64, id string) store.Plan {
	return store.Plan{ID: id, Kind: store.KindChange, SDKAppID: sdkappid, Call: "update_callback", Base: confA.Digest(), BaseSeen: start, OpenedAt: start - 5,
		Reason: "because", Region: "singapore", ExpiresAt: start + 7*24*60*minute}
}

func intent(p store.Plan, attempt uint32) store.Intent {
	return store.Intent{Plan: p, Host: "h.example", Attempt: attempt, Summary: `{"url":true}`, Lease: time.Minute}
}

// open writes the intent of a plan.
func (f fixture) open(p store.Plan, attempt uint32) int64 {
	f.t.Helper()
	in := intent(p, attempt)
	c, err := f.Configuration(ctx(f.t), p.Wanted)
	f.must(err)
	in.About = []string{c.URL()}
	n, made, err := f.OpenChange(ctx(f.t), mei, in)
	f.must(err)
	if !made {
		f.t.Fatalf("plan %s had change %d already", p.ID, n)
	}
	return n
}

// opened is an open change of aurora that wants c.
func (f fixture) opened(c store.Configuration) int64 {
	f.t.Helper()
	serial := f.number(`SELECT COUNT(*) FROM plans`) + 1
	return f.open(f.plan(fmt.Sprintf("plan-%d", serial), c), uint32(serial))
}

// unknown is an unknown change of aurora that wants c.
func (f fixture) unknown(c store.Configuration) int64 {
	f.t.Helper()
	n := f.opened(c)
	f.end(n, ending(store.Unknown))
	return n
}

// leftOver is a change whose writer was lost.
func (f fixture) leftOver(c store.Configuration) int64 {
	f.t.Helper()
	n := f.opened(c)
	f.leaseEnds(n)
	f.must(f.LeaseOver(ctx(f.t), store.Console, n, time.Minute))
	return n
}

// leaseEnds lets the lease of a change pass.
func (f fixture) leaseEnds(number int64) {
	f.t.Helper()
	f.exec(`UPDATE changes SET lease_until = lease_until - 3600000, next_check_at = next_check_at - 3600000 WHERE number = $1`, number)
}

// applied is a change that Tencent carried out.
func (f fixture) applied(c store.Configuration) int64 {
	f.t.Helper()
	n := f.opened(c)
	f.end(n, ending(store.Applied))
	return n
}

func (f fixture) end(number int64, e store.Ending) {
	f.t.Helper()
	f.must(f.CloseChange(ctx(f.t), mei, number, e))
}

func ptr[T any](v T) *T { return &v }

// reply is what a call left behind, for each outcome.
func reply(outcome string) *store.Reply {
	r := &store.Reply{Call: "update_callback", DurationMS: 31, HTTPStatus: ptr[int64](200), ClockAheadMS: ptr[int64](-4), Request: []byte("request"), Answer: []byte("answer"), AnswerSize: 70000, AnswerCut: true}
	switch outcome {
	case store.Applied:
		r.ActionStatus, r.ErrorCode, r.RequestID = "OK", ptr[int64](0), "Id-ok"
	case store.Refused:
		r.ActionStatus, r.ErrorCode, r.ErrorInfo, r.RequestID = "FAIL", ptr[int64](100002), "bad", "Id-fail"
	case store.Unknown:
		r.HTTPStatus, r.RequestID = ptr[int64](502), "Id-unknown"
	default:
		return nil
	}
	return r
}

func ending(outcome string) store.Ending {
	e := store.Ending{Outcome: outcome, Reply: reply(outcome), Grace: time.Minute}
	if e.Reply != nil {
		e.Steps = []store.Step{{At: start + 1, Name: store.StepSent}, {Name: store.StepAnswered, Code: e.Reply.ErrorCode, Detail: "d"}}
	} else {
		e.Steps = []store.Step{{Name: store.StepNotSent}}
	}
	return e
}

func (f fixture) change(number int64) store.Change {
	f.t.Helper()
	c, err := f.Change(ctx(f.t), number)
	f.must(err)
	return c
}

func (f fixture) steps(number int64) string {
	f.t.Helper()
	e, err := f.WholeEntry(ctx(f.t), number)
	f.must(err)
	names := make([]string, 0, len(e.Steps))
	for _, st := range e.Steps {
		names = append(names, st.Name)
	}
	return strings.Join(names, " ")
}

// acts names what the audit gained since row after.
func (f fixture) acts(after int64) []string {
	f.t.Helper()
	page, err := f.AuditTrail(ctx(f.t), store.AuditFilter{Limit: 10000})
	f.must(err)
	acts := []string{}
	for _, e := range slices.Backward(page.Entries) {
		if e.Number > after {
			acts = append(acts, e.Act)
		}
	}
	return acts
}

func (f fixture) audited() int64 {
	f.t.Helper()
	return f.number(`SELECT COUNT(*) FROM audit`)
}

// dump writes down every row of every table but the named ones.
func (f fixture) dump(but ...string) map[string][]string {
	f.t.Helper()
	all := map[string][]string{}
	for table := range f.tables() {
		if slices.Contains(but, table) {
			continue
		}
		all[table] = f.dumpTable(table)
	}
	return all
}

func (f fixture) dumpTable(table string) []string {
	f.t.Helper()
	rows, err := store.WriterOf(f.Store).QueryContext(ctx(f.t), `SELECT * FROM `+table)
	f.must(err)
	defer rows.Close()
	columns, err := rows.Columns()
	f.must(err)
	list := []string{}
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		f.must(rows.Scan(into...))
		list = append(list, fmt.Sprintf("%q", fmt.Sprint(values...)))
	}
	f.must(rows.Err())
	slices.Sort(list)
	return list
}

// tables maps each table to its columns, each with its kind and whether it may be NULL.
func (f fixture) tables() map[string][]string {
	f.t.Helper()
	query := `SELECT m.name, p.name, p.type, CASE WHEN p."notnull" = 1 OR (p.pk = 1 AND p.type = 'INTEGER') THEN 'NO' ELSE 'YES' END
		FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, p.cid`
	if f.db.Name == "postgres" {
		query = `SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
			WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position`
	}
	rows, err := store.WriterOf(f.Store).QueryContext(ctx(f.t), query)
	f.must(err)
	return f.scanTables(rows)
}

func (f fixture) scanTables(rows *sql.Rows) map[string][]string {
	f.t.Helper()
	defer rows.Close()
	kinds := map[string]string{"INTEGER": "number", "BIGINT": "number", "bigint": "number", "integer": "number", "TEXT": "text", "text": "text", "BLOB": "bytes", "bytea": "bytes"}
	tables := map[string][]string{}
	for rows.Next() {
		var table, column, kind, null string
		f.must(rows.Scan(&table, &column, &kind, &null))
		if table != "goose_db_version" {
			tables[table] = append(tables[table], column+" "+kinds[kind]+" null:"+null)
		}
	}
	f.must(rows.Err())
	return tables
}

// same fails when two values differ.
func same(t *testing.T, what string, want, got any, options ...cmp.Option) {
	t.Helper()
	if d := cmp.Diff(want, got, options...); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// together runs f n times at once and returns the errors, each at its place.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-begin
			errs[i] = f(i)
		})
	}
	close(begin)
	all.Wait()
	return errs
}

// both runs a test on both databases.
func both(t *testing.T, f func(t *testing.T, db storetest.Database)) {
	t.Helper()
	storetest.Run(t, f)
}

// script runs several statements.
func (f fixture) script(statements string) {
	f.t.Helper()
	for statement := range strings.SplitSeq(statements, ";") {
		f.exec(statement)
	}
}

// configurations are compared as such.
var configurations = cmp.Comparer(func(a, b store.Configuration) bool { return a.Equal(b) })

// anew empties the store, which is quicker than to make another, and adds the app again.
func (f fixture) anew(t *testing.T) fixture {
	t.Helper()
	f = f.emptied(t)
	f.must(f.AddApp(ctx(t), mei, settings(aurora, "Aurora")))
	f.read(aurora, confA)
	return f
}

// emptied has nothing but the key check, and no triggers on the audit.
func (f fixture) emptied(t *testing.T) fixture {
	t.Helper()
	f.t = t
	f.clock.Store(start)
	tables := []string{"rotations", "user_apps", "change_steps", "exchanges", "changes", "plans", "readings", "apps", "configurations", "cookie_keys", "sessions", "tries", "known_browsers", "links", "users", "audit", "audit_apps"}
	if f.db.Name == "postgres" {
		f.script(`DROP TRIGGER IF EXISTS audit_append_only ON audit; TRUNCATE ` + strings.Join(tables, ", ") + ` RESTART IDENTITY`)
	} else {
		f.script(`DROP TRIGGER IF EXISTS audit_no_update; DROP TRIGGER IF EXISTS audit_no_delete; DELETE FROM sqlite_sequence WHERE name NOT LIKE 'goose%'`)
		for _, table := range tables {
			f.exec(`DELETE FROM ` + table)
		}
	}
	f.exec(`UPDATE audit_head SET number = 0, mac = $1`, []byte{})
	store.Forget(f.Store)
	return f
}
