package handlers

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
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
		q = q[len(m[0]):]
		if name == "" && m[4] == "" {
			t.value = bare(m[0])
			if label, number, ok := labelled(t.value); ok {
				list = append(list, label)
				t = number
			}
		}
		if n := len(list); n > 0 && t.continues(list[n-1]) {
			list[n-1] = list[n-1].with(t)
		} else {
			list = append(list, t)
		}
	}
	return list
}

// labels are words before a number that say what it is, in small letters; true: an entry.
var labels = map[string]bool{"sdkappid": false, "appid": false, "app": false, "应用": false, "code": false, "error": false, "errorcode": false, "错误码": false,
	"change": true, "entry": true, "变更": true, "条目": true}

// oneLabel is a label and its number in one word, as in SDKAppID=1400000001 or 变更#12.
var oneLabel = regexp.MustCompile(`(?i)^("?(?:sdkappid|appid|应用|errorcode|error|code|错误码|change|entry|变更|条目)"?)([=:：#])?"?(#?\d{1,18})$`)

// labelled takes a label and its number apart. Letters and digits in a row are a name.
func labelled(text string) (label, number term, ok bool) {
	m := oneLabel.FindStringSubmatch(folded(text))
	if m == nil || m[2] == "" && m[1][0] < utf8.RuneSelf {
		return term{}, term{}, false
	}
	if m[2] == "#" {
		m[2], m[3] = "", "#"+m[3]
	}
	return term{raw: m[1] + m[2], value: bare(m[1])}, term{raw: m[3], value: m[3]}, true
}

// around is what stands around a thing where it was copied from.
const around = "\"'“”‘’「」『』《》()[]{}<>（）【】,;:.，。；：、"

// bare is a text without what stands around it; what is nothing else stays.
func bare(text string) string {
	return orElse(strings.Trim(strings.ReplaceAll(text, "...", "…"), around), text)
}

// continues tells whether a term is the clock time of the day before it, the zone of the time before it, the value of a filter
// that was typed with a blank behind its colon, or the day behind a word such as since.
func (t term) continues(before term) bool {
	switch {
	case t.name != "":
		return false
	case before.name != "" && before.value == "":
		return !strings.ContainsAny(before.raw, `"“`)
	case before.name == "" && timeWords[strings.ToLower(before.value)] != "":
		return likeTime.MatchString(t.value) || dayNamed.MatchString(t.value) || anAge.MatchString(t.value)
	case dayNamed.MatchString(before.value):
		return !strings.Contains(before.value, " ") && onlyClock.MatchString(t.value)
	}
	return onlyDate.MatchString(before.value) && onlyClock.MatchString(t.value) || dateAndClock.MatchString(before.value) && zoneOf(t.value) != ""
}

// timeWords are what people write before a day.
var timeWords = map[string]string{"from": "from", "since": "from", "从": "from", "自": "from", "to": "to", "until": "to", "到": "to", "至": "to"}

// anAge is a time by how long ago it was.
var anAge = regexp.MustCompile(`^\d+[dh]$`)

// with is a term and the one that continues it.
func (t term) with(next term) term {
	raw := t.raw + " " + next.raw
	switch {
	case t.name == "" && timeWords[strings.ToLower(t.value)] != "":
		return term{raw: timeWords[strings.ToLower(t.value)] + ":" + next.raw, name: timeWords[strings.ToLower(t.value)], value: next.value}
	case t.value == "":
		return term{raw: raw, name: t.name, value: next.value}
	case dateAndClock.MatchString(t.value):
		return term{raw: raw, name: t.name, value: t.value + zoneOf(next.value)}
	case dayNamed.MatchString(t.value):
		return term{raw: raw, name: t.name, value: t.value + " " + next.value}
	}
	return term{raw: raw, name: t.name, value: t.value + "T" + next.value}
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
