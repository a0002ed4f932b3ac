package store

import "context"

const (
	// OverviewRows bounds the rows that one figure of the overview is counted from, the newest first.
	OverviewRows = 50_000
	// answerRows bounds the calls whose times are looked at.
	answerRows = 5_000
	// OutcomeStep is how fine outcomes are counted, in milliseconds: every zone's days begin at a quarter of an hour.
	OutcomeStep = 15 * 60 * 1000
)

// OutcomeCount counts the changes that began in one quarter of an hour and stand in one state.
type OutcomeCount struct {
	At    int64
	State string // settled, else outcome
	Count int
}

// Outcomes counts changes since a moment by when they began and how they stand: at most the newest OverviewRows. Cut says
// that there are more; then the first quarter of an hour in the list is not complete, and none before it is counted.
func (s *Store) Outcomes(ctx context.Context, since int64) (list []OutcomeCount, cut bool, err error) {
	list, err = all(ctx, s, func(r scanner) (OutcomeCount, error) {
		var c OutcomeCount
		err := r.Scan(&c.At, &c.State, &c.Count)
		c.At *= OutcomeStep
		return c, err
	}, `SELECT b.step, b.state, COUNT(*) FROM (SELECT started_at / 900000 AS step, COALESCE(settled, outcome) AS state FROM changes
			WHERE outcome IS NOT NULL AND started_at >= $1 ORDER BY started_at DESC LIMIT $2) b GROUP BY b.step, b.state ORDER BY b.step, b.state`, since, OverviewRows+1)
	n := 0
	for _, c := range list {
		n += c.Count
	}
	if n <= OverviewRows {
		return list, false, err
	}
	// The row too many is the oldest.
	if list[0].Count--; list[0].Count == 0 {
		list = list[1:]
	}
	return list, true, err
}

// AnswerTime is how long one answered call took, and where.
type AnswerTime struct {
	Region string
	MS     int64
}

// AnswerTimes are those of the newest answered calls since a moment.
func (s *Store) AnswerTimes(ctx context.Context, since int64) ([]AnswerTime, error) {
	return all(ctx, s, func(r scanner) (AnswerTime, error) {
		var a AnswerTime
		err := r.Scan(&a.Region, &a.MS)
		return a, err
	}, `SELECT region, duration_ms FROM changes WHERE duration_ms IS NOT NULL AND error_code IS NOT NULL AND started_at >= $1
		ORDER BY started_at DESC LIMIT $2`, since, answerRows)
}

// CodeCount says how often Tencent gave a code.
type CodeCount struct {
	Code  int64
	Count int
}

// FrequentCodes are the error codes that came most often since a moment, at most ten.
func (s *Store) FrequentCodes(ctx context.Context, since int64) ([]CodeCount, error) {
	return all(ctx, s, func(r scanner) (CodeCount, error) {
		var c CodeCount
		err := r.Scan(&c.Code, &c.Count)
		return c, err
	}, `SELECT b.error_code, COUNT(*) AS n FROM (SELECT error_code FROM changes WHERE error_code <> 0 AND started_at >= $1 ORDER BY started_at DESC LIMIT $2) b
		GROUP BY b.error_code ORDER BY n DESC, b.error_code LIMIT 10`, since, OverviewRows)
}
