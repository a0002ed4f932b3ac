package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kinds of entries in the history.
const (
	KindChange   = "change"
	KindDelete   = "delete"
	KindToken    = "token"
	KindDrift    = "drift"
	KindAccepted = "accepted"
)

// Outcomes, and ways in which an unknown one was settled.
const (
	Pending    = "pending"
	Applied    = "applied"
	Refused    = "refused"
	Unknown    = "unknown"
	NotSent    = "not_sent"
	NotApplied = "not_applied"
	Overtaken  = "overtaken"
)

// Causes: why an outcome is what it is, where Tencent's answer does not say it. Others are faults of the call.
const (
	CauseStale    = "stale"     // a newer change ended meanwhile, or the region is another
	CauseMoved    = "moved"     // the cloud is no longer what the plan was opened on
	CauseUnread   = "unread"    // the read just before writing failed
	CauseLate     = "late"      // the time in which sending is allowed had passed
	CauseStore    = "store"     // the row could not be looked at just before sending
	CauseLeftOver = "left_over" // the process ended between intent and outcome
	CauseByHand   = "by_hand"   // a person closed it
)

// Change is one entry of the history.
type Change struct {
	Number       int64
	Kind         string
	SDKAppID     int64
	App          string
	Environment  string
	Region       string
	Host         string
	Call         string
	Attempt      *int64
	Plan         string
	Origin       int64
	Outcome      string // "" for kinds without outcome
	Settled      string
	Cause        string
	Actor        Actor
	Reason       string
	Summary      string // what it does in short, in the form that package changes writes and reads
	Previous     string // digests, "" for none
	Wanted       string
	Found        string // what the read just before writing, or the drift, found
	StartedAt    int64
	EndedAt      int64 // 0: not yet
	SettledAt    int64
	DurationMS   *int64
	HTTPStatus   *int64 // nil: no answer
	ActionStatus string
	ErrorCode    *int64
	ErrorInfo    string
	RequestID    string
	ClockAheadMS *int64
	ReadBack     string // what the cloud held after an applied change, "" while not read
	ReadBackAt   int64
	Checks       int64 // read-backs that told nothing
	CheckedAt    int64
	CheckCode    *int64
	CheckFault   string
	NextCheckAt  int64 // by the database's clock, 0 for none
	GraceUntil   int64 // by the database's clock
}

// Open tells whether the change still holds its app.
func (c Change) Open() bool {
	return c.Settled == "" && (c.Outcome == Pending || c.Outcome == Unknown)
}

// State is what pages show: settled, else outcome.
func (c Change) State() string {
	if c.Settled != "" {
		return c.Settled
	}
	return c.Outcome
}

// OpenChangeError says that another change of the app is open.
type OpenChangeError struct{ Number int64 }

func (e *OpenChangeError) Error() string { return fmt.Sprintf("change %d is open", e.Number) }

// errAttempt says that the drawn attempt id was used for this app before.
var errAttempt = errors.New("the attempt id is taken")

// IsAttemptTaken tells whether another attempt id has to be drawn.
func IsAttemptTaken(err error) bool { return errors.Is(err, errAttempt) }

// ErrArchived says that the app was put away.
var ErrArchived = errors.New("the app is archived")

// PointIntentInserted is where the intent is written but not committed.
const PointIntentInserted = "intent_inserted"

// Intent is what is written before the first byte leaves.
type Intent struct {
	Plan    Plan
	Host    string
	Attempt uint32
	Summary string
	About   []string // URLs and words that a search finds the entry by
	Lease   time.Duration
}

// OpenChange writes the intent of a plan and returns its change. A plan has one change: when it exists already, that one
// is returned with made false. A stale plan gets a change that ended not_sent at once, with made false too:
// made tells whether the caller carries the change out. Errors: *OpenChangeError, ErrArchived,
// IsAttemptTaken.
func (s *Store) OpenChange(ctx context.Context, a Actor, in Intent) (number int64, made bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		app, st, err := t.mayOpen(in)
		if err != nil || st.Number != 0 {
			number = st.Number
			return err
		}
		number, made, err = t.openChangeOf(a, app, in, st.Stale)
		return err
	})
	if err != nil {
		return 0, false, err
	}
	return number, made, nil
}

// free tells whether an app can get a new record: it is not put away, and no change of it is open.
func (t *tx) free(app App) error {
	if app.ArchivedAt != 0 {
		return ErrArchived
	}
	open, err := t.openChange(app.SDKAppID)
	if err == nil && open != 0 {
		err = &OpenChangeError{Number: open}
	}
	return err
}

// mayOpen gives the app and keeps other writers off it, and says how the plan stands; when that has its change already, it
// is no error.
func (t *tx) mayOpen(in Intent) (app App, st PlanState, err error) {
	var taken bool
	p := in.Plan
	known := t.ask(app.fields(), lockedApp, p.SDKAppID)
	st, err = scanPlanState(t.row(`SELECT EXISTS (SELECT 1 FROM changes WHERE sdkappid = $2 AND attempt = $5), `+givenPlanState, p.ID, p.SDKAppID, p.Newest, p.Region, int64(in.Attempt)), &taken)
	switch {
	case err != nil:
		return app, st, err
	case !*known:
		return app, st, ErrNotFound
	case st.Number != 0:
		return app, st, nil
	case app.ArchivedAt != 0:
		return app, st, ErrArchived
	case st.Open != 0:
		return app, st, &OpenChangeError{Number: st.Open}
	case taken:
		return app, st, errAttempt
	}
	return app, st, nil
}

func (t *tx) openChangeOf(a Actor, app App, in Intent, stale bool) (number int64, pending bool, err error) {
	attempt := int64(in.Attempt)
	p := in.Plan
	c := Change{Kind: p.Kind, SDKAppID: p.SDKAppID, App: app.Name, Environment: app.Environment, Region: app.Region, Host: in.Host, Call: p.Call,
		Attempt: &attempt, Plan: p.ID, Origin: p.Origin, Outcome: Pending, Actor: a, Reason: p.Reason, Summary: in.Summary,
		Previous: p.Base, Wanted: p.Wanted, StartedAt: t.now}
	if stale {
		c.Outcome, c.Cause, c.EndedAt = NotSent, CauseStale, t.now
	}
	number, err = t.insertChange(c, in.About, in.Lease)
	if err != nil {
		return 0, false, err
	}
	t.addSteps(number, intentSteps(p, t.now, stale))
	if stale && c.Kind == KindToken {
		t.eraseToken(number)
	}
	t.s.reached(PointIntentInserted)
	return number, !stale, t.audit(a, "change.opened", changeTarget(number), map[string]any{"plan": p.ID, "outcome": c.Outcome})
}

// Steps of a change's timeline.
const (
	StepOpened   = "form_opened"
	StepPlanned  = "plan_made"
	StepIntent   = "intent"
	StepRead     = "read"       // the read just before writing, unchanged
	StepMoved    = "moved"      // it found something else
	StepUnread   = "unread"     // it failed
	StepSent     = "sent"       // the request left
	StepAnswered = "answered"   // an answer came
	StepNoAnswer = "no_answer"  // none came, or none that can be understood
	StepStale    = "stale"      // not sent: the plan was overtaken
	StepNotSent  = "not_sent"   // not sent for another cause
	StepLeftOver = "left_over"  // found without an outcome
	StepSettled  = "settled"    // settled by reading back, by a late answer or by hand
	StepClosed   = "closed"     // by whom and why, when it was settled by hand
	StepLate     = "late_reply" // the writer came back after its row was taken for left over
)

// Step is one line of a timeline.
type Step struct {
	At     int64
	Name   string
	Code   *int64
	Detail string
}

func intentSteps(p Plan, now int64, stale bool) []Step {
	var steps []Step
	if p.OpenedAt != 0 {
		steps = append(steps, Step{At: p.OpenedAt, Name: StepOpened})
	}
	steps = append(steps, Step{At: p.MadeAt, Name: StepPlanned}, Step{At: now, Name: StepIntent})
	if stale {
		steps = append(steps, Step{At: now, Name: StepStale})
	}
	return steps
}

// addSteps continues a timeline, in one statement.
func (t *tx) addSteps(number int64, steps []Step) {
	if len(steps) == 0 {
		return
	}
	var rows []string
	args := []any{number}
	for i, st := range steps {
		at := st.At
		if at == 0 {
			at = t.now
		}
		n := len(args)
		rows = append(rows, fmt.Sprintf("($1, (SELECT COALESCE(MAX(seq), 0) FROM change_steps WHERE number = $1) + %d, $%d, $%d, $%d, $%d)", i+1, n+1, n+2, n+3, n+4))
		args = append(args, at, st.Name, st.Code, Text(st.Detail, 500))
	}
	t.queue(`INSERT INTO change_steps (number, seq, at, step, code, detail) VALUES `+strings.Join(rows, ", "), args...)
}

// searchLimit bounds what a search looks through of an entry, in bytes: two of the longest URLs, every word and a reason fit.
const searchLimit = 8000

// errorInfoLimit is as much of what Tencent wrote as a client keeps, in bytes.
const errorInfoLimit = 8 << 10

// Searchable is what a search for words finds an entry by.
func Searchable(c Change, about []string) string {
	return Text(strings.ToLower(strings.Join(append([]string{c.App, c.Actor.Name, c.Reason}, about...), " ")), searchLimit)
}

// insertChange writes an entry as it stands and makes it the app's newest. The lease is that of a pending one, which is
// looked after when it has passed.
func (t *tx) insertChange(c Change, about []string, lease time.Duration) (int64, error) {
	var number int64
	err := t.row(`INSERT INTO changes (kind, sdkappid, app, environment, region, host, call, attempt, plan, origin, outcome, cause,
			actor, user_id, who, who_key, role, address, reason, summary, previous, wanted, found, started_at, ended_at, duration_ms, action_status, error_code, request_id, search,
			lease_until, next_check_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULLIF($9, ''), NULLIF(CAST($10 AS BIGINT), 0), NULLIF($11, ''), $12, $13, $14, $15, $16, $17, $18, $19, $20,
			NULLIF($21, ''), NULLIF($22, ''), NULLIF($23, ''), $24, NULLIF(CAST($25 AS BIGINT), 0), $26, $27, $28, $29, $30,
			CASE WHEN $11 = 'pending' THEN {now} + CAST($31 AS BIGINT) END, CASE WHEN $11 = 'pending' THEN {now} + CAST($31 AS BIGINT) END)
		RETURNING number`,
		c.Kind, c.SDKAppID, c.App, c.Environment, c.Region, c.Host, c.Call, c.Attempt, c.Plan, c.Origin, c.Outcome, c.Cause,
		c.Actor.Kind, userID(c.Actor), c.Actor.Name, Key(c.Actor.Name), c.Actor.Role, c.Actor.Address, c.Reason, c.Summary,
		c.Previous, c.Wanted, c.Found, c.StartedAt, c.EndedAt, c.DurationMS, c.ActionStatus, c.ErrorCode, c.RequestID, Searchable(c, about), lease.Milliseconds()).Scan(&number)
	if err != nil {
		return 0, err
	}
	t.queueOne(`UPDATE apps SET last_number = $1 WHERE sdkappid = $2`, number, c.SDKAppID)
	return number, nil
}

// MaySend tells whether a pending change is still young enough for a call that takes at most deadline.
func (s *Store) MaySend(ctx context.Context, number int64, deadline time.Duration) (bool, error) {
	var n int
	err := s.row(ctx, `SELECT COUNT(*) FROM changes WHERE number = $1 AND outcome = 'pending' AND lease_until - CAST($2 AS BIGINT) >= {now}`,
		number, deadline.Milliseconds()).Scan(&n)
	return n == 1, unavailable(err)
}

// Reply is what one call at Tencent left behind.
type Reply struct {
	Call         string
	DurationMS   int64
	HTTPStatus   *int64
	ActionStatus string
	ErrorCode    *int64
	ErrorInfo    string
	RequestID    string
	ClockAheadMS *int64
	Request      []byte
	Answer       []byte
	AnswerSize   int64
	AnswerCut    bool
}

// Ending is how a change ended at first.
type Ending struct {
	Outcome string // Applied, Refused, Unknown or NotSent
	Cause   string
	Reply   *Reply // nil when no call was made
	Found   *Configuration
	Steps   []Step
	Grace   time.Duration // how long an unknown call may still land
}

// CloseChange writes the outcome of a pending change. When the row was taken for left over meanwhile, the answer is kept
// and, where it is definite, settles the change; when it was settled already, only the exchange and a step are added.
// It may be repeated.
func (s *Store) CloseChange(ctx context.Context, a Actor, number int64, e Ending) error {
	return s.write(ctx, func(t *tx) error {
		c, err := t.change(number)
		if err != nil {
			return err
		}
		late := c.Outcome != Pending
		if late && (c.Outcome != Unknown || c.Cause != CauseLeftOver) {
			return nil // this ending was written before
		}
		if late {
			// A commit whose answer was lost is repeated; the step tells that it was done.
			var kept int
			if err := t.row(`SELECT COUNT(*) FROM change_steps WHERE number = $1 AND step = $2`, number, StepLate).Scan(&kept); err != nil || kept > 0 {
				return err
			}
		}
		if err := t.hear(&c, e); err != nil {
			return err
		}
		if late {
			return t.closeLate(a, c, e)
		}
		return t.close(a, c, e)
	})
}

// change reads an entry and keeps other writers off it until the commit.
func (t *tx) change(number int64) (Change, error) {
	return found(scanChange(t.row(`SELECT `+changeColumns+` FROM changes WHERE changes.number = $1{lock}`, number)))
}

func (t *tx) close(a Actor, c Change, e Ending) error {
	t.queueOne(`UPDATE changes SET `+heard+`, outcome = $11, cause = $12, ended_at = $13, grace_until = {now} + CAST($14 AS BIGINT), checks_since = {now}, lease_until = NULL,
			next_check_at = CASE WHEN $11 IN ('unknown', 'applied') THEN {now} ELSE NULL END WHERE number = $1 AND outcome = 'pending'`,
		append(c.heard(), e.Outcome, e.Cause, t.now, e.Grace.Milliseconds())...)
	if c.Kind == KindToken {
		t.eraseToken(c.Number)
	} else if e.Outcome == Applied {
		t.setRecord(c.SDKAppID, c.Wanted, c.Number)
	}
	t.addSteps(c.Number, e.Steps)
	return t.audit(a, "change.ended", changeTarget(c.Number), map[string]string{"outcome": e.Outcome, "cause": e.Cause})
}

// closeLate is for a writer that comes back after its row was taken for left over.
func (t *tx) closeLate(a Actor, c Change, e Ending) error {
	t.queueOne(`UPDATE changes SET `+heard+` WHERE number = $1`, c.heard()...)
	settled := map[string]string{Applied: Applied, Refused: NotApplied, NotSent: NotApplied}[e.Outcome]
	t.addSteps(c.Number, append(e.Steps, Step{Name: StepLate}))
	if c.Settled != "" || settled == "" {
		// Now the end of the call is known, from which on it may still land for a while.
		t.queue(`UPDATE changes SET grace_until = {now} + CAST($1 AS BIGINT) WHERE number = $2 AND settled IS NULL`, e.Grace.Milliseconds(), c.Number)
		return t.audit(a, "change.late", changeTarget(c.Number), map[string]string{"outcome": e.Outcome})
	}
	return t.settle(a, c, Settlement{Settled: settled, Cause: c.Cause})
}

// hear takes over what came back, and stores the exchange, once per change. The row is for the caller to write.
func (t *tx) hear(c *Change, e Ending) (err error) {
	if e.Found != nil {
		if c.Found, err = t.keepConfiguration(*e.Found); err != nil {
			return err
		}
	}
	r := e.Reply
	if r == nil {
		return nil
	}
	c.Call, c.DurationMS, c.HTTPStatus, c.ActionStatus = r.Call, &r.DurationMS, r.HTTPStatus, Text(r.ActionStatus, 64)
	c.ErrorCode, c.ErrorInfo, c.RequestID, c.ClockAheadMS = r.ErrorCode, Text(r.ErrorInfo, errorInfoLimit), Text(r.RequestID, requestIDLimit), r.ClockAheadMS
	t.queue(`INSERT INTO exchanges (number, request, answer, answer_size, answer_cut) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (number) DO NOTHING`,
		c.Number, notNil(r.Request), notNil(r.Answer), r.AnswerSize, flag(r.AnswerCut))
	return nil
}

// heard are the columns of what came back, for the change $1.
const heard = `found = NULLIF($2, ''), call = $3, duration_ms = $4, http_status = $5, action_status = $6, error_code = $7, error_info = $8, request_id = $9, clock_ahead_ms = $10`

func (c *Change) heard() []any {
	return []any{c.Number, c.Found, c.Call, c.DurationMS, c.HTTPStatus, c.ActionStatus, c.ErrorCode, c.ErrorInfo, c.RequestID, c.ClockAheadMS}
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Settlement is how an unknown change was settled.
type Settlement struct {
	Settled string // Applied, NotApplied or Overtaken
	Cause   string // "" by reading back, CauseByHand by a person, CauseLeftOver by a late answer
	Reason  string
	Found   *Configuration // what was read back
}

// Settle settles an unknown change; ErrMoved when it was settled already.
func (s *Store) Settle(ctx context.Context, a Actor, number int64, how Settlement) error {
	return s.write(ctx, func(t *tx) error {
		c, err := t.change(number)
		if errors.Is(err, ErrNotFound) || (err == nil && (c.Outcome != Unknown || c.Settled != "")) {
			return ErrMoved
		}
		if err != nil {
			return err
		}
		return t.settle(a, c, how)
	})
}

func (t *tx) settle(a Actor, c Change, how Settlement) error {
	back := ""
	if how.Found != nil {
		digest, err := t.keepConfiguration(*how.Found)
		if err != nil {
			return err
		}
		back = digest
	}
	// Without a reading the cloud is looked at once more, so that the page can say what is there now.
	t.queueOne(`UPDATE changes SET settled = $1, settled_at = $2, checks_since = {now}, checks = 0, next_check_at = CASE WHEN $3 = '' THEN {now} ELSE NULL END,
			read_back = NULLIF($3, ''), read_back_at = CASE WHEN $3 = '' THEN NULL ELSE CAST($2 AS BIGINT) END
		WHERE number = $4 AND settled IS NULL`, how.Settled, t.now, back, c.Number)
	if how.Settled == Applied && c.Kind != KindToken {
		t.setRecord(c.SDKAppID, c.Wanted, c.Number)
	}
	detail := how.Settled
	if how.Cause == CauseByHand {
		detail = CauseByHand
	}
	steps := []Step{{Name: StepSettled, Detail: detail}}
	if how.Cause == CauseByHand {
		steps = append(steps, Step{Name: StepClosed, Detail: a.Name + ": " + how.Reason})
	}
	t.addSteps(c.Number, steps)
	return t.audit(a, "change.settled", changeTarget(c.Number), map[string]string{"settled": how.Settled, "cause": how.Cause, "reason": how.Reason})
}

// LeaseOver turns a pending change whose lease has passed into unknown. ErrMoved: it ended meanwhile, or is not due.
func (s *Store) LeaseOver(ctx context.Context, a Actor, number int64, grace time.Duration) error {
	return s.write(ctx, func(t *tx) error {
		t.queueOne(`UPDATE changes SET outcome = 'unknown', cause = $1, ended_at = $2, grace_until = lease_until + CAST($3 AS BIGINT), lease_until = NULL,
				checks_since = {now}, next_check_at = {now}
			WHERE number = $4 AND outcome = 'pending' AND lease_until <= {now}`, CauseLeftOver, t.now, grace.Milliseconds(), number)
		t.eraseToken(number)
		t.addSteps(number, []Step{{Name: StepLeftOver}})
		return t.audit(a, "change.left_over", changeTarget(number), nil)
	})
}

// ClaimDue takes the change whose look is due the longest, and puts its next look off: 5 s ahead in the first minute,
// then 60 s. ErrNotFound: nothing is due. Of several processes only one gets it. A power cut may take the claim back, which
// costs one look more.
func (s *Store) ClaimDue(ctx context.Context) (Change, error) {
	return s.claim(ctx, `(SELECT number FROM changes WHERE next_check_at <= {now} ORDER BY next_check_at LIMIT 1) AND next_check_at <= {now}`)
}

// Claim takes one open change for a look at once, as a person asked.
func (s *Store) Claim(ctx context.Context, number int64) (Change, error) {
	return s.claim(ctx, `$1 AND next_check_at IS NOT NULL`, number)
}

func (s *Store) claim(ctx context.Context, which string, args ...any) (Change, error) {
	var c Change
	err := s.lightly(ctx, func(t *tx) error {
		return foundRow(t.row(`UPDATE changes SET next_check_at = {now} + CASE WHEN checks_since IS NULL OR checks_since > {now} - 60000 THEN 5000 ELSE 60000 END
			WHERE changes.number = `+which+` AND {light} RETURNING `+changeColumns, args...).Scan(c.fields()...))
	})
	return c, err
}

// Postpone notes a look that told nothing. Last ends the looks at a change that is not open.
func (s *Store) Postpone(ctx context.Context, number int64, code *int64, fault string, last bool) error {
	return s.lightly(ctx, func(t *tx) error {
		t.queue(`UPDATE changes SET checks = checks + 1, checked_at = $1, check_code = $2, check_fault = $3,
				next_check_at = CASE WHEN CAST($4 AS BIGINT) = 1 AND NOT (settled IS NULL AND outcome IN ('pending', 'unknown')) THEN NULL ELSE next_check_at END
			WHERE number = $5 AND {light}`, t.now, code, fault, flag(last), number)
		return nil
	})
}

// GraceOver tells whether a call can no longer land, by the database's clock.
func (s *Store) GraceOver(ctx context.Context, number int64) (bool, error) {
	var n int
	err := s.row(ctx, `SELECT COUNT(*) FROM changes WHERE number = $1 AND grace_until <= {now}`, number).Scan(&n)
	return n == 1, unavailable(err)
}

// KeepReadBack notes what the cloud held after a change that is no longer open, and ends the looks at it.
func (s *Store) KeepReadBack(ctx context.Context, a Actor, number int64, c Configuration) error {
	return s.write(ctx, func(t *tx) error {
		digest, err := t.keepConfiguration(c)
		if err != nil {
			return err
		}
		t.queueOne(`UPDATE changes SET read_back = $1, read_back_at = $2, next_check_at = NULL
			WHERE number = $3 AND NOT (settled IS NULL AND outcome IN ('pending', 'unknown'))`, digest, t.now, number)
		return t.audit(a, "change.read_back", changeTarget(number), map[string]string{"configuration": digest})
	})
}

// Change returns one entry.
func (s *Store) Change(ctx context.Context, number int64) (Change, error) {
	return found(scanChange(s.row(ctx, `SELECT `+changeColumns+` FROM changes WHERE changes.number = $1`, number)))
}

const changeColumns = `changes.number, changes.kind, changes.sdkappid, changes.app, changes.environment, changes.region, changes.host, changes.call, changes.attempt, COALESCE(changes.plan, ''), COALESCE(changes.origin, 0),
	COALESCE(changes.outcome, ''), COALESCE(changes.settled, ''), changes.cause, changes.actor, COALESCE(changes.user_id, 0), changes.who, changes.role, changes.address, changes.reason, changes.summary,
	COALESCE(changes.previous, ''), COALESCE(changes.wanted, ''), COALESCE(changes.found, ''), changes.started_at, COALESCE(changes.ended_at, 0), COALESCE(changes.settled_at, 0), changes.duration_ms,
	changes.http_status, changes.action_status, changes.error_code, changes.error_info, changes.request_id, changes.clock_ahead_ms, COALESCE(changes.read_back, ''), COALESCE(changes.read_back_at, 0),
	changes.checks, COALESCE(changes.checked_at, 0), changes.check_code, changes.check_fault, COALESCE(changes.next_check_at, 0), COALESCE(changes.grace_until, 0)`

func (c *Change) fields() []any {
	return []any{&c.Number, &c.Kind, &c.SDKAppID, &c.App, &c.Environment, &c.Region, &c.Host, &c.Call, &c.Attempt, &c.Plan, &c.Origin,
		&c.Outcome, &c.Settled, &c.Cause, &c.Actor.Kind, &c.Actor.UserID, &c.Actor.Name, &c.Actor.Role, &c.Actor.Address, &c.Reason, &c.Summary,
		&c.Previous, &c.Wanted, &c.Found, &c.StartedAt, &c.EndedAt, &c.SettledAt, &c.DurationMS,
		&c.HTTPStatus, &c.ActionStatus, &c.ErrorCode, &c.ErrorInfo, &c.RequestID, &c.ClockAheadMS, &c.ReadBack, &c.ReadBackAt,
		&c.Checks, &c.CheckedAt, &c.CheckCode, &c.CheckFault, &c.NextCheckAt, &c.GraceUntil}
}

func scanChange(r scanner) (Change, error) {
	var c Change
	err := r.Scan(c.fields()...)
	return c, err
}

func changeTarget(number int64) string { return fmt.Sprintf("change %d", number) }
