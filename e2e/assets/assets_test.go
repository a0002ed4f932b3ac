// Package assets_test sees the files of package static at work in a browser: the icons show something, the stylesheet
// passes axe, the script does what it says at its top. What pages do with them is tested with the pages.
package assets_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"callboard/e2e/browser"
)

func symbols(t *testing.T) []string {
	t.Helper()
	sprite, err := os.ReadFile("../../static/icons.svg")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range regexp.MustCompile(`<symbol id="([^"]+)"`).FindAllStringSubmatch(string(sprite), -1) {
		ids = append(ids, m[1])
	}
	return ids
}

func TestEverySymbolRenders(t *testing.T) {
	ids := symbols(t)
	body := `<main id="main"><h1>Icons</h1><p class="cb-row">`
	for _, id := range append(ids, "no-such-symbol") {
		body += `<span class="cb-chip" id="` + id + `">` + icon(id) + id + `</span>`
	}
	address := site(t, map[string]string{"/": page("", body+`</p></main>`)})
	p := browser.Start(t, browser.Options{})
	p.Goto(address + "/")
	p.WaitFor("#mark")
	// The sprite comes after the page has loaded; a symbol that shows has a box of its own.
	const empty = `[...document.querySelectorAll('.cb-chip')].filter(el => !(el.querySelector('use').getBBox().height > 0 || el.querySelector('use').getBBox().width > 0)).map(el => el.id)`
	got := browser.Eval[[]string](p, `new Promise(done => {
		const look = (left) => { const list = `+empty+`; list.length < 2 || !left ? done(list) : setTimeout(look, 20, left - 1); };
		look(250);
	})`)
	if fmt.Sprint(got) != "[no-such-symbol]" || len(ids) < 80 {
		t.Errorf("of %d symbols these show nothing: %v; want only the one that does not exist", len(ids), got)
	}
}

// parts holds one of each component in every colour it comes in.
func parts() string {
	var b strings.Builder
	b.WriteString(`<section class="cb-sandbox care" aria-label="Sandbox">Nothing here reaches Tencent.</section><header class="cb-top"><a class="cb-brand" href="/">` + icon("mark") + `Callboard</a>
		<nav aria-label="Main"><ul class="cb-nav"><li><a href="/" aria-current="page">Apps</a></li><li><a href="/elsewhere">History</a></li></ul></nav>
		<form class="cb-find top" role="search" action="/elsewhere">` + icon("search") + `<label class="visually-hidden" for="q">Search</label><input class="form-control" id="q" name="q" type="search"><kbd aria-hidden="true">/</kbd></form>
		<details class="cb-menu" id="menu"><summary>` + icon("user") + `Mei</summary><div class="cb-menu-body"><a href="/elsewhere" id="in-menu">Your sessions</a></div></details></header>`)
	for _, e := range []string{"production", "staging", "test"} {
		fmt.Fprintf(&b, `<section class="cb-envbar %[1]s" aria-label="%[1]s"><span class="cb-word">%[1]s</span><strong>Aurora</strong><code class="cb-id">20010452</code><a class="cb-push" href="/">Switch app</a></section>`, e)
	}
	b.WriteString(`<main class="cb-page cb-stack" id="main"><h1>Parts</h1><div class="card"><div class="card-body cb-stack">`)
	for _, c := range []string{"ok", "bad", "care", "unsure", "idle", "info"} {
		fmt.Fprintf(&b, `<div class="cb-row"><span class="cb-state %[1]s">%[2]s%[1]s</span> <span class="cb-tag %[1]s">%[1]s</span></div><div class="cb-note %[1]s">%[2]s<div><h2>Note</h2><p>Text <a href="/">with a link</a> <code>Live.Word</code></p></div></div>`, c, icon("info-circle"))
	}
	for _, e := range []string{"production", "staging", "test"} {
		fmt.Fprintf(&b, `<div class="cb-row"><span class="cb-env %[1]s">%[1]s</span><button class="btn btn-%[1]s">Apply to %[1]s</button></div>`, e)
	}
	b.WriteString(`<dl class="cb-urldiff"><dt>before</dt><dd>https://<del>old</del>.example.com</dd><dt>after</dt><dd>https://<ins>new</ins>.example.com</dd></dl>
		<p class="cb-2">Second line</p><p class="cb-3">Hint</p><span class="cb-err">` + icon("alert-circle") + `Not a host</span><pre class="cb-code" tabindex="0" aria-label="Answer">{"ErrorCode":0}</pre>
		<div class="cb-wide" tabindex="0" role="region" aria-label="Changes"><table class="cb-table fold"><caption>Changes</caption><thead><tr><th scope="col">Number</th><th scope="col">Outcome</th></tr></thead><tbody><tr><th scope="row">#1</th><td data-label="Outcome"><span class="cb-state ok">applied</span></td></tr></tbody></table></div>
		</div></div></main>`)
	return b.String()
}

func TestStylesPassAxe(t *testing.T) {
	documents := map[string]string{}
	for name, attributes := range map[string]string{"system": "", "light": `data-bs-theme="light"`, "dark": `data-bs-theme="dark"`} {
		documents["/"+name] = page(attributes, parts())
		documents["/form/"+name] = page(attributes, `<main class="cb-page" id="main"><h1>Callback</h1>`+callbackForm()+`</main>`)
	}
	base := site(t, documents)
	cases := []struct {
		path, name string
		opts       browser.Options
		ground     string // what the page's ground must look like
	}{
		{"system", "system light", browser.Options{}, "light"},
		{"system", "system dark", browser.Options{Dark: true}, "dark"},
		{"light", "light on a dark system", browser.Options{Dark: true}, "light"},
		{"dark", "dark on a light system", browser.Options{}, "dark"},
		{"light", "light, narrow", browser.Options{Width: 390}, "light"},
		{"dark", "dark, wide", browser.Options{Width: 1600}, "dark"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := browser.Start(t, c.opts)
			for _, path := range []string{"/", "/form/"} {
				p.Goto(base + path + c.path)
				p.Axe(t)
				if over := browser.Eval[int](p, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
					t.Errorf("%s%s scrolls sideways by %d pixels", path, c.path, over)
				}
			}
			ground := "light"
			// Of a computed oklch(L C h), L is the lightness from 0 to 1.
			if browser.Eval[float64](p, `parseFloat(getComputedStyle(document.body).backgroundColor.split('(')[1])`) < .5 {
				ground = "dark"
			}
			if ground != c.ground {
				t.Errorf("the ground is %s", ground)
			}
		})
	}
}

func TestPaper(t *testing.T) {
	address := site(t, map[string]string{"/": page(`data-bs-theme="dark"`, parts()+`<details class="cb-more"><summary>More</summary><p id="folded">Answer</p></details>`)})
	p := browser.Start(t, browser.Options{})
	p.Goto(address + "/")
	shown := func() string {
		return browser.Eval[string](p, `['.cb-top', '.btn', '.cb-envbar', '#folded'].map(s => document.querySelector(s).checkVisibility({contentVisibilityAuto: true}) && document.querySelector(s).getBoundingClientRect().height > 0).join(' ') + ' ' + getComputedStyle(document.documentElement).colorScheme`)
	}
	if got := shown(); got != "true true true false dark" {
		t.Errorf("on the screen: %s", got)
	}
	err := chromedp.Do(p.Context(), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := shown(); got != "false false true true light" {
		t.Errorf("on paper: %s", got)
	}
}

func TestCopy(t *testing.T) {
	button := func(id, of string) string {
		return `<button class="btn btn-mini" type="button" id="` + id + `" data-copy="` + of + `" data-done="Copied" data-failed="Press Ctrl+C" hidden>` + icon("copy") + `<span>Copy</span></button>`
	}
	base := site(t, map[string]string{"/": page("", `<main id="main"><h1>Copy</h1>
		<p>Number 1 <code class="cb-id">first</code></p>
		<p>RequestId <span><code class="cb-id"> Nearest-id </code></span> `+button("b-near", "")+`</p>
		<p id="named">  https://hooks.example.com/直播?a=1&amp;b=2  </p>`+button("b-named", "named")+`
		<time id="when" datetime="2026-11-23T06:01:09.123Z">14:01</time>`+button("b-time", "when")+`
		<label>URL <input id="field" value="from a field"></label>`+button("b-field", "field")+button("b-none", "nothing-here")+`
		<label>Paste <input id="paste"></label></main>`)})
	cases := []struct{ button, want, said, symbol string }{
		{"#b-near", "Nearest-id", "Copied", "check"},
		{"#b-named", "https://hooks.example.com/直播?a=1&b=2", "Copied", "check"},
		{"#b-time", "2026-11-23T06:01:09.123Z", "Copied", "check"},
		{"#b-field", "from a field", "Copied", "check"},
		{"#b-none", "", "Press Ctrl+C", "x"},
	}
	ways := []struct{ name, prepare string }{
		{"as the browser does", "0"},
		{"plain http, without navigator.clipboard", "Object.defineProperty(navigator, 'clipboard', {value: undefined}), 0"},
		{"clipboard refused", "navigator.clipboard.writeText = () => Promise.reject(new Error('no')), 0"},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			p := browser.Start(t, browser.Options{})
			p.Goto(base + "/")
			browser.Eval[int](p, way.prepare)
			for _, c := range cases {
				p.Fill("#paste", "")
				p.Click(c.button)
				p.WaitText(c.button, c.said)
				if href, _ := p.Attr(c.button+" use", "href"); !strings.HasSuffix(href, "#"+c.symbol) {
					t.Errorf("%s shows %s", c.button, href)
				}
				if c.want == "" {
					continue
				}
				paste(t, p)
				if got := p.Value("#paste"); got != c.want {
					t.Errorf("%s copied %q, want %q", c.button, got, c.want)
				}
			}
			p.Click("#b-near")
			p.Click("#b-near")
			p.WaitText("#b-near", "Copy")
			p.WaitText("#b-none", "Copy")
		})
	}
	t.Run("no way at all", func(t *testing.T) {
		p := browser.Start(t, browser.Options{})
		p.Goto(base + "/")
		browser.Eval[int](p, ways[1].prepare)
		browser.Eval[int](p, "document.execCommand = () => false, 0")
		p.Click("#b-near")
		p.WaitText("#b-near", "Press Ctrl+C")
		if got := browser.Eval[string](p, "getSelection().toString().trim()"); got != "Nearest-id" {
			t.Errorf("marked %q", got)
		}
	})
	t.Run("without script", func(t *testing.T) {
		p := browser.Start(t, browser.Options{NoScript: true})
		p.Goto(base + "/")
		if p.Visible("#b-near") {
			t.Error("a button that can do nothing is shown")
		}
	})
}

// paste pastes into #paste by the browser's own editing command.
func paste(t *testing.T, p *browser.Page) {
	t.Helper()
	browser.Eval[int](p, "document.querySelector('#paste').focus(), 0")
	err := chromedp.Do(p.Context(), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, input.DispatchKeyEvent, input.DispatchKeyEventParams{
			Type: input.DispatchKeyEventTypeRawKeyDown, Key: "v", Code: "KeyV", Modifiers: int64(chromedp.ModifierCtrl), Commands: []string{"paste"},
		})
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
}

func TestCountdown(t *testing.T) {
	now := time.Now().UnixMilli()
	// The server's clock is an hour behind in the second and third: only the difference to data-now counts.
	line := func(id string, until, server int64, over string) string {
		return fmt.Sprintf(`<p id="%s" data-until="%d" %s %s data-template="{m} min {s} s left">soon</p>`, id, until, map[bool]string{true: fmt.Sprintf(`data-now="%d"`, server)}[server > 0], over)
	}
	hour := int64(3_600_000)
	address := site(t, map[string]string{"/": page("", `<main id="main"><h1>Time</h1>`+
		line("long", now+10*hour, 0, "")+
		line("behind", now-hour+125_000, now-hour, "")+
		line("short", now-hour+1_500, now-hour, `data-over="Over, look again."`)+
		line("past", now-5_000, 0, "")+`</main>`)})
	p := browser.Start(t, browser.Options{})
	p.Goto(address + "/")
	p.WaitText("#long", "59")
	if got := p.Text("#long"); !strings.HasPrefix(got, "599 min ") {
		t.Errorf("ten hours: %q", got)
	}
	if got := p.Text("#behind"); !strings.HasPrefix(got, "2 min ") {
		t.Errorf("125 seconds on a server with another clock: %q", got)
	}
	if got := p.Text("#past"); got != "0 min 0 s left" {
		t.Errorf("past: %q", got)
	}
	p.WaitText("#short", "Over, look again.")
}

func TestKeys(t *testing.T) {
	body := parts() + `<p><a data-key="g a" href="/elsewhere?key=a">Apps</a> <a data-key="g h" href="/elsewhere?key=h">History</a> <label>Note <input id="note"></label>
		<label>Area <textarea id="area"></textarea></label> <label>Tick <input type="checkbox" id="box"></label></p>`
	base := site(t, map[string]string{"/": page("", body), "/off": page(`data-keys="off"`, body)})
	p := browser.Start(t, browser.Options{})
	p.Goto(base + "/")
	for _, field := range []string{"note", "area", "q"} {
		p.Click("#" + field)
		for _, key := range []string{"/", "g", "a"} {
			p.Press(key)
		}
		if got := p.Value("#" + field); got != "/ga" || p.Focused() != field {
			t.Errorf("typed into #%s: %q, focus on %s", field, got, p.Focused())
		}
	}
	p.Goto(base + "/")
	p.Check("#box", true)
	p.Press("/")
	if p.Focused() != "q" || p.Value("#q") != "" {
		t.Errorf("after / the focus is on %s, which holds %q", p.Focused(), p.Value("#q"))
	}
	for _, c := range []struct{ keys, want string }{{"ga", "GET key=a"}, {"gh", "GET key=h"}, {"xgga", "GET key=a"}} {
		p.Goto(base + "/")
		p.Loads(func() {
			for _, key := range c.keys {
				p.Press(string(key))
			}
		})
		if got := p.Text("#how"); got != c.want {
			t.Errorf("%s led to %q", c.keys, got)
		}
	}
	p.Goto(base + "/off")
	for _, key := range []string{"/", "g", "a"} {
		p.Press(key)
	}
	if p.Focused() != "body" || p.URL() != base+"/off" {
		t.Errorf("switched off: focus on %s at %s", p.Focused(), p.URL())
	}
}

func TestMenuCloses(t *testing.T) {
	base := site(t, map[string]string{"/": page("", parts())})
	p := browser.Start(t, browser.Options{})
	p.Goto(base + "/")
	open := func() bool { return p.Exists("#menu[open]") }
	p.Click("#menu summary")
	if !open() {
		t.Fatal("the menu did not open")
	}
	p.Press("Tab")
	if p.Focused() != "in-menu" {
		t.Fatalf("focus on %s", p.Focused())
	}
	p.Click(".cb-menu-body")
	if !open() {
		t.Error("a click inside closed it")
	}
	browser.Eval[int](p, "document.querySelector('#in-menu').focus(), 0")
	p.Press("Escape")
	if open() || p.Focused() != "summary" {
		t.Errorf("after Escape open: %v, focus on %s", open(), p.Focused())
	}
	p.Press("Enter")
	if !open() {
		t.Error("Enter did not open it")
	}
	p.Click("h1")
	if open() {
		t.Error("a click elsewhere left it open")
	}
}

func TestErrorSummaryTakesFocus(t *testing.T) {
	errors := `<div class="cb-note bad" role="alert" id="errors"><div><h2>1 mistake</h2></div></div>`
	base := site(t, map[string]string{
		"/":     page("", `<main id="main"><h1>Form</h1>`+errors+`</main>`),
		"/htmx": page("", `<main id="main"><h1>Form</h1><button id="go" hx-get="/part" hx-target="#into">Go</button><div id="into"></div></main>`),
		"/part": errors + `<code class="cb-id">1</code><button type="button" id="b" data-copy="" data-done="Copied" data-failed="No" hidden><span>Copy</span></button>`,
	})
	p := browser.Start(t, browser.Options{})
	p.Goto(base + "/")
	if p.Focused() != "errors" {
		t.Errorf("focus on %s", p.Focused())
	}
	p.Goto(base + "/htmx")
	p.Click("#go")
	p.WaitFor("#b")
	if p.Focused() != "errors" {
		t.Errorf("after htmx has put it in, focus on %s", p.Focused())
	}
}

func TestChangedFormAsks(t *testing.T) {
	form := func(attributes string) string {
		return page("", `<main id="main"><h1>Form</h1><form method="post" action="/elsewhere" `+attributes+`><label>Name <input id="name" name="name" value="a"></label>
			<label>Filter <input id="filter" name="filter"></label><button id="send">Send</button></form>
			<form method="post" action="/elsewhere"><button id="out" name="out" value="1">Sign out</button></form><a id="away" href="/elsewhere">Away</a></main>`)
	}
	base := site(t, map[string]string{"/guarded": form("data-dirty"), "/typed": form(`data-dirty="yes"`), "/free": form("")})
	cases := []struct {
		name, path, field, value, by string
		asks                         int
	}{
		{"changed, link", "/guarded", "#name", "b", "#away", 1},
		{"changed, another form", "/guarded", "#name", "b", "#out", 1},
		{"changed, sent", "/guarded", "#name", "b", "#send", 0},
		{"changed and back", "/guarded", "#name", "a", "#away", 0},
		{"only the filter", "/guarded", "#filter", "x", "#away", 0},
		{"rendered changed", "/typed", "#name", "a", "#away", 1},
		{"rendered changed, sent", "/typed", "#name", "a", "#send", 0},
		{"not guarded", "/free", "#name", "b", "#away", 0},
	}
	p := browser.Start(t, browser.Options{})
	for _, c := range cases {
		p.Goto(base + c.path)
		p.Fill(c.field, "zzz")
		p.Fill(c.field, c.value)
		p.Follow(c.by)
		if asked := p.Take("dialog: beforeunload"); len(asked) != c.asks {
			t.Errorf("%s: asked %d times, want %d", c.name, len(asked), c.asks)
		}
	}
}

// formState is what the callback form shows of itself.
func formState(p *browser.Page) string {
	return browser.Eval[string](p, `(() => {
		const text = el => el && !el.hidden ? el.textContent.replace(/\s+/g, ' ').trim() : '-';
		const tri = el => el.getAttribute('aria-checked') + (el.querySelector('svg').hasAttribute('hidden') ? '' : el.querySelector('use').getAttribute('href').replace(/.*#/, '#')) + ' "' + el.getAttribute('aria-label') + '" "' + el.title + '"';
		const lines = [...document.querySelectorAll('.cb-group')].filter(g => g.querySelector('.cb-tri')).map(g => g.id + (g.hidden ? ' hidden' : '') + ' ' + tri(g.querySelector('.cb-tri')) + ' ' + text(g.querySelector('[data-count]')) + ' ' + [...g.querySelectorAll('legend [data-mark]')].filter(m => !m.hidden).map(text).join(' '));
		const rows = [...document.querySelectorAll('.cb-event')].map(r => (r.hidden ? '_' : r.querySelector('input').checked ? 'x' : 'o') + (r.classList.contains('add') ? '+' : '') + (r.classList.contains('del') ? '-' : '') + [...r.querySelectorAll('.cb-side [data-mark]')].filter(m => !m.hidden).map(m => m.dataset.mark[0]).join(''));
		const buttons = [...document.querySelectorAll('[data-set]')].map(text);
		return [...lines, rows.join(' '), buttons.join(', '), text(document.querySelector('#total')), text(document.querySelector('[data-nomatch]')), text(document.querySelector('#sentence'))].join('\n');
	})()`)
}

func TestCallbackForm(t *testing.T) {
	base := site(t, map[string]string{"/": page("", `<main class="cb-page" id="main"><h1>Callback</h1>`+callbackForm()+`</main>`)})
	p := browser.Start(t, browser.Options{})
	p.Goto(base + "/")
	step := func(name string, do func(), want ...string) {
		t.Helper()
		do()
		if got := formState(p); got != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, strings.Join(want, "\n"))
		}
	}
	step("as opened", func() {},
		`group-blocking mixed#minus "Blocking, all 2" "Tick all 2" 1 of 2 `,
		`group-room mixed#minus "Room, all 3" "Tick all 3" 2 of 3 `,
		`x o o x x o x`, `All 5, None, As in the cloud`, `3 of 5 ticked`, `-`, `3 of 5 ticked · as in the cloud`)
	step("one ticked, one unticked", func() { p.Check("#Live-Recording", true); p.Check("#Live-RoomCreated", false) },
		`group-blocking mixed#minus "Blocking, all 2" "Tick all 2" 1 of 2 `,
		`group-room mixed#minus "Room, all 3" "Tick all 3" 2 of 3 added: +1 removed: −1`,
		`x o o o-d x x+a x`, `All 5, None, As in the cloud`, `3 of 5 ticked`, `-`, `3 of 5 ticked · 1 added · 1 removed`)
	step("group: mixed becomes all", func() { p.Click("#group-room .cb-tri") },
		`group-blocking mixed#minus "Blocking, all 2" "Tick all 2" 1 of 2 `,
		`group-room true#check "Room, all 3" "Untick all 3" 3 of 3 added: +1`,
		`x o o x x x+a x`, `All 5, None, As in the cloud`, `4 of 5 ticked`, `-`, `4 of 5 ticked · 1 added · 0 removed`)
	step("group: all becomes none", func() { p.Click("#group-room .cb-tri") },
		`group-blocking mixed#minus "Blocking, all 2" "Tick all 2" 1 of 2 `,
		`group-room false "Room, all 3" "Tick all 3" 0 of 3 removed: −2`,
		`x o o o-d o-d o x`, `All 5, None, As in the cloud`, `1 of 5 ticked`, `-`, `1 of 5 ticked · 0 added · 2 removed`)
	step("none leaves policy and unknown alone, then they change by hand", func() {
		p.Click("[data-set=none]")
		p.Check("#Live-Policy", true)
		p.Check("#Live-Unheard", false)
	},
		`group-blocking false "Blocking, all 2" "Tick all 2" 0 of 2 removed: −1`,
		`group-room false "Room, all 3" "Tick all 3" 0 of 3 removed: −2`,
		`o-d x+a o o-d o-d o o-d`, `All 5, None, As in the cloud`, `0 of 5 ticked`, `-`, `0 of 5 ticked · 0 added · 3 removed · gift policy changed · Live.Unheard dropped`)
	step("as in the cloud", func() { p.Click("[data-set=cloud]") },
		`group-blocking mixed#minus "Blocking, all 2" "Tick all 2" 1 of 2 `,
		`group-room mixed#minus "Room, all 3" "Tick all 3" 2 of 3 `,
		`x o o x x o x`, `All 5, None, As in the cloud`, `3 of 5 ticked`, `-`, `3 of 5 ticked · as in the cloud`)
	step("filter by name, any case; Enter sends nothing", func() { p.Fill("#filter", " BEFORE a m"); p.Press("Enter") },
		`group-blocking mixed#minus "Blocking, 1 shown" "Tick 1 shown" 1 of 2 `,
		`group-room hidden mixed#minus "Room, 0 shown" "Untick 0 shown" 2 of 3 `,
		`_ _ o _ _ _ _`, `Tick 1 shown, Untick 1 shown, As in the cloud`, `3 of 5 ticked`, `-`, `3 of 5 ticked · as in the cloud`)
	step("all ticks only what is shown", func() { p.Click("[data-set=all]") },
		`group-blocking true#check "Blocking, 1 shown" "Untick 1 shown" 2 of 2 added: +1`,
		`group-room hidden mixed#minus "Room, 0 shown" "Untick 0 shown" 2 of 3 `,
		`_ _ x+a _ _ _ _`, `Tick 1 shown, Untick 1 shown, As in the cloud`, `4 of 5 ticked`, `-`, `4 of 5 ticked · 1 added · 0 removed`)
	step("group too", func() { p.Click("#group-blocking .cb-tri") },
		`group-blocking mixed#minus "Blocking, 1 shown" "Tick 1 shown" 1 of 2 `,
		`group-room hidden mixed#minus "Room, 0 shown" "Untick 0 shown" 2 of 3 `,
		`_ _ o _ _ _ _`, `Tick 1 shown, Untick 1 shown, As in the cloud`, `3 of 5 ticked`, `-`, `3 of 5 ticked · as in the cloud`)
	step("filter by word", func() { p.Fill("#filter", "live.room") },
		`group-blocking hidden mixed#minus "Blocking, 0 shown" "Untick 0 shown" 1 of 2 `,
		`group-room mixed#minus "Room, 2 shown" "Untick 2 shown" 2 of 3 `,
		`_ _ _ x x _ _`, `Tick 2 shown, Untick 2 shown, As in the cloud`, `3 of 5 ticked`, `-`, `3 of 5 ticked · as in the cloud`)
	step("nothing found", func() { p.Fill("#filter", "<no such>") },
		`group-blocking hidden mixed#minus "Blocking, 0 shown" "Untick 0 shown" 1 of 2 `,
		`group-room hidden mixed#minus "Room, 0 shown" "Untick 0 shown" 2 of 3 `,
		`_ _ _ _ _ _ _`, `Tick 0 shown, Untick 0 shown, As in the cloud`, `3 of 5 ticked`, `No event has this text.`, `3 of 5 ticked · as in the cloud`)
	step("only changed, and what is unticked while shown stays to be seen", func() {
		p.Fill("#filter", "")
		p.Check("#Live-Recording", true)
		p.Check("#only", true)
		p.Check("#Live-Recording", false)
	},
		`group-blocking hidden mixed#minus "Blocking, 0 shown" "Untick 0 shown" 1 of 2 `,
		`group-room mixed#minus "Room, 1 shown" "Tick 1 shown" 2 of 3 `,
		`_ _ _ _ _ o _`, `Tick 1 shown, Untick 1 shown, As in the cloud`, `3 of 5 ticked`, `-`, `3 of 5 ticked · as in the cloud`)
	if p.URL() != base+"/" {
		t.Fatalf("something was sent: %s", p.URL())
	}

	p.Check("#only", false)
	p.Fill("#filter", "recording")
	p.Check("#Live-Recording", true)
	p.Follow("#review")
	want := "POST command=Live.BeforeGift&command=Live.RoomCreated&command=Live.RoomDestroyed&command=Live.Recording&command=Live.Unheard&filter=recording&url=" + `https%3A%2F%2Fhooks.example.com%2Flive`
	if got := p.Text("#how"); got != want {
		t.Errorf("sent with a filter on\n%s\nwant\n%s", got, want)
	}
}

func TestCallbackFormWithoutScript(t *testing.T) {
	base := site(t, map[string]string{"/": page("", `<main class="cb-page" id="main"><h1>Callback</h1>`+callbackForm()+`</main>`)})
	p := browser.Start(t, browser.Options{NoScript: true})
	for _, c := range []struct{ click, want string }{
		{"#group-room .cb-tri", "do=group%3Aroom"},
		{"[data-set=all]", "do=all"},
		{"[data-set=cloud]", "do=cloud"},
	} {
		p.Goto(base + "/")
		p.Follow(c.click)
		if got := p.Text("#how"); !strings.Contains(got, c.want+"&") {
			t.Errorf("%s sent %q, want %s", c.click, got, c.want)
		}
	}
	p.Goto(base + "/")
	p.Fill("#filter", "x")
	p.Loads(func() { p.Press("Enter") })
	if got := p.Text("#how"); !strings.Contains(got, "do=check&") {
		t.Errorf("Enter in the filter sent %q", got)
	}
}
