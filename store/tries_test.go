package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"callboard/store"
	"callboard/store/storetest"
)

var tries = store.Counter{Key: "account/a", Burst: 3, Every: 5 * time.Minute}

// tried tells whether a try was let through, and fails on anything else than the counters' own refusal.
func (f fixture) tried(counters ...store.Counter) bool {
	f.t.Helper()
	err := f.ReserveTry(ctx(f.t), counters...)
	var many *store.TooManyError
	if errors.As(err, &many) {
		if errors.Is(err, store.ErrUnavailable) || many.Wait < time.Second || many.Wait > counters[0].Every {
			f.t.Errorf("refused with %v", err)
		}
		return false
	}
	f.must(err)
	return true
}

// times counts how many tries are let through.
func (f fixture) times(counters ...store.Counter) int {
	f.t.Helper()
	for n := range 100 {
		if !f.tried(counters...) {
			return n
		}
	}
	return 100
}

// pass lets time pass for every counter, by the clock that counts.
func (f fixture) pass(d time.Duration) {
	f.t.Helper()
	f.exec(`UPDATE tries SET used_until = used_until - $1`, d.Milliseconds())
}

func TestTriesAreCounted(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		same(t, "at once", tries.Burst, f.times(tries))
		f.later(1000 * minute) // the made-up clock has no say
		same(t, "again at once", 0, f.times(tries))
		for _, test := range []struct {
			after time.Duration
			want  int
		}{{4 * time.Minute, 0}, {time.Minute, 1}, {5 * time.Minute, 1}, {10 * time.Minute, 2}, {15 * time.Minute, 3}, {24 * time.Hour, 3}} {
			f.pass(test.after)
			same(t, fmt.Sprintf("after %s more", test.after), test.want, f.times(tries))
		}
		f.must(f.GiveTriesBack(ctx(t), tries))
		same(t, "after one was given back", 1, f.times(tries))
		same(t, "of another name", tries.Burst, f.times(store.Counter{Key: "account/b", Burst: 3, Every: tries.Every}))

		g := empty(t, db)
		same(t, "after a restart", 0, g.times(tries))
	})
}

func TestParallelTriesAreCounted(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		address := store.Counter{Key: "address/a", Burst: 50, Every: time.Minute}
		through := 0
		for _, err := range together(200, func(int) error { return f.ReserveTry(ctx(t), tries, address) }) {
			var many *store.TooManyError
			if err == nil {
				through++
			} else if !errors.As(err, &many) {
				t.Errorf("a late try got %v", err)
			}
		}
		same(t, "let through", tries.Burst, through)
	})
}

func TestTriesAreTakenTogetherOrNotAtAll(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		address := store.Counter{Key: "address/a", Burst: 2, Every: time.Minute}
		same(t, "both", 2, f.times(tries, address))
		same(t, "left of the account", 1, f.times(tries))
	})
}

func TestOtherNamesDoNotEmptyACounter(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		f.times(tries)
		for i := range 300 {
			f.must(f.ReserveTry(ctx(t), store.Counter{Key: fmt.Sprintf("account/%d", i), Burst: 3, Every: time.Millisecond}))
		}
		f.exec(`UPDATE tries SET used_until = used_until - 60000 WHERE counter <> $1`, tries.Key)
		f.must(f.DropUnusedTries(ctx(t)))
		same(t, "rows left", int64(1), f.number(`SELECT COUNT(*) FROM tries`))
		same(t, "tries left", 0, f.times(tries))
	})
}

// TestAClockThatWasWrongLocksNobodyOut leaves a counter as a database does whose clock was a day ahead.
func TestAClockThatWasWrongLocksNobodyOut(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		f.times(tries)
		f.pass(-24 * time.Hour)
		same(t, "tries", tries.Burst, f.times(tries))
	})
}

func TestKnownBrowsers(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		withUser(f)
		_, err := f.AddUser(ctx(t), mei, store.NewUser{Name: "Ota", Password: "h", Role: store.Support})
		f.must(err)
		knows := func(id, name string) bool {
			is, err := f.KnowsBrowser(ctx(t), id, name, time.Hour)
			f.must(err)
			return is
		}
		f.must(f.KnowBrowser(ctx(t), store.Welcome{UserID: 1, New: "a"}))
		same(t, "mei's browser", []bool{true, true, false, false, false}, []bool{knows("a", "Mei"), knows("a", " mEI "), knows("a", "Ota"), knows("a", "nobody"), knows("", "Mei")})

		// Ota signs in on the same browser, which gets another id: both are known by it, nobody by the old one.
		f.must(f.KnowBrowser(ctx(t), store.Welcome{UserID: 2, Old: "a", New: "b"}))
		same(t, "a shared browser", []bool{true, true, false}, []bool{knows("b", "Mei"), knows("b", "Ota"), knows("a", "Mei")})

		f.exec(`UPDATE known_browsers SET used_at = used_at - 3600001 WHERE user_id = 1`)
		same(t, "too long ago", []bool{false, true}, []bool{knows("b", "Mei"), knows("b", "Ota")})
		f.must(f.DropOldBrowsers(ctx(t), time.Hour))
		same(t, "rows left", int64(1), f.number(`SELECT COUNT(*) FROM known_browsers`))

		for i := range 25 {
			f.must(f.KnowBrowser(ctx(t), store.Welcome{UserID: 1, New: fmt.Sprint(i)}))
			f.exec(`UPDATE known_browsers SET used_at = used_at - 1000`)
		}
		same(t, "of many, the newest are kept", []bool{false, true, true}, []bool{knows("4", "Mei"), knows("5", "Mei"), knows("24", "Mei")})
		same(t, "other people's stay", true, knows("b", "Ota"))
	})
}

func TestAWelcomeGivesTriesBack(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		withUser(f)
		browser := store.Counter{Key: "browser/x", Burst: 3, Every: time.Minute}
		f.times(tries)
		f.times(browser)
		f.must(f.KnowBrowser(ctx(t), store.Welcome{UserID: 1, New: "a", Tries: []store.Counter{tries}, Fresh: []string{browser.Key}}))
		same(t, "of the account", 1, f.times(tries))
		same(t, "of the browser", browser.Burst, f.times(browser))
	})
}
