package store

import "context"

// relatedLimit bounds what is listed of one kind.
const relatedLimit = 5

// relatedLook bounds the entries and plans that are looked through for one relation.
const relatedLook = 50

// Related is what belongs to an entry of the history. Whole entries are given, as what they are to it depends on them.
type Related struct {
	Origin   *Change  // what it repeats, restores or answers; nil for none, or when it is no longer kept
	Later    []Change // what was made from it, newest first, at most 5
	Plans    []Plan   // plans made from it that became no change, newest first, at most 5; expired ones too
	Drift    int64    // the drift that stood when it began, 0 for none, or when it is no longer kept
	Answered int64    // of a drift: the entry that ended it, 0 for none
}

// Beside is what an entry's own query tells of what belongs to it, so that most need no other.
type Beside struct {
	later, plans bool
	drift        int64
}

// besideColumns are those of Beside for the entry of the query, which looks at $2 entries of the app. Whatever makes them
// others writes the app's row, as a new entry does and one that becomes our record; plans and pruning do not.
var besideColumns = `EXISTS (SELECT 1 FROM changes later WHERE later.origin = changes.number), COALESCE((` + besides(`>`, `ASC`, `part.kind = 'drift'`) + `), 0)`

const plansColumn = `EXISTS (SELECT 1 FROM plans WHERE plans.origin = changes.number)`

// Related looks up what belongs to an entry, by indexes alone. A drift and what ended it are found over at most 50
// entries of the app.
func (s *Store) Related(ctx context.Context, c Change, b Beside) (r Related, err error) {
	if b.drift != 0 {
		// Asked anew, as it may have been pruned.
		if err := s.row(ctx, `SELECT COALESCE((SELECT number FROM changes WHERE number = $1), 0)`, b.drift).Scan(&r.Drift); err != nil {
			return r, unavailable(err)
		}
	}
	if c.Origin != 0 {
		origin, err := s.changes(ctx, `SELECT `+changeColumns+` FROM changes WHERE changes.number = $1 AND changes.sdkappid = $2`, c.Origin, c.SDKAppID)
		if err != nil {
			return r, err
		}
		if len(origin) == 1 {
			r.Origin = &origin[0]
		}
	}
	if b.later {
		if r.Later, err = s.changes(ctx, `SELECT `+changeColumns+` FROM changes WHERE changes.origin = $1 ORDER BY changes.number DESC LIMIT $2`, c.Number, relatedLimit); err != nil {
			return r, err
		}
	}
	if b.plans {
		if r.Plans, err = s.unusedPlans(ctx, c.Number); err != nil {
			return r, err
		}
	}
	if c.Kind != KindDrift {
		return r, nil
	}
	err = s.row(ctx, `SELECT COALESCE((`+besides(`<`, `DESC`, `part.kind <> 'drift'`)+`), 0) FROM changes WHERE changes.number = $1`, c.Number, relatedLook).Scan(&r.Answered)
	return r, unavailable(err)
}

// unusedPlans are the plans made from an entry that became no change.
func (s *Store) unusedPlans(ctx context.Context, origin int64) ([]Plan, error) {
	return all(ctx, s, scanPlan, `SELECT `+planColumns+` FROM (SELECT * FROM plans WHERE origin = $1 ORDER BY made_at DESC LIMIT $2) part
		WHERE NOT EXISTS (SELECT 1 FROM changes WHERE changes.plan = part.id) ORDER BY made_at DESC LIMIT $3`, origin, relatedLook, relatedLimit)
}

func (s *Store) changes(ctx context.Context, query string, args ...any) ([]Change, error) {
	return all(ctx, s, scanChange, query, args...)
}

// besides finds the next entry of the same app on one side of the entry of the query that found a drift or made our
// record, looking at $2 entries: its number if it is of the wanted kind, else 0.
func besides(side, order, wanted string) string {
	return `SELECT CASE WHEN ` + wanted + ` THEN part.number ELSE 0 END FROM
			(SELECT near.number, near.kind, near.settled, near.outcome FROM changes near WHERE near.sdkappid = changes.sdkappid AND -near.number ` + side + ` -changes.number
				ORDER BY -near.number ` + order + ` LIMIT $2) part
		WHERE part.kind IN ('drift', 'accepted') OR (part.kind <> 'token' AND COALESCE(part.settled, part.outcome) = 'applied')
		ORDER BY -part.number ` + order + ` LIMIT 1`
}
