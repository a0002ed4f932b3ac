package auth

import (
	"net/http/httptest"
	"testing"
	"time"
)

// TestLimits holds the numbers against what was promised: how many wrong guesses are evaluated, and how long anybody waits.
func TestLimits(t *testing.T) {
	most := func(l Limit, in time.Duration) int { return l.Burst + int(in/l.Every) }
	tests := []struct {
		name          string
		limit         Limit
		quarter, hour int
	}{{"account", AccountTries, 10, 20}, {"browser", BrowserTries, 10, 20}, {"address", AddressTries, 60, 120}}
	for _, test := range tests {
		if got := most(test.limit, 15*time.Minute); got > test.quarter {
			t.Errorf("%s: %d in 15 minutes, want at most %d", test.name, got, test.quarter)
		}
		if got := most(test.limit, time.Hour); got > test.hour {
			t.Errorf("%s: %d in an hour, want at most %d", test.name, got, test.hour)
		}
		if test.limit.Every > 15*time.Minute {
			t.Errorf("%s: a person waits for %s", test.name, test.limit.Every)
		}
	}
}

func TestClientNetwork(t *testing.T) {
	tests := []struct{ address, want string }{
		{"192.0.2.7", "192.0.2.7"},
		{"::ffff:192.0.2.7", "192.0.2.7"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"2001:db8:1:2::9", "2001:db8:1:2::/64"},
		{"2001:db8:1:3::9", "2001:db8:1:3::/64"},
		{"fe80::1%eth0", "fe80::/64"},
		{"", ""},
		{"@", "@"},
	}
	for _, test := range tests {
		if got := ClientNetwork(test.address); got != test.want {
			t.Errorf("%q counts as %q, want %q", test.address, got, test.want)
		}
	}
}

func TestCounterKeysDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range []string{"account", "address"} {
		for _, of := range []string{"", "a", "A", "a/b", "a\x00"} {
			key := CounterKey(kind, of)
			if seen[key] {
				t.Errorf("%s %q shares its counter", kind, of)
			}
			seen[key] = true
		}
	}
}

func TestKnownBrowserCookie(t *testing.T) {
	c := NewCookies([][]byte{newKey(t)}, true, day)
	w := httptest.NewRecorder()
	first := c.KnowBrowser(w)
	second := c.KnowBrowser(httptest.NewRecorder())
	k := w.Result().Cookies()[0]
	if k.Name != "__Host-callboard_browser" || !k.Secure || !k.HttpOnly || k.Path != "/" || k.Domain != "" || k.MaxAge != 180*day {
		t.Errorf("the cookie is %v", k)
	}
	if first == second || len(k.Value) < 26 || k.Value == first {
		t.Error("the id is short, repeated, or its own hash")
	}
	if got := c.Browser(request(k)); got != first {
		t.Errorf("the cookie opens as %q, want %q", got, first)
	}
	if got := c.Browser(request()); got != "" {
		t.Errorf("without a cookie the browser is %q", got)
	}
}
