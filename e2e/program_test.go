package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"callboard/e2e/browser"
)

const password = "a password only for tests"

// start runs the program with its data in a temporary folder and gives what it printed up to the line with last in it.
// At the end of the test it is interrupted; it must stop cleanly and have logged no error.
func start(t *testing.T, last string, args ...string) string {
	t.Helper()
	run := exec.Command(program, args...)
	run.Env = append(os.Environ(), "CALLBOARD_DEMO_PASSWORD="+password, "TMPDIR="+t.TempDir())
	var log bytes.Buffer
	run.Stderr = &log
	printed, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("interrupting %v: %v", args, err)
		}
		if err := run.Wait(); err != nil {
			t.Errorf("%v did not stop cleanly: %v", args, err)
		}
		if text := log.String(); strings.Contains(text, "level=ERROR") || strings.Contains(text, "DATA RACE") || t.Failed() {
			t.Errorf("%v logged:\n%s", args, text)
		}
	})
	text, lines := "", bufio.NewScanner(printed)
	for lines.Scan() {
		text += lines.Text() + "\n"
		if strings.Contains(lines.Text(), last) {
			return text
		}
	}
	t.Fatalf("%v ended; it had printed:\n%s", args, text)
	return ""
}

var address = regexp.MustCompile(`http://\S+`)

// demo is a running demo.
type demo struct {
	t        *testing.T
	base     string // address of the console
	controls string // address of the sandbox's controls
}

func startDemo(t *testing.T) *demo {
	t.Helper()
	found := address.FindAllString(start(t, "Ctrl+C", "demo", "--listen", "127.0.0.1:0"), -1)
	if len(found) != 3 {
		t.Fatalf("the demo printed the addresses %q, not those of console, API and controls", found)
	}
	return &demo{t: t, base: found[0], controls: found[2]}
}

// client keeps no connection, so that no goroutine outlives a test.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// control sends to the sandbox's controls and decodes the answer into into, unless that is nil.
func (d *demo) control(method, path string, body, into any) {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	request, err := http.NewRequest(method, d.controls+path, bytes.NewReader(text))
	if err != nil {
		d.t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	if answer.StatusCode/100 != 2 {
		d.t.Fatalf("%s %s answered %s: %s", method, path, answer.Status, got)
	}
	if into != nil {
		if err := json.Unmarshal(got, into); err != nil {
			d.t.Fatal(err)
		}
	}
}

// callback is what the sandbox has for an app.
type callback struct {
	Url                 string
	CallbackCommandList []string
}

func (d *demo) callback(app string) callback {
	d.t.Helper()
	var c callback
	d.control("GET", "/apps/"+app+"/callback", nil, &c)
	return c
}

// setBehind changes an app's callback behind the console's back.
func (d *demo) setBehind(app, url string, words ...string) {
	d.t.Helper()
	d.control("PUT", "/apps/"+app+"/callback", callback{url, words}, nil)
}

// fault scripts a fault of the sandbox; the names are those of its controls.
func (d *demo) fault(f map[string]any) {
	d.t.Helper()
	d.control("POST", "/faults", f, nil)
}

// writes counts the calls to Tencent that write, since the demo began or the journal was cleared.
func (d *demo) writes() int {
	d.t.Helper()
	var journal []struct {
		Command string `json:"command"`
	}
	d.control("GET", "/journal", nil, &journal)
	n := 0
	for _, entry := range journal {
		if !strings.HasPrefix(entry.Command, "get_") {
			n++
		}
	}
	return n
}

// visitor is a person at a browser.
type visitor struct {
	*browser.Page
	t      *testing.T
	base   string
	script bool
}

// visit opens a browser and signs in.
func (d *demo) visit(t *testing.T, name string, o browser.Options) *visitor {
	t.Helper()
	v := &visitor{Page: browser.Start(t, o), t: t, base: d.base, script: !o.NoScript}
	v.signIn(name)
	return v
}

func (v *visitor) signIn(name string) {
	v.t.Helper()
	v.open("/sign-in")
	v.Fill("#username", name)
	v.Fill("#password", password)
	v.Follow("main button[type=submit]")
	v.at("/apps")
	// Typing began before the browser had put the focus there itself.
	v.Take("Autofocus processing was blocked")
}

func (v *visitor) signOut() {
	v.t.Helper()
	v.Click(".cb-menu > summary")
	v.Follow(".cb-menu form[action='/sign-out'] button")
	v.at("/sign-in")
}

func (v *visitor) open(path string) {
	v.t.Helper()
	v.Goto(v.base + path)
}

// at fails when another page than that of the path is on show.
func (v *visitor) at(path string) {
	v.t.Helper()
	if got := v.URL(); got != v.base+path {
		v.t.Fatalf("at %s, want %s%s", got, v.base, path)
	}
}

// on fails when the address does not match; it gives what the first group matched.
func (v *visitor) on(pattern string) string {
	v.t.Helper()
	path := strings.TrimPrefix(v.URL(), v.base)
	m := regexp.MustCompile("^(?:" + pattern + ")$").FindStringSubmatch(path)
	if m == nil {
		v.t.Fatalf("at %s, want %s", path, pattern)
	}
	return m[len(m)-1]
}

// press clicks a button of the form that the script takes over; without it another page comes.
func (v *visitor) press(selector string) {
	v.t.Helper()
	if v.script {
		v.Click(selector)
		return
	}
	v.Follow(selector)
}

// says fails when the shown text of an element lacks any of the texts.
func (v *visitor) says(selector string, texts ...string) {
	v.t.Helper()
	got := strings.Join(strings.Fields(v.Text(selector)), " ")
	for _, text := range texts {
		if !strings.Contains(got, text) {
			v.t.Errorf("%s on %s says %q; %q is missing", selector, v.URL(), got, text)
		}
	}
}

// same fails when the shown text of an element is another.
func (v *visitor) same(selector, want string) {
	v.t.Helper()
	if got := strings.Join(strings.Fields(v.Text(selector)), " "); got != want {
		v.t.Errorf("%s on %s says %q, want %q", selector, v.URL(), got, want)
	}
}

// status fails unless the document came with this HTTP status, and takes the browser's message about it.
func (v *visitor) status(want int) {
	v.t.Helper()
	if got := v.Status(); got != want {
		v.t.Errorf("%s came with status %d, want %d", v.URL(), got, want)
	}
	if want >= 400 {
		v.Take("Failed to load resource")
	}
}

// Buttons of the pages.
const (
	reviewButton = ".cb-foot button.btn-primary:not([name])"
	applyButton  = ".cb-foot button[type=submit]"
)

// review fills in the reason and goes on to the plan.
func (v *visitor) review(reason string) {
	v.t.Helper()
	v.Fill("#reason", reason)
	v.Follow(reviewButton)
	v.on(`/apps/\d+/callback/review/[^/]+`)
}

// apply ticks every box of the plan and sends it; it gives the number of the change.
func (v *visitor) apply() string {
	v.t.Helper()
	for v.Exists("input[name=tick]:not(:checked)") {
		v.Click("input[name=tick]:not(:checked)")
	}
	v.Follow(applyButton)
	return v.on(`/changes/(\d+)`)
}

// of gives the same demo to a subtest.
func (d *demo) of(t *testing.T) *demo {
	other := *d
	other.t = t
	return &other
}

// box is the selector of an event's tick box.
func box(word string) string { return "#ev-" + strings.ReplaceAll(word, ".", "-") }
