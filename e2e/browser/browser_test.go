package browser_test

import (
	"bytes"
	"fmt"
	"html"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"callboard/e2e/browser"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(browser.Tests{M: m}) }

// recorder stands in for a test that is to fail, and keeps what it would have said.
type recorder struct {
	said     []string
	cleanups []func()
}

func (r *recorder) Helper()                   {}
func (r *recorder) Cleanup(f func())          { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(f string, a ...any) { r.said = append(r.said, fmt.Sprintf(f, a...)) }
func (r *recorder) Fatalf(f string, a ...any) { r.Errorf(f, a...); runtime.Goexit() }

// verdict runs a test as package testing does and gives what made it fail.
func verdict(test func(t browser.T)) []string {
	r, done := &recorder{}, make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, f := range slices.Backward(r.cleanups) {
				f()
			}
		}()
		test(r)
	}()
	<-done
	return r.said
}

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'"

// page writes a document that axe has nothing against.
func page(body string) string {
	return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title><link rel="icon" href="/icon.svg"></head><body><main><h1>A page</h1>` + body + `</main></body></html>`
}

// site serves documents by path under a strict policy, besides a script, an icon and a form's target.
func site(t *testing.T, documents map[string]string) string {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Security-Policy", policy)
			_, _ = w.Write([]byte(body))
		}
	}
	for path, document := range documents {
		kind := "text/html; charset=utf-8"
		if strings.HasSuffix(path, ".css") {
			kind = "text/css"
		}
		mux.HandleFunc("GET "+path, answer(kind, document))
	}
	mux.HandleFunc("GET /favicon.ico", answer("image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"/>`)) // asked for by pages without an icon
	mux.HandleFunc("GET /icon.svg", answer("image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"/>`))
	for name, script := range scripts {
		mux.HandleFunc("GET /"+name+".js", answer("text/javascript", script))
	}
	mux.HandleFunc("POST /send", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/sent?"+url.Values{"name": {r.FormValue("name")}, "tick": {r.FormValue("tick")}}.Encode(), http.StatusSeeOther)
	})
	mux.HandleFunc("GET /sent", func(w http.ResponseWriter, r *http.Request) {
		answer("text/html", page(`<p id="got">`+html.EscapeString(r.FormValue("name")+"|"+r.FormValue("tick")+"|"+r.Header.Get("Accept-Language"))+`</p>`))(w, r)
	})
	mux.HandleFunc("POST /refuse", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write([]byte(page(`<p id="errors">No.</p>`)))
	})
	mux.HandleFunc("GET /cookie", func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("seen")
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes"})
		answer("text/html", page(fmt.Sprintf(`<p id="seen">%v %v</p>`, c, err)))(w, r)
	})
	visits := 0
	mux.HandleFunc("GET /renewed", func(w http.ResponseWriter, r *http.Request) {
		visits++
		if visits < 3 {
			w.Header().Set("Refresh", "0")
		}
		answer("text/html", page(fmt.Sprintf(`<p id="state">visit %d</p>`, visits)))(w, r)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

var scripts = map[string]string{
	"log":    `console.log("a word", 3)`,
	"throw":  `throw new Error("broken on purpose")`,
	"reject": `Promise.reject(new Error("refused on purpose"))`,
	"alert":  `alert("look here")`,
	"mark":   `document.body.dataset.script = "ran"`,
	"guard":  `addEventListener("beforeunload", e => e.preventDefault())`,
}

func TestReportsFailTheTest(t *testing.T) {
	documents := map[string]string{
		"/clean":         page(`<p>Fine.</p>`),
		"/inline-script": page(`<script>var a = 1</script>`),
		"/inline-style":  page(`<p style="color:red">Red.</p>`),
		"/handler":       page(`<details open ontoggle="go()"><summary>Go</summary></details>`),
		"/foreign":       page(`<img alt="" src="http://127.0.0.2:1/x.png">`),
		"/log":           page(`<script src="log.js"></script>`),
		"/throw":         page(`<script src="throw.js"></script>`),
		"/reject":        page(`<script src="reject.js"></script>`),
		"/alert":         page(`<script src="alert.js"></script>`),
		"/image":         page(`<img alt="" src="/none.png">`),
	}
	base := site(t, documents)
	cases := []struct{ path, want string }{
		{"/clean", ""},
		{"/inline-script", "Content Security Policy"},
		{"/inline-style", "Content Security Policy"},
		{"/handler", "Content Security Policy"},
		{"/foreign", "Content Security Policy"},
		{"/log", "log: a word 3"},
		{"/throw", "exception: Uncaught Error: broken on purpose"},
		{"/reject", "exception: Uncaught (in promise) Error: refused on purpose"},
		{"/alert", "dialog: alert: look here"},
		{"/image", "404"},
		{"/no-such-page", "404"},
	}
	for _, c := range cases {
		t.Run(c.path, func(t *testing.T) {
			said := verdict(func(t browser.T) { browser.Start(t, browser.Options{}).Goto(base + c.path) })
			if c.want == "" && len(said) > 0 {
				t.Errorf("a clean page failed: %q", said)
			}
			if c.want != "" && (len(said) != 1 || !strings.Contains(said[0], c.want)) {
				t.Errorf("said %q, want one report with %q", said, c.want)
			}
			var taken []browser.Message
			said = verdict(func(t browser.T) {
				p := browser.Start(t, browser.Options{})
				p.Goto(base + c.path)
				taken = p.Take(c.want)
			})
			if len(said) > 0 || (len(taken) == 1) != (c.want != "") {
				t.Errorf("taken %v, and yet said %q", taken, said)
			}
		})
	}
}

func TestTakingLeavesOtherReports(t *testing.T) {
	base := site(t, map[string]string{"/": page(`<script src="log.js"></script><script src="throw.js"></script>`)})
	said := verdict(func(t browser.T) {
		p := browser.Start(t, browser.Options{})
		p.Goto(base + "/")
		p.Take("a word")
	})
	if len(said) != 1 || !strings.Contains(said[0], "broken on purpose") {
		t.Errorf("said %q, want only the exception", said)
	}
}

func TestAxe(t *testing.T) {
	base := site(t, map[string]string{
		"/clean":    page(`<label for="n">Name</label> <input id="n">`),
		"/contrast": strings.Replace(page(`<p class="faint">Hard to read.</p>`), "</head>", `<link rel="stylesheet" href="/faint.css"></head>`, 1),
		"/label":    page(`<input id="n">`),
		"/heading":  page(`<h4>Deep</h4>`),
		"/faint.css": `.faint { color: #ccc; background: #fff }
			@media (prefers-color-scheme: dark) { .faint { color: #000 } }`,
	})
	cases := []struct {
		name, path string
		opts       browser.Options
		rule, at   string
	}{
		{"nothing to find", "/clean", browser.Options{}, "", ""},
		{"nothing to find, script off", "/clean", browser.Options{NoScript: true}, "", ""},
		{"missing label", "/label", browser.Options{}, "label (critical)", "#n"},
		{"missing label, script off", "/label", browser.Options{NoScript: true}, "label (critical)", "#n"},
		{"best practice", "/heading", browser.Options{}, "heading-order (moderate)", "h4"},
		{"contrast", "/contrast", browser.Options{}, "color-contrast (serious)", "p"},
		{"contrast is fine in dark", "/contrast", browser.Options{Dark: true}, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			said := verdict(func(t browser.T) {
				p := browser.Start(t, c.opts)
				p.Goto(base + c.path)
				p.Axe(t)
			})
			if c.rule == "" {
				if len(said) > 0 {
					t.Errorf("said %q", said)
				}
				return
			}
			if len(said) != 1 || !strings.Contains(said[0], "axe found 1 broken rules") || !strings.Contains(said[0], "\n"+c.rule) || !strings.Contains(said[0], "\n  at "+c.at) {
				t.Errorf("said %q, want rule %q at %q", said, c.rule, c.at)
			}
		})
	}
}

const form = `<script src="mark.js"></script>
	<form method="post" action="/send"><label>Name <input name="name" id="name" value="before"></label>
	<label><input type="checkbox" name="tick" id="tick" value="ticked"> Tick</label>
	<button id="send">Send</button><button id="refuse" formaction="/refuse">Refuse</button></form>
	<p class="tall"></p><a id="far" href="/sent?name=link">Far below</a>`

func TestClickingAndTyping(t *testing.T) {
	base := site(t, map[string]string{"/": page(form)})
	for _, opts := range []browser.Options{{}, {NoScript: true}} {
		t.Run(fmt.Sprintf("script off %v", opts.NoScript), func(t *testing.T) {
			p := browser.Start(t, opts)
			p.Goto(base + "/")
			if _, ran := p.Attr("body", "data-script"); ran == opts.NoScript {
				t.Fatalf("the page's script ran: %v", ran)
			}
			text := `it's "6 < 7" — 直播 😀`
			p.Fill("#name", "gone")
			p.Fill("#name", text)
			p.Check("#tick", true)
			p.Check("#tick", true)
			if got := p.Value("#name"); got != text {
				t.Errorf("the field holds %q", got)
			}
			if !p.Checked("#tick") {
				t.Error("not ticked")
			}
			p.Follow("#send")
			if got, want := p.Text("#got"), text+"|ticked|en"; got != want {
				t.Errorf("sent %q, want %q", got, want)
			}
			if got := p.URL(); !strings.HasPrefix(got, base+"/sent?name=") {
				t.Errorf("at %s", got)
			}
			if p.Status() != http.StatusOK {
				t.Errorf("status %d", p.Status())
			}

			p.Goto(base + "/")
			p.Fill("#name", "")
			p.Loads(func() { p.Press("Enter") })
			if got := p.Text("#got"); got != "||en" {
				t.Errorf("sent %q", got)
			}

			p.Goto(base + "/")
			p.Follow("#far")
			if got := p.Text("#got"); got != "link||en" {
				t.Errorf("got %q", got)
			}

			p.Goto(base + "/")
			p.Follow("#refuse")
			if p.Status() != http.StatusUnprocessableEntity || p.Text("#errors") != "No." {
				t.Errorf("status %d, %q", p.Status(), p.Text("#errors"))
			}
			if taken := p.Take("422"); len(taken) != 1 {
				t.Errorf("taken %v", taken)
			}
		})
	}
}

func TestReading(t *testing.T) {
	base := site(t, map[string]string{"/": page(`<ul><li>One</li><li class="two" title="">Two <b>bold</b></li><li hidden>Three</li></ul>
		<select id="s"><option value="a">A<option value="b">B</select><input id="f">`)})
	p := browser.Start(t, browser.Options{})
	p.Goto(base + "/")
	p.Choose("#s", "b")
	p.Click("#f")
	title, has := p.Attr(".two", "title")
	_, hasClass := p.Attr("li", "class")
	got := []any{p.Title(), p.Count("li"), p.Exists(".two"), p.Exists(".three"), p.Visible("li"), p.Visible("li[hidden]"), p.Visible(".three"),
		p.Text(".two"), title, has, hasClass, p.Value("#s"), p.Focused(), strings.Contains(p.HTML(), `<li class="two"`), p.URL()}
	want := []any{"A page", 3, true, false, true, false, false, "Two bold", "", true, false, "b", "f", true, base + "/"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for _, c := range []struct{ key, focused string }{{"Shift+Tab", "s"}, {"Tab", "f"}} {
		p.Press(c.key)
		if p.Focused() != c.focused {
			t.Errorf("after %s the focus is on %s", c.key, p.Focused())
		}
	}
	p.Press("x")
	p.Press("直")
	if p.Value("#f") != "x直" {
		t.Errorf("typed %q", p.Value("#f"))
	}
}

func TestWaiting(t *testing.T) {
	base := site(t, map[string]string{})
	for _, off := range []bool{false, true} {
		p := browser.Start(t, browser.Options{NoScript: off})
		p.Goto(base + "/renewed")
		p.WaitText("#state", "visit")
	}
	p := browser.Start(t, browser.Options{})
	p.Goto(base + "/renewed")
	p.WaitFor("#state")
	p.WaitGone("#nothing")
	browser.Eval[any](p, `setTimeout(() => { document.querySelector("#state").id = "later" }, 50)`)
	p.WaitFor("#later")
	p.WaitGone("#state")
	if got := browser.Eval[int](p, "Promise.resolve(6 * 7)"); got != 42 {
		t.Errorf("evaluated to %d", got)
	}
}

func TestFailuresAreSentences(t *testing.T) {
	base := site(t, map[string]string{"/": page(`<select id="s"><option>a</select>`)})
	cases := []struct {
		name, want string
		do         func(p *browser.Page)
	}{
		{"bad selector", "reading the text of p[ on " + base, func(p *browser.Page) { p.Text("p[") }},
		{"no such option", `has no option "z"`, func(p *browser.Page) { p.Choose("#s", "z") }},
		{"no such key", `no key is named "Entr"`, func(p *browser.Page) { p.Press("Entr") }},
		{"broken script", "evaluating a script on " + base, func(p *browser.Page) { browser.Eval[int](p, "nothing.at.all") }},
		{"closed port", "opening http://127.0.0.1:1/", func(p *browser.Page) { p.Goto("http://127.0.0.1:1/") }},
		{"another host's name", "ERR_NAME_NOT_RESOLVED", func(p *browser.Page) { p.Goto("http://callboard.invalid/") }},
		{"another host's address", "ERR_NAME_NOT_RESOLVED", func(p *browser.Page) { p.Goto("http://127.0.0.2:9099/") }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			said := verdict(func(t browser.T) {
				p := browser.Start(t, browser.Options{})
				p.Goto(base + "/")
				c.do(p)
			})
			if len(said) == 0 || !strings.Contains(said[0], c.want) {
				t.Errorf("said %q, want %q", said, c.want)
			}
		})
	}
}

func TestBothNamesOfLoopback(t *testing.T) {
	base := site(t, map[string]string{"/": page(`<p id="p">Here.</p>`)})
	p := browser.Start(t, browser.Options{})
	for _, host := range []string{"127.0.0.1", "localhost"} {
		p.Goto(strings.Replace(base, "127.0.0.1", host, 1) + "/")
		if got := p.Text("#p"); got != "Here." || !strings.Contains(p.URL(), host) {
			t.Errorf("%s: %q at %s", host, got, p.URL())
		}
	}
}

func TestPagesShareNoCookies(t *testing.T) {
	base := site(t, nil)
	for range 2 {
		p := browser.Start(t, browser.Options{})
		p.Goto(base + "/cookie")
		first := p.Text("#seen")
		p.Reload()
		if second := p.Text("#seen"); !strings.Contains(first, "not present") || !strings.Contains(second, "seen=yes") {
			t.Errorf("first %q, then %q", first, second)
		}
	}
}

func TestOptions(t *testing.T) {
	base := site(t, map[string]string{"/": page("")})
	cases := []struct {
		opts browser.Options
		want string
	}{
		{browser.Options{}, "1280 900 false true"},
		{browser.Options{Width: 390, Height: 700}, "390 700 false true"},
		{browser.Options{Dark: true, Width: 1600}, "1600 900 true true"},
	}
	const seen = "`${innerWidth} ${innerHeight} ${matchMedia('(prefers-color-scheme: dark)').matches} ${matchMedia('(prefers-reduced-motion)').matches}`"
	for _, c := range cases {
		p := browser.Start(t, c.opts)
		p.Goto(base + "/")
		if got := browser.Eval[string](p, seen); got != c.want {
			t.Errorf("%+v: seen %q, want %q", c.opts, got, c.want)
		}
		p.Dark(!c.opts.Dark)
		p.Resize(800, 600)
		if got, want := browser.Eval[string](p, seen), fmt.Sprintf("800 600 %v true", !c.opts.Dark); got != want {
			t.Errorf("%+v changed: seen %q, want %q", c.opts, got, want)
		}
	}
	p := browser.Start(t, browser.Options{Language: "zh-CN, en;q=0.5"})
	p.Goto(base + "/sent")
	if got := p.Text("#got"); got != "||zh-CN, en;q=0.5" {
		t.Errorf("Accept-Language in %q", got)
	}
}

func TestDialogs(t *testing.T) {
	base := site(t, map[string]string{"/": page(form + `<script src="guard.js"></script>`)})
	p := browser.Start(t, browser.Options{})
	p.Goto(base + "/")
	p.Check("#tick", true)
	p.Stay(true)
	p.Click("#far")
	p.WaitText("h1", "A page")
	if asked := p.Take("dialog: beforeunload"); len(asked) != 1 || p.URL() != base+"/" {
		t.Fatalf("asked %v, at %s", asked, p.URL())
	}
	p.Stay(false)
	p.Follow("#far")
	if asked := p.Take("dialog: beforeunload"); len(asked) != 1 || p.Text("#got") != "link||en" {
		t.Errorf("asked %v, at %s", asked, p.URL())
	}
}

func TestScreenshot(t *testing.T) {
	base := site(t, map[string]string{"/": page(form)})
	p := browser.Start(t, browser.Options{Width: 500, Height: 400})
	p.Goto(base + "/")
	at := filepath.Join(t.TempDir(), "a", "folder", "page.png")
	p.Screenshot(at)
	content, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	size, err := png.DecodeConfig(bytes.NewReader(content))
	if err != nil || size.Width != 500 || size.Height < 400 {
		t.Errorf("%d × %d: %v", size.Width, size.Height, err)
	}
}

func TestMissingChromiumSaysWhatToInstall(t *testing.T) {
	t.Setenv(browser.Variable, filepath.Join(t.TempDir(), "no-chromium"))
	said := verdict(func(t browser.T) { browser.Start(t, browser.Options{}) })
	if len(said) != 1 || !strings.Contains(said[0], "apt-get install chromium") || !strings.Contains(said[0], browser.Variable) {
		t.Errorf("said %q", said)
	}
}

func TestAnotherBinary(t *testing.T) {
	if err := browser.Close(); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	used := filepath.Join(folder, "used")
	script := "#!/bin/sh\n: >'" + used + "'\nexec \"$(command -v chromium || command -v chromium-browser || command -v google-chrome)\" \"$@\"\n"
	named := filepath.Join(folder, "other-chromium")
	if err := os.WriteFile(named, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(browser.Variable, named)
	base := site(t, map[string]string{"/": page("")})
	browser.Start(t, browser.Options{}).Goto(base + "/")
	if _, err := os.Stat(used); err != nil {
		t.Errorf("the named binary was not started: %v", err)
	}
}

func TestCloseRemovesWhatChromiumKept(t *testing.T) {
	kept := t.TempDir()
	t.Setenv("TMPDIR", kept)
	if err := browser.Close(); err != nil {
		t.Fatal(err)
	}
	t.Run("page", func(t *testing.T) { browser.Start(t, browser.Options{}) })
	before, _ := filepath.Glob(filepath.Join(kept, "callboard-chromium-*"))
	if err := browser.Close(); err != nil {
		t.Fatal(err)
	}
	after, _ := filepath.Glob(filepath.Join(kept, "callboard-chromium-*"))
	if len(before) != 1 || len(after) != 0 {
		t.Errorf("before closing %v, after %v", before, after)
	}
	if err := browser.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}
