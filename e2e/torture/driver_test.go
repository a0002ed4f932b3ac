package torture_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"callboard/auth"
	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
)

const (
	secret   = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
	person   = "operator"
	password = "a password only for tests"
	created  = "Live.CallbackAfterCreateRoom"
	ended    = "Live.CallbackAfterDestroyRoom"
	firstApp = 20010000
)

// Lease and grace of the programs under test. A call may take half a lease, the read before it a quarter.
const (
	lease = 2 * time.Second
	grace = time.Second
)

var hashed = sync.OnceValues(func() (string, error) { return auth.HashPassword(context.Background(), password) })

// rig is one database with its apps, a sandbox that plays Tencent, a proxy before it, and a person who is signed in.
type rig struct {
	t      *testing.T
	db     string // "sqlite" or "postgres"
	folder string
	addr   string // of the database, as the store wants it
	keys   *store.Keys
	keyset string
	box    *sandbox.Server
	proxy  *proxy
	client *http.Client
	bound  bool // by the permissions of files, even where the program runs as root
	apps   []int64

	mu    sync.Mutex
	urls  int                   // drawn so far
	moved map[int64][]time.Time // when an app's callback was changed behind the console's back
	shown map[int64]int64       // changes that a page has shown, with their app
}

// onBoth runs a test on both databases, each with a rig of its own that is checked at the end.
func onBoth(t *testing.T, apps int, f func(r *rig)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { run(newRig(t, "sqlite", apps), f) })
	t.Run("postgres", func(t *testing.T) { run(newRig(t, "postgres", apps), f) })
}

func run(r *rig, f func(r *rig)) {
	f(r)
	r.withStore(func(s *store.Store) { r.check(s) })
}

func newRig(t *testing.T, db string, apps int) *rig {
	t.Helper()
	address := filepath.Join(t.TempDir(), "callboard.db")
	if db == "postgres" {
		address = storetest.Postgres(t).Address
	}
	return newRigAt(t, db, address, apps)
}

// newRigAt makes a rig on an empty database.
func newRigAt(t *testing.T, db, address string, apps int) *rig {
	t.Helper()
	keys, text, err := store.NewKeys()
	must(t, err)
	box, err := sandbox.New(sandbox.Options{RatePerSecond: 1_000_000})
	must(t, err)
	must(t, box.Start("127.0.0.1:0", "127.0.0.1:0"))
	t.Cleanup(func() { _ = box.Close(context.Background()) }) // calls of a killed program have nobody to wait for
	folder := t.TempDir()
	if db == "sqlite" {
		folder = filepath.Dir(address)
	}
	r := &rig{t: t, db: db, folder: folder, addr: address, keys: keys, keyset: string(text), box: box,
		proxy: newProxy(t, box.APIURL()), moved: map[int64][]time.Time{}, shown: map[int64]int64{}}
	r.client = browser(t)
	r.withStore(func(s *store.Store) { r.fill(s, apps) })
	return r
}

func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 20}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// fill adds the person and the apps, each with a callback at Tencent.
func (r *rig) fill(s *store.Store, apps int) {
	hash, err := hashed()
	must(r.t, err)
	_, err = s.AddUser(r.t.Context(), store.Console, store.NewUser{Name: person, Password: hash, Role: store.Operator})
	must(r.t, err)
	for i := range apps {
		id := int64(firstApp + i)
		must(r.t, r.box.AddApp(sandbox.App{SDKAppID: id, Key: secret, Admins: []string{"administrator"}}))
		r.box.SetCallback(id, &sandbox.Callback{Url: r.draw(), CallbackCommandList: []string{created}})
		must(r.t, s.AddApp(r.t.Context(), store.Console, store.AppSettings{SDKAppID: id, Name: fmt.Sprintf("App %d", i), Region: "play", Identifier: "administrator",
			Environment: store.Test, Secret: secret}))
		r.apps = append(r.apps, id)
	}
}

// draw gives a URL that nobody has had: what the cloud holds then tells who wrote it.
func (r *rig) draw() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.urls++
	return fmt.Sprintf("https://hooks.example.test/live/%d", r.urls)
}

// move changes an app's callback behind the console's back.
func (r *rig) move(app int64) {
	next := r.draw()
	r.mu.Lock()
	r.moved[app] = append(r.moved[app], time.Now())
	r.mu.Unlock()
	r.box.SetCallback(app, &sandbox.Callback{Url: next, CallbackCommandList: []string{created}})
}

// withStore opens the database beside the program. It is closed again before anything is killed: while somebody else has
// a SQLite file open, a new process does not have to recover it.
func (r *rig) withStore(f func(s *store.Store)) {
	r.t.Helper()
	s, err := store.Open(r.t.Context(), store.Options{Database: r.addr, Keys: r.keys})
	must(r.t, err)
	defer func() { must(r.t, s.Close()) }()
	f(s)
}

// process is a running console.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	log  bytes.Buffer  // complete once gone is closed
	gone chan struct{} // closed when the process has ended
}

// command is the program with this rig's options, armed with a fault point ("" for none).
func (r *rig) command(fault string, args ...string) *exec.Cmd {
	args = append([]string{"serve", "--listen=127.0.0.1:0", "--data=" + r.folder, "--lease=" + lease.String(), "--grace=" + grace.String(), "--watch-every=0"}, args...)
	command := []string{program}
	if r.bound && os.Geteuid() == 0 {
		command = []string{"setpriv", "--bounding-set=-dac_override,-dac_read_search", program}
	}
	cmd := exec.Command(command[0], append(command[1:], args...)...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CALLBOARD_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "CALLBOARD_EXTRA_ENDPOINTS=play="+r.proxy.url(), "CALLBOARD_KEYSET="+r.keyset, "CALLBOARD_FAULT="+fault)
	if r.db == "postgres" {
		cmd.Env = append(cmd.Env, "CALLBOARD_DATABASE="+r.addr)
	}
	return cmd
}

// start runs the program, armed with a fault point ("" for none), until it says that it is ready.
func (r *rig) start(fault string, args ...string) *process {
	r.t.Helper()
	p := &process{t: r.t, cmd: r.command(fault, args...), gone: make(chan struct{})}
	p.cmd.Stderr = &p.log
	said, err := p.cmd.StdoutPipe()
	must(r.t, err)
	must(r.t, p.cmd.Start())
	r.t.Cleanup(p.kill)
	lines := bufio.NewScanner(said)
	if !lines.Scan() {
		_ = p.cmd.Wait()
		r.t.Fatalf("the program ended before it was ready:\n%s", &p.log)
	}
	_, p.url, _ = strings.Cut(lines.Text(), " is ready at ")
	go func() {
		defer close(p.gone)
		for lines.Scan() {
		}
		_ = p.cmd.Wait()
	}()
	return p
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have killed itself
	<-p.gone
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	must(p.t, p.cmd.Process.Signal(s))
}

// frozen tells whether the process is stopped.
func (p *process) frozen() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	return err == nil && strings.HasPrefix(rest, "T")
}

// stop ends the process as a service manager does; it must end cleanly.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.gone:
	case <-time.After(patience):
		p.t.Error("the program did not stop")
		p.kill()
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("the program ended with %d:\n%s", code, &p.log)
	}
}

// page is an answer of the console.
type page struct {
	status   int
	location string
	*goquery.Document
}

// errForm says that a page lacks a form.
var errForm = errors.New("the page has no such form")

func do(client *http.Client, method, address string, form url.Values) (page, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	q, err := http.NewRequest(method, address, body)
	if err != nil {
		return page{}, err
	}
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := client.Do(q)
	if err != nil {
		return page{}, err
	}
	defer answer.Body.Close()
	d, err := goquery.NewDocumentFromReader(answer.Body)
	return page{answer.StatusCode, answer.Header.Get("Location"), d}, err
}

// form reads the form with this action as a browser would send it, every box named tick ticked.
func (p page) form(action string) (url.Values, error) {
	form := p.Find(fmt.Sprintf("form[action=%q]", action)).First()
	if form.Length() == 0 {
		return nil, fmt.Errorf("%w: %s, status %d, %s", errForm, action, p.status, strings.TrimSpace(p.Find("title").Text()))
	}
	values := url.Values{}
	form.Find("input, textarea").Each(func(_ int, s *goquery.Selection) {
		name := s.AttrOr("name", "")
		_, checked := s.Attr("checked")
		if s.AttrOr("type", "") == "checkbox" && !checked && name != "tick" {
			return
		}
		value := s.AttrOr("value", "")
		if goquery.NodeName(s) == "textarea" {
			value = s.Text()
		}
		values.Add(name, value)
	})
	return values, nil
}

// get opens a page that has to come.
func (r *rig) get(p *process, path string) page {
	r.t.Helper()
	got, err := do(r.client, http.MethodGet, p.url+path, nil)
	must(r.t, err)
	return got
}

// signIn signs the person in; the session outlives the program.
func (r *rig) signIn(p *process) {
	r.t.Helper()
	form, err := r.get(p, "/sign-in").form("/sign-in")
	must(r.t, err)
	form.Set("username", person)
	form.Set("password", password)
	got, err := do(r.client, http.MethodPost, p.url+"/sign-in", form)
	must(r.t, err)
	if got.status != http.StatusSeeOther {
		r.t.Fatalf("signing in was answered with %d", got.status)
	}
}

// order is a plan that is ready to be applied.
type order struct {
	app    int64
	url    string     // it asks for
	review url.Values // what was posted to the review
	path   string     // of the apply
	form   url.Values // to be posted there
}

// plan opens the form of an app, asks for a URL of its own and one event more, and opens the plan.
func (r *rig) plan(p *process, app int64) (order, error) {
	base := fmt.Sprintf("/apps/%d/callback", app)
	o := order{app: app, path: base + "/apply", url: r.draw()}
	opened, err := do(r.client, http.MethodGet, p.url+base, nil)
	if err != nil {
		return o, err
	}
	form, err := opened.form(base + "/review")
	if err != nil {
		return o, err
	}
	form.Set("url", o.url)
	form["command"] = []string{created, ended}
	form.Set("reason", "because")
	o.review = form
	return r.reviewed(p, o)
}

// reviewed posts what an order asks for to the review, and opens the plan.
func (r *rig) reviewed(p *process, o order) (order, error) {
	posted, err := do(r.client, http.MethodPost, p.url+strings.TrimSuffix(o.path, "apply")+"review", o.review)
	if err != nil {
		return o, err
	}
	if posted.status != http.StatusSeeOther {
		return o, fmt.Errorf("the review was answered with %d: %s", posted.status, words(posted.Find("main")))
	}
	review, err := do(r.client, http.MethodGet, p.url+posted.location, nil)
	if err != nil {
		return o, err
	}
	o.form, err = review.form(o.path)
	return o, err
}

var changePath = regexp.MustCompile(`^/changes/(\d+)$`)

// apply posts a plan and gives the number of the change that the answer led to, 0 for none.
func (r *rig) apply(p *process, o order) (number int64, got page, err error) {
	if got, err = do(r.client, http.MethodPost, p.url+o.path, o.form); err != nil {
		return 0, got, err
	}
	if m := changePath.FindStringSubmatch(got.location); m != nil {
		number, err = strconv.ParseInt(m[1], 10, 64)
		r.mu.Lock()
		r.shown[number] = o.app
		r.mu.Unlock()
	}
	return number, got, err
}

// mustPlan makes a plan that has to work.
func (r *rig) mustPlan(p *process, app int64) order {
	r.t.Helper()
	o, err := r.plan(p, app)
	must(r.t, err)
	return o
}

// mustApply applies a plan that has to end at a change.
func (r *rig) mustApply(p *process, o order) int64 {
	r.t.Helper()
	number, got, err := r.apply(p, o)
	must(r.t, err)
	if number == 0 {
		r.t.Fatalf("the apply was answered with %d: %s", got.status, words(got.Find("main")))
	}
	return number
}

// checkNow presses the button of an open change. It is an error of nobody when the change is settled meanwhile.
func (r *rig) checkNow(p *process, number int64) {
	r.t.Helper()
	path := fmt.Sprintf("/changes/%d", number)
	shown := r.get(p, path)
	form, err := shown.form(path)
	if err != nil {
		return // no button: it is settled, or still under way
	}
	form.Set("do", "check")
	_, err = do(r.client, http.MethodPost, p.url+path, form)
	must(r.t, err)
}

// settle waits until no change is open, pressing the buttons meanwhile.
func (r *rig) settle(p *process, s *store.Store) {
	r.t.Helper()
	r.until("every change to be settled", 200*time.Millisecond, func() bool {
		open := r.open(s)
		for _, c := range open {
			if c.Outcome == store.Unknown {
				r.checkNow(p, c.Number)
			}
		}
		return len(open) == 0
	})
}

// open lists the open changes.
func (r *rig) open(s *store.Store) []store.Change {
	r.t.Helper()
	var list []store.Change
	for _, state := range []string{store.Pending, store.Unknown} {
		some, err := s.History(r.t.Context(), store.Filter{State: state, Limit: 1000})
		must(r.t, err)
		list = append(list, some...)
	}
	return list
}

// until polls a condition.
func (r *rig) until(what string, every time.Duration, done func() bool) {
	r.t.Helper()
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for range int(patience / every) {
		if done() {
			return
		}
		<-ticks.C
	}
	r.t.Fatalf("waited in vain for %s", what)
}

func words(s *goquery.Selection) string { return strings.Join(strings.Fields(s.Text()), " ") }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
