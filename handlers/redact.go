package handlers

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// removed stands where something was taken out.
const removed = "[removed]"

// redactor takes what may be secret out of callback addresses, wherever they stand in a text, and counts.
type redactor struct {
	values int // of query parameters
	users  int // user names and passwords in addresses
}

var (
	// addressLike is whatever has a scheme, or a query, as people also write addresses without a scheme.
	addressLike = regexp.MustCompile(`(?i)(?:https?:\\?/\\?/[^\s"'<>]+|[^\s"'<>?]*\?[^\s"'<>]*=[^\s"'<>]*)`)
	schemeLike  = regexp.MustCompile(`(?i)https?:\\?/\\?/`)
	separator   = regexp.MustCompile(`&|;|\\u0026`)
	equals      = regexp.MustCompile(`=|\\u003[dD]`)
	jsonString  = regexp.MustCompile(`(?s)"(?:[^"\\]|\\.)*"`)
)

// text redacts every address in a text that people wrote.
func (r *redactor) text(text string) string {
	return addressLike.ReplaceAllStringFunc(text, r.address)
}

// exchange redacts a request or an answer. Strings of JSON are looked at as what they mean, however they are escaped;
// the rest, such as a string that was cut, as it stands.
func (r *redactor) exchange(text string) string {
	var b strings.Builder
	done := 0
	for _, at := range jsonString.FindAllStringIndex(text, -1) {
		var meant string
		if json.Unmarshal([]byte(text[at[0]:at[1]]), &meant) != nil {
			continue
		}
		b.WriteString(r.text(text[done:at[0]]))
		b.WriteString(r.quoted(text[at[0]:at[1]], meant))
		done = at[1]
	}
	b.WriteString(r.text(text[done:]))
	return b.String()
}

// quoted leaves a string of JSON byte for byte as it is when nothing has to be taken out.
func (r *redactor) quoted(text, meant string) string {
	clean := r.whole(meant)
	if clean == meant {
		return text
	}
	return quote(clean)
}

// whole redacts a text that may be an address from end to end, with signs in it that end one in a sentence.
func (r *redactor) whole(text string) string {
	if at := schemeLike.FindStringIndex(text); at != nil && at[0] == 0 {
		return r.address(text)
	}
	return r.text(text)
}

func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string can always be written
	return strings.TrimSuffix(b.String(), "\n")
}

func (r *redactor) address(text string) string {
	rest, fragment, hasFragment := strings.Cut(text, "#")
	before, query, hasQuery := strings.Cut(rest, "?")
	before = r.user(before)
	if hasQuery {
		before += "?" + r.query(query)
	}
	if hasFragment {
		before += "#" + r.value(fragment)
	}
	return before
}

// user takes out what stands between the scheme and an @.
func (r *redactor) user(text string) string {
	at := schemeLike.FindStringIndex(text)
	if at == nil {
		return text
	}
	authority := text[at[1]:]
	end := len(authority)
	if i := strings.IndexAny(authority, `/\`); i >= 0 {
		end = i
	}
	i := strings.LastIndexByte(authority[:end], '@')
	if i < 0 || authority[:i] == removed {
		return text
	}
	r.users++
	return text[:at[1]] + removed + authority[i:]
}

// query keeps the names of parameters and their order.
func (r *redactor) query(text string) string {
	var b strings.Builder
	for {
		end, next := len(text), len(text)
		if at := separator.FindStringIndex(text); at != nil {
			end, next = at[0], at[1]
		}
		b.WriteString(r.parameter(text[:end]))
		b.WriteString(text[end:next])
		if next == len(text) {
			return b.String()
		}
		text = text[next:]
	}
}

func (r *redactor) parameter(text string) string {
	if at := equals.FindStringIndex(text); at != nil {
		return text[:at[1]] + r.value(text[at[1]:])
	}
	return r.value(text)
}

func (r *redactor) value(text string) string {
	if text == "" || text == removed {
		return text
	}
	r.values++
	return removed
}
