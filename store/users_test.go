package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"callboard/store"
	"callboard/store/storetest"
)

func TestFirstAdminIsOne(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		if has, err := f.HasUsers(ctx(t)); has || err != nil {
			t.Errorf("HasUsers = %v, %v", has, err)
		}
		errs := together(100, func(i int) error {
			_, err := f.FirstAdmin(ctx(t), mei, store.NewUser{Name: fmt.Sprintf("admin%d", i), Password: "h", Role: store.Admin})
			return err
		})
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
			} else if !errors.Is(err, store.ErrDuplicate) {
				t.Errorf("a late set-up got %v", err)
			}
		}
		same(t, "set-ups that succeeded", 1, made)
		same(t, "people", int64(1), f.number(`SELECT COUNT(*) FROM users`))
		same(t, "audit", []string{"user.added"}, f.acts(0))
		if has, err := f.HasUsers(ctx(t)); !has || err != nil {
			t.Errorf("HasUsers = %v, %v", has, err)
		}
		f.intact()
	})
}

func TestUsers(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		id, err := f.AddUser(ctx(t), mei, store.NewUser{Name: "Ötzi", Password: "hash", Role: store.Operator})
		f.must(err)
		want := store.User{ID: id, Name: "Ötzi", Password: "hash", Role: store.Operator, CreatedAt: start}
		for _, name := range []string{"Ötzi", "ötzi", " ÖTZI "} {
			got, err := f.UserByName(ctx(t), name)
			f.must(err)
			same(t, name, want, got)
			if _, err := f.AddUser(ctx(t), mei, store.NewUser{Name: name, Password: "x", Role: store.Admin}); !errors.Is(err, store.ErrDuplicate) {
				t.Errorf("%q a second time: %v", name, err)
			}
		}
		for _, name := range []string{"", "otzi", "Ötzi\x00", "\xff", "'", "%"} {
			if _, err := f.UserByName(ctx(t), name); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("UserByName(%q): %v", name, err)
			}
		}
		f.must(f.SetPreferences(ctx(t), mei, id, store.Preferences{Language: "zh-Hans", Theme: "dark", TimeZone: "Asia/Shanghai", Shortcuts: "off"}))
		f.must(f.SetPassword(ctx(t), mei, id, want.Password, "hash2", ""))
		f.exec(`UPDATE users SET disabled_at = 9 WHERE id = $1`, id)
		want.Language, want.Theme, want.TimeZone, want.Shortcuts, want.Password, want.DisabledAt = "zh-Hans", "dark", "Asia/Shanghai", "off", "hash2", 9
		got, err := f.UserByName(ctx(t), "ötzi")
		f.must(err)
		same(t, "after the edits", want, got)
		for name, err := range map[string]error{"SetPreferences": f.SetPreferences(ctx(t), mei, 99, store.Preferences{}), "SetPassword": f.SetPassword(ctx(t), mei, 99, "", "h", ""),
			"SetPassword with another old one": f.SetPassword(ctx(t), mei, id, "hash1", "h", ""), "SetPassword of somebody disabled": f.SetPassword(ctx(t), mei, id, "hash2", "h", "")} {
			if !errors.Is(err, store.ErrMoved) {
				t.Errorf("%s of nobody: %v", name, err)
			}
		}
	})
}

var long = store.SessionLimits{Idle: time.Hour, Absolute: 10 * time.Hour}

func TestSessions(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		base := empty(t, db)
		tests := []struct {
			name   string
			change string // what happens to session s1
			limits store.SessionLimits
			alive  bool
			fresh  bool
		}{
			{"new", "", long, true, true},
			{"used a while ago", `UPDATE sessions SET used_at = used_at - 61000`, long, true, false},
			{"idle too long", `UPDATE sessions SET used_at = used_at - 3600001`, long, false, false},
			{"just not idle too long", `UPDATE sessions SET used_at = used_at - 3500000`, long, true, false},
			{"in use, but too old", `UPDATE sessions SET started_at = started_at - 36000001`, long, false, false},
			{"in use, just not too old", `UPDATE sessions SET started_at = started_at - 35900000`, long, true, true},
			{"no idle time allowed", "", store.SessionLimits{Absolute: time.Hour}, false, false},
			{"no age allowed", "", store.SessionLimits{Idle: time.Hour}, false, false},
			{"person disabled", `UPDATE users SET disabled_at = 1`, long, false, false},
			{"person enabled again", `UPDATE users SET disabled_at = NULL`, long, true, true},
			{"ended", `DELETE FROM sessions`, long, false, false},
		}
		for _, test := range tests {
			f := base.emptied(t)
			withSession(f)
			// The made-up clock has no say in when a session ends.
			f.later(1000 * 60 * minute)
			if test.change != "" {
				f.exec(test.change)
			}
			got, err := f.Session(ctx(t), "s1", test.limits)
			if (err == nil) != test.alive || (err != nil && !errors.Is(err, store.ErrNotFound)) || got.Fresh != test.fresh {
				t.Errorf("%s: %v, fresh %v", test.name, err, got.Fresh)
			}
			if test.alive {
				same(t, test.name, store.User{ID: 1, Name: "Mei", Password: "h", Role: store.Admin, CreatedAt: start}, got.User)
			}
			f.must(f.DropExpiredSessions(ctx(t), test.limits))
			if test.name != "person disabled" {
				same(t, test.name+": rows left", test.alive, f.number(`SELECT COUNT(*) FROM sessions`) == 1)
			}
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		withUser(f)
		_, err := f.AddUser(ctx(t), mei, store.NewUser{Name: "Ota", Password: "h", Role: store.Support})
		f.must(err)
		ota := store.Actor{Kind: store.PersonActor, UserID: 2, Name: "Ota", Address: "::1"}
		for _, id := range []string{"a", "b", "c"} {
			f.must(f.StartSession(ctx(t), mei, "h", id, "browser\x00\xff"))
		}
		f.must(f.StartSession(ctx(t), ota, "h", "o", "browser"))
		alive := func() string {
			ids := ""
			for _, id := range []string{"a", "b", "c", "o"} {
				if _, err := f.Session(ctx(t), id, long); err == nil {
					ids += id
				}
			}
			return ids
		}
		same(t, "all", "abco", alive())
		if err := f.SetPassword(ctx(t), mei, 1, "h", "h2", "o"); !errors.Is(err, store.ErrMoved) {
			t.Errorf("keeping somebody else's session: %v", err)
		}
		f.must(f.SetPassword(ctx(t), mei, 1, "h", "h2", "b"))
		same(t, "a new password keeps one", "bo", alive())
		f.must(f.EndSession(ctx(t), mei, "b"))
		f.must(f.EndSession(ctx(t), mei, "b"))
		same(t, "signed out", "o", alive())
		f.must(f.SetPassword(ctx(t), ota, 2, "h", "h2", ""))
		same(t, "a new password keeps none", "", alive())
		f.must(f.StartSession(ctx(t), mei, "h2", "a", "browser"))
		f.exec(`UPDATE sessions SET used_at = used_at - 3000000`)
		f.must(f.TouchSession(ctx(t), "a"))
		if v, err := f.Session(ctx(t), "a", long); err != nil || !v.Fresh {
			t.Errorf("after a touch: %v, fresh %v", err, v.Fresh)
		}
		if err := f.StartSession(ctx(t), store.Actor{UserID: 77}, "h2", "x", ""); !errors.Is(err, store.ErrMoved) {
			t.Errorf("a session of nobody: %v", err)
		}
		if err := f.StartSession(ctx(t), mei, "h", "x", ""); !errors.Is(err, store.ErrMoved) {
			t.Errorf("a session by the old password: %v", err)
		}
	})
}

func TestCookieKeys(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		got := make([][][]byte, 16)
		errs := together(len(got), func(i int) (err error) {
			got[i], err = f.CookieKeys(ctx(t), func() ([]byte, error) { return bytes.Repeat([]byte{byte(i + 1)}, 96), nil })
			return err
		})
		f.must(errors.Join(errs...))
		for _, keys := range got {
			if len(keys) != 1 || !bytes.Equal(keys[0], got[0][0]) {
				t.Fatalf("parallel starts got different keys")
			}
		}
		same(t, "rows", int64(1), f.number(`SELECT COUNT(*) FROM cookie_keys`))
		broken := errors.New("no random")
		never := func() ([]byte, error) { return nil, broken }

		f.must(store.AddCookieKey(f.Store, bytes.Repeat([]byte{101}, 96)))
		keys, err := f.CookieKeys(ctx(t), never)
		f.must(err)
		same(t, "the newest first, the old one kept", [][]byte{bytes.Repeat([]byte{101}, 96), got[0][0]}, keys)
		f.must(store.AddCookieKey(f.Store, bytes.Repeat([]byte{102}, 96)))
		keys, err = f.CookieKeys(ctx(t), never)
		f.must(err)
		same(t, "only two", [][]byte{bytes.Repeat([]byte{102}, 96), bytes.Repeat([]byte{101}, 96)}, keys)

		f.exec(`UPDATE cookie_keys SET sealed = (SELECT sealed FROM cookie_keys c WHERE c.id = 2) WHERE id = 3`)
		if _, err := f.CookieKeys(ctx(t), never); !errors.Is(err, store.ErrKeys) {
			t.Errorf("a key moved to another row: %v", err)
		}
		f.exec(`DELETE FROM cookie_keys`)
		if _, err := f.CookieKeys(ctx(t), never); !errors.Is(err, broken) {
			t.Errorf("no random bytes: %v", err)
		}
		same(t, "rows", int64(0), f.number(`SELECT COUNT(*) FROM cookie_keys`))
	})
}
