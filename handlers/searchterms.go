package handlers

import (
	"regexp"
	"strings"
	"unicode"
)

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
