package i18n

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// pluralForms says which forms a text that counts has in each language, and no others.
var pluralForms = map[string][]string{"en": {"one", "other"}, "zh-Hans": {"other"}}

// text is one entry of a catalogue; a text without plural forms has only "other".
type text struct {
	plural bool
	forms  map[string]string
}

func (x text) other() string { return x.forms["other"] }

// parse reads one catalogue file and says what is no text in it.
func parse(source string) (texts map[string]text, faults []string) {
	var raw map[string]any
	if _, err := toml.Decode(source, &raw); err != nil {
		return nil, []string{"is not valid TOML"}
	}
	texts = map[string]text{}
	for _, id := range slices.Sorted(maps.Keys(raw)) {
		switch value := raw[id].(type) {
		case string:
			texts[id] = text{forms: map[string]string{"other": value}}
		case map[string]any:
			forms := map[string]string{}
			for form, v := range value {
				s, ok := v.(string)
				if !ok {
					faults = append(faults, id+": "+form+" is no text")
					continue
				}
				forms[form] = s
			}
			texts[id] = text{plural: true, forms: forms}
		default:
			faults = append(faults, id+" is no text")
		}
	}
	return texts, faults
}

// placeholder matches what the server fills in, {{.Name}}, and what the page's script does, {n}.
var placeholder = regexp.MustCompile(`\{\{\.[A-Za-z]+\}\}|\{[a-z]+\}`)

func placeholders(s string) []string {
	list := placeholder.FindAllString(s, -1)
	slices.Sort(list)
	return slices.Compact(list)
}

// blanks are the blanks before and behind a text.
func blanks(s string) (before, behind string) {
	core := strings.TrimSpace(s)
	if core == "" {
		return s, ""
	}
	i := strings.Index(s, core)
	return s[:i], s[i+len(core):]
}

// catalogueFaults compares the languages of every catalogue file, which is called name.language.toml.
func catalogueFaults(files fs.FS) ([]string, error) {
	names, err := fs.Glob(files, "*.toml")
	if err != nil {
		return nil, err
	}
	var faults []string
	parsed := map[string]map[string]text{}
	home := map[string]string{} // of an id in a language: the file that has it
	for _, name := range names {
		source, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		base, lang, _ := strings.Cut(strings.TrimSuffix(name, ".toml"), ".")
		if !slices.Contains(Languages, lang) {
			faults = append(faults, name+" is in no language of ours")
		}
		for _, l := range Languages {
			if other := base + "." + l + ".toml"; !slices.Contains(names, other) {
				faults = append(faults, other+" is missing")
			}
		}
		texts, wrong := parse(string(source))
		parsed[name] = texts
		for _, w := range wrong {
			faults = append(faults, name+": "+w)
		}
		for _, id := range slices.Sorted(maps.Keys(texts)) {
			if first := home[lang+" "+id]; first != "" {
				faults = append(faults, name+": "+id+" is in "+first+" too")
			}
			home[lang+" "+id] = name
			for _, w := range textFaults(lang, texts[id]) {
				faults = append(faults, name+": "+id+w)
			}
		}
	}
	for _, name := range names {
		base, lang, _ := strings.Cut(strings.TrimSuffix(name, ".toml"), ".")
		if lang == Languages[0] {
			continue
		}
		english := base + "." + Languages[0] + ".toml"
		faults = append(faults, differences(english, name, parsed[english], parsed[name])...)
	}
	return faults, nil
}

// textFaults are what can be wrong with a text alone.
func textFaults(lang string, x text) []string {
	var faults []string
	forms := slices.Sorted(maps.Keys(x.forms))
	if x.plural && !slices.Equal(forms, pluralForms[lang]) {
		faults = append(faults, fmt.Sprintf(" has the plural forms %v, not %v", forms, pluralForms[lang]))
	}
	for _, form := range forms {
		s := x.forms[form]
		if strings.TrimSpace(s) == "" {
			faults = append(faults, " is empty")
		}
		if strings.ContainsAny(placeholder.ReplaceAllString(s, ""), "{}") {
			faults = append(faults, " has a brace that belongs to no placeholder")
		}
		for _, p := range placeholders(s) {
			if !slices.Contains(placeholders(x.other()), p) {
				faults = append(faults, ": "+form+" has "+p+", which other has not")
			}
		}
	}
	return faults
}

// differences are those of a translation from its English file.
func differences(englishName, name string, english, other map[string]text) []string {
	var faults []string
	for _, id := range slices.Sorted(maps.Keys(english)) {
		en := english[id]
		x, ok := other[id]
		if !ok {
			faults = append(faults, name+": "+id+" is missing")
			continue
		}
		if x.plural != en.plural {
			faults = append(faults, name+": "+id+" has plural forms in one language only")
		}
		if want, got := placeholders(en.other()), placeholders(x.other()); !slices.Equal(want, got) {
			faults = append(faults, fmt.Sprintf("%s: %s has the placeholders %v, not %v", name, id, got, want))
		}
		before, behind := blanks(en.other())
		for _, form := range slices.Sorted(maps.Keys(x.forms)) {
			b, a := blanks(x.forms[form])
			if (b != "" && b != before) || (a != "" && a != behind) {
				faults = append(faults, name+": "+id+" has blanks around it that the English has not")
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(other)) {
		if _, ok := english[id]; !ok {
			faults = append(faults, englishName+": "+id+" is missing")
		}
	}
	return faults
}

// TestCatalogues holds the catalogues against each other: same ids, same placeholders, no stray blanks.
func TestCatalogues(t *testing.T) {
	files, err := fs.Sub(catalogues, "catalogues")
	if err != nil {
		t.Fatal(err)
	}
	faults, err := catalogueFaults(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

// TestCataloguesCatch shows that every fault of a catalogue is found.
func TestCataloguesCatch(t *testing.T) {
	tests := []struct {
		name   string
		en, zh string
		want   []string
	}{
		{
			"nothing wrong",
			"\"a.b\" = \"{{.A}} of {n}\"\n\"a.c\" = \", \"\n[\"a.n\"]\none = \"yesterday\"\nother = \"{{.Count}} days\"",
			"\"a.b\" = \"{n}/{{.A}}\"\n\"a.c\" = \"，\"\n[\"a.n\"]\nother = \"{{.Count}} 天\"",
			nil,
		},
		{"blanks kept", `"a" = " and "`, `"a" = " 和 "`, nil},
		{"no Chinese", "\"a\" = \"A\"\n\"b\" = \"B\"", `"a" = "甲"`, []string{"x.zh-Hans.toml: b is missing"}},
		{"no English", `"a" = "A"`, "\"a\" = \"甲\"\n\"b\" = \"乙\"", []string{"x.en.toml: b is missing"}},
		{"not TOML", `"a" = "A"`, `"a" = `, []string{"x.zh-Hans.toml: is not valid TOML", "x.zh-Hans.toml: a is missing"}},
		{"an id twice in a file", `"a" = "A"`, "\"a\" = \"甲\"\n\"a\" = \"乙\"", []string{"x.zh-Hans.toml: is not valid TOML", "x.zh-Hans.toml: a is missing"}},
		{"a number", `"a" = 1`, `"a" = 1`, []string{"x.en.toml: a is no text", "x.zh-Hans.toml: a is no text"}},
		{
			"a number as a plural form", "[\"a\"]\none = 1\nother = \"A\"", "[\"a\"]\nother = \"甲\"",
			[]string{"x.en.toml: a: one is no text", "x.en.toml: a has the plural forms [other], not [one other]"},
		},
		{
			"an id without quotes", `a.b = "A"`, `"a" = "甲"`,
			[]string{"x.en.toml: a has the plural forms [b], not [one other]", "x.zh-Hans.toml: a has plural forms in one language only"},
		},
		{
			"a placeholder left out", `"a" = "{{.A}} {{.B}}"`, `"a" = "{{.A}}"`,
			[]string{"x.zh-Hans.toml: a has the placeholders [{{.A}}], not [{{.A}} {{.B}}]"},
		},
		{"a placeholder renamed", `"a" = "{n}"`, `"a" = "{m}"`, []string{"x.zh-Hans.toml: a has the placeholders [{m}], not [{n}]"}},
		{
			"a placeholder of the other kind", `"a" = "{{.n}}"`, `"a" = "{n}"`,
			[]string{"x.zh-Hans.toml: a has the placeholders [{n}], not [{{.n}}]"},
		},
		{
			"a broken placeholder", `"a" = "{{.A}}"`, `"a" = "{{.A}"`,
			[]string{"x.zh-Hans.toml: a has a brace that belongs to no placeholder", "x.zh-Hans.toml: a has the placeholders [], not [{{.A}}]"},
		},
		{
			"a placeholder in one form only", "[\"a\"]\none = \"{{.Name}}\"\nother = \"A\"", "[\"a\"]\nother = \"甲\"",
			[]string{"x.en.toml: a: one has {{.Name}}, which other has not"},
		},
		{
			"plural forms of another language", "[\"a\"]\none = \"A\"\nother = \"B\"", "[\"a\"]\none = \"甲\"\nother = \"乙\"",
			[]string{"x.zh-Hans.toml: a has the plural forms [one other], not [other]"},
		},
		{
			"no plural forms", "[\"a\"]\none = \"A\"\nother = \"B\"", `"a" = "甲"`,
			[]string{"x.zh-Hans.toml: a has plural forms in one language only"},
		},
		{"empty", `"a" = "A"`, `"a" = ""`, []string{"x.zh-Hans.toml: a is empty"}},
		{"only blanks", `"a" = " "`, `"a" = "甲"`, []string{"x.en.toml: a is empty"}},
		{"an empty plural form", "[\"a\"]\none = \"\"\nother = \"B\"", "[\"a\"]\nother = \"甲\"", []string{"x.en.toml: a is empty"}},
		{"a blank before", `"a" = "A "`, `"a" = " 甲"`, []string{"x.zh-Hans.toml: a has blanks around it that the English has not"}},
		{"a blank behind", `"a" = " A"`, `"a" = "甲 "`, []string{"x.zh-Hans.toml: a has blanks around it that the English has not"}},
		{"more blanks", `"a" = " A"`, `"a" = "  甲"`, []string{"x.zh-Hans.toml: a has blanks around it that the English has not"}},
		{"a wide blank", `"a" = " A"`, `"a" = "　甲"`, []string{"x.zh-Hans.toml: a has blanks around it that the English has not"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := catalogueFaults(fstest.MapFS{"x.en.toml": {Data: []byte(test.en)}, "x.zh-Hans.toml": {Data: []byte(test.zh)}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCatalogueFilesCatch shows that a missing file, an unknown language and an id in two files are found.
func TestCatalogueFilesCatch(t *testing.T) {
	one := &fstest.MapFile{Data: []byte(`"a" = "A"`)}
	tests := []struct {
		name  string
		files fstest.MapFS
		want  []string
	}{
		{"no Chinese file", fstest.MapFS{"x.en.toml": one}, []string{"x.zh-Hans.toml is missing"}},
		{"no English file", fstest.MapFS{"x.zh-Hans.toml": one}, []string{"x.en.toml is missing", "x.en.toml: a is missing"}},
		{
			"a third language", fstest.MapFS{"x.en.toml": one, "x.fr.toml": one, "x.zh-Hans.toml": one},
			[]string{"x.fr.toml is in no language of ours"},
		},
		{
			"an id in two files", fstest.MapFS{"x.en.toml": one, "x.zh-Hans.toml": one, "y.en.toml": one, "y.zh-Hans.toml": one},
			[]string{"y.en.toml: a is in x.en.toml too", "y.zh-Hans.toml: a is in x.zh-Hans.toml too"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := catalogueFaults(test.files)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

var (
	// call matches a text asked for by a literal, with what follows it: "+" when the literal is only the beginning.
	call = regexp.MustCompile(`\.(T|N|M)\(\s*"([^"\n]*)"\s*([+,)])`)
	// literal matches what is written like an id, as it is handed on to the function that asks for the text.
	literal = regexp.MustCompile(`"([a-z][a-z_]*(?:\.[A-Za-z0-9_-]+)+)"`)
)

// sourceFaults looks through Go and templ files for ids of texts that are not in the catalogue. It also counts what it looked at.
func sourceFaults(source fs.FS, texts map[string]text) (faults []string, calls int, err error) {
	areas := map[string]bool{}
	for id := range texts {
		area, _, _ := strings.Cut(id, ".")
		areas[area] = true
	}
	err = fs.WalkDir(source, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_templ.go") {
			return err
		}
		if ext := path.Ext(name); ext != ".go" && ext != ".templ" {
			return nil
		}
		content, err := fs.ReadFile(source, name)
		if err != nil {
			return err
		}
		fault := func(format string, args ...any) { faults = append(faults, name+": "+fmt.Sprintf(format, args...)) }
		for _, m := range call.FindAllStringSubmatch(string(content), -1) {
			calls++
			how, id, begins := m[1], m[2], m[3] == "+"
			x, ok := texts[id]
			switch {
			case begins && !hasPrefix(texts, id):
				fault("no text begins with %q", id)
			case begins:
			case !ok:
				fault("there is no text %q", id)
			case x.plural && how != "N":
				fault("%q has plural forms, but is asked for without a number", id)
			case !x.plural && how == "N":
				fault("%q has no plural forms", id)
			}
		}
		for _, m := range literal.FindAllStringSubmatch(call.ReplaceAllString(string(content), ""), -1) {
			area, _, _ := strings.Cut(m[1], ".")
			if _, ok := texts[m[1]]; areas[area] && !ok {
				fault("there is no text %q", m[1])
			}
		}
		return nil
	})
	return faults, calls, err
}

func hasPrefix(texts map[string]text, prefix string) bool {
	for id := range texts {
		if strings.HasPrefix(id, prefix) {
			return true
		}
	}
	return false
}

// allTexts are the texts of all catalogue files of a language.
func allTexts(t *testing.T, lang string) map[string]text {
	t.Helper()
	names, err := fs.Glob(catalogues, "catalogues/*."+lang+".toml")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]text{}
	for _, name := range names {
		source, err := catalogues.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts, _ := parse(string(source))
		maps.Copy(all, texts)
	}
	if len(all) == 0 {
		t.Fatalf("no texts in %s", lang)
	}
	return all
}

// TestSources finds every id that pages ask for and no catalogue has.
func TestSources(t *testing.T) {
	texts := allTexts(t, Languages[0])
	for _, dir := range []string{"../handlers", "../views"} {
		faults, calls, err := sourceFaults(os.DirFS(dir), texts)
		if err != nil {
			t.Fatal(err)
		}
		if calls < 50 {
			t.Errorf("%s: only %d texts are asked for; are they still asked for as this test expects?", dir, calls)
		}
		for _, f := range faults {
			t.Error(dir + "/" + f)
		}
	}
}

// TestSourcesCatch shows that a missing id is found however it is written, and which files are looked at.
func TestSourcesCatch(t *testing.T) {
	texts := map[string]text{"a.b": {}, "a.c": {}, "d.e.f": {}, "n.n": {plural: true}}
	tests := []struct {
		name, file, source string
		want               []string
		calls              int
	}{
		{"all there", "a.go", `p.T("a.b"); v.P.T("a.c", "A", 1); p.M("d.e.f", x); k.p.N("n.n", 1)`, nil, 4},
		{"missing in T", "a.go", `p.T("a.x")`, []string{`a.go: there is no text "a.x"`}, 1},
		{"missing in T with values", "a.go", `p.T("a.x", "A", 1)`, []string{`a.go: there is no text "a.x"`}, 1},
		{"missing in N", "a.go", `p.N("n.x", 1)`, []string{`a.go: there is no text "n.x"`}, 1},
		{"missing in M", "a.go", `p.M("zz.x", args)`, []string{`a.go: there is no text "zz.x"`}, 1},
		{"missing in an unknown area", "a.go", `p.T("zz.x")`, []string{`a.go: there is no text "zz.x"`}, 1},
		{"empty", "a.go", `p.T("")`, []string{`a.go: there is no text ""`}, 1},
		{"missing in a templ file", "a.templ", `<h1>{ v.P.T("a.x") }</h1>`, []string{`a.templ: there is no text "a.x"`}, 1},
		{"missing in a folder", "b/c.go", `p.T("a.x")`, []string{`b/c.go: there is no text "a.x"`}, 1},
		{"on a line of its own", "a.go", "p.T(\n\t\"a.x\",\n\t\"A\", 1)", []string{`a.go: there is no text "a.x"`}, 1},
		{"beginnings", "a.go", `p.T("a." + x); p.M("d.e."+x+".g", y); p.T("d." + string(x), "A", 1)`, nil, 3},
		{"missing beginning", "a.go", `p.T("a.b." + x)`, []string{`a.go: no text begins with "a.b."`}, 1},
		{"handed on", "a.go", `s.base(c, "a.b"); id := "a.x"`, []string{`a.go: there is no text "a.x"`}, 0},
		{"handed on in a map", "a.go", `map[bool]string{true: "d.e.f", false: "d.e.g"}`, []string{`a.go: there is no text "d.e.g"`}, 0},
		{"no ids", "a.go", `"zz.x"; "a"; ".a.b"; "/a.x"; "A.x"; "a. x"`, nil, 0},
		{"a number is needed", "a.go", `p.T("n.n")`, []string{`a.go: "n.n" has plural forms, but is asked for without a number`}, 1},
		{"no number is needed", "a.go", `p.N("a.b", 1)`, []string{`a.go: "a.b" has no plural forms`}, 1},
		{"tests are free", "a_test.go", `p.T("a.x")`, nil, 0},
		{"generated files are looked at as templ", "a_templ.go", `p.T("a.x")`, nil, 0},
		{"other files", "a.md", `p.T("a.x")`, nil, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, calls, err := sourceFaults(fstest.MapFS{test.file: {Data: []byte(test.source)}}, texts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if calls != test.calls {
				t.Errorf("%d texts are asked for, want %d", calls, test.calls)
			}
		})
	}
	if _, _, err := sourceFaults(os.DirFS("no-such-folder"), texts); err == nil {
		t.Error("a folder that is not there passed")
	}
}

func load(t *testing.T) *Catalogue {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEveryText prints every text of every language: it comes out filled in, and never as its id.
func TestEveryText(t *testing.T) {
	c := load(t)
	for _, lang := range Languages {
		p := c.Printer(lang)
		for id, x := range allTexts(t, lang) {
			want, args, pairs := x.other(), map[string]any{}, []any{}
			for _, name := range placeholders(want) {
				if key, ok := strings.CutPrefix(name, "{{."); ok {
					key = strings.TrimSuffix(key, "}}")
					value := "<" + key + ">"
					if key == "Count" && x.plural {
						value = "5"
					}
					args[key], pairs = value, append(pairs, key, value)
					want = strings.ReplaceAll(want, name, value)
				}
			}
			got := map[string]string{}
			if x.plural {
				got["N"] = p.N(id, 5, pairs...)
			} else {
				got["T"], got["M"] = p.T(id, pairs...), p.M(id, args)
			}
			for how, text := range got {
				if text != want {
					t.Errorf("%s: %s of %q is %q, want %q", lang, how, id, text, want)
				}
			}
			if !p.Has(id) {
				t.Errorf("%s: Has knows no %q", lang, id)
			}
		}
	}
}

func TestMatch(t *testing.T) {
	tests := []struct{ name, chosen, accept, want string }{
		{"nothing known", "", "", "en"},
		{"English", "", "en", "en"},
		{"British", "", "en-GB,en;q=0.9", "en"},
		{"Chinese", "", "zh", "zh-Hans"},
		{"mainland", "", "zh-CN", "zh-Hans"},
		{"mainland, as browsers say it", "", "zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"},
		{"Singapore", "", "zh-SG", "zh-Hans"},
		{"Taiwan", "", "zh-TW", "zh-Hans"},
		{"Hong Kong", "", "zh-HK", "zh-Hans"},
		{"simplified", "", "zh-Hans", "zh-Hans"},
		{"traditional", "", "zh-Hant", "zh-Hans"},
		{"written otherwise", "", "ZH-cn", "zh-Hans"},
		{"unknown", "", "fr", "en"},
		{"two unknown ones", "", "fr-FR,de;q=0.9", "en"},
		{"unknown, then Chinese", "", "fr,zh-CN;q=0.8", "zh-Hans"},
		{"Chinese first", "", "zh-CN,en;q=0.9", "zh-Hans"},
		{"English first", "", "en,zh-CN;q=0.9", "en"},
		{"order of weights", "", "en;q=0.1,zh;q=0.9", "zh-Hans"},
		{"anything", "", "*", "en"},
		{"nonsense", "", ";;;=,\x00", "en"},
		{"chosen English", "en", "zh-CN", "en"},
		{"chosen Chinese", "zh-Hans", "en", "zh-Hans"},
		{"chosen Chinese without wishes", "zh-Hans", "", "zh-Hans"},
		{"chosen unknown", "fr", "zh-CN", "zh-Hans"},
		{"chosen unknown without wishes", "fr", "", "en"},
		{"chosen in another spelling", "zh-CN", "en", "en"},
	}
	c := load(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := c.Match(test.chosen, test.accept); got != test.want {
				t.Errorf("Match(%q, %q) is %q, want %q", test.chosen, test.accept, got, test.want)
			}
		})
	}
}

func TestPrinter(t *testing.T) {
	c := load(t)
	for _, test := range []struct{ language, want string }{{"en", "en"}, {"zh-Hans", "zh-Hans"}, {"fr", "en"}, {"zh", "en"}, {"", "en"}} {
		if got := c.Printer(test.language).Language; got != test.want {
			t.Errorf("Printer(%q) speaks %q, want %q", test.language, got, test.want)
		}
	}
}

// TestTexts uses texts of its own beside the real ones, so that it does not depend on their words.
func TestTexts(t *testing.T) {
	c := load(t)
	add := func(lang string, messages ...*i18n.Message) {
		if err := c.bundle.AddMessages(language.MustParse(lang), messages...); err != nil {
			t.Fatal(err)
		}
		keepNames(c.Printer("en").names, &i18n.MessageFile{Messages: messages})
	}
	add("en", &i18n.Message{ID: "t.hello", Other: "Hello {{.Name}} from {{.App}}"}, &i18n.Message{ID: "t.english", Other: "English {{.Name}}"},
		&i18n.Message{ID: "t.days", One: "{{.Count}} day of {{.Name}}", Other: "{{.Count}} days of {{.Name}}"}, &i18n.Message{ID: "t.plain", Other: "Plain"})
	add("zh-Hans", &i18n.Message{ID: "t.hello", Other: "{{.App}} 的 {{.Name}}，您好"}, &i18n.Message{ID: "t.days", Other: "{{.Name}} 的 {{.Count}} 天"},
		&i18n.Message{ID: "t.plain", Other: "普通"})
	en, zh := c.Printer("en"), c.Printer("zh-Hans")
	tests := []struct{ name, want, got string }{
		{"plain", "Sign in", en.T("sign_in.title")},
		{"plain Chinese", "登录", zh.T("sign_in.title")},
		{"plain M", "Sign in", en.M("sign_in.title", nil)},
		{"plain M Chinese", "登录", zh.M("sign_in.title", map[string]any{"Name": "x"})},
		{"plain, not collected", "Plain", en.T("t.plain")},
		{"plain Chinese, not collected", "普通", zh.T("t.plain")},
		{"plain with values", "Sign in", en.T("sign_in.title", "Name", "x")},
		{"values", "Hello Li from Live", en.T("t.hello", "Name", "Li", "App", "Live")},
		{"values in Chinese order", "Live 的 Li，您好", zh.T("t.hello", "Name", "Li", "App", "Live")},
		{"a map", "Hello 7 from Live", en.M("t.hello", map[string]any{"Name": 7, "App": "Live"})},
		{"a map in Chinese", "Live 的 7，您好", zh.M("t.hello", map[string]any{"Name": 7, "App": "Live"})},
		{"values are not read as templates", "Hello {{.App}} from <b>", en.T("t.hello", "Name", "{{.App}}", "App", "<b>")},
		{"a name without its value", "Hello Li from ", en.T("t.hello", "Name", "Li", "App")},
		{"English when there is no Chinese", "English Li", zh.T("t.english", "Name", "Li")},
		{"English by a map when there is no Chinese", "English Li", zh.M("t.english", map[string]any{"Name": "Li"})},
		{"missing", "t.missing", en.T("t.missing")},
		{"missing Chinese", "t.missing", zh.T("t.missing", "Name", "Li")},
		{"missing by a map", "t.missing", en.M("t.missing", nil)},
		{"missing by a map, Chinese", "t.missing", zh.M("t.missing", nil)},
		{"missing with a number", "t.missing", en.N("t.missing", 1)},
		{"missing with a number, Chinese", "t.missing", zh.N("t.missing", 2)},
		{"empty id", "", en.T("")},
		{"none", "0 days of Li", en.N("t.days", 0, "Name", "Li")},
		{"one", "1 day of Li", en.N("t.days", 1, "Name", "Li")},
		{"two", "2 days of Li", en.N("t.days", 2, "Name", "Li")},
		{"twenty-one", "21 days of Li", en.N("t.days", 21, "Name", "Li")},
		{"many", "12,345 days of Li", en.N("t.days", 12345, "Name", "Li")},
		{"one, Chinese", "Li 的 1 天", zh.N("t.days", 1, "Name", "Li")},
		{"many, Chinese", "Li 的 12,345 天", zh.N("t.days", 12345, "Name", "Li")},
		{"the number is the number", "3 days of Li", en.N("t.days", 3, "Count", "9", "Name", "Li")},
		{"one second", "1 second ago", en.N("ago.seconds", 1)},
		{"seconds", "2 seconds ago", en.N("ago.seconds", 2)},
		{"yesterday", "yesterday", en.N("ago.days", 1)},
		{"days", "2 days ago", en.N("ago.days", 2)},
		{"one day, Chinese", "1 天前", zh.N("ago.days", 1)},
		{"days, Chinese", "2 天前", zh.N("ago.days", 2)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.got != test.want {
				t.Errorf("got %q, want %q", test.got, test.want)
			}
		})
	}
}

func TestHas(t *testing.T) {
	c := load(t)
	tests := []struct {
		id   string
		want bool
	}{
		{"sign_in.title", true}, {"apps.read", true}, {"ago.days", true}, {"fault.cut", true},
		{"fault.", false}, {"fault", false}, {"t.missing", false}, {"", false},
	}
	for _, lang := range Languages {
		for _, test := range tests {
			if got := c.Printer(lang).Has(test.id); got != test.want {
				t.Errorf("%s: Has(%q) is %v", lang, test.id, got)
			}
		}
	}
}

func TestNumber(t *testing.T) {
	c := load(t)
	tests := []struct {
		n    int
		want string
	}{
		{0, "0"}, {7, "7"}, {999, "999"}, {1000, "1,000"}, {12345, "12,345"}, {1234567, "1,234,567"}, {-1, "-1"}, {-999, "-999"}, {-1000, "-1,000"},
	}
	for _, lang := range Languages {
		for _, test := range tests {
			if got := c.Printer(lang).Number(test.n); got != test.want {
				t.Errorf("%s: %d is written %q, want %q", lang, test.n, got, test.want)
			}
		}
	}
}

func TestTimes(t *testing.T) {
	c := load(t)
	en, zh := c.Printer("en"), c.Printer("zh-Hans")
	shanghai := time.FixedZone("CST", 8*3600)
	at := time.Date(2026, 11, 23, 16, 5, 9, 999e6, time.UTC)
	tests := []struct{ name, want, got string }{
		{"day", "Monday 23 November 2026", en.Day(at)},
		{"day, Chinese", "2026年11月23日 星期一", zh.Day(at)},
		{"date", "23 Nov 2026", en.Date(at)},
		{"date, Chinese", "2026年11月23日", zh.Date(at)},
		{"clock", "16:05:09", en.Clock(at)},
		{"clock, Chinese", "16:05:09", zh.Clock(at)},
		{"stamp", "23 Nov 2026 16:05:09", en.Stamp(at)},
		{"stamp, Chinese", "2026年11月23日 16:05:09", zh.Stamp(at)},
		{"in the zone of the time", "Tuesday 24 November 2026", en.Day(at.In(shanghai))},
		{"in the zone of the time, Chinese", "2026年11月24日 星期二", zh.Day(at.In(shanghai))},
		{"stamp in the zone of the time", "24 Nov 2026 00:05:09", en.Stamp(at.In(shanghai))},
		{"small numbers", "1 Feb 2027 03:04:05", en.Stamp(time.Date(2027, 2, 1, 3, 4, 5, 0, time.UTC))},
		{"small numbers, Chinese", "2027年2月1日 03:04:05", zh.Stamp(time.Date(2027, 2, 1, 3, 4, 5, 0, time.UTC))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.got != test.want {
				t.Errorf("got %q, want %q", test.got, test.want)
			}
		})
	}
	week := strings.Fields("星期日 星期一 星期二 星期三 星期四 星期五 星期六")
	for i, want := range week {
		if got := zh.Day(time.Date(2026, 11, 22+i, 0, 0, 0, 0, time.UTC)); !strings.HasSuffix(got, " "+want) {
			t.Errorf("%q does not end in %s", got, want)
		}
	}
}

// TestConcurrentUse shows, under the race detector, that pages may share a printer.
func TestConcurrentUse(t *testing.T) {
	c := load(t)
	now := time.Now()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				for _, accept := range []string{"en", "zh-CN"} {
					p := c.Printer(c.Match("", accept))
					if p.T("apps.read", "Ago", p.N("ago.days", 2)) == "" || p.M("fault.cut", nil) == "" || p.Number(12345) == "" || p.Day(now) == "" || !p.Has("apps.read") {
						t.Error("a text is empty")
					}
				}
			}
		})
	}
	wg.Wait()
}
