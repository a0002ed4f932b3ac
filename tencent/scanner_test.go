package tencent

import (
	"strings"
	"unicode/utf16"
)

// scanner is a small strict JSON reader for checking the real one: it shares nothing with it.
type scanner struct {
	rest []byte
	bad  bool
}

func (s *scanner) fail() string { s.bad, s.rest = true, nil; return "" }

func (s *scanner) space() {
	for len(s.rest) > 0 && (s.rest[0] == ' ' || s.rest[0] == '\t' || s.rest[0] == '\n' || s.rest[0] == '\r') {
		s.rest = s.rest[1:]
	}
}

func (s *scanner) next() byte {
	if len(s.rest) == 0 {
		return 0
	}
	return s.rest[0]
}

func (s *scanner) take(c byte) bool {
	if s.next() != c || len(s.rest) == 0 {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// object gives names and values in order; a text's value begins with a quotation mark.
func (s *scanner) object(depth int) [][2]string {
	var pairs [][2]string
	s.space()
	if !s.take('{') {
		s.fail()
		return nil
	}
	s.space()
	if s.take('}') {
		return nil
	}
	for !s.bad {
		s.space()
		name := s.text()
		s.space()
		if !s.take(':') {
			s.fail()
			return nil
		}
		pairs = append(pairs, [2]string{strings.TrimPrefix(name, `"`), s.value(depth + 1)})
		s.space()
		if s.take('}') {
			return pairs
		}
		if !s.take(',') {
			s.fail()
		}
	}
	return nil
}

func (s *scanner) list(depth int) {
	s.take('[')
	s.space()
	if s.take(']') {
		return
	}
	for !s.bad {
		s.value(depth + 1)
		s.space()
		if s.take(']') {
			return
		}
		if !s.take(',') {
			s.fail()
		}
	}
}

func (s *scanner) value(depth int) string {
	s.space()
	if depth > 20000 {
		return s.fail()
	}
	switch c := s.next(); {
	case c == '{':
		s.object(depth)
		return "{}"
	case c == '[':
		s.list(depth)
		return "[]"
	case c == '"':
		return s.text()
	case c == '-' || (c >= '0' && c <= '9'):
		return s.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(string(s.rest), word) {
			s.rest = s.rest[len(word):]
			return word
		}
	}
	return s.fail()
}

func (s *scanner) digits() string {
	n := 0
	for n < len(s.rest) && s.rest[n] >= '0' && s.rest[n] <= '9' {
		n++
	}
	if n == 0 {
		return s.fail()
	}
	found := string(s.rest[:n])
	s.rest = s.rest[n:]
	return found
}

func (s *scanner) number() string {
	out := ""
	if s.take('-') {
		out = "-"
	}
	whole := s.digits()
	if len(whole) > 1 && whole[0] == '0' {
		return s.fail()
	}
	out += whole
	if s.take('.') {
		out += "." + s.digits()
	}
	if s.next() == 'e' || s.next() == 'E' {
		s.rest = s.rest[1:]
		if !s.take('+') {
			s.take('-')
		}
		out += "e" + s.digits()
	}
	return out
}

func (s *scanner) text() string {
	if !s.take('"') {
		return s.fail()
	}
	out := []byte{'"'}
	for {
		c := s.next()
		switch {
		case len(s.rest) == 0 || c < 0x20:
			return s.fail()
		case c == '"':
			s.rest = s.rest[1:]
			return string(out)
		case c != '\\':
			out = append(out, c)
			s.rest = s.rest[1:]
		default:
			s.rest = s.rest[1:]
			out = append(out, s.escape()...)
		}
		if s.bad {
			return ""
		}
	}
}

func (s *scanner) escape() string {
	c := s.next()
	if plain := strings.IndexByte(`"\/bfnrt`, c); plain >= 0 && len(s.rest) > 0 {
		s.rest = s.rest[1:]
		return string("\"\\/\b\f\n\r\t"[plain])
	}
	if c != 'u' {
		return s.fail()
	}
	first := s.four()
	if utf16.IsSurrogate(first) && strings.HasPrefix(string(s.rest), `\u`) {
		kept := *s
		s.rest = s.rest[1:]
		if both := utf16.DecodeRune(first, s.four()); both != '\uFFFD' {
			return string(both)
		}
		bad := s.bad
		*s = kept
		s.bad = bad
	}
	return string(first)
}

// four reads u and its four digits.
func (s *scanner) four() rune {
	if len(s.rest) < 5 {
		s.fail()
		return 0
	}
	var value rune
	for _, c := range s.rest[1:5] {
		digit := strings.IndexByte("0123456789abcdefABCDEF", c)
		if digit > 15 {
			digit -= 6
		}
		if digit < 0 {
			s.fail()
			return 0
		}
		value = value<<4 | rune(digit)
	}
	s.rest = s.rest[5:]
	return value
}
