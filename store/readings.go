package store

import (
	"context"
	"errors"
	"strings"
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

// Kept is what came of an answer.
type Kept struct {
	Reading
	Of   App   // as it is now
	Open int64 // the app's open change, 0 for none
}

// KeepReading stores an answer: it prolongs the current interval or begins another. While no change is open it also
// makes the first reading our record, and enters a drift once per interval that differs from our record. An answer that
// only prolongs writes no audit row, and a power cut may take it back. An answer that may be older than the current interval
// is not kept: the current one is returned.
func (s *Store) KeepReading(ctx context.Context, a Actor, n NewReading) (Kept, error) {
	if kept, err := s.seenAgain(ctx, n); !errors.Is(err, ErrNotFound) {
		return kept, err
	}
	var kept Kept
	err := s.write(ctx, func(t *tx) error {
		app, err := t.app(n.SDKAppID)
		if err != nil {
			return err
		}
		if n.Known != 0 && n.Known != app.ReadingID {
			if err := t.has(`readings WHERE id = $1 AND digest = $2`, app.ReadingID, n.Configuration.Digest()); errors.Is(err, ErrMoved) {
				return errOlder
			} else if err != nil {
				return err
			}
		}
		var begun bool
		if kept.Reading, begun, err = t.keepInterval(app, n); err != nil {
			return err
		}
		acted, err := t.judge(a, app, &kept.Reading, n)
		if err == nil && (begun || acted) {
			err = t.audit(a, "reading.kept", appTarget(n.SDKAppID), map[string]any{"configuration": kept.Configuration.Digest(), "drift": kept.Drift})
		}
		if err != nil {
			return err
		}
		return t.row(`SELECT `+appColumns+`, `+openOfApp+` FROM apps WHERE apps.sdkappid = $1`, n.SDKAppID).Scan(append(kept.Of.fields(), &kept.Open)...)
	})
	if !errors.Is(err, errOlder) {
		return kept, err
	}
	if kept.Reading, err = s.CurrentReading(ctx, n.SDKAppID); err == nil {
		kept.Of, kept.Open, err = s.AppWithOpen(ctx, n.SDKAppID)
	}
	return kept, err
}

// errOlder says that an answer may be older than the app's current interval.
var errOlder = errors.New("the answer may be older than the current reading")

// seenAgain prolongs the current interval where that is all there is to do: the answer is what it was, and so is what is
// to be said about it. ErrNotFound where there is more.
func (s *Store) seenAgain(ctx context.Context, n NewReading) (Kept, error) {
	kept := Kept{Reading: Reading{SDKAppID: n.SDKAppID, Configuration: n.Configuration, RequestID: Text(n.RequestID, requestIDLimit)}}
	digest := n.Configuration.Digest()
	err := s.lightly(ctx, func(t *tx) error {
		kept.LastSeen = t.now
		// The app's row comes first, as everywhere.
		t.queue(`SELECT 1 FROM apps WHERE sdkappid = $1 AND {light}{lock}`, n.SDKAppID)
		t.queue(`UPDATE readings SET last_seen = $1, request_id = $2 WHERE id = (SELECT apps.reading_id FROM apps WHERE apps.sdkappid = $3)
			AND EXISTS (SELECT 1 FROM apps WHERE apps.sdkappid = $3 AND `+asBefore("$4")+`) AND {light}`, t.now, kept.RequestID, n.SDKAppID, digest)
		return foundRow(t.row(`UPDATE apps SET `+readAt+` WHERE apps.sdkappid = $2 AND EXISTS (SELECT 1 FROM readings WHERE readings.id = apps.reading_id AND `+asBefore("$3")+`) AND {light}
			RETURNING (SELECT r.first_seen FROM readings r WHERE r.id = apps.reading_id), (SELECT COALESCE(r.drift_number, 0) FROM readings r WHERE r.id = apps.reading_id), `+
			appColumns+`, `+openOfApp, t.now, n.SDKAppID, digest).Scan(append([]any{&kept.FirstSeen, &kept.Drift}, append(kept.Of.fields(), &kept.Open)...)...))
	})
	kept.ID = kept.Of.ReadingID
	return kept, err
}

// asBefore tells of an app and its current reading whether an answer with a digest is what that one holds, and whether what
// was said about it is still to be said.
func asBefore(digest string) string {
	return strings.ReplaceAll(`readings.digest = {digest} AND apps.drifted = CASE WHEN apps.record_digest = {digest} THEN 0 ELSE readings.drift_number END`, "{digest}", digest)
}

// readAt notes a successful read at $1.
const readAt = `read_at = $1, failed_at = NULL, failed_code = NULL, failed_fault = ''`

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
		t.queueOne(`UPDATE apps SET `+readAt+` WHERE sdkappid = $2`, t.now, app.SDKAppID)
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
	t.queueOne(`UPDATE apps SET `+readAt+`, reading_id = $3 WHERE sdkappid = $2`, t.now, app.SDKAppID, r.ID)
	return r, true, nil
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
		t.setRecord(app.SDKAppID, digest, 0)
		return true, nil
	case app.Record == digest:
		if app.Drift == 0 {
			return false, nil
		}
		t.queueOne(`UPDATE apps SET drifted = 0 WHERE sdkappid = $1`, app.SDKAppID)
		return true, nil
	case r.Drift != 0:
		// The interval has its entry; the app may have been back in step between.
		t.queueOne(`UPDATE apps SET drifted = $1 WHERE sdkappid = $2`, r.Drift, app.SDKAppID)
		return false, nil
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
	t.queueOne(`UPDATE readings SET drift_number = $1 WHERE id = $2`, number, r.ID)
	t.queueOne(`UPDATE apps SET drifted = $1 WHERE sdkappid = $2`, number, app.SDKAppID)
	return t.audit(a, "drift.found", changeTarget(number), nil)
}

// setRecord makes a configuration our record; number is the entry that says so, 0 for a first reading.
func (t *tx) setRecord(sdkappid int64, digest string, number int64) {
	// An entry never replaces the record that a newer one made.
	t.queue(`UPDATE apps SET record_digest = $1, record_number = NULLIF(CAST($2 AS BIGINT), 0), record_made_at = $3, record_version = record_version + 1, drifted = 0
		WHERE sdkappid = $4 AND COALESCE(record_number, 0) <= $2`, digest, number, t.now, sdkappid)
}

// ReadingFailed notes that the last read of an app told nothing. Code nil: no answer with a code.
func (s *Store) ReadingFailed(ctx context.Context, sdkappid int64, code *int64, fault string) error {
	return s.lightly(ctx, func(t *tx) error {
		t.queue(`UPDATE apps SET failed_at = $1, failed_code = $2, failed_fault = $3 WHERE sdkappid = $4 AND {light}`, t.now, code, fault, sdkappid)
		return nil
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
