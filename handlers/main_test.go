package handlers

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"go.uber.org/goleak"

	"callboard/auth"
	"callboard/changes"
	"callboard/i18n"
	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
	"callboard/tencent"
	"callboard/views"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	password = "correct horse 1"
	host     = "console.example.com"
	address  = "192.0.2.7"
	admins   = "administrator"
	// secretKey can be told apart in every encoding that a leak could have.
	secretKey = `canary<&"'/+%\=7QzKey8842`

	appID   = int64(20010452)
	otherID = int64(20010377)

	created = "Live.CallbackAfterCreateRoom"
	ended   = "Live.CallbackAfterDestroyRoom"
	members = "Live.CallbackAfterMemberStateChanged"
	gift    = "Live.CallbackBeforeSendGift"
	foreign = "Live.CallbackAfterPinNotice" // not in our list
	oldURL  = "https://hooks.example.com/live"
	newURL  = "https://hooks.example.com/live/v2"
)

// world is a console put together as main does, over a fresh database and a sandbox in this process.
type world struct {
	t       *testing.T
	db      storetest.Database
	store   *store.Store
	box     *sandbox.Server
	changes *changes.Service
	cookies *auth.Cookies
	regions *tencent.Directory
	options Options
	pages   http.Handler
	ahead   atomic.Int64 // how far the clock of the console is ahead, in nanoseconds
	panicky atomic.Bool  // the clock panics
	log     *safeBuffer
	users   map[string]store.User
	beside  *sql.DB // see sql
	printer map[string]*i18n.Printer
}

// safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var hashed = sync.OnceValues(func() (string, error) { return auth.HashPassword(context.Background(), password) })

// newWorld has two apps: appID with a callback, otherID with none, and a person of each role.
func newWorld(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	return worldOn(t, storetest.SQLite(t), change...)
}

func worldOn(t *testing.T, db storetest.Database, change ...func(*Options)) *world {
	t.Helper()
	w := emptyWorld(t, db, change...)
	hash, err := hashed()
	must(t, err)
	for _, name := range []string{store.Admin, store.Operator, store.Support, "disabled"} {
		role := name
		if name == "disabled" {
			role = store.Admin
		}
		_, err := w.store.AddUser(t.Context(), store.Console, store.NewUser{Name: name, Password: hash, Role: role})
		must(t, err)
	}
	w.exec(`UPDATE users SET disabled_at = 1 WHERE name = 'disabled'`)
	for _, name := range []string{store.Admin, store.Operator, store.Support, "disabled"} {
		u, err := w.store.UserByName(t.Context(), name)
		must(t, err)
		w.users[name] = u
	}
	for id, name := range map[int64]string{appID: "Aurora Stage", otherID: "Harbor Shop"} {
		w.addApp(id, name)
	}
	w.box.SetCallback(appID, &sandbox.Callback{Url: oldURL, CallbackCommandList: []string{created, ended}})
	return w
}

// emptyWorld has nobody and no app.
func emptyWorld(t *testing.T, db storetest.Database, change ...func(*Options)) *world {
	t.Helper()
	w := &world{t: t, db: db, log: &safeBuffer{}, users: map[string]store.User{}, printer: map[string]*i18n.Printer{}}
	w.store = db.Open(t, w.now)
	var err error
	w.box, err = sandbox.New(sandbox.Options{})
	must(t, err)
	must(t, w.box.Start("127.0.0.1:0", "127.0.0.1:0"))
	t.Cleanup(func() { _ = w.box.Close(context.Background()) }) // what a dropped connection leaves is no matter here
	w.regions, err = tencent.NewDirectory("box=" + w.box.APIURL() + ",closed=http://127.0.0.1:1")
	must(t, err)
	log := slog.New(slog.NewTextHandler(w.log, nil))
	client := tencent.New(tencent.Options{})
	t.Cleanup(client.Close)
	// Without a grace and without the loop a change is settled when the test asks, not when time passes.
	w.changes = changes.New(changes.Options{Store: w.store, Client: client, Regions: w.regions, Log: log, Clock: w.now, Grace: time.Nanosecond})
	t.Cleanup(func() { w.changes.Close(context.Background()) })
	key, err := auth.NewCookieKey()
	must(t, err)
	texts, err := i18n.Load()
	must(t, err)
	for _, l := range i18n.Languages {
		w.printer[l] = texts.Printer(l)
	}
	w.options = Options{Store: w.store, Changes: w.changes, Regions: w.regions, Texts: texts, Sessions: store.SessionLimits{Idle: time.Hour, Absolute: 24 * time.Hour},
		Log: log, Clock: w.now, Version: "test"}
	for _, c := range change {
		c(&w.options)
	}
	secure := w.options.PublicURL != nil && w.options.PublicURL.Scheme == "https"
	w.cookies = auth.NewCookies([][]byte{key}, secure, 24*3600)
	w.options.Cookies = w.cookies
	w.pages, err = New(w.options)
	must(t, err)
	t.Cleanup(func() {
		for _, leak := range leaks(w.log.String()) {
			t.Errorf("the log holds a secret: %s", leak)
		}
	})
	return w
}

func (w *world) now() time.Time {
	if w.panicky.Load() {
		panic("a clock that panics")
	}
	return time.Now().Add(time.Duration(w.ahead.Load()))
}

func (w *world) addApp(id int64, name string) {
	w.t.Helper()
	must(w.t, w.box.AddApp(sandbox.App{SDKAppID: id, Key: secretKey, Admins: []string{admins}}))
	must(w.t, w.store.AddApp(w.t.Context(), store.Console, store.AppSettings{SDKAppID: id, Name: name, Region: "box", Identifier: admins, Environment: store.Production, Secret: secretKey}))
}

// T is an English text.
func (w *world) T(id string, pairs ...any) string { return w.printer["en"].T(id, pairs...) }

// sql is the database beside the store.
func (w *world) sql() *sql.DB {
	w.t.Helper()
	if w.beside != nil {
		return w.beside
	}
	driver, name := "pgx", w.db.Address
	if w.db.Name == "sqlite" {
		driver, name = "sqlite", "file:"+w.db.Address+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, name)
	must(w.t, err)
	w.beside = db
	w.t.Cleanup(func() { must(w.t, db.Close()) })
	return db
}

func (w *world) exec(statement string, args ...any) {
	w.t.Helper()
	_, err := w.sql().ExecContext(w.t.Context(), statement, args...)
	must(w.t, err)
}

func (w *world) number(query string, args ...any) int64 {
	w.t.Helper()
	var n sql.NullInt64
	must(w.t, w.sql().QueryRowContext(w.t.Context(), query, args...).Scan(&n))
	return n.Int64
}

// traces is what a request could have left behind, but for the note that it was refused.
type traces struct{ Changes, Plans, Apps, Versions, Users, Sessions, Readings, Audit, Calls int64 }

func (w *world) traces() traces {
	w.t.Helper()
	var v traces
	must(w.t, w.sql().QueryRowContext(w.t.Context(), `SELECT (SELECT COUNT(*) FROM changes), (SELECT COUNT(*) FROM plans), (SELECT COUNT(*) FROM apps), (SELECT COALESCE(SUM(version), 0) FROM apps),
		(SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM sessions), (SELECT COUNT(*) FROM readings), (SELECT COUNT(*) FROM audit WHERE act <> 'access.refused')`).
		Scan(&v.Changes, &v.Plans, &v.Apps, &v.Versions, &v.Users, &v.Sessions, &v.Readings, &v.Audit))
	v.Calls = int64(len(w.box.Journal()))
	return v
}

// rows writes down every row of every table but those of the audit. It is for SQLite.
func (w *world) rows() map[string][]string {
	w.t.Helper()
	all := map[string][]string{}
	for _, table := range w.column(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'audit%'`) {
		columns := w.column(`SELECT 'quote(' || name || ')' FROM pragma_table_info($1)`, table)
		all[table] = w.column(`SELECT ` + strings.Join(columns, ` || ' ' || `) + ` AS line FROM ` + table + ` ORDER BY line`)
	}
	return all
}

func (w *world) column(query string, args ...any) []string {
	w.t.Helper()
	rows, err := w.sql().QueryContext(w.t.Context(), query, args...)
	must(w.t, err)
	defer rows.Close()
	var list []string
	for rows.Next() {
		var text string
		must(w.t, rows.Scan(&text))
		list = append(list, text)
	}
	must(w.t, rows.Err())
	return list
}

// writes are the calls that changed something at the sandbox.
func (w *world) writes() int {
	n := 0
	for _, e := range w.box.Journal() {
		if e.Applied && e.Command != "get_callback" {
			n++
		}
	}
	return n
}

// browser is one person's browser.
type browser struct {
	w       *world
	cookies map[string]string
	header  http.Header
	csrf    string // of the last page
	address string // where it comes from
}

func (w *world) browser() *browser {
	return &browser{w: w, cookies: map[string]string{}, header: http.Header{}, address: address}
}

// as is a browser of somebody who is signed in.
func (w *world) as(name string) *browser {
	w.t.Helper()
	b := w.browser()
	rec := httptest.NewRecorder()
	id, err := w.cookies.Start(rec, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	must(w.t, err)
	u := w.users[name]
	if name == "disabled" { // signed in before
		w.exec(`UPDATE users SET disabled_at = NULL WHERE name = 'disabled'`)
	}
	must(w.t, w.store.StartSession(w.t.Context(), store.Actor{Kind: store.PersonActor, UserID: u.ID, Name: u.Name, Role: u.Role, Address: address}, u.Password, id, "test"))
	if name == "disabled" {
		w.exec(`UPDATE users SET disabled_at = 1 WHERE name = 'disabled'`)
	}
	b.keep(rec.Result().Cookies())
	if name != "disabled" {
		b.get("/events")
	}
	return b
}

func (b *browser) keep(list []*http.Cookie) {
	for _, c := range list {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
	}
}

// page is an answer.
type page struct {
	*httptest.ResponseRecorder
	doc *goquery.Document
}

func (b *browser) get(path string) page { return b.do(http.MethodGet, path, nil) }

// post sends a form with the token of the browser.
func (b *browser) post(path string, fields url.Values) page {
	sent := url.Values{csrfField: {b.csrf}}
	for name, values := range fields {
		sent[name] = values
	}
	return b.do(http.MethodPost, path, sent)
}

// press sends the form that stands in a page at a selector, with the fields as the page has them and changes on top.
func (b *browser) press(p page, form string, change url.Values) page {
	b.w.t.Helper()
	f := p.doc.Find(form)
	if f.Length() != 1 {
		b.w.t.Fatalf("%d forms at %q", f.Length(), form)
	}
	fields := fieldsOf(f)
	for name, values := range change {
		fields[name] = values
	}
	return b.do(http.MethodPost, f.AttrOr("action", ""), fields)
}

// fieldsOf is what a browser would send of a form without pressing a named button.
func fieldsOf(form *goquery.Selection) url.Values {
	fields := url.Values{}
	form.Find("input[name], textarea[name]").Each(func(_ int, i *goquery.Selection) {
		if _, off := i.Attr("disabled"); off {
			return
		}
		if kind := i.AttrOr("type", ""); kind == "checkbox" || kind == "radio" {
			if _, on := i.Attr("checked"); !on {
				return
			}
		}
		fields.Add(i.AttrOr("name", ""), i.AttrOr("value", ""))
	})
	form.Find("select[name]").Each(func(_ int, s *goquery.Selection) {
		fields.Add(s.AttrOr("name", ""), s.Find("option[selected]").AttrOr("value", ""))
	})
	return fields
}

func (b *browser) do(method, path string, fields url.Values) page {
	b.w.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(fields.Encode()))
	if fields != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return b.send(r)
}

// send sends any request with the cookies and headers of the browser, and checks what holds for every answer.
func (b *browser) send(r *http.Request) page {
	b.w.t.Helper()
	r.Host, r.RemoteAddr = host, b.address+":40000"
	for name, values := range b.header {
		r.Header[name] = values
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	b.w.pages.ServeHTTP(rec, r)
	b.keep(rec.Result().Cookies())
	p := page{ResponseRecorder: rec}
	checkHeaders(b.w.t, r, rec)
	if strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") {
		var err error
		p.doc, err = goquery.NewDocumentFromReader(bytes.NewReader(rec.Body.Bytes()))
		must(b.w.t, err)
		checkPage(b.w.t, r.Method+" "+r.URL.Path, p)
		if token, ok := p.doc.Find("input[name=" + csrfField + "]").Attr("value"); ok {
			b.csrf = token
		}
	}
	return p
}

// text is the text at a selector with its blanks folded.
func (p page) text(selector string) string {
	return strings.Join(strings.Fields(p.doc.Find(selector).Text()), " ")
}

func (p page) attr(selector, name string) string {
	return p.doc.Find(selector).First().AttrOr(name, "")
}

func (p page) count(selector string) int { return p.doc.Find(selector).Length() }

// values are the values at a selector.
func (p page) values(selector string) []string {
	list := []string{}
	p.doc.Find(selector).Each(func(_ int, s *goquery.Selection) { list = append(list, s.AttrOr("value", "")) })
	return list
}

func (p page) location() string { return p.Header().Get("Location") }

// formOf is the callback form of an app.
func formOf(id int64) string { return views.AppPath(id, "/callback") }

// plan fills the callback form and reviews it; it returns the address of the plan.
func (b *browser) plan(id int64, address string, commands ...string) string {
	b.w.t.Helper()
	p := b.press(b.get(formOf(id)), "#callback-form", url.Values{"url": {address}, "command": commands, "reason": {"a test"}})
	wantStatus(b.w.t, p, http.StatusSeeOther)
	return p.location()
}

// apply carries a plan out with every box ticked; it returns the address of the change.
func (b *browser) apply(plan string) string {
	b.w.t.Helper()
	p := b.get(plan)
	p = b.press(p, "main form", url.Values{"tick": p.values("input[name=tick]")})
	wantStatus(b.w.t, p, http.StatusSeeOther)
	return p.location()
}

// unknown makes a change of an app that stays unknown until somebody looks.
func (b *browser) unknown(id int64, commands ...string) string {
	b.w.t.Helper()
	b.w.box.Script(sandbox.Fault{SDKAppID: id, Command: "update_callback", Status: http.StatusBadGateway})
	return b.apply(b.plan(id, newURL, commands...))
}

func wantStatus(t *testing.T, p page, status int) {
	t.Helper()
	if p.Code != status {
		t.Fatalf("status %d, want %d; heading %q", p.Code, status, heading(p))
	}
}

func heading(p page) string {
	if p.doc == nil {
		return p.Body.String()
	}
	return p.text("h1") + " | " + p.text("#errors") + " | " + p.text(".cb-note")
}

func wantSeeOther(t *testing.T, p page, location string) {
	t.Helper()
	wantStatus(t, p, http.StatusSeeOther)
	if p.location() != location {
		t.Fatalf("leads to %q, want %q", p.location(), location)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
