package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"callboard/changes"
	"callboard/i18n"
	"callboard/store"
	"callboard/views"
)

// auditRows is how many rows a page has.
const auditRows = 50

// auditFields are the fields of the address.
var auditFields = []string{"person", "acts", "app", "from", "to", "before"}

// auditSearch is what the address of the audit asks for, as it was typed.
type auditSearch struct {
	person, group, app, from, to string
	before                       int64
}

func readAuditSearch(c echo.Context) auditSearch {
	get := func(name string) string { return store.Text(strings.TrimSpace(c.QueryParam(name)), 200) }
	f := auditSearch{person: get("person"), group: get("acts"), app: get("app"), from: get("from"), to: get("to")}
	f.before = positive(c.QueryParam("before"))
	return f
}

// href keeps the search in the address of another page.
func (f auditSearch) href() string {
	q := url.Values{}
	for name, value := range map[string]string{"person": f.person, "acts": f.group, "app": f.app, "from": f.from, "to": f.to} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.before != 0 {
		q.Set("before", itoa64(f.before))
	}
	if len(q) == 0 {
		return "/audit"
	}
	return "/audit?" + q.Encode()
}

// below is the same search for the rows below a number.
func (f auditSearch) below(number int64) string {
	f.before = number
	return f.href()
}

// filter is the search in the terms of the store. A field that cannot be understood is a mistake: an audit that shows
// too much or too little without saying so misleads.
func (f auditSearch) filter(p *i18n.Printer, zone *time.Location) (store.AuditFilter, []views.FieldError) {
	x := store.AuditFilter{Before: f.before, Person: f.person, Limit: auditRows + 1}
	var mistakes []views.FieldError
	wrong := func(field string) {
		mistakes = append(mistakes, views.FieldError{Href: "#" + field, Text: p.T("audit.wrong." + field)})
	}
	if x.Acts = store.ActsOf(f.group); f.group != "" && x.Acts == nil {
		wrong("acts")
	}
	if f.app != "" {
		id, err := strconv.ParseInt(f.app, 10, 64)
		if err != nil || id <= 0 {
			wrong("app")
		}
		x.SDKAppID = id
	}
	var ok bool
	if x.From, ok = dayStart(f.from, zone, 0); !ok {
		wrong("from")
	}
	if x.To, ok = dayStart(f.to, zone, 1); !ok || (x.To != 0 && x.To <= x.From) {
		wrong("to")
	}
	return x, mistakes
}

// dayStart is the beginning of a day such as 2026-03-01, or of one that many days later; 0 when none is asked for.
func dayStart(day string, zone *time.Location, later int) (int64, bool) {
	if day == "" {
		return 0, true
	}
	t, err := time.ParseInLocation(time.DateOnly, day, zone)
	if err != nil || t.Year() < 1971 {
		return 0, false
	}
	return t.AddDate(0, 0, later).UnixMilli(), true
}

func onlyDay(text string) string {
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return ""
	}
	return text
}

// showAudit shows /audit.
func (s *server) showAudit(c echo.Context) error {
	f := readAuditSearch(c)
	v := views.AuditPage{Base: s.base(c, "audit.title"), Person: f.person, App: f.app, From: f.from, To: f.to}
	v.Nav, v.Filtered = "audit", f != auditSearch{before: f.before}
	v.Notices = append(v.Notices, auditIgnored(v.P, c.QueryParams())...)
	k := s.clockOf(c, v.P)
	v.Acts = []views.Option{{Text: v.P.T("audit.group.all")}}
	for _, g := range store.ActGroups {
		v.Acts = append(v.Acts, views.Option{Value: g.Name, Text: v.P.T("audit.group." + g.Name), Selected: g.Name == f.group})
	}
	filter, mistakes := f.filter(v.P, k.zone)
	if v.Mistakes = mistakes; len(mistakes) > 0 {
		// A browser shows nothing in the place of what is no day.
		v.From, v.To = onlyDay(f.from), onlyDay(f.to)
		return s.render(c, http.StatusUnprocessableEntity, views.Audit(v))
	}
	list, err := s.Store.AuditTrail(c.Request().Context(), filter)
	if err != nil {
		return err
	}
	rows := list.Entries[:min(len(list.Entries), auditRows)]
	plans, err := s.auditPlans(c.Request().Context(), rows)
	if err != nil {
		return err
	}
	fillAudit(&v, k, f, list, plans)
	return s.render(c, http.StatusOK, views.Audit(v))
}

// auditIgnored says which fields of an address mean nothing here.
func auditIgnored(p *i18n.Printer, asked url.Values) []views.Notice {
	words := unknownFields(asked, auditFields)
	if len(words) == 0 {
		return nil
	}
	return []views.Notice{{Level: "info", Title: p.T("history.ignored", "Text", join(p, words)), Text: p.T("audit.ignored")}}
}

// unknownFields are the fields of an address that are none of a page's; a few of them tell enough.
func unknownFields(asked url.Values, known []string) []string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if !slices.Contains(known, name) && len(words) < maxWords {
			words = append(words, store.Text(name, maxWord))
		}
	}
	return words
}

// auditPlans finds the pages of the plans that rows name, by the numbers of the rows. One that has expired has none.
func (s *server) auditPlans(ctx context.Context, rows []store.AuditEntry) (map[int64]string, error) {
	pages := map[int64]string{}
	for _, e := range rows {
		var detail struct{ Plan string }
		kind, id := store.TargetOf(e.Target)
		if kind == "" || e.At < s.Clock().Add(-changes.PlanLife).UnixMilli() || json.Unmarshal([]byte(e.Detail), &detail) != nil || detail.Plan == "" {
			continue
		}
		if kind == "change" {
			c, err := s.Store.Change(ctx, id)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			id = c.SDKAppID
		}
		pages[e.Number] = views.AppPath(id, "/callback/review/"+url.PathEscape(detail.Plan))
	}
	return pages, nil
}

func fillAudit(v *views.AuditPage, k clock, f auditSearch, page store.AuditPage, plans map[int64]string) {
	list := page.Entries
	if len(list) > auditRows {
		list = list[:auditRows]
		v.Older = f.below(list[auditRows-1].Number)
	}
	if page.SearchedTo != 0 {
		v.Further, v.FurtherNote = f.below(page.SearchedTo), v.P.T("audit.searched", "Number", page.SearchedTo)
	}
	if f.before != 0 {
		v.Newer = f.below(0)
	}
	if len(list) > 0 {
		times := make([]int64, len(list))
		for i, e := range list {
			times[i] = e.At
		}
		v.ZoneHead = v.P.T("audit.time", "Zone", k.zoneName(times[0], times[1:]...))
		v.Note = v.P.T("audit.note", "First", list[0].Number, "Last", list[len(list)-1].Number)
	}
	for i, e := range list {
		if i == 0 || !sameDay(k.at(e.At), k.at(list[i-1].At)) {
			v.Days = append(v.Days, views.AuditDay{Title: k.day(e.At)})
		}
		day := &v.Days[len(v.Days)-1]
		day.Rows = append(day.Rows, auditRow(k, e, plans[e.Number]))
	}
}

// auditRow shows a row; plan is the page of the plan that it names.
func auditRow(k clock, e store.AuditEntry, plan string) views.AuditRow {
	p := k.p
	r := views.AuditRow{Number: "#" + itoa64(e.Number), Time: k.clockTime(e.At), Act: actWords(p, e.Act), Address: e.Actor.Address}
	switch {
	case e.Actor.Kind == store.ConsoleActor:
		r.Who = p.T("word.console")
	case e.Actor.Name == "":
		r.Who = p.T("audit.nobody")
	default:
		r.Who, r.WhoHref = e.Actor.Name, auditSearch{person: e.Actor.Name}.href()
		r.Role = e.Actor.Role
		if p.Has("role." + e.Actor.Role) {
			r.Role = p.T("role." + e.Actor.Role)
		}
	}
	switch kind, id := store.TargetOf(e.Target); kind {
	case "app":
		r.Target, r.TargetHref = p.T("audit.app", "ID", itoa64(id)), views.AppPath(id, "")
	case "change":
		r.Target, r.TargetHref = p.T("audit.change", "Number", itoa64(id)), views.ChangePath(id)
	default:
		r.Target = e.Target
		if r.Target != "" && (strings.HasPrefix(e.Act, "user.") || strings.HasPrefix(e.Act, "session.")) {
			r.TargetHref = auditSearch{person: e.Target}.href()
		}
	}
	r.Detail = details(p, e.Detail, plan)
	return r
}

// actWords says an act in words; one that this version does not know is shown by its name.
func actWords(p *i18n.Printer, act string) string {
	if id := "audit.act." + act; p.Has(id) {
		return p.T(id)
	}
	return act
}

// details puts the detail of a row into plain form, name by name.
func details(p *i18n.Printer, detail, plan string) []views.AuditDetail {
	var object map[string]any
	if detail == "null" {
		return nil
	}
	if err := json.Unmarshal([]byte(detail), &object); err != nil {
		return []views.AuditDetail{{Value: detail}} // no object: shown as it is
	}
	var list []views.AuditDetail
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := detailValue(p, strings.ToLower(name), object[name])
		if value == "" {
			continue
		}
		label := name
		if id := "audit.detail." + strings.ToLower(name); p.Has(id) {
			label = p.T(id)
		}
		list = append(list, views.AuditDetail{Name: label, Value: value, Links: detailLinks(name, value, object[name], plan)})
	}
	return list
}

// detailLinks lead to what a value names: a plan, or apps.
func detailLinks(name, text string, value any, plan string) []views.Link {
	var links []views.Link
	if name == "plan" && plan != "" {
		links = append(links, views.Link{Href: plan, Text: text})
	}
	list, ok := value.([]any)
	if name != "apps" || !ok {
		return links
	}
	for _, x := range list {
		id, ok := x.(float64)
		if !ok {
			return nil
		}
		links = append(links, views.Link{Href: views.AppPath(int64(id), ""), Text: itoa64(int64(id))})
	}
	return links
}

// detailWords are the texts for the values of a name.
var detailWords = map[string]string{"role": "role.", "outcome": "state.", "settled": "state.", "environment": "environment.", "theme": "theme.", "language": "language.", "via": "via."}

// digestShown is how much of a configuration's digest tells it from others.
const digestShown = 12

// driftEntry names the entry of a drift that a reading found; most find none.
func driftEntry(p *i18n.Printer, number int64) string {
	if number == 0 {
		return ""
	}
	return p.T("audit.change", "Number", itoa64(number))
}

func detailValue(p *i18n.Printer, name string, value any) string {
	switch x := value.(type) {
	case nil:
		return ""
	case bool:
		if x {
			return p.T("audit.yes")
		}
		return p.T("audit.no")
	case string:
		if id := detailWords[name] + x; x != "" && detailWords[name] != "" && p.Has(id) {
			return p.T(id)
		}
		if name == "configuration" && len(x) > digestShown {
			return x[:digestShown] + "…"
		}
		return x
	case float64:
		if name == "drift" {
			return driftEntry(p, int64(x))
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}
