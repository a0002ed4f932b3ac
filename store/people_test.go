package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"callboard/store"
	"callboard/store/storetest"
)

var ota = store.Actor{Kind: store.PersonActor, UserID: 2, Name: "Ota", Role: store.Admin, Address: "203.0.113.25"}

func invitation(name string) store.Invitation {
	return store.Invitation{Name: name, Rights: store.Rights{Role: store.Admin}, Link: store.Link{ID: "link-" + name, Life: time.Hour}}
}

// withInvited has Mei, who is an administrator, and Ota, who is invited as another.
func withInvited(f fixture) {
	f.t.Helper()
	withUser(f)
	_, err := f.Invite(ctx(f.t), mei, invitation("Ota"))
	f.must(err)
}

// withAdmins has two administrators who both can sign in.
func withAdmins(f fixture) {
	f.t.Helper()
	withInvited(f)
	f.must(f.UseLink(ctx(f.t), ota, "link-Ota", "h"))
}

func (f fixture) person(id int64) store.Person {
	f.t.Helper()
	p, err := f.Person(ctx(f.t), id, long)
	f.must(err)
	return p
}

func TestPeople(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.must(f.AddApp(ctx(t), mei, settings(borea, "Borea")))
		withInvited(f)
		f.must(f.SetRights(ctx(t), mei, 2, store.Rights{Role: store.Operator, Limited: true, Apps: []int64{borea, aurora, borea}}))
		f.later(minute)
		f.must(f.StartSession(ctx(t), mei, "h", "s1", "browser"))
		f.must(f.StartSession(ctx(t), mei, "h", "s2", "browser"))
		f.exec(`UPDATE sessions SET used_at = used_at - 3600001 WHERE id = 's2'`)
		list, err := f.People(ctx(t), long)
		f.must(err)
		if len(list) != 2 || list[1].LinkEnds == 0 {
			t.Fatalf("people are %+v", list)
		}
		list[1].LinkEnds = 0
		want := []store.Person{
			{User: store.User{ID: 1, Name: "Mei", Password: "h", Role: store.Admin, CreatedAt: start}, SeenAt: start + minute, Sessions: 1},
			{User: store.User{ID: 2, Name: "Ota", Role: store.Operator, CreatedAt: start, Limited: true, Apps: []int64{aurora, borea}}},
		}
		same(t, "people", want, list)
		same(t, "one of them", want[0], f.person(1))
		f.later(minute)
		f.must(f.TouchSession(ctx(t), "s1"))
		same(t, "last use", int64(start+2*minute), f.person(1).SeenAt)
		if _, err := f.Person(ctx(t), 77, long); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
		for _, test := range []struct {
			user store.User
			want []bool
		}{{want[0].User, []bool{true, true}}, {store.User{Limited: true, Apps: []int64{borea}}, []bool{false, true}}, {store.User{Limited: true}, []bool{false, false}}} {
			same(t, "apps covered", test.want, []bool{test.user.Covers(aurora), test.user.Covers(borea)})
		}
	})
}

func TestRightsOfASession(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		withAdmins(f)
		f.must(f.StartSession(ctx(t), ota, "h", "o", "browser"))
		f.must(f.SetRights(ctx(t), mei, 2, store.Rights{Role: store.Admin, Limited: true, Apps: []int64{aurora}}))
		v, err := f.Session(ctx(t), "o", long)
		f.must(err)
		same(t, "limited at once, with the session alive", store.User{ID: 2, Name: "Ota", Password: "h", Role: store.Admin, CreatedAt: start, Limited: true, Apps: []int64{aurora}}, v.User)
		f.must(f.SetRights(ctx(t), mei, 2, store.Rights{Role: store.Operator}))
		if _, err := f.Session(ctx(t), "o", long); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a session survived a new role: %v", err)
		}
		same(t, "apps left", int64(0), f.number(`SELECT COUNT(*) FROM user_apps`))
		if err := f.SetRights(ctx(t), mei, 2, store.Rights{Role: store.Operator, Limited: true, Apps: []int64{4711}}); !errors.Is(err, store.ErrMoved) {
			t.Errorf("an app that nobody has: %v", err)
		}
		same(t, "nothing half done", false, f.person(2).Limited)
	})
}

func TestDisablingShutsOut(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		withAdmins(f)
		f.must(f.StartSession(ctx(t), ota, "h", "o", "browser"))
		f.must(f.StartSession(ctx(t), mei, "h", "m", "browser"))
		f.must(f.KnowBrowser(ctx(t), store.Welcome{UserID: 2, New: "b"}))
		f.exec(`INSERT INTO links (id, user_id, expires_at) VALUES ('again', 2, 0)`)
		f.must(f.SetDisabled(ctx(t), mei, 2, true))
		same(t, "left of sessions, links and browsers", []int64{1, 0, 0}, []int64{f.number(`SELECT COUNT(*) FROM sessions`), f.number(`SELECT COUNT(*) FROM links`), f.number(`SELECT COUNT(*) FROM known_browsers`)})
		if err := f.StartSession(ctx(t), ota, "h", "o2", "browser"); !errors.Is(err, store.ErrMoved) {
			t.Errorf("signing in disabled: %v", err)
		}
		if _, err := f.SetRightsBy(ota); !errors.Is(err, store.ErrNotAllowed) {
			t.Errorf("an act of somebody disabled: %v", err)
		}
		f.must(f.SetDisabled(ctx(t), mei, 2, false))
		f.must(f.StartSession(ctx(t), ota, "h", "o3", "browser"))
	})
}

// SetRightsBy lets somebody try to act on Mei.
func (f fixture) SetRightsBy(a store.Actor) (store.Person, error) {
	err := f.SetRights(ctx(f.t), a, 1, store.Rights{Role: store.Support})
	return f.person(1), err
}

func TestTheLastAdminStays(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		base := empty(t, db)
		acts := map[string]func(f fixture) error{
			"demote":           func(f fixture) error { return f.SetRights(ctx(t), mei, 1, store.Rights{Role: store.Operator}) },
			"disable":          func(f fixture) error { return f.SetDisabled(ctx(t), mei, 1, true) },
			"console demotes":  func(f fixture) error { return f.SetRights(ctx(t), store.Console, 1, store.Rights{Role: store.Support}) },
			"console disables": func(f fixture) error { return f.SetDisabled(ctx(t), store.Console, 1, true) },
		}
		others := map[string]struct {
			prepare func(f fixture)
			allowed bool
		}{
			"nobody else":            {withUser, false},
			"another who is invited": {withInvited, false},
			"another who was reset": {func(f fixture) {
				withAdmins(f)
				f.must(f.AddLink(ctx(t), mei, 2, store.Link{ID: "x", Life: time.Hour}))
			}, false},
			"another who is disabled": {func(f fixture) { withAdmins(f); f.must(f.SetDisabled(ctx(t), mei, 2, true)) }, false},
			"an operator": {func(f fixture) {
				withAdmins(f)
				f.must(f.SetRights(ctx(t), mei, 2, store.Rights{Role: store.Operator}))
			}, false},
			"another": {withAdmins, true},
		}
		for name, act := range acts {
			for who, other := range others {
				f := base.emptied(t)
				other.prepare(f)
				before := f.dump()
				err := act(f)
				if other.allowed {
					f.must(err)
					continue
				}
				if !errors.Is(err, store.ErrLastAdmin) {
					t.Errorf("%s, with %s: %v", name, who, err)
				}
				same(t, name+", with "+who+": every row", before, f.dump())
			}
		}
	})
}

// TestResetEndsTheOldPassword looks at every way in between reset and link, for each kind of person.
func TestResetEndsTheOldPassword(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		base := empty(t, db)
		tests := map[string]struct {
			prepare func(f fixture)
			by      store.Actor
			act     string
			invited bool
		}{
			"active":          {withAdmins, mei, "user.reset", false},
			"by command line": {withAdmins, store.CommandLine, "user.reset", false},
			"disabled":        {func(f fixture) { withAdmins(f); f.must(f.SetDisabled(ctx(t), mei, 2, true)) }, mei, "user.reset", false},
			"reset before": {func(f fixture) {
				withAdmins(f)
				f.must(f.AddLink(ctx(t), mei, 2, store.Link{ID: "first", Life: time.Hour}))
			}, mei, "user.reset", false},
			"invited": {withInvited, mei, "user.link", true},
		}
		for name, test := range tests {
			f := base.emptied(t)
			test.prepare(f)
			rows := f.audited()
			f.must(f.AddLink(ctx(t), test.by, 2, store.Link{ID: "again", Life: time.Hour}))
			same(t, name+": acts", []string{test.act}, f.acts(rows))
			p := f.person(2)
			same(t, name+": invited, reset, can sign in", []bool{test.invited, !test.invited, false}, []bool{p.Invited(), p.Reset(), p.CanSignIn()})
			if err := f.StartSession(ctx(t), ota, "h", "o", "browser"); !errors.Is(err, store.ErrMoved) {
				t.Errorf("%s: the old password lets in: %v", name, err)
			}
			if err := f.SetPassword(ctx(t), ota, 2, "h", "mine", ""); !errors.Is(err, store.ErrMoved) {
				t.Errorf("%s: the old password can be changed: %v", name, err)
			}
			f.must(f.UseLink(ctx(t), ota, "again", "h2"))
			same(t, name+": the new one", []any{"h2", true}, []any{f.person(2).Password, f.person(2).CanSignIn()})
		}
	})
}

// TestResetOfTheLastAdmin leaves nobody who can sign in, and a link as the way in.
func TestResetOfTheLastAdmin(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		withUser(f)
		_, err := f.AddUser(ctx(t), mei, store.NewUser{Name: "Tomas", Password: "h", Role: store.Support})
		f.must(err)
		f.must(f.AddLink(ctx(t), store.CommandLine, 1, store.Link{ID: "x", Life: time.Hour}))
		f.must(f.SetDisabled(ctx(t), store.CommandLine, 2, true)) // acts that take no administrator away go on
		f.must(f.UseLink(ctx(t), mei, "x", "h2"))
		same(t, "can sign in", []bool{true, false}, []bool{f.person(1).CanSignIn(), f.person(2).CanSignIn()})
		if err := f.SetDisabled(ctx(t), store.CommandLine, 1, true); !errors.Is(err, store.ErrLastAdmin) {
			t.Errorf("disabling the last one: %v", err)
		}
	})
}

func TestTwoAdminsDemoteEachOther(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		base := empty(t, db)
		for range 5 {
			f := base.emptied(t)
			withAdmins(f)
			errs := together(2, func(i int) error {
				if i == 0 {
					return f.SetRights(ctx(t), mei, 2, store.Rights{Role: store.Support})
				}
				return f.SetDisabled(ctx(t), ota, 1, true)
			})
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if !errors.Is(err, store.ErrNotAllowed) {
					t.Errorf("the slower one got %v", err)
				}
			}
			same(t, "won", 1, won)
			same(t, "administrators", int64(1), f.number(`SELECT COUNT(*) FROM users WHERE role = 'admin' AND disabled_at IS NULL`))
		}
	})
}

func TestTwoAdminsResetEachOther(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		withAdmins(f)
		f.must(f.AddLink(ctx(t), mei, 2, store.Link{ID: "first", Life: time.Hour}))
		before := f.dump()
		// Ota's request was let in before the reset; both would stand outside, each with the link of the other.
		if err := f.AddLink(ctx(t), ota, 1, store.Link{ID: "second", Life: time.Hour}); !errors.Is(err, store.ErrNotAllowed) {
			t.Errorf("the slower one got %v", err)
		}
		same(t, "every row", before, f.dump())
		same(t, "can sign in", []bool{true, false}, []bool{f.person(1).CanSignIn(), f.person(2).CanSignIn()})
	})
}

func TestOnlyAnAdminActsOnPeople(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		withInvited(f)
		_, err := f.AddUser(ctx(t), mei, store.NewUser{Name: "Tomas", Password: "h", Role: store.Operator})
		f.must(err)
		tomas := store.Actor{Kind: store.PersonActor, UserID: 3, Name: "Tomas", Role: store.Admin} // as an old session would claim
		before := f.dump()
		_, invite := f.Invite(ctx(t), tomas, invitation("Lena"))
		for name, err := range map[string]error{"Invite": invite, "SetRights": f.SetRights(ctx(t), tomas, 3, store.Rights{Role: store.Admin}), "SetDisabled": f.SetDisabled(ctx(t), tomas, 2, true),
			"AddLink": f.AddLink(ctx(t), tomas, 1, store.Link{ID: "x", Life: time.Hour}), "Withdraw": f.Withdraw(ctx(t), tomas, 2)} {
			if !errors.Is(err, store.ErrNotAllowed) {
				t.Errorf("%s: %v", name, err)
			}
		}
		same(t, "every row", before, f.dump())
	})
}

func TestInvitations(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		withInvited(f)
		if !f.person(2).Invited() || f.person(1).Invited() {
			t.Error("Ota is invited, Mei is not")
		}
		for _, name := range []string{"ota", " OTA"} {
			if _, err := f.Invite(ctx(t), mei, store.Invitation{Name: name, Rights: store.Rights{Role: store.Support}, Link: store.Link{ID: name}}); !errors.Is(err, store.ErrDuplicate) {
				t.Errorf("%q a second time: %v", name, err)
			}
		}
		if err := f.Withdraw(ctx(t), mei, 1); !errors.Is(err, store.ErrMoved) {
			t.Errorf("withdrawing somebody who has a password: %v", err)
		}
		f.must(f.Withdraw(ctx(t), mei, 2))
		same(t, "people and links left", []int64{1, 0}, []int64{f.number(`SELECT COUNT(*) FROM users`), f.number(`SELECT COUNT(*) FROM links`)})
		if err := f.Withdraw(ctx(t), mei, 2); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a second time: %v", err)
		}
	})
}

func TestLinks(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		base := empty(t, db)
		tests := []struct {
			name   string
			change func(f fixture)
			works  bool
		}{
			{"fresh", func(fixture) {}, true},
			{"the made-up clock is late", func(f fixture) { f.later(1000 * minute) }, true},
			{"expired", func(f fixture) { f.exec(`UPDATE links SET expires_at = expires_at - 3600001`) }, false},
			{"used", func(f fixture) { f.must(f.UseLink(ctx(t), ota, "link-Ota", "h1")) }, false},
			{"replaced", func(f fixture) { f.must(f.AddLink(ctx(t), mei, 2, store.Link{ID: "x", Life: time.Hour})) }, false},
			{"of somebody disabled", func(f fixture) { f.must(f.SetDisabled(ctx(t), mei, 2, true)) }, false},
			{"enabled again", func(f fixture) {
				f.must(f.SetDisabled(ctx(t), mei, 2, true))
				f.must(f.SetDisabled(ctx(t), mei, 2, false))
			}, false},
			{"made for somebody disabled", func(f fixture) {
				f.must(f.SetDisabled(ctx(t), mei, 2, true))
				f.must(f.AddLink(ctx(t), mei, 2, store.Link{ID: "link-Ota", Life: time.Hour}))
			}, true},
			{"made for somebody disabled, and taken back", func(f fixture) {
				f.must(f.SetDisabled(ctx(t), mei, 2, true))
				f.must(f.AddLink(ctx(t), mei, 2, store.Link{ID: "link-Ota", Life: time.Hour}))
				f.must(f.SetDisabled(ctx(t), mei, 2, true))
			}, false},
			{"withdrawn", func(f fixture) { f.must(f.Withdraw(ctx(t), mei, 2)) }, false},
		}
		for _, test := range tests {
			f := base.emptied(t)
			withInvited(f)
			test.change(f)
			before := f.dump()
			owner, found := f.LinkOwner(ctx(t), "link-Ota")
			err := f.UseLink(ctx(t), ota, "link-Ota", "h2")
			if test.works {
				f.must(errors.Join(found, err))
				same(t, test.name, "Ota h2 true", fmt.Sprint(owner.Name, " ", f.person(2).Password, " ", f.person(2).CanSignIn()))
				continue
			}
			if !errors.Is(found, store.ErrNotFound) || !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v, %v", test.name, found, err)
			}
			same(t, test.name+": every row", before, f.dump())
		}
	})
}

func TestALinkWorksOnce(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		withAdmins(f)
		f.must(f.StartSession(ctx(t), ota, "h", "o", "browser"))
		f.must(f.AddLink(ctx(t), mei, 2, store.Link{ID: "again", Life: time.Hour}))
		same(t, "the old password, and sessions", []any{store.NoPassword, int64(0)}, []any{f.person(2).Password, f.number(`SELECT COUNT(*) FROM sessions`)})
		if err := f.UseLink(ctx(t), mei, "again", "stolen"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("somebody else's link: %v", err)
		}
		won := 0
		for _, err := range together(20, func(int) error { return f.UseLink(ctx(t), ota, "again", "h3") }) {
			if err == nil {
				won++
			} else if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("a late use got %v", err)
			}
		}
		same(t, "uses that worked", 1, won)
		same(t, "passwords and sessions", []any{"h3", "h", int64(0)}, []any{f.person(2).Password, f.person(1).Password, f.number(`SELECT COUNT(*) FROM sessions`)})
		f.exec(`UPDATE users SET password = 'h' WHERE id = 2`)
		f.must(f.AddLink(ctx(t), mei, 2, store.Link{ID: "old", Life: -time.Second}))
		f.must(f.DropOldLinks(ctx(t)))
		same(t, "expired links left", int64(0), f.number(`SELECT COUNT(*) FROM links`))
	})
}

func TestOwnSessions(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := empty(t, db)
		withAdmins(f)
		for _, id := range []string{"a", "b", "c", "old"} {
			f.must(f.StartSession(ctx(t), mei, "h", id, "browser "+id))
		}
		f.must(f.StartSession(ctx(t), ota, "h", "o", "browser"))
		f.exec(`UPDATE sessions SET used_at = used_at - 3600001 WHERE id = 'old'`)
		f.exec(`UPDATE sessions SET used_at = used_at - 1000 WHERE id = 'a'`)
		ids := func(user int64) string {
			list, err := f.SessionsOf(ctx(t), user, long)
			f.must(err)
			text := ""
			for _, v := range list {
				text += v.ID
				if v.Browser == "" || v.Address == "" || v.StartedAt == 0 || v.UsedAt == 0 {
					t.Errorf("session %+v lacks something", v)
				}
			}
			return text
		}
		if got := ids(1); got != "bca" && got != "cba" {
			t.Errorf("sessions are %q", got)
		}
		rows := f.audited()
		f.must(f.EndOwnSession(ctx(t), mei, "o"))
		f.must(f.EndOwnSession(ctx(t), mei, "nosuch"))
		same(t, "somebody else's session, and audit rows", []any{"o", rows}, []any{ids(2), f.audited()})
		f.must(f.EndOwnSession(ctx(t), mei, "b"))
		same(t, "one ended", "ca", ids(1))
		f.must(f.EndOtherSessions(ctx(t), mei, "a"))
		same(t, "all others ended", "a o", ids(1)+" "+ids(2))
	})
}
