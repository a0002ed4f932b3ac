package store

import (
	"context"
	"strings"
)

// Plan is a stored proposal. Base and Wanted are digests of stored configurations.
type Plan struct {
	ID        string
	Kind      string // KindChange or another kind that has outcomes
	SDKAppID  int64
	Call      string // what it would call at Tencent
	Base      string // the reading that it was opened on
	BaseSeen  int64  // when that reading was last seen
	OpenedAt  int64  // when the form was opened, 0 when no form was
	Wanted    string
	Reason    string
	UserID    int64
	Who       string
	Role      string
	Region    string
	Newest    int64 // the app's newest entry when the plan was made
	Origin    int64 // the entry that it repeats or restores, 0 for none
	MadeAt    int64
	ExpiresAt int64
}

// AddPlan stores a plan under the id that the caller drew. Wanted is given whole, as it may be new.
func (s *Store) AddPlan(ctx context.Context, a Actor, p Plan, wanted Configuration) (Plan, error) {
	err := s.write(ctx, func(t *tx) error {
		var err error
		if p, err = t.addPlan(a, p, wanted); err != nil {
			return err
		}
		return t.auditPlan(a, p)
	})
	return p, err
}

func (t *tx) auditPlan(a Actor, p Plan) error {
	return t.audit(a, "plan.made", appTarget(p.SDKAppID), map[string]string{"plan": p.ID})
}

// addPlan leaves the audit to the caller, as it comes last.
func (t *tx) addPlan(a Actor, p Plan, wanted Configuration) (Plan, error) {
	var err error
	if p.Wanted, err = t.keepConfiguration(wanted); err != nil {
		return p, err
	}
	if err = t.row(`SELECT COALESCE(-MIN(-number), 0) FROM changes WHERE sdkappid = $1`, p.SDKAppID).Scan(&p.Newest); err != nil {
		return p, err
	}
	p.UserID, p.Who, p.Role, p.MadeAt = a.UserID, a.Name, a.Role, t.now
	t.queue(`INSERT INTO plans (id, kind, sdkappid, call, base, base_seen, opened_at, wanted, reason, user_id, who, role, region, newest, origin, made_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, NULLIF(CAST($15 AS BIGINT), 0), $16, $17)`,
		p.ID, p.Kind, p.SDKAppID, p.Call, p.Base, p.BaseSeen, p.OpenedAt, p.Wanted, p.Reason, p.UserID, p.Who, p.Role, p.Region, p.Newest, p.Origin, p.MadeAt, p.ExpiresAt)
	return p, nil
}

// KeepConfiguration stores a configuration that nothing refers to yet and returns its digest.
func (s *Store) KeepConfiguration(ctx context.Context, c Configuration) (digest string, err error) {
	err = s.write(ctx, func(t *tx) error {
		digest, err = t.keepConfiguration(c)
		return err
	})
	return digest, err
}

const planColumns = `id, kind, sdkappid, call, base, base_seen, opened_at, wanted, reason, user_id, who, role, region, newest, COALESCE(origin, 0), made_at, expires_at`

func (p *Plan) fields() []any {
	return []any{&p.ID, &p.Kind, &p.SDKAppID, &p.Call, &p.Base, &p.BaseSeen, &p.OpenedAt, &p.Wanted, &p.Reason, &p.UserID, &p.Who, &p.Role, &p.Region,
		&p.Newest, &p.Origin, &p.MadeAt, &p.ExpiresAt}
}

func scanPlan(r scanner) (Plan, error) {
	var p Plan
	err := r.Scan(p.fields()...)
	return p, err
}

// Plan returns a stored plan, expired ones too, and what became of it.
func (s *Store) Plan(ctx context.Context, id string) (p Plan, st PlanState, err error) {
	st, err = scanPlanState(s.row(ctx, `SELECT `+planColumns+`, `+planState("plans.id", "plans.sdkappid", "plans.newest", "plans.region")+` FROM plans WHERE id = $1`, storable(id)),
		p.fields()...)
	return p, st, err
}

// PlanState is what became of a plan: used, blocked by an open change, or overtaken by newer changes.
type PlanState struct {
	Number int64 // its own change, 0 while there is none
	Open   int64 // another open change of its app, 0 for none
	Stale  bool
}

// givenPlanState is planState of a plan whose parts are given as $1 to $4.
var givenPlanState = planState("$1", "$2", "CAST($3 AS BIGINT)", "$4")

// planState is how a plan of an app stands, made when newest was the app's newest entry and region its region. It is stale
// when a newer change ended applied or overtaken, or the region is another now. A→B→A does not revive a plan.
func planState(plan, sdkappid, newest, region string) string {
	return strings.NewReplacer("{plan}", plan, "{app}", sdkappid, "{newest}", newest, "{region}", region).Replace(
		`COALESCE((SELECT MAX(c.number) FROM changes c WHERE c.plan = {plan}), 0),
	COALESCE((SELECT number FROM changes WHERE sdkappid = {app} AND ` + stillOpen + `), 0),
	EXISTS (SELECT 1 FROM changes c WHERE c.sdkappid = {app} AND -c.number < -{newest}
			AND (c.settled IN ('applied', 'overtaken') OR (c.settled IS NULL AND c.outcome = 'applied')))
		OR NOT EXISTS (SELECT 1 FROM apps a WHERE a.sdkappid = {app} AND a.region = {region})`)
}

// scanPlanState reads the columns of planState after those that go before.
func scanPlanState(r scanner, before ...any) (st PlanState, err error) {
	if _, err := found(st, r.Scan(append(before, &st.Number, &st.Open, &st.Stale)...)); err != nil {
		return st, err
	}
	if st.Open == st.Number {
		st.Open = 0
	}
	return st, nil
}
