package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
)

// TokenState is what the console keeps of a signing token: never the token itself. The zero value is none.
type TokenState struct {
	Set     bool   `json:"set"`
	Enabled bool   `json:"enabled"`
	Length  int    `json:"length"` // in bytes
	MAC     string `json:"mac"`    // of the token under the key set, so that two can be compared
}

// TokenConfiguration is the configuration of an app's token. Changes of tokens are recorded as those of callbacks are.
func TokenConfiguration(t TokenState) Configuration { return Configuration{token: &t} }

// Token is the state of a token, false for the configuration of a callback.
func (c Configuration) Token() (TokenState, bool) {
	if c.token == nil {
		return TokenState{}, false
	}
	return *c.token, true
}

// TokenState describes a token that an app has at Tencent, without keeping it.
func (s *Store) TokenState(sdkappid int64, token string, enabled bool) (TokenState, error) {
	sum, err := s.keys.mac.ComputeMAC(fmt.Appendf(nil, "token/%d/%s", sdkappid, token))
	if err != nil {
		return TokenState{}, fmt.Errorf("describing a token: %w", err)
	}
	return TokenState{Set: true, Enabled: enabled, Length: len(token), MAC: hex.EncodeToString(sum)}, nil
}

// NewToken is what a plan about a token sets, and how.
type NewToken struct {
	Value  string // "" for a plan that sets none
	Show   bool   // it can be shown once
	Rotate bool   // the plan is the switch of a rotation, which begins with it
}

// AddTokenPlan stores a plan with the new token, encrypted. ErrDuplicate: a rotation is under way.
func (s *Store) AddTokenPlan(ctx context.Context, a Actor, p Plan, base, wanted Configuration, n NewToken) (Plan, error) {
	err := s.sealing(ctx, func(t *tx) (err error) {
		if p.Base, err = t.keepConfiguration(base); err != nil {
			return err
		}
		if p, err = t.addPlan(a, p, wanted); err != nil {
			return err
		}
		if n.Value == "" {
			return t.auditPlan(a, p)
		}
		sealed, err := t.seal(planTokens, p.ID, []byte(n.Value))
		if err != nil {
			return err
		}
		t.queueOne(`UPDATE plans SET token = $1, show_token = $2 WHERE id = $3`, sealed, flag(n.Show), p.ID)
		if n.Rotate {
			if err := t.startRotation(a, p); err != nil {
				return err
			}
		}
		if err := t.auditPlan(a, p); err != nil || !n.Rotate {
			return err
		}
		return t.audit(a, "rotation.started", appTarget(p.SDKAppID), map[string]string{"plan": p.ID})
	})
	return p, err
}

// PlanToken decrypts the token that a plan sets, for sending alone. ErrNotFound: it was erased, or the plan sets none.
func (s *Store) PlanToken(ctx context.Context, plan string) (string, error) {
	var sealed []byte
	if _, err := found(sealed, s.row(ctx, `SELECT token FROM plans WHERE id = $1 AND token IS NOT NULL`, plan).Scan(&sealed)); err != nil {
		return "", err
	}
	token, err := s.unseal(planTokens, plan, sealed)
	return string(token), err
}

// ShowToken gives the generated token of a plan to the person who made the plan, once; ErrNotFound from then on, and
// for everybody else.
func (s *Store) ShowToken(ctx context.Context, a Actor, plan string) (string, error) {
	var token []byte
	err := s.write(ctx, func(t *tx) error {
		var sealed []byte
		var sdkappid int64
		row := t.row(`UPDATE plans SET show_token = 0 WHERE id = $1 AND user_id = $2 AND show_token = 1 AND token IS NOT NULL RETURNING token, sdkappid`, storable(plan), a.UserID)
		_, err := found(sealed, row.Scan(&sealed, &sdkappid))
		if err != nil {
			return err
		}
		// What cannot be read here was not shown.
		if token, err = s.unseal(planTokens, plan, sealed); err != nil {
			return err
		}
		return t.audit(a, "token.shown", appTarget(sdkappid), map[string]string{"plan": plan})
	})
	if err != nil {
		return "", err
	}
	return string(token), nil
}

// DropExpiredTokens erases the tokens of plans that can no longer be applied.
func (s *Store) DropExpiredTokens(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		t.queue(`UPDATE plans SET token = NULL, show_token = 0 WHERE token IS NOT NULL AND expires_at <= $1`, t.now)
		return nil
	})
}

// eraseToken erases the token of a change's plan, which is not needed once the change has ended.
func (t *tx) eraseToken(number int64) {
	t.queue(`UPDATE plans SET token = NULL, show_token = 0 WHERE token IS NOT NULL AND id = (SELECT plan FROM changes WHERE number = $1)`, number)
}

// Rotation is a change of token on its way, which takes days: the receiver learns the new token, the switch is applied,
// the first call signed with it is seen, the receiver drops the old one.
type Rotation struct {
	ID        int64
	Plan      string
	Who       string
	StartedAt int64
	Learned   Tick // the receiver accepts both
	Seen      Tick // a call signed with the new token arrived
	Dropped   Tick // the receiver accepts the new one alone
}

// Tick is when and by whom a step was ticked, 0 and "" before.
type Tick struct {
	At int64
	By string
}

// Steps of a rotation that people tick.
const (
	RotationLearned = "learned"
	RotationSeen    = "seen"
	RotationDropped = "dropped"
)

func (t *tx) startRotation(a Actor, p Plan) error {
	if err := t.flush(); err != nil {
		return err // of the plan
	}
	t.queue(`INSERT INTO rotations (sdkappid, plan, who, started_at) VALUES ($1, $2, $3, $4)`, p.SDKAppID, p.ID, a.Name, t.now)
	err := t.flush()
	if t.s.dialect.isUnique(err) {
		return ErrDuplicate
	}
	return err
}

// Rotation is the one under way for an app; ErrNotFound when there is none.
func (s *Store) Rotation(ctx context.Context, sdkappid int64) (Rotation, error) {
	var r Rotation
	err := s.row(ctx, `SELECT id, plan, who, started_at, COALESCE(learned_at, 0), learned_by, COALESCE(seen_at, 0), seen_by, COALESCE(dropped_at, 0), dropped_by
		FROM rotations WHERE sdkappid = $1 AND ended_at IS NULL`, sdkappid).
		Scan(&r.ID, &r.Plan, &r.Who, &r.StartedAt, &r.Learned.At, &r.Learned.By, &r.Seen.At, &r.Seen.By, &r.Dropped.At, &r.Dropped.By)
	return found(r, err)
}

// TickRotation dates a step of the rotation under way. ErrNotFound: no such step, it was ticked before, or no rotation.
func (s *Store) TickRotation(ctx context.Context, a Actor, sdkappid int64, step string) error {
	if step != RotationLearned && step != RotationSeen && step != RotationDropped {
		return ErrNotFound
	}
	return s.onRotation(ctx, a, sdkappid, "rotation."+step,
		`UPDATE rotations SET `+step+`_at = $1, `+step+`_by = $2 WHERE sdkappid = $3 AND ended_at IS NULL AND `+step+`_at IS NULL`, a.Name)
}

// EndRotation closes the checklist, done or not.
func (s *Store) EndRotation(ctx context.Context, a Actor, sdkappid int64) error {
	return s.onRotation(ctx, a, sdkappid, "rotation.ended", `UPDATE rotations SET ended_at = $1 WHERE sdkappid = $2 AND ended_at IS NULL`)
}

func (s *Store) onRotation(ctx context.Context, a Actor, sdkappid int64, act, query string, args ...any) error {
	return s.write(ctx, func(t *tx) error {
		all := append([]any{t.now}, args...)
		if err := t.one(query, append(all, sdkappid)...); errors.Is(err, ErrMoved) {
			return ErrNotFound
		} else if err != nil {
			return err
		}
		return t.audit(a, act, appTarget(sdkappid), nil)
	})
}
