package store_test

import (
	"strings"
	"testing"

	"callboard/store"
	"callboard/store/storetest"
)

func TestOverviewCounts(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := past(t, db) // 1 applied, 2 refused, 3 settled applied, 4 drift, 5 not sent, 6 unknown, 7 pending
		const step = store.OutcomeStep
		f.exec(`UPDATE changes SET started_at = CAST($1 AS BIGINT) + number * 1000`, start-start%step)
		f.exec(`UPDATE changes SET started_at = started_at + CAST($1 AS BIGINT) WHERE number > 5`, step)
		f.exec(`UPDATE changes SET region = 'usa', duration_ms = 70 WHERE number = 2`)
		base := int64(start - start%step)
		outcomes, cut, err := f.Outcomes(ctx(t), base)
		f.must(err)
		same(t, "cut", false, cut)
		same(t, "outcomes", []store.OutcomeCount{{At: base, State: store.Applied, Count: 2}, {At: base, State: store.NotSent, Count: 1}, {At: base, State: store.Refused, Count: 1},
			{At: base + step, State: store.Pending, Count: 1}, {At: base + step, State: store.Unknown, Count: 1}}, outcomes)
		outcomes, _, err = f.Outcomes(ctx(t), base+3000)
		f.must(err)
		same(t, "outcomes since the third", 4, len(outcomes))

		times, err := f.AnswerTimes(ctx(t), base)
		f.must(err)
		same(t, "answer times", []store.AnswerTime{{Region: "singapore", MS: 12}, {Region: "usa", MS: 70}, {Region: "singapore", MS: 31}}, times)
		times, err = f.AnswerTimes(ctx(t), base+2000)
		f.must(err)
		same(t, "answer times since the second", 2, len(times))

		f.exec(`UPDATE changes SET error_code = 60020 WHERE number IN (5, 6)`)
		codes, err := f.FrequentCodes(ctx(t), base)
		f.must(err)
		same(t, "codes", []store.CodeCount{{Code: 60020, Count: 2}, {Code: 100002, Count: 1}}, codes)
		codes, err = f.FrequentCodes(ctx(t), base+3000)
		f.must(err)
		same(t, "codes since the third", []store.CodeCount{{Code: 60020, Count: 2}}, codes)
	})
}

// TestOverviewIsBounded has more rows than are looked at.
func TestOverviewIsBounded(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.many(50_000)
		_, cut, err := f.Outcomes(ctx(t), 0)
		f.must(err)
		same(t, "just as many are all", false, cut)
		f.many(100)
		f.exec(`UPDATE changes SET error_code = 1, duration_ms = number, started_at = number`)
		sum := 0
		outcomes, cut, err := f.Outcomes(ctx(t), 0)
		f.must(err)
		same(t, "more are cut", true, cut)
		for _, c := range outcomes {
			sum += c.Count
		}
		same(t, "changes counted", 50_000, sum)
		times, err := f.AnswerTimes(ctx(t), 0)
		f.must(err)
		same(t, "times", 5_000, len(times))
		same(t, "the newest time", int64(50_100), times[0].MS)
		codes, err := f.FrequentCodes(ctx(t), 0)
		f.must(err)
		same(t, "codes", []store.CodeCount{{Code: 1, Count: 50_000}}, codes)
	})
}

// TestOverviewUsesItsIndexes looks at the plan of each query: a range of its own index, by time.
func TestOverviewUsesItsIndexes(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		f := newFixture(t, db)
		f.many(3000)
		f.settled()
		seen := f.watched()
		for index, use := range map[string]func() error{
			"changes_time":    func() error { return one2(f.Outcomes(ctx(t), 2900)) },
			"changes_answers": func() error { return one(f.AnswerTimes(ctx(t), 2900)) },
			"changes_codes":   func() error { return one(f.FrequentCodes(ctx(t), 2900)) },
		} {
			seen.clear()
			f.must(use())
			for _, st := range seen.all() {
				plan := f.explain(st)
				if !strings.Contains(plan, index) || !strings.Contains(plan, "started_at") {
					t.Errorf("%s is not used by %s:\n%s", index, st.text, plan)
				}
			}
		}
	})
}
