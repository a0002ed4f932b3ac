package handlers

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"callboard/i18n"
	"callboard/store"
	"callboard/tencent"
)

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

// wholeIDs are the first whole RequestIds in a text, as Tencent writes them.
func wholeIDs(text string) []string {
	var list []string
	for len(list) < maxWords {
		at := insideText.FindStringSubmatchIndex(text)
		if at == nil {
			break
		}
		if id := text[at[2]:at[3]]; wholeRequestID.MatchString(id) {
			list = append(list, wholeID(frontOff(id)))
		}
		text = text[at[3]:]
	}
	return list
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
	if head, tail, short := strings.Cut(text, "…"); short && requestID.MatchString(head) {
		// As lists print it; it can be letters alone.
		id, err := s.shortened(ctx, wholeID(frontOff(head)), tail)
		u.byRequestID(id, places)
		return err
	}
	if m := ownAddress.FindStringSubmatch(typed); m != nil && (m[1] == "" || s.isOurs(m[1], host)) {
		text = "#" + m[2]
	}
	number, isNumber := whole(strings.TrimPrefix(text, "#"))
	switch {
	case text == "":
		return s.several(ctx, u, places)
	case isNumber && number > 0:
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

// shortened is the RequestId that begins and ends so; with another end it is that of nothing here.
func (s *server) shortened(ctx context.Context, head, tail string) (string, error) {
	if tail == "" {
		return head, nil
	}
	list, err := s.Store.History(ctx, store.Filter{RequestID: head, Limit: historyRows})
	for _, c := range list {
		if strings.HasSuffix(c.RequestID, tail) {
			return c.RequestID, nil
		}
	}
	return head + "…" + tail, err
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
	rest, err := s.parts(ctx, u, places)
	if err != nil {
		return err
	}
	if known, err := s.entryOnly(ctx, u, rest); known || err != nil {
		return err
	}
	rest = slices.DeleteFunc(rest, u.isPause)
	if len(rest) == 0 {
		return nil
	}
	if err := s.pointed(ctx, u, rest); err != nil {
		return err
	}
	return s.words(ctx, u, rest)
}

// parts takes apps and codes out of what was typed, each with the labels before it, and gives the rest.
func (s *server) parts(ctx context.Context, u *understood, places []int) (rest []int, err error) {
	for n, i := range places {
		of := []int{i}
		if last := len(rest) - 1; last >= 0 && rest[last] == i-1 && u.isLabel(i-1) {
			of = []int{i - 1, i}
		}
		taken := false
		if n < maxParts {
			if taken, err = s.part(ctx, u, of); err != nil {
				return nil, err
			}
		}
		if !taken {
			rest = append(rest, i)
			continue
		}
		for at := i - 1; len(rest) > 0 && rest[len(rest)-1] == at && u.isLabel(at); at-- { // two, as in Error code 60020
			rest = rest[:len(rest)-1]
			if c := &u.chips[len(u.chips)-1]; !slices.Contains(c.terms, at) {
				c.terms = append(c.terms, at)
			}
		}
	}
	return rest, nil
}

// pointed finds an entry whose number stands among other words, with # in front: it may be what is wanted, whatever is said
// beside it.
func (s *server) pointed(ctx context.Context, u *understood, places []int) error {
	for _, i := range places[:min(len(places), maxParts)] {
		m := entryMark.FindStringSubmatch(folded(u.terms[i].value))
		if m == nil {
			continue
		}
		exists, err := there(s.Store.Change(ctx, positive(m[1])))
		if exists || err != nil {
			u.pointed = positive(m[1])
			return err
		}
	}
	return nil
}

// entryMark is the number of an entry as pages write it.
var entryMark = regexp.MustCompile(`^#(\d{1,18})$`)

func (u *understood) isLabel(i int) bool {
	_, known := labels[u.label(i)]
	return known
}

// label is a term as labels are listed.
func (u *understood) label(i int) string {
	return store.Key(strings.TrimRight(u.terms[i].value, "=:："))
}

// isPause tells whether a term is only what parts others, such as the dots between facts.
func (u *understood) isPause(i int) bool { return strings.Trim(u.terms[i].value, "·|-–—") == "" }

// part takes a number out of what was typed: an app's, or one of Tencent's codes. The last place is the number's.
func (s *server) part(ctx context.Context, u *understood, places []int) (bool, error) {
	value := ungrouped(folded(u.terms[places[len(places)-1]].value))
	number, ok := whole(value)
	if !ok || number <= 0 || labels[u.label(places[0])] {
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
		n, isNumber := whole(strings.TrimPrefix(value, "#"))
		switch {
		case isNumber && number == 0 && (strings.HasPrefix(value, "#") || j > 0 && labels[u.label(places[j-1])]):
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
		isApp, err := there(s.Store.App(ctx, number))
		if err != nil {
			return err
		}
		if isApp {
			u.filter.SDKAppID = number
			u.add("app", value, places...)
			return nil
		}
	}
	exists, err := there(s.Store.Change(ctx, number))
	if err != nil {
		return err
	}
	_, known := tencent.ExplainCode(number)
	switch {
	case known && !entry:
		u.filter.Code = &number
		u.add("code", value, places...)
		if exists {
			u.also = number
		}
		return nil
	case exists || entry:
		u.exact, u.filter.Number = "number", number
		u.add("number", value, places...)
		return nil
	}
	return s.digits(ctx, u, text, number, places)
}

// there tells whether what was looked up exists.
func there[T any](_ T, err error) (bool, error) {
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// digits are none of our numbers: a code that Tencent's lists do not name may have come all the same, an attempt may have this
// id, or it is the beginning of a RequestId.
func (s *server) digits(ctx context.Context, u *understood, text string, number int64, places []int) error {
	value := itoa64(number)
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
	u.digits = value
	if requestID.MatchString(text) {
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
	if word := s.eventNamed(text); word != "" && len(u.filter.Words) < maxWords {
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
	if known, err := s.outcome(ctx, u, places); known || err != nil {
		return err
	}
	u.noFilters(places)
	for _, i := range places {
		u.word(i)
	}
	return nil
}

// outcome: how entries ended, as lists write it, alone or beside a name.
func (s *server) outcome(ctx context.Context, u *understood, places []int) (bool, error) {
	for n := min(len(places), 3); n > 0; n-- {
		for _, part := range [][2][]int{{places[:n], places[n:]}, {places[len(places)-n:], places[:len(places)-n]}} {
			_, values := u.text(part[0])
			kind, value := s.outcomeNamed(strings.Join(values, " "))
			if kind == "" || u.filter.State != "" || u.filter.Kind != "" {
				continue
			}
			if len(part[1]) > 0 {
				if known, err := s.name(ctx, u, part[1]); !known || err != nil {
					return false, err
				}
			}
			u.kindOrState(kind, value)
			u.add(kind, value, part[0]...)
			return true, nil
		}
	}
	return false, nil
}

// outcomeNamed is the outcome, or the kind of entries without one, by what lists call it in any language; "" for nothing.
func (s *server) outcomeNamed(text string) (kind, value string) {
	key := store.Key(strings.NewReplacer("_", " ", "-", " ").Replace(text))
	for _, l := range i18n.Languages {
		p := s.Texts.Printer(l)
		for _, state := range states {
			if key == store.Key(p.T("state."+state)) || key == strings.ReplaceAll(state, "_", " ") {
				return "outcome", state
			}
		}
		for id, kind := range map[string]string{"state.drift_found": store.KindDrift, "state.accepted": store.KindAccepted} {
			if key == store.Key(p.T(id)) || key == kind {
				return "kind", kind
			}
		}
	}
	return "", ""
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
