package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
)

var (
	// ErrLastAdmin says that the act would leave nobody who can sign in as administrator.
	ErrLastAdmin = errors.New("the last active administrator stays")
	// ErrNotAllowed says that whoever acts is no administrator any more.
	ErrNotAllowed = errors.New("not allowed any more")
)

// Person is a user as the list of people shows them.
type Person struct {
	User
	SeenAt   int64 // last use, 0: never
	Sessions int
	LinkEnds int64 // until when a link for a password can be used, 0: there is none
}

// Invited tells that the person has not chosen a password yet.
func (p Person) Invited() bool { return p.Password == "" }

// Reset tells that an administrator ended the person's password, and no other was chosen yet.
func (p Person) Reset() bool { return p.Password == NoPassword }

// Covers tells whether the person's writing may reach an app.
func (u User) Covers(sdkappid int64) bool { return !u.Limited || slices.Contains(u.Apps, sdkappid) }

const personQuery = `SELECT u.id, u.name, u.password, u.role, u.created_at, u.disabled_at, u.limited, u.seen_at,
		(SELECT COUNT(*) FROM sessions s WHERE s.user_id = u.id AND s.used_at > {now} - CAST($1 AS BIGINT) AND s.started_at > {now} - CAST($2 AS BIGINT)),
		(SELECT MAX(l.expires_at) FROM links l WHERE l.user_id = u.id AND l.expires_at > {now})
	FROM users u`

func scanPerson(r scanner) (Person, error) {
	var p Person
	var disabled, seen, link sql.NullInt64
	var limited int64
	err := r.Scan(&p.ID, &p.Name, &p.Password, &p.Role, &p.CreatedAt, &disabled, &limited, &seen, &p.Sessions, &link)
	p.DisabledAt, p.SeenAt, p.LinkEnds, p.Limited = disabled.Int64, seen.Int64, link.Int64, limited == 1
	return p, err
}

// People lists everybody by name, with the apps of those whose writing is limited.
func (s *Store) People(ctx context.Context, l SessionLimits) ([]Person, error) {
	list, err := all(ctx, s, scanPerson, personQuery+` ORDER BY u.name_key`, l.Idle.Milliseconds(), l.Absolute.Milliseconds())
	for i := range list {
		if err == nil && list[i].Limited {
			list[i].Apps, err = s.appsOf(ctx, list[i].ID)
		}
	}
	return list, err
}

// Person finds one of the people by id.
func (s *Store) Person(ctx context.Context, id int64, l SessionLimits) (Person, error) {
	p, err := found(scanPerson(s.row(ctx, personQuery+` WHERE u.id = $3`, l.Idle.Milliseconds(), l.Absolute.Milliseconds(), id)))
	if err == nil && p.Limited {
		p.Apps, err = s.appsOf(ctx, id)
	}
	return p, err
}

// appsOf lists the apps that a person's writing is limited to.
func (s *Store) appsOf(ctx context.Context, id int64) ([]int64, error) {
	return all(ctx, s, func(r scanner) (n int64, err error) { return n, r.Scan(&n) }, `SELECT sdkappid FROM user_apps WHERE user_id = $1 ORDER BY sdkappid`, id)
}

// Rights are what a person may do: a role, and for Limited ones the apps that their writing may reach.
type Rights struct {
	Role    string
	Limited bool
	Apps    []int64
}

// rightsDetail is how the audit trail names rights.
func (r Rights) detail() map[string]any {
	if r.Limited {
		return map[string]any{"role": r.Role, "apps": slices.Sorted(slices.Values(r.Apps))}
	}
	return map[string]any{"role": r.Role}
}

// Invitation is what is needed to invite somebody: no password, but the hash of the link that lets them choose one.
type Invitation struct {
	Name string
	Rights
	Link Link
}

// Invite adds a person who cannot sign in before the link was used; ErrDuplicate when the name is taken.
func (s *Store) Invite(ctx context.Context, a Actor, i Invitation) (int64, error) {
	var id int64
	err := s.people(ctx, a, func(t *tx) error {
		var err error
		if id, err = t.insertUser(NewUser{Name: i.Name, Role: i.Role}); err != nil {
			return err
		}
		t.setApps(id, i.Rights)
		t.addLink(id, i.Link)
		return t.audit(a, "user.invited", i.Name, i.detail())
	})
	return id, err
}

// SetRights gives a person another role or other apps. A new role ends their sessions. ErrLastAdmin, ErrNotFound.
func (s *Store) SetRights(ctx context.Context, a Actor, id int64, r Rights) error {
	return s.people(ctx, a, func(t *tx) error {
		u, err := t.user(id)
		if err != nil {
			return err
		}
		t.queueOne(`UPDATE users SET role = $1 WHERE id = $2`, r.Role, id)
		t.setApps(id, r)
		if u.Role != r.Role {
			t.endSessions(id, "")
		}
		if err := t.adminLeft(u); err != nil {
			return err
		}
		return t.audit(a, "user.rights", u.Name, r.detail())
	})
}

// SetDisabled takes away or gives back that a person can sign in. Disabling ends their sessions and their links, and
// forgets their browsers. ErrLastAdmin, ErrNotFound.
func (s *Store) SetDisabled(ctx context.Context, a Actor, id int64, disabled bool) error {
	return s.people(ctx, a, func(t *tx) error {
		u, err := t.user(id)
		if err != nil {
			return err
		}
		at, act := sql.NullInt64{Int64: t.now, Valid: disabled}, "user.enabled"
		if disabled {
			act = "user.disabled"
			t.shutOut(id, "")
		}
		t.queueOne(`UPDATE users SET disabled_at = $1 WHERE id = $2`, at, id)
		if err := t.adminLeft(u); err != nil {
			return err
		}
		return t.audit(a, act, u.Name, nil)
	})
}

// Withdraw removes a person who was invited and never chose a password; ErrMoved for anybody else.
func (s *Store) Withdraw(ctx context.Context, a Actor, id int64) error {
	return s.people(ctx, a, func(t *tx) error {
		u, err := t.user(id)
		if err != nil {
			return err
		}
		t.shutOut(id, "")
		t.queue(`DELETE FROM user_apps WHERE user_id = $1`, id)
		t.queueOne(`DELETE FROM users WHERE id = $1 AND password = ''`, id)
		return t.audit(a, "user.withdrawn", u.Name, nil)
	})
}

// people runs one act on people at a time, and only of a person who is an administrator and can sign in at that very
// moment, or of the console itself.
func (s *Store) people(ctx context.Context, a Actor, f func(*tx) error) error {
	return s.write(ctx, func(t *tx) error {
		// A row of its own keeps parallel acts apart on both databases, so that the last of two administrators is seen as
		// such. The audit's head row would do too, but others take it after rows of people.
		t.queue(`INSERT INTO meta (name, value) VALUES ('people', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, []byte{})
		if a.Kind == PersonActor {
			var n int
			err := t.row(`SELECT COUNT(*) FROM users WHERE id = $1 AND role = 'admin' AND disabled_at IS NULL AND password NOT IN ('', $2)`, a.UserID, NoPassword).Scan(&n)
			if err != nil {
				return err
			}
			if n == 0 {
				return ErrNotAllowed
			}
		}
		return f(t)
	})
}

// adminLeft refuses what would leave nobody who can sign in as administrator; u is the person as they were before.
func (t *tx) adminLeft(u User) error {
	if u.Role != Admin || !u.CanSignIn() {
		return nil // who could not sign in as one takes none away
	}
	var n int
	err := t.row(`SELECT COUNT(*) FROM users WHERE role = 'admin' AND disabled_at IS NULL AND password NOT IN ('', $1)`, NoPassword).Scan(&n)
	if err == nil && n == 0 {
		return ErrLastAdmin
	}
	return err
}

// user reads a person and keeps other writers off them until the commit. It comes before what belongs to the person.
func (t *tx) user(id int64) (User, error) {
	u, err := scanUser(t.row(`SELECT `+userColumns+` FROM users WHERE id = $1{lock}`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return u, ErrNotFound
	}
	return u, err
}

// setApps replaces the apps that a person's writing is limited to.
func (t *tx) setApps(id int64, r Rights) {
	limited := 0
	if r.Limited {
		limited = 1
	}
	t.queueOne(`UPDATE users SET limited = $1 WHERE id = $2`, limited, id)
	t.queue(`DELETE FROM user_apps WHERE user_id = $1`, id)
	if !r.Limited {
		return
	}
	for _, app := range slices.Compact(slices.Sorted(slices.Values(r.Apps))) {
		t.queueOne(`INSERT INTO user_apps (user_id, sdkappid) SELECT $1, sdkappid FROM apps WHERE sdkappid = $2`, id, app)
	}
}

// endSessions ends a person's sessions but the one to keep.
func (t *tx) endSessions(id int64, keep string) {
	t.queue(`DELETE FROM sessions WHERE user_id = $1 AND id <> $2`, id, keep)
}

// shutOut ends every way in that a person has besides name and password, except one session ("" for none).
func (t *tx) shutOut(id int64, keep string) {
	t.endSessions(id, keep)
	t.queue(`DELETE FROM links WHERE user_id = $1`, id)
	t.queue(`DELETE FROM known_browsers WHERE user_id = $1`, id)
}
