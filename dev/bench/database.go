package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of the server that is measured
	_ "modernc.org/sqlite"             // the driver of the file that is measured
)

// postgresVariable names the server to measure on.
const postgresVariable = "CALLBOARD_TEST_POSTGRES"

// database is a database of its own for one size.
type database struct {
	kind    string
	address string // as the console takes it
	note    string // what of its settings matters for the figures
	close   func() error
	commits *sql.DB // where durable commits are measured, same settings as the console's
}

// sqliteSettings are those of the console's writer: a commit is on the disk when it returns.
const sqliteSettings = "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"

func openDatabase(ctx context.Context, kind, folder string) (*database, error) {
	if kind == "postgres" {
		return openPostgres(ctx)
	}
	// A file beside the console's: two processes that write one file would wait for each other.
	beside, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "beside.db")+sqliteSettings)
	if err != nil {
		return nil, err
	}
	d := &database{kind: kind, address: filepath.Join(folder, "callboard.db"), commits: beside, close: beside.Close, note: "SQLite, WAL, synchronous FULL"}
	return d, d.prepare(ctx)
}

// openPostgres makes a schema of its own on the server.
func openPostgres(ctx context.Context) (*database, error) {
	u, err := url.Parse(os.Getenv(postgresVariable))
	if err != nil {
		return nil, errors.New(postgresVariable + " is not an address")
	}
	schema := "bench_" + strings.ToLower(rand.Text()[:10])
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	d := &database{kind: "postgres", address: u.String(), commits: db}
	d.close = func() error {
		// Also after an interrupt, when ctx is over.
		drop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, err := db.ExecContext(drop, "DROP SCHEMA IF EXISTS "+schema+" CASCADE")
		return errors.Join(err, db.Close())
	}
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
		return nil, errors.Join(fmt.Errorf("making a schema: %w", err), db.Close())
	}
	var version, fsync string
	err = db.QueryRowContext(ctx, "SELECT current_setting('server_version'), current_setting('fsync')").Scan(&version, &fsync)
	version, _, _ = strings.Cut(version, " ")
	d.note = "PostgreSQL " + version + ", fsync " + fsync
	return d, errors.Join(err, d.prepare(ctx))
}

// prepare makes the table of commits that are measured beside an apply.
func (d *database) prepare(ctx context.Context) error {
	_, err := d.commits.ExecContext(ctx, `CREATE TABLE bench_commits (at BIGINT NOT NULL, body TEXT NOT NULL)`)
	if err != nil {
		return errors.Join(fmt.Errorf("making a table: %w", err), d.close())
	}
	return nil
}

// commit writes a row of a kilobyte durably.
func (d *database) commit(ctx context.Context) error {
	t, err := d.commits.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, `INSERT INTO bench_commits (at, body) VALUES ($1, $2)`, time.Now().UnixMilli(), strings.Repeat("x", 1000)); err != nil {
		return errors.Join(err, t.Rollback())
	}
	return t.Commit()
}

// twoCommits is how long two durable commits take, one after the other.
func (d *database) twoCommits(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	if err := errors.Join(d.commit(ctx), d.commit(ctx)); err != nil {
		return 0, fmt.Errorf("committing beside the console: %w", err)
	}
	return time.Since(start), nil
}
