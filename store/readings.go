package store

import (
	"context"
	"database/sql"
	"errors"
)

// Reading is an interval in which get_callback kept answering the same configuration.
type Reading struct {
	ID            int64
	SDKAppID      int64
	Configuration Configuration
	FirstSeen     int64
	LastSeen      int64
	RequestID     string
	Drift         int64 // its drift entry, 0 for none
}

// NewReading is one successful answer of get_callback; None counts as one.
type NewReading struct {
	SDKAppID      int64
	Configuration Configuration
	RequestID     string
	DurationMS    int64
	Host          string
	// RecordVersion is the app's record version as known when the read began; a record made meanwhile is not judged by it.
	RecordVersion int64
	// Known is the app's interval as known when the read began, 0 for not known. Where another began meanwhile, an answer
	// that differs from that one may be older: a process may have been frozen in between.
	Known int64
	// Summary is what changes says about the difference to our record, for the drift entry.
	Summary string
	About   []string // URLs and words that a search finds the drift by
}

// KeepReading stores an answer: it prolongs the current interval or begins another. While no change is open it also
// makes the first reading our record, and enters a drift once per interval that differs from our record. An answer that
// only prolongs writes no audit row, and a power cut may take it back. An answer that may be older than the current interval
// is not kept: the current one is returned.
func (s *Store) KeepReading(ctx context.Context, a Actor, n NewReading) (Reading, error) {
	if kept, err := s.seenAgain(ctx, n); !errors.Is(err, ErrMoved) {
		return kept, err
	}
	var kept Reading
	err := s.write(ctx, func(t *tx) error {
		// The update keeps other writers of this app out until the commit.
		app, err := found(scanApp(t.row(`UPDATE apps SET read_at = $1, failed_at = NULL, failed_code = NULL, failed_fault = '' WHERE apps.sdkappid = $2 RETURNING `+appColumns, t.now, n.SDKAppID)))
		if err != nil {
			return err
		}
		if n.Known != 0 && n.Known != app.ReadingID {
			current, err := t.holds(app.ReadingID, n.Configuration.Digest())
			if err == nil && !current {
				err = errOlder
			}
			if err != nil {
				return err
			}
		}
		var begun bool
		if kept, begun, err = t.keepInterval(app, n); err != nil {
			return err
		}
		acted, err := t.judge(a, app, &kept, n)
		if err != nil || (!begun && !acted) {
			return err
		}
		return t.audit(a, "reading.kept", appTarget(n.SDKAppID), map[string]any{"configuration": kept.Configuration.Digest(), "drift": kept.Drift})
	})
	if errors.Is(err, errOlder) {
		return s.CurrentReading(ctx, n.SDKAppID)
	}
	return kept, err
}

// errOlder says that an answer may be older than the app's current interval.
var errOlder = errors.New("the answer may be older than the current reading")

// holds tells whether an interval is of a configuration.
func (t *tx) holds(reading int64, digest string) (bool, error) {
	var n int
	err := t.row(`SELECT COUNT(*) FROM readings WHERE id = $1 AND digest = $2`, reading, digest).Scan(&n)
	return n == 1, err
}

// seenAgain prolongs the current interval where that is all there is to do: the answer is what it was, and so is what is
// to be said about it. ErrMoved where there is more.
func (s *Store) seenAgain(ctx context.Context, n NewReading) (Reading, error) {
	digest := n.Configuration.Digest()
	r := Reading{SDKAppID: n.SDKAppID, Configuration: n.Configuration, RequestID: Text(n.RequestID, requestIDLimit)}
	err := s.writeLightly(ctx, func(t *tx) error {
		r.LastSeen = t.now
		err := t.row(`UPDATE apps SET read_at = $1, failed_at = NULL, failed_code = NULL, failed_fault = '' WHERE sdkappid = $2
				AND EXISTS (SELECT 1 FROM readings WHERE readings.id = apps.reading_id AND readings.digest = $3
					AND apps.drifted = CASE WHEN apps.record_digest = $3 THEN 0 ELSE readings.drift_number END)
			RETURNING reading_id`, t.now, n.SDKAppID, digest).Scan(&r.ID)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrMoved
		}
		if err != nil {
			return err
		}
		return t.row(`UPDATE readings SET last_seen = $1, request_id = $2 WHERE id = $3 RETURNING first_seen, COALESCE(drift_number, 0)`, t.now, r.RequestID, r.ID).Scan(&r.FirstSeen, &r.Drift)
	})
	return r, err
}

// keepInterval prolongs the app's current interval or begins a new one.
func (t *tx) keepInterval(app App, n NewReading) (r Reading, begun bool, err error) {
	digest, err := t.keepConfiguration(n.Configuration)
	if err != nil {
		return r, false, err
	}
	r = Reading{SDKAppID: app.SDKAppID, Configuration: n.Configuration, LastSeen: t.now, RequestID: Text(n.RequestID, requestIDLimit)}
	row := t.row(`UPDATE readings SET last_seen = $1, request_id = $2 WHERE id = $3 AND digest = $4 RETURNING id, first_seen, COALESCE(drift_number, 0)`,
		t.now, r.RequestID, app.ReadingID, digest)
	if _, err = found(r, row.Scan(&r.ID, &r.FirstSeen, &r.Drift)); err == nil {
		return r, false, nil
	} else if !errors.Is(err, ErrNotFound) {
		return r, false, err
	}
	r.FirstSeen = t.now
	err = t.row(`INSERT INTO readings (sdkappid, digest, first_seen, last_seen, request_id) VALUES ($1, $2, $3, $3, $4) RETURNING id`,
		app.SDKAppID, digest, t.now, r.RequestID).Scan(&r.ID)
	if err != nil {
		return r, false, err
	}
	return r, true, t.one(`UPDATE apps SET reading_id = $1 WHERE sdkappid = $2`, r.ID, app.SDKAppID)
}

// judge compares the reading with our record, unless a change is open or our record was made while the read was under way.
func (t *tx) judge(a Actor, app App, r *Reading, n NewReading) (acted bool, err error) {
	open, err := t.openChange(app.SDKAppID)
	if err != nil || open != 0 || app.RecordVersion != n.RecordVersion {
		return false, err
	}
	digest := n.Configuration.Digest()
	switch {
	case app.Record == "":
		return true, t.setRecord(app.SDKAppID, digest, 0)
	case app.Record == digest:
		if app.Drift == 0 {
			return false, nil
		}
		return true, t.one(`UPDATE apps SET drifted = 0 WHERE sdkappid = $1`, app.SDKAppID)
	case r.Drift != 0:
		// The interval has its entry; the app may have been back in step between.
		return false, t.one(`UPDATE apps SET drifted = $1 WHERE sdkappid = $2`, r.Drift, app.SDKAppID)
	}
	return true, t.enterDrift(a, app, r, n)
}

func (t *tx) enterDrift(a Actor, app App, r *Reading, n NewReading) error {
	code := int64(0)
	c := Change{Kind: KindDrift, App: app.Name, SDKAppID: app.SDKAppID, Environment: app.Environment, Region: app.Region, Host: n.Host,
		Call: "get_callback", Previous: app.Record, Found: n.Configuration.Digest(), Summary: n.Summary, StartedAt: t.now,
		ActionStatus: "OK", ErrorCode: &code, RequestID: r.RequestID, DurationMS: &n.DurationMS, Actor: Console}
	number, err := t.insertChange(c, n.About, 0)
	if err != nil {
		return err
	}
	r.Drift = number
	if err := t.one(`UPDATE readings SET drift_number = $1 WHERE id = $2`, number, r.ID); err != nil {
		return err
	}
	if err := t.one(`UPDATE apps SET drifted = $1 WHERE sdkappid = $2`, number, app.SDKAppID); err != nil {
		return err
	}
	return t.audit(a, "drift.found", changeTarget(number), nil)
}

// setRecord makes a configuration our record; number is the entry that says so, 0 for a first reading.
func (t *tx) setRecord(sdkappid int64, digest string, number int64) error {
	// An entry never replaces the record that a newer one made.
	_, err := t.exec(`UPDATE apps SET record_digest = $1, record_number = NULLIF(CAST($2 AS BIGINT), 0), record_made_at = $3, record_version = record_version + 1, drifted = 0
		WHERE sdkappid = $4 AND COALESCE(record_number, 0) <= $2`, digest, number, t.now, sdkappid)
	return err
}

// ReadingFailed notes that the last read of an app told nothing. Code nil: no answer with a code.
func (s *Store) ReadingFailed(ctx context.Context, sdkappid int64, code *int64, fault string) error {
	return s.writeLightly(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE apps SET failed_at = $1, failed_code = $2, failed_fault = $3 WHERE sdkappid = $4`, t.now, code, fault, sdkappid)
		return err
	})
}

// CurrentReading returns the app's current interval; ErrNotFound while it was never read.
func (s *Store) CurrentReading(ctx context.Context, sdkappid int64) (Reading, error) {
	return s.reading(ctx, readingQuery+` JOIN apps a ON a.reading_id = r.id WHERE a.sdkappid = $1`, sdkappid)
}

// Reading returns one interval of an app.
func (s *Store) Reading(ctx context.Context, sdkappid, id int64) (Reading, error) {
	return s.reading(ctx, readingQuery+` WHERE r.id = $1 AND r.sdkappid = $2`, id, sdkappid)
}

const readingQuery = `SELECT r.id, r.sdkappid, r.digest, r.first_seen, r.last_seen, r.request_id, COALESCE(r.drift_number, 0) FROM readings r`

func (s *Store) reading(ctx context.Context, query string, args ...any) (Reading, error) {
	var r Reading
	var digest string
	if _, err := found(r, s.row(ctx, query, args...).Scan(&r.ID, &r.SDKAppID, &digest, &r.FirstSeen, &r.LastSeen, &r.RequestID, &r.Drift)); err != nil {
		return r, err
	}
	var err error
	r.Configuration, err = s.Configuration(ctx, digest)
	return r, err
}
