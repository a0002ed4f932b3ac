package handlers

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"callboard/changes"
	"callboard/i18n"
	"callboard/store"
	"callboard/views"
)

// tokenForm is what the token page was sent; a token that was typed never comes back.
type tokenForm struct {
	do, reason string
	problems   changes.Problems
}

// showToken shows what is known of the token that deliveries are signed with, never the token itself.
func (s *server) showToken(c echo.Context) error {
	a, err := s.app(c)
	if err != nil {
		return err
	}
	v, err := s.Changes.PeekToken(c.Request().Context(), a.SDKAppID)
	if err != nil {
		return err
	}
	return s.renderToken(c, http.StatusOK, a, v, tokenForm{})
}

// actOnToken plans a change of the token, or goes on with its rotation.
func (s *server) actOnToken(c echo.Context) error {
	a, err := s.app(c)
	if err != nil {
		return err
	}
	f := tokenForm{do: c.FormValue("do"), reason: c.FormValue("reason")}
	switch f.do {
	case changes.TokenSet, changes.TokenGenerate, changes.TokenRotate, changes.TokenEnable, changes.TokenDisable, changes.TokenDelete:
		return s.planToken(c, a, f)
	case store.RotationLearned, store.RotationSeen, store.RotationDropped:
		return s.rotation(c, a, s.Store.TickRotation(c.Request().Context(), actor(c), a.SDKAppID, f.do))
	case "read":
		v, err := s.Changes.LookToken(c.Request().Context(), a.SDKAppID)
		if err != nil {
			return err
		}
		return s.renderToken(c, http.StatusOK, a, v, f)
	case "end":
		return s.rotation(c, a, s.Store.EndRotation(c.Request().Context(), actor(c), a.SDKAppID))
	}
	return echo.NewHTTPError(http.StatusBadRequest)
}

// rotation leads back to the checklist, also when somebody ended it meanwhile.
func (s *server) rotation(c echo.Context, a store.App, err error) error {
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return seeOther(c, views.AppPath(a.SDKAppID, "/token"))
}

func (s *server) planToken(c echo.Context, a store.App, f tokenForm) error {
	plan, v, err := s.Changes.MakeTokenPlan(c.Request().Context(), actor(c), changes.TokenProposal{SDKAppID: a.SDKAppID, Act: f.do, Token: c.FormValue("token"), Reason: f.reason})
	if errors.As(err, &f.problems) {
		if v, err = s.Changes.PeekToken(c.Request().Context(), a.SDKAppID); err != nil {
			return err
		}
		return s.renderToken(c, http.StatusUnprocessableEntity, a, v, f)
	}
	if errors.Is(err, changes.ErrNoReading) || errors.Is(err, store.ErrDuplicate) {
		return s.renderToken(c, http.StatusConflict, a, v, f)
	}
	if err != nil {
		return err
	}
	return seeOther(c, views.AppPath(a.SDKAppID, "/callback/review/"+plan.ID))
}

func (s *server) renderToken(c echo.Context, status int, a store.App, t changes.TokenView, f tokenForm) error {
	v := views.TokenPage{Base: s.appBase(c, "token.title", "token", a), Action: views.AppPath(a.SDKAppID, "/token"), CheckHref: views.AppPath(a.SDKAppID, "/token/check"), Reason: f.reason}
	p, k := v.P, s.clockOf(c, v.P)
	v.State, v.Text = tokenFacts(k, t)
	if !t.Known {
		v.Facts, v.CanRead = replyFacts(p, t.Reply), mayWrite(c, a.SDKAppID) && a.ArchivedAt == 0
	}
	v.Set, v.Enabled = t.State.Set, t.State.Enabled
	v.CanChange = mayWrite(c, a.SDKAppID) && a.ArchivedAt == 0 && t.Known
	if status == http.StatusConflict && t.Known {
		v.Notices = append(v.Notices, views.Notice{Level: "care", Title: p.T("rotation.title"), Text: p.T("rotation.second")})
	}
	for _, x := range f.problems {
		text := p.M("problem."+x.ID, x.Args)
		v.Errors = append(v.Errors, views.FieldError{Href: "#" + x.Field, Text: text})
		if x.Field == "token" {
			v.TokenError = append(v.TokenError, text)
		} else {
			v.ReasonError = append(v.ReasonError, text)
		}
	}
	r, err := s.Store.Rotation(c.Request().Context(), a.SDKAppID)
	if err == nil {
		v.Rotation, err = s.rotationOf(c, k, a, r)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return s.render(c, status, views.Token(v))
}

// tokenFacts say what is set, how long it is, since when and by whom.
func tokenFacts(k clock, t changes.TokenView) (views.State, string) {
	p := k.p
	switch {
	case t.App.ArchivedAt != 0:
		return views.State{Class: "idle", Icon: "ban", Text: p.T("word.not_known")}, p.T("callback.archived_text")
	case t.Rested:
		return views.State{Class: "care", Icon: "alert-triangle", Text: p.T("token.rested")}, p.T("token.rested_text")
	case !t.Known:
		return views.State{Class: "bad", Icon: "alert-circle", Text: p.T("token.unread")}, readFailure(p, replyCode(t), string(t.Reply.Fault))
	case !t.State.Set:
		return views.State{Class: "idle", Icon: "ban", Text: p.T("token.none")}, p.T("token.none_text")
	}
	st := views.State{Class: "ok", Icon: "circle-check", Text: p.T("token.on")}
	if !t.State.Enabled {
		st = views.State{Class: "care", Icon: "alert-triangle", Text: p.T("token.off")}
	}
	text := p.N("token.length", t.State.Length)
	if t.Since == nil {
		return st, text + " " + p.T("token.since_unknown")
	}
	return st, text + " " + p.T("token.since", "Time", k.stamp(t.Since.EndedAt), "Who", t.Since.Actor.Name, "Number", t.Since.Number)
}

func replyCode(t changes.TokenView) *int64 {
	if !t.Reply.HasCode {
		return nil
	}
	return &t.Reply.ErrorCode
}

// rotationOf is the checklist; its second step is the change of the plan.
func (s *server) rotationOf(c echo.Context, k clock, a store.App, r store.Rotation) (*views.Rotation, error) {
	p := k.p
	ctx := c.Request().Context()
	plan, err := s.Changes.Plan(ctx, a.SDKAppID, r.Plan)
	if err != nil && !errors.Is(err, changes.ErrPlanGone) {
		return nil, err
	}
	v := &views.Rotation{Started: p.T("rotation.started", "Time", k.stamp(r.StartedAt), "Who", r.Who), Gone: err != nil, CanTick: mayWrite(c, a.SDKAppID)}
	tick := func(name string, t store.Tick) {
		step := views.RotationStep{Name: name, Title: p.T("rotation." + name), Text: p.T("rotation." + name + "_text")}
		if t.At != 0 {
			step.Done = p.T("rotation.done", "Time", k.stamp(t.At), "Who", t.By)
		}
		v.Steps = append(v.Steps, step)
	}
	tick(store.RotationLearned, r.Learned)
	sw := views.RotationStep{Title: p.T("rotation.switch"), Text: p.T("rotation.switch_text"), Link: &views.Link{Href: views.AppPath(a.SDKAppID, "/callback/review/"+r.Plan), Text: p.T("rotation.plan")}}
	if n := plan.State.Number; n != 0 {
		e, err := s.Store.Change(ctx, n)
		if err != nil {
			return nil, err
		}
		sw.Link = &views.Link{Href: views.ChangePath(n), Text: p.T("change.crumb", "Number", n) + " · " + stateOf(p, e.Kind, e.Outcome, e.Settled).Text}
		if e.State() == store.Applied {
			sw.Done = p.T("rotation.done", "Time", k.stamp(max(e.EndedAt, e.SettledAt)), "Who", e.Actor.Name)
		}
	}
	v.Steps = append(v.Steps, sw)
	tick(store.RotationSeen, r.Seen)
	tick(store.RotationDropped, r.Dropped)
	v.Complete = !slices.ContainsFunc(v.Steps, func(x views.RotationStep) bool { return x.Done == "" })
	return v, nil
}

// tokenText describes one side of a change of tokens.
func tokenText(p *i18n.Printer, c store.Configuration) string {
	t, _ := c.Token()
	switch {
	case !t.Set:
		return p.T("token.none")
	case t.Enabled:
		return p.N("token.side_on", t.Length)
	}
	return p.N("token.side_off", t.Length)
}

// tokenDiff shows a change of tokens as a change of URLs is shown, without the tokens.
func tokenDiff(p *i18n.Printer, d changes.Diff, label string) views.URLDiff {
	s := d.Summary()
	v := views.URLDiff{BeforeLabel: p.T("diff.before"), AfterLabel: p.T(label), After: []views.Piece{{Text: tokenText(p, d.After)}}}
	if s.Token != "" {
		v.Before, v.Note = []views.Piece{{Text: tokenText(p, d.Before)}}, p.T("what.token_"+s.Token)
	}
	return v
}

// showTokenCheck is the signature bench, empty.
func (s *server) showTokenCheck(c echo.Context) error {
	a, err := s.app(c)
	if err != nil {
		return err
	}
	return s.renderTokenCheck(c, http.StatusOK, a, "", nil)
}

// checkToken judges a received address. It changes nothing, and the address stands in no log.
func (s *server) checkToken(c echo.Context) error {
	a, err := s.app(c)
	if err != nil {
		return err
	}
	address := store.Text(strings.TrimSpace(c.FormValue("address")), maxQuery)
	verdict, view, err := s.Changes.CheckSignature(c.Request().Context(), a.SDKAppID, address)
	p := s.printer(c)
	if errors.Is(err, changes.ErrNoReading) {
		n := views.Notice{Level: "bad", Title: p.T("token.unread"), Text: readFailure(p, replyCode(view), string(view.Reply.Fault)), Facts: replyFacts(p, view.Reply)}
		return s.renderTokenCheck(c, http.StatusConflict, a, address, []views.Notice{n})
	}
	if err != nil {
		return err
	}
	return s.renderTokenCheck(c, http.StatusOK, a, address, verdictNotices(s.clockOf(c, p), a, verdict))
}

// verdictNotices say whether the signature fits, whether its time does, and for which app it was made.
func verdictNotices(k clock, a store.App, v changes.Verdict) []views.Notice {
	p := k.p
	if v.Problem != "" && v.Problem != "sign" && v.Problem != "no_token" {
		return []views.Notice{{Level: "care", Title: p.T("bench." + v.Problem), Text: p.T("bench." + v.Problem + "_text")}}
	}
	list := []views.Notice{{Level: "ok", Title: p.T("bench.fits"), Text: p.T("bench.fits_text")}}
	if v.Problem != "" {
		list[0] = views.Notice{Level: "bad", Title: p.T("bench." + v.Problem), Text: p.T("bench." + v.Problem + "_text")}
	}
	args := []any{"Time", k.stamp(v.At.UnixMilli()), "Seconds", p.Number(int(v.Age.Abs() / time.Second))}
	switch {
	case v.Inside:
		list = append(list, views.Notice{Level: "ok", Title: p.T("bench.inside", args...)})
	case v.Age < 0:
		list = append(list, views.Notice{Level: "care", Title: p.T("bench.future", args...), Text: p.T("bench.window")})
	default:
		list = append(list, views.Notice{Level: "care", Title: p.T("bench.old", args...), Text: p.T("bench.window")})
	}
	if v.AppID != "" && v.AppID != itoa64(a.SDKAppID) {
		list = append(list, views.Notice{Level: "care", Title: p.T("bench.other_app", "ID", store.Text(v.AppID, 40))})
	}
	return list
}

func (s *server) renderTokenCheck(c echo.Context, status int, a store.App, address string, list []views.Notice) error {
	v := views.TokenCheckPage{Base: s.appBase(c, "bench.title", "token", a), Action: views.AppPath(a.SDKAppID, "/token/check"), BackHref: views.AppPath(a.SDKAppID, "/token"), Address: address, Verdict: list}
	return s.render(c, status, views.TokenCheck(v))
}
