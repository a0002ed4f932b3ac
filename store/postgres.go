package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const uniqueViolation = "23505"

var postgresDialect = dialect{
	name:   "postgres",
	goose:  goose.DialectPostgres,
	parsed: true,
	words: strings.NewReplacer("{now}", "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)", "{lock}", " FOR NO KEY UPDATE",
		"{light}", "set_config('synchronous_commit', 'off', true) = 'off'"),
	isUnique: func(err error) bool {
		var e *pgconn.PgError
		return errors.As(err, &e) && e.Code == uniqueViolation
	},
}

// heldLimit is after which the server ends a transaction that nobody goes on with, longer than any writes: a process that
// is frozen in the middle of one must not keep the others from the rows that it holds.
const heldLimit = 10 * time.Second

func openPostgres(ctx context.Context, address string) (*Store, error) {
	return connectPostgres(ctx, address, map[string]string{"synchronous_commit": "on", "idle_in_transaction_session_timeout": strconv.FormatInt(heldLimit.Milliseconds(), 10)})
}

func openPostgresToRead(ctx context.Context, address string) (*Store, error) {
	return connectPostgres(ctx, address, map[string]string{"default_transaction_read_only": "on"})
}

// oneIndex keeps statements to what they are written for: following one index in its order until enough is found. A
// bitmap reads all that matches first, and the planner, which sees no values in a prepared statement, often takes many
// matches for few. Compiling takes longer than such a statement.
var oneIndex = map[string]string{"enable_bitmapscan": "off", "jit": "off"}

// mostConnections is how many connections one console uses at once. One that a statement was given up on may be closed a
// few seconds after another took its place.
const mostConnections = 16

func connectPostgres(ctx context.Context, address string, settings map[string]string) (*Store, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		// The parser's error may quote the address, and with it the password.
		return nil, errors.New("the database address is not understood; expected postgres://user:password@host:port/name")
	}
	config.ConnectTimeout = 3 * time.Second
	maps.Copy(config.RuntimeParams, oneIndex)
	maps.Copy(config.RuntimeParams, settings)
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(mostConnections)
	db.SetMaxIdleConns(mostConnections)
	db.SetConnMaxIdleTime(30 * time.Minute)
	db.SetConnMaxLifetime(time.Hour) // after which a server that took over gets its share
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("reaching the database at %s: %w", config.Host, err)
	}
	return &Store{dialect: postgresDialect, writer: db, reader: db, close: db.Close}, nil
}

// lockOptions lets several processes start on one PostgreSQL database together; a SQLite file has one owner.
func lockOptions(dialect string) ([]goose.ProviderOption, error) {
	if dialect != "postgres" {
		return nil, nil
	}
	// Whoever comes second asks again each second, five minutes long.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, fmt.Errorf("preparing the migration lock: %w", err)
	}
	return []goose.ProviderOption{goose.WithSessionLocker(locker)}, nil
}
