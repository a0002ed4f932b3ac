package handlers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"callboard/auth"
	"callboard/store"
	"callboard/store/storetest"
)

// guess tries to sign in and returns the answer's page.
func (b *browser) guess(name, password string) page {
	b.w.t.Helper()
	if b.csrf == "" {
		b.get("/sign-in")
	}
	return b.post("/sign-in", url.Values{"username": {name}, "password": {password}})
}

// from lets a browser come from another address.
func (b *browser) from(address string) *browser {
	b.address = address
	return b
}

// exhaust guesses until no guess is evaluated any more and returns how many were.
func (b *browser) exhaust(name string) int {
	b.w.t.Helper()
	for n := range 100 {
		if p := b.guess(name, "wrong horse 1"); p.Code == http.StatusTooManyRequests {
			return n
		}
	}
	return 100
}

// pass lets time pass for the counters of tries, by the database's clock.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.exec(`UPDATE tries SET used_until = used_until - $1`, d.Milliseconds())
}

func (w *world) evaluated() int64 {
	w.t.Helper()
	return w.number(`SELECT COUNT(*) FROM audit WHERE act = 'session.refused'`)
}

func TestParallelGuessesAreBounded(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.browser()
		b.get("/sign-in")
		codes := make([]int, 200)
		var all sync.WaitGroup
		for i := range codes {
			r := form("/sign-in", url.Values{csrfField: {b.csrf}, "username": {"admin"}, "password": {fmt.Sprintf("guess number %d", i)}})
			r.AddCookie(&http.Cookie{Name: "callboard_form", Value: b.cookies["callboard_form"]})
			r.Host, r.RemoteAddr = host, fmt.Sprintf("192.0.2.%d:40000", i)
			all.Go(func() {
				rec := httptest.NewRecorder()
				w.pages.ServeHTTP(rec, r)
				codes[i] = rec.Code
			})
		}
		all.Wait()
		counts := map[int]int{}
		for _, code := range codes {
			counts[code]++
		}
		// On SQLite some may wait for the writer in vain; none of them is evaluated.
		if n := counts[http.StatusUnprocessableEntity]; n > 10 || n != int(w.evaluated()) || counts[http.StatusTooManyRequests] == 0 {
			t.Errorf("answers by status %v, %d evaluated; at most 10 may be", counts, w.evaluated())
		}
	})
}

// TestGuessesInAnHour goes on guessing each minute for an hour, with the right password at last.
func TestGuessesInAnHour(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.exhaust("admin")
	quarter := int64(0)
	for minute := range 60 {
		w.pass(time.Minute - time.Second)
		b.from(fmt.Sprintf("198.51.100.%d", minute)).exhaust("admin")
		if minute == 14 {
			quarter = w.evaluated()
		}
	}
	if hour := w.evaluated(); quarter > 10 || hour > 20 || hour < 15 {
		t.Errorf("%d guesses evaluated in 15 minutes and %d in an hour", quarter, hour)
	}
	if p := b.guess("admin", password); p.Code != http.StatusTooManyRequests || b.cookies["callboard_session"] != "" {
		t.Errorf("the right password in between: %d", p.Code)
	}
	w.pass(auth.AccountTries.Every)
	wantSeeOther(t, b.guess("admin", password), "/apps")
}

var variable = regexp.MustCompile(`name="_csrf" value="[^"]*"`)

func TestRefusedTriesTellNothing(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		bodies := map[string]string{}
		for i, name := range []string{"admin", "nobody", "disabled", "ADMIN ", strings.Repeat("a", 5000)} {
			b := w.browser().from(fmt.Sprintf("192.0.2.%d", i))
			want := auth.AccountTries.Burst
			if name == "ADMIN " {
				want = 0 // the same account
			}
			if n := b.exhaust(name); n != want {
				t.Errorf("%.10q: %d tries evaluated, want %d", name, n, want)
			}
			before := w.evaluated()
			p := b.guess(name, password)
			wantStatus(t, p, http.StatusTooManyRequests)
			if after := p.Header().Get("Retry-After"); after == "" || after == "0" {
				t.Errorf("%.10q: Retry-After is %q", name, after)
			}
			if w.evaluated() != before || b.cookies["callboard_session"] != "" {
				t.Errorf("%.10q: the password was looked at", name)
			}
			if p.text("h1") != w.T("problem.too_many.title") {
				t.Errorf("%.10q: heading %q", name, p.text("h1"))
			}
			bodies[variable.ReplaceAllString(p.Body.String(), "")] = name
		}
		if len(bodies) != 1 {
			t.Errorf("the page tells names apart: %d different ones", len(bodies))
		}
	})
}

func TestAKnownBrowserIsNotKeptOut(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		mine, stranger := w.browser(), w.browser()
		wantSeeOther(t, mine.guess("operator", password), "/apps")
		mine.get("/apps")
		mine.post("/sign-out", nil)
		mine.csrf = ""
		for i := range 7 { // the account, and the address that the two share
			stranger.exhaust(fmt.Sprint("nobody", i))
		}
		stranger.exhaust("operator")
		wantStatus(t, w.browser().from("198.51.100.1").guess("support", password), http.StatusSeeOther)
		wantStatus(t, stranger.guess("support", password), http.StatusTooManyRequests)
		wantStatus(t, mine.guess("support", password), http.StatusTooManyRequests) // not known for others

		wantStatus(t, mine.guess("operator", "wrong horse 1"), http.StatusUnprocessableEntity)
		before := mine.cookies["callboard_browser"]
		wantSeeOther(t, mine.guess("operator", password), "/apps")
		if after := mine.cookies["callboard_browser"]; after == before || w.number(`SELECT COUNT(*) FROM known_browsers WHERE id = $1`, auth.Digest(after)) != 1 {
			t.Error("the browser did not get another id that the database knows by its hash")
		}

		// Its own tries are bounded too, and begin anew with each success.
		mine.cookies = map[string]string{"callboard_browser": mine.cookies["callboard_browser"]}
		mine.csrf = ""
		if n := mine.exhaust("operator"); n != auth.BrowserTries.Burst {
			t.Errorf("%d tries of the known browser, want %d", n, auth.BrowserTries.Burst)
		}
		wantStatus(t, mine.guess("operator", password), http.StatusTooManyRequests)
	})
}

func TestAnAddressIsBounded(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		name, first, second string
		shared              bool
	}{
		{"the same address", "192.0.2.1", "192.0.2.1", true},
		{"another", "192.0.2.2", "192.0.2.3", false},
		{"the same network of version 6", "[2001:db8:0:1::1]", "[2001:db8:0:1:ffff::2]", true},
		{"another one", "[2001:db8:0:2::1]", "[2001:db8:0:3::1]", false},
	}
	for i, test := range tests {
		b := w.browser().from(test.first)
		for n := range auth.AddressTries.Burst {
			if p := b.guess(fmt.Sprintf("name %d %d", i, n), "wrong horse 1"); p.Code != http.StatusUnprocessableEntity {
				t.Fatalf("%s: try %d: %d", test.name, n, p.Code)
			}
		}
		wantStatus(t, b.guess("one more", "wrong horse 1"), http.StatusTooManyRequests)
		want := map[bool]int{true: http.StatusTooManyRequests, false: http.StatusSeeOther}[test.shared]
		if p := w.browser().from(test.second).guess("support", password); p.Code != want {
			t.Errorf("%s: %d, want %d", test.name, p.Code, want)
		}
	}
}

// TestSuccessesAreNotCounted signs in more often than guesses would be allowed.
func TestSuccessesAreNotCounted(t *testing.T) {
	w := newWorld(t)
	for range auth.AddressTries.Burst + 2 {
		wantSeeOther(t, w.browser().guess("support", password), "/apps")
	}
}

func TestUncountedTriesAreRefused(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.browser()
		b.get("/sign-in")
		signedIn := w.as(store.Support)
		w.exec(`ALTER TABLE tries RENAME TO tries_away`)
		before := w.traces()
		for name, p := range map[string]page{"sign-in": b.guess("admin", password), "password change": signedIn.post("/account", url.Values{"do": {"password"}, "current": {password}, "password": {"another horse"}})} {
			if p.Code != http.StatusServiceUnavailable || p.text("h1") != w.T("problem.store.title") {
				t.Errorf("%s: %d, %s", name, p.Code, heading(p))
			}
		}
		if after := w.traces(); after != before {
			t.Errorf("it left %v, before %v", after, before)
		}
		w.exec(`ALTER TABLE tries_away RENAME TO tries`)
		wantSeeOther(t, b.guess("admin", password), "/apps")
	})
}

func TestTheCurrentPasswordIsNotGuessed(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Support)
	change := func(current string) int {
		return b.post("/account", url.Values{"do": {"password"}, "current": {current}, "password": {"another horse"}}).Code
	}
	for range auth.BrowserTries.Burst {
		if code := change("wrong horse 1"); code != http.StatusUnprocessableEntity {
			t.Fatalf("a wrong one: %d", code)
		}
	}
	if code := change(password); code != http.StatusTooManyRequests {
		t.Errorf("the right one after too many: %d", code)
	}
	w.pass(auth.BrowserTries.Every)
	if code := change(password); code != http.StatusSeeOther {
		t.Errorf("later: %d", code)
	}
}

func TestTheSetupCodeIsNotGuessed(t *testing.T) {
	w := setupWorld(t, storetest.SQLite(t))
	b := w.browser()
	b.get("/setup")
	fields := url.Values{"code": {"AAAA-AAAA-AAAA"}, "username": {"mei"}, "password": {password}}
	for range auth.AddressTries.Burst {
		wantStatus(t, b.post("/setup", fields), http.StatusUnprocessableEntity)
	}
	fields.Set("code", setupCode)
	wantStatus(t, b.post("/setup", fields), http.StatusTooManyRequests)
	wantSeeOther(t, b.from("198.51.100.1").post("/setup", fields), "/apps")
}
