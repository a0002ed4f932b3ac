// Package store remembers: apps, readings, plans, changes, people and the audit trail, on SQLite or PostgreSQL.
//
// The exported method owns the transaction, its unexported twin works inside it. SQL is written once, with numbered
// placeholders, and runs unchanged on both databases; only schema and connection differ (sqlite.go, postgres.go).
// Times are Unix milliseconds. Those that people read come from the injected clock; leases, next checks, grace and
// session expiry are written and compared by the database's clock only.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// writeLimit bounds a reading statement or a writing transaction, the wait for the writer included, so that a page can say
// in time that the store does not answer. Tests make it shorter.
var writeLimit = 5500 * time.Millisecond

var (
	// ErrNotFound says that no such record exists.
	ErrNotFound = errors.New("not found")
	// ErrDuplicate says that a record with this key exists already.
	ErrDuplicate = errors.New("exists already")
	// ErrMoved says that the record is no longer in the state that the caller saw.
	ErrMoved = errors.New("has changed meanwhile")
	// ErrUnavailable says that the database could not carry out the statement. Nothing was written, unless the answer to
	// a commit was lost, which is why acts that must not happen twice are guarded by the state of their row.
	ErrUnavailable = errors.New("the store is not available")
	// ErrKeys says that the key set does not belong to this database.
	ErrKeys = errors.New("the key set does not belong to this database")
)

// shortLimit is the limit after a wait in vain, where OneWait asks for it.
const shortLimit = 400 * time.Millisecond

// waited is where a context keeps whether something under it waited in vain.
type waited struct{}

// OneWait is for a page, which needs several statements: under the context that it returns the first wait in vain may be
// long and those after it are short, so that the page can say in six seconds that the store does not answer.
func OneWait(ctx context.Context) context.Context {
	return context.WithValue(ctx, waited{}, new(atomic.Bool))
}

// within limits how long the database is waited for. The caller calls end afterwards.
func within(ctx context.Context) (limited context.Context, end func()) {
	limit := writeLimit
	before, _ := ctx.Value(waited{}).(*atomic.Bool)
	if before != nil && before.Load() {
		limit = min(shortLimit, writeLimit)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	return limited, func() {
		// A caller that gave up itself says nothing about the database.
		if before != nil && limited.Err() != nil && ctx.Err() == nil {
			before.Store(true)
		}
		cancel()
	}
}

// Store is the console's memory. It is safe for concurrent use.
type Store struct {
	dialect dialect
	writer  *sql.DB
	reader  *sql.DB
	keys    *Keys
	clock   func() time.Time
	reached func(point string)

	statements sync.Map                     // of reading queries by their text
	writing    sync.Map                     // the same of SQLite's transactions
	known      *memo[string, Configuration] // by digest
	apps       rowMemo[App]
	entries    rowMemo[Entry]
	told       *memo[int64, versioned[told]] // by number
	begun      *memo[int64, beginning]       // by number
	read       *memo[int64, string]          // digests by reading
	close      func() error
}

// dialect is what differs between the databases outside the schema.
type dialect struct {
	name     string
	goose    goose.Dialect
	isUnique func(error) bool
	// parsed says that the driver keeps statements parsed by itself.
	parsed bool
	// words are what stands for {now}, the database's clock as Unix milliseconds; for {lock}, after which a transaction has the
	// rows that it read for itself; for {free}, which is the same of those that no other has; and for {light}, a condition that always holds and lets a statement not wait for the disk.
	words *strings.Replacer
	// synced waits for the disk and light does not.
	synced, light transaction
	// migrated is told to the connection that writes once the schema is up to date, if it is not empty.
	migrated string
}

// Options says which database to open and with what.
type Options struct {
	// Database is a postgres:// address, or a path of a SQLite file.
	Database string
	// Keys encrypts secrets and chains the audit rows.
	Keys *Keys
	// Clock gives the times that people read; time.Now when nil.
	Clock func() time.Time
	// Reached is told when an intent is inserted but not committed, and after each step of a rotation of keys, so that a
	// test can end the process there.
	Reached func(point string)
}

// Open connects, brings the schema up to date and checks that the key set belongs to the database.
// The caller closes the store.
func Open(ctx context.Context, o Options) (*Store, error) {
	open := openSQLite
	if IsPostgres(o.Database) {
		open = openPostgres
	}
	s, err := open(ctx, o.Database)
	if err != nil {
		return nil, err
	}
	s.use(o)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) use(o Options) {
	s.keys = o.Keys
	s.forget()
	s.clock = o.Clock
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.reached = o.Reached; s.reached == nil {
		s.reached = func(string) {}
	}
}

// forget empties the memory.
func (s *Store) forget() {
	s.known, s.begun, s.read = newMemo[string, Configuration](keptConfigurations), newMemo[int64, beginning](keptRows), newMemo[int64, string](keptRows)
	s.apps, s.entries, s.told = memoOfApps(), memoOfEntries(), newMemo[int64, versioned[told]](keptWhole)
}

// OpenToRead connects to a database that a console uses, beside that console: it writes nothing, makes no file and leaves
// the schema as it is. Writing methods fail. ErrKeys when the key set does not belong to it; the caller closes the store.
func OpenToRead(ctx context.Context, o Options) (*Store, error) {
	open := openSQLiteToRead
	if IsPostgres(o.Database) {
		open = openPostgresToRead
	}
	s, err := open(ctx, o.Database)
	if err != nil {
		return nil, err
	}
	s.use(o)
	known, err := s.keysFit(ctx)
	if err == nil && !known {
		err = errors.New("no console has used this database yet")
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// IsPostgres tells whether a database option names a PostgreSQL server.
func IsPostgres(database string) bool {
	return strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://")
}

// Close ends all connections.
func (s *Store) Close() error { return s.close() }

// Ping tells whether the database can be reached and written to, for readiness checks.
func (s *Store) Ping(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		// Something that differs: a database writes nothing for a value that stays.
		t.queue(`INSERT INTO meta (name, value) VALUES ('pinged', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
			[]byte(strconv.FormatInt(time.Now().UnixNano(), 10)))
		return nil
	})
}

func (s *Store) prepare(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if s.dialect.migrated != "" {
		if _, err := s.writer.ExecContext(ctx, s.dialect.migrated); err != nil {
			return fmt.Errorf("preparing to write: %w", err)
		}
	}
	return s.checkKeys(ctx)
}

// migrator knows the migrations of this database.
func (s *Store) migrator() (*goose.Provider, error) {
	sub, err := fs.Sub(migrations, "migrations/"+s.dialect.name)
	if err != nil {
		return nil, err
	}
	options, err := lockOptions(s.dialect.name)
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(s.dialect.goose, s.writer, sub, options...)
	if err != nil {
		return nil, fmt.Errorf("preparing the migrations: %w", err)
	}
	return p, nil
}

func (s *Store) migrate(ctx context.Context) error {
	p, err := s.migrator()
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bringing the schema up to date: %w", err)
	}
	return nil
}

// sql puts the database's own words into a statement.
func (s *Store) sql(query string) string { return s.dialect.words.Replace(query) }

func (s *Store) now() int64 { return s.clock().UnixMilli() }

// unavailable marks what the database itself reported; the store's own errors, and a caller that gave up, pass unchanged.
func unavailable(err error) error {
	var open *OpenChangeError
	var many *TooManyError
	var left *KeysLeftError
	for _, own := range []error{ErrNotFound, ErrDuplicate, ErrMoved, ErrKeys, ErrUnavailable, ErrRegionLocked, ErrArchived, ErrLastAdmin, ErrNotAllowed, ErrKeyFile, errAttempt, errOlder, context.Canceled} {
		if errors.Is(err, own) {
			return err
		}
	}
	if err == nil || errors.As(err, &open) || errors.As(err, &many) || errors.As(err, &left) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// row runs a reading query for one record, within the limit of a read.
func (s *Store) row(ctx context.Context, query string, args ...any) scanner {
	limited, end := within(ctx)
	return limitedRow{s.rowWithin(limited, query, args...), end}
}

// limitedRow is a row whose limit ends with its Scan.
type limitedRow struct {
	*sql.Row
	end func()
}

// Scan copies the columns into dest; sql.ErrNoRows when there is no row.
func (r limitedRow) Scan(dest ...any) error {
	defer r.end()
	return r.Row.Scan(dest...)
}

func (s *Store) rowWithin(ctx context.Context, query string, args ...any) *sql.Row {
	statement, err := s.prepared(ctx, query) //nolint:sqlclosecheck // kept for the next time
	if err != nil || statement == nil {
		// The plain query reports the same fault, in the one way that a row can.
		return s.reader.QueryRowContext(ctx, s.sql(query), args...)
	}
	return statement.QueryRowContext(ctx, args...)
}

// prepared keeps reading statements parsed, which for the pages takes a fifth of their time; nil where the driver does so
// itself. The texts are few: they stand in this package, and filters only choose among their parts.
func (s *Store) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if s.dialect.parsed {
		return nil, nil
	}
	if known, ok := s.statements.Load(query); ok {
		return known.(*sql.Stmt), nil //nolint:errcheck // only statements are stored
	}
	statement, err := s.reader.PrepareContext(ctx, s.sql(query))
	if err != nil {
		return nil, err
	}
	if known, raced := s.statements.LoadOrStore(query, statement); raced {
		return known.(*sql.Stmt), statement.Close() //nolint:errcheck,sqlclosecheck // as above
	}
	return statement, nil
}

// query runs a reading query for many records.
func (s *Store) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	statement, err := s.prepared(ctx, query) //nolint:sqlclosecheck // kept for the next time
	if err != nil {
		return nil, err
	}
	if statement == nil {
		return s.reader.QueryContext(ctx, s.sql(query), args...)
	}
	return statement.QueryContext(ctx, args...)
}

// all collects the rows of a reading query.
func all[T any](ctx context.Context, s *Store, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	limited, end := within(ctx)
	defer end()
	rows, err := s.query(limited, query, args...)
	if err != nil {
		return nil, unavailable(err)
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, unavailable(err)
		}
		list = append(list, v)
	}
	return list, unavailable(rows.Err())
}

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(...any) error }

// found turns "no rows" into ErrNotFound.
func found[T any](v T, err error) (T, error) { return v, unavailable(foundRow(err)) }

func foundRow(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// Text makes what a stranger sent storable on both databases: no NUL, valid UTF-8, at most limit bytes, cut between runes.
func Text(s string, limit int) string {
	s = storable(s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// storable is a text as both databases take it; PostgreSQL refuses NUL and what is not UTF-8, in look-ups too.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\u2400")
}

// Visible is a text without blanks around it, and without what nobody sees and copies bring along: marks of writing
// direction, zero-width blanks, soft hyphens, and letters that are drawn as nothing. Joiners stay, as emoji and some scripts
// need them, where anything else is to be seen.
func Visible(s string) string {
	seen := false
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Bidi_Control, unicode.Other_Default_Ignorable_Code_Point) || strings.ContainsRune("\u200b\u2060\ufeff\u00ad\u2800", r) {
			return -1
		}
		seen = seen || !unicode.In(r, unicode.White_Space, unicode.Cf, unicode.Variation_Selector)
		return r
	}, s)
	if !seen {
		return ""
	}
	return strings.TrimSpace(s)
}

// Key folds a name for look-ups that ignore case.
func Key(name string) string { return strings.ToLower(strings.TrimSpace(storable(name))) }
