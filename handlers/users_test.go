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

// invited invites somebody on the page and returns the path of their page and of their link.
func (b *browser) invited(name string, more url.Values) (user, link string) {
	b.w.t.Helper()
	fields := url.Values{"username": {name}, "role": {store.Support}, "scope": {"all"}}
	for field, values := range more {
		fields[field] = values
	}
	p := b.press(b.get("/users/new"), "main form", fields)
	wantStatus(b.w.t, p, http.StatusSeeOther)
	return p.location(), b.link(p)
}

// link follows a post to the page that shows a link, and returns the link's path.
func (b *browser) link(p page) string {
	b.w.t.Helper()
	wantStatus(b.w.t, p, http.StatusSeeOther)
	_, path, ok := strings.Cut(b.get(p.location()).text("#once-link"), "http://"+host)
	if !ok {
		b.w.t.Fatalf("%s shows no link", p.location())
	}
	return path
}

// decide presses a button of a person's page.
func (b *browser) decide(user, do string) page {
	b.w.t.Helper()
	b.get(user)
	return b.post(user, url.Values{"do": {do}})
}

func (w *world) userPath(name string) string { return userPath(w.users[name].ID) }

func TestInvitation(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		admin := w.as(store.Admin)
		user, link := admin.invited("lena", url.Values{"role": {store.Operator}, "scope": {"chosen"}, "app": {itoa64(appID)}})
		p := admin.get(user)
		if p.count("#once-link") != 0 {
			t.Error("the link is shown a second time")
		}
		token := strings.TrimPrefix(link, welcomePath)
		if w.number(`SELECT COUNT(*) FROM links WHERE id = $1`, auth.Digest(token)) != 1 || w.number(`SELECT COUNT(*) FROM links WHERE id LIKE '%`+token+`%'`) != 0 {
			t.Error("the link is not stored by its hash")
		}
		if got := p.text(".cb-facts .cb-state"); got != w.T("user_state.invited") {
			t.Errorf("state %q", got)
		}
		wantStatus(t, w.browser().guess("lena", ""), http.StatusUnprocessableEntity)

		lena := w.browser()
		for range 2 { // looking uses nothing up
			p = lena.get(link)
			if p.Code != http.StatusOK || p.attr("#username", "value") != "lena" {
				t.Fatalf("the link's page: %d, %s", p.Code, heading(p))
			}
		}
		for _, bad := range []string{"", "1234567", "password1", strings.Repeat("p", auth.MaxPassword+1)} {
			p = lena.press(lena.get(link), "main form", url.Values{"password": {bad}})
			if p.Code != http.StatusUnprocessableEntity || !slices.Equal(links(p, "#errors a"), []string{"#password"}) || p.attr("#password", "value") != "" {
				t.Errorf("password %.10q: %d, %s", bad, p.Code, heading(p))
			}
		}
		wantSeeOther(t, lena.press(lena.get(link), "main form", url.Values{"password": {"lena's own horse"}}), "/apps")
		if p := lena.get(formOf(appID)); p.count("#callback-form button[type=submit]") == 0 {
			t.Error("Lena cannot change her app")
		}
		wantStatus(t, lena.post(formOf(otherID)+"/review", nil), http.StatusForbidden)
		wantSeeOther(t, w.browser().guess("Lena", "lena's own horse"), "/apps")

		list, err := w.store.AuditTrail(t.Context(), store.AuditFilter{Limit: 10})
		must(t, err)
		acts := map[string]string{}
		for _, e := range list.Entries {
			acts[e.Act] = e.Actor.Name + " " + e.Target + " " + e.Detail
		}
		for act, want := range map[string]string{"user.invited": fmt.Sprintf(`admin lena {"apps":[%d],"role":"operator"}`, appID), "user.link_used": "lena lena null"} {
			if acts[act] != want {
				t.Errorf("%s: %q, want %q", act, acts[act], want)
			}
		}
		if strings.Contains(w.log.String(), token) || !strings.Contains(w.log.String(), "path=/welcome/…") {
			t.Error("the log has to name the page without the token")
		}
	})
}

func TestInvitationMistakes(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	tests := []struct {
		name   string
		fields url.Values
		status int
		faults []string
	}{
		{"nothing typed", nil, 422, []string{"#username"}},
		{"a blank in the name", url.Values{"username": {"lena li"}}, 422, []string{"#username"}},
		{"taken, whatever its case", url.Values{"username": {"ADMIN"}}, 422, []string{"#username"}},
		{"no app chosen", url.Values{"username": {"lena"}, "role": {"operator"}, "scope": {"chosen"}}, 422, []string{"#scope"}},
		{"both", url.Values{"username": {""}, "role": {"operator"}, "scope": {"chosen"}}, 422, []string{"#username", "#scope"}},
		{"a role that does not exist", url.Values{"username": {"lena"}, "role": {"owner"}}, 400, nil},
		{"no role", url.Values{"username": {"lena"}, "role": {""}}, 400, nil},
		{"an odd scope", url.Values{"username": {"lena"}, "scope": {"some"}}, 400, nil},
		{"an app that does not exist", url.Values{"username": {"lena"}, "role": {"operator"}, "scope": {"chosen"}, "app": {"4711"}}, 409, nil},
		{"an app that is no number", url.Values{"username": {"lena"}, "role": {"operator"}, "scope": {"chosen"}, "app": {"x"}}, 409, nil},
	}
	before := w.number(`SELECT COUNT(*) FROM users`)
	for _, test := range tests {
		p := b.press(b.get("/users/new"), "main form", test.fields)
		if p.Code != test.status || test.faults != nil && !slices.Equal(links(p, "#errors a"), test.faults) {
			t.Errorf("%s: %d, faults at %q", test.name, p.Code, links(p, "#errors a"))
		}
		if name := test.fields.Get("username"); p.Code == 422 && p.attr("#username", "value") != name {
			t.Errorf("%s: the name comes back as %q", test.name, p.attr("#username", "value"))
		}
	}
	if now := w.number(`SELECT COUNT(*) FROM users`); now != before {
		t.Errorf("%d people were added", now-before)
	}
}

func TestLinksThatDoNotWork(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		admin := w.as(store.Admin)
		user, first := admin.invited("lena", nil)
		second := admin.link(admin.decide(user, "link"))
		w.browser().use(second, "lena's own horse")
		_, expired := admin.invited("jonas", nil)
		w.exec(`UPDATE links SET expires_at = expires_at - $1`, auth.LinkLife.Milliseconds())
		gone, withdrawn := admin.invited("tomas", nil)
		wantSeeOther(t, admin.decide(gone, "withdraw"), "/users")
		off, disabled := admin.invited("aiko", nil)
		wantStatus(t, admin.decide(off, "disable"), http.StatusSeeOther)
		before := w.number(`SELECT COUNT(*) FROM audit`)
		for name, link := range map[string]string{"replaced": first, "used": second, "expired": expired, "withdrawn": withdrawn, "of somebody disabled": disabled,
			"unknown": welcomePath + auth.NewToken(), "odd": welcomePath + "%00", "its hash": welcomePath + auth.Digest(strings.TrimPrefix(second, welcomePath))} {
			b := w.browser()
			b.get("/sign-in")
			for _, p := range []page{b.get(link), b.post(link, url.Values{"password": {"another horse"}})} {
				if p.Code != http.StatusGone || p.text("h1") != w.T("problem.link.title") {
					t.Errorf("%s: %d, %s", name, p.Code, heading(p))
				}
			}
			if b.cookies["callboard_session"] != "" {
				t.Errorf("%s: there is a session", name)
			}
		}
		if now := w.number(`SELECT COUNT(*) FROM audit`); now != before {
			t.Errorf("%d acts were carried out", now-before)
		}
	})
}

// use opens a link and sets a password.
func (b *browser) use(link, password string) page {
	b.w.t.Helper()
	return b.press(b.get(link), "main form", url.Values{"password": {password}})
}

// TestParallelUsesOfALink sends one link's form ten times at once.
func TestParallelUsesOfALink(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		_, link := w.as(store.Admin).invited("lena", nil)
		b := w.browser()
		b.get(link)
		codes := make([]int, 10)
		var all sync.WaitGroup
		for i := range codes {
			r := form(link, url.Values{csrfField: {b.csrf}, "password": {fmt.Sprintf("password number %d", i)}})
			r.AddCookie(&http.Cookie{Name: "callboard_form", Value: b.cookies["callboard_form"]})
			r.Host, r.RemoteAddr = host, address+":40000"
			all.Go(func() {
				rec := httptest.NewRecorder()
				w.pages.ServeHTTP(rec, r)
				codes[i] = rec.Code
			})
		}
		all.Wait()
		slices.Sort(codes)
		if want := append([]int{http.StatusSeeOther}, slices.Repeat([]int{http.StatusGone}, 9)...); !slices.Equal(codes, want) {
			t.Errorf("answers %v, want %v", codes, want)
		}
		if n := w.number(`SELECT COUNT(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.name = 'lena'`); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

// TestPasswordReset shuts somebody out until their link was used: somebody active, and somebody disabled.
func TestPasswordReset(t *testing.T) {
	tests := map[string]struct {
		disable bool
		said    string
		state   string
	}{
		"active":   {false, "user.reset_text", "user_state.reset"},
		"disabled": {true, "user.reset_disabled_text", "user_state.disabled"},
	}
	for name, test := range tests {
		w := newWorld(t)
		admin, operator := w.as(store.Admin), w.as(store.Operator)
		user := w.userPath(store.Operator)
		if test.disable {
			wantStatus(t, admin.decide(user, "disable"), http.StatusSeeOther)
		}
		if p := admin.get(user); p.text("#do-link") != w.T(test.said) {
			t.Errorf("%s: before the act the page says %q", name, p.text("#do-link"))
		}
		link := admin.link(admin.decide(user, "link"))
		if p := admin.get(user); p.text(".cb-facts .cb-state") != w.T(test.state) {
			t.Errorf("%s: state %q", name, p.text(".cb-facts .cb-state"))
		}
		wantSeeOther(t, operator.get("/apps"), "/sign-in?next=%2Fapps")
		for _, guess := range []string{password, store.NoPassword, ""} {
			wantStatus(t, w.browser().guess("operator", guess), http.StatusUnprocessableEntity)
		}
		if p := w.browser().get(link); !strings.Contains(p.text("main"), w.T("welcome.reset_text")) {
			t.Errorf("%s: the page says %q", name, p.text("main"))
		}
		for range auth.AccountTries.Burst { // of somebody who keeps on guessing
			w.browser().guess("operator", "wrong horse")
		}
		wantStatus(t, w.browser().guess("operator", password), http.StatusTooManyRequests)
		fresh := w.browser()
		wantSeeOther(t, fresh.use(link, "another horse"), "/apps")
		wantStatus(t, fresh.get("/apps"), http.StatusOK)
		wantStatus(t, w.browser().guess("operator", password), http.StatusUnprocessableEntity)
		wantSeeOther(t, w.browser().guess("operator", "another horse"), "/apps")
		if p := admin.get(user); p.text(".cb-facts .cb-state") != w.T("user_state.active") {
			t.Errorf("%s: afterwards the state is %q", name, p.text(".cb-facts .cb-state"))
		}
	}
}

// TestEnablingDoesNotReviveAPassword enables somebody who was reset, and takes a link back.
func TestEnablingDoesNotReviveAPassword(t *testing.T) {
	w := newWorld(t)
	admin, user := w.as(store.Admin), w.userPath(store.Operator)
	wantStatus(t, admin.decide(user, "disable"), http.StatusSeeOther)
	link := admin.link(admin.decide(user, "link"))
	if p := admin.get(user); p.text("#do-disable") != w.T("user.take_back_text") {
		t.Errorf("the page offers %q", p.text("#do-disable"))
	}
	wantStatus(t, admin.decide(user, "disable"), http.StatusSeeOther)
	wantStatus(t, w.browser().get(link), http.StatusGone)
	wantStatus(t, admin.decide(user, "enable"), http.StatusSeeOther)
	wantStatus(t, w.browser().guess("operator", password), http.StatusUnprocessableEntity)
}

// TestNobodyResetsThemselves: the own password is changed on the account page.
func TestNobodyResetsThemselves(t *testing.T) {
	w := newWorld(t)
	admin, user := w.as(store.Admin), w.userPath(store.Admin)
	if p := admin.get(user); p.count("button[value=link]") != 0 || p.count("main a[href='/account']") != 1 {
		t.Errorf("the own page offers a link for a new password")
	}
	wantStatus(t, admin.decide(user, "link"), http.StatusBadRequest)
	wantSeeOther(t, w.browser().guess("admin", password), "/apps")
}

func TestActsOnPeopleEndSessions(t *testing.T) {
	w := newWorld(t)
	admin := w.as(store.Admin)
	path := w.userPath(store.Operator)
	rights := func(role string) url.Values {
		return url.Values{"do": {"rights"}, "role": {role}, "scope": {"all"}}
	}
	tests := []struct {
		name  string
		act   url.Values
		alive bool
	}{
		{"the same role", rights(store.Operator), true},
		{"fewer apps", url.Values{"do": {"rights"}, "role": {store.Operator}, "scope": {"chosen"}, "app": {itoa64(appID)}}, true},
		{"another role", rights(store.Support), false},
		{"disabled", url.Values{"do": {"disable"}}, false},
	}
	for _, test := range tests {
		b := w.as(store.Operator)
		admin.get(path)
		wantSeeOther(t, admin.post(path, test.act), path+"?saved=1")
		if p := b.get("/apps"); (p.Code == http.StatusOK) != test.alive {
			t.Errorf("%s: %d", test.name, p.Code)
		}
		wantStatus(t, admin.get(path+"?saved=1"), http.StatusOK)
	}
	wantStatus(t, w.browser().guess("operator", password), http.StatusUnprocessableEntity)
	wantStatus(t, admin.decide(path, "enable"), http.StatusSeeOther)
	wantSeeOther(t, w.browser().guess("operator", password), "/apps")
	wantStatus(t, admin.post(path, url.Values{"do": {"remove"}}), http.StatusBadRequest)
	wantStatus(t, admin.get("/users/4711"), http.StatusNotFound)
	wantStatus(t, admin.get("/users/x"), http.StatusNotFound)
}

func TestTheLastAdminStays(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		admin := w.as(store.Admin)
		me := w.userPath(store.Admin)
		admin.invited("lena", url.Values{"role": {store.Admin}}) // who cannot sign in yet
		for _, act := range []url.Values{{"do": {"disable"}}, {"do": {"rights"}, "role": {store.Operator}, "scope": {"all"}}} {
			admin.get(me)
			p := admin.post(me, act)
			if p.Code != http.StatusConflict || p.text("h1") != w.T("problem.last_admin.title") {
				t.Errorf("%v: %d, %s", act, p.Code, heading(p))
			}
		}
		if p := admin.get("/users"); p.Code != http.StatusOK || !strings.Contains(p.text("main"), w.T("users.one_admin_text")) {
			t.Errorf("the list: %d", p.Code)
		}
	})
}

func TestUsersPage(t *testing.T) {
	w := newWorld(t)
	w.limit(appID)
	admin := w.as(store.Admin)
	admin.invited("lena", nil)
	p := admin.get("/users")
	wantStatus(t, p, http.StatusOK)
	var rows []string
	for i := range p.doc.Find("tbody tr").Nodes {
		cells := p.doc.Find("tbody tr").Eq(i).Children()
		text := ""
		for j := range cells.Nodes {
			if j != 4 { // the time
				text += strings.Join(strings.Fields(cells.Eq(j).Text()), " ") + "|"
			}
		}
		rows = append(rows, text)
	}
	want := []string{"admin you|admin|all apps|active|1|", "disabled|admin|all apps|disabled|0|", "lena|support|reads only|invited|0|", "operator|operator|Aurora Stage|active|0|", "support|support|reads only|active|0|"}
	if !slices.Equal(rows, want) {
		t.Errorf("the list is\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
	for role, want := range map[string]int{store.Admin: 1, store.Operator: 0, store.Support: 0} {
		if got := w.as(role).get("/apps").count(`nav a[href="/users"][data-key="g u"]`); got != want {
			t.Errorf("%s has %d links to the users", role, got)
		}
	}
}

func TestOwnSessions(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b, second, third, stranger := w.as(store.Support), w.as(store.Support), w.as(store.Support), w.as(store.Operator)
		w.exec(`UPDATE sessions SET browser = 'Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36 <b>' WHERE id = $1`, w.cookies.Session(requestOf(second)))
		p := b.get("/account")
		rows := p.doc.Find("section[aria-labelledby=h-sessions] tbody tr")
		if rows.Length() != 3 || p.count("section[aria-labelledby=h-sessions] tbody .cb-tag") != 1 || p.count("button[value=end]") != 2 {
			t.Fatalf("%d sessions, %d of them this one, %d that can be ended", rows.Length(), p.count("tbody .cb-tag"), p.count("button[value=end]"))
		}
		if text := p.text("section[aria-labelledby=h-sessions] tbody"); !strings.Contains(text, "Chrome · Linux") || !strings.Contains(text, address) {
			t.Errorf("the sessions are %q", text)
		}
		end := func(other *browser) {
			t.Helper()
			wantSeeOther(t, b.post("/account", url.Values{"do": {"end"}, "session": {w.cookies.Session(requestOf(other))}}), "/account?saved=1")
		}
		end(stranger)
		wantStatus(t, stranger.get("/apps"), http.StatusOK)
		end(second)
		wantSeeOther(t, second.get("/apps"), "/sign-in?next=%2Fapps")
		wantStatus(t, third.get("/apps"), http.StatusOK)
		wantSeeOther(t, b.post("/account", url.Values{"do": {"end_others"}}), "/account?saved=1")
		wantSeeOther(t, third.get("/apps"), "/sign-in?next=%2Fapps")
		wantStatus(t, stranger.get("/apps"), http.StatusOK)
		p = b.get("/account")
		if p.count("button[value=end]")+p.count("button[value=end_others]") != 0 {
			t.Error("there are buttons for sessions that do not exist")
		}
		wantSeeOther(t, b.post("/account", url.Values{"do": {"end"}, "session": {w.cookies.Session(requestOf(b))}}), "/sign-in")
		wantSeeOther(t, b.get("/apps"), "/sign-in?next=%2Fapps")
	})
}

func TestBrowserName(t *testing.T) {
	w := newWorld(t)
	tests := []struct{ agent, want string }{
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0", "Edge · Windows"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15", "Safari · macOS"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1", "Safari · iPhone"},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox · Linux"},
		{"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36 MicroMessenger/8.0", "WeChat · Android"},
		{"curl/8.5.0", "curl/8.5.0"},
		{"", w.T("account.no_browser")},
		{strings.Repeat("x", 300), strings.Repeat("x", 60)},
	}
	for _, test := range tests {
		if got := browserName(w.printer["en"], test.agent); got != test.want {
			t.Errorf("%q is %q, want %q", test.agent, got, test.want)
		}
	}
}

func TestLookAlikeNamesAreRefused(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	for name, fault := range map[string]string{
		"lena": "", "lena.k-2_x@example.com": "", "мария": "", "李明": "", "jos\u00e9": "",
		"admin": "user.taken", "ADMIN": "user.taken", "\u0430dmin": "user.name_letters", "ad\u200bmin": "user.name_fault", "\u202enimda": "user.name_fault", "ａｄｍｉｎ": "user.name_letters",
		"admin\ufe0f": "user.name_letters", "ad\u034fmin": "user.name_letters", "mei\u180b": "user.name_letters", "李明\u115f": "user.name_letters",
		"a/b": "user.name_letters", "<b>": "user.name_letters", "мei": "user.name_letters", "ѕυрроrт": "user.name_letters",
	} {
		p := b.post("/users/new", url.Values{"username": {name}, "role": {store.Support}, "scope": {"all"}})
		if fault == "" {
			wantStatus(t, p, http.StatusSeeOther)
			continue
		}
		if p.Code != http.StatusUnprocessableEntity || p.text("#username-err") != w.T(fault) {
			t.Errorf("%q: %d, %q", name, p.Code, p.text("#username-err"))
		}
	}
	wantStatus(t, b.post("/users/new", url.Values{"username": {"ace"}, "role": {store.Support}, "scope": {"all"}}), http.StatusSeeOther)
	p := b.post("/users/new", url.Values{"username": {"асе"}, "role": {store.Support}, "scope": {"all"}})
	if got := p.text("#username-err"); got != w.T("user.name_like", "Name", "ace") {
		t.Errorf("the Cyrillic twin of ace: %q", got)
	}
	for like, name := range map[string]string{"Iena": "lena", "1ena": "lena", "adrnin": "admin", "0perator": "operator"} {
		p := b.post("/users/new", url.Values{"username": {like}, "role": {store.Support}, "scope": {"all"}})
		if got := p.text("#username-err"); got != w.T("user.name_like", "Name", name) {
			t.Errorf("%s beside %s: %q", like, name, got)
		}
	}
	wantStatus(t, b.post("/users/new", url.Values{"username": {"ian"}, "role": {store.Support}, "scope": {"all"}}), http.StatusSeeOther)
}

func TestAppsOfOneNameAreToldApart(t *testing.T) {
	w := newWorld(t)
	w.addApp(77, "aurora stage")
	w.exec(`UPDATE apps SET environment = 'staging' WHERE sdkappid = 77`)
	b := w.as(store.Admin)
	p := b.get("/users/new")
	for id, want := range map[string]string{"77": "aurora stage staging 77", "20010452": "Aurora Stage production 20010452"} {
		if got := p.text("label[for=app-" + id + "]"); got != want {
			t.Errorf("the form says %q, want %q", got, want)
		}
	}
	// The list of users has no other place for environment and number.
	wantStatus(t, b.post("/users/new", url.Values{"username": {"ace"}, "role": {store.Operator}, "scope": {"chosen"}, "app": {"77"}}), http.StatusSeeOther)
	if got, want := b.get("/users").text("main"), "aurora stage (staging, 77)"; !strings.Contains(got, want) {
		t.Errorf("the list says %q, without %q", got, want)
	}
}
