package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asvsIDs are the requirements of level 2 that apply, in the order of the standard.
const asvsIDs = `
1.1.1 1.1.2 1.2.1 1.2.2 1.2.3 1.2.4 1.2.5 1.2.9 1.3.3 1.3.6 1.3.7 1.3.10 1.4.2 1.5.2 2.2.1 2.2.2 2.2.3 2.3.1 2.3.2 2.3.3 2.3.4
2.4.1 3.2.1 3.2.2 3.3.1 3.3.2 3.3.3 3.3.4 3.4.1 3.4.2 3.4.3 3.4.4 3.4.5 3.4.6 3.5.1 3.5.3 3.7.2 4.1.1 4.1.2 4.1.3 4.2.1 5.1.1
5.2.1 5.2.2 5.2.3 5.3.2 5.4.1 5.4.2 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.2.9 6.2.10 6.2.11 6.2.12 6.3.1 6.3.2 6.3.3
6.3.4 6.4.1 6.4.3 6.5.1 6.5.3 6.5.5 6.8.1 6.8.2 6.8.4 7.2.1 7.2.2 7.2.3 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 7.4.3 7.4.4 7.4.5 7.5.1
7.5.2 7.6.1 7.6.2 8.2.1 8.2.2 8.2.3 8.3.1 8.4.1 11.2.1 11.2.2 11.2.3 11.3.1 11.3.2 11.3.3 11.4.1 11.4.2 11.5.1 11.6.1 12.1.1
12.1.2 12.2.1 12.3.1 12.3.2 12.3.3 12.3.4 13.2.1 13.2.2 13.2.3 13.2.4 13.2.5 13.3.1 13.3.2 13.4.1 13.4.2 13.4.3 13.4.4 13.4.5
14.2.1 14.2.2 14.2.4 14.3.1 14.3.2 14.3.3 15.2.1 15.2.2 15.2.3 15.3.1 15.3.2 15.3.3 15.3.4 15.3.5 15.3.7 16.2.1 16.2.2 16.2.3
16.2.4 16.2.5 16.3.1 16.3.2 16.3.3 16.3.4 16.4.1 16.4.2 16.4.3 16.5.1 16.5.2 16.5.3
`

// testNames are the tests of the whole tree.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				names[f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var asvsRow = regexp.MustCompile(`(?m)^\| (\d+\.\d+\.\d+) \| ([^|]+) \| ([^|]+) \|$`)

// TestASVSTable fails when a requirement is left out, or shown by a test that does not exist.
func TestASVSTable(t *testing.T) {
	text, err := os.ReadFile("docs/asvs.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, proof := testNames(t), regexp.MustCompile("^`(Test\\w+)`$")
	var ids []string
	for _, m := range asvsRow.FindAllStringSubmatch(string(text), -1) {
		id, shown := m[1], m[3]
		ids = append(ids, id)
		if shown == "*not yet*" || strings.HasPrefix(shown, "*not yet*: ") {
			continue
		}
		for name := range strings.SplitSeq(shown, ", ") {
			found := proof.FindStringSubmatch(name)
			if found == nil || !tests[found[1]] {
				t.Errorf("%s: %s is no test; name one, or write *not yet*", id, name)
			}
		}
	}
	if diff := cmp.Diff(strings.Fields(asvsIDs), ids); diff != "" {
		t.Errorf("the requirements of the table (-want +got):\n%s", diff)
	}
	if lines := strings.Count(string(text), "\n| ") - 1; lines != len(ids) {
		t.Errorf("%d of %d lines of the table were understood", len(ids), lines)
	}
}

// TestNamedTestsExist follows the names of tests in the other documents.
func TestNamedTestsExist(t *testing.T) {
	tests, named := testNames(t), regexp.MustCompile("`(Test[A-Z]\\w+)`")
	found := 0
	for _, path := range []string{"SECURITY.md", "docs/threats.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			found++
			if !tests[m[1]] {
				t.Errorf("%s names %s, which does not exist", path, m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d names were found", found)
	}
}
