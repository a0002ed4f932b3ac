package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/labstack/echo/v4"

	"callboard/i18n"
	"callboard/store"
	"callboard/views"
)

// historyRows is how many entries a page has.
const historyRows = 50

// search is what the address of the history asks for.
type search struct {
	q      string
	tab    string
	before int64
}

func readSearch(c echo.Context) search {
	f := search{q: strings.TrimSpace(c.QueryParam("q")), tab: c.QueryParam("state")}
	f.before, _ = strconv.ParseInt(c.QueryParam("before"), 10, 64)
	if f.before < 0 {
		f.before = 0
	}
	// PostgreSQL takes neither NUL nor broken text, not even to look for.
	f.q = store.Text(f.q, 4096)
	return f
}

// href keeps the search in the address of another tab or page.
func (f search) href(path string) string {
	q := url.Values{}
	if f.q != "" {
		q.Set("q", f.q)
	}
	if f.tab != "" {
		q.Set("state", f.tab)
	}
	if f.before != 0 {
		q.Set("before", itoa64(f.before))
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// understood is a search in the terms of the store, with what was understood.
type understood struct {
	filter store.Filter
	kind   string // "request_id", "app", "number", "attempt", "person", "url", or "" for everything
	value  string
	exact  bool // an id that leads straight to its entry when there is one
}

// requestID matches the documented shape and its beginnings; what a person copied may lack the front.
var requestID = regexp.MustCompile(`(?i)^(id-)?([0-9a-f]{6,32}(-o(-s(e(q(-[0-9]*)?)?)?)?)?-?)$`)

// insideText finds a RequestId in whatever stands around it.
var insideText = regexp.MustCompile(`(?i)(?:^|[^0-9a-z-])(id-[0-9a-f]{6,32}(?:-o-seq-[0-9]+)?)(?:[^0-9a-z-]|$)`)

// understand reads the search field: RequestId, SDKAppID, number, attempt id, person, else part of a URL.
func (s *server) understand(ctx context.Context, f search) (understood, error) {
	u := understood{filter: store.Filter{Before: f.before, Limit: historyRows + 1}, value: f.q}
	tabFilter(&u.filter, f.tab)
	text := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' {
			return -1
		}
		return r
	}, f.q)
	if found := insideText.FindStringSubmatch(f.q); found != nil && !requestID.MatchString(text) {
		text = found[1] // a whole log line was pasted
	}
	if head, _, short := strings.Cut(text, "…"); short && requestID.MatchString(head) {
		text = head // as lists print it
	}
	number, err := strconv.ParseInt(strings.TrimPrefix(text, "#"), 10, 64)
	switch {
	case text == "":
		return u, nil
	case err == nil && number > 0:
		return s.understandNumber(ctx, u, text, number)
	case strings.HasPrefix(strings.ToLower(text), "id-"):
		if m := requestID.FindStringSubmatch(text); m != nil {
			return u.byRequestID(m[2]), nil
		}
		u.kind, u.exact, u.value = "request_id", true, "Id-"+text[3:]
		u.filter.RequestID = u.value
		return u, nil
	case requestID.MatchString(text) && strings.ContainsAny(text, "0123456789"):
		return u.byRequestID(text), nil
	}
	return s.understandText(ctx, u, f.q)
}

// understandNumber: an app of this id, an entry of this number, or an attempt id. "#" means an entry.
func (s *server) understandNumber(ctx context.Context, u understood, text string, number int64) (understood, error) {
	u.value = itoa64(number)
	if !strings.HasPrefix(text, "#") {
		_, err := s.Store.App(ctx, number)
		if err == nil {
			u.kind, u.filter.SDKAppID = "app", number
			return u, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return u, err
		}
	}
	_, err := s.Store.Change(ctx, number)
	if err == nil || strings.HasPrefix(text, "#") {
		u.kind, u.exact, u.filter.Number = "number", true, number
		return u, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return u, err
	}
	list, err := s.Store.History(ctx, store.Filter{Attempt: &number, Limit: 1})
	if err != nil {
		return u, err
	}
	if len(list) == 0 && requestID.MatchString(text) {
		// The beginning of a RequestId can be digits alone.
		return u.byRequestID(text), nil
	}
	u.kind, u.exact, u.filter.Attempt = "attempt", true, &number
	return u, nil
}

// byRequestID looks for a RequestId, or its beginning, given without "Id-".
func (u understood) byRequestID(text string) understood {
	u.kind, u.exact = "request_id", true
	u.value = "Id-" + strings.Replace(strings.Replace(strings.ToLower(text), "-o", "-O", 1), "-s", "-S", 1)
	u.filter.RequestID = u.value
	return u
}

// understandText: the whole name of somebody who made an entry, else part of a URL.
func (s *server) understandText(ctx context.Context, u understood, text string) (understood, error) {
	list, err := s.Store.History(ctx, store.Filter{Who: text, Limit: 1})
	if err != nil {
		return u, err
	}
	if len(list) > 0 {
		u.kind, u.filter.Who = "person", text
		return u, nil
	}
	u.kind, u.filter.URLPart = "url", text
	return u, nil
}

// tabFilter turns a tab into a filter; an unknown tab shows everything.
func tabFilter(f *store.Filter, tab string) {
	switch tab {
	case "changes":
		f.Acts = true
	case "drift":
		f.Kind = store.KindDrift
	case store.Refused, store.Unknown, store.NotSent, store.Applied:
		f.State = tab
	}
}

func (s *server) showHistory(c echo.Context) error {
	f, ctx := readSearch(c), c.Request().Context()
	u, err := s.understand(ctx, f)
	if err != nil {
		return err
	}
	list, err := s.Store.Entries(ctx, u.filter)
	if err != nil {
		return err
	}
	if u.exact && len(list) == 1 && f.before == 0 && f.tab == "" {
		return seeOther(c, views.ChangePath(list[0].Number), "found", u.kind)
	}
	if code := u.filter.Attempt; code != nil && len(list) == 0 {
		if _, known := findCode(*code); known {
			return seeOther(c, "/errors/"+itoa64(*code))
		}
	}
	return s.render(c, http.StatusOK, views.History(s.historyPage(c, f, u, list)))
}

func (s *server) historyPage(c echo.Context, f search, u understood, list []store.Entry) views.HistoryPage {
	v := views.HistoryPage{Base: s.base(c, "history.title"), Q: f.q}
	p, k := v.P, s.clockOf(c, v.P)
	v.Nav, v.Search, v.ZoneHead = "history", "", p.T("history.entry", "Zone", k.zoneName())
	v.Export, v.ExportCSV = search{q: f.q, tab: f.tab}.href("/history.jsonl"), search{q: f.q, tab: f.tab}.href("/history.csv")
	for _, tab := range []string{"", "changes", "drift", store.Refused, store.Unknown, store.NotSent} {
		v.Tabs = append(v.Tabs, views.Tab{Href: search{q: f.q, tab: tab}.href("/history"), Text: p.T("history.tab." + orElse(tab, "all")), Current: tab == f.tab})
	}
	if u.kind != "" {
		v.Chips = []views.Chip{{Name: p.T("history.chip." + u.kind), Value: store.Text(u.value, 80), RemoveHref: search{tab: f.tab}.href("/history"), RemoveLabel: p.T("history.remove", "What", p.T("history.chip."+u.kind))}}
	}
	if len(list) == 0 {
		v.Empty = emptyHistory(p, f, u)
		return v
	}
	if len(list) > historyRows {
		list = list[:historyRows]
		v.Older = search{q: f.q, tab: f.tab, before: list[historyRows-1].Number}.href("/history")
	}
	if f.before != 0 {
		v.Newer = search{q: f.q, tab: f.tab}.href("/history")
	}
	v.Note = p.T("history.note", "First", list[0].Number, "Last", list[len(list)-1].Number)
	v.Days, v.Kept = days(k, list), s.kept(p)
	return v
}

func emptyHistory(p *i18n.Printer, f search, u understood) *views.EmptyHistory {
	all := views.Link{Href: "/history", Text: p.T("form.clear")}
	switch {
	case f.q == "" && f.tab == "" && f.before == 0:
		return &views.EmptyHistory{Icon: "history", Title: p.T("history.none_title"), Text: p.T("history.none_text"), Links: []views.Link{{Href: "/apps", Text: p.T("problem.to_apps")}}}
	case u.exact:
		return &views.EmptyHistory{Icon: "search", Title: p.T("history.no_id_title", "What", p.T("history.chip."+u.kind)), Text: p.T("history.no_id_text", "Value", store.Text(u.value, 120)), Links: []views.Link{all}}
	}
	return &views.EmptyHistory{Icon: "search", Title: p.T("history.nothing_title"), Text: p.T("history.nothing_text"), Links: []views.Link{all}}
}

// days groups entries by day in the person's zone.
func days(k clock, list []store.Entry) []views.Day {
	var out []views.Day
	rows := make([]views.HistoryRow, 0, len(list))
	for i, c := range list {
		// The title is made once a day, not once a row.
		if i == 0 || !sameDay(k.at(c.StartedAt), k.at(list[i-1].StartedAt)) {
			out = append(out, views.Day{Title: k.day(c.StartedAt)})
		}
		rows = append(rows, historyRow(k, c))
		day := &out[len(out)-1]
		day.Rows = rows[len(rows)-1-len(day.Rows):]
	}
	return out
}

func historyRow(k clock, c store.Entry) views.HistoryRow {
	p := k.p
	r := views.HistoryRow{Number: "#" + itoa64(c.Number), Href: views.ChangePath(c.Number), Time: k.clockTime(c.StartedAt),
		Env: views.Env{Class: c.Environment, Word: p.T("environment." + c.Environment)}, App: c.App, Who: orElse(c.Who, p.T("word.console")),
		What: what(p, c.Kind, c.Summary), State: stateOf(p, c.Kind, c.Outcome, c.Settled), RequestID: shortID(c.RequestID), FullID: c.RequestID}
	if c.ErrorCode != nil {
		r.Code = itoa64(*c.ErrorCode)
	}
	if c.DurationMS != nil {
		r.Duration = p.T("change.ms", "Count", p.Number(int(*c.DurationMS)))
	}
	return r
}

// shortID keeps the beginning and the counter of a RequestId, which is what people compare.
func shortID(id string) string {
	text := strings.TrimPrefix(id, "Id-")
	dash := strings.LastIndexByte(text, '-')
	if len(text) < 16 || dash < 0 {
		return id
	}
	return text[:8] + "…" + text[dash+1:]
}
