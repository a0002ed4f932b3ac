package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Session is a signed-in browser, known by the hash of the random id in its cookie.
type Session struct {
	ID        string
	User      User
	StartedAt int64
	UsedAt    int64
	Fresh     bool // last use was written less than a minute ago
}

// SessionLimits say how long a session lives without use and in all.
type SessionLimits struct {
	Idle, Absolute time.Duration
}

// StartSession signs a person in: one row, and the audit row of the sign-in. password is the hash that was checked;
// ErrMoved: the person has another one by now, or was disabled.
func (s *Store) StartSession(ctx context.Context, a Actor, password, id, browser string) error {
	return s.write(ctx, func(t *tx) error {
		// The update keeps a change of the password out until the commit.
		t.queueOne(`UPDATE users SET seen_at = $3 WHERE id = $1 AND password = $2 AND disabled_at IS NULL`, a.UserID, password, t.now)
		t.queue(`INSERT INTO sessions (id, user_id, started_at, used_at, address, browser) VALUES ($1, $2, {now}, {now}, $3, $4)`,
			id, a.UserID, a.Address, Text(browser, 300))
		return t.audit(a, "session.started", a.Name, nil)
	})
}

// UnknownName stands in the audit for a user name that nobody has: it may be a password, typed into the wrong field.
const UnknownName = "?"

// SignInFailed records a refused sign-in. What was typed is kept when it is somebody's name, and the password never.
func (s *Store) SignInFailed(ctx context.Context, a Actor, typed string) error {
	return s.write(ctx, func(t *tx) error {
		name := UnknownName
		if err := t.row(`SELECT name FROM users WHERE name_key = $1`, Key(typed)).Scan(&name); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return t.audit(a, "session.refused", name, nil)
	})
}

// refusalEvery is how often the same refusal of the same person is written down.
const refusalEvery = time.Minute

// AccessRefused records that a person asked for a route that their role does not allow; at most once a minute for each
// person and route, so that nobody can fill the audit.
func (s *Store) AccessRefused(ctx context.Context, a Actor, route string) error {
	since := s.now() - refusalEvery.Milliseconds()
	var known int
	// Asked first without a transaction, which would keep others from writing.
	err := s.row(ctx, refusedBefore, a.UserID, route, since).Scan(&known)
	if err != nil || known > 0 {
		return unavailable(err)
	}
	return s.write(ctx, func(t *tx) error {
		// The head row lets only one of several at once write.
		if err := t.has(auditHead); err != nil {
			return err
		}
		if err := t.row(refusedBefore, a.UserID, route, since).Scan(&known); err != nil || known > 0 {
			return err
		}
		return t.audit(a, "access.refused", route, nil)
	})
}

const refusedBefore = `SELECT COUNT(*) FROM audit WHERE act = 'access.refused' AND user_id = $1 AND target = $2 AND at > $3`

// Session finds a living session: not expired by the database's clock, of a person who is not disabled.
func (s *Store) Session(ctx context.Context, id string, l SessionLimits) (Session, error) {
	var v Session
	var fresh, limited int64
	u := &v.User
	err := s.row(ctx, `SELECT s.id, s.started_at, s.used_at, CASE WHEN s.used_at > {now} - 60000 THEN 1 ELSE 0 END,
			u.id, u.name, u.password, u.role, u.language, u.theme, u.time_zone, u.shortcuts, u.created_at, u.limited
		FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.id = $1 AND s.used_at > {now} - CAST($2 AS BIGINT) AND s.started_at > {now} - CAST($3 AS BIGINT) AND u.disabled_at IS NULL`,
		id, l.Idle.Milliseconds(), l.Absolute.Milliseconds()).
		Scan(&v.ID, &v.StartedAt, &v.UsedAt, &fresh, &u.ID, &u.Name, &u.Password, &u.Role, &u.Language, &u.Theme, &u.TimeZone, &u.Shortcuts, &u.CreatedAt, &limited)
	v.Fresh, u.Limited = fresh == 1, limited == 1
	if err == nil && u.Limited {
		u.Apps, err = s.appsOf(ctx, u.ID)
	}
	return found(v, err)
}

// TouchSession writes the last use, of the session and of the person.
func (s *Store) TouchSession(ctx context.Context, id string) error {
	return s.lightly(ctx, func(t *tx) error {
		// The person's row comes first, as everywhere.
		t.queue(`UPDATE users SET seen_at = $1 WHERE id = (SELECT user_id FROM sessions WHERE id = $2) AND {light}`, t.now, id)
		t.queue(`UPDATE sessions SET used_at = {now} WHERE id = $1 AND {light}`, id)
		return nil
	})
}

// EndSession signs out. A session that is gone already is no error.
func (s *Store) EndSession(ctx context.Context, a Actor, id string) error {
	return s.write(ctx, func(t *tx) error {
		t.queue(`DELETE FROM sessions WHERE id = $1`, id)
		return t.audit(a, "session.ended", a.Name, nil)
	})
}

// SignedIn is one of a person's sessions, as the account page lists them.
type SignedIn struct {
	ID, Address, Browser string
	StartedAt, UsedAt    int64
}

// SessionsOf lists the living sessions of a person, the last used first.
func (s *Store) SessionsOf(ctx context.Context, user int64, l SessionLimits) ([]SignedIn, error) {
	return all(ctx, s, func(r scanner) (v SignedIn, err error) {
		return v, r.Scan(&v.ID, &v.Address, &v.Browser, &v.StartedAt, &v.UsedAt)
	}, `SELECT id, address, browser, started_at, used_at FROM sessions
		WHERE user_id = $1 AND used_at > {now} - CAST($2 AS BIGINT) AND started_at > {now} - CAST($3 AS BIGINT) ORDER BY used_at DESC, id`,
		user, l.Idle.Milliseconds(), l.Absolute.Milliseconds())
}

// EndOwnSession ends one of the actor's own sessions; one that is gone already, or of somebody else, is no error and no act.
func (s *Store) EndOwnSession(ctx context.Context, a Actor, id string) error {
	return s.write(ctx, func(t *tx) error {
		err := t.one(`DELETE FROM sessions WHERE id = $1 AND user_id = $2`, id, a.UserID)
		if errors.Is(err, ErrMoved) {
			return nil
		}
		if err != nil {
			return err
		}
		return t.audit(a, "session.ended", a.Name, nil)
	})
}

// EndOtherSessions ends all sessions of the actor but the one to keep.
func (s *Store) EndOtherSessions(ctx context.Context, a Actor, keep string) error {
	return s.write(ctx, func(t *tx) error {
		t.endSessions(a.UserID, keep)
		return t.audit(a, "session.others_ended", a.Name, nil)
	})
}

// DropExpiredSessions removes rows that no request can use any more.
func (s *Store) DropExpiredSessions(ctx context.Context, l SessionLimits) error {
	return s.write(ctx, func(t *tx) error {
		t.queue(`DELETE FROM sessions WHERE used_at <= {now} - CAST($1 AS BIGINT) OR started_at <= {now} - CAST($2 AS BIGINT)`,
			l.Idle.Milliseconds(), l.Absolute.Milliseconds())
		return nil
	})
}

// CookieKeys returns the keys of the session cookie, newest first, and makes the first with fresh when there is none.
// Each key is 96 bytes: 64 to sign, 32 to encrypt.
func (s *Store) CookieKeys(ctx context.Context, fresh func() ([]byte, error)) ([][]byte, error) {
	var keys [][]byte
	err := s.sealing(ctx, func(t *tx) error {
		// The head row lets only one of several starting processes make the first key.
		if err := t.has(auditHead); err != nil {
			return err
		}
		var err error
		if keys, err = t.cookieKeys(); err != nil || len(keys) > 0 {
			return err
		}
		key, err := fresh()
		if err != nil {
			return fmt.Errorf("making a cookie key: %w", err)
		}
		keys = [][]byte{key}
		return t.addCookieKey(key)
	})
	return keys, err
}

// cookieKeys opens the newest key and the one before it.
func (t *tx) cookieKeys() ([][]byte, error) {
	var list [][]byte
	err := t.rows(func(r scanner) error {
		var id int64
		var sealed []byte
		if err := r.Scan(&id, &sealed); err != nil {
			return err
		}
		key, err := t.s.unseal(cookieKeys, id, sealed)
		list = append(list, key)
		return err
	}, `SELECT id, sealed FROM cookie_keys ORDER BY id DESC LIMIT 2`)
	return list, err
}

func (t *tx) addCookieKey(key []byte) error {
	// The row comes first, as its id is part of what the key is bound to.
	var id int64
	if err := t.row(`INSERT INTO cookie_keys (made_at, sealed) VALUES ($1, $2) RETURNING id`, t.now, []byte{}).Scan(&id); err != nil {
		return err
	}
	sealed, err := t.seal(cookieKeys, id, key)
	if err != nil {
		return err
	}
	t.queueOne(`UPDATE cookie_keys SET sealed = $1 WHERE id = $2`, sealed, id)
	return nil
}
