package store_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"callboard/store"
	"callboard/store/storetest"
)

// statement is one text with its values, as the database got it.
type statement struct {
	text string
	args []any
}

// watcher notes what a database gets: as SQLite's driver, and as what PostgreSQL's tells of its statements.
type watcher struct {
	driver  driver.Driver
	address string
	lock    sync.Mutex
	list    []statement
	trips   int // to PostgreSQL
}

func (w *watcher) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	w.noteTrip()
	w.noteValues(d.SQL, d.Args)
	return ctx
}

func (*watcher) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (w *watcher) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	w.noteTrip()
	return ctx
}

func (w *watcher) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	w.noteValues(d.SQL, d.Args)
}

func (*watcher) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// watched lets the fixture's store work through a watcher.
func (f fixture) watched() *watcher {
	f.t.Helper()
	w := &watcher{driver: store.WriterOf(f.Store).Driver(), address: "file:" + f.db.Address}
	var db *sql.DB
	if f.db.Name == "postgres" {
		config, err := pgx.ParseConfig(f.db.Address)
		f.must(err)
		config.Tracer = w
		db = stdlib.OpenDB(*config)
	} else {
		db = sql.OpenDB(w)
	}
	f.t.Cleanup(func() { db.Close() })
	old, readers := store.WriterOf(f.Store), store.ReaderOf(f.Store)
	store.SetDatabase(f.Store, db, db)
	f.t.Cleanup(func() { store.SetDatabase(f.Store, old, readers) })
	return w
}

func (w *watcher) Driver() driver.Driver { return w.driver }

func (w *watcher) Connect(context.Context) (driver.Conn, error) {
	c, err := w.driver.Open(w.address)
	return &watchedConn{Conn: c, w: w}, err
}

func (w *watcher) note(text string, args []driver.NamedValue) {
	var values []any
	for _, a := range args {
		values = append(values, a.Value)
	}
	w.noteValues(text, values)
}

func (w *watcher) noteTrip() {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.trips++
}

func (w *watcher) noteValues(text string, values []any) {
	w.lock.Lock()
	defer w.lock.Unlock()
	var args []any
	for _, v := range values {
		if _, ok := v.(pgx.QueryResultFormatsByOID); ok {
			continue
		}
		if plain, err := driver.DefaultParameterConverter.ConvertValue(v); err == nil { // what a pointer or a sql.Null stands for
			v = plain
		}
		args = append(args, v)
	}
	w.list = append(w.list, statement{text: text, args: args})
}

// clear forgets what was noted so far.
func (w *watcher) clear() {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.list, w.trips = nil, 0
}

func (w *watcher) all() []statement {
	w.lock.Lock()
	defer w.lock.Unlock()
	return slices.Clone(w.list)
}

type watchedConn struct {
	driver.Conn
	w *watcher
}

var errDriver = errors.New("the driver cannot do this")

func (c *watchedConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	c.w.note(text, args)
	if q, ok := c.Conn.(driver.QueryerContext); ok {
		return q.QueryContext(ctx, text, args)
	}
	return nil, errDriver
}

func (c *watchedConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	c.w.note(text, args)
	if e, ok := c.Conn.(driver.ExecerContext); ok {
		return e.ExecContext(ctx, text, args)
	}
	return nil, errDriver
}

func (c *watchedConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	p, ok := c.Conn.(driver.ConnPrepareContext)
	if !ok {
		return nil, errDriver
	}
	s, err := p.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return &watchedStmt{Stmt: s, text: text, w: c.w}, nil
}

type watchedStmt struct {
	driver.Stmt
	text string
	w    *watcher
}

func (s *watchedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.w.note(s.text, args)
	if q, ok := s.Stmt.(driver.StmtQueryContext); ok {
		return q.QueryContext(ctx, args)
	}
	return nil, errDriver
}

func (s *watchedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.w.note(s.text, args)
	if e, ok := s.Stmt.(driver.StmtExecContext); ok {
		return e.ExecContext(ctx, args)
	}
	return nil, errDriver
}

func (c *watchedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if b, ok := c.Conn.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, o)
	}
	return nil, errDriver
}

// explain is the database's plan for a statement, with whole reads of a table only where nothing else is possible. On
// PostgreSQL it is the plan that a prepared statement gets for whatever values come.
func (f fixture) explain(st statement) string {
	f.t.Helper()
	if f.db.Name == "postgres" {
		return f.generic(st)
	}
	rows, err := store.WriterOf(f.Store).QueryContext(ctx(f.t), "EXPLAIN QUERY PLAN "+st.text, st.args...)
	f.must(err)
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var a, b, unused any
		var line string
		f.must(rows.Scan(&a, &b, &unused, &line))
		lines = append(lines, line)
	}
	f.must(rows.Err())
	return strings.Join(lines, "\n")
}

func (f fixture) generic(st statement) string {
	f.t.Helper()
	c, err := pgx.Connect(ctx(f.t), f.db.Address)
	f.must(err)
	defer c.Close(ctx(f.t))
	settings := `SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; `
	for name, value := range store.OneIndex {
		settings += `SET ` + name + ` = ` + value + `; `
	}
	results, err := c.PgConn().Exec(ctx(f.t), settings+`PREPARE explained AS `+
		st.text+`; EXPLAIN EXECUTE explained`+literals(st.args)).ReadAll()
	f.must(err)
	var lines []string
	for _, row := range results[len(results)-1].Rows {
		lines = append(lines, string(row[0]))
	}
	return strings.Join(lines, "\n")
}

// literals writes values as PostgreSQL reads them in a statement's text.
func literals(args []any) string {
	var list []string
	for _, a := range args {
		switch v := a.(type) {
		case nil:
			list = append(list, "NULL")
		case []byte:
			list = append(list, fmt.Sprintf(`'\x%x'`, v))
		default:
			list = append(list, "'"+strings.ReplaceAll(fmt.Sprint(v), "'", "''")+"'")
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// whole names the tables that a statement may read from end to end, with the reason.
var whole = map[string]string{
	"CONSTANT":       "no table",
	"b":              "the rows of one step",
	"one":            "one row of users",
	"g":              "the rows that a look counted",
	"h":              "the one change nearest to a moment",
	"e":              "two ranges of one app, put together",
	"apps":           "the list of apps shows all",
	"edge":           "the first or last rows of some days",
	"part":           "the rows of one page, put together",
	"configurations": "a URL is searched as text",
	"cookie_keys":    "holds two rows",
	"audit_head":     "holds one row",
	"users":          "set-up asks whether anybody exists",
	"sessions":       "expired ones are dropped wherever they are",
}

// scan finds a whole read of a table in a plan.
var scan = regexp.MustCompile(`(?m)(?:SCAN |Seq Scan on )(\w+).*$`)

// looksForOpen is in statements that look for the open change of an app.
var looksForOpen = regexp.MustCompile(`sdkappid = \S+ AND settled IS NULL AND outcome IN \('pending', 'unknown'\)`)

// combined are filters that a look has to bound.
var combined = []store.Filter{
	{Acts: true, Limit: 50},
	{Words: []string{"aurora"}, Limit: 50},
	{Words: []string{"aurora"}, Before: 200, Limit: 50},
	{SDKAppID: aurora, State: store.NotSent, Limit: 50},
	{Who: "mei", Code: ptr[int64](60020), Words: []string{"x"}, Before: 250, Limit: 50},
	{Kind: store.KindDrift, From: start, To: start + 100_000_000, Limit: 50},
}

func TestNoStatementReadsAWholeTable(t *testing.T) {
	uses := map[string]func(f fixture) error{
		"App":           func(f fixture) error { return one(f.App(ctx(f.t), aurora)) },
		"AppWithOpen":   func(f fixture) error { return one2(f.AppWithOpen(ctx(f.t), aurora)) },
		"AppWithSecret": func(f fixture) error { _, _, err := f.AppWithSecret(ctx(f.t), aurora); return err },
		"Apps":          func(f fixture) error { return one(f.Apps(ctx(f.t), false)) },
		"Attention":     func(f fixture) error { return one(f.Attention(ctx(f.t))) },
		"AuditTrail": func(f fixture) error {
			for _, filter := range auditFilters {
				filter.Limit, filter.Before = 10, 50
				f.must(one(f.AuditTrail(ctx(f.t), filter)))
			}
			return nil
		},
		"AccessRefused":  func(f fixture) error { return f.AccessRefused(ctx(f.t), mei, "GET /users") },
		"Change":         func(f fixture) error { return one(f.Change(ctx(f.t), 1)) },
		"Configuration":  func(f fixture) error { return one(f.Configuration(ctx(f.t), confA.Digest())) },
		"CountArchived":  func(f fixture) error { return one(f.CountArchived(ctx(f.t))) },
		"CurrentReading": func(f fixture) error { return one(f.CurrentReading(ctx(f.t), aurora)) },
		"DriftSince":     func(f fixture) error { return one2(f.DriftSince(ctx(f.t), aurora, 4)) },
		"Entries": func(f fixture) error {
			for _, filter := range combined {
				f.must(one(f.Entries(ctx(f.t), filter)))
				f.must(one(f.Counts(ctx(f.t), filter)))
			}
			return nil
		},
		"WholeEntry": func(f fixture) error {
			f.must(one(f.WholeEntry(ctx(f.t), 1)))
			return one(f.WholeEntry(ctx(f.t), 1)) // from memory
		},
		"GraceOver": func(f fixture) error { return one(f.GraceOver(ctx(f.t), 1)) },
		"HasUsers":  func(f fixture) error { return one(f.HasUsers(ctx(f.t))) },
		"MaySend":   func(f fixture) error { return one(f.MaySend(ctx(f.t), 1, time.Second)) },
		"Plan":      func(f fixture) error { _, _, err := f.Plan(ctx(f.t), "x"); return err },
		"Session":   func(f fixture) error { return one(f.Session(ctx(f.t), "s1", long)) },
		"Reasons":   func(f fixture) error { return one(f.Reasons(ctx(f.t), "Mei")) },
		"Related": func(f fixture) error {
			f.related(4) // a drift
			f.related(5) // one that came after it
			return nil
		},
		"UserByName":    func(f fixture) error { return one(f.UserByName(ctx(f.t), "mei")) },
		"Outcomes":      func(f fixture) error { return one2(f.Outcomes(ctx(f.t), 1)) },
		"AnswerTimes":   func(f fixture) error { return one(f.AnswerTimes(ctx(f.t), 1)) },
		"FrequentCodes": func(f fixture) error { return one(f.FrequentCodes(ctx(f.t), 1)) },
		"PruneStep": func(f fixture) error {
			f.prune()
			return nil
		},
		"ConfigurationAt": func(f fixture) error { return one(f.ConfigurationAt(ctx(f.t), aurora, start)) },
		"a change": func(f fixture) error {
			f.must(f.Settle(ctx(f.t), mei, 6, store.Settlement{Settled: store.Overtaken, Found: &confA}))
			f.end(f.open(f.plan("w", confB), 999), ending(store.Applied))
			f.read(aurora, confC)
			f.must(f.SetPassword(ctx(f.t), mei, 1, "h", "h", "s1"))
			return one(f.ClaimDue(ctx(f.t)))
		},
	}
	both(t, func(t *testing.T, db storetest.Database) {
		f := past(t, db)
		withSession(f)
		f.many(300)
		store.SetExamined(t, 100)
		seen := f.watched()
		for _, name := range slices.Sorted(maps.Keys(uses)) { // pruning comes late
			seen.clear()
			f.must(uses[name](f))
			for _, st := range seen.all() {
				if !strings.HasPrefix(st.text, "SELECT") && !strings.HasPrefix(st.text, "UPDATE") && !strings.HasPrefix(st.text, "DELETE") {
					continue
				}
				for _, found := range scan.FindAllStringSubmatch(f.explain(st), -1) {
					if whole[found[1]] == "" {
						t.Errorf("%s: %s reads all of %s", name, fmt.Sprintf("%.300s", st.text), found[0])
					}
				}
			}
		}
	})
}

// TestAnOpenChangeIsFoundInItsIndex: another index has all that is asked for too, with every entry of the app.
func TestAnOpenChangeIsFoundInItsIndex(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := past(t, db)
		f.many(800)
		f.settled()
		seen := f.watched()
		f.must(one2(f.AppWithOpen(ctx(t), aurora)))
		f.must(f.Settle(ctx(t), mei, 6, store.Settlement{Settled: store.Overtaken, Found: &confA}))
		p := f.plan("w", confB)
		_, _, err := f.Plan(ctx(t), p.ID)
		f.must(err)
		f.end(f.open(p, 999), ending(store.Applied))
		f.read(aurora, confC)
		looks := 0
		for _, st := range seen.all() {
			if !looksForOpen.MatchString(st.text) {
				continue
			}
			looks++
			if plan := f.explain(st); !strings.Contains(plan, "changes_open") {
				t.Errorf("%s is answered by\n%s", fmt.Sprintf("%.300s", st.text), plan)
			}
		}
		if looks < 4 {
			t.Errorf("only %d statements look for an open change", looks)
		}
	})
}
