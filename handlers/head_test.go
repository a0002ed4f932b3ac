package handlers

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"callboard/auth"
	"callboard/store"
)

// fetched is what a client sees of an answer.
type fetched struct {
	Status         int
	Type, Location string
}

// fetch asks a listening console as a browser of somebody, without following where it leads.
func (b *browser) fetch(base, method, path string) fetched {
	b.w.t.Helper()
	r, err := http.NewRequestWithContext(b.w.t.Context(), method, base+path, http.NoBody)
	must(b.w.t, err)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	must(b.w.t, err)
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	must(b.w.t, err)
	return fetched{answer.StatusCode, answer.Header.Get("Content-Type"), answer.Header.Get("Location")}
}

// listening serves a world on a port of its own.
func (w *world) listening() string {
	server := httptest.NewServer(w.pages)
	w.t.Cleanup(server.Close) // idle connections of the client too
	return server.URL
}

func TestHeadAnswersAsGet(t *testing.T) {
	w := newWorld(t)
	road, base := prepare(w), w.listening()
	for _, who := range []*browser{w.browser(), w.as(store.Support), w.as(store.Admin)} {
		for _, r := range auth.Routes {
			path := road.path(r)
			if r.Method != http.MethodGet {
				continue
			}
			want, got := who.fetch(base, http.MethodGet, path), who.fetch(base, http.MethodHead, path)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-GET +HEAD):\n%s", path, diff)
			}
		}
	}
	if !strings.Contains(w.log.String(), "method=HEAD path=/audit status=403") {
		t.Error("the log does not tell HEAD from GET")
	}
}

func TestHeadHasNoBody(t *testing.T) {
	w := newWorld(t)
	c, err := net.Dial("tcp", strings.TrimPrefix(w.listening(), "http://"))
	must(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "HEAD /sign-in HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
	must(t, err)
	all, err := io.ReadAll(c)
	must(t, err)
	if head, body, ok := strings.Cut(string(all), "\r\n\r\n"); !ok || body != "" || !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Errorf("the answer is %q", all)
	}
}

// TestHeadTakesNothing: what is shown once is still there, and nothing counts as exported.
func TestHeadTakesNothing(t *testing.T) {
	w := newWorld(t)
	b, base := w.as(store.Admin), w.listening()
	p := b.post("/users/new", map[string][]string{"username": {"mei"}, "role": {store.Support}, "scope": {"all"}})
	b.fetch(base, http.MethodHead, p.location())
	b.fetch(base, http.MethodHead, "/history.csv")
	if n := w.number(`SELECT COUNT(*) FROM audit WHERE act = 'history.exported'`); n != 0 {
		t.Errorf("%d exports are in the audit", n)
	}
	if b.get(p.location()).count("#once-link") != 1 {
		t.Error("the link is gone")
	}
	plan := b.press(b.get("/apps/20010452/token"), "main form:has([name=do])", map[string][]string{"do": {"generate"}, "reason": {"a test"}}).location()
	b.fetch(base, http.MethodHead, plan)
	if n := w.number(`SELECT COUNT(*) FROM audit WHERE act = 'token.shown'`); plan == "" || n != 0 {
		t.Errorf("the token of %q was shown %d times", plan, n)
	}
}
