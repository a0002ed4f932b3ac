package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteSettings hold for every connection because they are part of the address: a committed change survives a
// power cut (synchronous FULL), and a write waits at most five seconds for another.
const sqliteSettings = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"

var sqliteDialect = dialect{
	name:  "sqlite",
	goose: goose.DialectSQLite3,
	// A writing transaction has the whole file for itself.
	words:  strings.NewReplacer("{now}", "CAST(unixepoch('subsec') * 1000 AS INTEGER)", "{lock}", "", "{free}", "", "{light}", "TRUE"),
	synced: onSQLite,
	light:  onSQLiteUnsynced,
	// What a statement changes is kept for its undoing, in a file of its own once it is more than 16 pages, as those of an
	// entry are. Migrations are better off with files: an index of millions of rows is sorted in one. A connection that has
	// to be made anew is without this, and only slower.
	migrated: "PRAGMA temp_store = MEMORY",
	isUnique: func(err error) bool {
		var e *sqlite.Error
		return errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
	},
}

func openSQLite(ctx context.Context, path string) (*Store, error) {
	if err := touch(path); err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	// A connection never makes the file: one that comes after somebody moved it away would go on with an empty database.
	file := sqliteFile(path) + "?mode=rw&" + sqliteSettings
	writer, err := sql.Open("sqlite", file+"&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	// One writer: SQLite has one anyway, and waiting here is fairer than its busy loop.
	writer.SetMaxOpenConns(1)
	if err := writer.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database %s: %w", path, err), writer.Close())
	}
	// Half the usual memory for pages, of which there are many readers: what they often ask for the system remembers too.
	reader, err := sql.Open("sqlite", file+"&_pragma=query_only(1)&_pragma=cache_size(-1000)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database: %w", err), writer.Close())
	}
	reader.SetMaxOpenConns(8)
	reader.SetMaxIdleConns(8)
	return &Store{dialect: sqliteDialect, writer: writer, reader: reader, close: sync.OnceValue(func() error { //nolint:contextcheck // closing has to end whatever the opener waits for
		return errors.Join(reader.Close(), atRest(writer), writer.Close())
	})}, nil
}

// touch makes an empty file, for its owner alone, where there is none.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// atRest waits until the one connection is free: a transaction that was given up is rolled back in the background, and
// a process that ends meanwhile leaves its log behind.
func atRest(writer *sql.DB) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	c, err := writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("waiting for the last write: %w", err)
	}
	return c.Close()
}

// sqliteTx is a transaction on SQLite, which has no trips to save.
type sqliteTx struct {
	*sql.Tx
	s        *Store
	unparsed []string // statements to be kept parsed from now on
}

// onSQLite runs f in one transaction of the connection that writes.
func onSQLite(ctx context.Context, s *Store, f func(carrier) error) error {
	return s.onSQLite(ctx, f, "")
}

// onSQLiteUnsynced tells the connection not to wait for the disk meanwhile.
func onSQLiteUnsynced(ctx context.Context, s *Store, f func(carrier) error) error {
	return s.onSQLite(ctx, f, "PRAGMA synchronous = NORMAL")
}

func (s *Store) onSQLite(ctx context.Context, f func(carrier) error, before string) error {
	unparsed, err := s.onWriter(ctx, f, before)
	s.parse(ctx, unparsed)
	return err
}

// onWriter returns the statements to be kept parsed.
func (s *Store) onWriter(ctx context.Context, f func(carrier) error, before string) (unparsed []string, err error) {
	c, err := s.writer.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }() // only gives the connection back
	if before != "" {
		defer func() {
			// Also after a failure, which may come after the deed. A connection that could not be set back is not used again.
			if _, err := c.ExecContext(context.WithoutCancel(ctx), "PRAGMA synchronous = FULL"); err != nil {
				_ = c.Raw(func(any) error { return driver.ErrBadConn })
			}
		}()
		if _, err := c.ExecContext(ctx, before); err != nil {
			return nil, err
		}
	}
	t, err := c.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer t.Rollback()
	on := &sqliteTx{Tx: t, s: s}
	if err := f(on); err != nil {
		if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
			err = ctx.Err() // what ended the transaction
		}
		return nil, err
	}
	return on.unparsed, nil
}

func (t *sqliteTx) commit(ctx context.Context, list []command) error {
	if err := t.carry(ctx, list); err != nil {
		return err
	}
	return t.Commit()
}

func (t *sqliteTx) carry(ctx context.Context, list []command) error {
	for _, c := range list {
		if err := t.do(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (t *sqliteTx) do(ctx context.Context, c command) error {
	if c.each != nil {
		rows, err := t.query(ctx, c)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := c.each(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
	r, err := t.exec(ctx, c)
	if err != nil || !c.one {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n != 1 {
		err = ErrMoved
	}
	return err
}

func (t *sqliteTx) query(ctx context.Context, c command) (*sql.Rows, error) {
	if statement := t.parsed(ctx, c.query); statement != nil { //nolint:sqlclosecheck // ends with the transaction
		return statement.QueryContext(ctx, c.args...)
	}
	return t.QueryContext(ctx, t.s.sql(c.query), c.args...)
}

func (t *sqliteTx) exec(ctx context.Context, c command) (sql.Result, error) {
	if statement := t.parsed(ctx, c.query); statement != nil { //nolint:sqlclosecheck // ends with the transaction
		return statement.ExecContext(ctx, c.args...)
	}
	return t.ExecContext(ctx, t.s.sql(c.query), c.args...)
}

// parsed is a statement that was kept parsed, which takes a third of the time of a short transaction; nil where there is
// none yet.
func (t *sqliteTx) parsed(ctx context.Context, query string) *sql.Stmt {
	if known, ok := t.s.writing.Load(query); ok {
		return t.StmtContext(ctx, known.(*sql.Stmt)) //nolint:errcheck // only statements are stored
	}
	t.unparsed = append(t.unparsed, query)
	return nil
}

// parseWait is how long a write that is done waits for the connection once more, to parse its statements.
const parseWait = 50 * time.Millisecond

// parse keeps statements for the next transactions. There is one connection to write, which may be another's by now.
func (s *Store) parse(ctx context.Context, queries []string) {
	if len(queries) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, parseWait)
	defer cancel()
	for _, query := range queries {
		if _, known := s.writing.Load(query); known {
			continue
		}
		statement, err := s.writer.PrepareContext(ctx, s.sql(query))
		if err != nil {
			return // without, it only takes longer
		}
		if _, raced := s.writing.LoadOrStore(query, statement); raced {
			_ = statement.Close() //nolint:sqlclosecheck // the one that is kept stays open
		}
	}
}

func sqliteFile(path string) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String()
}

// openSQLiteToRead makes no file; SQLite itself needs to write the one that keeps readers and writers apart.
func openSQLiteToRead(ctx context.Context, path string) (*Store, error) {
	db, err := sql.Open("sqlite", sqliteFile(path)+"?mode=rw&"+sqliteSettings+"&_pragma=query_only(1)")
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database %s: %w", path, err), db.Close())
	}
	return &Store{dialect: sqliteDialect, writer: db, reader: db, close: db.Close}, nil
}
