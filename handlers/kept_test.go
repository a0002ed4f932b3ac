package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"callboard/store"
)

// expired is a browser whose session has ended while a form was open.
func (w *world) expired(name string) *browser {
	w.t.Helper()
	b := w.as(name)
	w.exec(`UPDATE sessions SET used_at = 0`)
	return b
}

func TestAFormSurvivesTheEndOfItsSession(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	fields := fieldsOf(b.get(formOf(appID)).doc.Find("#callback-form"))
	fields["command"], fields["url"], fields["reason"] = []string{created, gift}, []string{newURL}, []string{`because <b>"&'`}
	w.exec(`UPDATE sessions SET used_at = 0`)

	p := b.do(http.MethodPost, formOf(appID)+"/review", fields)
	wantStatus(t, p, http.StatusForbidden)
	if !strings.Contains(p.text("main"), w.T("sign_in.kept")) {
		t.Fatalf("the page says %q", p.text("main"))
	}
	p = b.press(p, "main form", url.Values{"username": {"operator"}, "password": {"wrong horse 1"}})
	wantStatus(t, p, http.StatusUnprocessableEntity)
	p = b.press(p, "main form", url.Values{"username": {"operator"}, "password": {password}})
	wantStatus(t, p, http.StatusOK)
	back := fieldsOf(p.doc.Find("main form"))
	if diff := cmp.Diff(withToken(fields), withToken(back)); diff != "" {
		t.Errorf("the form given back (-typed +given):\n%s", diff)
	}
	if back.Get(csrfField) == fields.Get(csrfField) {
		t.Error("the form has the token from before signing in")
	}
	if w.number(`SELECT COUNT(*) FROM plans`) != 0 {
		t.Error("something was done without the click")
	}
	p = b.press(p, "main form", nil)
	wantStatus(t, p, http.StatusSeeOther)
	if !strings.HasPrefix(p.location(), formOf(appID)+"/review/") {
		t.Errorf("one more click leads to %q", p.location())
	}
}

// TestAForeignFormIsNotKept posts as another site would make somebody's browser do.
func TestAForeignFormIsNotKept(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		name    string
		path    string
		token   string // "" for the browser's own
		headers []string
		kept    bool
	}{
		{"our own", "/apps/new", "", nil, true},
		{"our own, as a browser says", "/apps/new", "", []string{"Sec-Fetch-Site", "same-origin"}, true},
		{"from another site", "/apps/new", "", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"from another origin", "/apps/new", "", []string{"Origin", "https://evil.example.net"}, false},
		{"without our token", "/apps/new", "x", nil, false},
		{"signing out", "/sign-out", "", nil, false},
	}
	for _, test := range tests {
		b := w.expired(store.Admin)
		token := b.csrf
		if test.token != "" {
			token = test.token
		}
		p := b.send(withHeaders(form(test.path, url.Values{csrfField: {token}, "name": {"laid before you"}}), test.headers...))
		wantStatus(t, p, http.StatusForbidden)
		if kept := strings.Contains(p.Body.String(), "laid before you"); kept != test.kept {
			t.Errorf("%s: kept %v, want %v", test.name, kept, test.kept)
		}
	}
}

func TestKeptFormsHaveNoSecret(t *testing.T) {
	w := newWorld(t)
	b := w.expired(store.Admin)
	p := b.post("/apps/new", url.Values{"name": {"Aurora"}, "secret": {secretKey}}) // each answer is searched for it
	wantStatus(t, p, http.StatusForbidden)
	p = b.press(p, "main form", url.Values{"username": {"admin"}, "password": {password}})
	wantStatus(t, p, http.StatusOK)
	if p.attr("main form", "action") != "/apps/new" || p.count("main form input[name=secret][type=password]") != 1 || !slices.Equal(p.values("main form input[name=name]"), []string{"Aurora"}) {
		t.Errorf("the form given back is %q", p.text("main"))
	}
}

// TestATypedTokenNeverComesBack is about both ways in which a form is given back: after the end of a session, and with an
// old form token.
func TestATypedTokenNeverComesBack(t *testing.T) {
	w := newWorld(t)
	const typed = "typed-token-canary"
	sent := url.Values{"do": {"set"}, "token": {typed}, "reason": {"a test"}}
	b := w.expired(store.Operator)
	p := b.post(tokenOf(appID), sent)
	wantStatus(t, p, http.StatusForbidden)
	signedIn := b.press(p, "main form", url.Values{"username": {"operator"}, "password": {password}})
	stale := w.as(store.Operator)
	stale.csrf = "stale"
	for name, p := range map[string]page{"expired": p, "signed in": signedIn, "stale": stale.post(tokenOf(appID), sent)} {
		if strings.Contains(p.Body.String(), typed) || !strings.Contains(p.Body.String(), "a test") {
			t.Errorf("%s: %d, the page has the token, or lacks the reason: %q", name, p.Code, p.text("main"))
		}
	}
}

func TestKeptFormsLeadNowhereElse(t *testing.T) {
	w := newWorld(t)
	for _, action := range []string{"https://evil.example.net/", "//evil.example.net", `/\evil.example.net`, "/sign-out", "javascript:alert(1)", "apps"} {
		b := w.browser()
		b.get("/sign-in")
		p := b.post("/sign-in", url.Values{"username": {"support"}, "password": {password}, keptAction: {action}, keptPrefix + "x": {"1"}})
		wantSeeOther(t, p, "/apps")
	}
	b := w.browser()
	b.get("/sign-in")
	p := b.post("/sign-in", url.Values{"username": {"support"}, "password": {password}, keptAction: {"/account"}, keptPrefix + csrfField: {"x"}, keptPrefix + "password": {"x"}, keptSecret: {"theme"}})
	wantStatus(t, p, http.StatusOK)
	if got := fieldsOf(p.doc.Find("main form")); len(got) != 1 {
		t.Errorf("the form given back has %v, want its token alone", got)
	}
}
