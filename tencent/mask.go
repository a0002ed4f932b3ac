package tencent

import (
	"bytes"
	"encoding/base64"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// removed stands where a secret was.
const removed = "[removed]"

const (
	wholeWordBelow = 4   // shorter secrets are masked only where they stand alone: "1" is in every answer
	tailFrom       = 6   // a text that ends inside a secret is masked from this many characters on
	partFrom       = 16  // the beginning of a secret is masked from this many characters on
	tokenLimit     = 16  // tokens of one answer that are looked for by value
	tokenLength    = 128 // characters of the longest token there is (647/69528); longer ones are looked for by their beginning
	encodedFrom    = 8   // characters of a base64 text that a secret is known by
	escapeDepth    = 16  // backslashes in a row that are looked at
)

// masker takes secrets out of texts: known ones by value, in every spelling that JSON, URLs, HTML and base64 have
// for them, and whatever stands in a member called Token.
type masker struct {
	secrets []string
	begins  [256]bool       // the bytes that a secret can begin with, in any spelling
	parts   map[string]bool // every stretch of partFrom bytes of a secret
}

// unit is one character of a secret, or one byte of it that is no character.
type unit struct {
	raw   string
	point rune // -1: none
}

func newMasker(secrets ...string) *masker {
	m := &masker{parts: map[string]bool{}}
	for i := range len(escapes) {
		m.begins[escapes[i]] = true
	}
	m.add(secrets...)
	return m
}

// escapes are the characters that a spelling other than the plain one begins with.
const escapes = `%\&+`

func (m *masker) add(secrets ...string) {
	for _, s := range secrets {
		if s != "" {
			m.addSpelled(s)
			m.addParts(s)
			m.addEncoded(s)
		}
	}
}

func (m *masker) addSpelled(s string) {
	m.secrets = append(m.secrets, s)
	m.begins[s[0]] = true
}

// addEncoded adds what of a secret stands in base64 texts that have it inside, for each of the three places at which it
// can begin there. Of a short secret too little would stand there to know it by.
func (m *masker) addEncoded(secret string) {
	for shift := range 3 {
		for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := alphabet.EncodeToString(append(make([]byte, shift), secret...))
			text = text[[]int{0, 2, 3}[shift]:] // the characters before share bits with what stands in front
			if (shift+len(secret))%3 != 0 {
				text = text[:max(len(text)-1, 0)] // as the last one does with what comes behind
			}
			if len(text) >= encodedFrom {
				m.addSpelled(text)
			}
		}
	}
}

func (m *masker) addParts(s string) {
	for i := 0; i+partFrom <= len(s); i++ {
		m.parts[s[i:i+partFrom]] = true
	}
}

// partAt gives the end of a stretch out of the middle of a secret that begins at i, or 0.
func (m *masker) partAt(text []byte, i int) int {
	end := 0
	for ; i+partFrom <= len(text) && m.parts[string(text[i:i+partFrom])]; i++ {
		end = i + partFrom
	}
	return end
}

// firstUnit is the first of a text.
func firstUnit(s string) unit {
	point, size := utf8.DecodeRuneInString(s)
	if point == utf8.RuneError && size == 1 {
		point = -1
	}
	return unit{s[:size], point}
}

// mask gives text without secrets, at most limit bytes of it, and whether something was cut off.
// Masking comes first, so that a cut never leaves half a secret.
func (m *masker) mask(text []byte, limit int) ([]byte, bool) {
	out := make([]byte, 0, min(len(text), limit)+len(removed))
	i := 0
	for i < len(text) && len(out) < limit+1 {
		if end := m.secretAt(text, i); end > i {
			out = append(out, removed...)
			i = end
		} else if end := m.partAt(text, i); end > i {
			out = append(out, removed...)
			i = end
		} else if f := tokenFieldAt(text, i); f.end > i {
			out = append(out, text[i:f.value]...)
			out = append(out, f.quote+removed+f.quote...)
			i = f.end
		} else {
			out = append(out, text[i])
			i++
		}
	}
	if len(out) <= limit {
		return out, false
	}
	return out[:limit:limit], true
}

// text is mask for a string that came from JSON; it never cuts a character in two.
func (m *masker) text(s string, limit int) string {
	out, cut := m.mask([]byte(s), limit)
	for cut && len(out) > 0 && !utf8.Valid(out) {
		out = out[:len(out)-1]
	}
	return string(out)
}

// secretAt gives the end of the longest secret that begins at i, or 0.
func (m *masker) secretAt(text []byte, i int) int {
	longest := 0
	if !m.begins[text[i]] {
		return 0
	}
	for _, secret := range m.secrets {
		end := spelledAt(text, i, secret)
		if end > 0 && (utf8.RuneCountInString(secret) >= wholeWordBelow || standsAlone(text, i, end)) {
			longest = max(longest, end)
		}
	}
	return longest
}

// spelledAt gives the end of the secret spelled at i, or 0. A long beginning of a secret counts too, as somebody
// may have shortened it, and at the end of the text, which may have been cut there, a short one.
func spelledAt(text []byte, i int, secret string) int {
	if text[i] != secret[0] && strings.IndexByte(escapes, text[i]) < 0 {
		return 0
	}
	ends := []int{i}
	for n := 0; secret != ""; n++ {
		u := firstUnit(secret)
		secret = secret[len(u.raw):]
		var next []int
		for _, at := range ends {
			next = append(next, spellings(text, at, u)...)
		}
		if len(next) == 0 {
			return shortened(text, ends, n)
		}
		ends = distinct(next)
	}
	return ends[len(ends)-1]
}

// shortened judges the n characters of a secret that were found.
func shortened(text []byte, ends []int, n int) int {
	for _, at := range ends {
		if n >= tailFrom && (!utf8.FullRune(text[at:]) || halfEscape.Match(text[at:])) {
			return len(text)
		}
	}
	if n >= partFrom {
		return ends[len(ends)-1]
	}
	return 0
}

// halfEscape is an escape that the end of the text cut short.
var halfEscape = regexp.MustCompile(`^(%(25)*[0-9a-fA-F]?|%2|\\{1,16}(u[0-9a-fA-F]{0,3})?|&#?[0-9a-zA-Z]{0,8})$`)

// distinct sorts the ends and drops doubles.
func distinct(ends []int) []int {
	slices.Sort(ends)
	return slices.Compact(ends)
}

// spellings gives the ends of every way in which the unit is spelled at that place.
func spellings(text []byte, at int, u unit) []int {
	if at >= len(text) {
		return nil
	}
	var ends []int
	if bytes.HasPrefix(text[at:], []byte(u.raw)) {
		ends = append(ends, at+len(u.raw))
	}
	switch text[at] {
	case '%':
		ends = append(ends, percentSpelled(text, at, u.raw))
	case '\\':
		ends = append(ends, backslashSpelled(text, at, u.point))
		ends = append(ends, doubledBackslash(text, at, u.point)...)
	case '&':
		ends = append(ends, entitySpelled(text, at, u.raw))
	case '+':
		if u.point == ' ' {
			ends = append(ends, at+1)
		}
	}
	return slices.DeleteFunc(ends, func(end int) bool { return end <= at })
}

// percentSpelled reads %2A, and %252A where somebody escaped twice.
func percentSpelled(text []byte, at int, raw string) int {
	for i := range len(raw) {
		if at >= len(text) || text[at] != '%' {
			return 0
		}
		at++
		for bytes.HasPrefix(text[at:], []byte("25")) && raw[i] != '%' {
			at += 2
		}
		value, ok := hexAt(text, at, 2)
		if !ok || byte(value) != raw[i] {
			return 0
		}
		at += 2
	}
	return at
}

// backslashSpelled reads the escapes of JSON, also those of JSON inside a JSON string.
func backslashSpelled(text []byte, at int, point rune) int {
	slashes := backslashes(text, at)
	after := at + slashes
	if after >= len(text) {
		return 0
	}
	if text[after] == 'u' {
		return unicodeSpelled(text, after+1, point)
	}
	short := map[byte]rune{'"': '"', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}
	if found, ok := short[text[after]]; ok && found == point {
		return after + 1
	}
	return 0
}

// doubledBackslash reads a backslash that was escaped once, twice or three times.
func doubledBackslash(text []byte, at int, point rune) []int {
	var ends []int
	for n := 2; point == '\\' && n <= backslashes(text, at); n *= 2 {
		ends = append(ends, at+n)
	}
	return ends
}

// unicodeSpelled reads the digits after a \u, and the second half of a pair.
func unicodeSpelled(text []byte, at int, point rune) int {
	first, ok := hexAt(text, at, 4)
	if !ok {
		return 0
	}
	at += 4
	if rune(first) == point {
		return at
	}
	if !utf16.IsSurrogate(rune(first)) {
		return 0
	}
	at += backslashes(text, at)
	if at >= len(text) || text[at] != 'u' {
		return 0
	}
	second, ok := hexAt(text, at+1, 4)
	if !ok || utf16.DecodeRune(rune(first), rune(second)) != point {
		return 0
	}
	return at + 5
}

// entitySpelled reads &amp; and &#42; and &#x2a;.
func entitySpelled(text []byte, at int, raw string) int {
	window := text[at:min(at+12, len(text))]
	semicolon := bytes.IndexByte(window, ';')
	if semicolon < 0 || html.UnescapeString(string(window[:semicolon+1])) != raw {
		return 0
	}
	return at + semicolon + 1
}

func hexAt(text []byte, at, digits int) (uint64, bool) {
	if at+digits > len(text) {
		return 0, false
	}
	value, err := strconv.ParseUint(string(text[at:at+digits]), 16, 32)
	return value, err == nil
}

// backslashes counts the backslashes at that place.
func backslashes(text []byte, at int) int {
	n := 0
	for at+n < len(text) && text[at+n] == '\\' && n < escapeDepth {
		n++
	}
	return n
}

func standsAlone(text []byte, from, to int) bool {
	before, _ := utf8.DecodeLastRune(text[:from])
	after, _ := utf8.DecodeRune(text[to:])
	return !wordRune(before, from > 0) && !wordRune(after, to < len(text))
}

func wordRune(r rune, present bool) bool {
	return present && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// tokenField is a member called Token: where its value begins and ends and how that is quoted.
type tokenField struct {
	value, end int
	quote      string
}

// tokenFieldAt reads a member called Token, in any case and also in JSON inside a JSON string, whose name begins
// at i. It takes what is there to the end of the text when the value has no end.
func tokenFieldAt(text []byte, i int) tokenField {
	quote := quoteAt(text, i)
	if quote == "" {
		return tokenField{}
	}
	at := i + len(quote)
	for _, letter := range "token" {
		at = letterAt(text, at, letter)
		if at == 0 {
			return tokenField{}
		}
	}
	if quoteAt(text, at) != quote {
		return tokenField{}
	}
	at = skipSpace(text, at+len(quote))
	if at >= len(text) || text[at] != ':' {
		return tokenField{}
	}
	at = skipSpace(text, at+1)
	if at >= len(text) {
		return tokenField{}
	}
	if quoteAt(text, at) == quote {
		return tokenField{value: at, end: quotedEnd(text, at+len(quote), quote), quote: quote}
	}
	return tokenField{value: at, end: bareEnd(text, at)}
}

// letterAt gives the end of the letter in either case, or 0.
func letterAt(text []byte, at int, letter rune) int {
	for _, point := range []rune{letter, unicode.ToUpper(letter)} {
		if ends := spellings(text, at, unit{string(point), point}); len(ends) > 0 {
			return ends[0]
		}
	}
	return 0
}

// quoteAt gives the quotation mark at that place with the backslashes before it, or "".
func quoteAt(text []byte, at int) string {
	n := backslashes(text, at)
	if at+n >= len(text) || text[at+n] != '"' {
		return ""
	}
	return string(text[at : at+n+1])
}

func skipSpace(text []byte, at int) int {
	for at < len(text) && strings.IndexByte(" \t\r\n", text[at]) >= 0 {
		at++
	}
	return at
}

// quotedEnd gives the place behind the closing quotation mark.
func quotedEnd(text []byte, at int, quote string) int {
	for at < len(text) {
		n := backslashes(text, at)
		switch {
		case at+n < len(text) && text[at+n] == '"' && closes(n, quote):
			return at + n + 1
		case n > 0:
			at += n
			if n%2 == 1 && quote == `"` {
				at++
			}
		default:
			at++
		}
	}
	return len(text)
}

// closes says whether a quotation mark with n backslashes before it ends a text that began with quote.
func closes(n int, quote string) bool {
	if quote == `"` {
		return n%2 == 0
	}
	return n == len(quote)-1
}

// bareEnd gives the end of a value that is no text.
func bareEnd(text []byte, at int) int {
	depth := 0
	for at < len(text) {
		switch text[at] {
		case '"':
			at = quotedEnd(text, at+1, `"`)
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
			if depth == 0 {
				return at + 1
			}
			if depth < 0 {
				return at
			}
		case ',':
			if depth == 0 {
				return at
			}
		}
		at++
	}
	return at
}
