package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Roles of people, from least to most.
const (
	Support  = "support"
	Operator = "operator"
	Admin    = "admin"
)

// Kinds of actors.
const (
	PersonActor  = "person"
	ConsoleActor = "console"
)

// Actor is who acts: a person with role and address, or the console itself.
type Actor struct {
	Kind    string
	UserID  int64
	Name    string
	Role    string
	Address string
	// Via says by which way the console acts, "" for by itself. It stands in the row's detail alone.
	Via string
}

var (
	// Console is the actor of what happens without a person.
	Console = Actor{Kind: ConsoleActor}
	// CommandLine is the console when somebody at its machine acts through a command.
	CommandLine = Actor{Kind: ConsoleActor, Via: "command_line"}
)

// auditHead is the one row that says where the chain ends. Whoever has it locked keeps other acts waiting.
const auditHead = `audit_head WHERE id = 1`

// audit writes the row of one act as the last part of its transaction. The head row gives number and previous MAC and
// keeps other writers out until the commit, so the chain has no gaps.
func (t *tx) audit(a Actor, act, target string, detail any) error {
	text, err := auditDetail(a, detail)
	if err != nil {
		return fmt.Errorf("writing the audit detail: %w", err)
	}
	a.Via = ""
	var number int64
	var previous []byte
	err = t.row(`SELECT number + 1, mac FROM `+auditHead+`{lock}`).Scan(&number, &previous)
	if err != nil {
		return err
	}
	row := AuditEntry{Number: number, At: t.now, Actor: a, Act: act, Target: target, Detail: string(text)}
	sum, err := t.s.auditMAC(row, previous)
	if err != nil {
		return err
	}
	t.queue(`INSERT INTO audit (number, at, actor, user_id, who, role, address, act, target, detail, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		row.Number, row.At, a.Kind, userID(a), Text(a.Name, 200), a.Role, a.Address, act, target, row.Detail, sum)
	t.auditApp(number, target)
	t.queue(`UPDATE audit_head SET number = $1, mac = $2 WHERE id = 1`, number, sum) // the row that is locked above
	return nil
}

// auditDetail is the detail of a row, with the way by which the console acted.
func auditDetail(a Actor, detail any) ([]byte, error) {
	text, err := json.Marshal(detail)
	if err != nil || a.Via == "" {
		return text, err
	}
	object := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	if object == nil { // the detail is null
		object = map[string]json.RawMessage{}
	}
	if object["via"], err = json.Marshal(a.Via); err != nil {
		return nil, err
	}
	return json.Marshal(object)
}

// auditApp notes which app a row concerns, so that it is found by its app.
func (t *tx) auditApp(number int64, target string) {
	kind, id := TargetOf(target)
	switch kind {
	case "app":
		t.queue(`INSERT INTO audit_apps (sdkappid, number) SELECT sdkappid, CAST($1 AS BIGINT) FROM apps WHERE sdkappid = $2`, number, id)
	case "change":
		t.queue(`INSERT INTO audit_apps (sdkappid, number) SELECT sdkappid, CAST($1 AS BIGINT) FROM changes WHERE number = $2`, number, id)
	}
}

// TargetOf reads what an audit row is about: "app" or "change" with its number, or "" for a name, a route or nothing.
func TargetOf(target string) (kind string, number int64) {
	kind, id, _ := strings.Cut(target, " ")
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || (kind != "app" && kind != "change") {
		return "", 0
	}
	return kind, n
}

// AuditEntry is one row of the audit trail.
type AuditEntry struct {
	Number int64
	At     int64
	Actor  Actor
	Act    string
	Target string
	Detail string
	mac    []byte
}

// auditMAC covers every column of the row and the MAC of the row before it.
func (s *Store) auditMAC(e AuditEntry, previous []byte) ([]byte, error) {
	text, err := json.Marshal([]any{e.Number, e.At, e.Actor.Kind, e.Actor.UserID, Text(e.Actor.Name, 200), e.Actor.Role,
		e.Actor.Address, e.Act, e.Target, e.Detail, hex.EncodeToString(previous)})
	if err != nil {
		return nil, err
	}
	sum, err := s.keys.mac.ComputeMAC(text)
	if err != nil {
		return nil, fmt.Errorf("chaining the audit row: %w", err)
	}
	return sum, nil
}

// CheckAudit walks the whole chain and returns the number of its rows, or the number of the first row that was
// changed, removed or put in, with broken true.
func (s *Store) CheckAudit(ctx context.Context) (number int64, broken bool, err error) {
	// One snapshot for rows and head, or an act written between the two would look like tampering.
	t, err := s.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return 0, false, unavailable(err)
	}
	defer t.Rollback()
	number, last, broken, err := s.walkAudit(ctx, t)
	if err != nil || broken {
		return number, broken, unavailable(err)
	}
	var head AuditEntry
	err = t.QueryRowContext(ctx, `SELECT number, mac FROM audit_head`).Scan(&head.Number, &head.mac)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, false, unavailable(err)
	}
	if err != nil || head.Number != number || !bytes.Equal(head.mac, last) {
		return number + 1, true, nil
	}
	return number, false, nil
}

// walkAudit follows the chain row by row and returns the last row's number and MAC, or the first broken number.
func (s *Store) walkAudit(ctx context.Context, t *sql.Tx) (number int64, last []byte, broken bool, err error) {
	rows, err := t.QueryContext(ctx, `SELECT `+auditColumns+` FROM audit ORDER BY number`)
	if err != nil {
		return 0, nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanAudit(rows)
		if err != nil {
			return 0, nil, false, err
		}
		sum, err := s.auditMAC(e, last)
		if err != nil {
			return 0, nil, false, err
		}
		if e.Number != number+1 || !bytes.Equal(sum, e.mac) {
			return number + 1, nil, true, nil
		}
		number, last = e.Number, sum
	}
	return number, last, false, rows.Err()
}

const auditColumns = `audit.number, audit.at, audit.actor, audit.user_id, audit.who, audit.role, audit.address, audit.act, audit.target, audit.detail, audit.mac`

func scanAudit(r scanner) (AuditEntry, error) {
	var e AuditEntry
	var user sql.NullInt64
	err := r.Scan(&e.Number, &e.At, &e.Actor.Kind, &user, &e.Actor.Name, &e.Actor.Role, &e.Actor.Address, &e.Act, &e.Target, &e.Detail, &e.mac)
	e.Actor.UserID = user.Int64
	return e, err
}

func userID(a Actor) sql.NullInt64 {
	return sql.NullInt64{Int64: a.UserID, Valid: a.UserID != 0}
}
