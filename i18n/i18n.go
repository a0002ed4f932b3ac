// Package i18n holds every sentence that a person reads, in English and Simplified Chinese, and chooses the language.
package i18n

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed catalogues/*.toml
var catalogues embed.FS

// Languages that the console speaks, the first being the one for everybody else.
var Languages = []string{"en", "zh-Hans"}

// Catalogue has the texts of all languages.
type Catalogue struct {
	bundle   *i18n.Bundle
	matcher  language.Matcher
	printers map[string]*Printer
}

// Load reads the embedded catalogues. It fails when one of them is not readable.
func Load() (*Catalogue, error) {
	c := &Catalogue{bundle: i18n.NewBundle(language.English), printers: map[string]*Printer{}}
	c.bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	plain, names := map[string]map[string]string{}, map[string]map[string]string{}
	files, err := fs.Glob(catalogues, "catalogues/*.toml")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		text, err := catalogues.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := c.bundle.ParseMessageFileBytes(text, name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		keepPlain(plain, file)
		keepNames(names, file)
	}
	var tags []language.Tag
	for _, l := range Languages {
		tag := language.MustParse(l)
		tags = append(tags, tag)
		c.printers[l] = &Printer{Language: l, localizer: i18n.NewLocalizer(c.bundle, l), plain: plain[l], names: names, numbers: message.NewPrinter(tag)}
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
}

// keepPlain collects the texts that need neither arguments nor plural forms, so that showing them costs a look-up.
func keepPlain(plain map[string]map[string]string, file *i18n.MessageFile) {
	l := file.Tag.String()
	if plain[l] == nil {
		plain[l] = map[string]string{}
	}
	for _, m := range file.Messages {
		if m.One == "" && !strings.Contains(m.Other, "{{") {
			plain[l][m.ID] = m.Other
		}
	}
}

var slots = regexp.MustCompile(`\{\{\.(\w+)\}\}`)

// keepNames collects the slots of every id, whatever the language.
func keepNames(names map[string]map[string]string, file *i18n.MessageFile) {
	for _, m := range file.Messages {
		for _, found := range slots.FindAllStringSubmatch(m.One+m.Other, -1) {
			if names[m.ID] == nil {
				names[m.ID] = map[string]string{}
			}
			names[m.ID][found[1]] = hole + found[1] + hole
		}
	}
}

// Match chooses a language: the person's own choice, else the browser's wishes, else English.
func (c *Catalogue) Match(chosen, accept string) string {
	if _, ok := c.printers[chosen]; ok {
		return chosen
	}
	// The matcher's tag carries extensions; its index does not.
	_, i := language.MatchStrings(c.matcher, accept)
	return Languages[i]
}

// Printer returns the texts of a language that Match gave.
func (c *Catalogue) Printer(language string) *Printer {
	if p, ok := c.printers[language]; ok {
		return p
	}
	return c.printers[Languages[0]]
}

// Printer gives the texts of one language. It is safe for concurrent use.
type Printer struct {
	Language  string
	localizer *i18n.Localizer
	plain     map[string]string
	numbers   *message.Printer
	names     map[string]map[string]string // of an id's slots, each with the mark that stands for it
	patterns  sync.Map                     // of *pattern by patternKey
}

// T is the text of an id; pairs are names and values for its slots.
func (p *Printer) T(id string, pairs ...any) string {
	if text, ok := p.plain[id]; ok {
		return text
	}
	return p.pattern(patternKey{id: id, count: noCount}).fill(pairs)
}

// N is T in the plural form for n, which is also the placeholder Count.
func (p *Printer) N(id string, n int, pairs ...any) string {
	return p.pattern(patternKey{id: id, count: n}).fill(append([]any{"Count", p.Number(n)}, pairs...))
}

// M is T with the slots in a map.
func (p *Printer) M(id string, args map[string]any) string {
	pairs := make([]any, 0, 2*len(args))
	for name, value := range args {
		pairs = append(pairs, name, value)
	}
	return p.T(id, pairs...)
}

// Has tells whether there is a text for an id.
func (p *Printer) Has(id string) bool {
	_, err := p.localizer.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: p.names[id]})
	return err == nil
}

// pattern is a text with its slots: piece, name, piece, name … piece. A page has hundreds of texts, and carrying
// a template out for each took longer than everything else on it.
type pattern struct{ parts []string }

type patternKey struct {
	id    string
	count int // the number that the plural form is for
}

const (
	noCount    = -1
	keptCounts = 1000 // plural forms for larger numbers are not kept
	hole       = "\x00"
)

// pattern looks a text up, in this language, else in English, else the id itself: a page with one odd word beats no
// page. Tests fail on either.
func (p *Printer) pattern(key patternKey) *pattern {
	if known, ok := p.patterns.Load(key); ok {
		if made, ok := known.(*pattern); ok {
			return made
		}
	}
	config := &i18n.LocalizeConfig{MessageID: key.id, TemplateData: p.names[key.id]}
	if key.count != noCount {
		config.PluralCount = key.count
	}
	text, err := p.localizer.Localize(config)
	if text == "" && err != nil {
		text = key.id
	}
	made := &pattern{parts: strings.Split(text, hole)}
	if key.count < keptCounts {
		p.patterns.Store(key, made)
	}
	return made
}

// fill puts values into the slots; one without a value stays empty.
func (p *pattern) fill(pairs []any) string {
	if len(p.parts) == 1 {
		return p.parts[0]
	}
	var b strings.Builder
	for i, part := range p.parts {
		if i%2 == 0 {
			b.WriteString(part)
			continue
		}
		for k := 0; k+1 < len(pairs); k += 2 {
			if pairs[k] == part {
				fmt.Fprint(&b, pairs[k+1])
				break
			}
		}
	}
	return b.String()
}

// Number writes a whole number with the language's separators.
func (p *Printer) Number(n int) string {
	if n > -1000 && n < 1000 {
		return fmt.Sprint(n)
	}
	return p.numbers.Sprintf("%d", n)
}

// The four layouts of times.
func (p *Printer) layout(en, zh string) string {
	if p.Language == "zh-Hans" {
		return zh
	}
	return en
}

// Day is a date with its weekday, such as Monday 23 November 2026.
func (p *Printer) Day(t time.Time) string {
	if p.Language == "zh-Hans" {
		return t.Format("2006年1月2日") + " " + [...]string{"星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"}[t.Weekday()]
	}
	return t.Format("Monday 2 January 2006")
}

// Date is a date in short.
func (p *Printer) Date(t time.Time) string {
	return t.Format(p.layout("2 Jan 2006", "2006年1月2日"))
}

// Clock is the time to the second.
func (p *Printer) Clock(t time.Time) string { return t.Format("15:04:05") }

// Stamp is the date and the time to the second.
func (p *Printer) Stamp(t time.Time) string {
	return t.Format(p.layout("2 Jan 2006 15:04:05", "2006年1月2日 15:04:05"))
}
