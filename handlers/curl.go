package handlers

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"callboard/views"
)

// curl shows the stored request as a command for a shell. The signature was never kept; whoever runs the command puts a
// new one into the variable.
func (s *server) curl(v *views.ChangePage, e entry) {
	if e.call == nil {
		return
	}
	command, ok := curlOf(s.baseURL(e), string(e.call.Request))
	if !ok {
		return
	}
	v.Curl = &views.Curl{Text: command, Notes: []string{v.P.T("curl.signature")}}
	if _, body, _ := strings.Cut(string(e.call.Request), "\n\n"); strings.Contains(body, removed) {
		v.Curl.Notes = append(v.Curl.Notes, v.P.T("curl.masked"))
	}
}

// baseURL is where the entry's call went: as its region says, or by https to the host when the region is another now.
func (s *server) baseURL(e entry) string {
	if r, ok := s.Regions.Find(e.Region); ok && r.Host == e.Host {
		return r.BaseURL
	}
	return "https://" + e.Host
}

// curlOf makes the command of a request as it is stored; ok is false when the request has another form.
func curlOf(base, request string) (command string, ok bool) {
	head, body, hasBody := strings.Cut(request, "\n\n")
	method, target, hasTarget := strings.Cut(head, " ")
	front, back, signed := strings.Cut(target, "usersig="+removed)
	if !hasBody || !hasTarget || !signed {
		return "", false
	}
	// Without --globoff curl takes brackets and braces of an address apart; --data-raw sends a leading @ as it is.
	return fmt.Sprintf("curl --globoff --request %s \\\n  %s\"$USERSIG\"%s \\\n  --header 'Content-Type: application/json' \\\n  --data-raw %s",
		shellQuote(method), shellQuote(base+front+"usersig="), shellQuote(back), shellQuote(body)), true
}

// shellQuote writes a text so that bash reads exactly its bytes. What cannot be seen, or would turn the line around,
// is written as escapes.
func shellQuote(text string) string {
	if !strings.ContainsFunc(text, unseen) {
		return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	var b strings.Builder
	for len(text) > 0 {
		c, size := utf8.DecodeRuneInString(text)
		switch {
		case unseen(c):
			for i := range size {
				fmt.Fprintf(&b, `\x%02x`, text[i])
			}
		case c == '\'' || c == '\\':
			b.WriteString(`\` + text[:size])
		default:
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
	return "$'" + b.String() + "'"
}

// unseen tells whether a character is shown as nothing, as several or as another one.
func unseen(c rune) bool {
	return c == utf8.RuneError || !unicode.IsPrint(c) || unicode.Is(unicode.Bidi_Control, c)
}
