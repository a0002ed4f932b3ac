package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"go.uber.org/goleak"
)

// patience is how long a program may take to say something. Reaching it is a failure.
const patience = 2 * time.Minute

// testFolder holds the binary; TestMain removes it.
var testFolder string

// tests clears the way for options: variables of whoever runs the tests must not reach them.
type tests struct{ m *testing.M }

func (r tests) Run() int {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "CALLBOARD_") && name != "CALLBOARD_TEST_POSTGRES" {
			if err := os.Unsetenv(name); err != nil {
				panic(err)
			}
		}
	}
	var err error
	if testFolder, err = os.MkdirTemp("", "callboard-test-"); err != nil {
		panic(err)
	}
	code := r.m.Run()
	if err := os.RemoveAll(testFolder); err != nil {
		panic(err)
	}
	return code
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(tests{m}) }

// binary builds the program once, for tests that need a process.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(testFolder, "callboard")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
})

// textBuffer is written by the program while a test reads it.
type textBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *textBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *textBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// program is a running callboard, in this process or in one of its own.
type program struct {
	t      *testing.T
	out    *bufio.Scanner
	said   []string // lines of stdout so far
	stderr *textBuffer
	stop   func() int // ends it as SIGTERM does and gives the exit code
	kill   func()     // ends it as SIGKILL does; nil in this process
}

// start runs the program in this process.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r, w := io.Pipe()
	p := &program{t: t, out: bufio.NewScanner(r), stderr: &textBuffer{}}
	code := make(chan int, 1)
	go func() {
		c := run(ctx, args, w, p.stderr)
		_ = w.Close()
		code <- c
	}()
	p.stop = sync.OnceValue(func() int {
		cancel()
		p.rest()
		return <-code
	})
	t.Cleanup(func() { p.stop() })
	return p
}

// launch runs the binary with these variables added to its environment.
func launch(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), env...)
	p := &program{t: t, stderr: &textBuffer{}}
	cmd.Stderr = p.stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(stdout)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	end := sync.OnceValue(func() int {
		p.rest()
		_ = cmd.Wait()
		late.Stop()
		return cmd.ProcessState.ExitCode()
	})
	signal := func(s os.Signal) func() int {
		return func() int {
			_ = cmd.Process.Signal(s) // it may have ended by itself
			return end()
		}
	}
	p.stop = sync.OnceValue(signal(syscall.SIGTERM))
	p.kill = func() { signal(syscall.SIGKILL)() }
	t.Cleanup(p.kill)
	return p
}

// line waits for a line of stdout that begins like this and gives what follows.
func (p *program) line(prefix string) string {
	p.t.Helper()
	for p.out.Scan() {
		p.said = append(p.said, p.out.Text())
		if after, found := strings.CutPrefix(p.out.Text(), prefix); found {
			return after
		}
	}
	p.t.Fatalf("the program ended without a line %q; it said:\n%s\n%s", prefix, strings.Join(p.said, "\n"), p.stderr)
	return ""
}

// rest reads stdout to its end.
func (p *program) rest() {
	for p.out.Scan() {
		p.said = append(p.said, p.out.Text())
	}
}

// text is all of stdout so far.
func (p *program) text() string { return strings.Join(p.said, "\n") + "\n" }

// ended is what a program left that ran to its end.
type ended struct {
	Code           int
	Stdout, Stderr string
}

// finish runs the program in this process to its end, at most for as long as a failing start may take.
func finish(t *testing.T, args ...string) ended {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var stdout, stderr textBuffer
	code := run(ctx, args, &stdout, &stderr)
	if ctx.Err() != nil {
		t.Fatalf("%q did not end by itself", args)
	}
	return ended{code, stdout.String(), stderr.String()}
}

// visitor is a browser without script.
type visitor struct {
	t      *testing.T
	base   string
	client *http.Client
}

func visit(t *testing.T, base string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{t, base, &http.Client{Jar: jar, Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// page is an answer: its status, where it leads to, and its HTML.
type page struct {
	status   int
	location string
	*goquery.Document
}

func (v *visitor) do(method, path string, form url.Values) page {
	v.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, v.base+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	d, err := goquery.NewDocumentFromReader(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return page{answer.StatusCode, answer.Header.Get("Location"), d}
}

func (v *visitor) get(path string) page {
	v.t.Helper()
	return v.do(http.MethodGet, path, nil)
}

// fill reads the form with this action as a browser would send it.
func (v *visitor) fill(p page, action string) url.Values {
	v.t.Helper()
	form := p.Find(fmt.Sprintf("form[action=%q]", action))
	if form.Length() != 1 {
		v.t.Fatalf("the page has %d forms for %s", form.Length(), action)
	}
	values := url.Values{}
	form.Find("input, textarea").Each(func(_ int, s *goquery.Selection) {
		kind := s.AttrOr("type", "text")
		_, checked := s.Attr("checked")
		if kind == "checkbox" && !checked {
			return
		}
		value := s.AttrOr("value", "")
		if goquery.NodeName(s) == "textarea" {
			value = s.Text()
		}
		values.Add(s.AttrOr("name", ""), value)
	})
	return values
}

// send opens a page and posts its form with these fields set.
func (v *visitor) send(path string, set url.Values) page {
	v.t.Helper()
	form := v.fill(v.get(path), path)
	for name, values := range set {
		form[name] = values
	}
	return v.do(http.MethodPost, path, form)
}

// signIn signs in and says whether that worked.
func (v *visitor) signIn(name, password string) bool {
	v.t.Helper()
	v.send("/sign-in", url.Values{"username": {name}, "password": {password}})
	return v.get("/apps").status == http.StatusOK
}
