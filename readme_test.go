package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOptionTable holds the table in the README against the options that the program has.
func TestOptionTable(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Options\n")
	if !found {
		t.Fatal("the README has no section Options")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var got []string
	for line := range strings.SplitSeq(section, "\n") {
		if strings.HasPrefix(line, "|") {
			got = append(got, line)
		}
	}
	want := []string{"| command | flag | variable | default | meaning |", "|---|---|---|---|---|"}
	for _, o := range allOptions(t) {
		want = append(want, optionLine(o))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the table is not that of config.go (-want +got):\n%s\nwanted:\n%s", diff, strings.Join(want, "\n"))
	}
}

func optionLine(o option) string {
	command, variable, value := "every", "", ""
	if o.command != "" {
		command = "`" + o.command + "`"
	}
	if len(o.Envs) > 0 {
		variable = "`" + strings.Join(o.Envs, "`, `") + "`"
	}
	if o.HasDefault {
		value = "`" + o.Default + "`"
	}
	return fmt.Sprintf("| %s | `--%s` | %s | %s | %s |", command, o.Name, variable, value, strings.ReplaceAll(o.Help, "|", `\|`))
}

// TestLinks follows every relative link of the documents.
func TestLinks(t *testing.T) {
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	followed := 0
	for _, file := range append(files, "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			followed++
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", file, m[1])
			}
		}
	}
	if followed < 8 {
		t.Errorf("only %d links were found", followed)
	}
}

// TestSandboxExamples carries out every curl line of docs/sandbox.md, from top to bottom.
func TestSandboxExamples(t *testing.T) {
	text, err := os.ReadFile("docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "sandbox", "--listen=127.0.0.1:0", "--control=127.0.0.1:0", "--app=1400000001:0123456789abcdef:administrator")
	controls := strings.TrimSpace(p.line("Controls: "))
	example := regexp.MustCompile(`(?m)^curl (?:-X (\w+) )?\$C(\S*)(?: -d '(.*)')?$`)
	lines := example.FindAllStringSubmatch(string(text), -1)
	if want := strings.Count(string(text), "\ncurl "); len(lines) != want || want < 15 {
		t.Errorf("%d of %d examples were understood", len(lines), want)
	}
	nothing := map[string]bool{"/apps/1400000001/callback": true} // a new app has none
	for _, m := range lines {
		method, path, body := m[1], strings.ReplaceAll(m[2], "$APP", "1400000001"), m[3]
		if method == "" && body != "" {
			method = http.MethodPost
		}
		status, answer := ask(t, method, controls+path, body)
		if status >= 300 && (status != http.StatusNotFound || !nothing[path]) {
			t.Errorf("%s: %d %s", m[0], status, answer)
		}
		delete(nothing, path)
	}
	mustStop(t, p)
}
