package handlers

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/singleflight"

	"callboard/i18n"
	"callboard/store"
	"callboard/views"
)

// historyRows is how many entries a page has.
const historyRows = 50

func (s *server) showHistory(c echo.Context) error {
	f, ctx := readSearch(c), c.Request().Context()
	v := views.HistoryPage{Base: s.base(c, "history.title"), Q: f.q}
	k := s.clockOf(c, v.P)
	u, err := s.understand(ctx, f, k.of(f.zone))
	if err != nil {
		return err
	}
	if u.zoned && f.zone == "" {
		// Whoever is sent the address has to see the same.
		f.zone = k.zone.String()
		return seeOther(c, f.href("/history"))
	}
	list, err := s.Store.Entries(ctx, u.filter)
	if err != nil {
		return err
	}
	if u.exact != "" && len(list.Entries) == 1 && f.before == 0 && f.tab == "" {
		return seeOther(c, views.ChangePath(list.Entries[0].Number), "found", u.exact)
	}
	v.Nav, v.Zone = "history", f.zone
	exported := search{q: f.q, tab: f.tab, zone: f.zone}
	v.Tabs, v.Export, v.ExportCSV = s.historyTabs(ctx, v.P, k.of(f.zone).zone.String(), f, u, list), exported.href("/history.jsonl"), exported.href("/history.csv")
	if i := slices.IndexFunc(v.Tabs, func(t views.Tab) bool { return t.Current && t.Count != "" }); i >= 0 {
		v.ExportNote = v.P.T("export.count", "Count", v.Tabs[i].Count)
	}
	searchNotes(&v, f, u)
	if err := s.newer(ctx, &v, f, u); err != nil {
		return err
	}
	s.historyList(&v, k, f, u, list)
	return s.render(c, http.StatusOK, views.History(v))
}

// searchNotes say what was understood of a search, and what was not.
func searchNotes(v *views.HistoryPage, f search, u understood) {
	p := v.P
	for _, c := range u.chips {
		name := p.T("history.chip." + c.kind)
		v.Chips = append(v.Chips, views.Chip{Name: name, Value: store.Text(c.value, maxWord), RemoveHref: search{q: u.without(c), tab: f.tab, zone: f.zone}.href("/history"), RemoveLabel: p.T("history.remove", "What", name)})
	}
	for _, x := range u.ignored {
		title := "history.ignored"
		switch x.id {
		case "filter":
			title = "history.no_filter"
		case "long":
			title = "history.shortened"
		case "no_app", "no_person": // looked for all the same
			title = "history." + x.id
		}
		if x.text == "" {
			v.Notices = append(v.Notices, views.Notice{Level: "care", Title: p.T("history." + x.id)})
			continue
		}
		v.Notices = append(v.Notices, views.Notice{Level: "care", Title: p.T(title, "Text", x.text), Text: p.T("history.ignored." + x.id)})
	}
	if len(f.lost) > 0 {
		v.Notices = append(v.Notices, views.Notice{Level: "care", Title: p.T("history.ignored", "Text", join(p, f.lost)), Text: p.T("history.ignored.address")})
	}
	if f.cut && len(f.ids) == 0 {
		v.Notices = append(v.Notices, views.Notice{Level: "care", Title: p.T("history.cut")})
	}
	if u.also != 0 {
		v.Notices = append(v.Notices, views.Notice{Level: "info", Title: p.T("history.also_title", "Code", u.also), Text: p.T("history.also_text"),
			Link: &views.Link{Href: views.ChangePath(u.also), Text: p.T("change.crumb", "Number", u.also)}})
	}
	if u.pointed != 0 {
		v.Notices = append(v.Notices, views.Notice{Level: "info", Title: p.T("history.pointed_title", "Number", u.pointed),
			Link: &views.Link{Href: views.ChangePath(u.pointed), Text: p.T("callback.open_link", "Number", u.pointed)}})
	}
	if code := u.filter.Code; code != nil && *code != 0 { // 0 says that all went well
		v.Code = &views.Link{Href: codePath(*code), Text: p.T("history.code_page", "Code", *code)}
	}
}

// newer tells on a page further back how many entries came since the first page was shown.
func (s *server) newer(ctx context.Context, v *views.HistoryPage, f search, u understood) error {
	if f.before == 0 {
		return nil
	}
	v.Newer = views.Link{Href: search{q: f.q, tab: f.tab, zone: f.zone}.href("/history"), Text: v.P.T("history.newest")}
	if f.top == 0 {
		return nil
	}
	filter := u.filter
	filter.Before, filter.After, filter.Limit = 0, f.top, historyRows+1
	list, err := s.Store.Entries(ctx, filter)
	if n := len(list.Entries); n > historyRows {
		v.Newer.Text = v.P.T("history.new_many", "Count", historyRows)
	} else if n > 0 {
		v.Newer.Text = v.P.N("history.new", n)
	}
	return err
}

// historyList shows what was found, or why nothing was.
func (s *server) historyList(v *views.HistoryPage, k clock, f search, u understood, found store.Found) {
	p, list := v.P, found.Entries
	if found.Down != 0 {
		v.Further = &views.Link{Href: search{q: f.q, tab: f.tab, before: found.Down, top: f.top, zone: f.zone}.href("/history"), Text: p.T("history.further")}
		v.FurtherText = p.T("history.down_to", "Time", k.stamp(found.DownAt))
	}
	if len(list) == 0 && found.Down == 0 {
		v.Empty = s.emptyHistory(p, f, u)
		return
	}
	if title := missedTitle(p, u); title != "" {
		v.Notices = append(v.Notices, views.Notice{Level: "info", Title: title, Text: p.T("history.as_word")})
	}
	if len(list) == 0 {
		v.Empty = &views.EmptyHistory{Icon: "search", Title: p.T("history.not_yet_title"), Text: p.T("history.not_yet_text"), Links: []views.Link{{Href: "/history", Text: p.T("form.clear")}}}
		return
	}
	top := f.top
	if f.before == 0 {
		top = list[0].Number
	}
	if len(list) > historyRows {
		list = list[:historyRows]
		v.Older = search{q: f.q, tab: f.tab, before: list[historyRows-1].Number, top: top, zone: f.zone}.href("/history")
	}
	times := make([]int64, len(list))
	for i, e := range list {
		times[i] = e.StartedAt
	}
	v.ZoneHead = p.T("history.entry", "Zone", k.zoneName(times[0], times[1:]...))
	v.Note = p.T("history.note", "First", list[0].Number, "Last", list[len(list)-1].Number)
	v.Days, v.Kept = days(k, list), s.kept(p)
}

// missedTitle says which id was looked for in vain before it was looked for as a word, "" where none was.
func missedTitle(p *i18n.Printer, u understood) string {
	switch {
	case u.digits != "":
		return p.T("history.no_digits_title", "Value", u.digits)
	case u.missing != "":
		return p.T("history.no_id_title", "What", p.T("history.chip.request_id"))
	}
	return ""
}

// emptyHistory says why nothing was found in the whole history.
func (s *server) emptyHistory(p *i18n.Printer, f search, u understood) *views.EmptyHistory {
	empty := func(title, text string) *views.EmptyHistory {
		return &views.EmptyHistory{Icon: "search", Title: title, Text: text, Links: []views.Link{{Href: "/history", Text: p.T("form.clear")}}}
	}
	noID := p.T("history.no_id_title", "What", p.T("history.chip."+orElse(u.exact, "request_id")))
	switch {
	case f.q == "" && f.tab == "" && f.before == 0:
		return &views.EmptyHistory{Icon: "history", Title: p.T("history.none_title"), Text: p.T("history.none_text"), Links: []views.Link{{Href: "/apps", Text: p.T("problem.to_apps")}}}
	case f.tab != "" || f.before != 0 || len(u.chips) > 1: // which may be why
	case u.digits != "":
		return empty(missedTitle(p, u), p.T("history.no_digits_text", "Value", u.digits))
	case u.missing != "":
		return empty(noID, s.noRequestID(p, u.missing))
	case u.exact == "number":
		return empty(noID, p.T("history.no_number_text"))
	case u.exact == "request_id":
		return empty(noID, s.noRequestID(p, u.filter.RequestID))
	case u.exact != "":
		return empty(noID, p.T("history.no_id_text", "Value", store.Text(u.chips[len(u.chips)-1].value, 120)))
	}
	text := p.T("history.nothing_text")
	if f.tab != "" {
		text = p.T("history.nothing_in_tab") + " " + text
	}
	return empty(p.T("history.nothing_title"), text)
}

// noRequestID says why an entry with a RequestId may not be found.
func (s *server) noRequestID(p *i18n.Printer, id string) string {
	text := p.T("history.no_request_id", "Value", store.Text(id, 120))
	if s.Retention != 0 {
		text += " " + p.N("history.no_request_id_old", int(s.Retention/(24*time.Hour)))
	}
	return text
}

// historyTabs are the kinds of entries, with how many of each the search has.
func (s *server) historyTabs(ctx context.Context, p *i18n.Printer, zone string, f search, u understood, found store.Found) []views.Tab {
	// A day is another time in another zone.
	n, known := found.Counts(), u.exact == ""
	if f.tab != "" || f.before != 0 || len(found.Entries) > historyRows {
		n, known = s.countsOf(ctx, zone+" "+f.q, u)
	}
	var list []views.Tab
	for _, t := range []struct {
		name  string
		count store.Count
	}{{"", n.All}, {"changes", n.Acts}, {"drift", n.Drift}, {store.Refused, n.Refused}, {store.Unknown, n.Unknown}, {store.NotSent, n.NotSent}} {
		tab := views.Tab{Href: search{q: f.q, tab: t.name, zone: f.zone}.href("/history"), Text: p.T("history.tab." + orElse(t.name, "all")), Current: t.name == f.tab}
		if known {
			tab.Count = tabCount(p, t.count)
		}
		list = append(list, tab)
	}
	return list
}

// tabCount is a count as a tab shows it: "5+" where there may be more, and nothing where a look that ended early found none.
func tabCount(p *i18n.Printer, n store.Count) string {
	switch {
	case !n.More:
		return p.Number(n.N)
	case n.N == 0:
		return ""
	}
	return p.Number(n.N) + "+"
}

// countCache keeps the counts of searches for a moment, as every page of a search shows them. However many ask, one counts.
type countCache struct {
	mu       sync.Mutex
	list     map[string]keptCounts
	counting singleflight.Group
}

type keptCounts struct {
	at     time.Time
	counts store.Counts
}

// Counts are kept this long, and of so many searches. Those that are asked for often are counted anew before.
const (
	countsLife  = 10 * time.Second
	countsFresh = countsLife * 3 / 4
	countsKept  = 500
)

// countsOf counts the entries of a search without its tab; false: not of an id, and not when it failed, as a list without
// counts beats no list.
func (s *server) countsOf(ctx context.Context, q string, u understood) (store.Counts, bool) {
	if u.exact != "" {
		return store.Counts{}, false
	}
	n, err := s.counts.of(ctx, q, func(ctx context.Context) (store.Counts, error) {
		f := u.all
		f.Before = 0
		n, err := s.Store.Counts(ctx, f)
		if err != nil {
			s.Log.Error("the entries of a search could not be counted", "err", err)
		}
		return n, err
	})
	return n, err == nil
}

// of gives the counts of a search as they were at most countsLife ago. Whoever gives up waiting leaves the counting to go on.
func (k *countCache) of(ctx context.Context, q string, count func(context.Context) (store.Counts, error)) (store.Counts, error) {
	known, age := k.find(q)
	if age < countsFresh {
		return known, nil
	}
	answer := k.counting.DoChan(q, func() (any, error) {
		at := time.Now() // what comes while it counts may be missing
		n, err := count(context.WithoutCancel(ctx))
		if err == nil {
			k.keep(q, keptCounts{at, n})
		}
		return n, err
	})
	if age < countsLife {
		return known, nil
	}
	select {
	case r := <-answer:
		n, _ := r.Val.(store.Counts)
		return n, r.Err
	case <-ctx.Done():
		return store.Counts{}, ctx.Err()
	}
}

// find gives the counts that are kept of a search, and how old they are.
func (k *countCache) find(q string) (store.Counts, time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.list[q]
	return known.counts, time.Since(known.at)
}

func (k *countCache) keep(q string, n keptCounts) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.list == nil || len(k.list) >= countsKept {
		k.list = map[string]keptCounts{}
	}
	k.list[q] = n
}

// days groups entries by day in the person's zone.
func days(k clock, list []store.Entry) []views.Day {
	var out []views.Day
	zone := k.zone.String()
	rows := make([]views.Row[views.HistoryRow], 0, len(list))
	for i, c := range list {
		// The title is made once a day, not once a row.
		if i == 0 || !sameDay(k.at(c.StartedAt), k.at(list[i-1].StartedAt)) {
			out = append(out, views.Day{Title: k.day(c.StartedAt)})
		}
		rows = append(rows, views.Row[views.HistoryRow]{Key: entryKey{c.Number, c.Version, zone}, Make: func() views.HistoryRow { return historyRow(k, c) }})
		day := &out[len(out)-1]
		day.Rows = rows[len(rows)-1-len(day.Rows):]
	}
	return out
}

// entryKey is all that the row of an entry depends on but the language.
type entryKey struct {
	number, version int64
	zone            string
}

func historyRow(k clock, c store.Entry) views.HistoryRow {
	p := k.p
	r := views.HistoryRow{Number: "#" + itoa64(c.Number), Href: views.ChangePath(c.Number), Time: k.clockTime(c.StartedAt),
		Env: views.Env{Class: c.Environment, Word: p.T("environment." + c.Environment)}, App: c.App,
		AppTitle: p.T("environment."+c.Environment) + " · " + itoa64(c.SDKAppID), Who: orElse(c.Who, p.T("word.console")),
		What: what(p, c.Kind, c.Summary), State: stateOf(p, c.Kind, c.Outcome, c.Settled), RequestID: shortID(c.RequestID)}
	if c.ErrorCode != nil {
		r.Code = itoa64(*c.ErrorCode)
	}
	if c.DurationMS != nil {
		r.Duration = p.T("change.ms", "Count", millis(p, *c.DurationMS))
	}
	return r
}

// shortID shows the beginning and the counter of a RequestId, which is what people compare.
func shortID(id string) views.ShortID {
	text := strings.TrimPrefix(id, "Id-")
	dash := strings.LastIndexByte(text, '-')
	if len(text) < 16 || dash < 8 {
		return views.ShortID{Whole: id, Head: id}
	}
	return views.ShortID{Whole: id, Before: id[:len(id)-len(text)], Head: text[:8], Between: text[8 : dash+1], Tail: text[dash+1:]}
}
