package store

import (
	"context"
	"time"
)

// pruneRows bounds the rows that one step looks at, so that other writers need not wait long.
const pruneRows = 100

// Pruning is how far a pruning has come. The zero value begins one.
type Pruning struct {
	table int
	from  int64
}

// pruned is one table in the order in which rows are removed: what refers to others goes first.
type pruned struct {
	// batch gives the last key of the rows that come next and the oldest time among them; 0 where there are none.
	batch string
	// drop removes what is old between the keys $1 and $2, $3 being the limit.
	drop []string
}

// oldChanges are the numbers of entries that may go: not open, and no app's newest, nor what its record, drift or current
// reading refers to.
const oldChanges = `SELECT c.number FROM changes c WHERE c.number > $1 AND c.number <= $2 AND COALESCE(c.settled_at, c.started_at) < $3
	AND (c.settled IS NOT NULL OR c.outcome IS NULL OR c.outcome NOT IN ('pending', 'unknown'))
	AND NOT EXISTS (SELECT 1 FROM apps a WHERE a.sdkappid = c.sdkappid AND (c.number = a.last_number OR c.number = a.record_number OR c.number = a.drifted))
	AND NOT EXISTS (SELECT 1 FROM apps a JOIN readings r ON r.id = a.reading_id WHERE a.sdkappid = c.sdkappid AND r.drift_number = c.number)`

// ofOldChanges says the bounds of the step once more for the table itself. Without them PostgreSQL, once it plans for any
// bounds, reads a long table whole for a hundred rows of it.
const ofOldChanges = ` WHERE number > $1 AND number <= $2 AND number IN (` + oldChanges + `)`

var prunings = []pruned{
	{
		`SELECT COALESCE(MAX(b.number), 0), COALESCE(MIN(b.started_at), 0) FROM (SELECT number, started_at FROM changes WHERE number > $1 ORDER BY number LIMIT $2) b`,
		[]string{`DELETE FROM exchanges` + ofOldChanges, `DELETE FROM change_steps` + ofOldChanges, `DELETE FROM changes` + ofOldChanges},
	},
	{
		`SELECT COALESCE(MAX(b.made_at), 0), COALESCE(MIN(b.made_at), 0) FROM (SELECT made_at FROM plans WHERE made_at > $1 ORDER BY made_at LIMIT $2) b`,
		[]string{`DELETE FROM rotations WHERE ended_at < $3 AND plan IN (SELECT id FROM plans WHERE made_at > $1 AND made_at <= $2)`,
			`DELETE FROM plans WHERE made_at > $1 AND made_at <= $2 AND expires_at < $3 AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.plan = plans.id)
				AND NOT EXISTS (SELECT 1 FROM rotations r WHERE r.plan = plans.id)`},
	},
	{
		`SELECT COALESCE(MAX(b.id), 0), COALESCE(MIN(b.first_seen), 0) FROM (SELECT id, first_seen FROM readings WHERE id > $1 ORDER BY id LIMIT $2) b`,
		[]string{`DELETE FROM readings WHERE id > $1 AND id <= $2 AND last_seen < $3 AND NOT EXISTS (SELECT 1 FROM apps a WHERE a.sdkappid = readings.sdkappid AND a.reading_id = readings.id)`},
	},
}

// PruneStep looks at the next few rows, removes those that are older than keep, and tells whether to go on. Entries go
// with their steps and exchanges, then plans that no entry came from, then readings. What stays whatever its age: open
// changes, each app's newest entry and reading, what our record and an open drift refer to, configurations, the audit.
func (s *Store) PruneStep(ctx context.Context, keep time.Duration, at *Pruning) (more bool, err error) {
	if at.table == len(prunings) {
		return false, nil
	}
	p := prunings[at.table]
	var last, oldest int64
	err = s.write(ctx, func(t *tx) error {
		limit := t.now - keep.Milliseconds()
		if err := t.row(p.batch, at.from, pruneRows).Scan(&last, &oldest); err != nil {
			return err
		}
		if oldest >= limit {
			last = 0 // rows come in the order of their times, so all that follow are newer
		}
		if last == 0 {
			return nil
		}
		for _, statement := range p.drop {
			t.queue(statement, at.from, last, limit)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if at.from = last; last == 0 {
		at.table++
	}
	return at.table < len(prunings), nil
}
