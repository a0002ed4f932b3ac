package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"callboard/store"
	"callboard/store/storetest"
)

// recorded is the data of a console with some audit rows: its folder, the options that name it, and the database beside it.
func recorded(t *testing.T, db storetest.Database) (folder string, args []string, beside *sql.DB) {
	t.Helper()
	folder = t.TempDir()
	address, driver, name := filepath.Join(folder, "callboard.db"), "sqlite", "file:"+filepath.Join(folder, "callboard.db")+"?_pragma=busy_timeout(5000)"
	args = []string{"--data", folder}
	if db.Name == "postgres" {
		address, driver, name = db.Address, "pgx", db.Address
		args = append(args, "--database", address)
	}
	keys, err := store.LoadKeys(filepath.Join(folder, "keyset.json"), true)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{Database: address, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := s.SignInFailed(t.Context(), store.Actor{Kind: store.PersonActor}, fmt.Sprint("name ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if beside, err = sql.Open(driver, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = beside.Close() })
	return folder, args, beside
}

func TestAuditCheck(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		folder, args, beside := recorded(t, db)
		check := append([]string{"audit", "check"}, args...)
		before := names(t, folder)
		if diff := cmp.Diff(ended{0, "5 audit rows, unbroken\n", ""}, finish(t, check...)); diff != "" {
			t.Errorf("alone (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, names(t, folder)); diff != "" {
			t.Errorf("the check left files behind:\n%s", diff)
		}
		p, _ := serveAt(t, args...)
		if diff := cmp.Diff(ended{0, "5 audit rows, unbroken\n", ""}, finish(t, check...)); diff != "" {
			t.Errorf("beside a console (-want +got):\n%s", diff)
		}
		mustStop(t, p)
		for _, statement := range []string{`DROP TRIGGER IF EXISTS audit_no_update`, `DROP TRIGGER IF EXISTS audit_append_only ON audit`, `UPDATE audit SET target = 'x' WHERE number = 3`} {
			if _, err := beside.ExecContext(t.Context(), statement); err != nil && !strings.Contains(statement, "TRIGGER") {
				t.Fatal(err)
			}
		}
		want := ended{1, "", "callboard: the audit is broken at row 3: this row was changed, removed or put in\n"}
		if diff := cmp.Diff(want, finish(t, check...)); diff != "" {
			t.Errorf("after tampering (-want +got):\n%s", diff)
		}
	})
}

func TestAuditCheckIsRefused(t *testing.T) {
	folder, _, beside := recorded(t, storetest.SQLite(t))
	empty := t.TempDir()
	if _, err := store.LoadKeys(filepath.Join(empty, "keyset.json"), true); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(empty, "keyset.json")
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"no command", []string{"audit"}, `expected "check"`},
		{"no database", []string{"audit", "check", "--data", empty}, "there is no database at " + empty + "/callboard.db"},
		{"no folder", []string{"audit", "check", "--data", empty + "/none"}, "there is no database at "},
		{"another key set", []string{"audit", "check", "--data", folder, "--keyset-file", other}, "the key set does not belong to this database"},
		{"no key set", []string{"audit", "check", "--data", folder, "--keyset-file", empty + "/none.json"}, "there is a database but no key set at " + empty + "/none.json"},
		{"two databases", []string{"audit", "check", "--database=postgres://x/y", "--database-file=z"}, "--database and --database-file both name a database"},
	} {
		got := finish(t, row.args...)
		if got.Code != 1 || got.Stdout != "" || !strings.HasPrefix(got.Stderr, "callboard: "+row.want) || strings.Count(got.Stderr, "\n") != 1 {
			t.Errorf("%s: %+v", row.name, got)
		}
	}
	if left := names(t, empty); len(left) != 1 {
		t.Errorf("refused checks left %q behind", left)
	}
	if _, err := beside.ExecContext(t.Context(), `DELETE FROM meta`); err != nil {
		t.Fatal(err)
	}
	if got := finish(t, "audit", "check", "--data", folder); got.Code != 1 || !strings.Contains(got.Stderr, "no console has used this database yet") {
		t.Errorf("a database without a console: %+v", got)
	}
}

// TestOpenToReadWritesNothing holds for every act, whoever calls it.
func TestOpenToReadWritesNothing(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		db.Open(t, nil)
		s, err := store.OpenToRead(t.Context(), store.Options{Database: db.Address, Keys: db.Keys})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for name, write := range map[string]func(context.Context) error{
			"an act": func(ctx context.Context) error { return s.SignInFailed(ctx, store.Console, "x") },
			"a ping": s.Ping,
		} {
			if err := write(t.Context()); err == nil {
				t.Errorf("%s was written", name)
			}
		}
		if n, broken, err := s.CheckAudit(t.Context()); n != 0 || broken || err != nil {
			t.Errorf("CheckAudit = %d, %v, %v", n, broken, err)
		}
	})
}
