package handlers

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/labstack/echo/v4"

	"callboard/store"
)

// Limits of a search. What is beyond is ignored, and the page says so.
const (
	maxQuery = 4096 // bytes
	maxWords = 6
	maxWord  = 80 // bytes of what is shown, and letters of what is looked for: a sentence in Chinese is one word
	maxParts = 24 // words of which each may be an app or a code
	minID    = 6  // digits of a RequestId; fewer begin too many of them
)

// search is what the address of the history asks for.
type search struct {
	q      string
	tab    string
	before int64
	top    int64    // the newest entry when the first page was shown
	zone   string   // whose days a search for days means, "" for the person's own
	host   string   // that the page is asked of
	ids    []string // the whole RequestIds in what was typed, also behind maxQuery
	cut    bool     // more was typed than is looked at
	lost   []string // parts of the address that mean nothing
}

func readSearch(c echo.Context) search {
	q := store.Visible(c.QueryParam("q"))
	f := search{tab: c.QueryParam("state"), before: positive(c.QueryParam("before")), top: positive(c.QueryParam("top")), zone: knownZone(c.QueryParam("zone")), host: c.Request().Host}
	f.ids = wholeIDs(q)
	// Pages and messages bring other blanks than those of a keyboard. PostgreSQL takes neither NUL nor broken text, not even to look for.
	f.q = store.Text(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, q), maxQuery)
	f.cut = len(f.q) < len(strings.TrimSpace(q)) && len(q) > maxQuery
	f.lost = lostParts(c, f)
	return f
}

// fields are what an address of the history can have.
var fields = []string{"q", "state", "before", "top", "zone"}

// lostParts are the fields of an address that are none, or have values that mean nothing.
func lostParts(c echo.Context, f search) []string {
	asked := c.QueryParams()
	lost := unknownFields(asked, fields)
	for name, fine := range map[string]bool{"before": f.before != 0, "top": f.top != 0, "zone": f.zone != "", "state": slices.Contains(tabs, f.tab)} {
		if value := asked.Get(name); value != "" && !fine {
			lost = append(lost, name+"="+store.Text(value, maxWord))
		}
	}
	slices.Sort(lost)
	return lost
}

// tabs are those of the history, and what older addresses have.
var tabs = []string{"changes", "drift", store.Refused, store.Unknown, store.NotSent, store.Applied}

// positive is a whole number above zero, and 0 for anything else.
func positive(text string) int64 {
	n, ok := whole(text)
	if !ok {
		return 0
	}
	return max(n, 0)
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
		if f.top != 0 {
			q.Set("top", itoa64(f.top))
		}
	}
	if f.zone != "" {
		q.Set("zone", f.zone)
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// chip is one part of a search with what was understood by it; terms are the places of its parts in the search.
type chip struct {
	kind, value string
	terms       []int
}

// ignored is a part of a search that means nothing, with the id of the sentence that says why.
type ignored struct{ id, text string }

// understood is a search in the terms of the store, with what was understood.
type understood struct {
	filter  store.Filter
	all     store.Filter // without the tab
	chips   []chip
	ignored []ignored
	exact   string // the kind of id that leads straight to its entry when there is one
	digits  string // a mere number that was looked for, and is none of an app, a code, an entry or an attempt
	missing string // a RequestId that no entry has, "" where none was looked for; what was typed is looked for as a word
	zoned   bool   // a day or a time was given without its zone
	also    int64  // an entry whose number is the code that was looked for
	pointed int64  // an entry whose number stands among other words
	terms   []term
}

// without is the search less one chip.
func (u understood) without(c chip) string {
	var rest []string
	for i, t := range u.terms {
		if !slices.Contains(c.terms, i) {
			rest = append(rest, t.raw)
		}
	}
	return strings.Join(rest, " ")
}

// noFilters notes words that are written like filters but are none; they are looked for as words all the same.
func (u *understood) noFilters(places []int) {
	for _, i := range places {
		if m := likeFilter.FindStringSubmatch(u.terms[i].raw); m != nil {
			u.ignore("filter", m[1]+":")
		}
	}
}

// understand reads the search field and the tab.
func (s *server) understand(ctx context.Context, f search, k clock) (understood, error) {
	u := understood{filter: store.Filter{Before: f.before, Limit: historyRows + 1}, terms: terms(f.q)}
	err := s.search(ctx, &u, f, k)
	u.all = u.filter
	tabFilter(&u.filter, f.tab)
	return u, err
}

func (s *server) search(ctx context.Context, u *understood, f search, k clock) error {
	if len(f.ids) > 0 {
		// It names its entry alone: in a pasted log line, what looks like filters was written by another program.
		id, err := s.firstOf(ctx, f.ids)
		u.byRequestID(id, u.places())
		return err
	}
	if found, err := s.byAttempt(ctx, u, f.q); found || err != nil {
		return err
	}
	var free []int
	seen, first := map[string]bool{}, -1 // the place of a day without a name
	for i, t := range u.terms {
		switch {
		case t.name == "" && !seen["from"] && !seen["to"] && u.aloneOrTime(i, k):
			u.day(i, k)
			seen["from"], seen["to"], first = true, true, i
		case first >= 0 && (t.name == "" && u.aloneOrTime(i, k) || t.name == "to" && k.isTime(t.value)):
			u.until(first, i, k)
			first = -1
		case t.name == "":
			free = append(free, i)
		case seen[t.name] && t.name != "text":
			u.ignore("twice", t.raw)
		case t.value == "":
			u.ignore("empty", t.raw)
		default:
			seen[t.name] = true
			if err := s.typed(ctx, u, i, k); err != nil {
				return err
			}
		}
	}
	if len(free) < len(u.terms) && !slices.ContainsFunc(free, func(i int) bool { return !u.isPause(i) }) {
		free = nil // only what parts the others
	}
	if u.filter.From != 0 && u.filter.To != 0 && u.filter.To <= u.filter.From {
		u.ignored = append(u.ignored, ignored{id: "backwards"})
	}
	return s.free(ctx, u, free, f.host)
}

// firstOf is the first of some RequestIds that an entry has, else the first: a log line may hold those of other calls.
func (s *server) firstOf(ctx context.Context, ids []string) (string, error) {
	for _, id := range ids {
		list, err := s.Store.History(ctx, store.Filter{RequestID: id, Limit: 1})
		if len(list) > 0 || err != nil {
			return id, err
		}
	}
	return ids[0], nil
}

// places are all terms.
func (u *understood) places() []int {
	list := make([]int, len(u.terms))
	for i := range list {
		list[i] = i
	}
	return list
}

// namedAttempt is an attempt id as our pages copy it, and as requests and tickets have it.
var namedAttempt = regexp.MustCompile(`(?i)(?:^|[^0-9a-z])random["'\s]*[:=：]["'\s]*([0-9]{1,10})(?:[^0-9]|$)`)

// byAttempt finds the entry of an attempt id that is named in a text; whatever stands around it does not matter then.
func (s *server) byAttempt(ctx context.Context, u *understood, text string) (bool, error) {
	m := namedAttempt.FindStringSubmatch(text)
	if m == nil {
		return false, nil
	}
	attempt, ok := whole(m[1])
	if !ok {
		return false, nil
	}
	list, err := s.Store.History(ctx, store.Filter{Attempt: &attempt, Limit: 1})
	if err != nil || len(list) == 0 && len(u.terms) > 1 {
		return false, err
	}
	u.exact, u.filter.Attempt = "attempt", &attempt
	u.add("attempt", m[1], u.places()...)
	return true, nil
}

// typed understands one filter by its name.
func (s *server) typed(ctx context.Context, u *understood, i int, k clock) error {
	t := u.terms[i]
	kind := t.name
	switch t.name {
	case "app":
		id, err := s.appNamed(ctx, t.value)
		if err != nil {
			return err
		}
		if u.filter.SDKAppID = id; id == 0 {
			u.word(i)
			return nil
		}
		if exists, err := there(s.Store.App(ctx, id)); !exists || err != nil {
			u.ignore("no_app", t.raw)
			u.add(kind, t.value, i)
			return err
		}
	case "by":
		u.filter.Who = t.value
		if list, err := s.Store.History(ctx, store.Filter{Who: t.value, Limit: 1}); err != nil || len(list) == 0 {
			u.ignore("no_person", t.raw)
			u.add(kind, t.value, i)
			return err
		}
	case "text":
		u.word(i)
		return nil
	case "code":
		code, ok := whole(folded(t.value))
		if !ok {
			u.ignore("code", t.raw)
			return nil
		}
		u.filter.Code = &code
	case "kind", "outcome":
		value := strings.ToLower(t.value)
		if named, of := s.outcomeNamed(value); t.name == "outcome" && named != "" {
			value = of
		}
		if kind = u.kindOrState(t.name, value); kind == "" {
			u.ignore(t.name, t.raw)
			return nil
		}
	default:
		u.time(i, k)
		return nil
	}
	u.add(kind, t.value, i)
	return nil
}

// kindOrState understands kind: and outcome:, and returns which of them was meant. Entries without an outcome show their
// kind in its column.
func (u *understood) kindOrState(name, value string) string {
	switch {
	case name == "outcome" && slices.Contains(states, value):
		u.filter.State = value
	case name == "kind" && slices.Contains(kinds, value), value == store.KindDrift, value == store.KindAccepted:
		u.filter.Kind = both(u.filter.Kind, value)
		return "kind"
	default:
		return ""
	}
	return name
}

func whole(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// states are the values of outcome:.
var states = []string{store.Pending, store.Applied, store.Refused, store.Unknown, store.NotSent, store.NotApplied, store.Overtaken}

// kinds are the values of kind:.
var kinds = []string{store.KindChange, store.KindDelete, store.KindToken, store.KindDrift, store.KindAccepted}

func (u *understood) add(kind, value string, terms ...int) {
	u.chips = append(u.chips, chip{kind, value, terms})
}

// ignore notes what means nothing; a few of them tell enough.
func (u *understood) ignore(id, text string) {
	if len(u.ignored) >= maxWords {
		return
	}
	u.ignored = append(u.ignored, ignored{id, store.Text(text, maxWord)})
}

// appNamed is the app of an SDKAppID or a name, 0 when there is none, or more than one of the name.
func (s *server) appNamed(ctx context.Context, text string) (int64, error) {
	if id, ok := whole(ungrouped(folded(text))); ok && id > 0 {
		return id, nil
	}
	var id int64
	for _, archived := range []bool{false, true} {
		list, err := s.Store.Apps(ctx, archived)
		if err != nil {
			return 0, err
		}
		for _, a := range list {
			if store.Key(a.Name) != store.Key(text) {
				continue
			}
			if id != 0 {
				return 0, nil
			}
			id = a.SDKAppID
		}
	}
	return id, nil
}

// tabFilter turns a tab into a filter; an unknown tab shows everything.
func tabFilter(f *store.Filter, tab string) {
	switch tab {
	case "changes":
		f.Acts = true
	case "drift":
		f.Kind = both(f.Kind, store.KindDrift)
	case store.Refused, store.Unknown, store.NotSent, store.Applied:
		f.State = both(f.State, tab)
	}
}

// neither is a kind and a state that no entry has.
const neither = "neither"

// both is what a typed filter and a tab ask for together.
func both(typed, tab string) string {
	if typed != "" && typed != tab {
		return neither
	}
	return tab
}
