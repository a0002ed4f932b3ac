package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
)

// auditSearch is how many rows a search for several things at once looks at before it asks whether to go on.
var auditSearch int64 = 50_000 // tests make it smaller

// ActGroup is what one choice of a filter stands for.
type ActGroup struct {
	Name string
	Acts []string
}

// ActGroups put every act into a group. A refused sign-in is in two, as it is looked for under both names.
var ActGroups = []ActGroup{
	{"sign_ins", []string{"session.started", "session.ended", "session.others_ended", "session.refused", "user.link_used"}},
	{"people", []string{"user.added", "user.invited", "user.withdrawn", "user.rights", "user.disabled", "user.enabled", "user.link", "user.reset", "user.link_used", "user.preferences", "user.password"}},
	{"apps", []string{"app.added", "app.edited", "app.archived", "app.taken_back", "app.watched"}},
	{"changes", []string{"plan.made", "change.opened", "change.ended", "change.settled", "change.late", "change.left_over", "change.read_back", "record.accepted",
		"token.shown", "rotation.started", "rotation.learned", "rotation.seen", "rotation.dropped", "rotation.ended"}},
	{"readings", []string{"reading.kept", "drift.found"}},
	{"keys", []string{"keys.added", "keys.rotated", "keys.retired"}},
	{"exports", []string{"history.exported", "bundle.made"}},
	{"refused", []string{"session.refused", "access.refused"}},
}

// ActsOf are the acts of a group; none for a name that is no group.
func ActsOf(group string) []string {
	for _, g := range ActGroups {
		if g.Name == group {
			return g.Acts
		}
	}
	return nil
}

// AuditFilter selects audit rows. Zero values select everything.
type AuditFilter struct {
	Before   int64    // numbers below this one, the cursor
	Person   string   // who acted, or on whom; the whole name
	Acts     []string // any of these
	SDKAppID int64    // about the app or one of its changes
	From, To int64    // times from From on and before To
	Limit    int
}

// AuditPage is a part of the audit trail, newest first.
type AuditPage struct {
	Entries []AuditEntry
	// SearchedTo is the number below which was not looked yet, 0 when everything was.
	SearchedTo int64
}

// AuditTrail lists audit rows, newest first. One field is an index look-up; days, and several fields at once, look at a
// bounded number of rows, and the page says how far back that was.
func (s *Store) AuditTrail(ctx context.Context, f AuditFilter) (AuditPage, error) {
	low, high, err := s.auditWindow(ctx, f)
	if err != nil || low > high {
		return AuditPage{}, err
	}
	var page AuditPage
	// A clock that was set back puts rows of other days into a window.
	if (f.fields() > 1 || f.days()) && high-low >= auditSearch {
		low = high - auditSearch + 1
		page.SearchedTo = low
	}
	query, args := f.query(low, high)
	if page.Entries, err = all(ctx, s, scanAudit, query, args...); err != nil {
		return AuditPage{}, err
	}
	if len(page.Entries) == f.Limit {
		page.SearchedTo = 0 // what follows begins below the last row
	}
	return page, nil
}

// fields counts what is looked for; days only narrow the window.
func (f AuditFilter) fields() int {
	n := 0
	for _, set := range []bool{f.Person != "", len(f.Acts) > 0, f.SDKAppID != 0} {
		if set {
			n++
		}
	}
	return n
}

func (f AuditFilter) days() bool { return f.From != 0 || f.To != 0 }

// auditWindow gives the lowest and highest number that the cursor and the days allow. Numbers have no gaps, so a window
// bounds the rows in it. It looks at the first and the last rows of the days alone: a clock that was set back over fewer
// rows than these makes the window wider, never too narrow.
func (s *Store) auditWindow(ctx context.Context, f AuditFilter) (low, high int64, err error) {
	query, args := `SELECT 1, MAX(number) FROM audit`, []any{}
	if f.days() {
		const edge = `(SELECT number FROM audit WHERE at >= $1 AND at < $2 ORDER BY at %[1]s, number %[1]s LIMIT %[2]d) AS edge`
		query = `SELECT (SELECT MIN(number) FROM ` + fmt.Sprintf(edge, "ASC", auditSearch) + `), (SELECT MAX(number) FROM ` + fmt.Sprintf(edge, "DESC", auditSearch) + `)`
		args = []any{f.From, f.until()}
	}
	var first, last sql.NullInt64
	if err := s.row(ctx, query, args...).Scan(&first, &last); err != nil {
		return 0, 0, unavailable(err)
	}
	if high = last.Int64; f.Before > 0 {
		high = min(high, f.Before-1)
	}
	return max(first.Int64, 1), high, nil
}

func (f AuditFilter) until() int64 {
	if f.To == 0 {
		return math.MaxInt64
	}
	return f.To
}

// query puts one look-up for each index that is needed together: a person acts or is acted on, a group has several acts.
func (f AuditFilter) query(low, high int64) (string, []any) {
	q := &auditQuery{limit: f.Limit}
	q.low, q.high = q.value(low), q.value(high)
	if f.days() {
		q.days = fmt.Sprintf(` AND audit.at >= %s AND audit.at < %s`, q.value(f.From), q.value(f.until()))
	}
	switch {
	case f.fields() > 1:
		q.look(f.together(q))
	case f.Person != "":
		who := q.value(storable(f.Person))
		q.look(` AND who = ` + who)
		q.look(` AND target = ` + who + ` AND who <> ` + who)
	case f.SDKAppID != 0:
		q.lookIn(`audit_apps JOIN audit ON audit.number = audit_apps.number`, `audit_apps.number`, ` AND sdkappid = `+q.value(f.SDKAppID))
	case len(f.Acts) > 0:
		for _, act := range f.Acts {
			q.look(` AND act = ` + q.value(act))
		}
	default:
		q.look("")
	}
	return `SELECT * FROM (` + strings.Join(q.parts, ` UNION ALL `) + `) AS parts ORDER BY number DESC` + q.rows(), q.args
}

// together asks for several fields at once, for windows of few rows.
func (f AuditFilter) together(q *auditQuery) string {
	var where string
	if f.Person != "" {
		who := q.value(storable(f.Person))
		where += ` AND (who = ` + who + ` OR target = ` + who + `)`
	}
	if f.SDKAppID != 0 {
		where += ` AND EXISTS (SELECT 1 FROM audit_apps WHERE audit_apps.number = audit.number AND sdkappid = ` + q.value(f.SDKAppID) + `)`
	}
	if len(f.Acts) > 0 {
		var acts []string
		for _, act := range f.Acts {
			acts = append(acts, q.value(act))
		}
		where += ` AND act IN (` + strings.Join(acts, ", ") + `)`
	}
	return where
}

// auditQuery collects the look-ups of a statement with their values.
type auditQuery struct {
	low, high, days string
	limit           int
	parts           []string
	args            []any
}

func (q *auditQuery) value(v any) string {
	q.args = append(q.args, v)
	return fmt.Sprintf("$%d", len(q.args))
}

func (q *auditQuery) rows() string { return fmt.Sprintf(` LIMIT %d`, q.limit) }

// look adds the newest rows of the window that meet a condition.
func (q *auditQuery) look(condition string) { q.lookIn(`audit`, `audit.number`, condition) }

// lookIn names the column whose index has the rows in the order that is wanted.
func (q *auditQuery) lookIn(from, number, condition string) {
	q.parts = append(q.parts, fmt.Sprintf(`SELECT * FROM (SELECT %s FROM %s WHERE %s >= %s AND %s <= %s%s%s ORDER BY %s DESC%s) AS part`,
		auditColumns, from, number, q.low, number, q.high, q.days, condition, number, q.rows()))
}
