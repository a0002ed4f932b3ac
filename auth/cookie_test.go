package auth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const day = 24 * 3600

func newKey(t *testing.T) []byte {
	t.Helper()
	key, err := NewCookieKey()
	if err != nil {
		t.Fatal(err)
	}
	if len(key) != CookieKeySize {
		t.Fatalf("a cookie key has %d bytes, want %d", len(key), CookieKeySize)
	}
	return key
}

// start begins a session for a browser that brings cookies, and returns the new cookie and what Start returned.
func start(t *testing.T, c *Cookies, brought ...*http.Cookie) (*http.Cookie, string) {
	t.Helper()
	w := httptest.NewRecorder()
	id, err := c.Start(w, request(brought...))
	if err != nil {
		t.Fatal(err)
	}
	list := w.Result().Cookies()
	if len(list) != 1 {
		t.Fatalf("%d cookies, want one", len(list))
	}
	return list[0], id
}

func request(cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

func TestStartNeverKeepsAnID(t *testing.T) {
	c := NewCookies([][]byte{newKey(t)}, false, day)
	first, firstID := start(t, c)
	again, againID := start(t, c, first)
	if first.Value == again.Value || firstID == againID {
		t.Error("a second start kept the id that the browser brought")
	}
	for _, test := range []struct {
		cookie *http.Cookie
		want   string
	}{{first, firstID}, {again, againID}} {
		if got := c.Session(request(test.cookie)); got != test.want {
			t.Errorf("the cookie opens as %q, want %q", got, test.want)
		}
		if len(test.want) != 64 || strings.Trim(test.want, "0123456789abcdef") != "" {
			t.Errorf("%q is no hash", test.want)
		}
		if strings.Contains(test.cookie.Value, test.want) {
			t.Error("the cookie holds the hash, which the database knows")
		}
	}
	if got := c.Session(request()); got != "" {
		t.Errorf("without a cookie the session is %q", got)
	}
}

func TestCookieFlags(t *testing.T) {
	tests := []struct {
		name   string
		secure bool
		age    int
		want   http.Cookie
	}{
		{"plain", false, day, http.Cookie{Name: "callboard_session", Path: "/", MaxAge: day, HttpOnly: true, SameSite: http.SameSiteLaxMode}},
		{"secure", true, 60, http.Cookie{Name: "__Host-callboard_session", Path: "/", MaxAge: 60, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := NewCookies([][]byte{newKey(t)}, test.secure, test.age)
			got, _ := start(t, c)
			compareFlags(t, test.want, got)

			w := httptest.NewRecorder()
			if err := c.End(w, request(got)); err != nil {
				t.Fatal(err)
			}
			ended := test.want
			ended.MaxAge = -1
			compareFlags(t, ended, w.Result().Cookies()[0])
		})
	}
}

func compareFlags(t *testing.T, want http.Cookie, got *http.Cookie) {
	t.Helper()
	flags := func(c http.Cookie) map[string]any {
		return map[string]any{"name": c.Name, "path": c.Path, "domain": c.Domain, "age": c.MaxAge, "http only": c.HttpOnly, "secure": c.Secure, "same site": c.SameSite}
	}
	if diff := cmp.Diff(flags(want), flags(*got)); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
}

func TestWhoseCookieOpens(t *testing.T) {
	key, other, older := newKey(t), newKey(t), newKey(t)
	c := NewCookies([][]byte{key, older}, false, day)
	good, id := start(t, c)
	old, oldID := start(t, NewCookies([][]byte{older}, false, day))
	foreign, _ := start(t, NewCookies([][]byte{other}, false, day))
	secure, _ := start(t, NewCookies([][]byte{key}, true, day))

	named := func(name, value string) *http.Cookie { return &http.Cookie{Name: name, Value: value} }
	flipped := []byte(good.Value)
	flipped[len(flipped)/2] ^= 1
	tests := []struct {
		name   string
		cookie *http.Cookie
		want   string
	}{
		{"good", good, id},
		{"of the old key", old, oldID},
		{"of a foreign key", foreign, ""},
		{"under another name", named("session", good.Value), ""},
		{"of the secure console", named(good.Name, secure.Value), ""},
		{"one bit flipped", named(good.Name, string(flipped)), ""},
		{"cut", named(good.Name, good.Value[:len(good.Value)-1]), ""},
		{"empty", named(good.Name, ""), ""},
		{"rubbish", named(good.Name, "rubbish"), ""},
		{"the hash itself", named(good.Name, id), ""},
		{"very long", named(good.Name, strings.Repeat("A", 100_000)), ""},
	}
	for _, test := range tests {
		if got := c.Session(request(test.cookie)); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	// A key that was taken out of use opens nothing.
	if got := NewCookies([][]byte{key}, false, day).Session(request(old)); got != "" {
		t.Errorf("a cookie of a removed key opens as %q", got)
	}
}

func TestTextForTheNextPage(t *testing.T) {
	c := NewCookies([][]byte{newKey(t)}, true, day)
	w := httptest.NewRecorder()
	if err := c.Put(w, request(), "/users/2", "token"); err != nil {
		t.Fatal(err)
	}
	k := w.Result().Cookies()[0]
	if k.Name != "__Host-callboard_once" || !k.Secure || !k.HttpOnly || k.MaxAge != 300 || strings.Contains(k.Value, "token") {
		t.Errorf("the cookie is %v", k)
	}
	for path, want := range map[string]string{"/users/3": "", "/users/2": "token"} {
		w := httptest.NewRecorder()
		got := c.Take(w, request(k), path)
		taken := len(w.Result().Cookies()) == 1 && w.Result().Cookies()[0].MaxAge < 0
		if got != want || taken != (want != "") {
			t.Errorf("for %s: %q, taken %v", path, got, taken)
		}
	}
	if got := c.Take(httptest.NewRecorder(), request(), "/users/2"); got != "" {
		t.Errorf("without a cookie: %q", got)
	}
	if got := NewCookies([][]byte{newKey(t)}, true, day).Take(httptest.NewRecorder(), request(k), "/users/2"); got != "" {
		t.Errorf("of a foreign key: %q", got)
	}
}

func TestCookieAge(t *testing.T) {
	key := newKey(t)
	cookie, id := start(t, NewCookies([][]byte{key}, false, day))
	// A negative age makes every cookie too old, which shows that the signature itself has an age.
	for age, want := range map[int]string{60: id, -1: ""} {
		if got := NewCookies([][]byte{key}, false, age).Session(request(cookie)); got != want {
			t.Errorf("at most %d s old: %q, want %q", age, got, want)
		}
	}
}
