// Package i18n holds every sentence that a person reads, in English and Simplified Chinese, and chooses the language.
package i18n

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
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
	plain := map[string]map[string]string{}
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
	}
	var tags []language.Tag
	for _, l := range Languages {
		tag := language.MustParse(l)
		tags = append(tags, tag)
		c.printers[l] = &Printer{Language: l, localizer: i18n.NewLocalizer(c.bundle, l), plain: plain[l], numbers: message.NewPrinter(tag)}
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
}

// T is the text of an id; pairs are names and values for its placeholders.
func (p *Printer) T(id string, pairs ...any) string {
	if text, ok := p.plain[id]; ok {
		return text
	}
	return p.localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: data(pairs)})
}

// N is T in the plural form for n, which is also the placeholder Count.
func (p *Printer) N(id string, n int, pairs ...any) string {
	d := data(pairs)
	d["Count"] = p.Number(n)
	return p.localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: d, PluralCount: n})
}

// M is T with the placeholders in a map.
func (p *Printer) M(id string, args map[string]any) string {
	if text, ok := p.plain[id]; ok {
		return text
	}
	return p.localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: args})
}

// Has tells whether there is a text for an id.
func (p *Printer) Has(id string) bool {
	if _, ok := p.plain[id]; ok {
		return true
	}
	_, err := p.localizer.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: map[string]any{}})
	return err == nil
}

// localize falls back to English and then to the id: a page with one odd word beats no page. Tests fail on either.
func (p *Printer) localize(c *i18n.LocalizeConfig) string {
	text, err := p.localizer.Localize(c)
	if text == "" && err != nil {
		return c.MessageID
	}
	return text
}

func data(pairs []any) map[string]any {
	d := make(map[string]any, len(pairs)/2+1)
	for i := 0; i+1 < len(pairs); i += 2 {
		d[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return d
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
