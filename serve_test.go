package main

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"callboard/store"
	"callboard/store/storetest"
)

const ready = "Callboard dev"

// serveAt starts a console in this process and gives its address.
func serveAt(t *testing.T, args ...string) (*program, string) {
	t.Helper()
	p := start(t, append([]string{"serve", "--listen=127.0.0.1:0"}, args...)...)
	_, address, found := strings.Cut(p.line(ready), " is ready at ")
	if !found {
		t.Fatalf("no address in %q", p.said)
	}
	return p, address
}

// mustStop ends a program and wants a clean end.
func mustStop(t *testing.T, p *program) {
	t.Helper()
	if code := p.stop(); code != 0 {
		t.Fatalf("a stopped program ended with %d:\n%s", code, p.stderr)
	}
}

// TestBareCall: no argument at all serves, with everything said by the environment.
func TestBareCall(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "data")
	t.Setenv("CALLBOARD_LISTEN", "127.0.0.1:0")
	t.Setenv("CALLBOARD_DATA", folder)
	p := start(t)
	_, address, _ := strings.Cut(p.line(ready), " is ready at ")
	if u, err := url.Parse(address); err != nil || u.Port() == "0" || u.Hostname() != "127.0.0.1" {
		t.Fatalf("the address printed is %q", address)
	}
	p.line("Nobody can sign in yet. Open " + address + "/setup and enter this code.")
	code := p.line("Setup code: ")
	if !regexp.MustCompile(`^[0-9A-Z]{4}(-[0-9A-Z]{4}){2}$`).MatchString(code) {
		t.Errorf("the setup code is %q", code)
	}
	health := finish(t, "health", "--listen", strings.TrimPrefix(address, "http://"))
	if diff := cmp.Diff(ended{}, health); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
	mustStop(t, p)
	if strings.Count(p.text(), "\n") != 3 {
		t.Errorf("stdout holds more than the greeting:\n%s", p.text())
	}
}

// TestSetup goes from an empty folder to a person who signs in after a restart, with the program as a process.
func TestSetup(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	serve := func() (*program, *visitor) {
		p := launch(t, []string{"CALLBOARD_LISTEN=127.0.0.1:0"}, "--data", folder)
		_, address, _ := strings.Cut(p.line(ready), " is ready at ")
		return p, visit(t, address)
	}
	p, v := serve()
	code := p.line("Setup code: ")
	password := "a password of nobody"
	type answer struct {
		Status   int
		Location string
	}
	post := func(code, name, password string) answer {
		got := v.send("/setup", url.Values{"code": {code}, "username": {name}, "password": {password}})
		return answer{got.status, got.location}
	}
	for _, row := range []struct {
		what, code, name, password string
		want                       answer
	}{
		{"wrong code", "AAAA-AAAA-AAAA", "owner", password, answer{422, ""}},
		{"no code", "", "owner", password, answer{422, ""}},
		{"no name", code, "", password, answer{422, ""}},
		{"short password", code, "owner", "short", answer{422, ""}},
		{"right, typed carelessly", " " + strings.ToLower(strings.ReplaceAll(code, "-", " ")), "owner", password, answer{303, "/apps"}},
	} {
		if diff := cmp.Diff(row.want, post(row.code, row.name, row.password)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.what, diff)
		}
	}
	if got := v.get("/apps").status; got != http.StatusOK {
		t.Errorf("whoever set up is not signed in: /apps answers %d", got)
	}
	late := visit(t, v.base)
	form := late.fill(late.get("/sign-in"), "/sign-in")
	form.Set("code", code)
	form.Set("username", "intruder")
	form.Set("password", password)
	if got := late.do(http.MethodPost, "/setup", form); got.status != 303 || got.location != "/sign-in" {
		t.Errorf("a code that was used answers %d to %q", got.status, got.location)
	}
	if late.signIn("intruder", password) {
		t.Error("a code that was used made another person")
	}
	ownFiles(t, folder)
	mustStop(t, p)

	p, v = serve()
	if got := v.get("/setup"); got.status != 303 || got.location != "/sign-in" {
		t.Errorf("/setup answers %d to %q after a restart", got.status, got.location)
	}
	if v.signIn("owner", "another password") {
		t.Error("a wrong password signs in")
	}
	if !v.signIn("owner", password) {
		t.Error("the person made before the restart cannot sign in")
	}
	mustStop(t, p)
	if strings.Contains(p.text(), "Setup code") || strings.Contains(p.stderr.String(), "Setup code") {
		t.Errorf("a restart prints a code:\n%s", p.text())
	}
}

// ownFiles wants every file of the folder to be closed to other accounts.
func ownFiles(t *testing.T, folder string) {
	t.Helper()
	list := append(names(t, folder), ".")
	if !slices.Contains(list, "callboard.db") || !slices.Contains(list, "keyset.json") {
		t.Errorf("the data folder holds %q", list)
	}
	for _, name := range list {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %s", name, info.Mode())
		}
	}
}

func TestPortInUse(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken, folder := l.Addr().String(), t.TempDir()
	for _, command := range []string{"serve", "demo"} {
		want := ended{1, "", "callboard: the address " + taken + " is in use; choose another with --listen\n"}
		if diff := cmp.Diff(want, finish(t, command, "--listen", taken, "--data", filepath.Join(folder, command))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", command, diff)
		}
	}
	if left := names(t, filepath.Join(folder, "serve")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestOneFolderOneConsole: SQLite belongs to one process.
func TestOneFolderOneConsole(t *testing.T) {
	for _, command := range []string{"serve", "demo"} {
		t.Run(command, func(t *testing.T) {
			folder := t.TempDir()
			args := []string{command, "--listen=127.0.0.1:0", "--data", folder}
			first := start(t, args...)
			first.line("Callboard ")
			want := ended{1, "", "callboard: another console is running on the data folder " + folder + "; stop it first, or use PostgreSQL for several\n"}
			if diff := cmp.Diff(want, finish(t, args...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			mustStop(t, first)
			again := start(t, args...)
			again.line("Callboard ")
			mustStop(t, again)
		})
	}
}

// TestSeveralOnPostgres: with PostgreSQL a second console with the same key set joins.
func TestSeveralOnPostgres(t *testing.T) {
	db := storetest.Postgres(t)
	folder := t.TempDir()
	secret := filepath.Join(folder, "database")
	writeFile(t, secret, db.Address+"\n")
	first, address := serveAt(t, "--database", db.Address, "--data", filepath.Join(folder, "one"))
	code := first.line("Setup code: ")
	if got := visit(t, address).send("/setup", url.Values{"code": {code}, "username": {"owner"}, "password": {"a password of nobody"}}); got.status != 303 {
		t.Fatalf("/setup answers %d", got.status)
	}
	second, address := serveAt(t, "--database-file", secret, "--data", filepath.Join(folder, "two"), "--keyset-file", filepath.Join(folder, "one", "keyset.json"))
	if !visit(t, address).signIn("owner", "a password of nobody") {
		t.Error("the person of the first console cannot sign in at the second")
	}
	mustStop(t, second)
	mustStop(t, first)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestKeySets starts on a database that has a key set already with a wrong one, with none, and with the right one elsewhere.
func TestKeySets(t *testing.T) {
	_, other, err := store.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	const wrong = "callboard: the key set does not belong to this database; start with the key set that the database was made with (--keyset-file or CALLBOARD_KEYSET)\n"
	missing := func(path string) string {
		return "callboard: there is a database but no key set at " + path + "; without its key set the stored secrets cannot be read. Put the key set back, or name it with --keyset-file\n"
	}
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		root := t.TempDir()
		folder, elsewhere := filepath.Join(root, "data"), filepath.Join(root, "elsewhere.json")
		args := []string{"--data", folder}
		if db.Name == "postgres" {
			args = append(args, "--database", db.Address)
		}
		first, _ := serveAt(t, args...)
		mustStop(t, first)
		inPlace := filepath.Join(folder, "keyset.json")
		right, err := os.ReadFile(inPlace)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			what, file string
			args       []string
			want       string // "" for a start that works
		}{
			{"wrong file", string(other), nil, wrong},
			{"wrong text", string(right), []string{"--keyset", string(other)}, wrong},
			{"no file", "", nil, missing(inPlace)},
			{"no file elsewhere", string(right), []string{"--keyset-file", elsewhere}, missing(elsewhere)},
			{"damaged file", string(right[:40]), nil, "callboard: --keyset-file " + inPlace + ": the key set is not readable: it is not the JSON that Callboard wrote\n"},
			{"right text", "", []string{"--keyset", string(right)}, ""},
			{"right file", string(right), nil, ""},
		} {
			if err := os.RemoveAll(inPlace); err != nil {
				t.Fatal(err)
			}
			if row.file != "" {
				writeFile(t, inPlace, row.file)
			}
			before := names(t, root)
			if row.want == "" {
				p, _ := serveAt(t, append(args, row.args...)...)
				mustStop(t, p)
			} else if diff := cmp.Diff(ended{1, "", row.want}, finish(t, append(append([]string{"--listen=127.0.0.1:0"}, args...), row.args...)...)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", row.what, diff)
			}
			if diff := cmp.Diff(before, names(t, root)); diff != "" {
				t.Errorf("%s leaves something behind or takes it away (-before +after):\n%s", row.what, diff)
			}
		}
	})
}

// TestNewMachine: a PostgreSQL database with a key set, and a machine that has neither folder nor key set.
func TestNewMachine(t *testing.T) {
	db := storetest.Postgres(t)
	root := t.TempDir()
	first, _ := serveAt(t, "--database", db.Address, "--data", filepath.Join(root, "old"))
	mustStop(t, first)
	folder := filepath.Join(root, "new")
	got := finish(t, "--listen=127.0.0.1:0", "--database", db.Address, "--data", folder)
	if got.Code != 1 || !strings.Contains(got.Stderr, "no key set at "+folder+"/keyset.json") {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("the data folder that was made for nothing is still there")
	}
}

// TestUnreachableDatabase: the password of the address stays out of the error.
func TestUnreachableDatabase(t *testing.T) {
	address := "postgres://callboard:hunter2@" + freeAddress(t) + "/callboard"
	got := finish(t, "--listen=127.0.0.1:0", "--data", t.TempDir(), "--database", address)
	if got.Code != 1 || got.Stdout != "" || !strings.HasPrefix(got.Stderr, "callboard: reaching the database at ") || strings.Count(got.Stderr, "\n") != 1 {
		t.Errorf("%+v", got)
	}
	if strings.Contains(got.Stderr, "hunter2") {
		t.Errorf("the password is printed: %s", got.Stderr)
	}
}

// TestStopWhileStarting: a stop before everything is ready is a clean stop too.
func TestStopWhileStarting(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stdout, stderr textBuffer
	code := run(ctx, []string{"--listen=127.0.0.1:0", "--data", t.TempDir()}, &stdout, &stderr)
	if diff := cmp.Diff(ended{}, ended{code, stdout.String(), stderr.String()}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// brokenPipe is a stdout that nobody reads any more.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

// TestNobodyReads: a console that cannot say its setup code ends, with nothing left running.
func TestNobodyReads(t *testing.T) {
	for _, args := range [][]string{{"serve", "--data", t.TempDir()}, {"demo"}} {
		var stderr textBuffer
		code := run(context.Background(), append(args, "--listen=127.0.0.1:0"), brokenPipe{}, &stderr)
		want := ended{1, "", "callboard: saying where the console is: file already closed\n"}
		if diff := cmp.Diff(want, ended{code, "", stderr.String()}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", args, diff)
		}
	}
}

// TestPublicAddress: the address that browsers use is printed, and decides about secure cookies.
func TestPublicAddress(t *testing.T) {
	p := start(t, "--listen=127.0.0.1:0", "--data", t.TempDir(), "--public-url=https://callboard.example.com/")
	if got := p.line("Nobody can sign in yet. Open "); got != "https://callboard.example.com/setup and enter this code." {
		t.Errorf("printed: %q", got)
	}
	mustStop(t, p)
}
