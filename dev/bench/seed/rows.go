package seed

import (
	"fmt"
	"strings"

	"callboard/store"
)

// table is where rows go.
type table struct {
	name    string
	columns []string
}

// Tables in the order in which they are filled.
var (
	plans = table{"plans", strings.Fields(`id kind sdkappid call base base_seen opened_at wanted reason user_id who role region newest made_at expires_at`)}
	list  = table{"changes", strings.Fields(`number kind sdkappid app environment region host call attempt plan outcome settled cause actor who who_key role address
		reason summary previous wanted found started_at ended_at settled_at duration_ms http_status action_status error_code error_info request_id read_back read_back_at search`)}
	exchanges = table{"exchanges", strings.Fields(`number request answer answer_size answer_cut`)}
	steps     = table{"change_steps", strings.Fields(`number seq at step code detail`)}
)

func (p *past) changeRow(e entry) []any {
	return []any{
		e.Number, e.Kind, e.SDKAppID, e.App, e.Environment, e.Region, e.Host, e.Call, null(e.Attempt), some(e.plan), some(e.Outcome), some(e.Settled), e.Cause,
		e.Actor.Kind, e.Actor.Name, store.Key(e.Actor.Name), e.Actor.Role, e.Actor.Address, e.Reason, e.Summary, some(e.Previous), some(e.Wanted), some(e.Found),
		e.StartedAt, some(e.EndedAt), some(e.SettledAt), null(e.DurationMS), null(e.HTTPStatus), e.ActionStatus, null(e.ErrorCode), e.ErrorInfo, e.RequestID,
		some(e.ReadBack), some(e.ReadBackAt), store.Searchable(e.Change, e.about),
	}
}

func (p *past) planRow(e entry) []any {
	return []any{
		e.plan, store.KindChange, e.SDKAppID, e.Call, e.Previous, e.planned - 30_000, e.planned - 30_000, e.Wanted, e.Reason, int64(1), e.Actor.Name, e.Actor.Role,
		e.Region, e.Number - 1, e.planned, e.planned + 7*dayMS,
	}
}

// exchangeRow has bodies as the client keeps them.
func (p *past) exchangeRow(e entry) []any {
	wanted := p.words(e)
	request := fmt.Sprintf("POST /v4/live_config/%s?sdkappid=%d&identifier=%s&usersig=[removed]&random=%d&contenttype=json\n\n%s", e.Call, e.SDKAppID, Admin, *e.Attempt, wanted)
	answer := ""
	if e.ErrorCode != nil {
		answer = fmt.Sprintf(`{"ErrorCode":%d,"ErrorInfo":%q,"ActionStatus":%q,"RequestId":%q}`, *e.ErrorCode, e.ErrorInfo, e.ActionStatus, e.RequestID)
	}
	return []any{e.Number, []byte(request), []byte(answer), int64(len(answer)), int64(0)}
}

// words is the body of a call that sets the wanted configuration.
func (p *past) words(e entry) string {
	a := &p.apps[e.SDKAppID-firstAppID]
	for i, digest := range a.digests {
		if digest == e.Wanted {
			return fmt.Sprintf(`{"Url":%q,"CallbackCommandList":["%s"]}`, a.pool[i].URL(), strings.Join(a.pool[i].Commands(), `","`))
		}
	}
	return "{}"
}

func (p *past) stepRows(e entry) [][]any {
	names := []string{store.StepOpened, store.StepPlanned, store.StepIntent}
	at := []int64{e.planned - 30_000, e.planned, e.StartedAt}
	add := func(when int64, more ...string) {
		for _, name := range more {
			names, at = append(names, name), append(at, when)
		}
	}
	switch e.Outcome {
	case store.NotSent:
		add(e.EndedAt, store.StepMoved)
	case store.Unknown:
		add(e.EndedAt, store.StepRead, store.StepSent, store.StepNoAnswer)
	default:
		add(e.EndedAt, store.StepRead, store.StepSent, store.StepAnswered)
	}
	if e.Settled != "" {
		add(e.SettledAt, store.StepSettled)
	}
	rows := make([][]any, len(names))
	for i, name := range names {
		detail, code := "", any(nil)
		switch name {
		case store.StepAnswered:
			code = null(e.ErrorCode)
		case store.StepSettled:
			detail = e.Settled
		}
		rows[i] = []any{e.Number, int64(i + 1), at[i], name, code, detail}
	}
	return rows
}

// some is NULL for nothing.
func some[T comparable](v T) any {
	var nothing T
	if v == nothing {
		return nil
	}
	return v
}

func null(v *int64) any {
	if v == nil {
		return nil
	}
	return *v
}
