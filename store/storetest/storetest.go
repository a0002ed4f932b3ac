// Package storetest runs a test on both databases: a real SQLite file and a real PostgreSQL server.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that makes a schema for each test

	"callboard/store"
)

// PostgresVariable names the environment variable with the address of a PostgreSQL server that tests may write to.
const PostgresVariable = "CALLBOARD_TEST_POSTGRES"

// Database is a fresh, empty database of one kind.
type Database struct {
	Name    string // "sqlite" or "postgres"
	Address string // as store.Options wants it
	Keys    *store.Keys
}

// Run runs f twice, as subtests "sqlite" and "postgres", each on a fresh database.
func Run(t *testing.T, f func(t *testing.T, db Database)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, Postgres(t)) })
}

// SQLite gives a fresh SQLite file.
func SQLite(t testing.TB) Database {
	t.Helper()
	return Database{Name: "sqlite", Address: filepath.Join(t.TempDir(), "callboard.db"), Keys: keys(t)}
}

// Postgres gives a fresh schema on the server that the environment names; without one the test fails.
func Postgres(t testing.TB) Database {
	t.Helper()
	server := os.Getenv(PostgresVariable)
	if server == "" {
		t.Fatalf("this test needs a PostgreSQL server: run `make test`, or set %s to the address of one", PostgresVariable)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s is not an address", PostgresVariable)
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	schema := "test_" + hex.EncodeToString(random)
	exec(t, admin, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { exec(t, admin, "DROP SCHEMA "+schema+" CASCADE") })
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return Database{Name: "postgres", Address: u.String(), Keys: keys(t)}
}

func exec(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}

// keys makes a key set in a file, as a console has it.
func keys(t testing.TB) *store.Keys {
	t.Helper()
	k, err := store.LoadKeys(filepath.Join(t.TempDir(), "keyset.json"), true)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Open opens the database and closes it with the test.
func (d Database) Open(t testing.TB, clock func() time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), store.Options{Database: d.Address, Keys: d.Keys, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Exchange is the request and answer of an entry; store.ErrNotFound when no call was made.
func Exchange(ctx context.Context, s *store.Store, number int64) (store.Exchange, error) {
	e, err := s.WholeEntry(ctx, number)
	if err != nil {
		return store.Exchange{}, err
	}
	if e.Call == nil {
		return store.Exchange{}, store.ErrNotFound
	}
	return *e.Call, nil
}
