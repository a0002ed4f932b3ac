package storetest_test

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"callboard/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// failing is a test that is expected to fail.
type failing struct {
	testing.TB
	said string
}

type stop struct{}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	panic(stop{})
}

func TestWithoutPostgresTheTestFails(t *testing.T) {
	for address, want := range map[string]string{
		"":                 "this test needs a PostgreSQL server: run `make test`, or set CALLBOARD_TEST_POSTGRES to the address of one",
		"postgres://%zz/x": "CALLBOARD_TEST_POSTGRES is not an address",
	} {
		t.Setenv(storetest.PostgresVariable, address)
		f := &failing{TB: t}
		func() {
			defer func() {
				if _, ok := recover().(stop); !ok {
					t.Errorf("with %q the test went on", address)
				}
			}()
			storetest.Postgres(f)
		}()
		if f.said != want {
			t.Errorf("with %q it says %q, want %q", address, f.said, want)
		}
	}
}

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		storetest.Run(t, func(t *testing.T, db storetest.Database) {
			if !strings.HasPrefix(t.Name()[strings.LastIndex(t.Name(), "/")+1:], db.Name) || seen[db.Address] {
				t.Errorf("%s got %s %s", t.Name(), db.Name, db.Address)
			}
			seen[db.Address] = true
			if has, err := db.Open(t, nil).HasUsers(t.Context()); has || err != nil {
				t.Errorf("a database with people in it: %v", err)
			}
		})
	}
}
