package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/changes"
	"callboard/i18n"
	"callboard/store"
	"callboard/views"
)

// showPlan shows a stored plan; its address can be sent to a colleague.
func (s *server) showPlan(c echo.Context) error {
	a, err := s.app(c)
	if err != nil {
		return err
	}
	plan, err := s.Changes.Plan(c.Request().Context(), a.SDKAppID, c.Param("plan"))
	if errors.Is(err, changes.ErrPlanGone) {
		return s.planGone(c, a)
	}
	if err != nil {
		return err
	}
	return s.renderPlan(c, http.StatusOK, a, plan, nil)
}

// planGone says that there is no such plan any more and leads to the form.
func (s *server) planGone(c echo.Context, a store.App) error {
	b := s.appBase(c, "problem.plan_gone.title", "callback", a)
	return s.render(c, http.StatusNotFound, views.Problem(views.ProblemPage{Base: b, Headline: b.P.T("problem.plan_gone.title"), Text: b.P.T("problem.plan_gone.text"),
		Links: []views.Link{{Href: views.AppPath(a.SDKAppID, "/callback"), Text: b.P.T("review.back")}}}))
}

// applyPlan carries a plan out. It ends at the change's page whenever there is a change.
func (s *server) applyPlan(c echo.Context) error {
	sdkappid, err := appNumber(c)
	if err != nil {
		return err
	}
	ctx, id, ticks := c.Request().Context(), c.FormValue("plan"), c.Request().PostForm["tick"]
	number, err := s.Changes.Apply(ctx, actor(c), sdkappid, id, ticks)
	if err == nil {
		return seeOther(c, views.ChangePath(number))
	}
	return s.notApplied(c, id, ticks, err)
}

// notApplied shows why a plan was not carried out, on its page where that can be mended there.
func (s *server) notApplied(c echo.Context, id string, ticks []string, why error) error {
	tried, status := attempt{ticks: ticks}, http.StatusConflict
	switch {
	case errors.Is(why, changes.ErrPlanGone), errors.Is(why, changes.ErrNothing), errors.As(why, &tried.open):
	case errors.As(why, &tried.missing):
		status = http.StatusUnprocessableEntity
	default:
		return why
	}
	a, err := s.app(c)
	if err != nil {
		return err
	}
	plan, err := s.Changes.Plan(c.Request().Context(), a.SDKAppID, id)
	if errors.Is(err, changes.ErrPlanGone) {
		return s.planGone(c, a)
	}
	if err != nil {
		return err
	}
	return s.renderPlan(c, status, a, plan, &tried)
}

// attempt is an apply that was turned away.
type attempt struct {
	ticks   []string
	missing changes.TicksMissing
	open    *store.OpenChangeError
}

func (s *server) renderPlan(c echo.Context, status int, a store.App, plan changes.FullPlan, tried *attempt) error {
	b := s.appBase(c, "review.title", "callback", a)
	p, k := b.P, s.clockOf(c, b.P)
	v := views.ReviewPage{Base: b, Action: views.AppPath(a.SDKAppID, "/callback/apply"), Plan: plan.ID, Nothing: plan.Nothing(), BackHref: views.AppPath(a.SDKAppID, "/callback"),
		Env: views.Env{Class: a.Environment, Word: p.T("environment." + a.Environment)}, EnvClass: a.Environment, ApplyText: p.T("review.apply." + a.Environment)}
	if plan.Nothing() && plan.Origin != 0 && plan.OpenedAt != 0 { // from a form that an entry filled
		v.NothingNote = p.T("review.nothing_restore", "Number", plan.Origin)
	}
	v.Lead = s.lead(p, a, plan)
	if plan.Kind == store.KindToken {
		v.Token, v.URL, v.BackHref = true, tokenDiff(p, plan.Diff, "diff.after"), views.AppPath(a.SDKAppID, "/token")
		b.App.Tab = "token"
	} else {
		v.URL, v.Set = urlDiff(p, plan.Diff, "diff.after"), setDiff(p, plan.Diff)
	}
	v.CanApply = mayWrite(c, a.SDKAppID) && !plan.Nothing() && plan.State.Number == 0 && plan.State.Open == 0 && a.ArchivedAt == 0
	if tried != nil && tried.missing != nil {
		v.MissingTicks = true
	}
	for i, x := range plan.Consequences {
		v.Consequences = append(v.Consequences, consequence(p, x, i, tried))
		if n := v.Consequences[i]; v.MissingTicks && n.Tick != "" && !n.Ticked {
			v.Errors = append(v.Errors, views.FieldError{Href: "#" + n.TickID, Text: n.TickText})
		}
	}
	s.exactCall(&v, a, plan)
	v.About = s.aboutPlan(p, k, a, plan)
	if err := s.stillSo(c, &v, k, plan); err != nil {
		return err
	}
	if err := s.newToken(c, &v, plan); err != nil {
		return err
	}
	planNotices(&v, a, plan, whyNot(c, p, a.SDKAppID))
	return s.render(c, status, views.Review(v))
}

// newToken shows a generated token once, to the person who made the plan, so that the receiver can learn it before the
// switch.
func (s *server) newToken(c echo.Context, v *views.ReviewPage, plan changes.FullPlan) error {
	if headOnly(c) || plan.Kind != store.KindToken || plan.State.Number != 0 || !mayWrite(c, plan.SDKAppID) {
		return nil
	}
	token, err := s.Store.ShowToken(c.Request().Context(), actor(c), plan.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	v.NewToken = token
	return err
}

// lead is the plan in one sentence.
func (s *server) lead(p *i18n.Printer, a store.App, plan changes.FullPlan) string {
	list := phrases(p, plan.Diff)
	if len(list) == 0 {
		list = []string{p.T("does.nothing")}
	}
	return upper(p.T("review.lead", "What", join(p, list), "App", a.Name, "ID", a.SDKAppID, "Region", s.regionName(p, plan.Region)))
}

func consequence(p *i18n.Printer, x changes.Consequence, i int, tried *attempt) views.Consequence {
	icons := map[string]string{"host": "arrow-right", "policy_on": "gift", "policy_off": "gift", "gift_blocks": "gift", "policy_alone": "gift", "token_set": "key", "token_on": "key",
		"shared": "stack-2", "in_effect": "clock", "http": "lock-open", "prefix_doubt": "help-circle", "unlisted_kept": "help-circle", "unlisted_dropped": "help-circle"}
	icon, ok := icons[x.ID]
	if !ok {
		icon = "exclamation-circle"
	}
	id := "consequence." + x.ID
	v := views.Consequence{Level: x.Level, Icon: icon, Title: p.M(id+".title", x.Args), Text: p.M(id+".text", x.Args), Words: words(p, x.Words), Tick: x.Tick, TickID: fmt.Sprintf("tick-%d", i)}
	if x.Tick != "" {
		v.TickText = p.M(id+".tick", x.Args)
		v.Ticked = tried != nil && slices.Contains(tried.ticks, x.Tick)
	}
	return v
}

// exactCall shows what would be sent, the signature left out.
func (s *server) exactCall(v *views.ReviewPage, a store.App, plan changes.FullPlan) {
	host := a.Region
	if r, ok := s.Regions.Find(plan.Region); ok {
		host = r.BaseURL
	}
	var body bytes.Buffer
	if json.Indent(&body, plan.Body, "", "  ") != nil {
		body.Write(plan.Body)
	}
	v.Call = fmt.Sprintf("POST %s%s\n     ?sdkappid=%d&identifier=%s&usersig=[%s]&random=[%s]&contenttype=json\n%s",
		host, plan.Path, a.SDKAppID, a.Identifier, v.P.T("review.left_out"), v.P.T("review.drawn"), body.String())
	v.CallNote = plan.Call + " · " + v.P.N("review.bytes", len(plan.Body))
	if plan.Kind != store.KindToken {
		v.CallNote = plan.Call + " · " + v.P.N("review.words", len(plan.Diff.After.Commands())) + " · " + v.P.N("review.bytes", len(plan.Body))
	}
}

func (s *server) aboutPlan(p *i18n.Printer, k clock, a store.App, plan changes.FullPlan) []views.Fact {
	host := a.Region
	if r, ok := s.Regions.Find(plan.Region); ok {
		host = r.Host
	}
	list := []views.Fact{
		{Name: p.T("fact.by"), Text: p.T("fact.person", "Name", plan.Who, "Role", p.T("role."+plan.Role))},
		{Name: p.T("fact.reason"), Text: plan.Reason},
		{Name: p.T("fact.made"), Text: k.stamp(plan.MadeAt)},
		{Name: p.T("fact.signs_as"), Text: a.Identifier, Mono: true},
		{Name: p.T("fact.host"), Text: host, Mono: true},
		{Name: p.T("fact.call"), Text: plan.Call, Mono: true},
	}
	if plan.Origin != 0 {
		list = append(list, views.Fact{Name: p.T("fact.origin"), Text: "#" + itoa64(plan.Origin), Href: views.ChangePath(plan.Origin)})
	}
	if plan.State.Number != 0 {
		return list
	}
	return append(list, views.Fact{Name: p.T("fact.expires"), Text: k.stamp(plan.ExpiresAt)})
}

// stillSo compares the plan's base with the newest reading; it makes no call.
func (s *server) stillSo(c echo.Context, v *views.ReviewPage, k clock, plan changes.FullPlan) error {
	p := v.P
	r, err := s.Store.CurrentReading(c.Request().Context(), plan.SDKAppID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && r.Configuration.Equal(plan.Diff.Before) && !plan.State.Stale {
		v.Still = views.State{Class: "ok", Icon: "circle-check", Text: p.T("review.unchanged")}
		v.StillText = p.T("review.unchanged_text", "Ago", k.ago(r.LastSeen), "Time", k.time(r.LastSeen).Text)
		return nil
	}
	v.Still = views.State{Class: "care", Icon: "arrows-diff", Text: p.T("review.changed")}
	v.StillText = p.T("review.changed_text", "Time", k.time(plan.BaseSeen).Text)
	if plan.State.Stale {
		v.StillText = p.T("review.stale_still")
	}
	return nil
}

// whyNot says why the person may not apply a plan of an app; "" when they may.
func whyNot(c echo.Context, p *i18n.Printer, sdkappid int64) string {
	switch {
	case mayWrite(c, sdkappid):
		return ""
	case may(c, auth.Operator):
		return p.T("scope.read_only")
	}
	return p.T("review.needs_operator")
}

// planNotices say why a plan cannot be carried out now.
func planNotices(v *views.ReviewPage, a store.App, plan changes.FullPlan, whyNot string) {
	p := v.P
	switch {
	case plan.State.Number != 0:
		v.Used = &views.Link{Href: views.ChangePath(plan.State.Number), Text: p.T("change.crumb", "Number", plan.State.Number)}
	case a.ArchivedAt != 0:
		v.Notices = append(v.Notices, views.Notice{Level: "info", Title: p.T("callback.archived_title"), Text: p.T("callback.archived_text")})
	case plan.State.Open != 0:
		v.Notices = append(v.Notices, views.Notice{Level: "unsure", Title: p.T("callback.open_title", "Number", plan.State.Open), Text: p.T("review.open_text"),
			Link: &views.Link{Href: views.ChangePath(plan.State.Open), Text: p.T("callback.open_link", "Number", plan.State.Open)}})
	case plan.State.Stale:
		text := "review.stale_plain"
		if plan.Kind == store.KindChange {
			text = "review.stale_text"
		}
		v.Notices = append(v.Notices, views.Notice{Level: "care", Title: p.T("review.stale_title"), Text: p.T(text)})
	case !plan.Nothing():
		v.WhyNot = whyNot
	}
}
