package handlers

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"callboard/changes"
)

// removed stands where something was taken out.
const removed = "[removed]"

// quotes may end an address, with what escapes them.
const quotes = `"'\`

// redactor takes what may be secret out of callback addresses, wherever they stand in a text, and counts. In doubt it
// takes out too much.
type redactor struct {
	values int // of parameters in a query or a path
	users  int // user names and passwords in addresses
}

// Signs of an address, each also as JSON may escape it.
var (
	schemeLike = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]{0,31}(?::|\\u003a|%(?:25)*3a)(?:\\?/|\\u002f|%(?:25)*2f){2}`)
	atScheme   = regexp.MustCompile(`^(?:` + schemeLike.String() + `)`)
	// bareLike is an address without a scheme, as people also write them; bareUser is one with user name and password.
	bareLike   = regexp.MustCompile(`(?i)^[^\s"'<>?;]*(?:(?:\?|\\u003f)|/[^\s"'<>?]*(?:;|\\u003b))\S*(?:=|\\u003d)`)
	bareUser   = regexp.MustCompile(`(?i)^[^\s"'<>/?#:@]+:[^\s/?#@]+(?:@|\\u0040)[^\s"'<>/?#:@]`)
	question   = regexp.MustCompile(`(?i)\?|\\u003f`)
	hash       = regexp.MustCompile(`(?i)#|\\u0023`)
	slash      = regexp.MustCompile(`(?i)\\?/|\\u002f`)
	at         = regexp.MustCompile(`(?i)@|\\u0040|%40`)
	semicolon  = regexp.MustCompile(`(?i);|\\u003b|%3b`)
	separator  = regexp.MustCompile(`(?i)&|;|\\u0026|\\u003b`)
	equals     = regexp.MustCompile(`(?i)=|\\u003d`)
	jsonString = regexp.MustCompile(`(?s)^"(?:[^"\\]|\\.)*"`)
	cutString  = regexp.MustCompile(`(?s)^"(?:[^"\\]|\\.)*\\?$`)
	cutEscape  = regexp.MustCompile(`\\(?:u[0-9a-fA-F]{0,3})?$`)
	anyEscape  = regexp.MustCompile(`(?s)\\.`)
)

// text redacts every address in a text. Strings of JSON are looked at as what they mean, however they are escaped; the
// rest as it stands.
func (r *redactor) text(text string) string {
	var b strings.Builder
	for done := 0; done < len(text); {
		clean, size := r.next(text, done)
		b.WriteString(clean)
		done += size
	}
	return b.String()
}

// next redacts what begins at a place of a text, and tells how long that was.
func (r *redactor) next(text string, i int) (clean string, size int) {
	rest := text[i:]
	if rest[0] == '"' {
		if clean, size = r.jsonAt(rest); size > 0 {
			return clean, size
		}
	}
	if size = addressAt(text[:i], rest); size > 0 {
		// The quotes behind it begin nothing.
		closed := size + len(rest[size:]) - len(strings.TrimLeft(rest[size:], quotes))
		return r.address(rest[:size]) + rest[size:closed], closed
	}
	_, size = utf8.DecodeRuneInString(rest)
	return rest[:size], size
}

// addressAt is the length of the address that a text begins with, behind what stands before it; 0 for none.
func addressAt(before, text string) int {
	c, size := utf8.DecodeLastRuneInString(before)
	if c < utf8.RuneSelf && size > 0 && (unicode.IsLetter(c) || unicode.IsDigit(c)) {
		return 0 // in the middle of a word
	}
	// No address is longer, and an answer without blanks has to be gone through in bearable time.
	look := text[:min(len(text), changes.MaxURL)]
	if atScheme.MatchString(look) {
		return addressEnd(text)
	}
	if size > 0 && !unicode.IsSpace(c) && !strings.ContainsRune(`"'<>`, c) {
		return 0
	}
	bare := bareLike.FindString(look)
	if bare == "" {
		bare = bareUser.FindString(look)
	}
	if bare == "" || schemeLike.MatchString(bare) {
		return 0 // none, or its scheme comes later
	}
	return addressEnd(text)
}

func endOfWord(text string) int {
	if i := strings.IndexFunc(text, unicode.IsSpace); i >= 0 {
		return i
	}
	return len(text)
}

// addressEnd is where an address ends that nothing encloses: at a blank or at markup. Quotes may belong to it, unless
// they are the last.
func addressEnd(text string) int {
	end := endOfWord(text)
	for _, mark := range []string{"</", "<!", `'>`, `">`} {
		if i := strings.Index(text[:end], mark); i >= 0 {
			end = i
		}
	}
	return len(strings.TrimRight(text[:end], quotes))
}

// jsonAt redacts the string of JSON that a text begins with; the size is 0 when there is none. A string that was cut
// is one too.
func (r *redactor) jsonAt(text string) (clean string, size int) {
	literal := jsonString.FindString(text)
	whole, end := literal, `"`
	switch {
	case literal == "":
		if literal = cutString.FindString(text); literal == "" {
			return "", 0
		}
		whole, end = cutEscape.ReplaceAllString(literal, "")+`"`, ""
	case goesOn(text[len(literal):]):
		return "", 0 // a quote in the middle of something
	}
	var meant string
	if json.Unmarshal([]byte(lenient(whole)), &meant) != nil {
		return "", 0
	}
	if redacted := r.whole(meant); redacted != meant {
		return strings.TrimSuffix(quote(redacted), `"`) + end, len(literal)
	}
	return literal, len(literal)
}

// goesOn tells whether what stands behind a quote belongs to what stands before it.
func goesOn(text string) bool {
	c, size := utf8.DecodeRuneInString(text)
	return size > 0 && !unicode.IsSpace(c) && !strings.ContainsRune(`,:.)]}>\`, c)
}

// lenient writes what JSON does not allow in a string, such as an escape for a byte that is no text, as it does.
func lenient(literal string) string {
	literal = anyEscape.ReplaceAllStringFunc(literal, func(escape string) string {
		if strings.ContainsAny(escape[1:], `"\/bfnrtu`) {
			return escape
		}
		return `\` + escape
	})
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(literal)
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
	before, mark, query := split(text, question)
	if anchor, sign, fragment := split(text, hash); sign != "" {
		before, mark, query = split(anchor, question)
		return r.place(before) + mark + r.query(query) + sign + r.value(fragment)
	}
	return r.place(before) + mark + r.query(query)
}

// split is strings.Cut around a pattern; sign is what stood there, "" for nothing.
func split(text string, around *regexp.Regexp) (before, sign, after string) {
	found := around.FindStringIndex(text)
	if found == nil {
		return text, "", ""
	}
	return text[:found[0]], text[found[0]:found[1]], text[found[1]:]
}

// place redacts what stands before a query: scheme, host and path, and addresses that are glued to it.
func (r *redactor) place(text string) string {
	var b strings.Builder
	for {
		before, scheme, rest := split(text, schemeLike)
		switch {
		case scheme == "":
			b.WriteString(r.user(text))
			return b.String()
		case strings.Contains(scheme, "%"):
			// What is percent-encoded is not taken apart.
			return b.String() + r.user(before) + scheme + r.value(rest)
		}
		b.WriteString(r.user(before))
		b.WriteString(scheme)
		text = rest
	}
}

// user takes out what stands before an @ in the host.
func (r *redactor) user(text string) string {
	host, sign, path := split(text, slash)
	path = sign + r.path(path)
	signs := at.FindAllStringIndex(host, -1)
	if signs == nil {
		return r.path(host) + path
	}
	last := signs[len(signs)-1][0]
	if user := host[:last]; user != "" && user != removed {
		r.users++
		host = removed + host[last:]
	}
	return r.path(host) + path
}

// path takes the values of parameters out of every part of a path, such as in /x;token=…/y.
func (r *redactor) path(text string) string {
	var b strings.Builder
	for text != "" {
		part, sign, rest := split(text, slash)
		name, begin, parameters := split(part, semicolon)
		redact := r.query
		if strings.Contains(begin, "%") {
			redact = r.value // what is percent-encoded is not taken apart
		}
		b.WriteString(name + begin + redact(parameters) + sign)
		text = rest
	}
	return b.String()
}

// query keeps the names of parameters and their order.
func (r *redactor) query(text string) string {
	var b strings.Builder
	for text != "" {
		parameter, sign, rest := split(text, separator)
		b.WriteString(r.parameter(parameter) + sign)
		text = rest
	}
	return b.String()
}

func (r *redactor) parameter(text string) string {
	if name, sign, value := split(text, equals); sign != "" {
		return name + sign + r.value(value)
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
