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
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const uniqueViolation = "23505"

var postgresDialect = dialect{
	name:   "postgres",
	goose:  goose.DialectPostgres,
	parsed: true,
	words: strings.NewReplacer("{now}", "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)", "{lock}", " FOR NO KEY UPDATE", "{free}", " FOR UPDATE SKIP LOCKED",
		"{light}", "set_config('synchronous_commit', 'off', true) = 'off'"),
	isUnique: func(err error) bool {
		var e *pgconn.PgError
		return errors.As(err, &e) && e.Code == uniqueViolation
	},
	synced: onPostgres,
	light:  onPostgresUnsynced,
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
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &leaver{pgconn.DeadlineContextWatcherHandler{Conn: c.Conn()}}
	}
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

// leftLimit is how long a statement may go on whose page nobody waits for any more. Ending it ends its connection, and
// opening another takes longer than most statements: when many leave at once, those who stay would wait for that.
var leftLimit = time.Second // tests make it longer

// leaver decides what becomes of a connection whose caller stops waiting. One whose time is over is ended at once.
type leaver struct {
	pgconn.DeadlineContextWatcherHandler
}

// HandleCancel gives a statement time to end, or none.
func (l *leaver) HandleCancel(ctx context.Context) {
	l.DeadlineDelay = 0
	if errors.Is(ctx.Err(), context.Canceled) {
		l.DeadlineDelay = leftLimit
	}
	l.DeadlineContextWatcherHandler.HandleCancel(ctx)
}

// postgresTx is a transaction on PostgreSQL, or, unsynced, statements of which each trip stands for itself.
type postgresTx struct {
	*pgx.Conn
	s        *Store
	unsynced bool
	begun    bool
	failed   error // of a statement, after which nothing else is carried out
}

func onPostgres(ctx context.Context, s *Store, f func(carrier) error) error {
	return s.onPostgres(ctx, &postgresTx{s: s}, f)
}

// onPostgresUnsynced saves the trips of a transaction.
func onPostgresUnsynced(ctx context.Context, s *Store, f func(carrier) error) error {
	return s.onPostgres(ctx, &postgresTx{s: s, unsynced: true}, f)
}

// onPostgres goes past database/sql, which sends one statement at a time.
func (s *Store) onPostgres(ctx context.Context, t *postgresTx, f func(carrier) error) error {
	c, err := s.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // only gives the connection back
	return c.Raw(func(conn any) error {
		t.Conn = conn.(*stdlib.Conn).Conn() //nolint:errcheck // the driver of this pool
		defer t.end(ctx)
		return f(t)
	})
}

func (t *postgresTx) carry(ctx context.Context, list []command) error {
	return t.send(ctx, list, "")
}

func (t *postgresTx) commit(ctx context.Context, list []command) error {
	if t.unsynced {
		return t.carry(ctx, list)
	}
	return t.send(ctx, list, "COMMIT")
}

// send takes statements to the server in one trip, the first time behind the beginning of the transaction.
func (t *postgresTx) send(ctx context.Context, list []command, last string) error {
	if t.failed != nil {
		return t.failed
	}
	b := &pgx.Batch{}
	if !t.unsynced && !t.begun {
		b.Queue("BEGIN")
		t.begun = true
	}
	for _, c := range list {
		c.queue(b.Queue(t.s.sql(c.query), c.args...))
	}
	if last != "" {
		// A transaction in which a statement failed is rolled back by its commit, which is no error to the server.
		b.Queue(last).Exec(func(tag pgconn.CommandTag) error {
			if tag.String() != last {
				return fmt.Errorf("the server answered %s with %s", last, tag)
			}
			return nil
		})
	}
	err := t.SendBatch(ctx, b).Close()
	if !errors.Is(err, ErrMoved) { // a guard that does not hold is no failure of the server's
		t.failed = err
	}
	return err
}

// queue says what to do with what a statement answers.
func (c command) queue(q *pgx.QueuedQuery) {
	switch {
	case c.each != nil:
		q.Query(func(rows pgx.Rows) error {
			for rows.Next() {
				if err := c.each(rows); err != nil {
					return err
				}
			}
			return rows.Err()
		})
	case c.one:
		q.Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() != 1 {
				return ErrMoved
			}
			return nil
		})
	}
}

// end undoes what was not committed. The server does it for a connection that ends.
func (t *postgresTx) end(ctx context.Context) {
	if t.IsClosed() || t.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shortLimit)
	defer cancel()
	if _, err := t.Exec(ctx, "ROLLBACK"); err != nil {
		_ = t.Close(ctx)
	}
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
