package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"

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
	words: strings.NewReplacer("{now}", "CAST(unixepoch('subsec') * 1000 AS INTEGER)", "{lock}", "", "{light}", "TRUE"),
	light: light{before: "PRAGMA synchronous = NORMAL", after: "PRAGMA synchronous = FULL"},
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
	reader, err := sql.Open("sqlite", file+"&_pragma=query_only(1)")
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
