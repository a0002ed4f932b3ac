package store

import (
	"context"
	"errors"
	"time"
)

// Link lets one person choose a password once, without the old one. Only the hash of its token is stored.
type Link struct {
	ID   string
	Life time.Duration
}

// AddLink makes a link for somebody who has to choose a password anew; links of before are worth nothing afterwards. The
// password of before, all sessions and known browsers end at once, so the link is the only way in. It works for a disabled
// person too, and enables them when used. ErrNotFound.
func (s *Store) AddLink(ctx context.Context, a Actor, user int64, l Link) error {
	return s.people(ctx, a, func(t *tx) error {
		u, err := t.user(user)
		if err != nil {
			return err
		}
		act := "user.link"
		if u.Password != "" {
			act = "user.reset"
			t.endPassword(user)
		}
		t.addLink(user, l)
		return t.audit(a, act, u.Name, nil)
	})
}

// endPassword lets nothing but a link in.
func (t *tx) endPassword(user int64) {
	t.queueOne(`UPDATE users SET password = $1 WHERE id = $2`, NoPassword, user)
	t.shutOut(user, "")
}

func (t *tx) addLink(user int64, l Link) {
	t.queue(`DELETE FROM links WHERE user_id = $1`, user)
	t.queue(`INSERT INTO links (id, user_id, expires_at) VALUES ($1, $2, {now} + CAST($3 AS BIGINT))`, l.ID, user, l.Life.Milliseconds())
}

const livingLink = `FROM links l JOIN users u ON u.id = l.user_id WHERE l.id = $1 AND l.expires_at > {now}`

// LinkOwner finds whose link this is; ErrNotFound when it was used, has expired or never was.
func (s *Store) LinkOwner(ctx context.Context, id string) (User, error) {
	var u User
	err := s.row(ctx, `SELECT u.id, u.name, u.password, u.role, u.language, u.theme, u.time_zone, u.shortcuts, u.created_at `+livingLink, id).
		Scan(&u.ID, &u.Name, &u.Password, &u.Role, &u.Language, &u.Theme, &u.TimeZone, &u.Shortcuts, &u.CreatedAt)
	return found(u, err)
}

// UseLink sets the password of the link's owner, enables them, and ends the link and every session of theirs. Of parallel
// uses one wins, the others get ErrNotFound, as for a link that has expired.
func (s *Store) UseLink(ctx context.Context, a Actor, id, hash string) error {
	return s.write(ctx, func(t *tx) error {
		// The person's row comes first, as everywhere; a second use waits here and then finds no link.
		t.queueOne(`UPDATE users SET password = $1, disabled_at = NULL WHERE id = $2`, hash, a.UserID)
		err := t.one(`DELETE FROM links WHERE id = $1 AND user_id = $2 AND expires_at > {now}`, id, a.UserID)
		if errors.Is(err, ErrMoved) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		t.shutOut(a.UserID, "")
		return t.audit(a, "user.link_used", a.Name, nil)
	})
}

// DropOldLinks removes links that nobody can use any more.
func (s *Store) DropOldLinks(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		t.queue(`DELETE FROM links WHERE expires_at <= {now}`)
		return nil
	})
}
