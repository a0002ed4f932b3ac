package handlers

import (
	"strings"
	"unicode"

	"github.com/labstack/echo/v4"
	"golang.org/x/text/unicode/norm"

	"callboard/i18n"
	"callboard/store"
)

// twins are letters that look like a Latin one, with that one.
var twins = strings.NewReplacer("а", "a", "в", "b", "с", "c", "ԁ", "d", "е", "e", "һ", "h", "н", "h", "і", "i", "ј", "j", "к", "k", "ӏ", "l", "м", "m", "о", "o", "р", "p", "ѕ", "s", "т", "t",
	"у", "y", "х", "x", "ԝ", "w", "α", "a", "β", "b", "ε", "e", "η", "n", "ι", "i", "κ", "k", "μ", "m", "ν", "v", "ο", "o", "ρ", "p", "τ", "t", "υ", "u", "χ", "x", "ω", "w")

// strokes are capital letters and digits that many typefaces draw as another letter, and pairs are letters that stand for one.
var (
	strokes = strings.NewReplacer("I", "l", "1", "l", "0", "o")
	pairs   = strings.NewReplacer("rn", "m", "vv", "w")
)

// looks is how a name looks: names of the same looks cannot be told apart by eye.
func looks(name string) string {
	return pairs.Replace(twins.Replace(store.Key(strokes.Replace(norm.NFKC.String(name)))))
}

// newNameFault says why nobody can be invited under a name, "" when somebody can.
func (s *server) newNameFault(c echo.Context, p *i18n.Printer, name string) (string, error) {
	if text := nameFault(p, name); text != "" {
		return text, nil
	}
	if !plainName(name) {
		return p.T("user.name_letters"), nil
	}
	people, err := s.Store.People(c.Request().Context(), s.Sessions)
	for _, x := range people {
		if looks(x.Name) == looks(name) && store.Key(x.Name) != store.Key(name) {
			return p.T("user.name_like", "Name", x.Name), nil
		}
	}
	return "", err
}

// plainName tells whether a name is made of letters of one script, digits, and a few signs. What cannot be seen, and the
// full-width and other forms of a letter, are none of these.
func plainName(name string) bool {
	if norm.NFKC.String(name) != name {
		return false
	}
	script := ""
	for _, r := range name {
		switch {
		case unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			return false // marks and letters that nobody sees
		case strings.ContainsRune("._-@+", r), unicode.IsDigit(r), unicode.IsMark(r):
			continue
		case !unicode.IsLetter(r):
			return false
		}
		if now := scriptOf(r); script == "" {
			script = now
		} else if now != script {
			return false
		}
	}
	return true
}

// scriptOf names the script of a letter. Those of East Asia are written together.
func scriptOf(r rune) string {
	// The long-vowel sign is of no script, as Hiragana and Katakana share it.
	if r == 'ー' || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo) {
		return "East Asia"
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return ""
}
