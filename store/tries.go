package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Counter counts the tries at something secret: of an account, a browser or an address. Burst tries may come at once,
// then one in each span of Every; in any time T at most Burst + T/Every.
type Counter struct {
	Key   string
	Burst int
	Every time.Duration
}

// TooManyError says that a counter allows no further try for now, and how long that lasts.
type TooManyError struct{ Wait time.Duration }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many tries; the next one in %s", e.Wait)
}

// ReserveTry takes one try from each counter, or from none, and commits before anything is evaluated. However many ask
// at once, each counter's row lets only as many through as it allows. *TooManyError when one of them allows none.
func (s *Store) ReserveTry(ctx context.Context, counters ...Counter) error {
	return s.write(ctx, func(t *tx) error {
		for _, c := range counters {
			if err := t.reserve(c); err != nil {
				return err
			}
		}
		return nil
	})
}

// reserve moves the moment at which the counter is unused again one span on, unless that were more than its burst away.
// A moment farther away than any burst reaches is of a clock that was wrong, and counts as none.
func (t *tx) reserve(c Counter) error {
	every := c.Every.Milliseconds()
	err := t.one(`INSERT INTO tries (counter, used_until) VALUES ($1, {now} + CAST($2 AS BIGINT))
		ON CONFLICT (counter) DO UPDATE SET used_until = CAST($2 AS BIGINT) +
			CASE WHEN tries.used_until < {now} OR tries.used_until > {now} + CAST($3 AS BIGINT) THEN {now} ELSE tries.used_until END
		WHERE tries.used_until <= {now} + CAST($4 AS BIGINT) OR tries.used_until > {now} + CAST($3 AS BIGINT)`,
		c.Key, every, int64(c.Burst)*every, int64(c.Burst-1)*every)
	if !errors.Is(err, ErrMoved) {
		return err
	}
	var wait int64
	err = t.row(`SELECT used_until - CAST($2 AS BIGINT) - {now} FROM tries WHERE counter = $1`, c.Key, int64(c.Burst-1)*every).Scan(&wait)
	if err != nil {
		return err
	}
	return &TooManyError{Wait: max(time.Duration(wait)*time.Millisecond, time.Second)}
}

// giveBack undoes the reservation of a try that succeeded: it was no guess.
func (t *tx) giveBack(c Counter) {
	t.queue(`UPDATE tries SET used_until = used_until - CAST($2 AS BIGINT) WHERE counter = $1`, c.Key, c.Every.Milliseconds())
}

// GiveTriesBack undoes the reservation of a try that succeeded.
func (s *Store) GiveTriesBack(ctx context.Context, counters ...Counter) error {
	return s.write(ctx, func(t *tx) error {
		for _, c := range counters {
			t.giveBack(c)
		}
		return nil
	})
}

// DropUnusedTries removes counters that allow their whole burst again, which says as much as having no row.
func (s *Store) DropUnusedTries(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		// Not those that a try has for itself: it may want another of them.
		t.queue(`DELETE FROM tries WHERE counter IN (SELECT counter FROM tries WHERE used_until <= {now}{free})`)
		return nil
	})
}

// knownBrowsers is how many browsers of one person are remembered; the longest unused ones are forgotten first.
const knownBrowsers = 20

// Welcome is what is remembered of a browser after a sign-in that succeeded.
type Welcome struct {
	UserID   int64
	Old, New string    // hashes of what the browser brought and what it gets instead
	Tries    []Counter // given back
	Fresh    []string  // the keys of counters that start anew
}

// KnowBrowser remembers a browser that somebody signed in with, so that a stranger's wrong guesses do not keep its owner
// out. What other people signed in with before on the same browser moves along to the new id.
func (s *Store) KnowBrowser(ctx context.Context, w Welcome) error {
	return s.write(ctx, func(t *tx) error {
		for _, c := range w.Tries {
			t.giveBack(c)
		}
		for _, key := range w.Fresh {
			t.queue(`DELETE FROM tries WHERE counter = $1`, key)
		}
		t.queue(`UPDATE known_browsers SET id = $1 WHERE id = $2`, w.New, w.Old)
		t.queue(`INSERT INTO known_browsers (id, user_id, used_at) VALUES ($1, $2, {now})
			ON CONFLICT (id, user_id) DO UPDATE SET used_at = excluded.used_at`, w.New, w.UserID)
		t.queue(`DELETE FROM known_browsers WHERE user_id = $1 AND id NOT IN
			(SELECT id FROM known_browsers WHERE user_id = $1 ORDER BY used_at DESC, id LIMIT $2)`, w.UserID, knownBrowsers)
		return nil
	})
}

// KnowsBrowser tells whether somebody of that name signed in before with the browser of that hash.
func (s *Store) KnowsBrowser(ctx context.Context, id, name string, life time.Duration) (bool, error) {
	var n int
	err := s.row(ctx, `SELECT COUNT(*) FROM known_browsers b JOIN users u ON u.id = b.user_id
		WHERE b.id = $1 AND u.name_key = $2 AND b.used_at > {now} - CAST($3 AS BIGINT)`, id, Key(name), life.Milliseconds()).Scan(&n)
	return n > 0, unavailable(err)
}

// DropOldBrowsers forgets browsers that nobody signed in with for so long.
func (s *Store) DropOldBrowsers(ctx context.Context, life time.Duration) error {
	return s.write(ctx, func(t *tx) error {
		t.queue(`DELETE FROM known_browsers WHERE used_at <= {now} - CAST($1 AS BIGINT)`, life.Milliseconds())
		return nil
	})
}
