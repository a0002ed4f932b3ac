package store

import (
	"context"
	"database/sql"
	"io/fs"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
)

// Migrations are the files of both databases, for tests.
func Migrations() fs.FS { return migrations }

// MigratorOf gives tests the way down.
func MigratorOf(s *Store) (*goose.Provider, error) { return s.migrator() }

// WriterOf gives tests the connection that writes.
func WriterOf(s *Store) *sql.DB { return s.writer }

// ReaderOf gives tests the connections that read.
func ReaderOf(s *Store) *sql.DB { return s.reader }

// SetDatabase makes a store work through other pools, to see its statements.
func SetDatabase(s *Store, writer, reader *sql.DB) {
	s.statements.Clear()
	s.writing.Clear()
	s.writer, s.reader = writer, reader
}

// Forget is for a database whose rows a test made anew, with the numbers of others.
func Forget(s *Store) { s.forget() }

// Seal encrypts for a place.
func Seal(s *Store, place, secret string) ([]byte, error) {
	return s.keys.seal(s.keys.current().primary, place, []byte(secret))
}

// Unseal decrypts from a place.
func Unseal(s *Store, place string, sealed []byte) (string, error) {
	secret, err := s.keys.unseal(place, sealed)
	return string(secret), err
}

// SetWriteLimit shortens the time that a write may take, until the test ends.
func SetWriteLimit(t testing.TB, d time.Duration) {
	old := writeLimit
	writeLimit = d
	t.Cleanup(func() { writeLimit = old })
}

// AddCookieKey puts a newer key on top, as a rotation does.
func AddCookieKey(s *Store, key []byte) error {
	return s.sealing(context.Background(), func(t *tx) error { return t.addCookieKey(key) })
}

// SetExamined makes the looks of a test shorter.
func SetExamined(t interface{ Cleanup(func()) }, rows int) {
	old := examined
	examined = rows
	t.Cleanup(func() { examined = old })
}

// SetAuditSearch makes a search in the audit look at fewer rows, until the test ends.
func SetAuditSearch(t testing.TB, rows int64) {
	old := auditSearch
	auditSearch = rows
	t.Cleanup(func() { auditSearch = old })
}

// SealedColumns names the columns that rotation encrypts anew, as table.column.
func SealedColumns() []string {
	var list []string
	for _, c := range sealedColumns {
		list = append(list, c.table+"."+c.name)
	}
	return list
}

// PathOf is the file of a key set.
func PathOf(k *Keys) string { return k.path }

// OneIndex are the settings of the connections to PostgreSQL that decide about plans.
var OneIndex = oneIndex

// LimitOf is how long a statement under a context may wait for the database.
func LimitOf(ctx context.Context) time.Duration {
	limited, end := within(ctx)
	defer end()
	until, _ := limited.Deadline()
	return time.Until(until)
}

// SetLeftLimit changes how long a statement goes on that nobody waits for, until the test ends.
func SetLeftLimit(t testing.TB, d time.Duration) {
	old := leftLimit
	leftLimit = d
	t.Cleanup(func() { leftLimit = old })
}

// Write runs one transaction of a statement and of a guarded one behind it, and of then before it is committed.
func Write(ctx context.Context, s *Store, query, guarded string, then func()) error {
	return s.write(ctx, func(t *tx) error {
		t.queue(query)
		t.queueOne(guarded)
		then()
		return nil
	})
}

// WriteOn runs one transaction that goes on as if nothing were wrong when its statement fails.
func WriteOn(ctx context.Context, s *Store, query string) error {
	return s.write(ctx, func(t *tx) error {
		t.queue(query)
		_ = t.flush()
		return nil
	})
}

// WriteOnAfterGuard does the same with a guard that does not hold before a statement.
func WriteOnAfterGuard(ctx context.Context, s *Store, guarded, query string) error {
	return s.write(ctx, func(t *tx) error {
		t.queueOne(guarded)
		t.queue(query)
		_ = t.flush()
		return nil
	})
}

// Lightly runs a statement that does not wait for the disk and answers with one word.
func Lightly(ctx context.Context, s *Store, query string) (value string, err error) {
	err = s.lightly(ctx, func(t *tx) error { return foundRow(t.row(query).Scan(&value)) })
	return value, err
}
