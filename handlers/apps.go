package handlers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/changes"
	"callboard/i18n"
	"callboard/store"
	"callboard/tencent"
	"callboard/views"
)

// appFilter is what the address of /apps asks for.
type appFilter struct {
	state, q, env, region string
	page                  int // from 1
}

func readAppFilter(c echo.Context) appFilter {
	f := appFilter{state: c.QueryParam("state"), q: strings.TrimSpace(c.QueryParam("q")), env: c.QueryParam("env"), region: c.QueryParam("region")}
	f.page, _ = strconv.Atoi(c.QueryParam("page"))
	return f
}

// appsPerPage is how many apps a page lists.
const appsPerPage = 100

// Tabs of the list of apps.
const (
	tabAttention = "attention"
	tabArchived  = "archived"
)

func (s *server) showApps(c echo.Context) error {
	f := readAppFilter(c)
	ctx := c.Request().Context()
	rows, err := s.listedApps(ctx, false)
	if err != nil {
		return err
	}
	archived, err := s.Store.CountArchived(ctx)
	if err != nil {
		return err
	}
	v := views.AppsPage{Base: s.base(c, "apps.title"), Q: f.q, State: f.state, Admin: may(c, auth.Admin)}
	v.Nav = "apps"
	if len(rows)+archived == 0 {
		v.Empty = "none"
		return s.render(c, http.StatusOK, views.Apps(v))
	}
	if f.state != "" && f.state != tabAttention && f.state != tabArchived && !slices.Contains(standings, f.state) {
		v.Notices = append(v.Notices, views.Notice{Level: "info", Title: v.P.T("history.ignored", "Text", store.Text("state:"+f.state, maxWord)), Text: v.P.T("apps.ignored_state")})
		f.state, v.State = "", ""
	}
	v.Tabs = appTabs(v.P, rows, archived, f)
	v.Envs = options([]string{"", store.Production, store.Staging, store.Test}, f.env, func(e string) string { return v.P.T("environment." + orElse(e, "every")) })
	v.Regions = s.regionOptions(v.P, f.region, v.P.T("region.every"))
	list := rows
	if f.state == tabArchived {
		if list, err = s.listedApps(ctx, true); err != nil {
			return err
		}
	}
	s.listApps(&v, s.clockOf(c, v.P), f, list)
	return s.render(c, http.StatusOK, views.Apps(v))
}

// listedApps are the apps as they stand for lists: one whose region this console does not know cannot be read.
func (s *server) listedApps(ctx context.Context, archived bool) ([]store.AppRow, error) {
	list, err := s.Store.Apps(ctx, archived)
	for i := range list {
		a := &list[i]
		if _, known := s.Regions.Find(a.Region); !known {
			a.FailedAt, a.FailedCode, a.FailedFault = max(a.FailedAt, a.ReadAt, a.CreatedAt), nil, faultRegion
		}
	}
	return list, err
}

// faultRegion stands for the fault of a call that this console cannot make.
const faultRegion = "region"

// listApps puts one page of what the filter leaves of the apps into the view. The list is used up.
func (s *server) listApps(v *views.AppsPage, k clock, f appFilter, list []store.AppRow) {
	all := len(list)
	list = slices.DeleteFunc(list, func(a store.AppRow) bool { return !f.wants(a) })
	if len(list) == 0 {
		v.Empty = "filter"
		return
	}
	slices.SortStableFunc(list, func(a, b store.AppRow) int { return urgency(a) - urgency(b) })
	pages := (len(list) + appsPerPage - 1) / appsPerPage
	f.page = max(1, min(f.page, pages))
	from := (f.page - 1) * appsPerPage
	to := min(from+appsPerPage, len(list))
	for _, a := range list[from:to] {
		key := appKey{a.SDKAppID, a.RowVersion, a.Open, a.OpenOutcome, k.since(a.ReadAt), k.since(a.LastAt)}
		v.Rows = append(v.Rows, views.Row[views.AppRow]{Key: key, Make: func() views.AppRow { return s.appRow(k, a) }})
	}
	v.Summary = v.P.T("apps.summary", "Shown", v.P.Number(len(list)), "All", v.P.Number(all))
	if pages > 1 {
		v.Summary = v.P.T("apps.summary_page", "From", v.P.Number(from+1), "To", v.P.Number(to), "Shown", v.P.Number(len(list)))
	}
	if f.page > 1 {
		v.Previous = f.turned(f.page - 1)
	}
	if f.page < pages {
		v.Next = f.turned(f.page + 1)
	}
}

// urgency orders the work list: unknown outcome, pending, drifted, unreadable, then the rest by name.
func urgency(a store.AppRow) int {
	return min(slices.Index(standings, standing(a)), slices.Index(standings, string(changes.InStep)))
}

func (f appFilter) wants(a store.AppRow) bool {
	if f.env != "" && a.Environment != f.env || f.region != "" && a.Region != f.region {
		return false
	}
	if q := strings.ToLower(f.q); q != "" {
		host := ""
		if a.Current != nil {
			host = strings.ToLower(changes.HostPort(a.Current.URL()))
		}
		if !strings.Contains(strings.ToLower(a.Name), q) && !strings.Contains(itoa64(a.SDKAppID), q) && !strings.Contains(host, q) {
			return false
		}
	}
	return f.state == tabArchived || inTab(f.state, a)
}

// inTab tells whether an app belongs to a tab; an unknown tab shows all.
func inTab(tab string, a store.AppRow) bool {
	st := changes.StateOf(a.App, a.Current)
	switch tab {
	case tabAttention:
		return a.Open != 0 || st == changes.Drifted || st == changes.Unreadable
	}
	if slices.Contains(standings, tab) {
		return standing(a) == tab
	}
	return true
}

func appTabs(p *i18n.Printer, rows []store.AppRow, archived int, f appFilter) []views.Tab {
	var list []views.Tab
	count := map[string]int{"": len(rows)}
	for i := range rows {
		count[standing(rows[i])]++
		if inTab(tabAttention, rows[i]) {
			count[tabAttention]++
		}
	}
	for _, name := range append([]string{"", tabAttention}, standings...) {
		n := count[name]
		if n == 0 && name != "" && name != f.state && name != tabAttention {
			continue
		}
		list = append(list, views.Tab{Href: f.tab(name), Text: p.T("apps.tab." + orElse(name, "all")), Count: p.Number(n), Current: f.state == name})
	}
	if archived > 0 {
		list = append(list, views.Tab{Href: f.tab(tabArchived), Text: p.T("apps.tab.archived"), Count: p.Number(archived), Current: f.state == tabArchived})
	}
	return list
}

// tab is the address of a tab's first page; the other filters are kept.
func (f appFilter) tab(state string) string {
	f.state, f.page = state, 1
	return f.href()
}

// turned is the address of another page of the same.
func (f appFilter) turned(page int) string {
	f.page = page
	return f.href()
}

func (f appFilter) href() string {
	q := url.Values{}
	if f.page > 1 {
		q.Set("page", strconv.Itoa(f.page))
	}
	for name, value := range map[string]string{"state": f.state, "q": f.q, "env": f.env, "region": f.region} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return "/apps"
	}
	return "/apps?" + q.Encode()
}

// appKey is all that the row of an app depends on but the language.
type appKey struct {
	sdkappid, version, open int64
	outcome                 string
	read, begun             time.Duration // since then
}

func (s *server) appRow(k clock, a store.AppRow) views.AppRow {
	p := k.p
	r := views.AppRow{Name: a.Name, Href: views.AppPath(a.SDKAppID, "/callback"), ID: itoa64(a.SDKAppID), Region: s.regionName(p, a.Region),
		Env: views.Env{Class: a.Environment, Word: p.T("environment." + a.Environment)}}
	stands := standing(a)
	r.State = standingWord(p, stands)
	switch {
	case stands == standsUnknown:
		r.StateNote = p.T("apps.finding_out")
	case stands == standsPending:
	case stands == string(changes.Unreadable):
		r.StateNote = readFailure(p, a.FailedCode, a.FailedFault)
	case a.ReadAt != 0:
		r.StateNote = p.T("apps.read", "Ago", k.ago(a.ReadAt))
	}
	callbackCells(p, &r, a.Current)
	last := a.RecordNumber
	if a.Open != 0 {
		last = a.Open
	}
	if last != 0 {
		r.LastWho = orElse(a.LastWho, p.T("word.console"))
		r.LastNote, r.LastHref, r.LastNumber = k.ago(a.LastAt), views.ChangePath(last), "#"+itoa64(last)
	}
	return r
}

func callbackCells(p *i18n.Printer, r *views.AppRow, current *store.Configuration) {
	switch {
	case current == nil:
		r.CallbackNote, r.Events = p.T("word.not_known"), p.T("word.not_known")
		return
	case current.IsNone():
		r.CallbackNote, r.Events = p.T("word.none"), p.T("word.none")
		return
	}
	r.Events, r.EventsNote = eventCells(p, *current)
	u, err := url.Parse(current.URL())
	if err != nil || u.Host == "" {
		r.CallbackNote = store.Text(current.URL(), 80)
		return
	}
	r.Host, r.Path, r.Secure = u.Host, orElse(u.EscapedPath(), "/"), u.Scheme == "https"
	if !r.Secure {
		r.CallbackNote = p.T("apps.no_tls")
	}
}

func eventCells(p *i18n.Printer, c store.Configuration) (events, note string) {
	n := changes.CountOf(c)
	parts := []string{p.T("apps.none_blocking")}
	if n.Blocking > 0 {
		parts[0] = p.T("apps.blocking", "Count", n.Blocking)
	}
	if n.Unlisted > 0 {
		parts = append(parts, p.N("apps.unlisted", n.Unlisted))
	}
	return p.T("apps.events", "Count", n.Listed, "All", tencent.EventCount()), strings.Join(parts, " · ")
}

// regionOptions offers every region; any is the words for all of them, "" to leave that out.
func (s *server) regionOptions(p *i18n.Printer, chosen, every string) []views.Option {
	var list []views.Option
	if every != "" {
		list = append(list, views.Option{Text: every, Selected: chosen == ""})
	}
	if _, known := s.Regions.Find(chosen); every == "" && chosen != "" && !known {
		// Another one must not look chosen in its place.
		list = append(list, views.Option{Value: chosen, Text: p.T("settings.region_unknown", "Region", store.Text(chosen, 80)), Selected: true})
	}
	for _, r := range s.Regions.All() {
		text := s.regionName(p, r.Name)
		if every == "" {
			text += " · " + p.T("listing."+string(r.Listed))
		}
		list = append(list, views.Option{Value: r.Name, Text: text, Selected: r.Name == chosen})
	}
	return list
}

// showApp leads to the app's callback, which is what an app is about here.
func (s *server) showApp(c echo.Context) error {
	a, err := s.app(c)
	if err != nil {
		return err
	}
	return seeOther(c, views.AppPath(a.SDKAppID, "/callback"))
}

// actOnApp reads an app now, or begins one of the acts that concern the app as a whole. Only a plan, once applied,
// changes something at Tencent.
func (s *server) actOnApp(c echo.Context) error {
	a, err := s.app(c)
	if err != nil {
		return err
	}
	switch c.FormValue("do") {
	case "", "check":
		if _, err := s.Changes.Look(c.Request().Context(), actor(c), a.SDKAppID); err != nil {
			return err
		}
		return seeOther(c, views.AppPath(a.SDKAppID, "/callback"))
	case "accept":
		return s.acceptDrift(c, a)
	case "put-back":
		return s.putBack(c, a)
	case "delete":
		return s.planDelete(c, a)
	}
	return echo.NewHTTPError(http.StatusBadRequest)
}

// appNumber is the SDKAppID in the address.
func appNumber(c echo.Context) (int64, error) {
	id, err := strconv.ParseInt(c.Param("sdkappid"), 10, 64)
	if err != nil {
		return 0, store.ErrNotFound
	}
	return id, nil
}

// app is the app that the address names.
func (s *server) app(c echo.Context) (store.App, error) {
	id, err := appNumber(c)
	if err != nil {
		return store.App{}, err
	}
	return s.Store.App(c.Request().Context(), id)
}
