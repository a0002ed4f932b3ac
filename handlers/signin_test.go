package handlers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"callboard/auth"
	"callboard/store"
	"callboard/store/storetest"
)

const setupCode = "7QK2-M4TD-X9PA"

func setupWorld(t *testing.T, db storetest.Database) *world {
	return emptyWorld(t, db, func(o *Options) { o.SetupCode = setupCode })
}

func TestSignIn(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.browser()
		p := b.get("/sign-in")
		wantStatus(t, p, http.StatusOK)
		brought, token := b.cookies["callboard_session"], b.csrf
		p = b.press(p, "main form", url.Values{"username": {" Operator "}, "password": {password}})
		wantSeeOther(t, p, "/apps")
		first := b.cookies["callboard_session"]
		if first == "" || first == brought {
			t.Errorf("the session cookie is %q", first)
		}
		if b.cookies["callboard_form"] == token {
			t.Error("the form token survived signing in")
		}
		wantStatus(t, b.get("/apps"), http.StatusOK)
		wantSeeOther(t, b.get("/sign-in?next=/history"), "/history")

		// Signing in once more ends the first session and starts another.
		p = b.send(form("/sign-in", url.Values{csrfField: {b.csrf}, "username": {"admin"}, "password": {password}}))
		wantSeeOther(t, p, "/apps")
		if b.cookies["callboard_session"] == first || w.number(`SELECT COUNT(*) FROM sessions`) != 1 {
			t.Error("signing in again kept the old session")
		}
		// So does signing out, whose cookie is worth nothing afterwards.
		b.get("/apps")
		token, kept := b.csrf, b.cookies["callboard_session"]
		wantSeeOther(t, b.post("/sign-out", nil), "/sign-in")
		if _, has := b.cookies["callboard_session"]; has || b.cookies["callboard_form"] == token || w.number(`SELECT COUNT(*) FROM sessions`) != 0 {
			t.Error("signing out left the session or the form token")
		}
		b.cookies["callboard_session"] = kept
		wantSeeOther(t, b.get("/apps"), "/sign-in?next=%2Fapps")

		var acts []string
		page, err := w.store.AuditTrail(t.Context(), store.AuditFilter{Limit: 5})
		must(t, err)
		for _, e := range page.Entries {
			acts = append(acts, e.Act+" "+e.Actor.Name+" "+e.Actor.Address)
		}
		want := []string{"session.ended admin " + address, "session.started admin " + address, "session.ended operator " + address, "session.started operator " + address}
		if !slices.Equal(acts[:4], want) {
			t.Errorf("the audit has %q, want %q", acts[:4], want)
		}
	})
}

func TestRefusedSignIns(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		tests := []struct{ name, username, password string }{
			{"wrong password", "admin", "wrong horse 1"},
			{"empty password", "admin", ""},
			{"blank in front of the password", "admin", " " + password},
			{"name that nobody has", "nobody", password},
			{"empty name", "", password},
			{"disabled", "disabled", password},
			{"a very long password", "admin", strings.Repeat("a", 50_000)},
			{"a very long name", strings.Repeat("a", 50_000), password},
			{"NUL in the name", "admin\x00", password},
			{"broken text in the name", "admin\xff", password},
			{"markup in the name", `"><script>alert(1)</script>`, password},
			{"database text", "admin' OR '1'='1", password},
		}
		for _, test := range tests {
			b := w.browser()
			p := b.press(b.get("/sign-in"), "main form", url.Values{"username": {test.username}, "password": {test.password}})
			if p.Code != http.StatusUnprocessableEntity || p.text("#errors") != w.T("sign_in.wrong") {
				t.Errorf("%s: %d, %s", test.name, p.Code, heading(p))
				continue
			}
			if got := p.attr("#password", "value"); got != "" {
				t.Errorf("%s: the password comes back", test.name)
			}
			if b.cookies["callboard_session"] != "" {
				t.Errorf("%s: there is a session", test.name)
			}
			// But for the name, the page is the same whatever was wrong.
			got, want := p.text("body"), w.T("sign_in.wrong")
			if !strings.Contains(got, want) || strings.Contains(got, "nobody") || strings.Contains(got, "disabled") {
				t.Errorf("%s: the page says %q", test.name, got)
			}
		}
		if got := w.number(`SELECT COUNT(*) FROM audit WHERE act = 'session.refused'`); got != int64(len(tests)) {
			t.Errorf("%d refusals in the audit, want %d", got, len(tests))
		}
		if strings.Contains(w.log.String(), "wrong horse") || w.number(`SELECT COUNT(*) FROM audit WHERE detail LIKE '%wrong horse%' OR target LIKE '%wrong horse%'`) != 0 {
			t.Error("a typed password was written down")
		}
	})
}

func TestWhereSignInLeads(t *testing.T) {
	tests := []struct{ next, want string }{
		{"", "/apps"},
		{"/history?q=1&state=unknown", "/history?q=1&state=unknown"},
		{"/apps/1/callback", "/apps/1/callback"},
		{"//evil.example.net", "/apps"},
		{"///evil.example.net", "/apps"},
		{`/\evil.example.net`, "/apps"},
		{`\\evil.example.net`, "/apps"},
		{"/\t/evil.example.net", "/apps"},
		{"\t//evil.example.net", "/apps"},
		{"/\n/evil.example.net", "/apps"},
		{" //evil.example.net", "/apps"},
		{"/%2fevil.example.net", "/apps"},
		{"/%5cevil.example.net", "/%5Cevil.example.net"}, // a path of ours: browsers do not decode it
		{"/%09/evil.example.net", "/%09/evil.example.net"},
		{"https://evil.example.net/", "/apps"},
		{"https:evil.example.net", "/apps"},
		{"http://" + host + "/apps", "/apps"},
		{"javascript:alert(1)", "/apps"},
		{"JaVaScRiPt://%0aalert(1)", "/apps"},
		{"data:text/html,x", "/apps"},
		{"history", "/apps"},
		{"?q=1", "/apps"},
		{"/history#part", "/history"},
		{"/sign-out", "/apps"},
		{"/sign-in?next=/sign-in", "/apps"},
		{"/setup\r\nSet-Cookie: a=b", "/apps"},
		{"/%zz", "/apps"},
		{"/a?x=\xff", "/a?x=\xff"},
	}
	w := newWorld(t)
	for _, test := range tests {
		b := w.browser()
		p := b.get("/sign-in?next=" + url.QueryEscape(test.next))
		wantStatus(t, p, http.StatusOK)
		if got := p.attr("input[name=next]", "value"); got != test.want {
			t.Errorf("%q: the page holds %q, want %q", test.next, got, test.want)
		}
		// The field may be changed on the way, so the post is asked for itself too.
		p = b.post("/sign-in", url.Values{"username": {"support"}, "password": {password}, "next": {test.next}})
		if p.Code != http.StatusSeeOther || p.location() != test.want {
			t.Errorf("%q leads to %q (%d), want %q", test.next, p.location(), p.Code, test.want)
		}
	}
}

func TestSetup(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := setupWorld(t, db)
		b := w.browser()
		wantSeeOther(t, b.get("/sign-in"), "/setup")
		long := strings.Repeat("p", auth.MaxPassword)
		tests := []struct {
			name, code, username, password string
			faults                         []string
		}{
			{"nothing", "", "", "", []string{"#code", "#username", "#password"}},
			{"wrong code", "7QK2-M4TD-X9PB", "mei", password, []string{"#code"}},
			{"cut code", "7QK2-M4TD-X9P", "mei", password, []string{"#code"}},
			{"name with a blank", setupCode, "mei li", password, []string{"#username"}},
			{"name with NUL", setupCode, "mei\x00", password, []string{"#username"}},
			{"broken name", setupCode, "mei\xff", password, []string{"#username"}},
			{"name that turns the reading direction", setupCode, "mei\u202e", password, []string{"#username"}},
			{"name too long", setupCode, strings.Repeat("é", 65), password, []string{"#username"}},
			{"password too short", setupCode, "mei", "1234567", []string{"#password"}},
			{"password too long", setupCode, "mei", long + "p", []string{"#password"}},
			{"password that everybody guesses", setupCode, "mei", "Password123", []string{"#password"}},
			{"password that is the name", setupCode, "mei.lin.wang", "Mei.Lin.Wang", []string{"#password"}},
		}
		for _, test := range tests {
			p := b.press(b.get("/setup"), "main form", url.Values{"code": {test.code}, "username": {test.username}, "password": {test.password}})
			if p.Code != http.StatusUnprocessableEntity || !slices.Equal(links(p, "#errors a"), test.faults) {
				t.Errorf("%s: %d, faults at %q, want %q", test.name, p.Code, links(p, "#errors a"), test.faults)
				continue
			}
			if p.attr("#password", "value") != "" || p.attr("#username", "value") == "" && test.username != "" {
				t.Errorf("%s: password %q, name %q come back", test.name, p.attr("#password", "value"), p.attr("#username", "value"))
			}
		}
		if n := w.number(`SELECT COUNT(*) FROM users`); n != 0 {
			t.Fatalf("%d people exist", n)
		}
		p := b.press(b.get("/setup"), "main form", url.Values{"code": {" 7qk2 m4td x9pa "}, "username": {strings.Repeat("é", 64)}, "password": {long}})
		wantSeeOther(t, p, "/apps")
		p = b.get("/apps")
		wantStatus(t, p, http.StatusOK)
		if p.count(`main a[href="/apps/new"]`) != 1 || !strings.Contains(p.text("main"), w.T("apps.none_title")) {
			t.Error("the first page of the first person does not lead to the first app")
		}
		wantSeeOther(t, w.browser().get("/setup"), "/sign-in")
	})
}

// links are the addresses at a selector.
func links(p page, selector string) []string {
	list := []string{}
	for i := range p.doc.Find(selector).Nodes {
		list = append(list, p.doc.Find(selector).Eq(i).AttrOr("href", ""))
	}
	return list
}

func TestSetupWithoutCodeIsClosed(t *testing.T) {
	w := emptyWorld(t, storetest.SQLite(t)) // as a console that was set up before, then emptied
	b := w.browser()
	p := b.press(b.get("/setup"), "main form", url.Values{"code": {""}, "username": {"mei"}, "password": {password}})
	if p.Code != http.StatusUnprocessableEntity || !slices.Equal(links(p, "#errors a"), []string{"#code"}) {
		t.Errorf("%d, %s", p.Code, heading(p))
	}
}

// TestParallelSetupsMakeOneAdmin sends a hundred good posts at once.
func TestParallelSetupsMakeOneAdmin(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := setupWorld(t, db)
		posts := 100
		if db.Name == "sqlite" {
			posts = 20 // it has one writer, so that fewer show as much
		}
		requests := make([]*http.Request, posts)
		for i := range requests {
			b := w.browser()
			b.get("/setup")
			requests[i] = form("/setup", url.Values{csrfField: {b.csrf}, "code": {setupCode}, "username": {fmt.Sprintf("admin-%d", i)}, "password": {password}})
			requests[i].AddCookie(&http.Cookie{Name: "callboard_form", Value: b.cookies["callboard_form"]})
			requests[i].Host, requests[i].RemoteAddr = host, fmt.Sprintf("192.0.2.%d:40000", i)
		}
		places := make([]string, posts)
		var all sync.WaitGroup
		for i, r := range requests {
			all.Go(func() {
				rec := httptest.NewRecorder()
				w.pages.ServeHTTP(rec, r)
				places[i] = fmt.Sprint(rec.Code, " ", rec.Header().Get("Location"))
			})
		}
		all.Wait()
		counts := map[string]int{}
		for _, p := range places {
			counts[p]++
		}
		if counts["303 /apps"] != 1 || counts["303 /sign-in"] != posts-1 {
			t.Errorf("the posts led to %v", counts)
		}
		if users, sessions := w.number(`SELECT COUNT(*) FROM users`), w.number(`SELECT COUNT(*) FROM sessions`); users != 1 || sessions != 1 {
			t.Errorf("%d people and %d sessions, want one of each", users, sessions)
		}
	})
}

func TestPasswordChange(t *testing.T) {
	w := newWorld(t)
	b, elsewhere := w.as(store.Support), w.as(store.Support)
	tests := []struct {
		name, current, password string
		faults                  []string
	}{
		{"wrong current", "wrong horse 1", "another horse", []string{"#current"}},
		{"too short", password, "1234567", []string{"#password"}},
		{"too long", password, strings.Repeat("p", auth.MaxPassword+1), []string{"#password"}},
		{"one that everybody guesses", password, "qwertyuiop", []string{"#password"}},
		{"both", "", "", []string{"#current", "#password"}},
	}
	for _, test := range tests {
		p := b.post("/account", url.Values{"do": {"password"}, "current": {test.current}, "password": {test.password}})
		if p.Code != http.StatusUnprocessableEntity || !slices.Equal(links(p, "#errors a"), test.faults) || strings.Join(p.values("input[type=password]"), "") != "" {
			t.Errorf("%s: %d, %q, values %q", test.name, p.Code, links(p, "#errors a"), p.values("input[type=password]"))
		}
	}
	wantSeeOther(t, b.post("/account", url.Values{"do": {"password"}, "current": {password}, "password": {"another horse"}}), "/account?saved=1")
	wantStatus(t, b.get("/account?saved=1"), http.StatusOK)
	wantSeeOther(t, elsewhere.get("/account"), "/sign-in?next=%2Faccount")
	if known := w.number(`SELECT COUNT(*) FROM known_browsers WHERE id = $1`, auth.Digest(b.cookies["callboard_browser"])); known != 1 {
		t.Error("the browser that changed the password is not known")
	}
	for typed, want := range map[string]int{password: http.StatusUnprocessableEntity, "another horse": http.StatusSeeOther} {
		c := w.browser()
		c.get("/sign-in")
		wantStatus(t, c.post("/sign-in", url.Values{"username": {"support"}, "password": {typed}}), want)
	}
}

func TestPreferences(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Support)
	for _, bad := range []url.Values{{"language": {"fr"}}, {"theme": {"pink"}}, {"time_zone": {"Mars/Base"}}, {"time_zone": {"../../etc/passwd"}}, {"time_zone": {"Local"}}, {"language": {"zh-Hans\x00"}}, {"shortcuts": {"on"}}} {
		bad.Set("do", "preferences")
		wantStatus(t, b.post("/account", bad), http.StatusBadRequest)
		b.get("/account")
	}
	wantSeeOther(t, b.post("/account", url.Values{"do": {"preferences"}, "language": {"zh-Hans"}, "theme": {"dark"}, "time_zone": {"Asia/Shanghai"}, "shortcuts": {"off"}}), "/account?saved=1")
	p := b.get("/account")
	got := []string{p.attr("html", "lang"), p.attr("html", "data-bs-theme"), p.attr("#language option[selected]", "value"), p.attr("#theme option[selected]", "value"), p.attr("#time_zone option[selected]", "value"), p.attr("#shortcuts option[selected]", "value"), p.attr("html", "data-keys")}
	if want := []string{"zh-Hans", "dark", "zh-Hans", "dark", "Asia/Shanghai", "off", "off"}; !slices.Equal(got, want) {
		t.Errorf("the page has %q, want %q", got, want)
	}
	if p.count("kbd") != 0 || w.as(store.Operator).get("/account").count("html[data-keys]") != 0 {
		t.Error("the page names a key that does nothing, or nobody has keys")
	}
	past(w)
	if p := b.get("/history"); !strings.Contains(p.Body.String(), "UTC+8") {
		t.Error("times are not in the zone that was chosen")
	}
}
