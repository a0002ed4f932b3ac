// Package browser drives a real Chromium for tests. One Chromium runs per test process; every page has cookies of its
// own. It speaks to loopback only: any other host is unknown to it.
//
// A page collects what it writes to the console, its script errors, violations of its content security policy, failed
// loads (also that of the page itself, when its status is 400 or more) and dialogs. Each of them makes the test fail
// at its end unless the test has taken it with [Page.Take].
//
// No method returns an error: what cannot be done within [Patience] ends the test with a sentence.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/chromedp"
)

// Patience is how long one step may take before the test fails. Steps are done as soon as they can be, so it is long
// enough for a slow machine and costs a quick one nothing.
const Patience = 20 * time.Second

// Variable names the environment variable that names another Chromium than Debian's.
const Variable = "CALLBOARD_CHROMIUM"

// usual are the programs looked for when none is named: Debian's first.
var usual = []string{"/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome"}

// T is what a page needs of a *testing.T, so that programs which are no test can have pages too.
type T interface {
	Helper()
	Cleanup(f func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any) // must not return
}

// process is a Chromium that runs.
type process struct {
	ctx    context.Context // pages are opened from it
	cancel context.CancelFunc
	dir    string // what it keeps on disk
}

// shared is the one Chromium of this process, started by the first page and ended by Close.
var shared struct {
	sync.Mutex
	running *process // nil while none runs
}

// Tests wraps a package's tests so that the shared Chromium is closed after the last of them; use it in TestMain:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(browser.Tests{M: m}) }
type Tests struct {
	M interface{ Run() int } // a *testing.M
}

// Run runs the tests, closes the browser, and gives the exit code; a browser that does not close cleanly makes it 1.
func (t Tests) Run() int {
	code := t.M.Run()
	if err := Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// Close ends the shared Chromium, if one runs, and removes what it kept on disk. A later Start starts a new one.
func Close() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.running == nil {
		return nil
	}
	err := shared.running.end()
	shared.running = nil
	return err
}

func (c *process) end() error {
	ctx, done := context.WithTimeout(c.ctx, Patience)
	defer done()
	err := chromedp.Cancel(ctx)
	c.cancel()
	if err = errors.Join(err, os.RemoveAll(c.dir)); err != nil {
		return fmt.Errorf("closing Chromium: %w", err)
	}
	return nil
}

// running gives the context of the shared Chromium and starts it when none runs.
func running(t T) context.Context {
	t.Helper()
	binary := find(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.running == nil {
		started, err := launch(binary)
		if err != nil {
			t.Fatalf("starting %s: %v", binary, err)
		}
		shared.running = started
	}
	return shared.running.ctx
}

// find gives the Chromium to start, or ends the test with what to install.
func find(t T) string {
	t.Helper()
	names := usual
	if named := os.Getenv(Variable); named != "" {
		names = []string{named}
	}
	for _, name := range names {
		if binary, err := exec.LookPath(name); err == nil {
			return binary
		}
	}
	t.Fatalf("the browser tests need Chromium, and there is no program %s: install it with \"apt-get install chromium\", or name another one in %s", strings.Join(names, ", "), Variable)
	return ""
}

func launch(binary string) (*process, error) {
	dir, err := os.MkdirTemp("", "callboard-chromium-")
	if err != nil {
		return nil, err
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), flags(binary, dir)...)
	ctx, stop := chromedp.NewContext(allocator)
	cancel := func() { stop(); stopAllocator() }
	// The life of the browser is bound to the context of this first call, so it has no deadline.
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &process{ctx: ctx, cancel: cancel, dir: dir}, nil
}

// flags are added to chromedp's own, which make it headless and keep background traffic off.
func flags(binary, dir string) []chromedp.ExecAllocatorOption {
	list := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	list = append(list,
		chromedp.ExecPath(binary),
		chromedp.UserDataDir(dir),
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-pings", true),
		// Neither a proxy of the machine nor a name server is asked: the tests are about loopback.
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"),
		chromedp.Flag("lang", "en-US"),
	)
	if os.Geteuid() == 0 {
		// Chromium's sandbox refuses to work for root, which is who runs tests in most containers.
		list = append(list, chromedp.NoSandbox)
	}
	return list
}
