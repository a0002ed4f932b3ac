package handlers

import (
	"context"
	"math"
	"time"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/store"
)

// counter is a limit for one account, browser or address.
func counter(l auth.Limit, kind, of string) store.Counter {
	return store.Counter{Key: auth.CounterKey(kind, of), Burst: l.Burst, Every: l.Every}
}

func addressCounter(c echo.Context) store.Counter {
	return counter(auth.AddressTries, "address", auth.ClientNetwork(c.RealIP()))
}

func accountCounter(name string) store.Counter {
	return counter(auth.AccountTries, "account", store.Key(name))
}

func browserCounter(browser string, key string) store.Counter {
	return counter(auth.BrowserTries, "browser", browser+"/"+key)
}

// signInCounters are what a try at a name's password counts on: the name and the address, or the browser alone when the
// person signed in with it before, so that no stranger can keep them out.
func (s *server) signInCounters(c echo.Context, name string) ([]store.Counter, error) {
	if browser := s.Cookies.Browser(c.Request()); browser != "" {
		known, err := s.Store.KnowsBrowser(c.Request().Context(), browser, name, auth.KnownBrowserLife)
		if err != nil {
			return nil, err
		}
		if known {
			return []store.Counter{browserCounter(browser, store.Key(name))}, nil
		}
	}
	return []store.Counter{accountCounter(name), addressCounter(c)}, nil
}

// passwordCounter is for the current password that a signed-in person is asked for.
func passwordCounter(u store.User) store.Counter {
	return counter(auth.BrowserTries, "current", itoa64(u.ID))
}

// knowBrowser remembers a browser after a sign-in and gives its tries back; counters that are named begin anew. The sign-in
// stands without it.
func (s *server) knowBrowser(c echo.Context, u store.User, tries []store.Counter, fresh ...string) {
	old := s.Cookies.Browser(c.Request())
	w := store.Welcome{UserID: u.ID, Old: old, New: s.Cookies.KnowBrowser(c.Response()), Tries: tries, Fresh: append(fresh, browserCounter(old, store.Key(u.Name)).Key)}
	if err := s.Store.KnowBrowser(context.WithoutCancel(c.Request().Context()), w); err != nil {
		s.Log.Error("a browser could not be remembered", "id", c.Get(idKey), "err", err)
	}
}

// seconds is how long to wait, rounded up, as Retry-After has it.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
