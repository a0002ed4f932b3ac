package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/changes"
	"callboard/i18n"
	"callboard/store"
	"callboard/tencent"
	"callboard/views"
)

// callbackForm is the form as it was posted; everything stays as typed.
type callbackForm struct {
	do         string
	reading    int64
	opened     int64
	origin     int64 // the entry that it was filled from, 0 for none
	url        string
	commands   []string
	reason     string
	filter     string
	only       bool
	stopReason string // of the form that stops all callbacks
}

func readCallback(c echo.Context) callbackForm {
	r := c.Request().PostForm
	f := callbackForm{do: r.Get("do"), url: r.Get("url"), commands: r["command"], reason: r.Get("reason"), filter: store.Text(strings.TrimSpace(r.Get("filter")), maxWord), only: r.Get("only") == "changed"}
	f.reading = positive(r.Get("reading"))
	f.opened = positive(r.Get("opened"))
	f.origin = positive(r.Get("origin"))
	return f
}

// showCallback opens the form on what Tencent has now, or on the last reading, marked as old.
func (s *server) showCallback(c echo.Context) error {
	id, err := appNumber(c)
	if err != nil {
		return err
	}
	v, err := s.Changes.Peek(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	f := callbackForm{opened: s.Clock().UnixMilli()}
	f.fill(v.Reading)
	notice, err := s.restore(c, &f, v)
	if err != nil {
		return err
	}
	return s.renderForm(c, http.StatusOK, f, v, nil, notice)
}

// fill takes URL and events from a reading.
func (f *callbackForm) fill(r *store.Reading) {
	f.url, f.commands, f.reading = "", nil, 0
	if r != nil {
		f.url, f.commands, f.reading = r.Configuration.URL(), r.Configuration.Commands(), r.ID
	}
}

// postCallback reviews, or does what one of the form's other buttons asks and shows the form again.
func (s *server) postCallback(c echo.Context) error {
	id, err := appNumber(c)
	if err != nil {
		return err
	}
	f := readCallback(c)
	if f.do == "" {
		return s.review(c, id, f)
	}
	v, err := s.formView(c, id, f)
	if err != nil {
		return err
	}
	f.press(s.printer(c), v)
	return s.renderForm(c, http.StatusOK, f, v, f.mistakes(v))
}

// formView is what the form compares with: a new reading when the person asked for one, else the one it was opened on.
func (s *server) formView(c echo.Context, sdkappid int64, f callbackForm) (changes.View, error) {
	if f.do == "read" {
		return s.Changes.Look(c.Request().Context(), actor(c), sdkappid)
	}
	return s.Changes.OpenedOn(c.Request().Context(), sdkappid, f.reading)
}

// press does what a button says to the form.
func (f *callbackForm) press(p *i18n.Printer, v changes.View) {
	shown := f.shown(p, v.Reading)
	switch {
	case f.do == "all":
		f.set(shown, true)
	case f.do == "none":
		f.set(shown, false)
	case f.do == "cloud" && v.Reading != nil:
		f.commands = v.Reading.Configuration.Commands()
	case f.do == "reset":
		reason := f.reason
		f.fill(v.Reading)
		f.reason = reason
	case f.do == "read":
		// A form that could not be filled before is filled now; a draft stays, and is compared anew.
		if v.Reading != nil {
			if f.reading == 0 && f.url == "" && len(f.commands) == 0 {
				f.fill(v.Reading)
			}
			f.reading = v.Reading.ID
			f.commands, _ = changes.Sendable(f.commands, v.Reading.Configuration) // the others have no row
		}
	case strings.HasPrefix(f.do, "group:"):
		f.toggle(slices.DeleteFunc(shown, func(w string) bool {
			c, _ := tencent.FindCommand(w)
			return string(c.Group) != strings.TrimPrefix(f.do, "group:")
		}))
	}
}

// toggle turns a mixed or empty group to all, a full one to none.
func (f *callbackForm) toggle(list []string) {
	all := true
	for _, w := range list {
		all = all && slices.Contains(f.commands, w)
	}
	f.set(list, !all)
}

func (f *callbackForm) set(list []string, ticked bool) {
	f.commands = slices.DeleteFunc(f.commands, func(w string) bool { return slices.Contains(list, w) })
	if ticked {
		f.commands = append(f.commands, list...)
	}
}

// shown are the events of our list that the filter leaves. The policy switch is not one of them: it is set by hand alone.
func (f *callbackForm) shown(p *i18n.Printer, r *store.Reading) []string {
	var list []string
	for _, c := range tencent.Commands() {
		if c.Kind != tencent.KindSetting && f.shows(r, c.Word, p.T("command."+c.Word+".name")) {
			list = append(list, c.Word)
		}
	}
	return list
}

// shows tells whether the filter leaves a word; name is what people call it.
func (f *callbackForm) shows(r *store.Reading, word, name string) bool {
	if f.filter != "" && !strings.Contains(strings.ToLower(word), strings.ToLower(f.filter)) && !strings.Contains(strings.ToLower(name), strings.ToLower(f.filter)) {
		return false
	}
	return !f.only || slices.Contains(f.commands, word) != (r != nil && r.Configuration.Has(word))
}

// mistakes are those that the page marks while the form is still being filled: a missing reason is none yet.
func (f *callbackForm) mistakes(v changes.View) changes.Problems {
	if f.do != "check" {
		return nil
	}
	_, list := changes.Check(f.proposal(v.App.SDKAppID), v.Reading)
	return slices.DeleteFunc(list, func(p changes.Problem) bool { return p.ID == "reason_missing" || p.Field == "reading" })
}

func (f *callbackForm) proposal(sdkappid int64) changes.Proposal {
	return changes.Proposal{SDKAppID: sdkappid, Reading: f.reading, OpenedAt: f.opened, Origin: f.origin, URL: f.url, Commands: f.commands, Reason: f.reason}
}

// review stores the plan and leads to its page; mistakes come back at their fields.
func (s *server) review(c echo.Context, sdkappid int64, f callbackForm) error {
	plan, err := s.Changes.MakePlan(c.Request().Context(), actor(c), f.proposal(sdkappid))
	var problems changes.Problems
	if errors.As(err, &problems) {
		v, err := s.formView(c, sdkappid, f)
		if err != nil {
			return err
		}
		return s.renderForm(c, http.StatusUnprocessableEntity, f, v, problems)
	}
	if err != nil {
		return err
	}
	return seeOther(c, views.AppPath(sdkappid, "/callback/review/"+plan.ID))
}

// renderForm shows the form over a view of the cloud.
func (s *server) renderForm(c echo.Context, status int, f callbackForm, view changes.View, problems changes.Problems, notices ...*views.Notice) error {
	b := s.appBase(c, "callback.title", "callback", view.App)
	k := s.clockOf(c, b.P)
	v := views.CallbackPage{Base: b, Action: views.AppPath(view.App.SDKAppID, "/callback/review"), CanEdit: mayWrite(c, view.App.SDKAppID) && view.App.ArchivedAt == 0,
		CanPlan: view.Reading != nil, Reading: itoa64(f.reading), OpenedAt: itoa64(f.opened), Origin: itoa64(f.origin), URL: f.url, Reason: f.reason, Filter: f.filter, Only: f.only,
		HistoryHref: "/history?q=" + itoa64(view.App.SDKAppID), CompareHref: views.AppPath(view.App.SDKAppID, "/compare"), AtHref: views.AppPath(view.App.SDKAppID, "/at")}
	if v.CanEdit && view.Reading != nil && !view.Reading.Configuration.IsNone() {
		v.Stop = &views.StopForm{Action: views.AppPath(view.App.SDKAppID, ""), Open: f.do == "delete", Reason: f.stopReason}
	}
	cloud := store.None
	if view.Reading != nil {
		cloud = view.Reading.Configuration
	}
	report := changes.CheckURL(f.url, cloud)
	wanted := store.NewConfiguration(report.URL, f.commands)
	diff := changes.Compare(cloud, wanted)
	v.Dirty = len(problems) > 0 || f.changed(view.Reading)
	v.Typed = v.Dirty && (f.do != "" || len(problems) > 0)
	for _, n := range notices {
		if n != nil {
			v.Notices = append(v.Notices, *n)
		}
	}
	v.CloudURL = cloud.URL()
	truth(&v, k, view)
	urlCard(&v, report)
	eventCards(&v, f, view.Reading)
	sentence(&v, diff, view.Reading != nil)
	if v.CanEdit {
		var err error
		if v.Reasons, err = s.Store.Reasons(c.Request().Context(), actor(c).Name); err != nil {
			return err
		}
	}
	s.cloudCard(&v, k, view)
	mark(&v, problems)
	if err := s.formNotices(c, &v, view); err != nil {
		return err
	}
	return s.render(c, status, views.Callback(v))
}

// changed tells whether the form holds something that the reading does not, a reason included.
func (f *callbackForm) changed(r *store.Reading) bool {
	if r == nil || r.Configuration.IsNone() {
		return f.url+f.reason != "" || len(f.commands) > 0
	}
	return f.reason != "" || f.url != r.Configuration.URL() || !changes.Compare(r.Configuration, store.NewConfiguration(f.url, f.commands)).Nothing()
}

// truth says which truth is on screen: the cloud now, the last reading, or a draft.
func truth(v *views.CallbackPage, k clock, view changes.View) {
	p := v.P
	switch {
	case view.Reading == nil:
		v.Truth, v.Opened = p.T("truth.nothing"), p.T("truth.nothing_text")
	case v.Dirty:
		v.Truth, v.Opened = p.T("truth.draft"), p.T("truth.draft_text", "Time", k.short(view.Reading.LastSeen))
	case view.Fresh:
		v.Truth, v.Opened = p.T("truth.cloud"), p.T("truth.cloud_text", "Time", k.short(view.Reading.LastSeen))
	default:
		v.Truth, v.Opened = p.T("truth.old"), p.T("truth.old_text", "Time", k.short(view.Reading.LastSeen), "Ago", k.ago(view.Reading.LastSeen))
	}
}

func urlCard(v *views.CallbackPage, r changes.URLReport) {
	p := v.P
	v.URLHelp = p.T("callback.url_help")
	if r.Trimmed && r.URL != "" {
		v.URL, v.URLHelp = r.URL, p.T("callback.trimmed")
	}
	if r.Parsed {
		port := r.Port
		if r.Default && port != "" {
			port = p.T("callback.default_port", "Port", port)
		}
		for _, x := range [][2]string{{"scheme", r.Scheme}, {"host", r.Host}, {"port", port}, {"path", orElse(r.Path, "/")}, {"query", r.Query}} {
			v.Parts = append(v.Parts, views.Part{Name: p.T("part." + x[0]), Text: orElse(store.Text(x[1], 200), p.T("word.none"))})
		}
	}
	if r.URL == "" {
		return
	}
	icons := map[string]string{changes.Fine: "check", changes.Warning: "alert-triangle", changes.Fault: "x"}
	for _, f := range r.Findings {
		v.Rules = append(v.Rules, views.Rule{Class: f.Level, Icon: icons[f.Level], Text: p.M("rule."+f.ID, f.Args)})
	}
}

// eventCards builds the groups. A row that the filter hides is on the page all the same, so that its tick is sent along and
// the script can count it.
func eventCards(v *views.CallbackPage, f callbackForm, r *store.Reading) {
	p := v.P
	all, listed, shown := 0, 0, 0
	for _, g := range tencent.Groups() {
		group := views.EventGroup{ID: string(g), Name: p.T("group." + string(g) + ".name"), Why: groupWhy(p, g), Blocking: g == tencent.GroupBlocking}
		ticked, events, inGroup := 0, 0, 0
		for _, c := range tencent.Commands() {
			if c.Group != g {
				continue
			}
			name := p.T("command." + c.Word + ".name")
			key := eventKey{c.Word, slices.Contains(f.commands, c.Word), r != nil && r.Configuration.Has(c.Word), v.CanEdit, !f.shows(r, c.Word, name)}
			if c.Kind != tencent.KindSetting {
				events++
				ticked += count(key.ticked)
				group.Added += count(key.ticked && !key.inCloud)
				group.Removed += count(!key.ticked && key.inCloud)
			}
			inGroup += count(c.Kind != tencent.KindSetting && !key.hidden)
			group.Shown = group.Shown || !key.hidden
			group.Rows = append(group.Rows, views.Row[views.EventRow]{Key: key, Make: func() views.EventRow { return eventRow(p, c, key) }})
		}
		all, listed, shown = all+events, listed+ticked, shown+inGroup
		group.Checked = map[bool]string{true: "true", false: "mixed"}[ticked == events]
		if ticked == 0 {
			group.Checked = "false"
		}
		group.Count = p.T("form.group_count", "Count", ticked, "All", events)
		groupTexts(p, &group, ticked == events, inGroup, events)
		v.Groups = append(v.Groups, group)
	}
	unlisted(v, f, r)
	v.NoMatch = !slices.ContainsFunc(v.Groups, func(g views.EventGroup) bool { return g.Shown })
	v.Count = p.T("form.count", "Count", listed, "All", all)
	v.AllText, v.NoneText = p.T("form.all_n", "Count", all), p.T("form.none")
	if shown < all {
		v.AllText, v.NoneText = p.T("form.tick_shown_n", "Count", shown), p.T("form.untick_shown_n", "Count", shown)
	}
}

func groupTexts(p *i18n.Printer, g *views.EventGroup, full bool, shown, all int) {
	id, n := "tick", all
	if full {
		id = "untick"
	}
	suffix := "_all_n"
	g.Label = p.T("form.tri_label", "Name", g.Name, "Count", all)
	if shown < all {
		suffix, n = "_shown_n", shown
		g.Label = p.T("form.tri_shown_label", "Name", g.Name, "Count", shown)
	}
	g.Title = p.T("form."+id+suffix, "Count", n)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// eventKey is all that the row of an event depends on.
type eventKey struct {
	word                     string
	ticked, inCloud, canEdit bool
	hidden                   bool // by the filter
}

func eventRow(p *i18n.Printer, c tencent.Command, k eventKey) views.EventRow {
	row := views.EventRow{ID: "ev-" + strings.ReplaceAll(c.Word, ".", "-"), Word: c.Word, Name: p.T("command." + c.Word + ".name"), When: p.T("command." + c.Word + ".when"),
		Ticked: k.ticked, InCloud: k.inCloud, CanEdit: k.canEdit, Hidden: k.hidden, Switch: c.Kind == tencent.KindSetting, Tags: tags(p, c, false), Sample: c.Sample}
	if row.Switch {
		row.Apart = p.T("form.policy_changed")
	}
	return row
}

// unlistedKey is the same of a word at its place among the cloud's.
type unlistedKey struct {
	place int
	eventKey
}

// unlisted adds the words that the cloud has and our list lacks; they stay listed when they are unticked.
func unlisted(v *views.CallbackPage, f callbackForm, r *store.Reading) {
	if r == nil {
		return
	}
	p := v.P
	group := views.EventGroup{ID: "unlisted", Name: p.T("group.unlisted.name"), Why: p.T("group.unlisted.why"), Unlisted: true}
	kept := 0
	for i, w := range r.Configuration.Commands() {
		if _, known := tencent.FindCommand(w); known {
			continue
		}
		row := views.EventRow{ID: fmt.Sprintf("ev-unlisted-%d", i), Word: w, Ticked: slices.Contains(f.commands, w), InCloud: true, CanEdit: v.CanEdit, Hidden: !f.shows(r, w, ""),
			When: p.T("form.unlisted_when"), Apart: p.T("form.unlisted_changed")}
		kept += count(row.Ticked)
		group.Shown = group.Shown || !row.Hidden
		key := unlistedKey{i, eventKey{w, row.Ticked, true, v.CanEdit, row.Hidden}}
		group.Rows = append(group.Rows, views.Row[views.EventRow]{Key: key, Make: func() views.EventRow { return row }})
	}
	group.Count = p.N("form.kept_n", kept)
	if len(group.Rows) > 0 {
		v.Groups = append(v.Groups, group)
	}
}

// sentence sums the draft up in the foot of the form; known says that there is a reading to compare it with.
func sentence(v *views.CallbackPage, d changes.Diff, known bool) {
	p := v.P
	s := d.Summary()
	v.Sentence = []views.Piece{{Text: v.Count, Mark: "strong"}}
	if s.Added+s.Removed > 0 {
		v.Sentence = append(v.Sentence, views.Piece{Text: p.T("form.changed", "Added", s.Added, "Removed", s.Removed)})
	}
	for _, x := range []struct {
		when bool
		id   string
	}{{s.Policy != "", "form.policy_changed"}, {s.URL, "form.url_changed"}} {
		if x.when {
			v.Sentence = append(v.Sentence, views.Piece{Text: p.T(x.id)})
		}
	}
	if len(v.Sentence) == 1 && known {
		v.Sentence = append(v.Sentence, views.Piece{Text: p.T("form.same")})
	}
}

// cloudCard says what Tencent has, by the newest reading.
func (s *server) cloudCard(v *views.CallbackPage, k clock, view changes.View) {
	p := v.P
	v.Cloud.Title = p.T("callback.cloud")
	if view.Reading == nil {
		v.Cloud.State = appState(p, changes.StateOf(view.App, nil))
		v.Cloud.Facts = []views.Fact{{Name: p.T("fact.read"), Text: p.T("word.never")}}
		if view.App.FailedAt != 0 {
			v.Cloud.Facts = append(v.Cloud.Facts, views.Fact{Name: p.T("fact.failed"), Text: k.short(view.App.FailedAt)},
				views.Fact{Name: p.T("fact.why"), Text: readFailure(p, view.App.FailedCode, view.App.FailedFault)})
		}
		return
	}
	c := view.Reading.Configuration
	v.Cloud.State = appState(p, changes.StateOf(view.App, &c))
	v.Cloud.Facts = append(v.Cloud.Facts, views.Fact{Name: p.T("fact.read"), Text: k.ago(view.Reading.LastSeen) + " · " + k.time(view.Reading.LastSeen).Text},
		views.Fact{Name: p.T("fact.since"), Text: k.stamp(view.Reading.FirstSeen)})
	if c.IsNone() {
		v.Cloud.Facts = append(v.Cloud.Facts, views.Fact{Name: p.T("app.callback"), Text: p.T("word.none")})
		return
	}
	n := changes.CountOf(c)
	late := "fact.no_gift"
	switch {
	case c.Has(changes.GiftWord) && n.Policy:
		late = "fact.gift_passes"
	case c.Has(changes.GiftWord):
		late = "fact.gift_blocked"
	}
	v.Cloud.Facts = append(v.Cloud.Facts, views.Fact{Name: "URL", Text: orElse(c.URL(), p.T("word.none")), Mono: true},
		views.Fact{Name: p.T("app.events"), Text: p.T("fact.events", "Count", n.Listed, "All", tencent.EventCount(), "Blocking", n.Blocking)},
		views.Fact{Name: p.T("fact.late"), Text: p.T(late)})
	if n.Unlisted > 0 {
		v.Cloud.Facts = append(v.Cloud.Facts, views.Fact{Name: p.T("group.unlisted.name"), Text: p.Number(n.Unlisted)})
	}
}

// mark puts mistakes at their fields and into the summary.
func mark(v *views.CallbackPage, problems changes.Problems) {
	p := v.P
	for _, x := range problems {
		text := problemText(p, x)
		href := "#" + x.Field
		switch x.Field {
		case "url":
			v.URLErr = append(v.URLErr, text)
		case "stop-reason":
			if v.Stop != nil {
				v.Stop.Error = append(v.Stop.Error, text)
			}
		case "reason":
			v.ReasonErr = append(v.ReasonErr, text)
		case "command":
			v.WordErr = append(v.WordErr, text)
			href = "#command-err"
		case "reading":
			href = "#h-cloud"
		}
		v.Errors = append(v.Errors, views.FieldError{Href: href, Text: p.T("field."+strings.TrimPrefix(x.Field, "stop-")) + p.T("join.colon") + text})
	}
	if n := len(v.Errors); n > 0 {
		v.ErrorsTitle = p.N("callback.mistakes", n)
	}
}

func problemText(p *i18n.Printer, x changes.Problem) string {
	if x.Field == "url" && x.ID != "url_choose" {
		return p.M("rule."+x.ID, x.Args)
	}
	return p.M("problem."+x.ID, x.Args)
}

// formNotices tell what the person has to know before filling the form.
func (s *server) formNotices(c echo.Context, v *views.CallbackPage, view changes.View) error {
	p := v.P
	if view.App.ArchivedAt != 0 {
		v.Notices = append(v.Notices, views.Notice{Level: "info", Title: p.T("callback.archived_title"), Text: p.T("callback.archived_text")})
	}
	if open := view.Open; open != 0 {
		v.Cloud.State = views.State{Class: "unsure", Icon: "help-circle", Text: p.T("app_state.unsettled")}
		v.Notices = append(v.Notices, views.Notice{Level: "unsure", Title: p.T("callback.open_title", "Number", open), Text: p.T("callback.open_text"),
			Link: &views.Link{Href: views.ChangePath(open), Text: p.T("callback.open_link", "Number", open)}})
	}
	switch {
	case !may(c, auth.Operator):
		v.Notices = append(v.Notices, views.Notice{Level: "info", Text: p.T("callback.read_only")})
	case !mayWrite(c, view.App.SDKAppID):
		v.Notices = append(v.Notices, views.Notice{Level: "info", Text: p.T("scope.read_only")})
	}
	if n := readNotice(p, view); n != nil {
		v.Notices = append(v.Notices, *n)
	}
	if view.App.Drift != 0 && view.App.FailedAt == 0 && view.Open == 0 && !v.Dirty {
		v.Notices = append(v.Notices, views.Notice{Level: "care", Title: p.T("callback.drift_title"), Text: p.T("callback.drift_text"),
			Link: &views.Link{Href: views.ChangePath(view.App.Drift), Text: p.T("callback.drift_link", "Number", view.App.Drift)}})
	}
	if view.Reading != nil && view.Reading.Configuration.IsNone() && view.App.FailedAt == 0 {
		n := views.Notice{Level: "info", Title: p.T("callback.none_title"), Text: p.T("callback.none_text")}
		last, err := s.Store.History(c.Request().Context(), store.Filter{SDKAppID: view.App.SDKAppID, Kind: store.KindDelete, State: store.Applied, Limit: 1})
		if err != nil {
			return err
		}
		if len(last) == 1 && v.CanEdit && !v.Dirty {
			n.Link = &views.Link{Href: views.AppPath(view.App.SDKAppID, "/callback?restore="+itoa64(last[0].Number)+"&side=before"), Text: p.T("callback.resume", "Number", last[0].Number)}
		}
		v.Notices = append(v.Notices, n)
	}
	return nil
}

// readNotice says that the read of this look failed, and what to do. nil: it did not.
func readNotice(p *i18n.Printer, view changes.View) *views.Notice {
	switch {
	case view.Unkept:
		return &views.Notice{Level: "bad", Title: p.T("callback.unkept_title"), Text: p.T("callback.unkept_text")}
	case view.Rested && view.App.ArchivedAt == 0:
		return &views.Notice{Level: "care", Title: p.T("callback.rested_title"), Text: p.T("callback.rested_text")}
	case view.Reply == nil || view.Fresh:
		return nil
	case view.Reply.HasCode && view.Reply.ErrorCode != 0:
		code := view.Reply.ErrorCode
		return &views.Notice{Level: "bad", Title: p.T("callback.refused_title", "Meaning", meaning(p, code), "Code", code), Text: p.T(errorText(code, "do")), Facts: replyFacts(p, *view.Reply),
			Link: &views.Link{Href: codePath(code), Text: p.T("change.about_code", "Code", code)}}
	}
	return &views.Notice{Level: "bad", Title: p.T("callback.unread_title"), Text: p.T("callback.unread_text", "Why", readFailure(p, nil, string(view.Reply.Fault))), Facts: replyFacts(p, *view.Reply)}
}
