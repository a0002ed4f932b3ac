package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/changes"
	"callboard/i18n"
	"callboard/store"
	"callboard/tencent"
	"callboard/views"
)

// pageRefresh is how often a page that is not finished renews itself without script, in seconds.
const pageRefresh = 5

// entry is an entry of the history with all that its page needs.
type entry struct {
	store.Change
	app     store.App
	configs map[string]store.Configuration
	steps   []store.Step
	call    *store.Exchange
	beside  store.Beside
	diff    changes.Diff
}

func (s *server) entry(c echo.Context) (entry, error) {
	number, err := strconv.ParseInt(c.Param("number"), 10, 64)
	if err != nil {
		return entry{}, errNoEntry
	}
	return s.entryOf(c.Request().Context(), number)
}

func (s *server) entryOf(ctx context.Context, number int64) (e entry, err error) {
	whole, err := s.Store.WholeEntry(ctx, number)
	if errors.Is(err, store.ErrNotFound) {
		return e, errNoEntry
	}
	if err != nil {
		return e, err
	}
	e.Change, e.app, e.call, e.steps, e.beside = whole.Change, whole.Of, whole.Call, whole.Steps, whole.Beside
	if e.configs, err = s.Store.Configurations(ctx, e.Previous, e.Wanted, e.Found, e.ReadBack); err != nil {
		return e, err
	}
	e.diff = changes.Compare(e.configs[e.Previous], e.configs[e.after()])
	return e, nil
}

// after is the digest of what the entry turned the callback into, or would have.
func (e entry) after() string {
	if e.Kind == store.KindDrift || e.Kind == store.KindAccepted {
		return e.Found
	}
	return e.Wanted
}

// acted tells whether the entry is of a kind that has an outcome.
func (e entry) acted() bool { return e.Outcome != "" }

// readBackOther tells whether the cloud, read back, held something else than what was wanted.
func (e entry) readBackOther() bool { return e.ReadBack != "" && e.ReadBack != e.Wanted }

// showChange shows an entry at the address that lasts.
func (s *server) showChange(c echo.Context) error {
	e, err := s.entry(c)
	if err != nil {
		return err
	}
	return s.renderChange(c, http.StatusOK, e, nil)
}

// rejected is what an act on an entry leaves behind that was not carried out: what was typed, and what is wrong.
type rejected struct {
	notice   *views.Notice
	closing  bool // the form that closes by hand
	merging  bool // the three-way form
	problems changes.Problems
	reason   string
	reading  int64
	url      string
	commands []string
}

// faults are the sentences of what is wrong.
func (r *rejected) faults(p *i18n.Printer) []string {
	var list []string
	for _, x := range r.problems {
		list = append(list, problemText(p, x))
	}
	return list
}

// actOnChange looks at an unknown change, closes it by hand, or plans anew from an entry.
func (s *server) actOnChange(c echo.Context) error {
	e, err := s.entry(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	switch c.FormValue("do") {
	case "check":
		// Settled meanwhile is what the person wants to see.
		if err := s.Changes.CheckNow(ctx, actor(c), e.Number); err != nil && !errors.Is(err, changes.ErrNotOpen) {
			return err
		}
		return seeOther(c, views.ChangePath(e.Number))
	case "close":
		return s.closeByHand(c, e)
	case "again":
		return s.planAgain(c, e, "")
	case "create":
		return s.planAgain(c, e, string(tencent.CallSetCallback))
	case "update":
		return s.planAgain(c, e, string(tencent.CallUpdateCallback))
	case "merged":
		return s.planMerged(c, e)
	}
	return echo.NewHTTPError(http.StatusBadRequest)
}

func (s *server) closeByHand(c echo.Context, e entry) error {
	if !may(c, auth.Admin) {
		s.noteRefusal(c)
		return &needError{need: auth.Admin}
	}
	reason := c.FormValue("reason")
	err := s.Changes.CloseByHand(c.Request().Context(), actor(c), e.Number, reason)
	var problems changes.Problems
	if errors.As(err, &problems) {
		return s.renderChange(c, http.StatusUnprocessableEntity, e, &rejected{closing: true, problems: problems, reason: reason})
	}
	if err != nil {
		return err
	}
	return seeOther(c, views.ChangePath(e.Number))
}

func (s *server) planAgain(c echo.Context, e entry, call string) error {
	if e.Wanted == "" || e.Open() {
		return echo.NewHTTPError(http.StatusBadRequest)
	}
	plan, view, err := s.Changes.Again(c.Request().Context(), actor(c), e.Number, call)
	if errors.Is(err, changes.ErrNoReading) {
		p := s.printer(c)
		n := readNotice(p, view)
		return s.renderChange(c, http.StatusConflict, e, &rejected{notice: n})
	}
	if err != nil {
		return err
	}
	return seeOther(c, views.AppPath(e.SDKAppID, "/callback/review/"+plan.ID))
}

func (s *server) renderChange(c echo.Context, status int, e entry, r *rejected) error {
	b := s.appBase(c, "change.title", "history", e.app)
	b.Nav = "history"
	// The entry tells of the app as it was then.
	b.App.Name, b.App.Environment, b.App.EnvWord, b.App.Region = e.App, e.Environment, b.P.T("environment."+e.Environment), s.regionName(b.P, e.Region)
	p, k := b.P, s.clockOf(c, b.P)
	v := views.ChangePage{Base: b, Number: "#" + itoa64(e.Number), RequestID: e.RequestID}
	v.Title = stateOf(p, e.Kind, e.Outcome, e.Settled).Text + p.T("join.comma") + p.T("change.crumb", "Number", v.Number) + " · " + e.App
	headline(&v, k, e)
	if v.RequestID == "" && e.Call != "" {
		v.Instead, v.InsteadID = p.T(insteadID(e)), v.Number+" · "+utc(e.StartedAt)
		if e.mayHaveGone() {
			v.InsteadID = "random=" + itoa64(*e.Attempt) + " · " + utc(e.StartedAt)
		}
	}
	effect(&v, k, e)
	progress(&v, k, e, mayWrite(c, e.SDKAppID))
	beside, err := s.Store.Related(c.Request().Context(), e.Change, e.beside)
	if err != nil {
		return err
	}
	if !carriedOn(e, beside) {
		if err := s.threeWay(c, &v, k, e, r); err != nil {
			return err
		}
	}
	if mayWrite(c, e.SDKAppID) && e.app.ArchivedAt == 0 {
		if !carriedOn(e, beside) {
			next(&v, e)
		}
		driftStep(&v, e, r)
	}
	entryLinks(&v, e, mayWrite(c, e.SDKAppID) && e.app.ArchivedAt == 0)
	if may(c, auth.Admin) && e.Outcome == store.Unknown && e.Settled == "" {
		v.Close = &views.CloseForm{Action: views.ChangePath(e.Number)}
		v.Refresh = 0 // without script a new page would take what is typed
		if r != nil && r.closing {
			v.Close.Open, v.Close.Reason, v.Close.Error = true, r.reason, r.faults(p)
		}
	}
	v.Links = append(v.Links, views.Link{Href: views.ChangePath(e.Number) + "/bundle", Text: p.T("bundle.title")})
	explain(&v, e)
	difference(&v, e)
	exchange(&v, e)
	s.curl(&v, e)
	v.Facts = s.changeFacts(p, k, e)
	if err := s.driftSince(c, &v, k, e); err != nil {
		return err
	}
	timeline(&v, k, e)
	v.Related = append(origins(p, e, beside), outcomes(p, k, e, beside)...)
	if err := s.cameFirst(c.Request().Context(), &v, e); err != nil {
		return err
	}
	changeNotices(&v, k, e, r, c.QueryParam("found"))
	return s.render(c, status, views.Change(v))
}

// headline says what came of it, and what that means for the viewers.
func headline(v *views.ChangePage, k clock, e entry) {
	p := v.P
	id, args := e.headline(), []any{"Who", orElse(e.Actor.Name, p.T("word.console")), "App", e.App, "What", upperWhat(p, e)}
	switch e.Kind {
	case store.KindDrift, store.KindAccepted:
		st := stateOf(p, e.Kind, e.Outcome, e.Settled)
		v.Class, v.Icon = st.Class, st.Icon
	default:
		v.Class, v.Icon = look(e.State())
	}
	at := e.StartedAt
	if e.EndedAt != 0 {
		at = e.EndedAt
	}
	if e.SettledAt != 0 {
		at = e.SettledAt
	}
	args = append(args, "Time", k.time(at).Text)
	if e.ErrorCode != nil {
		args = append(args, "Code", *e.ErrorCode, "Meaning", meaning(p, *e.ErrorCode))
	}
	if e.DurationMS != nil {
		args = append(args, "Seconds", fmt.Sprintf("%.1f", float64(*e.DurationMS)/1000))
	}
	v.Headline, v.Meaning = p.T("head."+id+".title", args...), p.T("head."+id+".text", args...)
	if id == store.Applied || id == "settled_applied" || id == "by_hand" || e.Kind == store.KindDrift || e.Kind == store.KindAccepted {
		v.Zone = "(" + k.zoneName(at) + ")"
	}
}

// headline picks the sentences: by kind, then by how it stands and why.
func (e entry) headline() string {
	switch {
	case e.Kind == store.KindDrift && e.app.Drift != e.Number:
		return "drift_over"
	case e.Kind == store.KindDrift, e.Kind == store.KindAccepted:
		return e.Kind
	case e.Settled == store.Overtaken && e.closedByHand():
		return "by_hand"
	case e.answeredLate():
		return "late_" + e.Settled
	case e.Settled != "":
		return "settled_" + e.Settled
	case e.Outcome == store.Unknown && e.ErrorCode != nil && e.Cause == "":
		return "unknown_code"
	case e.Outcome == store.Unknown:
		return "unknown_" + known(e.Cause, store.CauseLeftOver, string(tencent.FaultTimeout), string(tencent.FaultCut), string(tencent.FaultStatus))
	case e.refusedWith(tencent.CodeNoCallback) && e.Kind != store.KindToken:
		return "refused_gone"
	case e.refusedWith(tencent.CodeExists) && e.Call == string(tencent.CallSetCallback):
		return "refused_exists"
	case e.refusedUnsure() && e.Kind == store.KindToken:
		return "refused_unsure_token"
	case e.refusedUnsure():
		return "refused_unsure"
	case e.Outcome == store.NotSent && e.Cause == store.CauseStale && e.Kind == store.KindToken:
		return "not_sent_stale_token"
	case e.Outcome == store.NotSent && e.Cause == store.CauseMoved && e.Kind != store.KindChange:
		return "not_sent_moved_" + e.Kind
	case e.Outcome == store.NotSent:
		return "not_sent_" + known(e.Cause, store.CauseStale, store.CauseMoved, store.CauseUnread, store.CauseLate, string(tencent.FaultConnect), string(tencent.FaultLimited), string(tencent.FaultSign))
	}
	return e.Outcome
}

// refusedWith tells whether Tencent refused with this code.
func (e entry) refusedWith(code int64) bool {
	return e.Outcome == store.Refused && e.ErrorCode != nil && *e.ErrorCode == code
}

// refusedUnsure tells whether Tencent refused with a code that does not say that nothing was done.
func (e entry) refusedUnsure() bool {
	return e.State() == store.Refused && e.ErrorCode != nil && !changes.NothingDone(*e.ErrorCode)
}

// known narrows a cause to those that have sentences of their own.
func known(cause string, list ...string) string {
	if slices.Contains(list, cause) {
		return cause
	}
	return "other"
}

func (e entry) closedByHand() bool {
	return slices.ContainsFunc(e.steps, func(st store.Step) bool { return st.Name == store.StepSettled && st.Detail == store.CauseByHand })
}

// answeredLate tells whether the answer itself settled a change that had been taken for left over: its writer came back.
func (e entry) answeredLate() bool {
	late := slices.IndexFunc(e.steps, func(st store.Step) bool { return st.Name == store.StepLate })
	return late >= 0 && late+1 < len(e.steps) && e.steps[late+1].Name == store.StepSettled && e.steps[late+1].At == e.steps[late].At
}

func upperWhat(p *i18n.Printer, e entry) string {
	list := phrases(p, e.diff)
	if len(list) == 0 {
		return p.T("does.nothing")
	}
	return join(p, list)
}

// mayHaveGone tells whether a call with our attempt id may have reached Tencent.
func (e entry) mayHaveGone() bool {
	return e.Attempt != nil && e.Outcome != store.NotSent && e.Outcome != store.Pending
}

// insteadID says why there is no RequestId.
func insteadID(e entry) string {
	switch {
	case e.Attempt == nil:
		return "change.no_id_entry"
	case e.Outcome == store.NotSent:
		return "change.no_id_not_sent"
	case e.Outcome == store.Pending:
		return "change.no_id_yet"
	case e.HTTPStatus != nil:
		return "change.no_id_answer"
	}
	return "change.no_id"
}

// effect is the clock of what Tencent accepted: a changed URL is in effect about two minutes later, unless the cloud was
// read back and held something else.
func effect(v *views.ChangePage, k clock, e entry) {
	if e.State() != store.Applied || e.EndedAt == 0 || e.Kind == store.KindToken || e.readBackOther() {
		return
	}
	p := v.P
	until := e.EndedAt + changes.InEffect.Milliseconds()
	left := time.UnixMilli(until).Sub(k.now)
	text := k.time(until).Text
	if left <= 0 {
		v.Effect = &views.Effect{Text: p.T("effect.since", "Time", text)}
		return
	}
	v.Effect = &views.Effect{Text: p.T("effect.about", "Time", text), Until: itoa64(until), Now: itoa64(k.now.UnixMilli()), Template: p.T("effect.template"), Over: p.T("effect.over"),
		Left: p.T("effect.left", "M", int(left/time.Minute), "S", int(left%time.Minute/time.Second))}
}

// progress says how a change that is not finished is being found out.
func progress(v *views.ChangePage, k clock, e entry, operator bool) {
	p := v.P
	switch {
	case e.Outcome == store.Pending:
		v.Progress = &views.Progress{Title: p.T("progress.pending"), Text: p.T("progress.pending_text")}
	case e.Open():
		v.Progress = &views.Progress{Title: p.T("progress.unknown", "Count", e.Checks+1), Text: p.T("progress.unknown_text"), CanCheck: operator, Action: views.ChangePath(e.Number)}
		if e.CheckedAt != 0 {
			v.Progress.Text = p.T("progress.last", "Time", k.time(e.CheckedAt).Text, "Why", readFailure(p, e.CheckCode, e.CheckFault)) + " " + v.Progress.Text
		}
	case e.State() == store.Applied && e.ReadBack == "" && e.NextCheckAt != 0:
	default:
		return
	}
	v.Live, v.Refresh = true, pageRefresh
}

// next offers what to do now. Every button makes a new plan; nothing is sent before it is reviewed.
func next(v *views.ChangePage, e entry) {
	p := v.P
	if e.Kind == store.KindToken {
		tokenNext(v, e)
		return
	}
	form := views.Link{Href: views.AppPath(e.SDKAppID, "/callback"), Text: p.T("next.form")}
	again := views.Button{Do: "again", Text: p.T("next.again"), Icon: "refresh", Primary: true}
	n := &views.NextStep{Action: views.ChangePath(e.Number), Links: []views.Link{form}}
	var id string
	switch {
	case e.Wanted == "" || e.Open() || v.Three != nil:
		return
	case e.refusedWith(tencent.CodeNoCallback) && e.Kind == store.KindChange:
		id, n.Buttons = "create", []views.Button{{Do: "create", Text: p.T("next.create"), Icon: "plus", Primary: true}}
	case e.refusedWith(tencent.CodeExists):
		id, n.Buttons = "update", []views.Button{{Do: "update", Text: p.T("next.update"), Icon: "pencil", Primary: true}}
	case e.Outcome == store.Refused:
		id, n.Buttons = "refused", []views.Button{again}
	case e.State() == store.NotApplied:
		id, n.Buttons = "not_applied", []views.Button{again}
	case e.State() == store.Overtaken:
		id, n.Buttons = "overtaken", []views.Button{again}
	case e.Outcome == store.NotSent && e.Cause == store.CauseStale:
		id, n.Buttons = "stale", []views.Button{again}
	case e.Outcome == store.NotSent && (e.Cause != store.CauseMoved || e.Kind == store.KindDelete):
		again.Text = p.T("next.try_again")
		id, n.Buttons = "not_sent", []views.Button{again}
	default:
		return
	}
	n.Title, n.Text = p.T("next."+id+".title"), p.T("next."+id+".text")
	v.Next = n
}

// tokenNext leads back to the token, as a token is not kept and cannot be sent again.
func tokenNext(v *views.ChangePage, e entry) {
	if e.Open() || e.State() == store.Applied {
		return
	}
	v.Next = &views.NextStep{Action: views.ChangePath(e.Number), Title: v.P.T("next.token.title"), Text: v.P.T("next.token.text"),
		Links: []views.Link{{Href: views.AppPath(e.SDKAppID, "/token"), Text: v.P.T("token.title")}}}
}

// driftStep offers the two ways out of a drift: take what is there as ours, or put ours back.
func driftStep(v *views.ChangePage, e entry, r *rejected) {
	if e.Kind != store.KindDrift || e.app.Drift != e.Number {
		return
	}
	p := v.P
	why := &views.ReasonField{Label: p.T("drift.reason")}
	if r != nil {
		why.Value, why.Error = r.reason, r.faults(p)
	}
	v.Next = &views.NextStep{Action: views.AppPath(e.SDKAppID, ""), Title: p.T("drift.title"), Text: p.T("drift.text"), Seen: e.Found, Reason: why,
		Links: []views.Link{{Href: views.AppPath(e.SDKAppID, "/compare?from="+sideRecord+"&to="+sideCloud), Text: p.T("drift.compare")}},
		// Enter in the field presses the first button, which has to be the one that a review follows.
		Buttons: []views.Button{{Do: "put-back", Text: p.T("drift.put_back"), Icon: "arrow-back-up", Primary: true}, {Do: "accept", Text: p.T("drift.accept"), Icon: "check"}}}
}

// entryLinks lead from an entry to what can be done with it later.
func entryLinks(v *views.ChangePage, e entry, write bool) {
	if e.Kind == store.KindToken {
		v.Links = append(v.Links, views.Link{Href: views.AppPath(e.SDKAppID, "/token"), Text: v.P.T("token.title")})
		return
	}
	if after, ok := e.configs[e.after()]; ok && e.after() != "" {
		if write && !e.Open() && !after.IsNone() && e.Kind != store.KindDrift {
			v.Links = append(v.Links, views.Link{Href: views.AppPath(e.SDKAppID, "/callback?restore="+itoa64(e.Number)), Text: v.P.T("restore.link")})
		}
		v.Links = append(v.Links, views.Link{Href: views.AppPath(e.SDKAppID, "/compare?from="+itoa64(e.Number)+"&to="+sideCloud), Text: v.P.T("compare.link")})
	}
	if before, ok := e.configs[e.Previous]; ok && write && !e.Open() && !before.IsNone() && e.Previous != e.after() {
		v.Links = append(v.Links, views.Link{Href: views.AppPath(e.SDKAppID, "/callback?restore="+itoa64(e.Number)+"&side=before"), Text: v.P.T("restore.link_before")})
	}
}

// difference shows what the entry changed, or asked for.
func difference(v *views.ChangePage, e entry) {
	if e.Previous == "" || e.after() == "" || v.Three != nil {
		return
	}
	p := v.P
	label, title := "diff.after", "URL"
	switch {
	case !e.acted():
		label = "diff.found"
	case e.State() != store.Applied:
		label, title = "diff.asked", p.T("change.asked_for")
	}
	url, set := urlDiff(p, e.diff, label), setDiff(p, e.diff)
	v.Set = &set
	if e.Kind == store.KindToken {
		url, v.Set, title = tokenDiff(p, e.diff, label), nil, p.T("token.title")
	}
	if slices.Contains([]string{store.Refused, store.NotSent, store.NotApplied}, e.State()) && !e.refusedUnsure() {
		url.Note = p.T("change.not_applied")
	}
	v.URLTitle, v.URL = title, &url
}

// changeNotices say what is true now beside the outcome.
func changeNotices(v *views.ChangePage, k clock, e entry, r *rejected, found string) {
	p := v.P
	if r != nil && r.notice != nil {
		v.Notices = append(v.Notices, *r.notice)
	}
	if slices.Contains([]string{"request_id", "number", "attempt"}, found) {
		v.Notices = append(v.Notices, views.Notice{Level: "info", Text: p.T("change.found_by." + found)})
	}
	form := &views.Link{Href: views.AppPath(e.SDKAppID, "/callback"), Text: p.T("next.form")}
	if e.Kind == store.KindToken {
		form = &views.Link{Href: views.AppPath(e.SDKAppID, "/token"), Text: p.T("token.title")}
	}
	switch {
	case e.State() == store.Applied && e.readBackOther():
		v.Notices = append(v.Notices, views.Notice{Level: "care", Title: p.T("change.differs_title"), Text: p.T("change.differs_text", "Time", k.time(e.ReadBackAt).Text), Link: form})
	case e.State() == store.Applied && e.ReadBack != "":
		v.Notices = append(v.Notices, views.Notice{Level: "ok", Text: p.T("change.same_text", "Time", k.short(e.ReadBackAt))})
	}
}
