package main

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// modulePath is what go.mod calls this program.
const modulePath = "callboard"

// importLayout says for each package of ours which others of ours its production code may import.
// Imports point down only. A package that is not listed is not part of the layout.
var importLayout = map[string][]string{
	"main":     {"handlers", "views", "static", "changes", "tencent", "store", "auth", "sandbox", "i18n"},
	"handlers": {"views", "changes", "store", "auth", "i18n", "static", "tencent"},
	"changes":  {"tencent", "store"},
	"views":    {"i18n"},
	"static":   {},
	"tencent":  {},
	"store":    {},
	"auth":     {},
	"sandbox":  {},
	"i18n":     {},
}

// outsideRules says which packages of ours may use a package that is not ours, where only some may.
// An entry covers the packages below it too.
var outsideRules = []struct {
	path string
	may  []string
	why  string
}{
	{"flag", []string{"main"}, "only main reads flags"},
	{"github.com/alecthomas/kong", []string{"main"}, "only main reads flags"},
	{"github.com/labstack/echo", []string{"main", "handlers"}, "only handlers and main know Echo"},
	{"github.com/a-h/templ", []string{"handlers", "views"}, "only views and handlers know templ"},
	{"net/http", []string{"main", "handlers", "static", "tencent", "auth", "i18n", "sandbox"}, "views, changes and store know nothing of HTTP"},
	{"database/sql", []string{"store"}, "SQL lives in store"},
	{"github.com/jackc/pgx", []string{"store"}, "SQL lives in store"},
	{"modernc.org/sqlite", []string{"store"}, "SQL lives in store"},
	{"github.com/pressly/goose", []string{"store"}, "SQL lives in store"},
	{"github.com/tencentyun", []string{"tencent", "sandbox"}, "only tencent signs and only sandbox checks signatures"},
	{"testing", nil, "tests are kept out of the program"},
	{"github.com/chromedp", nil, "tests are kept out of the program"},
	{"github.com/PuerkitoBio/goquery", nil, "tests are kept out of the program"},
	{"github.com/google/go-cmp", nil, "tests are kept out of the program"},
	{"go.uber.org/goleak", nil, "tests are kept out of the program"},
	{"pgregory.net/rapid", nil, "tests are kept out of the program"},
}

// nameRules says which packages of ours may use a name of the standard library, where only some may.
var nameRules = []struct {
	path  string
	names []string
	may   []string
	why   string
}{
	{"os", []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Args"}, []string{"main"}, "only main reads flags and environment"},
	{"syscall", []string{"Getenv", "Environ"}, []string{"main"}, "only main reads flags and environment"},
	{"os", []string{"Exit"}, []string{"main"}, "only main ends the program"},
	{"log", []string{"Fatal", "Fatalf", "Fatalln"}, []string{"main"}, "only main ends the program"},
	{
		"net/http",
		[]string{"Get", "Head", "Post", "PostForm", "Client", "DefaultClient", "Transport", "DefaultTransport"},
		[]string{"main", "tencent", "sandbox"},
		"only tencent, sandbox and main make calls to the outside",
	},
	{
		"net",
		[]string{"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer"},
		[]string{"main", "tencent", "sandbox"},
		"only tencent, sandbox and main make calls to the outside",
	},
	{
		"crypto/tls",
		[]string{"Dial", "DialWithDialer", "Dialer"},
		[]string{"main", "tencent", "sandbox"},
		"only tencent, sandbox and main make calls to the outside",
	},
}

// knownBuildTags are the tags that a build constraint may name. Any other could hide a file from building, tests and checks.
var knownBuildTags = []string{"unix", "linux", "darwin", "freebsd", "windows", "race", "faults"}

// TestImportRules reads every Go file of the tree and holds it against the rules above.
func TestImportRules(t *testing.T) {
	files, err := goFiles(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(files, "imports_test.go") {
		t.Fatalf("this very file is not among the %d files found", len(files))
	}
	for _, file := range files {
		source, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		found, err := breaches(file, source)
		if err != nil {
			t.Errorf("%s cannot be read as Go: %v", file, err)
		}
		for _, breach := range found {
			t.Errorf("%s: %s", file, breach)
		}
	}
}

// goFiles lists the Go files of this module as paths from its root, whatever build constraints they have.
// Modules of their own inside the tree, hidden folders and testdata are left out.
func goFiles(tree fs.FS) ([]string, error) {
	var files []string
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return enterFolder(tree, name)
		}
		if path.Ext(name) == ".go" {
			files = append(files, name)
		}
		return nil
	})
	return files, err
}

// enterFolder answers fs.SkipDir for a folder whose files are not part of this module.
func enterFolder(tree fs.FS, folder string) error {
	base := path.Base(folder)
	switch {
	case folder == ".":
		return nil
	case strings.HasPrefix(base, "."), strings.HasPrefix(base, "_"), base == "testdata", base == "vendor", base == "bin":
		return fs.SkipDir
	}
	if _, err := fs.Stat(tree, path.Join(folder, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// breaches returns a sentence for each rule that the file breaks, in the order of the file.
func breaches(file string, source []byte) ([]string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	found := constraintBreaches(parsed)
	pkg := packageOf(file)
	if isTestFile(file) {
		return found, nil
	}
	if _, ok := importLayout[pkg]; !ok {
		return append(found, fmt.Sprintf("package %s is not part of the layout", pkg)), nil
	}
	found = append(found, importBreaches(pkg, parsed)...)
	return append(found, nameBreaches(pkg, parsed)...), nil
}

// packageOf names the package of ours that a file belongs to: its first folder, or main at the root.
func packageOf(file string) string {
	first, _, inFolder := strings.Cut(file, "/")
	if !inFolder {
		return "main"
	}
	return first
}

// isTestFile tells whether a file never becomes part of the program: tests, their helpers and what only developers run.
// The rules on imports and names do not hold for these.
func isTestFile(file string) bool {
	return strings.HasSuffix(file, "_test.go") || outsideProgram(path.Dir(file))
}

// outsideProgram tells whether a folder holds only what tests and developers use.
func outsideProgram(folder string) bool {
	first, _, _ := strings.Cut(folder, "/")
	return first == "e2e" || first == "dev" || folder == "store/storetest"
}

// constraintBreaches reports build constraints with a tag that is not in knownBuildTags.
func constraintBreaches(file *ast.File) []string {
	var found []string
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if !constraint.IsGoBuild(comment.Text) && !constraint.IsPlusBuild(comment.Text) {
				continue
			}
			found = append(found, tagBreaches(comment.Text)...)
		}
	}
	return found
}

// tagBreaches reports the tags of one constraint line that are not in knownBuildTags.
func tagBreaches(line string) []string {
	expression, err := constraint.Parse(line)
	if err != nil {
		return []string{fmt.Sprintf("%s cannot be read: %v", line, err)}
	}
	var found []string
	expression.Eval(func(tag string) bool {
		if !slices.Contains(knownBuildTags, tag) {
			found = append(found, fmt.Sprintf("%s hides the file from building, tests and checks", line))
		}
		return false
	})
	return found
}

// importBreaches holds the imports of a file of pkg against importLayout and outsideRules.
func importBreaches(pkg string, file *ast.File) []string {
	var found []string
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return append(found, fmt.Sprintf("import %s cannot be read", spec.Path.Value))
		}
		if spec.Name != nil && spec.Name.Name == "." {
			found = append(found, fmt.Sprintf("dot import of %s: names must show where they come from", imported))
		}
		if importWithin(modulePath, imported) {
			found = append(found, ownBreaches(pkg, strings.TrimPrefix(imported, modulePath+"/"))...)
			continue
		}
		found = append(found, outsideBreaches(pkg, imported)...)
	}
	return found
}

// ownBreaches holds one import of a package of ours, a path from the root, against importLayout.
func ownBreaches(pkg, imported string) []string {
	if outsideProgram(imported) {
		return []string{fmt.Sprintf("%s imports %s, which only tests and developers use", pkg, imported)}
	}
	target := packageOf(imported + "/")
	if target == pkg || slices.Contains(importLayout[pkg], target) {
		return nil
	}
	return []string{fmt.Sprintf("%s may not import %s: imports point down only", pkg, target)}
}

// outsideBreaches holds one import of a package that is not ours against outsideRules.
func outsideBreaches(pkg, imported string) []string {
	var found []string
	for _, rule := range outsideRules {
		if importWithin(rule.path, imported) && !slices.Contains(rule.may, pkg) {
			found = append(found, fmt.Sprintf("%s may not import %s: %s", pkg, imported, rule.why))
		}
	}
	return found
}

// importWithin tells whether an import path is parent itself or lies below it. Major versions lie below.
func importWithin(parent, imported string) bool {
	return imported == parent || strings.HasPrefix(imported, parent+"/")
}

// nameBreaches holds every use of an imported name in a file of pkg against nameRules.
func nameBreaches(pkg string, file *ast.File) []string {
	imports := importNames(file)
	var found []string
	ast.Inspect(file, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		qualifier, ok := selector.X.(*ast.Ident)
		// The parser resolves names declared in the file, so a variable that is called like an import is told apart.
		if !ok || qualifier.Obj != nil {
			return true
		}
		found = append(found, useBreaches(pkg, imports[qualifier.Name], selector.Sel.Name)...)
		return true
	})
	return found
}

// importNames maps the name by which a file calls each import to the import's path.
func importNames(file *ast.File) map[string]string {
	imports := map[string]string{}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imports[name] = imported
	}
	return imports
}

// useBreaches holds the use of one name of an imported package in pkg against nameRules.
func useBreaches(pkg, imported, name string) []string {
	var found []string
	for _, rule := range nameRules {
		if rule.path == imported && slices.Contains(rule.names, name) && !slices.Contains(rule.may, pkg) {
			found = append(found, fmt.Sprintf("%s may not use %s.%s: %s", pkg, path.Base(imported), name, rule.why))
		}
	}
	return found
}

// TestImportRulesCatch shows on made-up sources that each rule is there, and that what is allowed passes.
func TestImportRulesCatch(t *testing.T) {
	const calls = ": only tencent, sandbox and main make calls to the outside"
	const options = ": only main reads flags and environment"
	const down = ": imports point down only"
	tests := []struct {
		name   string
		file   string
		source string
		want   []string
	}{
		{
			"main may import everything of the program", "main.go",
			`import ("callboard/handlers"; "callboard/views"; "callboard/static"; "callboard/changes"; "callboard/tencent"
			"callboard/store"; "callboard/auth"; "callboard/sandbox"; "callboard/i18n"; "github.com/alecthomas/kong")`,
			nil,
		},
		{
			"main leaves helpers of tests alone", "config.go",
			`import ("callboard/store/storetest"; "callboard/e2e"; "callboard/dev/bench")`,
			[]string{
				"main imports store/storetest, which only tests and developers use",
				"main imports e2e, which only tests and developers use",
				"main imports dev/bench, which only tests and developers use",
			},
		},
		{
			"handlers: all they may", "handlers/apps.go",
			`import ("callboard/views"; "callboard/changes"; "callboard/store"; "callboard/auth"; "callboard/i18n"
			"callboard/static"; "callboard/tencent"; "github.com/labstack/echo/v4"; "github.com/a-h/templ"; "net/http")`,
			nil,
		},
		{
			"handlers never meet the sandbox or main", "handlers/apps.go",
			`import ("callboard/sandbox"; "callboard")`,
			[]string{"handlers may not import sandbox" + down, "handlers may not import callboard" + down},
		},
		{
			"changes: all they may", "changes/apply.go",
			`import ("callboard/tencent"; "callboard/store"; "golang.org/x/time/rate")`,
			nil,
		},
		{
			"changes know nothing above them", "changes/apply.go",
			`import ("callboard/handlers"; "callboard/views"; "callboard/i18n"; "callboard/auth"; "callboard/sandbox"; "callboard/static")`,
			[]string{
				"changes may not import handlers" + down, "changes may not import views" + down,
				"changes may not import i18n" + down, "changes may not import auth" + down,
				"changes may not import sandbox" + down, "changes may not import static" + down,
			},
		},
		{"views may import i18n", "views/page.go", `import "callboard/i18n"`, nil},
		{
			"views know neither records nor Echo nor HTTP", "views/page.go",
			`import ("callboard/store"; "callboard/tencent"; "github.com/labstack/echo/v4"; "net/http")`,
			[]string{
				"views may not import store" + down, "views may not import tencent" + down,
				"views may not import github.com/labstack/echo/v4: only handlers and main know Echo",
				"views may not import net/http: views, changes and store know nothing of HTTP",
			},
		},
		{
			"a generated file is held to the same", "views/page_templ.go", `import "callboard/changes"`,
			[]string{"views may not import changes" + down},
		},
		{"tencent never meets the sandbox", "tencent/client.go", `import "callboard/sandbox"`, []string{"tencent may not import sandbox" + down}},
		{"the sandbox never meets tencent", "sandbox/server.go", `import "callboard/tencent"`, []string{"sandbox may not import tencent" + down}},
		{"store stands alone", "store/apps.go", `import "callboard/tencent"`, []string{"store may not import tencent" + down}},
		{"store may split itself", "store/apps.go", `import "callboard/store/migrations"`, nil},
		{"store's own parts are store", "store/migrations/files.go", `import "callboard/auth"`, []string{"store may not import auth" + down}},
		{"auth stands alone", "auth/password.go", `import "callboard/store"`, []string{"auth may not import store" + down}},
		{"static stands alone", "static/static.go", `import "callboard/i18n"`, []string{"static may not import i18n" + down}},
		{"i18n stands alone", "i18n/i18n.go", `import "callboard/static"`, []string{"i18n may not import static" + down}},
		{"a package nobody planned", "models/app.go", "", []string{"package models is not part of the layout"}},
		{
			"SQL outside store", "changes/apply.go",
			`import ("database/sql"; "github.com/jackc/pgx/v5/stdlib"; _ "modernc.org/sqlite"; "github.com/pressly/goose/v3/lock")`,
			[]string{
				"changes may not import database/sql: SQL lives in store",
				"changes may not import github.com/jackc/pgx/v5/stdlib: SQL lives in store",
				"changes may not import modernc.org/sqlite: SQL lives in store",
				"changes may not import github.com/pressly/goose/v3/lock: SQL lives in store",
			},
		},
		{"SQL in store", "store/sqlite.go", `import ("database/sql"; _ "modernc.org/sqlite")`, nil},
		{
			"signing elsewhere", "handlers/apps.go", `import "github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"`,
			[]string{
				"handlers may not import github.com/tencentyun/tls-sig-api-v2-golang/tencentyun: " +
					"only tencent signs and only sandbox checks signatures",
			},
		},
		{
			"templ below views", "changes/apply.go", `import "github.com/a-h/templ"`,
			[]string{"changes may not import github.com/a-h/templ: only views and handlers know templ"},
		},
		{
			"flags outside main", "sandbox/server.go", `import ("flag"; "github.com/alecthomas/kong")`,
			[]string{
				"sandbox may not import flag: only main reads flags",
				"sandbox may not import github.com/alecthomas/kong: only main reads flags",
			},
		},
		{
			"test libraries in the program", "main.go",
			`import ("testing"; "github.com/chromedp/chromedp"; "github.com/google/go-cmp/cmp"
			"github.com/PuerkitoBio/goquery"; "go.uber.org/goleak"; "pgregory.net/rapid")`,
			[]string{
				"main may not import testing: tests are kept out of the program",
				"main may not import github.com/chromedp/chromedp: tests are kept out of the program",
				"main may not import github.com/google/go-cmp/cmp: tests are kept out of the program",
				"main may not import github.com/PuerkitoBio/goquery: tests are kept out of the program",
				"main may not import go.uber.org/goleak: tests are kept out of the program",
				"main may not import pgregory.net/rapid: tests are kept out of the program",
			},
		},
		{
			"environment outside main", "store/store.go",
			`import ("os"; "syscall")
			func f() { os.Getenv("A"); os.LookupEnv("A"); os.Environ(); os.ExpandEnv("$A"); syscall.Getenv("A"); syscall.Environ() }
			var args = os.Args`,
			[]string{
				"store may not use os.Getenv" + options, "store may not use os.LookupEnv" + options,
				"store may not use os.Environ" + options, "store may not use os.ExpandEnv" + options,
				"store may not use syscall.Getenv" + options, "store may not use syscall.Environ" + options,
				"store may not use os.Args" + options,
			},
		},
		{
			"environment under another name", "auth/password.go", `import system "os"
			var read = system.Getenv`,
			[]string{"auth may not use os.Getenv" + options},
		},
		{
			"names without their package", "auth/password.go", `import . "os"`,
			[]string{"dot import of os: names must show where they come from"},
		},
		{
			"a variable called like the package", "auth/password.go", `import "os"
			func f(os struct{ Getenv func() }) { os.Getenv() }`,
			nil,
		},
		{"files are free", "store/keys.go", `import "os"
			func f() { os.ReadFile("a") }`, nil},
		{"environment in main", "config.go", `import "os"
			var args, home = os.Args, os.Getenv("HOME")`, nil},
		{
			"the end of the program", "handlers/server.go", `import ("os"; "log")
			func f() { os.Exit(1); log.Fatal("a"); log.Fatalf("a"); log.Fatalln("a") }`,
			[]string{
				"handlers may not use os.Exit: only main ends the program",
				"handlers may not use log.Fatal: only main ends the program",
				"handlers may not use log.Fatalf: only main ends the program",
				"handlers may not use log.Fatalln: only main ends the program",
			},
		},
		{
			"HTTP calls from handlers", "handlers/apps.go", `import "net/http"
			func f() { http.Get("a"); http.Head("a"); http.Post("a", "b", nil); http.PostForm("a", nil); http.DefaultClient.Do(nil) }
			var client, transport = http.Client{}, http.Transport{}
			var usual = http.DefaultTransport`,
			[]string{
				"handlers may not use http.Get" + calls, "handlers may not use http.Head" + calls,
				"handlers may not use http.Post" + calls, "handlers may not use http.PostForm" + calls,
				"handlers may not use http.DefaultClient" + calls, "handlers may not use http.Client" + calls,
				"handlers may not use http.Transport" + calls, "handlers may not use http.DefaultTransport" + calls,
			},
		},
		{
			"connections from changes", "changes/apply.go", `import ("net"; "crypto/tls")
			func f() {
				net.Dial("tcp", "a"); net.DialTimeout("tcp", "a", 1); net.DialTCP("tcp", nil, nil)
				net.DialUDP("udp", nil, nil); net.DialIP("ip", nil, nil); net.DialUnix("unix", nil, nil)
				tls.Dial("tcp", "a", nil); tls.DialWithDialer(nil, "tcp", "a", nil)
			}
			var plain, private = net.Dialer{}, tls.Dialer{}`,
			[]string{
				"changes may not use net.Dial" + calls, "changes may not use net.DialTimeout" + calls,
				"changes may not use net.DialTCP" + calls, "changes may not use net.DialUDP" + calls,
				"changes may not use net.DialIP" + calls, "changes may not use net.DialUnix" + calls,
				"changes may not use tls.Dial" + calls, "changes may not use tls.DialWithDialer" + calls,
				"changes may not use net.Dialer" + calls, "changes may not use tls.Dialer" + calls,
			},
		},
		{
			"calls to the outside where they belong", "tencent/client.go", `import "net/http"
			var client = http.Client{Transport: &http.Transport{}}`,
			nil,
		},
		{"addresses may be handled anywhere", "changes/url.go", `import "net"
			func f() { net.SplitHostPort("a:1"); net.ParseIP("::1") }`, nil},
		{
			"tests may import across and call out", "handlers/apps_test.go",
			`import ("callboard/sandbox"; "callboard/store/storetest"; "net/http"; "os"; "testing")
			func f() { http.Get(os.Getenv("A")) }`,
			nil,
		},
		{"helpers of the store's tests", "store/storetest/both.go", `import ("os"; "testing"; "callboard/store")
			var dsn = os.Getenv("A")`, nil},
		{"browser tests", "e2e/browser.go", `import ("os"; "github.com/chromedp/chromedp"; "callboard/handlers")
			var path = os.Getenv("A")`, nil},
		{"what developers run", "dev/bench/main.go", `import ("flag"; "os"; "callboard/store"; "database/sql")
			var args = os.Args`, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := breaches(test.file, []byte("package p\n"+test.source))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("breaches of %s (-want +got):\n%s", test.file, diff)
			}
		})
	}
}

// TestBuildConstraintsCatch shows which build constraints pass. They are looked at in tests too, as they can hide a test.
func TestBuildConstraintsCatch(t *testing.T) {
	const hides = " hides the file from building, tests and checks"
	tests := []struct {
		name string
		line string
		want []string
	}{
		{"none", "", nil},
		{"one system", "//go:build linux", nil},
		{"some systems", "//go:build unix && !darwin || windows", nil},
		{"with the race detector", "//go:build !race", nil},
		{"ignore", "//go:build ignore", []string{"//go:build ignore" + hides}},
		{"never true", "//go:build linux && never", []string{"//go:build linux && never" + hides}},
		{"not ignore", "//go:build !ignore", []string{"//go:build !ignore" + hides}},
		{"a tag that hides a suite", "//go:build e2e", []string{"//go:build e2e" + hides}},
		{"the old form", "// +build ignore", []string{"// +build ignore" + hides}},
		{"words about it", "// The line go:build ignore would hide this file.", nil},
	}
	for _, file := range []string{"store/store.go", "store/store_test.go", "e2e/browser_test.go"} {
		for _, test := range tests {
			t.Run(file+" "+test.name, func(t *testing.T) {
				got, err := breaches(file, []byte(test.line+"\n\npackage p\n"))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("breaches (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestGoFiles shows which files the rules are held against: all of this module, and none of another.
func TestGoFiles(t *testing.T) {
	tree := fstest.MapFS{
		"main.go":                    {},
		"README.md":                  {},
		"store/store.go":             {},
		"store/migrations/files.go":  {},
		"store/store_windows.go":     {},
		"store/testdata/example.go":  {},
		"views/page_templ.go":        {},
		"views/page.templ":           {},
		"e2e/vendor/axe/axe.go":      {},
		"dev/bench/main.go":          {},
		"dev/tools/go.mod":           {},
		"dev/tools/tools.go":         {},
		".cache/module/module.go":    {},
		"_old/old.go":                {},
		"bin/generated/generated.go": {},
	}
	want := []string{
		"dev/bench/main.go", "main.go", "store/migrations/files.go", "store/store.go", "store/store_windows.go", "views/page_templ.go",
	}
	got, err := goFiles(tree)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestBreachesNeedGo shows that a file that is not Go is an error and no silent pass.
func TestBreachesNeedGo(t *testing.T) {
	if _, err := breaches("store/store.go", []byte("not Go")); err == nil {
		t.Error("a file that is not Go passed")
	}
}
