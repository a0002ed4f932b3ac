package handlers

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/labstack/echo/v4"

	"callboard/i18n"
	"callboard/store"
	"callboard/tencent"
)

// Limits of a search. What is beyond is ignored, and the page says so.
const (
	maxQuery = 4096 // bytes
	maxWords = 6
	maxWord  = 80 // bytes of what is shown, and letters of what is looked for: a sentence in Chinese is one word
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
	id     string   // a whole RequestId that stands somewhere in what was typed, also behind maxQuery
	cut    bool     // more was typed than is looked at
	lost   []string // parts of the address that mean nothing
}

func readSearch(c echo.Context) search {
	q := store.Visible(c.QueryParam("q"))
	f := search{tab: c.QueryParam("state"), before: positive(c.QueryParam("before")), top: positive(c.QueryParam("top")), zone: knownZone(c.QueryParam("zone")), host: c.Request().Host}
	if id := idInside(q); wholeRequestID.MatchString(id) {
		f.id = id
	}
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

func positive(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
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
	digits  bool   // a mere number was looked for, and is none of an app, a code, an entry or an attempt
	missing string // a RequestId that no entry has, "" where none was looked for; what was typed is looked for as a word
	zoned   bool   // a day or a time was given without its zone
	also    int64  // an entry whose number is the code that was looked for
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

// term is one word of a search, a phrase in quotes, or a filter such as app:1400000001 or by:"Mei Lin". Its value is without
// the quotes, commas and brackets that stood around it.
type term struct{ raw, name, value string }

// filterNames are the filters that can be typed; those behind are other names of some.
var filterNames = []string{"app", "code", "by", "outcome", "kind", "from", "to", "text", "since", "until"}

var otherNames = map[string]string{"since": "from", "until": "to"}

var oneTerm = regexp.MustCompile(`(?i)^(?:(` + strings.Join(filterNames, "|") + `)[:：](?:["“]([^"“”]*)["”]?|(\S*))|["“]([^"“”]+)["”](?:\s|$)|\S+)`)

func terms(q string) []term {
	var list []term
	for q = strings.TrimSpace(q); q != ""; q = strings.TrimLeftFunc(q, unicode.IsSpace) {
		m := oneTerm.FindStringSubmatch(q)
		name := strings.ToLower(m[1])
		t := term{raw: strings.TrimSpace(m[0]), name: orElse(otherNames[name], name), value: m[2] + m[4] + bare(m[3])}
		if name == "" && m[4] == "" {
			t.value = bare(m[0])
		}
		if n := len(list); n > 0 && t.continues(list[n-1]) {
			list[n-1] = list[n-1].with(t)
		} else {
			list = append(list, t)
		}
		q = q[len(m[0]):]
	}
	return list
}

// around is what stands around a thing where it was copied from.
const around = "\"'“”‘’「」『』《》()[]{}<>（）【】,;:.，。；：、"

// bare is a text without what stands around it; what is nothing else stays.
func bare(text string) string {
	return orElse(strings.Trim(strings.ReplaceAll(text, "...", "…"), around), text)
}

var (
	onlyDate  = regexp.MustCompile(`^\d{4}[-/]\d\d[-/]\d\d$`)
	onlyClock = regexp.MustCompile(`(?i)^\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:z|[+-]\d\d:\d\d)?$`)
)

// continues tells whether a term is the clock time of the day before it, or the value of a filter that was typed with a blank
// behind its colon.
func (t term) continues(before term) bool {
	return t.name == "" && (before.name != "" && before.value == "" && !strings.ContainsAny(before.raw, `"“`) || onlyDate.MatchString(before.value) && onlyClock.MatchString(t.value))
}

// with is a term and the one that continues it.
func (t term) with(next term) term {
	value := next.value
	if t.value != "" {
		value = t.value + "T" + next.value
	}
	return term{raw: t.raw + " " + next.raw, name: t.name, value: value}
}

// likeFilter is a word that looks as if it was meant as a filter. Addresses, hosts with ports, times and ids do not.
var likeFilter = regexp.MustCompile(`(?i)^([a-z_]{2,20})[:：](?:"|[^/0-9:"]).*$`)

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
	if f.id != "" {
		// It names its entry alone: in a pasted log line, what looks like filters was written by another program.
		u.byRequestID(wholeID(frontOff(f.id)), u.places())
		return nil
	}
	if found, err := s.byAttempt(ctx, u, f.q); found || err != nil {
		return err
	}
	var free []int
	seen := map[string]bool{}
	for i, t := range u.terms {
		switch {
		case t.name == "" && !seen["from"] && !seen["to"] && u.aloneOrTime(i, k):
			u.day(i, k)
			seen["from"], seen["to"] = true, true
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
	if u.filter.From != 0 && u.filter.To != 0 && u.filter.To <= u.filter.From {
		u.ignored = append(u.ignored, ignored{id: "backwards"})
	}
	return s.free(ctx, u, free, f.host)
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
	attempt, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return false, nil
	}
	list, err := s.Store.History(ctx, store.Filter{Attempt: &attempt, Limit: 1})
	if err != nil || len(list) == 0 {
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
			u.filter.Words, kind = append(u.filter.Words, store.Text(t.value, maxWord)), "words"
		}
	case "by":
		u.filter.Who = t.value
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
		if kind = u.kindOrState(t.name, strings.ToLower(t.value)); kind == "" {
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

// ownZone ends a time that says its zone.
var ownZone = regexp.MustCompile(`(?i)(?:z|[+-]\d\d:\d\d)$`)

// time understands from: and to:. A day is another one to a colleague elsewhere who is sent the address, so the zone is said.
func (u *understood) time(i int, k clock) {
	t := u.terms[i]
	from, to, ok := k.span(t.value)
	if !ok {
		id := "date"
		if likeTime.MatchString(t.value) {
			id = "no_date"
		}
		u.ignore(id, t.raw)
		return
	}
	if t.name == "from" {
		u.filter.From = from
	} else {
		u.filter.To = to
	}
	value := t.value
	if from != to && !ownZone.MatchString(value) {
		value += " (" + k.zoneName(from) + ")"
		u.zoned = true
	}
	u.add(t.name, value, i)
}

// likeTime is written like a day or a time, which may still be none.
var likeTime = regexp.MustCompile(`^\d{4}[-/]\d\d[-/]\d\d(?:$|[Tt])`)

// aloneOrTime tells whether a term without a name is a day or a time, or stands alone and is written like one.
func (u *understood) aloneOrTime(i int, k clock) bool {
	_, _, ok := k.span(u.terms[i].value)
	return likeTime.MatchString(u.terms[i].value) && (ok || len(u.terms) == 1)
}

// day understands a day or a time without a name: from its beginning to its end.
func (u *understood) day(i int, k clock) {
	for _, name := range []string{"from", "to"} {
		u.terms[i].name = name
		u.time(i, k)
		if len(u.chips) == 0 {
			return // there is none, which is said once
		}
	}
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
	if id, err := strconv.ParseInt(ungrouped(folded(text)), 10, 64); err == nil && id > 0 {
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

// span is a day, a minute or a second in the person's zone or one that it names, as logs and exports write them, or an age
// such as 3d or 12h, as Unix milliseconds from and to.
func (k clock) span(text string) (from, to int64, ok bool) {
	if n, err := strconv.Atoi(strings.TrimRight(text, "dh")); err == nil && n > 0 && n < 100_000 && len(text) == len(strconv.Itoa(n))+1 {
		unit := time.Hour
		if strings.HasSuffix(text, "d") {
			unit *= 24
		}
		at := k.now.Add(-time.Duration(n) * unit).UnixMilli()
		return at, at, true
	}
	text = strings.ReplaceAll(text, "/", "-")
	if t, err := time.ParseInLocation("2006-01-02", text, k.zone); err == nil {
		return t.UnixMilli(), t.AddDate(0, 0, 1).UnixMilli(), true
	}
	for _, x := range []struct {
		layout string
		unit   time.Duration
	}{{"2006-01-02T15:04", time.Minute}, {"2006-01-02T15:04Z07:00", time.Minute}, {"2006-01-02T15:04:05", time.Second}, {time.RFC3339, time.Second}} {
		// Seconds may have a fraction.
		if t, err := time.ParseInLocation(x.layout, strings.ToUpper(text), k.zone); err == nil {
			return t.UnixMilli(), t.Add(x.unit).UnixMilli(), true
		}
	}
	return 0, 0, false
}

// requestID matches the documented shape and its beginnings; what a person copied may lack the front.
var requestID = regexp.MustCompile(`(?i)^(id-)?([0-9a-f]{6,32}(-o(-s(e(q(-[0-9]*)?)?)?)?)?-?)$`)

// Patterns that find a RequestId in whatever stands around it: by its front, by its end, or by its name.
var (
	insideText = regexp.MustCompile(`(?i)(?:^|[^0-9a-z-])(id-[0-9a-f]{6,32}(?:-o-seq-[0-9]+)?|[0-9a-f]{6,32}-o-seq-[0-9]+)(?:[^0-9a-z-]|$)`)
	namedID    = regexp.MustCompile(`(?i)request[ _-]?id["'\\\s:=：]+([0-9a-f]*[0-9][0-9a-f]*)(?:[^0-9a-z-]|$)`)
)

// wholeRequestID has all parts of the documented shape, or says by its front that it begins there.
var wholeRequestID = regexp.MustCompile(`(?i)^(?:id-[0-9a-f]+|[0-9a-f]{32})-o-seq-[0-9]+$`)

// ownAddress is the address of an entry's page, or of one below it, with or without a host.
var ownAddress = regexp.MustCompile(`^(?:https?://([^/\s]+))?/changes/([0-9]{1,18})(?:[/?#]\S*)?$`)

// isOurs tells whether a host is the console's, by the page that is asked for or by its public address.
func (s *server) isOurs(host, asked string) bool {
	return strings.EqualFold(host, asked) || s.PublicURL != nil && strings.EqualFold(host, s.PublicURL.Host)
}

// idInside is the RequestId in a text, "" where there is none.
func idInside(text string) string {
	if found := insideText.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	if found := namedID.FindStringSubmatch(text); found != nil && requestID.MatchString(found[1]) {
		return found[1]
	}
	return ""
}

// folded writes the wide digits and letters of Chinese input as the usual ones.
func folded(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' {
			return r - '！' + '!'
		}
		return r
	}, text)
}

// groups are digits in threes, as people write long numbers.
var groups = regexp.MustCompile(`^\d{1,3}(?:[ ,'’]\d{3})+$`)

// ungrouped takes apart what separates thousands.
func ungrouped(text string) string {
	if !groups.MatchString(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

// oneThing is the text that stands for one thing: a single word, a RequestId that was broken at a blank, or digits in groups;
// "" where there is more than one.
func oneThing(values []string) string {
	if len(values) == 1 {
		return ungrouped(folded(strings.ReplaceAll(values[0], " ", "")))
	}
	text := folded(strings.Join(values, ""))
	if requestID.MatchString(text) && strings.ContainsAny(strings.ToLower(text), "abcdef") {
		return text
	}
	if text = folded(strings.Join(values, " ")); groups.MatchString(text) {
		return ungrouped(text)
	}
	return ""
}

func frontOff(id string) string { return strings.TrimPrefix(strings.ToLower(id), "id-") }

// free understands what is no filter: RequestId, SDKAppID, number, attempt id, code, person, else words.
func (s *server) free(ctx context.Context, u *understood, places []int, host string) error {
	if len(places) == 0 {
		return nil
	}
	typed, values := u.text(places)
	text := oneThing(values)
	if id := idInside(typed); id != "" && !requestID.MatchString(text) {
		text = id // a whole log line was pasted
	}
	if head, _, short := strings.Cut(text, "…"); short && requestID.MatchString(head) {
		// As lists print it; it can be letters alone.
		u.byRequestID(wholeID(frontOff(head)), places)
		return nil
	}
	if m := ownAddress.FindStringSubmatch(typed); m != nil && (m[1] == "" || s.isOurs(m[1], host)) {
		text = "#" + m[2]
	}
	number, err := strconv.ParseInt(strings.TrimPrefix(text, "#"), 10, 64)
	switch {
	case text == "":
		return s.several(ctx, u, places)
	case err == nil && number > 0:
		return s.number(ctx, u, text, number, places)
	case strings.HasPrefix(strings.ToLower(text), "id-"):
		// Of anything else that begins so, nothing can be found.
		id := "Id-" + store.Text(text[3:], maxWord)
		if m := requestID.FindStringSubmatch(text); m != nil {
			id = wholeID(m[2])
		} else if len(text) < len("id-")+minID {
			u.ignore("short", text)
			return s.words(ctx, u, places)
		}
		u.byRequestID(id, places)
		return nil
	case requestID.MatchString(text) && strings.ContainsAny(text, "0123456789"):
		return s.maybeRequestID(ctx, u, text, places)
	}
	return s.words(ctx, u, places)
}

// text is what was typed at some places, and the values of its terms.
func (u *understood) text(places []int) (typed string, values []string) {
	var raw []string
	for _, i := range places {
		raw, values = append(raw, u.terms[i].raw), append(values, u.terms[i].value)
	}
	return strings.Join(raw, " "), values
}

// maybeRequestID: what looks like a RequestId without its front can be a commit in a reason as well.
func (s *server) maybeRequestID(ctx context.Context, u *understood, text string, places []int) error {
	id := wholeID(text)
	list, err := s.Store.History(ctx, store.Filter{RequestID: id, Limit: 1})
	if err != nil {
		return err
	}
	if len(list) > 0 || strings.Contains(id, "-O") {
		u.byRequestID(id, places)
		return nil
	}
	u.missing = id
	return s.words(ctx, u, places)
}

// several understands more than one thing: an entry's number and what is written around it, or an app and a code beside words.
func (s *server) several(ctx context.Context, u *understood, places []int) error {
	if known, err := s.name(ctx, u, places); known || err != nil {
		return err
	}
	var rest []int
	for _, i := range places {
		of := []int{i}
		if n := len(rest); n > 0 && rest[n-1] == i-1 && u.isLabel(i-1) {
			of = []int{i - 1, i}
		}
		taken, err := s.part(ctx, u, of)
		if err != nil {
			return err
		}
		if taken {
			rest = rest[:len(rest)+1-len(of)]
		} else {
			rest = append(rest, i)
		}
	}
	if known, err := s.entryOnly(ctx, u, rest); known || err != nil {
		return err
	}
	rest = slices.DeleteFunc(rest, u.isPause)
	if len(rest) == 0 {
		return nil
	}
	return s.words(ctx, u, rest)
}

// labels are words before a number that say what it is, in small letters; true: an entry.
var labels = map[string]bool{"sdkappid": false, "app": false, "应用": false, "code": false, "errorcode": false, "错误码": false,
	"change": true, "entry": true, "变更": true, "条目": true}

func (u *understood) isLabel(i int) bool {
	_, known := labels[store.Key(u.terms[i].value)]
	return known
}

// isPause tells whether a term is only what parts others, such as the dots between facts.
func (u *understood) isPause(i int) bool { return strings.Trim(u.terms[i].value, "·|-–—") == "" }

// part takes a number out of what was typed: an app's, or one of Tencent's codes. The last place is the number's.
func (s *server) part(ctx context.Context, u *understood, places []int) (bool, error) {
	value := ungrouped(folded(u.terms[places[len(places)-1]].value))
	number, err := strconv.ParseInt(value, 10, 64)
	if err != nil || number <= 0 || labels[store.Key(u.terms[places[0]].value)] {
		return false, nil
	}
	if u.filter.SDKAppID == 0 {
		if _, err := s.Store.App(ctx, number); err == nil {
			u.filter.SDKAppID = number
			u.add("app", value, places...)
			return true, nil
		} else if !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
	}
	if _, known := tencent.ExplainCode(number); known && u.filter.Code == nil {
		u.filter.Code = &number
		u.add("code", value, places...)
		return true, nil
	}
	return false, nil
}

// entryOnly takes the number of an entry that exists, where nothing but labels stands around it: among words it can be a part
// of a reason.
func (s *server) entryOnly(ctx context.Context, u *understood, places []int) (bool, error) {
	var number int64
	for j, i := range places {
		value := folded(u.terms[i].value)
		n, err := strconv.ParseInt(strings.TrimPrefix(value, "#"), 10, 64)
		switch {
		case err == nil && number == 0 && (strings.HasPrefix(value, "#") || j > 0 && labels[store.Key(u.terms[places[j-1]].value)]):
			number = n
		case !u.isLabel(i) && !u.isPause(i):
			return false, nil
		}
	}
	if number <= 0 {
		return false, nil
	}
	if _, err := s.Store.Change(ctx, number); errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	u.exact, u.filter.Number = "number", number
	u.add("number", itoa64(number), places...)
	return true, nil
}

// number: an app of this id, one of Tencent's codes, an entry of this number, or an attempt id. "#" means an entry.
func (s *server) number(ctx context.Context, u *understood, text string, number int64, places []int) error {
	value, entry := itoa64(number), strings.HasPrefix(text, "#")
	if !entry {
		_, err := s.Store.App(ctx, number)
		if err == nil {
			u.filter.SDKAppID = number
			u.add("app", value, places...)
			return nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	_, err := s.Store.Change(ctx, number)
	exists := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if _, known := tencent.ExplainCode(number); known && !entry {
		u.filter.Code = &number
		u.add("code", value, places...)
		if exists {
			u.also = number
		}
		return nil
	}
	if exists || entry {
		u.exact, u.filter.Number = "number", number
		u.add("number", value, places...)
		return nil
	}
	// A code that Tencent's lists do not name may have come all the same.
	list, err := s.Store.History(ctx, store.Filter{Code: &number, Limit: 1})
	if err != nil {
		return err
	}
	if len(list) > 0 {
		u.filter.Code = &number
		u.add("code", value, places...)
		return nil
	}
	if list, err = s.Store.History(ctx, store.Filter{Attempt: &number, Limit: 1}); err != nil {
		return err
	}
	if len(list) > 0 {
		u.exact, u.filter.Attempt = "attempt", &number
		u.add("attempt", value, places...)
		return nil
	}
	u.digits = true
	if requestID.MatchString(text) {
		// The beginning of a RequestId can be digits alone.
		return s.maybeRequestID(ctx, u, text, places)
	}
	return s.words(ctx, u, places)
}

// wholeID writes a RequestId, or its beginning, given without "Id-", as Tencent does.
func wholeID(text string) string {
	return "Id-" + strings.Replace(strings.Replace(strings.ToLower(text), "-o", "-O", 1), "-s", "-S", 1)
}

func (u *understood) byRequestID(id string, places []int) {
	u.exact, u.filter.RequestID = "request_id", id
	u.add("request_id", id, places...)
}

// name: the whole name of somebody who made an entry, or of an event.
func (s *server) name(ctx context.Context, u *understood, places []int) (bool, error) {
	typed, values := u.text(places)
	text := strings.Join(values, " ")
	for _, who := range slices.Compact([]string{typed, text}) {
		list, err := s.Store.History(ctx, store.Filter{Who: who, Limit: 1})
		if err != nil {
			return false, err
		}
		if len(list) > 0 && u.filter.Who == "" {
			u.filter.Who = who
			u.add("by", who, places...)
			return true, nil
		}
	}
	if word := s.eventNamed(text); word != "" {
		u.filter.Words = append(u.filter.Words, word)
		u.add("words", word, places...)
		return true, nil
	}
	return false, nil
}

// words: the whole name of a person or an event, else words that all have to occur.
func (s *server) words(ctx context.Context, u *understood, places []int) error {
	if known, err := s.name(ctx, u, places); known || err != nil {
		return err
	}
	u.noFilters(places)
	for _, i := range places {
		u.word(i)
	}
	return nil
}

// word looks for a term as it is written.
func (u *understood) word(i int) {
	t := u.terms[i]
	if len(u.filter.Words) >= maxWords {
		u.ignore("word", t.raw)
		return
	}
	value := t.value
	if head := []rune(value); len(head) > maxWord {
		u.ignore("long", value)
		value = string(head[:maxWord])
	}
	u.filter.Words = append(u.filter.Words, value)
	u.add("words", value, i)
}

// eventNamed is the command word of an event by its name in any language, "" when there is none.
func (s *server) eventNamed(name string) string {
	for _, c := range tencent.Commands() {
		for _, l := range i18n.Languages {
			if store.Key(s.Texts.Printer(l).T("command."+c.Word+".name")) == store.Key(name) {
				return c.Word
			}
		}
	}
	return ""
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
