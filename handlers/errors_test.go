package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"callboard/static"
	"callboard/store"
)

func TestSlashAtTheEnd(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Support)
	tests := []struct {
		request *http.Request
		status  int
		to      string
	}{
		{get("/apps/"), http.StatusMovedPermanently, "/apps"},
		{get("/history/?q=a&state=refused"), http.StatusMovedPermanently, "/history?q=a&state=refused"},
		{get("/changes/1/"), http.StatusMovedPermanently, "/changes/1"},
		{get("/nothing/"), http.StatusMovedPermanently, "/nothing"},
		{httptest.NewRequest(http.MethodHead, "/apps/", http.NoBody), http.StatusMovedPermanently, "/apps"},
		{get("//evil.example/"), http.StatusMovedPermanently, "/evil.example"},
		{get(`/\\evil.example/`), http.StatusMovedPermanently, "/evil.example"},
		{form("/sign-out/", url.Values{csrfField: {b.csrf}}), http.StatusNotFound, ""},
	}
	for _, x := range tests {
		if p := b.send(x.request); p.Code != x.status || p.Header().Get("Location") != x.to {
			t.Errorf("%s %s: %d to %q, want %d to %q", x.request.Method, x.request.URL, p.Code, p.Header().Get("Location"), x.status, x.to)
		}
	}
}

// TestErrorPages relies on the fixture for the headers, which are looked at on every answer.
func TestErrorPages(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	chunked := form("/account", url.Values{csrfField: {b.csrf}, "theme": {strings.Repeat("a", 2<<20)}})
	chunked.ContentLength = -1
	many := url.Values{csrfField: {b.csrf}, "command": make([]string, 1000)}
	allowed := url.Values{csrfField: {b.csrf}, "do": {"preferences"}, "command": make([]string, 998)}
	tests := []struct {
		name    string
		request *http.Request
		status  int
		id      string // of the headline, "" for no page
	}{
		{"unknown path", get("/nothing"), http.StatusNotFound, "not_found"},
		{"unknown path that looks like one of Echo's", get("/apps/20010452/nothing"), http.StatusNotFound, "not_found"},
		{"path with markup", get("/%3Cscript%3Ealert(1)%3C%2Fscript%3E"), http.StatusNotFound, "not_found"},
		{"unknown app", get("/apps/99/callback"), http.StatusNotFound, "not_found"},
		{"app that is no number", get("/apps/x%00/callback"), http.StatusNotFound, "not_found"},
		{"app too large for a number", get("/apps/99999999999999999999/callback"), http.StatusNotFound, "not_found"},
		{"unknown entry", get("/changes/99"), http.StatusNotFound, "no_entry"},
		{"entry that is no number", get("/changes/1e3"), http.StatusNotFound, "no_entry"},
		{"code that is no number", get("/errors/x"), http.StatusNotFound, "not_found"},
		{"negative code, which an answer may hold", get("/errors/-1"), http.StatusOK, ""},
		{"unknown file", get("/static/nothing.css"), http.StatusNotFound, ""},
		{"file of an old version", get("/static/callboard-000000000000.css"), http.StatusNotFound, ""},
		{"wrong method", httptest.NewRequest(http.MethodDelete, "/apps", http.NoBody), http.StatusMethodNotAllowed, "method"},
		{"trace", httptest.NewRequest(http.MethodTrace, "/apps", http.NoBody), http.StatusMethodNotAllowed, "method"},
		{"method nobody knows", httptest.NewRequest("BREW", "/apps", http.NoBody), http.StatusMethodNotAllowed, "method"},
		{"post where there is none", form("/history", url.Values{csrfField: {b.csrf}}), http.StatusMethodNotAllowed, "method"},
		{"too large", form("/account", url.Values{csrfField: {b.csrf}, "theme": {strings.Repeat("a", 2<<20)}}), http.StatusRequestEntityTooLarge, "too_large"},
		{"too large without saying so", chunked, http.StatusRequestEntityTooLarge, "too_large"},
		{"too many fields", form("/account", many), http.StatusRequestEntityTooLarge, "too_large"},
		{"as many fields as may be", form("/account", allowed), http.StatusSeeOther, ""},
		{"odd encoding", withHeaders(httptest.NewRequest(http.MethodPost, "/account", strings.NewReader("a=%zz")), "Content-Type", "application/x-www-form-urlencoded"), http.StatusBadRequest, "bad_request"},
		{"a page", get("/apps"), http.StatusOK, ""},
		{"a file", get(static.Path("callboard.css")), http.StatusOK, ""},
		{"health", get("/healthz"), http.StatusOK, ""},
		{"readiness", get("/readyz"), http.StatusOK, ""},
	}
	for _, test := range tests {
		p := b.send(test.request)
		if p.Code != test.status {
			t.Errorf("%s: %d, want %d", test.name, p.Code, test.status)
		}
		if test.id != "" && (p.doc == nil || p.text("h1") != w.T("problem."+test.id+".title")) {
			t.Errorf("%s: heading %q", test.name, heading(p))
		}
	}
}

func get(path string) *http.Request { return httptest.NewRequest(http.MethodGet, path, http.NoBody) }

func TestPanicBecomesAPage(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	b.get(formOf(appID))
	w.panicky.Store(true)
	p := b.get("/history")
	w.panicky.Store(false)
	wantStatus(t, p, http.StatusInternalServerError)
	id := p.Header().Get("X-Request-Id")
	if p.text("h1") != w.T("problem.internal.title") || p.text(".cb-id") != id {
		t.Errorf("heading %q, id %q, want id %q", p.text("h1"), p.text(".cb-id"), id)
	}
	if strings.Contains(p.Body.String(), "a clock that panics") || !strings.Contains(w.log.String(), "a clock that panics") || !strings.Contains(w.log.String(), id) {
		t.Error("the cause belongs into the log with the id, not into the page")
	}
	wantStatus(t, b.get("/history"), http.StatusOK)
}

func TestPanicInsideCompression(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	b.header.Set("Accept-Encoding", "gzip")
	w.panicky.Store(true)
	p := b.get("/history")
	w.panicky.Store(false)
	wantStatus(t, p, http.StatusInternalServerError)
	if p.Header().Get("Content-Encoding") != "" || p.text("h1") != w.T("problem.internal.title") {
		t.Errorf("encoding %q, page %q", p.Header().Get("Content-Encoding"), p.Body.String())
	}
}

// TestStopping posts a plan to a console that is being stopped.
func TestStopping(t *testing.T) {
	w := newWorld(t)
	x := prepare(w)
	b := w.as(store.Operator)
	before := len(w.box.Journal())
	w.changes.Close(t.Context())
	p := b.post(formOf(appID)+"/apply", url.Values{"plan": {strings.TrimPrefix(x.plan, formOf(appID)+"/review/")}})
	if p.Code != http.StatusServiceUnavailable || p.text("h1") != w.T("problem.stopping.title") || len(w.box.Journal()) != before {
		t.Errorf("%d, %s, %d calls", p.Code, heading(p), len(w.box.Journal())-before)
	}
}

func TestStoreGone(t *testing.T) {
	w := newWorld(t)
	x := prepare(w)
	b := w.as(store.Admin)
	b.get(formOf(appID))
	fields := withToken(draft(w), b.csrf)
	stranger := w.browser()
	stranger.get("/sign-in")
	calls := len(w.box.Journal())
	must(t, w.store.Close())
	requests := map[string]page{
		"a page":      b.get("/apps"),
		"the form":    b.get(formOf(appID)),
		"an apply":    b.post(formOf(appID)+"/apply", url.Values{"plan": {strings.TrimPrefix(x.plan, formOf(appID)+"/review/")}}),
		"a sign-in":   stranger.post("/sign-in", url.Values{"username": {"admin"}, "password": {password}}),
		"sign-in":     w.browser().get("/sign-in"),
		"the export":  b.get("/history.jsonl"),
		"the CSV":     b.get("/history.csv"),
		"a bad token": b.send(form("/account", url.Values{csrfField: {"x"}})),
	}
	for name, p := range requests {
		if p.Code != http.StatusServiceUnavailable || p.doc == nil || p.text("h1") != w.T("problem.store.title") || !strings.Contains(p.text("main"), "Nothing was sent to Tencent") {
			t.Errorf("%s: %d, %s", name, p.Code, heading(p))
			continue
		}
		if id := p.Header().Get("X-Request-Id"); !strings.Contains(p.text("main"), id) || strings.Contains(p.Body.String(), "database is closed") {
			t.Errorf("%s: the page has to name the request and keep the cause", name)
		}
	}
	// What was typed is one click away from being sent again, and another site's form is not.
	given := fieldsOf(b.send(form(formOf(appID)+"/review", fields)).doc.Find("main form"))
	if diff := cmp.Diff(withToken(fields), withToken(given)); diff != "" || given.Get(csrfField) != fields.Get(csrfField) {
		t.Errorf("the form given back, whose token is %q (-typed +given):\n%s", given.Get(csrfField), diff)
	}
	another := form(formOf(appID)+"/review", fields)
	another.Header.Set("Sec-Fetch-Site", "cross-site")
	for name, p := range map[string]page{"another site's form": b.send(another), "a form with a wrong token": requests["a bad token"], "a page": requests["a page"]} {
		if p.count("main form") != 0 {
			t.Errorf("%s is given back", name)
		}
	}
	if p := b.get("/readyz"); p.Code != http.StatusServiceUnavailable || p.Body.String() != "not ready\n" {
		t.Errorf("readiness: %d %q", p.Code, p.Body)
	}
	if p := b.get("/healthz"); p.Code != http.StatusOK || p.Body.String() != "ok\n" {
		t.Errorf("health: %d %q", p.Code, p.Body)
	}
	if now := len(w.box.Journal()); now != calls {
		t.Errorf("%d calls were made without a store", now-calls)
	}
}

func TestClientAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix(address + "/32"), netip.MustParsePrefix("10.0.0.0/8")}
	tests := []struct {
		name    string
		trusted []netip.Prefix
		headers []string
		want    string
	}{
		{"nobody is trusted", nil, []string{"X-Forwarded-For", "198.51.100.9", "X-Real-Ip", "198.51.100.9", "Forwarded", "for=198.51.100.9"}, address},
		{"the peer is a proxy", proxies, []string{"X-Forwarded-For", "198.51.100.9"}, "198.51.100.9"},
		{"two proxies", proxies, []string{"X-Forwarded-For", "198.51.100.9, 10.1.2.3"}, "198.51.100.9"},
		{"the client claims another", proxies, []string{"X-Forwarded-For", "203.0.113.1, 198.51.100.9"}, "198.51.100.9"},
		{"other headers", proxies, []string{"X-Real-Ip", "198.51.100.9"}, address},
		{"rubbish", proxies, []string{"X-Forwarded-For", "<script>"}, address},
		{"rubbish before a proxy", proxies, []string{"X-Forwarded-For", "unknown, 10.1.2.3"}, address},
		{"address of version 6", proxies, []string{"X-Forwarded-For", "2001:db8::9"}, "2001:db8::9"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, func(o *Options) { o.TrustedProxies = test.trusted })
			b := w.as(store.Support)
			wantStatus(t, b.send(withHeaders(form("/account", url.Values{csrfField: {b.csrf}, "do": {"preferences"}}), test.headers...)), http.StatusSeeOther)
			page, err := w.store.AuditTrail(t.Context(), store.AuditFilter{Limit: 1})
			must(t, err)
			if e := page.Entries[0]; e.Act != "user.preferences" || e.Actor.Address != test.want {
				t.Errorf("%s from %q, want %q", e.Act, e.Actor.Address, test.want)
			}
		})
	}
}
