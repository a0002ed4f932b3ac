package handlers

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"callboard/auth"
	"callboard/store"
)

// form makes a post of the usual kind.
func form(path string, fields url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// without is fields without the token, or with another.
func withToken(fields url.Values, tokens ...string) url.Values {
	list := url.Values{}
	for name, values := range fields {
		list[name] = values
	}
	if delete(list, csrfField); len(tokens) > 0 {
		list[csrfField] = tokens
	}
	return list
}

func withHeaders(r *http.Request, pairs ...string) *http.Request {
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	return r
}

// forged is a post that somebody else made up; token is the right one.
type forged struct {
	name string
	make func(path, token string, fields url.Values) *http.Request
}

func forgeries(other, before string) []forged {
	with := func(pairs ...string) func(string, string, url.Values) *http.Request {
		return func(path, token string, fields url.Values) *http.Request {
			return withHeaders(form(path, withToken(fields, token)), pairs...)
		}
	}
	token := func(list ...string) func(string, string, url.Values) *http.Request {
		return func(path, _ string, fields url.Values) *http.Request { return form(path, withToken(fields, list...)) }
	}
	return []forged{
		{"no token", token()},
		{"empty token", token("")},
		{"wrong token", token("x")},
		{"another session's token", token(other)},
		{"token from before signing in", token(before)},
		{"part of the token", func(path, token string, fields url.Values) *http.Request {
			return form(path, withToken(fields, token[:len(token)-1]))
		}},
		{"token in the query alone", func(path, token string, fields url.Values) *http.Request {
			return form(path+"?"+csrfField+"="+url.QueryEscape(token), withToken(fields))
		}},
		{"everything in the query", func(path, token string, fields url.Values) *http.Request {
			return form(path+"?"+withToken(fields, token).Encode(), nil)
		}},
		{"foreign origin", with("Origin", "https://evil.example.net")},
		{"null origin", with("Origin", "null")},
		{"sibling origin", with("Origin", "https://other.example.com")},
		{"child origin", with("Origin", "https://sub."+host)},
		{"origin with another port", with("Origin", "https://"+host+":8443")},
		{"cross-site", with("Sec-Fetch-Site", "cross-site")},
		{"same-site", with("Sec-Fetch-Site", "same-site")},
		{"cross-site that claims our origin", with("Sec-Fetch-Site", "cross-site", "Origin", "http://"+host)},
		{"odd fetch site", with("Sec-Fetch-Site", "same-origin, cross-site")},
		{"plain text", func(path, token string, fields url.Values) *http.Request {
			return withHeaders(form(path, withToken(fields, token)), "Content-Type", "text/plain")
		}},
		{"JSON", func(path, token string, _ url.Values) *http.Request {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{"`+csrfField+`":"`+token+`"}`))
			return withHeaders(r, "Content-Type", "application/json")
		}},
		{"several parts", func(path, token string, fields url.Values) *http.Request {
			var body bytes.Buffer
			m := multipart.NewWriter(&body)
			for name, values := range withToken(fields, token) {
				for _, v := range values {
					_ = m.WriteField(name, v)
				}
			}
			_ = m.Close()
			return withHeaders(httptest.NewRequest(http.MethodPost, path, &body), "Content-Type", m.FormDataContentType())
		}},
		{"a get that claims to be a post", func(path, token string, fields url.Values) *http.Request {
			r := httptest.NewRequest(http.MethodPut, path, strings.NewReader(withToken(fields, token).Encode()))
			return withHeaders(r, "Content-Type", "application/x-www-form-urlencoded", "X-HTTP-Method-Override", "POST")
		}},
	}
}

func TestForgedPostsAreRefused(t *testing.T) {
	w := newWorld(t)
	x := prepare(w)
	other := w.as(store.Admin).csrf
	stranger := w.browser()
	stranger.get("/sign-in")
	before := stranger.csrf
	for _, r := range auth.Routes {
		if r.Method != http.MethodPost {
			continue
		}
		b := w.as(store.Admin)
		if r.Need == auth.Anyone {
			b = w.browser()
			b.get("/sign-in")
		}
		fields, token := x.fields(w, r), b.csrf
		for _, f := range forgeries(other, before) {
			left := w.traces()
			p := b.send(f.make(x.path(r), token, fields))
			if p.Code != http.StatusForbidden && p.Code != http.StatusUnsupportedMediaType && p.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s, %s: %d to %q", r.Path, f.name, p.Code, p.location())
			}
			if diff := cmp.Diff(left, w.traces()); diff != "" {
				t.Errorf("%s, %s left traces:\n%s", r.Path, f.name, diff)
			}
		}
		// An empty cookie matches an empty token, which must not be enough.
		empty := &browser{w: w, cookies: map[string]string{}, header: http.Header{}}
		for name, value := range b.cookies {
			empty.cookies[name] = value
		}
		empty.cookies["callboard_form"] = ""
		wantStatus(t, empty.send(form(x.path(r), withToken(fields, ""))), http.StatusForbidden)
	}
}

func TestRightTokenWorks(t *testing.T) {
	ours := [][]string{{}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}, {"Origin", "http://" + host}, {"Sec-Fetch-Site", "same-origin", "Origin", "http://" + host}}
	w := newWorld(t)
	for _, headers := range ours {
		b := w.as(store.Support)
		p := b.send(withHeaders(form("/account", url.Values{csrfField: {b.csrf}, "do": {"preferences"}, "theme": {"dark"}}), headers...))
		wantSeeOther(t, p, "/account?saved=1")
	}
	// htmx and the like send the token in a header.
	b := w.as(store.Support)
	wantSeeOther(t, b.send(withHeaders(form("/account", url.Values{"do": {"preferences"}}), "X-CSRF-Token", b.csrf)), "/account?saved=1")
}

// TestSecureConsoleTakesNoPlainOrigin is about a console behind a proxy that is served over https.
func TestSecureConsoleTakesNoPlainOrigin(t *testing.T) {
	tests := []struct {
		name    string
		headers []string
		want    int
	}{
		{"no headers", nil, http.StatusSeeOther},
		{"our origin", []string{"Origin", "https://" + host}, http.StatusSeeOther},
		{"our origin's plain twin", []string{"Origin", "http://" + host}, http.StatusForbidden},
		{"the plain twin, says the browser", []string{"Origin", "http://" + host, "Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"another port", []string{"Origin", "https://" + host + ":8443"}, http.StatusForbidden},
		{"foreign", []string{"Origin", "https://evil.example.net"}, http.StatusForbidden},
	}
	w := newWorld(t, func(o *Options) { o.PublicURL = &url.URL{Scheme: "https", Host: host} })
	for _, test := range tests {
		b := w.as(store.Support)
		p := b.send(withHeaders(form("/account", url.Values{csrfField: {b.csrf}, "do": {"preferences"}}), test.headers...))
		if p.Code != test.want {
			t.Errorf("%s: %d, want %d", test.name, p.Code, test.want)
		}
	}
	// The names of its cookies bind them to this host and to https.
	rec := w.as(store.Support).get("/account")
	for _, c := range rec.Result().Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.Path != "/" || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("the cookie is %s", c)
		}
	}
	if got := rec.Header().Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("Strict-Transport-Security is %q", got)
	}
}

func TestStaleTokenCostsOneClick(t *testing.T) {
	tests := []struct {
		name   string
		forget func(*browser)
	}{
		{"a token of another page", func(*browser) {}},
		{"the cookie is gone", func(b *browser) { delete(b.cookies, "callboard_form") }},
		{"the cookie is empty", func(b *browser) { b.cookies["callboard_form"] = "" }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			b := w.as(store.Operator)
			b.get(formOf(appID))
			fields := url.Values{csrfField: {"stale"}, "reading": {itoa64(w.number(`SELECT reading_id FROM apps WHERE sdkappid = $1`, appID))}, "opened": {"1"},
				"url": {`https://hooks.example.com/<"&'>`}, "command": {created, gift}, "reason": {"a <b>reason</b>"}}
			test.forget(b)
			p := b.send(form("/apps/20010452/callback/review", fields))
			wantStatus(t, p, http.StatusForbidden)
			again := fieldsOf(p.doc.Find("main form"))
			if again.Get(csrfField) == "" {
				t.Fatal("the form given back has no token")
			}
			if diff := cmp.Diff(withToken(fields), withToken(again)); diff != "" {
				t.Errorf("the form given back (-typed +given):\n%s", diff)
			}
			p = b.press(p, "main form", url.Values{"url": {newURL}})
			wantStatus(t, p, http.StatusSeeOther)
			if !strings.HasPrefix(p.location(), formOf(appID)+"/review/") {
				t.Errorf("one more click leads to %q", p.location())
			}
		})
	}
}

func TestFormGivenBackHasNoSecret(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		who, path string
		secrets   []string
	}{
		{store.Admin, "/apps/new", []string{"secret"}},
		{store.Support, "/account", []string{"current", "password"}},
		{"", "/sign-in", []string{"password"}},
		{"", "/setup", []string{"code", "password"}},
	}
	for _, test := range tests {
		b := w.browser()
		if test.who != "" {
			b = w.as(test.who)
		}
		fields := url.Values{csrfField: {"stale"}, "name": {"kept"}, "username": {"kept too"}}
		for _, name := range test.secrets {
			fields.Set(name, secretKey) // each answer is searched for it
		}
		p := b.send(form(test.path, fields))
		wantStatus(t, p, http.StatusForbidden)
		var asked []string
		for _, name := range []string{"code", "current", "password", "secret"} {
			i := p.doc.Find("main form input[name=" + name + "]")
			if i.Length() == 1 && i.AttrOr("type", "") == "password" && i.AttrOr("value", "") == "" && p.count("label[for="+i.AttrOr("id", "x")+"]") == 1 {
				asked = append(asked, name)
			}
		}
		if !slices.Equal(asked, test.secrets) {
			t.Errorf("%s asks anew for %q, want %q", test.path, asked, test.secrets)
		}
		if got := p.values("main form input[name=name], main form input[name=username]"); !slices.Equal(got, []string{"kept", "kept too"}) {
			t.Errorf("%s gives back %q", test.path, got)
		}
	}
}
