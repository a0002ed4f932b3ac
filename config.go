package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// options are all commands with their flags. Each flag can be set by its environment variable too.
type options struct {
	LogLevel string `enum:"debug,info,warn,error" default:"info" env:"CALLBOARD_LOG_LEVEL" help:"How much is logged: debug, info, warn or error."`

	Serve   serveOptions   `cmd:"" default:"withargs" help:"Run the console (the default)."`
	Demo    demoOptions    `cmd:"" help:"Run a complete copy on this machine: console, sandbox and sample apps. Never talks to Tencent."`
	Sandbox sandboxOptions `cmd:"" help:"Run only the sandbox that plays Tencent's API."`
	Audit   auditOptions   `cmd:"" help:"Look after the audit."`
	Version struct{}       `cmd:"" help:"Print version and build."`
	User    userOptions    `cmd:"" help:"Look at people and decide about them without signing in, for when nobody can. Works beside a running console."`
	Keys    keysOptions    `cmd:"" help:"Look after the keys that encrypt stored secrets. Works beside a running console."`
	Health  healthOptions  `cmd:"" help:"Ask a running console whether it is ready; for container health checks."`
}

// dataOptions say where a console's data is.
type dataOptions struct {
	Data         string `default:"./data" env:"CALLBOARD_DATA" type:"path" help:"Folder of the database and the key set."`
	Database     string `env:"CALLBOARD_DATABASE" help:"postgres://user:password@host:port/name instead of SQLite in the data folder."`
	DatabaseFile string `env:"CALLBOARD_DATABASE_FILE" type:"path" help:"File that holds the database address."`
	Keyset       string `env:"CALLBOARD_KEYSET" help:"The key set itself, instead of the file in the data folder."`
	KeysetFile   string `env:"CALLBOARD_KEYSET_FILE" type:"path" help:"File of the key set; made at the first start. (default: keyset.json in the data folder)"`
}

type auditOptions struct {
	Check dataOptions `cmd:"" help:"Prove that no row of the audit was changed, removed or put in. A console may be running."`
}

type serveOptions struct {
	Listen string `default:"127.0.0.1:8080" env:"CALLBOARD_LISTEN" help:"Address to listen on; port 0 picks a free one."`
	dataOptions
	PublicURL      string        `name:"public-url" env:"CALLBOARD_PUBLIC_URL" help:"Where browsers reach the console, such as https://callboard.example.com."`
	TrustedProxies []string      `env:"CALLBOARD_TRUSTED_PROXIES" help:"Addresses or prefixes of proxies whose X-Forwarded-For is believed."`
	ExtraEndpoints string        `env:"CALLBOARD_EXTRA_ENDPOINTS" help:"More API hosts, as name=http://127.0.0.1:9100,… for a sandbox or a test."`
	Proxy          string        `env:"CALLBOARD_PROXY" help:"HTTP proxy for the calls to Tencent; none unless named here."`
	TimeZone       string        `default:"UTC" env:"CALLBOARD_TIME_ZONE" help:"Zone of times for people who chose none."`
	SessionIdle    time.Duration `default:"30m" env:"CALLBOARD_SESSION_IDLE" help:"How long a session lives without use."`
	SessionMax     time.Duration `default:"12h" env:"CALLBOARD_SESSION_MAX" help:"How long a session lives at most."`
	WatchEvery     time.Duration `default:"1h" env:"CALLBOARD_WATCH_EVERY" help:"How often every app is read on its own, to find changes made elsewhere; 0 for never."`
	Retention      time.Duration `default:"9600h" env:"CALLBOARD_RETENTION" help:"How long entries of the history are kept, 400 days unless given; 0 for ever."`
	Lease          time.Duration `default:"20s" env:"CALLBOARD_LEASE" help:"How long a change may be under way before it counts as left over; for tests."`
	Grace          time.Duration `default:"30s" env:"CALLBOARD_GRACE" help:"How long an unanswered call may still land; for tests."`
}

type demoOptions struct {
	Listen   string `default:"127.0.0.1:8080" env:"CALLBOARD_LISTEN" help:"Address of the console; port 0 picks a free one."`
	Data     string `type:"path" help:"Folder that keeps database and sandbox over a restart; a temporary one when not given."`
	Password string `env:"CALLBOARD_DEMO_PASSWORD" help:"Password of all sample users; drawn when not given."`
	TimeZone string `default:"UTC" env:"CALLBOARD_TIME_ZONE" help:"Zone of times for people who chose none."`
}

type sandboxOptions struct {
	Listen  string   `default:"127.0.0.1:9100" help:"Loopback address of the played API."`
	Control string   `default:"127.0.0.1:9101" help:"Loopback address of the controls."`
	App     []string `help:"An app as sdkappid:key:admin; may be repeated."`
	Data    string   `type:"path" help:"File that keeps callbacks and tokens over a restart."`
}

type userOptions struct {
	Do   string `arg:"" optional:"" default:"list" enum:"list,reset,admin,disable,enable" help:"list: who there is. reset: a link for a new password. admin: make administrator. disable, enable: may sign in or not."`
	Name string `arg:"" optional:"" help:"User name of the person."`

	dataOptions
	PublicURL string `name:"public-url" env:"CALLBOARD_PUBLIC_URL" help:"Where browsers reach the console; what links begin with."`
	Listen    string `env:"CALLBOARD_LISTEN" help:"Address that the console listens on; what links begin with otherwise."`
}

type keysOptions struct {
	Do string `arg:"" optional:"" default:"list" enum:"list,rotate,retire" help:"list: which keys there are. rotate: add a key and encrypt every secret with it. retire: remove the keys that nothing needs any more."`

	dataOptions
	Prepare bool `help:"With rotate: only put a new key into the file, so that copies of it can be brought to other machines first."`
}

type healthOptions struct {
	Listen string `default:"127.0.0.1:8080" env:"CALLBOARD_LISTEN" help:"Address that the console listens on."`
}

// errHelp says that help was printed and nothing is left to do.
var errHelp = errors.New("help was printed")

// parse reads flags and environment. A mistyped option is an error with a sentence.
func parse(args []string, stdout io.Writer) (command string, o options, err error) {
	forgetEmptyVariables()
	helped := false
	parser, err := kong.New(&o, kong.Name("callboard"), kong.Description("A web console for the callbacks of Tencent RTC Live apps."),
		kong.Writers(stdout, stdout), kong.Exit(func(int) { helped = true }))
	if err != nil {
		return "", o, err
	}
	k, err := parser.Parse(args)
	if helped {
		return "", o, errHelp
	}
	if err != nil {
		return "", o, fmt.Errorf("%w; %s", err, help(err, args))
	}
	return strings.Join(commandWords(k), " "), o, nil
}

// commandWords are the words of the chosen command. What stands for arguments, such as <name>, is no part of it.
func commandWords(k *kong.Context) []string {
	return slices.DeleteFunc(strings.Fields(k.Command()), func(w string) bool { return strings.HasPrefix(w, "<") })
}

// help says where the right words for a faulty line are listed. Options alone are those of serve.
func help(err error, args []string) string {
	words := []string{"serve"}
	var faulty *kong.ParseError
	if errors.As(err, &faulty) && faulty.Context.Selected() != nil {
		words = commandWords(faulty.Context)
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != words[0] {
		return "`callboard --help` lists the commands"
	}
	return "`callboard " + strings.Join(words, " ") + " --help` lists the options"
}

// forgetEmptyVariables makes an empty variable one that is not set: files for containers and services list variables so.
func forgetEmptyVariables() {
	for _, name := range knownVariables() {
		if os.Getenv(name) == "" {
			_ = os.Unsetenv(name) // fails for impossible names only
		}
	}
}

// unknownVariables warns of variables that are named like ours and set nothing, each with the known one that is nearest.
// Their values stay out: they can be secrets.
func unknownVariables(environment []string, log *slog.Logger) {
	known := knownVariables()
	for _, v := range environment {
		name, _, _ := strings.Cut(v, "=")
		ours := strings.HasPrefix(name, "CALLBOARD_") && !strings.HasPrefix(name, "CALLBOARD_TEST_") // those are for tests
		if !ours || slices.Contains(known, name) {
			continue
		}
		near := slices.MinFunc(known, func(a, b string) int { return cmp.Compare(edits(name, a), edits(name, b)) })
		log.Warn("a variable of the environment is not known and has no effect", "variable", name, "nearest", near)
	}
}

// knownVariables are those of all commands.
func knownVariables() []string {
	var o options
	var list []string
	parser, err := kong.New(&o)
	if err != nil {
		return nil
	}
	for _, n := range append(parser.Model.Leaves(false), parser.Model.Node) {
		for _, f := range n.Flags {
			list = append(list, f.Envs...)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// edits counts the letters to add, remove or replace that make a of b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := corner
			if a[i] != b[j] {
				replaced++
			}
			corner = row[j+1]
			row[j+1] = min(replaced, row[j]+1, corner+1)
		}
	}
	return row[len(b)]
}

func (o options) level() slog.Level {
	var l slog.Level
	if l.UnmarshalText([]byte(o.LogLevel)) != nil {
		return slog.LevelInfo
	}
	return l
}

// serveConfig is serveOptions in the types that the program uses.
type serveConfig struct {
	publicURL *url.URL
	proxies   []netip.Prefix
	proxy     *url.URL
	zone      *time.Location
}

func (o serveOptions) config() (serveConfig, error) {
	var c serveConfig
	var err error
	if c.publicURL, err = origin("--public-url", o.PublicURL, "https://callboard.example.com"); err != nil {
		return c, err
	}
	if c.proxy, err = origin("--proxy", o.Proxy, "http://proxy.example.com:3128"); err != nil {
		return c, err
	}
	for _, text := range o.TrustedProxies {
		p, err := prefix(text)
		if err != nil {
			return c, err
		}
		c.proxies = append(c.proxies, p)
	}
	if c.zone, err = zone(o.TimeZone); err != nil {
		return c, err
	}
	return c, o.faults()
}

// faults finds values that can be read but make no sense.
func (o serveOptions) faults() error {
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"--session-idle", o.SessionIdle}, {"--session-max", o.SessionMax}, {"--lease", o.Lease}, {"--grace", o.Grace}} {
		if d.value <= 0 {
			return fmt.Errorf("%s: %s is not longer than nothing", d.flag, d.value)
		}
	}
	if o.SessionIdle > o.SessionMax {
		return fmt.Errorf("--session-idle: %s is longer than --session-max, which is %s", o.SessionIdle, o.SessionMax)
	}
	if o.WatchEvery < 0 {
		return fmt.Errorf("--watch-every: %s is less than nothing", o.WatchEvery)
	}
	if o.Retention != 0 && o.Retention < 24*time.Hour {
		return fmt.Errorf("--retention: %s is less than a day", o.Retention)
	}
	return o.dataOptions.faults()
}

func (o dataOptions) faults() error {
	if o.Database != "" && o.DatabaseFile != "" {
		return errors.New("--database and --database-file both name a database; leave one out")
	}
	if o.Keyset != "" && o.KeysetFile != "" {
		return errors.New("--keyset and --keyset-file both name a key set; leave one out")
	}
	return nil
}

// origin reads an http or https address without a path; nil when none is given.
func origin(flag, text, example string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s is not an address such as %s, without a path", flag, example)
	}
	return u, nil
}

func prefix(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("--trusted-proxies: %q is neither an address nor a prefix such as 10.0.0.0/8", text)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func zone(name string) (*time.Location, error) {
	z, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, fmt.Errorf("--time-zone: %q is not a zone such as Asia/Shanghai", name)
	}
	return z, nil
}
