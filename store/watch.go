package store

import (
	"context"
	"errors"
	"time"
)

// ClaimWatch takes the app whose scheduled read is due the longest and puts its next one off by wait. ErrNotFound:
// nothing is due. Of several processes only one gets it. Archived apps and those not watched are left alone. A power cut may
// take the claim back; the app is read once more then.
func (s *Store) ClaimWatch(ctx context.Context, wait time.Duration) (App, error) {
	var a App
	err := s.lightly(ctx, func(t *tx) error {
		return foundRow(t.row(`UPDATE apps SET watch_at = {now} + CAST($1 AS BIGINT)
			WHERE apps.sdkappid = (SELECT d.sdkappid FROM apps d WHERE d.watch_at <= {now} AND d.watched = 1 AND d.archived_at IS NULL ORDER BY d.watch_at LIMIT 1)
				AND apps.watch_at <= {now} AND {light} RETURNING `+appColumns, wait.Milliseconds()).Scan(a.fields()...))
	})
	return a, err
}

// SetWatched switches the scheduled reads of an app on or off.
func (s *Store) SetWatched(ctx context.Context, a Actor, sdkappid int64, on bool) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.one(`UPDATE apps SET watched = $1, watch_at = 0 WHERE sdkappid = $2`, flag(on), sdkappid); errors.Is(err, ErrMoved) {
			return ErrNotFound
		} else if err != nil {
			return err
		}
		return t.audit(a, "app.watched", appTarget(sdkappid), map[string]bool{"watched": on})
	})
}

// AcceptRecord makes what an app's newest reading holds our record, as an entry of the history. ErrMoved: the newest
// reading is no longer the one with this digest. *OpenChangeError: a change is open.
func (s *Store) AcceptRecord(ctx context.Context, a Actor, sdkappid int64, digest, reason string) (number int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		app, err := t.app(sdkappid)
		if err != nil {
			return err
		}
		if err := t.mayAccept(app, digest); err != nil {
			return err
		}
		// It is found by what the drift is found by.
		var about string
		if _, err := found(about, t.row(`SELECT search FROM changes WHERE number = $1`, app.Drift).Scan(&about)); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		number, err = t.insertChange(Change{Kind: KindAccepted, SDKAppID: sdkappid, App: app.Name, Environment: app.Environment, Region: app.Region, Actor: a,
			Reason: reason, Previous: app.Record, Found: digest, Origin: app.Drift, StartedAt: t.now}, []string{about}, 0)
		if err != nil {
			return err
		}
		t.setRecord(sdkappid, digest, number)
		return t.audit(a, "record.accepted", changeTarget(number), nil)
	})
	return number, err
}

func (t *tx) mayAccept(app App, digest string) error {
	if err := t.free(app); err != nil {
		return err
	}
	if app.Drift == 0 {
		return ErrMoved // accepted before, or back in step
	}
	return t.has(`readings WHERE id = $1 AND digest = $2`, app.ReadingID, storable(digest))
}

// Evidence is a moment, or an interval, at which an app's configuration was seen or set.
type Evidence struct {
	From, Until   int64
	Number        int64 // the change that set it, 0 for a reading
	Configuration Configuration
}

// At is what is known of an app's configuration at a moment.
type At struct {
	Proof         *Evidence // a reading that covers the moment; nil: nothing proves it
	Before, After *Evidence // the nearest evidence on both sides, nil where there is none
}

// ConfigurationAt looks up what was configured for an app at a moment.
func (s *Store) ConfigurationAt(ctx context.Context, sdkappid, at int64) (At, error) {
	var v At
	var err error
	v.Proof, err = s.evidence(ctx, `SELECT r.first_seen, r.last_seen, 0, c.body FROM readings r JOIN configurations c ON c.digest = r.digest
		WHERE r.sdkappid = $1 AND r.first_seen <= $2 AND r.last_seen >= $2 ORDER BY r.id DESC LIMIT 1`, sdkappid, at)
	if err != nil {
		return v, err
	}
	if v.Before, err = s.evidence(ctx, nearest(`<=`, `last_seen`, `DESC`), sdkappid, at); err != nil {
		return v, err
	}
	v.After, err = s.evidence(ctx, nearest(`>=`, `first_seen`, `ASC`), sdkappid, at)
	return v, err
}

// nearest finds the reading or applied change next to a moment on one side.
func nearest(side, column, order string) string {
	return `SELECT e.a, e.b, e.n, c.body FROM (
			SELECT r.first_seen AS a, r.last_seen AS b, 0 AS n, r.digest AS d, r.` + column + ` AS k, r.id AS i FROM readings r WHERE r.sdkappid = $1 AND r.` + column + ` ` + side + ` $2
			UNION ALL
			SELECT h.at, h.at, h.number, h.wanted, h.at, h.number FROM (SELECT ended_at AS at, number, wanted FROM changes
				WHERE sdkappid = $1 AND outcome = 'applied' AND kind <> 'token' AND ended_at ` + side + ` $2 ORDER BY ended_at ` + order + `, number ` + order + ` LIMIT 1) h
		) e JOIN configurations c ON c.digest = e.d ORDER BY e.k ` + order + `, e.n ` + order + `, e.i ` + order + ` LIMIT 1`
}

func (s *Store) evidence(ctx context.Context, query string, args ...any) (*Evidence, error) {
	list, err := all(ctx, s, func(r scanner) (Evidence, error) {
		var e Evidence
		var body string
		if err := r.Scan(&e.From, &e.Until, &e.Number, &body); err != nil {
			return e, err
		}
		var err error
		e.Configuration, err = parseConfiguration(body)
		return e, err
	}, query, args...)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// DriftSince bounds the moment of a drift: the cloud was last seen otherwise at earliest (0: never), and first seen so at latest.
func (s *Store) DriftSince(ctx context.Context, sdkappid, number int64) (earliest, latest int64, err error) {
	err = s.row(ctx, `SELECT r.first_seen, COALESCE((SELECT MAX(p.last_seen) FROM readings p WHERE p.sdkappid = r.sdkappid AND p.id < r.id), 0)
		FROM readings r WHERE r.sdkappid = $1 AND r.drift_number = $2 ORDER BY r.id LIMIT 1`, sdkappid, number).Scan(&latest, &earliest)
	_, err = found(latest, err)
	return earliest, latest, err
}
