package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// requestIDLimit bounds a stored RequestId, in bytes.
const requestIDLimit = 256

// Filter selects entries of the history. Zero values select everything.
type Filter struct {
	Before    int64 // numbers below this one, the cursor
	After     int64 // numbers above this one
	Number    int64
	SDKAppID  int64
	Attempt   *int64
	Who       string   // the whole name of a person, ignoring case
	RequestID string   // whole, or its beginning
	Code      *int64   // of Tencent's answer
	Words     []string // all of them, in app, person, reason, URL or command words, ignoring case
	State     string   // a settled state or outcome
	Kind      string
	Acts      bool  // only kinds that have an outcome
	From, To  int64 // when it began: not before, and before this, in Unix milliseconds
	Limit     int

	from, floor int64 // numbers that a look does not go below
}

// Entry is what lists show of an entry of the history.
type Entry struct {
	Number      int64
	Kind        string
	SDKAppID    int64
	App         string
	Environment string
	Who         string // "" for the console
	Summary     string
	Outcome     string
	Settled     string
	StartedAt   int64
	DurationMS  *int64
	ErrorCode   *int64
	RequestID   string
	Version     int64 // of its row: what has number and version in common is equal
}

// Found is what one look at the history found.
type Found struct {
	Entries []Entry
	// Down and DownAt are number and time of the last row that was looked at, where a look ended before the history
	// did; 0 where it did not.
	Down, DownAt int64
}

// Entries lists entries, newest first, with no more of each than lists show: reading whole changes takes three times as
// long. A search for words, or for several things at once, looks at most at examined rows below the cursor.
func (s *Store) Entries(ctx context.Context, f Filter) (Found, error) {
	var v Found
	f, err := s.bounded(ctx, f)
	if err != nil {
		return v, err
	}
	rest, args := f.newest(f.Limit)
	list, err := s.entries.list(ctx, s, rest, args...)
	for _, row := range list {
		row.value.Version = row.version
		v.Entries = append(v.Entries, row.value)
	}
	if err != nil || len(v.Entries) == f.Limit || f.floor == 0 {
		return v, err
	}
	v.Down = f.floor
	_, err = found(v, s.row(ctx, `SELECT started_at FROM changes WHERE number >= $1 ORDER BY number LIMIT 1`, f.floor).Scan(&v.DownAt))
	return v, err
}

// memoOfEntries lists entries from memory.
func memoOfEntries() rowMemo[Entry] {
	return rowMemo[Entry]{table: "changes", id: "changes.number", kept: newMemo[int64, versioned[Entry]](keptEntries),
		columns: `changes.number, changes.kind, changes.sdkappid, changes.app, changes.environment, changes.who, changes.summary, COALESCE(changes.outcome, ''), COALESCE(changes.settled, ''),
			changes.started_at, changes.duration_ms, changes.error_code, changes.request_id`,
		fields: func(e *Entry) []any {
			return []any{&e.Number, &e.Kind, &e.SDKAppID, &e.App, &e.Environment, &e.Who, &e.Summary, &e.Outcome, &e.Settled,
				&e.StartedAt, &e.DurationMS, &e.ErrorCode, &e.RequestID}
		}}
}

// History lists whole entries, newest first. A search that examines rows may end before the limit is reached.
func (s *Store) History(ctx context.Context, f Filter) ([]Change, error) {
	f, err := s.bounded(ctx, f)
	if err != nil {
		return nil, err
	}
	rest, args := f.newest(f.Limit)
	return all(ctx, s, scanChange, `SELECT `+changeColumns+` FROM changes`+rest, args...)
}

// Reasons are the last three different reasons that a person gave for changes, the newest first, as far as their last twenty
// entries have them.
func (s *Store) Reasons(ctx context.Context, who string) ([]string, error) {
	list, err := all(ctx, s, func(r scanner) (reason string, err error) { return reason, r.Scan(&reason) },
		`SELECT reason FROM changes WHERE who_key = $1 ORDER BY (-number) LIMIT 20`, Key(who))
	var last []string
	for _, reason := range list {
		if len(last) < 3 && reason != "" && !slices.Contains(last, reason) {
			last = append(last, reason)
		}
	}
	return last, err
}

// examined is how many rows one look at the history goes through where no index leads to the rows alone. Tests make it smaller.
var examined = 50_000

// condition is one part of a search. Numbered placeholders are put in for its question marks.
type condition struct {
	sql     string
	args    []any
	indexed bool // an index leads to its rows: newest first, or to the few of an id
}

func (f Filter) conditions() []condition {
	var list []condition
	add := func(wanted, indexed bool, sql string, args ...any) {
		if wanted {
			list = append(list, condition{sql, args, indexed})
		}
	}
	prefix := storable(f.RequestID)
	add(f.Number != 0, true, `changes.number = ?`, f.Number)
	add(f.Attempt != nil, true, `changes.attempt = ?`, f.Attempt)
	// A range is an index look-up on both databases, which LIKE is not.
	add(f.RequestID != "", true, `changes.request_id <> '' AND changes.request_id >= ? AND changes.request_id < ?`, prefix, prefix+afterRequestID)
	add(f.SDKAppID != 0, true, `changes.sdkappid = ?`, f.SDKAppID)
	add(f.Who != "", true, `changes.who_key = ?`, Key(f.Who))
	add(f.Code != nil, true, `changes.error_code = ?`, f.Code)
	add(f.State != "", true, `COALESCE(changes.settled, changes.outcome) = ?`, f.State)
	add(f.Kind != "", true, `changes.kind = ?`, f.Kind)
	add(f.Acts, false, `changes.outcome IS NOT NULL`)
	for _, w := range f.Words {
		add(true, false, `changes.search LIKE ? ESCAPE '!'`, "%"+likeEscape.Replace(strings.ToLower(storable(w)))+"%")
	}
	return list
}

// id tells whether the filter names entries by an id, which few have.
func (f Filter) id() bool { return f.Number != 0 || f.Attempt != nil || f.RequestID != "" }

// bounded turns times into numbers and, where no index leads to the rows alone, sets how far down a look goes.
func (s *Store) bounded(ctx context.Context, f Filter) (Filter, error) {
	var err error
	if f.From != 0 {
		if f.from, err = s.numberAt(ctx, f.From); err != nil {
			return f, err
		}
	}
	if f.To != 0 {
		to, err := s.numberAt(ctx, f.To)
		if err != nil {
			return f, err
		}
		if f.Before == 0 || to < f.Before {
			f.Before = to
		}
	}
	list := f.conditions()
	if f.id() || len(list) == 0 || (len(list) == 1 && list[0].indexed) {
		return f, nil
	}
	if f.floor, err = s.floor(ctx, f, list[0]); f.floor <= max(f.from, f.After+1) {
		f.floor = 0 // a bound of the search itself comes first
	}
	return f, err
}

// numberAt is the number from which on entries began at a moment or later.
func (s *Store) numberAt(ctx context.Context, at int64) (int64, error) {
	var number int64
	_, err := found(number, s.row(ctx, `SELECT number FROM changes WHERE started_at >= $1 ORDER BY started_at, number LIMIT 1`, at).Scan(&number))
	if errors.Is(err, ErrNotFound) {
		return math.MaxInt64, nil
	}
	return number, err
}

// floor is the number that lies examined rows of the first condition below the cursor, 0 where there are fewer.
func (s *Store) floor(ctx context.Context, f Filter, first condition) (int64, error) {
	var number int64
	var err error
	if first.indexed {
		only := Filter{Before: f.Before, After: f.After, from: f.from}
		rest, args := only.newestOf([]condition{first}, 1)
		_, err = found(number, s.row(ctx, `SELECT changes.number FROM changes`+rest+fmt.Sprintf(` OFFSET %d`, examined), args...).Scan(&number))
		number++
	} else {
		// Numbers have few gaps, and a row is long.
		var oldest int64
		_, err = found(number, s.row(ctx, `SELECT COALESCE((SELECT MAX(number) FROM changes), 0), COALESCE((SELECT MIN(number) FROM changes), 0)`).Scan(&number, &oldest))
		if f.Before != 0 {
			number = min(number, f.Before-1)
		}
		if number -= int64(examined) - 1; number <= oldest {
			number = 0
		}
	}
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return number, err
}

// newest ends a query of the filter's entries, newest first.
func (f Filter) newest(limit int) (string, []any) { return f.newestOf(f.conditions(), limit) }

// newestOf joins conditions with the bounds of the numbers, the order and a limit. Where an index leads, it is asked for
// -number, which only the indexes of filters are ordered by: a planner that expects many hits would otherwise go down
// the whole history by number, and take seconds where they are few.
func (f Filter) newestOf(list []condition, limit int) (string, []any) {
	before, from, order := `changes.number < ?`, `changes.number >= ?`, `changes.number DESC`
	if len(list) > 0 && list[0].indexed {
		before, from, order = `-changes.number > -CAST(? AS BIGINT)`, `-changes.number <= -CAST(? AS BIGINT)`, `-changes.number`
	}
	if f.Before != 0 {
		list = append(list, condition{sql: before, args: []any{f.Before}})
	}
	if low := max(f.from, f.floor, f.After+1); low > 1 {
		list = append(list, condition{sql: from, args: []any{low}})
	}
	where, args := joined(list)
	return fmt.Sprintf(`%s ORDER BY %s LIMIT %d`, where, order, limit), args
}

// joined is the WHERE of all conditions.
func joined(list []condition) (string, []any) {
	var parts []string
	var args []any
	for _, c := range list {
		for _, a := range c.args {
			args = append(args, a)
			c.sql = strings.Replace(c.sql, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		parts = append(parts, c.sql)
	}
	if len(parts) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(parts, " AND "), args
}

// Count is a number of entries; More says that there are more than were counted.
type Count struct {
	N    int
	More bool
}

// Counts are the numbers of the tabs of a history.
type Counts struct{ All, Acts, Drift, Refused, Unknown, NotSent Count }

// counted is how far entries are counted.
const counted = 10_000

// Counts counts the entries of a filter without its tab, up to ten thousand of them. Where a look is bounded, as that for words
// is, it counts what the first look finds. More tells that there are or may be more.
func (s *Store) Counts(ctx context.Context, f Filter) (Counts, error) {
	if len(f.conditions()) == 0 && f.From == 0 && f.To == 0 {
		return s.countAll(ctx)
	}
	f, err := s.bounded(ctx, f)
	if err != nil {
		return Counts{}, err
	}
	rest, args := f.newest(counted + 1)
	groups, err := all(ctx, s, scanGroup, `SELECT g.kind, g.state, COUNT(*) FROM (
			SELECT changes.kind AS kind, COALESCE(changes.settled, changes.outcome, '') AS state FROM changes`+rest+`) g GROUP BY g.kind, g.state`, args...)
	if err != nil {
		return Counts{}, err
	}
	return sum(groups, f.floor != 0), nil
}

// group is how many entries have a kind and a state.
type group struct {
	kind, state string
	n           int
}

func scanGroup(r scanner) (group, error) {
	var g group
	return g, r.Scan(&g.kind, &g.state, &g.n)
}

// Counts counts what was found, where that is all there is to find.
func (f Found) Counts() Counts {
	groups := make([]group, len(f.Entries))
	for i, e := range f.Entries {
		groups[i] = group{e.Kind, e.Settled, 1}
		if e.Settled == "" {
			groups[i].state = e.Outcome
		}
	}
	return sum(groups, f.Down != 0)
}

func sum(groups []group, more bool) Counts {
	var v Counts
	for _, g := range groups {
		v.All.N += g.n
		if g.state != "" {
			v.Acts.N += g.n
		}
		if g.kind == KindDrift {
			v.Drift.N += g.n
		}
		switch g.state {
		case Refused:
			v.Refused.N += g.n
		case Unknown:
			v.Unknown.N += g.n
		case NotSent:
			v.NotSent.N += g.n
		}
	}
	more = more || v.All.N > counted
	for _, c := range []*Count{&v.All, &v.Acts, &v.Drift, &v.Refused, &v.Unknown, &v.NotSent} {
		c.N, c.More = min(c.N, counted), more
	}
	return v
}

// countAll counts each tab by its index.
func (s *Store) countAll(ctx context.Context) (Counts, error) {
	var v Counts
	for _, one := range []struct {
		into  *Count
		where string
	}{
		{&v.All, ``},
		{&v.Acts, ` WHERE COALESCE(settled, outcome) >= ''`},
		{&v.Drift, ` WHERE kind = 'drift'`},
		{&v.Refused, ` WHERE COALESCE(settled, outcome) = 'refused'`},
		{&v.Unknown, ` WHERE COALESCE(settled, outcome) = 'unknown'`},
		{&v.NotSent, ` WHERE COALESCE(settled, outcome) = 'not_sent'`},
	} {
		var n int
		err := s.row(ctx, fmt.Sprintf(`SELECT COUNT(*) FROM (SELECT 1 FROM changes%s LIMIT %d) few`, one.where, counted+1)).Scan(&n)
		if err != nil {
			return v, unavailable(err)
		}
		*one.into = Count{N: min(n, counted), More: n > counted}
	}
	return v, nil
}

// afterRequestID sorts behind whatever may follow the beginning of a stored RequestId.
var afterRequestID = strings.Repeat("\U0010FFFF", requestIDLimit/4+1)

var likeEscape = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// ExportEntry is what exports tell of an entry, its configurations included, which are nil where there is none.
type ExportEntry struct {
	Number                     int64
	Kind                       string
	SDKAppID                   int64
	App, Region, Host, Call    string
	Attempt                    *int64
	Outcome, Settled           string
	StartedAt                  int64
	EndedAt, SettledAt         int64 // 0: not
	DurationMS, HTTPStatus     *int64
	ActionStatus               string
	ErrorCode                  *int64
	ErrorInfo, RequestID       string
	Who                        string // "" for the console
	Reason                     string
	Previous, Wanted           *Configuration
	previousDigest, wantDigest string
}

func scanExportEntry(r scanner) (ExportEntry, error) {
	var e ExportEntry
	err := r.Scan(&e.Number, &e.Kind, &e.SDKAppID, &e.App, &e.Region, &e.Host, &e.Call, &e.Attempt, &e.Outcome, &e.Settled, &e.StartedAt, &e.EndedAt, &e.SettledAt,
		&e.DurationMS, &e.HTTPStatus, &e.ActionStatus, &e.ErrorCode, &e.ErrorInfo, &e.RequestID, &e.Who, &e.Reason, &e.previousDigest, &e.wantDigest)
	return e, err
}

// exportStep is how many entries are read at a time, so that no connection is held while they are written.
const exportStep = 500

// EachStep gives all selected entries, newest first, step by step. A step may be empty, where a search for words passed many
// entries by. While one is worked on, the next is read.
func (s *Store) EachStep(ctx context.Context, f Filter, each func([]ExportEntry) error) error {
	type step struct {
		list []ExportEntry
		err  error
	}
	steps := make(chan step, 1)
	reading, stop := context.WithCancel(ctx)
	go func() {
		defer close(steps)
		for {
			list, down, err := s.export(reading, f)
			select {
			case steps <- step{list, err}:
			case <-reading.Done():
				return
			}
			if err != nil || down == 0 {
				return
			}
			f.Before = down
		}
	}()
	defer func() {
		stop()
		for range steps { // so that nothing reads on
		}
	}()
	for st := range steps {
		if st.err != nil {
			return st.err
		}
		if err := each(st.list); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// export reads the next entries and tells from where on to go down, 0 at the end of the history.
func (s *Store) export(ctx context.Context, f Filter) (list []ExportEntry, down int64, err error) {
	if f, err = s.bounded(ctx, f); err != nil {
		return nil, 0, err
	}
	rest, args := f.newest(exportStep)
	list, err = all(ctx, s, scanExportEntry, `SELECT changes.number, changes.kind, changes.sdkappid, changes.app, changes.region, changes.host, changes.call, changes.attempt,
			COALESCE(changes.outcome, ''), COALESCE(changes.settled, ''), changes.started_at, COALESCE(changes.ended_at, 0), COALESCE(changes.settled_at, 0), changes.duration_ms,
			changes.http_status, changes.action_status, changes.error_code, changes.error_info, changes.request_id, changes.who, changes.reason,
			COALESCE(changes.previous, ''), COALESCE(changes.wanted, '')
		FROM changes`+rest, args...)
	if err != nil {
		return nil, 0, err
	}
	for i := range list {
		e := &list[i]
		if e.Previous, err = s.configurationOf(ctx, e.previousDigest); err != nil {
			return nil, 0, err
		}
		if e.Wanted, err = s.configurationOf(ctx, e.wantDigest); err != nil {
			return nil, 0, err
		}
	}
	down = f.floor
	if len(list) == exportStep {
		down = list[len(list)-1].Number
	}
	return list, down, nil
}

// configurationOf is nil where an entry has none.
func (s *Store) configurationOf(ctx context.Context, digest string) (*Configuration, error) {
	if digest == "" {
		return nil, nil
	}
	c, err := s.Configuration(ctx, digest)
	return &c, err
}
