package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/chromedp/chromedp"
)

// violation is one broken rule, in the words of axe-core.
type violation struct {
	ID      string `json:"id"`
	Impact  string `json:"impact"`
	Help    string `json:"help"`
	HelpURL string `json:"helpUrl"`
	Nodes   []struct {
		Target  string `json:"target"`
		HTML    string `json:"html"`
		Summary string `json:"summary"`
	} `json:"nodes"`
}

// axeRun runs the rules of WCAG A to 2.2 AA and axe's own advice. Only what the report shows is sent back.
const axeRun = `axe.run(document, {
	runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice']},
	resultTypes: ['violations'],
}).then(result => result.violations.map(v => ({
	id: v.id, impact: v.impact, help: v.help, helpUrl: v.helpUrl,
	nodes: v.nodes.map(n => ({target: n.target.flat(9).join(' '), html: n.html.slice(0, 200), summary: n.failureSummary})),
})))`

// Axe fails the test with a readable list when axe-core finds anything on the page as it stands: a broken rule of WCAG A
// to 2.2 AA or of axe's best practice. t may be a subtest's. The page's policy does not hinder it; with its scripts off
// it works too.
func (p *Page) Axe(t T) {
	t.Helper()
	if found := p.axe(); len(found) > 0 {
		t.Errorf("axe found %d broken rules on %s:%s", len(found), p.where(), list(found))
	}
}

func (p *Page) axe() []violation {
	p.t.Helper()
	script, err := axeScript()
	if err != nil {
		p.t.Fatalf("reading axe-core: %v", err)
	}
	// axe waits for timers, which do not run while scripts are off. Those of the page were passed over when it loaded and
	// are not made up for.
	if p.noScript {
		p.do("letting axe-core run", scripts(true))
		defer p.do("switching scripts off", scripts(false))
	}
	// It is large, so a document that has it keeps it.
	if !Eval[bool](p, "typeof axe === 'object'") {
		p.do("loading axe-core", chromedp.Evaluate[chromedp.Void](script))
	}
	return Eval[[]violation](p, axeRun)
}

func list(found []violation) string {
	var b strings.Builder
	for _, v := range found {
		fmt.Fprintf(&b, "\n%s (%s): %s\n  %s", v.ID, v.Impact, v.Help, v.HelpURL)
		for _, n := range v.Nodes {
			fmt.Fprintf(&b, "\n  at %s\n    %s\n    %s", n.Target, n.HTML, strings.ReplaceAll(n.Summary, "\n", "\n    "))
		}
	}
	return b.String()
}

// axeScript reads e2e/vendor/axe.min.js once. Tests run in the folder of their package, so it is found by going up.
var axeScript = sync.OnceValues(func() (string, error) {
	folder, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(folder, "go.mod")); missing == nil {
			break
		}
		up := filepath.Dir(folder)
		if up == folder {
			return "", fmt.Errorf("no go.mod above the folder of the test")
		}
		folder = up
	}
	if err != nil {
		return "", err
	}
	script, err := os.ReadFile(filepath.Join(folder, "e2e", "vendor", "axe.min.js"))
	return string(script), err
})
