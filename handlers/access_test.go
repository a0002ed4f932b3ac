package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/static"
	"callboard/store"
	"callboard/views"
)

func TestEveryRouteIsDeclared(t *testing.T) {
	w := newWorld(t)
	e, ok := w.pages.(*echo.Echo)
	if !ok {
		t.Fatal("the pages are no router")
	}
	var router, table []string
	for _, r := range e.Routes() {
		if r.Method == http.MethodHead {
			continue // as GET, which TestHeadAnswersAsGet shows
		}
		router = append(router, r.Method+" "+r.Path)
	}
	for _, r := range auth.Routes {
		table = append(table, r.Method+" "+r.Path)
	}
	slices.Sort(router)
	slices.Sort(table)
	if diff := cmp.Diff(table, router); diff != "" {
		t.Errorf("the table of roles and the router differ (-table +router):\n%s", diff)
	}
}

func TestUndeclaredRouteStopsTheStart(t *testing.T) {
	w := newWorld(t)
	all := auth.Routes
	defer func() { auth.Routes = all }()
	for i, r := range all {
		auth.Routes = slices.Delete(slices.Clone(all), i, i+1)
		if h, err := New(w.options); err == nil || h != nil || !strings.Contains(err.Error(), r.Method+" "+r.Path+" ") {
			t.Errorf("without %s %s in the table: %v", r.Method, r.Path, err)
		}
	}
}

// roads gives every route a real address and, for posts, a form that would work.
type roads struct{ plan, change, token, user string }

func (x roads) path(r auth.Route) string {
	plan := strings.TrimPrefix(x.plan, views.AppPath(appID, "/callback/review/"))
	return strings.NewReplacer(":sdkappid", itoa64(appID), ":plan", plan, ":number", strings.TrimPrefix(x.change, "/changes/"), ":code", "70001", ":token", x.token, ":id", x.user,
		"/static/*", static.Path("callboard.css")).Replace(r.Path)
}

func (x roads) fields(w *world, r auth.Route) url.Values {
	if r.Method == http.MethodGet {
		return nil
	}
	switch r.Path {
	case "/sign-in":
		return url.Values{"username": {"operator"}, "password": {password}}
	case "/setup":
		return url.Values{"username": {"second"}, "password": {password}, "code": {"x"}}
	case "/apps/new":
		return url.Values{"sdkappid": {"20010999"}, "name": {"New"}, "region": {"box"}, "environment": {"test"}, "identifier": {admins}, "secret": {"a-key"}}
	case "/apps/:sdkappid/settings":
		version := w.number(`SELECT version FROM apps WHERE sdkappid = $1`, appID)
		return url.Values{"version": {itoa64(version)}, "name": {"Renamed"}, "region": {"box"}, "environment": {"test"}, "identifier": {admins}}
	case "/apps/:sdkappid/callback/review":
		reading := w.number(`SELECT reading_id FROM apps WHERE sdkappid = $1`, appID)
		return url.Values{"reading": {itoa64(reading)}, "url": {newURL}, "command": {created}, "reason": {"a test"}}
	case "/apps/:sdkappid/callback/apply":
		return url.Values{"plan": {strings.TrimPrefix(x.plan, views.AppPath(appID, "/callback/review/"))}}
	case "/apps/:sdkappid/token":
		return url.Values{"do": {"generate"}, "reason": {"a test"}}
	case "/users/new":
		return url.Values{"username": {"lena"}, "role": {"support"}, "scope": {"all"}}
	case "/users/:id":
		return url.Values{"do": {"rights"}, "role": {"operator"}, "scope": {"chosen"}, "app": {itoa64(appID)}}
	case "/welcome/:token":
		return url.Values{"password": {"1234567"}} // a mistake, so that the link lasts
	case "/changes/:number":
		return url.Values{"do": {"check"}}
	case "/account":
		return url.Values{"do": {"preferences"}, "theme": {"dark"}}
	}
	return url.Values{}
}

// prepare leaves a plan of appID that can be applied, an open change of otherID, and somebody invited.
func prepare(w *world) roads {
	w.t.Helper()
	token, link := newLink()
	id, err := w.store.Invite(w.t.Context(), store.Console, store.Invitation{Name: "invited", Rights: store.Rights{Role: store.Support}, Link: link})
	must(w.t, err)
	b := w.as(store.Admin)
	b.apply(b.plan(otherID, oldURL, created))
	return roads{token: token, user: itoa64(id), change: b.unknown(otherID, created, ended), plan: b.plan(appID, newURL, created, ended)}
}

// caller is somebody who tries every route; role is "" for those who count as nobody.
type caller struct {
	name, role string
	browser    func(w *world) *browser
}

var callers = []caller{
	{"nobody", "", (*world).browser},
	{"expired session", "", func(w *world) *browser {
		b := w.as(store.Admin)
		w.exec(`UPDATE sessions SET used_at = 0 WHERE id = $1`, w.cookies.Session(requestOf(b)))
		return b
	}},
	{"disabled user", "", func(w *world) *browser { return w.as("disabled") }},
	{store.Support, store.Support, func(w *world) *browser { return w.as(store.Support) }},
	{store.Operator, store.Operator, func(w *world) *browser { return w.as(store.Operator) }},
	{store.Admin, store.Admin, func(w *world) *browser { return w.as(store.Admin) }},
}

// effects is what a request did: every row that is not of the audit, and every call.
type effects struct {
	Rows  map[string][]string
	Calls int
}

func (w *world) effects() effects {
	w.t.Helper()
	return effects{w.rows(), len(w.box.Journal())}
}

// fruitless are posts that leave nothing but their line in the audit although they are allowed: the setup is closed, as
// somebody exists, a bundle is only taken away, the signature bench keeps nothing, and the new password has a mistake.
var fruitless = []string{"/setup", "/changes/:number/bundle", "/apps/:sdkappid/token/check", "/welcome/:token"}

// readers are the tables that a page may write: what it read from Tencent, and that the database was tried.
var readers = []string{"readings", "configurations", "apps", "meta"}

// TestEveryRouteForEveryCaller counts what is left behind, not status codes alone: a refused request leaves nothing
// but its line in the audit, an allowed post does something, an allowed page only reads.
func TestEveryRouteForEveryCaller(t *testing.T) {
	for _, who := range callers {
		t.Run(who.name, func(t *testing.T) {
			w := newWorld(t)
			x := prepare(w)
			b := who.browser(w)
			if who.role == "" {
				b.get("/sign-in") // for the token of its form
			}
			for _, r := range w.routes(who.role) {
				before, noted := w.effects(), w.number(`SELECT COUNT(*) FROM audit`)
				fields := x.fields(w, r)
				if fields != nil {
					fields.Set(csrfField, b.csrf)
				}
				p := b.do(r.Method, x.path(r), fields)
				left := cmp.Diff(before, w.effects())
				if r.Method == http.MethodPost && r.Path == "/sign-in" {
					b.get("/account") // for the new token
				}
				if !r.Need.Allows(who.role) {
					wantRefused(t, who, r, p, x.path(r))
					if left != "" {
						t.Errorf("%s %s is refused, but left:\n%s", r.Method, r.Path, left)
					}
					if got, want := w.number(`SELECT COUNT(*) FROM audit`)-noted, int64(count(who.role != "")); got != want {
						t.Errorf("%s %s: %d lines in the audit, want %d", r.Method, r.Path, got, want)
					}
					continue
				}
				switch r.Method {
				case http.MethodPost:
					if (left == "") != slices.Contains(fruitless, r.Path) {
						t.Errorf("%s %s is allowed: %d, and left %q", r.Method, r.Path, p.Code, left)
					}
				case http.MethodGet:
					after := w.effects()
					for _, table := range readers {
						delete(before.Rows, table)
						delete(after.Rows, table)
					}
					if diff := cmp.Diff(before.Rows, after.Rows); diff != "" {
						t.Errorf("%s %s wrote:\n%s", r.Method, r.Path, diff)
					}
				default:
					t.Errorf("%s %s: what may this method do?", r.Method, r.Path)
				}
			}
		})
	}
}

// routes are those of the router, with what the table asks for. Those that change who the browser is come last.
func (w *world) routes(role string) []auth.Route {
	w.t.Helper()
	e, ok := w.pages.(*echo.Echo)
	if !ok {
		w.t.Fatal("the pages are no router")
	}
	var list []auth.Route
	for _, r := range e.Routes() {
		if r.Method == http.MethodHead {
			continue // as GET
		}
		need, err := auth.Of(r.Method, r.Path)
		must(w.t, err)
		list = append(list, auth.Route{Method: r.Method, Path: r.Path, Need: need})
	}
	last := []string{"POST /sign-in", "POST /sign-out"}
	if role == "" {
		slices.Reverse(last)
	}
	place := func(r auth.Route) int { return slices.Index(last, r.Method+" "+r.Path) }
	slices.SortStableFunc(list, func(a, b auth.Route) int { return place(a) - place(b) })
	return list
}

// wantRefused wants the page that says why, or the way to sign in.
func wantRefused(t *testing.T, who caller, r auth.Route, p page, path string) {
	t.Helper()
	want, leads := http.StatusForbidden, ""
	if who.role == "" && r.Method == http.MethodGet {
		want, leads = http.StatusSeeOther, "/sign-in?next="+url.QueryEscape(path)
		if r.Path == "/" {
			leads = "/sign-in"
		}
	}
	if p.Code != want || p.location() != leads {
		t.Errorf("%s %s: %d to %q, want %d to %q", r.Method, r.Path, p.Code, p.location(), want, leads)
	}
	if who.role != "" && !strings.Contains(p.text("main"), "role "+string(r.Need)) {
		t.Errorf("%s %s: the page does not say which role is needed", r.Method, r.Path)
	}
}

func TestSigningOutWorksOnAPageThatIsRefused(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Support)
	for _, p := range []page{b.get("/apps/new"), b.post("/apps/new", nil)} {
		wantStatus(t, p, http.StatusForbidden)
		if token := p.attr("form[action='/sign-out'] input[name="+csrfField+"]", "value"); token == "" || token != b.cookies["callboard_form"] {
			t.Errorf("the form to sign out has the token %q", token)
		}
	}
	wantSeeOther(t, b.press(b.get("/apps/new"), "form[action='/sign-out']", nil), "/sign-in")
}

func requestOf(b *browser) *http.Request {
	r, err := http.NewRequest(http.MethodGet, "/", http.NoBody)
	must(b.w.t, err)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func TestAllowedRequestsWork(t *testing.T) {
	// What is not listed answers a GET with 200 and a POST with 303.
	special := map[string]int{"GET /": 303, "GET /setup": 303, "GET /sign-in": 303, "GET /apps/:sdkappid": 303, "GET /apps/:sdkappid/callback/review": 303, "GET /apps/:sdkappid/callback/apply": 303, "GET /favicon.ico": 303,
		"POST /apps/:sdkappid/token/check": 200, "POST /changes/:number/bundle": 200, "POST /welcome/:token": 422}
	for _, role := range []string{store.Support, store.Operator, store.Admin} {
		t.Run(role, func(t *testing.T) {
			w := newWorld(t)
			x := prepare(w)
			b := w.as(role)
			routes := slices.Clone(auth.Routes)
			// Signing out comes last.
			slices.SortStableFunc(routes, func(a, b auth.Route) int { return count(a.Path == "/sign-out") - count(b.Path == "/sign-out") })
			for _, r := range routes {
				if !r.Need.Allows(role) || r.Path == "/sign-in" && r.Method == http.MethodPost {
					continue
				}
				want := map[string]int{http.MethodGet: 200, http.MethodPost: 303}[r.Method]
				if s, ok := special[r.Method+" "+r.Path]; ok {
					want = s
				}
				fields := x.fields(w, r)
				if fields != nil {
					fields.Set(csrfField, b.csrf)
				}
				p := b.do(r.Method, x.path(r), fields)
				if p.Code != want || strings.Contains(p.location(), "/sign-in?") {
					t.Errorf("%s %s: %d to %q, want %d: %s", r.Method, r.Path, p.Code, p.location(), want, heading(p))
				}
			}
			if p := b.get("/apps"); p.location() != "/sign-in?next=%2Fapps" {
				t.Errorf("after signing out /apps leads to %q", p.location())
			}
		})
	}
}

func TestRoleIsReadAnew(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	wantStatus(t, b.get("/apps/new"), http.StatusOK)
	w.exec(`UPDATE users SET role = 'support' WHERE name = 'admin'`)
	wantStatus(t, b.get("/apps/new"), http.StatusForbidden)
	w.exec(`UPDATE users SET disabled_at = 1 WHERE name = 'admin'`)
	wantSeeOther(t, b.get("/apps"), "/sign-in?next=%2Fapps")
}
