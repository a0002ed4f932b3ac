package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"callboard/tencent"
)

const demoPassword = "password-of-a-test"

// demo is a running demo and the addresses it printed.
type demo struct {
	*program
	console, api, controls string
}

func startDemo(t *testing.T, args ...string) demo {
	t.Helper()
	t.Setenv("CALLBOARD_DEMO_PASSWORD", demoPassword)
	return addresses(start(t, append([]string{"demo", "--listen=127.0.0.1:0"}, args...)...))
}

func launchDemo(t *testing.T, folder string) demo {
	t.Helper()
	return addresses(launch(t, []string{"CALLBOARD_DEMO_PASSWORD=" + demoPassword}, "demo", "--listen=127.0.0.1:0", "--data", folder))
}

func addresses(p *program) demo {
	d := demo{program: p}
	d.console = p.line("Callboard demo: ")
	d.api = p.line("Sandbox, played API: ")
	d.controls = strings.TrimSpace(p.line("Sandbox, controls: "))
	p.line("Nothing here talks to Tencent.")
	return d
}

// enter signs in as one of the sample users.
func (d demo) enter(t *testing.T, name string) *visitor {
	t.Helper()
	v := visit(t, d.console)
	if !v.signIn(name, demoPassword) {
		t.Fatalf("%s cannot sign in", name)
	}
	return v
}

// TestDemoSays: the console's address first, then three users with passwords of their own, then the sandbox's.
func TestDemoSays(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	p := start(t, "demo", "--listen=127.0.0.1:0")
	p.line("Nothing here talks to Tencent.")
	shape := regexp.MustCompile(`^Callboard demo: (http://127\.0\.0\.1:[1-9]\d*)

  admin     password (\S+)
  operator  password (\S+)
  support   password (\S+)

Sandbox, played API: http://127\.0\.0\.1:[1-9]\d*
Sandbox, controls:   http://127\.0\.0\.1:[1-9]\d*

Nothing here talks to Tencent\. Stop with Ctrl\+C\.
$`)
	said := shape.FindStringSubmatch(p.text())
	if said == nil {
		t.Fatalf("the demo says:\n%s", p.text())
	}
	drawn := map[string]bool{}
	for i, name := range []string{"admin", "operator", "support"} {
		password := said[i+2]
		drawn[password] = true
		if !visit(t, said[1]).signIn(name, password) {
			t.Errorf("%s cannot sign in with the password printed", name)
		}
		if visit(t, said[1]).signIn(name, password+"x") {
			t.Errorf("%s can sign in with any password", name)
		}
	}
	if len(drawn) != 3 {
		t.Errorf("%d different passwords for three users", len(drawn))
	}
	if got := names(t, temporary); len(got) == 0 {
		t.Error("the demo keeps its data somewhere else than in the temporary folder")
	}
	mustStop(t, p)
	if got := names(t, temporary); len(got) > 0 {
		t.Errorf("a stopped demo left %q", got)
	}
}

// appOnPage is a line of the list of apps.
type appOnPage struct{ ID, Name, Environment, State, Host, Path, Events, Last string }

func appsOnPage(p page) []appOnPage {
	var list []appOnPage
	p.Find("main tbody tr").Each(func(_ int, s *goquery.Selection) {
		text := func(selector string) string { return strings.TrimSpace(s.Find(selector).First().Text()) }
		note := text("td:nth-of-type(4) div div")
		events := strings.TrimSuffix(text("td:nth-of-type(4)"), note)
		list = append(list, appOnPage{text("code.cb-id"), text("th a.main"), text(".cb-env"), text(".cb-state"), text("td:nth-of-type(3) strong"),
			text("td:nth-of-type(3) code"), events, text("td:nth-of-type(5) a")})
	})
	return list
}

// sampleApps are the demo's apps as the list shows them, the ones that need somebody on top.
var sampleApps = []appOnPage{
	{"20010377", "Harbor Shop", "production", "Drifted", "shop-live.example.com", "/trtc/events", "2 of 19", "#2"},
	{"20010619", "Cedar Classroom", "production", "Unreadable", "", "", "not known", ""},
	{"20010452", "Aurora Stage", "production", "In step", "hooks.example.com", "/live/aurora", "6 of 19", "#7"},
	{"20010453", "Aurora Stage", "staging", "In step", "staging.example.com", "/live/aurora", "5 of 19", "#3"},
	{"20010655", "Fieldnotes", "test", "Not configured", "", "", "none", ""},
	{"1400733901", "Night Market", "production", "In step", "hooks.example.com", "/night-market", "4 of 19", "#6"},
	{"20010712", "Tidepool", "staging", "In step", "tide.example.net:8080", "/in", "2 of 19", "#4"},
}

// TestDemoApps: each sample user sees the seven apps, each in its state, and the banner that says sandbox.
func TestDemoApps(t *testing.T) {
	d := startDemo(t)
	for _, name := range []string{"admin", "operator", "support"} {
		apps := d.enter(t, name).get("/apps")
		if diff := cmp.Diff(sampleApps, appsOnPage(apps)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got := apps.Find(".cb-envbar.test").Length(); got != 1 {
			t.Errorf("%s sees %d banners", name, got)
		}
	}
	mustStop(t, d.program)
}

// TestDemoPast: what happened to the sample apps, newest first.
func TestDemoPast(t *testing.T) {
	type entry struct {
		Number   int64   `json:"number"`
		Kind     string  `json:"kind"`
		SDKAppID int64   `json:"sdkappid"`
		Call     *string `json:"call"`
		Outcome  *string `json:"outcome"`
		Code     *int64  `json:"error_code"`
		Who      *string `json:"who"`
	}
	d := startDemo(t)
	r, err := d.enter(t, "support").client.Get(d.console + "/history.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	got := map[int64]entry{}
	for lines := json.NewDecoder(r.Body); lines.More(); {
		var e entry
		if err := lines.Decode(&e); err != nil {
			t.Fatal(err)
		}
		got[e.Number] = e
	}
	want := map[int64]entry{}
	change := func(number, app int64, call, outcome string, code int64, who string) {
		want[number] = entry{number, "change", app, &call, &outcome, &code, &who}
	}
	change(1, 20010452, "set_callback", "applied", 0, "Mei")
	change(2, 20010377, "set_callback", "applied", 0, "Jonas")
	change(3, 20010453, "set_callback", "applied", 0, "Mei")
	change(4, 20010712, "set_callback", "applied", 0, "Jonas")
	change(5, 1400733901, "update_callback", "refused", 60020, "Jonas")
	change(6, 1400733901, "update_callback", "applied", 0, "Mei")
	change(7, 20010452, "update_callback", "applied", 0, "Mei")
	read, none := "get_callback", int64(0)
	want[8] = entry{Number: 8, Kind: "drift", SDKAppID: 20010377, Call: &read, Code: &none}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	mustStop(t, d.program)
}

// TestDemoStaysHome: no host of Tencent can be chosen in a demo, by page or by post.
func TestDemoStaysHome(t *testing.T) {
	d := startDemo(t)
	v := d.enter(t, "admin")
	var offered []string
	v.get("/apps/new").Find("select[name=region] option, input[name=region]").Each(func(_ int, s *goquery.Selection) {
		if value := s.AttrOr("value", ""); value != "" {
			offered = append(offered, value)
		}
	})
	if diff := cmp.Diff([]string{"sandbox-singapore", "sandbox-china", "sandbox-usa"}, offered); diff != "" {
		t.Errorf("regions offered (-want +got):\n%s", diff)
	}
	genuine, err := tencent.NewDirectory("")
	if err != nil {
		t.Fatal(err)
	}
	pages := []string{"/apps", "/apps/new", "/apps/20010452/callback", "/apps/20010452/settings", "/history", "/changes/1"}
	for _, path := range pages {
		html, err := v.get(path).Html()
		if err != nil {
			t.Fatal(err)
		}
		for _, region := range genuine.All() {
			if strings.Contains(html, region.Host) {
				t.Errorf("%s names %s", path, region.Host)
			}
		}
	}
	for _, region := range genuine.All() {
		form := url.Values{"sdkappid": {"1400000001"}, "name": {"Real"}, "region": {region.Name}, "identifier": {"administrator"}, "environment": {"test"}, "secret": {strings.Repeat("0", 64)}}
		if got := v.send("/apps/new", form); got.status != http.StatusUnprocessableEntity {
			t.Errorf("an app in %s: HTTP %d to %q", region.Name, got.status, got.location)
		}
	}
	mustStop(t, d.program)
}

// atSandbox asks the controls.
func (d demo) atSandbox(t *testing.T, method, path, body string) (status int, answer string) {
	t.Helper()
	return ask(t, method, d.controls+path, body)
}

func ask(t *testing.T, method, address, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	got, err := (&http.Client{Transport: transport, Timeout: patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, strings.TrimSpace(string(text))
}

// TestDemoKeeps changes the app without a callback through the pages, ends the demo gently or not, and looks again.
func TestDemoKeeps(t *testing.T) {
	const app, path = "20010655", "/apps/20010655/callback"
	kept := `{"Url":"https://notes.example.com/in","CallbackCommandList":["Live.CallbackAfterCreateRoom"]}`
	for _, row := range []struct {
		how string
		end func(*testing.T, *program)
	}{
		{"stopped", mustStop},
		{"killed", func(_ *testing.T, p *program) { p.kill() }},
	} {
		t.Run(row.how, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "demo")
			d := launchDemo(t, folder)
			v := d.enter(t, "operator")
			form := v.fill(v.get(path), path+"/review")
			form.Set("url", "https://notes.example.com/in")
			form["command"] = []string{"Live.CallbackAfterCreateRoom"}
			form.Set("reason", "Notes of rooms")
			plan := v.do(http.MethodPost, path+"/review", form)
			if plan.status != http.StatusSeeOther {
				t.Fatalf("review answers %d", plan.status)
			}
			applied := v.do(http.MethodPost, path+"/apply", v.fill(v.get(plan.location), path+"/apply"))
			if applied.status != http.StatusSeeOther || applied.location != "/changes/9" {
				t.Fatalf("apply answers %d to %q", applied.status, applied.location)
			}
			row.end(t, d.program)

			d = launchDemo(t, folder)
			if status, got := d.atSandbox(t, "GET", "/apps/"+app+"/callback", ""); status != http.StatusOK || got != kept {
				t.Errorf("the sandbox has %d %s, want %s", status, got, kept)
			}
			want := append([]appOnPage(nil), sampleApps...)
			want[4] = appOnPage{app, "Fieldnotes", "test", "In step", "notes.example.com", "/in", "1 of 19", "#9"}
			support := d.enter(t, "support")
			await(t, "the read-back of the change", func() bool { return cmp.Equal(want, appsOnPage(support.get("/apps"))) })
			// The same password keeps a session over the restart; only the address is another.
			v.base = d.console
			if got := v.get("/apps").status; got != http.StatusOK {
				t.Errorf("the session from before answers %d", got)
			}
			mustStop(t, d.program)
		})
	}
}

// TestDemoKilledEarly kills the demo while it makes its sample data. The next start makes them anew.
func TestDemoKilledEarly(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "demo")
	early := launch(t, nil, "demo", "--listen=127.0.0.1:0", "--data", folder)
	await(t, "the first change of the sample data", func() bool {
		text, err := os.ReadFile(filepath.Join(folder, "sandbox.json"))
		return err == nil && strings.Contains(string(text), "/live/aurora")
	})
	early.kill()
	if _, err := os.Stat(filepath.Join(folder, demoDatabase)); err == nil {
		t.Fatal("the sample data was complete before the demo was killed")
	}
	d := launchDemo(t, folder)
	if diff := cmp.Diff(sampleApps, appsOnPage(d.enter(t, "admin").get("/apps"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	mustStop(t, d.program)
	if diff := cmp.Diff([]string{"callboard.db", "callboard.lock", "keyset.json", "sample-data", "sandbox.json"}, names(t, folder)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestDemoOfRealFolder: sample users do not move into a real console's folder.
func TestDemoOfRealFolder(t *testing.T) {
	folder := t.TempDir()
	p, _ := serveAt(t, "--data", folder)
	mustStop(t, p)
	before := names(t, folder)
	want := ended{1, "", "callboard: --data: " + folder + " is the folder of a real console; choose another for the demo\n"}
	if diff := cmp.Diff(want, finish(t, "demo", "--listen=127.0.0.1:0", "--data", folder)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, names(t, folder)); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
}

// TestSandboxAlone: apps given by --app answer to their own key, and the file keeps what they have.
func TestSandboxAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.json")
	begin := func() (p *program, api, controls string) {
		p = start(t, "sandbox", "--listen=127.0.0.1:0", "--control=127.0.0.1:0", "--data", file,
			"--app=1400000001:key-of-one:administrator", "--app", "1400000002:key:of:two:boss")
		return p, p.line("Played API: "), strings.TrimSpace(p.line("Controls: "))
	}
	client := tencent.New(tencent.Options{})
	t.Cleanup(client.Close)
	want := tencent.Callback{URL: "https://one.example.com/", Commands: []string{"Live.CallbackAfterCreateRoom"}}
	p, api, controls := begin()
	target := func(id int64, admin, key string) tencent.Target {
		regions, err := tencent.NewDirectory("box=" + api)
		if err != nil {
			t.Fatal(err)
		}
		region, _ := regions.Find("box")
		return tencent.Target{SDKAppID: id, Region: region, Identifier: admin, Key: tencent.Secret(key)}
	}
	for _, row := range []struct {
		what   string
		target tencent.Target
		code   int64
	}{
		{"right", target(1400000001, "administrator", "key-of-one"), 0},
		{"wrong key", target(1400000001, "administrator", "key"), 70009},
		{"other app", target(1400000003, "administrator", "key-of-one"), 70020},
	} {
		if got := client.SetCallback(t.Context(), row.target, 7, want); !got.HasCode || got.ErrorCode != row.code {
			t.Errorf("%s: %v %d %s, want %d", row.what, got.Ending, got.ErrorCode, got.ErrorInfo, row.code)
		}
	}
	if status, journal := ask(t, "GET", controls+"/journal", ""); status != http.StatusOK || !strings.Contains(journal, "one.example.com") {
		t.Errorf("the journal: %d %s", status, journal)
	}
	mustStop(t, p)

	p, api, controls = begin()
	got, reply := client.GetCallback(t.Context(), target(1400000001, "administrator", "key-of-one"), 8)
	if diff := cmp.Diff(want, got); diff != "" || !reply.Accepted() {
		t.Errorf("after a restart: %v (-want +got):\n%s", reply.Ending, diff)
	}
	if status, journal := ask(t, "GET", controls+"/journal", ""); status != http.StatusOK || strings.Contains(journal, "set_callback") {
		t.Errorf("the journal outlived the restart: %d %s", status, journal)
	}
	mustStop(t, p)
}

// TestDemoRemovesWhatKilledOnesLeft: the folder of a killed demo goes with the next start; one that runs, and whatever only
// looks like a folder of ours, stays.
func TestDemoRemovesWhatKilledOnesLeft(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	killed := launch(t, nil, "demo", "--listen=127.0.0.1:0")
	killed.line("Nothing here talks to Tencent.")
	left := entries(t, temporary)
	killed.kill()
	if len(left) != 1 {
		t.Fatalf("a demo made %q", left)
	}
	running := launch(t, nil, "demo", "--listen=127.0.0.1:0")
	running.line("Nothing here talks to Tencent.")
	runs := entries(t, temporary)
	if len(runs) != 1 || runs[0] == left[0] {
		t.Fatalf("after another start there is %q, before %q", runs, left)
	}
	others := []string{"callboard-demo-1", "callboard-demo-x", "other-2"}
	for _, name := range others {
		if err := os.Mkdir(filepath.Join(temporary, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range others[1:] {
		if err := os.WriteFile(filepath.Join(temporary, name, demoMarker), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	third := launch(t, nil, "demo", "--listen=127.0.0.1:0")
	third.line("Nothing here talks to Tencent.")
	mustStop(t, third)
	want := slices.Concat(runs, others)
	slices.Sort(want)
	got := entries(t, temporary)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("folders (-want +got):\n%s", diff)
	}
}

// entries are the names of what a folder holds, without what is in folders.
func entries(t *testing.T, folder string) []string {
	t.Helper()
	found, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range found {
		list = append(list, e.Name())
	}
	return list
}
