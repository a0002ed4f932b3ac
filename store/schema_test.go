package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/store"
	"callboard/store/storetest"
)

func TestMigrationsOfBothDatabasesBelongTogether(t *testing.T) {
	names := func(folder string) []string {
		list, err := fs.ReadDir(store.Migrations(), "migrations/"+folder)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range list {
			names = append(names, e.Name())
		}
		return names
	}
	same(t, "file names", names("sqlite"), names("postgres"))

	sqlite, postgres := empty(t, storetest.SQLite(t)), empty(t, storetest.Postgres(t))
	tables := sqlite.tables()
	if len(tables) < 13 {
		t.Errorf("only %d tables", len(tables))
	}
	for table, columns := range tables {
		for _, c := range columns {
			if strings.Contains(c, "  ") {
				t.Errorf("%s: the kind of column %q is not one of ours", table, c)
			}
		}
	}
	same(t, "tables and columns", tables, postgres.tables())
	same(t, "indexes", sqlite.indexes(), postgres.indexes())
}

// indexes names the indexes that our files make.
func (f fixture) indexes() []string {
	f.t.Helper()
	query := `SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%'`
	if f.db.Name == "postgres" {
		query = `SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT LIKE '%_pkey' AND indexname NOT LIKE '%_key' AND tablename NOT LIKE 'goose%'`
	}
	rows, err := store.WriterOf(f.Store).QueryContext(ctx(f.t), query)
	f.must(err)
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		f.must(rows.Scan(&name))
		names = append(names, name)
	}
	f.must(rows.Err())
	slices.Sort(names)
	return names
}

// TestEachMigrationGoesBack goes down one step at a time: columns, indexes and triggers are then what they were on the way up.
func TestEachMigrationGoesBack(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		m, err := store.MigratorOf(f.Store)
		f.must(err)
		_, err = m.DownTo(ctx(t), 0)
		f.must(err)
		sources := m.ListSources()
		was := []schema{f.schema()}
		for _, s := range sources {
			_, err := m.UpTo(ctx(t), s.Version)
			f.must(err)
			was = append(was, f.schema())
		}
		for i := len(sources) - 1; i >= 0; i-- {
			_, err := m.DownTo(ctx(t), sources[i].Version-1)
			f.must(err)
			same(t, "the schema below "+sources[i].Path, was[i], f.schema())
		}
	})
}

// schema is what migrations make: columns by table, and the text of indexes and triggers by name.
type schema struct {
	Tables map[string][]string
	Others map[string]string
}

func (f fixture) schema() schema {
	f.t.Helper()
	s := schema{Tables: f.tables(), Others: map[string]string{}} // before the next rows are open: there is one connection
	query := `SELECT name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL AND tbl_name NOT LIKE 'goose%'`
	if f.db.Name == "postgres" {
		query = `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename NOT LIKE 'goose%'
			UNION ALL SELECT t.tgname, pg_get_triggerdef(t.oid) || ' ' || p.prosrc FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
				WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace`
	}
	rows, err := store.WriterOf(f.Store).QueryContext(ctx(f.t), query)
	f.must(err)
	defer rows.Close()
	for rows.Next() {
		var name, text string
		f.must(rows.Scan(&name, &text))
		s.Others[name] = strings.Join(strings.Fields(text), " ")
	}
	f.must(rows.Err())
	return s
}

func TestMigrationsGoUpDownAndUp(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		before := f.tables()
		m, err := store.MigratorOf(f.Store)
		f.must(err)
		if _, err := m.DownTo(ctx(t), 0); err != nil {
			t.Fatal(err)
		}
		same(t, "tables after the way down", map[string][]string{}, f.tables())
		if _, err := m.Up(ctx(t)); err != nil {
			t.Fatal(err)
		}
		same(t, "tables after the way up again", before, f.tables())
		f.must(empty(t, db).AddApp(ctx(t), mei, settings(aurora, "Aurora")))
	})
}

func TestSecondOpenKeepsWhatIsThere(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		before := f.dump()
		g := empty(t, db)
		same(t, "every row", before, g.dump())
	})
}

func TestSQLiteSettingsHoldOnEveryConnection(t *testing.T) {
	f := newFixture(t, storetest.SQLite(t))
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "query_only": "1", "cache_size": "-1000"}
	readers := store.ReaderOf(f.Store).Stats().MaxOpenConnections
	same(t, "reading connections", 8, readers)
	var held []*sql.Conn
	for range readers {
		// Each connection is held, so that the pool has to make another.
		c, err := store.ReaderOf(f.Store).Conn(ctx(t))
		f.must(err)
		held = append(held, c)
		f.settings(c, want)
		if _, err := c.ExecContext(ctx(t), `UPDATE apps SET name = 'x'`); err == nil {
			t.Error("a reader could write")
		}
	}
	for _, c := range held {
		f.must(c.Close())
	}
	same(t, "writing connections", 1, store.WriterOf(f.Store).Stats().MaxOpenConnections)
	c, err := store.WriterOf(f.Store).Conn(ctx(t))
	f.must(err)
	want["query_only"], want["cache_size"], want["temp_store"] = "0", "-2000", "2"
	f.settings(c, want)
	f.must(c.Close())
	same(t, "the name", "Aurora", f.app(aurora).Name)
}

func (f fixture) settings(c *sql.Conn, want map[string]string) {
	f.t.Helper()
	got := map[string]string{}
	for name := range want {
		var value string
		f.must(c.QueryRowContext(ctx(f.t), `PRAGMA `+name).Scan(&value))
		got[name] = value
	}
	same(f.t, "settings", want, got)
}

func TestPostgresSettings(t *testing.T) {
	f := newFixture(t, storetest.Postgres(t))
	for name, want := range map[string]string{"synchronous_commit": "on", "idle_in_transaction_session_timeout": "10s"} {
		var got string
		f.must(store.WriterOf(f.Store).QueryRowContext(ctx(t), `SHOW `+name).Scan(&got))
		same(t, name, want, got)
	}
}

func TestOnlyLightWritesDoNotWaitForTheDisk(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		query, within, synced, light := `PRAGMA synchronous`, `PRAGMA synchronous`, "2", "1"
		if db.Name == "postgres" {
			query, within, synced, light = `SHOW synchronous_commit`, `SELECT current_setting('synchronous_commit') WHERE {light}`, "on", "off"
			store.WriterOf(f.Store).SetMaxOpenConns(1) // the one that wrote is looked at
		}
		over, cancel := context.WithTimeout(ctx(t), 20*time.Millisecond)
		defer cancel()
		ends := []struct {
			name  string
			ctx   context.Context
			query string
			value string
			want  error
		}{
			{"done", ctx(t), within, light, nil},
			{"no row", ctx(t), `SELECT name FROM apps WHERE sdkappid = 5 AND {light}`, "", store.ErrNotFound},
			{"failed", ctx(t), `SELECT nothing FROM apps WHERE {light}`, "", store.ErrUnavailable},
			{"given up", over, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n WHERE {light}`, "", context.DeadlineExceeded},
		}
		for _, e := range ends {
			got, err := store.Lightly(e.ctx, f.Store, e.query)
			if !errors.Is(err, e.want) {
				t.Errorf("%s: %v, want %v", e.name, err, e.want)
			}
			same(t, "within, "+e.name, e.value, got)
			f.must(store.WriterOf(f.Store).QueryRowContext(ctx(t), query).Scan(&got))
			same(t, "afterwards, "+e.name, synced, got)
		}
		f.later(minute)
		f.read(aurora, confA) // the same again, lightly
		f.must(store.WriterOf(f.Store).QueryRowContext(ctx(t), query).Scan(&query))
		same(t, "after a reading", synced, query)
	})
}

func TestOddPathOfTheDatabase(t *testing.T) {
	db := storetest.SQLite(t)
	for _, name := range []string{"a b", "a?b", "a#b", "a%20b", "ü"} {
		db.Address = fmt.Sprintf("%s/%s.db", t.TempDir(), name)
		f := empty(t, db)
		f.must(f.AddApp(ctx(t), mei, settings(aurora, name)))
		list, err := fs.Glob(dirFS(db.Address), "*.db")
		f.must(err)
		same(t, "files", []string{name + ".db"}, list)
	}
}

func TestBadDatabaseIsRefusedWithoutItsPassword(t *testing.T) {
	keys := storetest.SQLite(t).Keys
	for _, address := range []string{"postgres://u:s3cret@127.0.0.1:1/x?sslmode=disable", "postgres://u:s3cret@:bad/x", t.TempDir() + "/none/x.db"} {
		s, err := store.Open(ctx(t), store.Options{Database: address, Keys: keys})
		if err == nil {
			t.Errorf("opened %q", address)
			s.Close()
			continue
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the password stands in %q", err)
		}
	}
}

func TestLibcIsTheOneThatSQLiteWasMadeWith(t *testing.T) {
	module := func(arguments ...string) string {
		out, err := exec.CommandContext(ctx(t), "go", arguments...).Output()
		if err != nil {
			t.Fatalf("go %s: %v", strings.Join(arguments, " "), err)
		}
		return strings.TrimSpace(string(out))
	}
	ours := module("list", "-mod=readonly", "-m", "-f", "{{.Version}}", "modernc.org/libc")
	file := module("list", "-mod=readonly", "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite")
	theirs := requirement(t, file, "modernc.org/libc")
	if ours == "" || ours != theirs {
		t.Errorf("modernc.org/libc is %s, but SQLite was made with %s", ours, theirs)
	}
}

func dirFS(file string) fs.FS { return os.DirFS(filepath.Dir(file)) }

func requirement(t *testing.T, file, module string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) >= 2 && words[0] == module {
			return words[1]
		}
	}
	return ""
}
