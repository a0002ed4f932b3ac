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
	Drift    int64    // the drift that stood when it began, 0 for none
	Answered int64    // of a drift: the entry that ended it, 0 for none
}

// Related looks up what belongs to an entry, by indexes alone. A drift and what ended it are found over at most 50
// entries of the app.
func (s *Store) Related(ctx context.Context, c Change) (r Related, err error) {
	origin, err := s.changes(ctx, `SELECT `+changeColumns+` FROM changes WHERE changes.number = $1 AND changes.sdkappid = $2`, c.Origin, c.SDKAppID)
	if err != nil {
		return r, err
	}
	if len(origin) == 1 {
		r.Origin = &origin[0]
	}
	if r.Later, err = s.changes(ctx, `SELECT `+changeColumns+` FROM changes WHERE changes.origin = $1 ORDER BY changes.number DESC LIMIT $2`, c.Number, relatedLimit); err != nil {
		return r, err
	}
	r.Plans, err = all(ctx, s, scanPlan, `SELECT `+planColumns+` FROM (SELECT * FROM plans WHERE origin = $1 ORDER BY made_at DESC LIMIT $2) part
		WHERE NOT EXISTS (SELECT 1 FROM changes WHERE changes.plan = part.id) ORDER BY made_at DESC LIMIT $3`, c.Number, relatedLook, relatedLimit)
	if err != nil {
		return r, err
	}
	if r.Drift, err = s.nearestRecord(ctx, `<`, `DESC`, `part.kind = 'drift'`, c); err != nil || c.Kind != KindDrift {
		return r, err
	}
	r.Answered, err = s.nearestRecord(ctx, `>`, `ASC`, `part.kind <> 'drift'`, c)
	return r, err
}

func (s *Store) changes(ctx context.Context, query string, args ...any) ([]Change, error) {
	return all(ctx, s, scanChange, query, args...)
}

// nearestRecord is the next entry of the app on one side that found a drift or made our record, if it is of the wanted
// kind; 0 otherwise.
func (s *Store) nearestRecord(ctx context.Context, side, order, wanted string, c Change) (int64, error) {
	list, err := all(ctx, s, func(r scanner) (number int64, err error) { return number, r.Scan(&number) },
		`SELECT CASE WHEN `+wanted+` THEN part.number ELSE 0 END FROM
			(SELECT number, kind, settled, outcome FROM changes WHERE sdkappid = $1 AND number `+side+` $2 ORDER BY number `+order+` LIMIT $3) part
		WHERE part.kind IN ('drift', 'accepted') OR (part.kind <> 'token' AND COALESCE(part.settled, part.outcome) = 'applied')
		ORDER BY part.number `+order+` LIMIT 1`, c.SDKAppID, c.Number, relatedLook)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[0], nil
}
