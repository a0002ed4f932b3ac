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

func TestRefusedRequestsLeaveNothing(t *testing.T) {
	w := newWorld(t)
	x := prepare(w)
	expired := w.as(store.Admin)
	expired.w.exec(`UPDATE sessions SET used_at = 0 WHERE id = $1`, w.cookies.Session(requestOf(expired)))
	people := []struct {
		name, role string
		browser    *browser
	}{{"nobody", "", w.browser()}, {"expired session", "", expired}, {"disabled user", "", w.as("disabled")}, {store.Support, store.Support, w.as(store.Support)}, {store.Operator, store.Operator, w.as(store.Operator)}}
	refused := 0
	for _, who := range people {
		if who.role == "" {
			who.browser.get("/sign-in")
		}
		for _, r := range auth.Routes {
			if r.Need.Allows(who.role) {
				continue
			}
			refused++
			before := w.traces()
			fields := x.fields(w, r)
			if fields != nil {
				fields.Set(csrfField, who.browser.csrf)
			}
			p := who.browser.do(r.Method, x.path(r), fields)
			want, leads := http.StatusForbidden, ""
			if who.role == "" && r.Method == http.MethodGet {
				want, leads = http.StatusSeeOther, "/sign-in?next="+url.QueryEscape(x.path(r))
				if r.Path == "/" {
					leads = "/sign-in"
				}
			}
			if p.Code != want || p.location() != leads {
				t.Errorf("%s, %s %s: %d to %q, want %d to %q", who.name, r.Method, r.Path, p.Code, p.location(), want, leads)
			}
			if diff := cmp.Diff(before, w.traces()); diff != "" {
				t.Errorf("%s, %s %s left traces:\n%s", who.name, r.Method, r.Path, diff)
			}
			if who.role != "" && !strings.Contains(p.text("main"), w.T("role."+string(r.Need))) {
				t.Errorf("%s, %s %s: the page does not say which role is needed", who.name, r.Method, r.Path)
			}
		}
	}
	if refused < 3*26+13+9 {
		t.Errorf("%d requests were refused; fewer than there are routes", refused)
	}
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
	special := map[string]int{"GET /": 303, "GET /setup": 303, "GET /sign-in": 303, "GET /apps/:sdkappid": 303, "GET /apps/:sdkappid/callback/review": 303, "GET /apps/:sdkappid/callback/apply": 303, "GET /favicon.ico": 303, "POST /welcome/:token": 422}
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
