package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// option is one flag of one command, as kong knows it.
type option struct {
	command string // "" for those of every command
	*kong.Flag
}

// allOptions are the options of the program, read from the structs.
func allOptions(t *testing.T) []option {
	t.Helper()
	parser, err := kong.New(&options{}, kong.Name("callboard"))
	if err != nil {
		t.Fatal(err)
	}
	var list []option
	add := func(command string, flags []*kong.Flag) {
		for _, f := range flags {
			if f.Name != "help" {
				list = append(list, option{command, f})
			}
		}
	}
	add("", parser.Model.Flags)
	for _, c := range parser.Model.Children {
		add(c.Name, c.Flags)
		for _, below := range c.Children {
			add(c.Name+" "+below.Name, below.Flags)
		}
	}
	return list
}

// TestMistypedNames misspells every option there is.
func TestMistypedNames(t *testing.T) {
	list := allOptions(t)
	if len(list) < 20 {
		t.Fatalf("only %d options were found", len(list))
	}
	for _, o := range list {
		wrong := "--" + o.Name + "x"
		args := strings.Fields(o.command)
		got := finish(t, append(args, wrong+"=1")...)
		if got.Code != 1 || got.Stdout != "" || !strings.HasPrefix(got.Stderr, "callboard: unknown flag "+wrong) || strings.Count(got.Stderr, "\n") != 1 {
			t.Errorf("%s %s: %+v", o.command, wrong, got)
		}
	}
}

func TestMistypedValues(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	help := func(command string) string {
		if command == "" {
			return "; `callboard --help` lists the commands"
		}
		return "; `callboard " + command + " --help` lists the options"
	}
	for _, row := range []struct{ args, want string }{
		{"sreve", "unexpected argument sreve" + help("")},
		{"help", "unexpected argument help" + help("")},
		{"serve now", "unexpected argument now" + help("serve")},
		{"--listen", `--listen: expected string value but got "EOL" (<EOL>)` + help("serve")},
		{"--log-level=loud", `--log-level must be one of "debug","info","warn","error" but got "loud"` + help("serve")},
		{"--session-idle=soon", `--session-idle: expected duration but got "soon": time: invalid duration "soon"` + help("serve")},
		{"demo --password", `--password: expected string value but got "EOL" (<EOL>)` + help("demo")},
		{"--session-idle=0s", "--session-idle: 0s is not longer than nothing"},
		{"audit check --bad", "unknown flag --bad" + help("audit check")},
		{"--session-idle=24h", "--session-idle: 24h0m0s is longer than --session-max, which is 12h0m0s"},
		{"--session-max=-1h", "--session-max: -1h0m0s is not longer than nothing"},
		{"--lease=-1ms", "--lease: -1ms is not longer than nothing"},
		{"--grace=0s", "--grace: 0s is not longer than nothing"},
		{"--watch-every=-1s", "--watch-every: -1s is less than nothing"},
		{"--retention=23h", "--retention: 23h0m0s is less than a day"},
		{"--retention=-400h", "--retention: -400h0m0s is less than a day"},
		{"--listen=", `--listen: "" is not an address such as 127.0.0.1:8080`},
		{"--listen=8080", `--listen: "8080" is not an address such as 127.0.0.1:8080`},
		{"--listen=127.0.0.1:", `--listen: "127.0.0.1:" is not an address such as 127.0.0.1:8080`},
		{"demo --listen=8080", `--listen: "8080" is not an address such as 127.0.0.1:8080`},
		{"health --listen=8080", `--listen: "8080" is not an address such as 127.0.0.1:8080`},
		{"--listen=127.0.0.1:70000", "--listen: listening on 127.0.0.1:70000: listen tcp: address 70000: invalid port"},
		{"--public-url=callboard.example.com", "--public-url is not an address such as https://callboard.example.com, without a path"},
		{"--public-url=https://callboard.example.com/console", "--public-url is not an address such as https://callboard.example.com, without a path"},
		{"--public-url=https://callboard.example.com?x=1", "--public-url is not an address such as https://callboard.example.com, without a path"},
		{"--proxy=ftp://proxy.example.com", "--proxy is not an address such as http://proxy.example.com:3128, without a path"},
		{"--trusted-proxies=10.0.0.0/8,proxy", `--trusted-proxies: "proxy" is neither an address nor a prefix such as 10.0.0.0/8`},
		{"--time-zone=Local", `--time-zone: "Local" is not a zone such as Asia/Shanghai`},
		{"--time-zone=", `--time-zone: "" is not a zone such as Asia/Shanghai`},
		{"demo --time-zone=Moon/Base", `--time-zone: "Moon/Base" is not a zone such as Asia/Shanghai`},
		{"demo --password=short", "--password: a password has 8 to 128 characters"},
		{"--extra-endpoints=x=ftp://127.0.0.1", `--extra-endpoints: extra endpoint "x=ftp://127.0.0.1": the address must begin with http:// or https://`},
		{"--extra-endpoints=china=http://127.0.0.1:1", `--extra-endpoints: extra endpoint: the name "china" is already taken`},
		{"--database=mysql://127.0.0.1/x", "--database is an address such as postgres://user:password@host:5432/callboard; leave it out for SQLite in the data folder"},
		{"--database=callboard.db", "--database is an address such as postgres://user:password@host:5432/callboard; leave it out for SQLite in the data folder"},
		{"--database=postgres://x/y --database-file=z", "--database and --database-file both name a database; leave one out"},
		{"--database-file=missing", "--database-file: reading the database address: open " + folder + "/missing: no such file or directory"},
		{"--keyset={} --keyset-file=z", "--keyset and --keyset-file both name a key set; leave one out"},
		{"--keyset=not-a-key-set", "--keyset: the key set is not readable: it is not the JSON that Callboard wrote"},
		{"--data=/proc/callboard/data", "--data: making the data folder: mkdir /proc/callboard: no such file or directory"},
		{"user rest mei", `[<do>] must be one of "list","reset","admin","disable","enable" but got "rest"` + help("user")},
		{"user reset", "callboard user reset needs a user name; `callboard user list` lists them"},
		{"user reset mei --public-url=x", "--public-url is not an address such as https://callboard.example.com, without a path"},
		{"user --listen=8080", `--listen: "8080" is not an address such as 127.0.0.1:8080`},
		{"user --data=.", "there is no database at " + folder + "/callboard.db; name its folder with --data, or another database with --database"},
		{"user --database=callboard.db", "--database is an address such as postgres://user:password@host:5432/callboard; leave it out for SQLite in the data folder"},
		{"user --keyset={} --keyset-file=z", "--keyset and --keyset-file both name a key set; leave one out"},
		{"sandbox --app=1400000001:key", "--app is sdkappid:key:admin"},
		{"sandbox --app=x:key:admin", "--app is sdkappid:key:admin"},
		{"sandbox --app=1400000001::admin", "--app is sdkappid:key:admin"},
		{"sandbox --listen=0.0.0.0:0", `--listen or --control: sandbox: listen on "0.0.0.0:0": not a loopback address`},
		{"sandbox --listen=127.0.0.1:0 --control=192.0.2.1:0", `--listen or --control: sandbox: listen on "192.0.2.1:0": not a loopback address`},
	} {
		args := strings.Fields(row.args)
		if slices.Contains([]string{"serve", "--"}, args[0]) || strings.HasPrefix(args[0], "--") && !strings.HasPrefix(args[0], "--listen") {
			args = append(args, "--listen=127.0.0.1:0")
		}
		if diff := cmp.Diff(ended{1, "", "callboard: " + row.want + "\n"}, finish(t, args...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.args, diff)
		}
	}
	t.Setenv("CALLBOARD_SESSION_IDLE", "soon")
	if got := finish(t); got.Code != 1 || !strings.HasSuffix(got.Stderr, help("serve")+"\n") {
		t.Errorf("a mistyped variable alone: %+v", got)
	}
	if left := names(t, folder); len(left) != 0 {
		t.Errorf("starts that failed left %q behind", left)
	}
}

// names are the files and folders below a folder, "." left out; none when there is no such folder.
func names(t *testing.T, folder string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if err == nil && path != folder {
			list = append(list, strings.TrimPrefix(path, folder+"/"))
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return list
}

// TestEnvironment sets each variable alone and wants exactly its option changed.
func TestEnvironment(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	rows := []struct {
		command, variable, value string
		change                   func(*options)
	}{
		{"serve", "CALLBOARD_LOG_LEVEL", "debug", func(o *options) { o.LogLevel = "debug" }},
		{"serve", "CALLBOARD_LISTEN", ":9", func(o *options) { o.Serve.Listen = ":9" }},
		{"serve", "CALLBOARD_DATA", "here", func(o *options) { o.Serve.Data = folder + "/here" }},
		{"serve", "CALLBOARD_DATABASE", "postgres://h/d", func(o *options) { o.Serve.Database = "postgres://h/d" }},
		{"serve", "CALLBOARD_DATABASE_FILE", "db", func(o *options) { o.Serve.DatabaseFile = folder + "/db" }},
		{"serve", "CALLBOARD_KEYSET", `{"a":"b,c"}`, func(o *options) { o.Serve.Keyset = `{"a":"b,c"}` }},
		{"serve", "CALLBOARD_KEYSET_FILE", "/k", func(o *options) { o.Serve.KeysetFile = "/k" }},
		{"serve", "CALLBOARD_PUBLIC_URL", "https://c.example", func(o *options) { o.Serve.PublicURL = "https://c.example" }},
		{"serve", "CALLBOARD_TRUSTED_PROXIES", "10.0.0.0/8,::1", func(o *options) { o.Serve.TrustedProxies = []string{"10.0.0.0/8", "::1"} }},
		{"serve", "CALLBOARD_EXTRA_ENDPOINTS", "a=http://b,c=http://d", func(o *options) { o.Serve.ExtraEndpoints = "a=http://b,c=http://d" }},
		{"serve", "CALLBOARD_PROXY", "http://p:1", func(o *options) { o.Serve.Proxy = "http://p:1" }},
		{"serve", "CALLBOARD_TIME_ZONE", "Asia/Shanghai", func(o *options) { o.Serve.TimeZone = "Asia/Shanghai" }},
		{"serve", "CALLBOARD_SESSION_IDLE", "1m", func(o *options) { o.Serve.SessionIdle = time.Minute }},
		{"serve", "CALLBOARD_SESSION_MAX", "2h", func(o *options) { o.Serve.SessionMax = 2 * time.Hour }},
		{"serve", "CALLBOARD_WATCH_EVERY", "0s", func(o *options) { o.Serve.WatchEvery = 0 }},
		{"serve", "CALLBOARD_RETENTION", "48h", func(o *options) { o.Serve.Retention = 48 * time.Hour }},
		{"serve", "CALLBOARD_LEASE", "3s", func(o *options) { o.Serve.Lease = 3 * time.Second }},
		{"serve", "CALLBOARD_GRACE", "4ms", func(o *options) { o.Serve.Grace = 4 * time.Millisecond }},
		{"demo", "CALLBOARD_LISTEN", ":9", func(o *options) { o.Demo.Listen = ":9" }},
		{"demo", "CALLBOARD_DEMO_PASSWORD", "p,w", func(o *options) { o.Demo.Password = "p,w" }},
		{"demo", "CALLBOARD_TIME_ZONE", "Asia/Shanghai", func(o *options) { o.Demo.TimeZone = "Asia/Shanghai" }},
		{"audit check", "CALLBOARD_DATA", "here", func(o *options) { o.Audit.Check.Data = folder + "/here" }},
		{"audit check", "CALLBOARD_DATABASE", "postgres://h/d", func(o *options) { o.Audit.Check.Database = "postgres://h/d" }},
		{"audit check", "CALLBOARD_DATABASE_FILE", "db", func(o *options) { o.Audit.Check.DatabaseFile = folder + "/db" }},
		{"audit check", "CALLBOARD_KEYSET", `{"a":"b,c"}`, func(o *options) { o.Audit.Check.Keyset = `{"a":"b,c"}` }},
		{"audit check", "CALLBOARD_KEYSET_FILE", "/k", func(o *options) { o.Audit.Check.KeysetFile = "/k" }},
		{"user", "CALLBOARD_DATA", "here", func(o *options) { o.User.Data = folder + "/here" }},
		{"user", "CALLBOARD_DATABASE", "postgres://h/d", func(o *options) { o.User.Database = "postgres://h/d" }},
		{"user", "CALLBOARD_DATABASE_FILE", "db", func(o *options) { o.User.DatabaseFile = folder + "/db" }},
		{"user", "CALLBOARD_KEYSET", "k", func(o *options) { o.User.Keyset = "k" }},
		{"user", "CALLBOARD_KEYSET_FILE", "/k", func(o *options) { o.User.KeysetFile = "/k" }},
		{"user", "CALLBOARD_PUBLIC_URL", "https://c.example", func(o *options) { o.User.PublicURL = "https://c.example" }},
		{"user", "CALLBOARD_LISTEN", ":9", func(o *options) { o.User.Listen = ":9" }},
		{"keys", "CALLBOARD_DATA", "here", func(o *options) { o.Keys.Data = folder + "/here" }},
		{"keys", "CALLBOARD_DATABASE", "postgres://h/d", func(o *options) { o.Keys.Database = "postgres://h/d" }},
		{"keys", "CALLBOARD_DATABASE_FILE", "db", func(o *options) { o.Keys.DatabaseFile = folder + "/db" }},
		{"keys", "CALLBOARD_KEYSET", "k", func(o *options) { o.Keys.Keyset = "k" }},
		{"keys", "CALLBOARD_KEYSET_FILE", "/k", func(o *options) { o.Keys.KeysetFile = "/k" }},
		{"health", "CALLBOARD_LISTEN", ":9", func(o *options) { o.Health.Listen = ":9" }},
	}
	// An empty variable is one that is not set.
	_, unset, err := parse([]string{"serve"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range knownVariables() {
		t.Setenv(name, "")
		if _, got, err := parse([]string{"serve"}, io.Discard); err != nil || !cmp.Equal(unset.Serve, got.Serve, cmp.AllowUnexported(serveOptions{})) {
			t.Errorf("an empty %s: %v", name, err)
		}
	}
	covered := map[string]bool{}
	for _, row := range rows {
		t.Run(row.command+" "+row.variable, func(t *testing.T) {
			_, want, err := parse(strings.Fields(row.command), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			row.change(&want)
			t.Setenv(row.variable, row.value)
			command, got, err := parse(strings.Fields(row.command), io.Discard)
			if err != nil || command != row.command {
				t.Fatal(command, err)
			}
			if diff := cmp.Diff(forCommand(row.command, want), forCommand(row.command, got), cmp.AllowUnexported(serveOptions{}, userOptions{}, keysOptions{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
		covered[row.command+" "+row.variable] = true
	}
	for _, o := range allOptions(t) {
		for _, variable := range o.Envs {
			if command := orServe(o.command); !covered[command+" "+variable] {
				t.Errorf("no row sets %s for %s", variable, command)
			}
		}
	}
}

func orServe(command string) string {
	if command == "" {
		return "serve"
	}
	return command
}

// forCommand leaves only what a command looks at, as one variable can set options of several.
func forCommand(command string, o options) options {
	only := options{LogLevel: o.LogLevel}
	switch command {
	case "serve":
		only.Serve = o.Serve
	case "demo":
		only.Demo = o.Demo
	case "audit check":
		only.Audit = o.Audit
	case "user":
		only.User = o.User
	case "keys":
		only.Keys = o.Keys
	case "health":
		only.Health = o.Health
	}
	return only
}

// TestFlagsWin: what is typed stands above the environment.
func TestFlagsWin(t *testing.T) {
	t.Setenv("CALLBOARD_LISTEN", "127.0.0.1:1")
	command, o, err := parse([]string{"--listen=127.0.0.1:2", "--trusted-proxies=::1", "--trusted-proxies=::2,::3"}, io.Discard)
	got := fmt.Sprint(command, o.Serve.Listen, o.Serve.TrustedProxies, err)
	if want := "serve127.0.0.1:2[::1 ::2 ::3] <nil>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHelp(t *testing.T) {
	for _, row := range []struct {
		args []string
		want []string
	}{
		{[]string{"--help"}, []string{"Usage: callboard <command> [flags]", "serve", "demo", "sandbox", "version", "user", "health", "--log-level"}},
		{[]string{"serve", "--help"}, []string{"Usage: callboard serve", "--listen", "$CALLBOARD_LISTEN", "--keyset-file"}},
		{[]string{"demo", "-h"}, []string{"Usage: callboard demo", "--password", "$CALLBOARD_DEMO_PASSWORD"}},
		{[]string{"sandbox", "--help"}, []string{"Usage: callboard sandbox", "--app", "--control"}},
	} {
		got := finish(t, row.args...)
		if got.Code != 0 || got.Stderr != "" {
			t.Errorf("%q: exit %d, stderr %q", row.args, got.Code, got.Stderr)
		}
		for _, want := range row.want {
			if !strings.Contains(got.Stdout, want) {
				t.Errorf("%q does not say %q:\n%s", row.args, want, got.Stdout)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	old := version
	t.Cleanup(func() { version = old })
	version = "1.2.3"
	got := finish(t, "version")
	if got.Code != 0 || got.Stderr != "" || !strings.HasPrefix(got.Stdout, "callboard 1.2.3") || strings.Count(got.Stdout, "\n") != 1 {
		t.Errorf("%+v", got)
	}
}

// TestHealth asks stand-ins that answer, that are not ready, and that are not there.
func TestHealth(t *testing.T) {
	asked := make(chan string, 1)
	stand := func(status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- r.Method + " " + r.URL.Path
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	ready, notReady, gone := stand(http.StatusOK), stand(http.StatusServiceUnavailable), freeAddress(t)
	_, port, err := net.SplitHostPort(ready)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		listen string
		want   ended
		asked  bool
	}{
		{ready, ended{0, "", ""}, true},
		{":" + port, ended{0, "", ""}, true},
		{"0.0.0.0:" + port, ended{0, "", ""}, true},
		{"[::]:" + port, ended{0, "", ""}, true},
		{notReady, ended{1, "", "callboard: the console answers, but is not ready (HTTP 503)\n"}, true},
		{gone, ended{1, "", "callboard: the console does not answer\n"}, false},
	} {
		if diff := cmp.Diff(row.want, finish(t, "health", "--listen", row.listen)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.listen, diff)
		}
		if row.asked {
			if got := <-asked; got != "GET /readyz" {
				t.Errorf("%s was asked for %s", row.listen, got)
			}
		}
	}
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

func TestReachable(t *testing.T) {
	for _, row := range []struct{ address, want string }{
		{"127.0.0.1:80", "127.0.0.1:80"},
		{"0.0.0.0:80", "127.0.0.1:80"},
		{"[::]:80", "127.0.0.1:80"},
		{"[::1]:80", "[::1]:80"},
		{"192.0.2.1:80", "192.0.2.1:80"},
	} {
		if got := reachable(row.address); got != row.want {
			t.Errorf("%s: %s, want %s", row.address, got, row.want)
		}
	}
}

func TestUnknownVariablesAreNamed(t *testing.T) {
	for name, near := range map[string]string{"CALLBOARD_LISTNE": "CALLBOARD_LISTEN", "CALLBOARD_DATABSE_FILE": "CALLBOARD_DATABASE_FILE", "CALLBOARD_TIMEZONE": "CALLBOARD_TIME_ZONE", "CALLBOARD_LISTEN": "", "CALLBOARD_DEMO_PASSWORD": "", "CALLBOARD_LOG_LEVEL": "", "OTHER_LISTNE": ""} {
		var out bytes.Buffer
		unknownVariables([]string{name + "=a-secret"}, slog.New(slog.NewTextHandler(&out, nil)))
		said := strings.Contains(out.String(), "variable="+name+" nearest="+near+"\n")
		if said != (near != "") || (near == "" && out.Len() > 0) || strings.Contains(out.String(), "a-secret") {
			t.Errorf("%s: %q, want %q to be named", name, out.String(), near)
		}
	}
	t.Setenv("CALLBOARD_PROXI", "x")
	if got := finish(t, "version"); got.Code != 0 || !strings.Contains(got.Stderr, "nearest=CALLBOARD_PROXY") {
		t.Errorf("a start says %q", got.Stderr)
	}
}
