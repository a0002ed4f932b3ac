package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Options say how a page is seen. The zero value is a light page of 1280 × 900 pixels with script, in English.
type Options struct {
	Width, Height int    // of the window, in CSS pixels; 0 means 1280 and 900
	Dark          bool   // the system prefers dark
	NoScript      bool   // the page's scripts do not run
	Language      string // sent as Accept-Language; empty means "en"
}

// Page is one browser window with cookies of its own. It belongs to one test and one goroutine and closes with the test.
// Selectors are CSS selectors and mean the first element that matches.
type Page struct {
	t       T
	ctx     context.Context
	console *console

	noScript bool

	mu     sync.Mutex // guards status and stay, which events change or read
	status int
	stay   bool
	answer sync.WaitGroup // the goroutines that answer dialogs
}

// Start opens a window and starts Chromium when none runs. A missing Chromium ends the test with what to install.
// Animations are off (the system prefers less motion), so that what is measured is at rest.
func Start(t T, opts Options) *Page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(running(t), chromedp.WithNewBrowserContext())
	p := &Page{t: t, ctx: ctx, noScript: opts.NoScript}
	t.Cleanup(func() { p.close(); cancel() })
	p.do("opening a window", p.listen(), prepare(opts))
	return p
}

// listen subscribes before the first document, so that nothing is missed.
func (p *Page) listen() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(context.Context, *chromedp.Target) error {
		p.console = subscribe(p.ctx)
		return chromedp.Listen(p.ctx, p.hear)
	})
}

// hear runs on the goroutine that reads the browser's messages, so it must neither block nor send.
func (p *Page) hear(event any) {
	switch e := event.(type) {
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument && string(e.FrameID) == string(chromedp.FromContext(p.ctx).Target.TargetID) {
			p.mu.Lock()
			p.status = int(e.Response.Status)
			p.mu.Unlock()
		}
	case *page.EventJavascriptDialogOpening:
		p.mu.Lock()
		accept := !p.stay
		p.mu.Unlock()
		p.console.add(Message{Kind: "dialog", Text: string(e.Type) + ": " + e.Message, URL: e.URL})
		p.answer.Go(func() {
			// It fails only when the window is gone, and then there is nothing to answer.
			_, _ = chromedp.Call(p.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: accept})
		})
	}
}

func prepare(opts Options) chromedp.Action[chromedp.Void] {
	width, height, language, scheme := int64(1280), int64(900), "en", "light"
	if opts.Width > 0 {
		width = int64(opts.Width)
	}
	if opts.Height > 0 {
		height = int64(opts.Height)
	}
	if opts.Language != "" {
		language = opts.Language
	}
	if opts.Dark {
		scheme = "dark"
	}
	return chromedp.Steps(
		chromedp.EmulateViewport(width, height),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: media(scheme)}),
		scripts(!opts.NoScript),
		call(network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": language}}),
	)
}

// scripts says whether the page's scripts may run.
func scripts(on bool) chromedp.Action[chromedp.Void] {
	return call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
}

func media(scheme string) []*emulation.MediaFeature {
	return []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}
}

// call makes a step of a raw command whose answer does not matter.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}

// close fails the test for every message left, then closes the window and waits for what belonged to it.
func (p *Page) close() {
	p.t.Helper()
	if p.console == nil {
		return // the window never opened, and the test knows
	}
	for _, m := range p.Messages() {
		p.t.Errorf("the browser reported: %s", m)
	}
	ctx, done := p.within()
	defer done()
	if err := chromedp.Cancel(ctx); err != nil {
		p.t.Errorf("closing the window: %v", err)
	}
	<-p.console.closed
	p.answer.Wait()
}

// within gives the page's context with the deadline of one step.
func (p *Page) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, Patience)
}

// do runs steps in order; what names them in the sentence that ends the test when they fail.
func (p *Page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	run(p, what, chromedp.Steps(steps...))
}

func run[T any](p *Page, what string, action chromedp.Action[T]) T {
	p.t.Helper()
	// The first step creates the window, whose life is bound to that step's context.
	if chromedp.FromContext(p.ctx).Target == nil {
		if err := chromedp.Do(p.ctx); err != nil {
			p.t.Fatalf("%s: %v", what, err)
		}
	}
	ctx, done := p.within()
	defer done()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatalf("%s on %s: %v%s", what, p.where(), err, p.said())
	}
	return value
}

// where gives the address for a failure, without ending the test a second time.
func (p *Page) where() string {
	ctx, done := p.within()
	defer done()
	at, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		return "a page that does not answer"
	}
	return at
}

// said lists the messages so far, as they often explain why a step failed.
func (p *Page) said() string {
	var b strings.Builder
	for _, m := range p.console.all() {
		fmt.Fprintf(&b, "\n  the browser reported: %s", m)
	}
	return b.String()
}

// Context gives the chromedp context of the window, for what this package does not wrap.
func (p *Page) Context() context.Context { return p.ctx }

// Goto opens an address and waits until it has loaded. The address is whole, such as "http://127.0.0.1:8080/apps".
func (p *Page) Goto(address string) {
	p.t.Helper()
	p.do("opening "+address, chromedp.Navigate(address))
}

// Loads does something that leads to another document and waits until that has loaded; redirects are followed.
func (p *Page) Loads(what func()) {
	p.t.Helper()
	ctx, done := p.within()
	defer done()
	loaded := chromedp.Events(ctx, page.LoadEventFired)
	what()
	for _, err := range loaded {
		if err != nil {
			p.t.Fatalf("no other page came after %s: %v%s", p.where(), err, p.said())
		}
		return
	}
}

// Follow clicks a link or a button that leads to another document and waits until that has loaded.
func (p *Page) Follow(selector string) {
	p.t.Helper()
	p.Loads(func() { p.t.Helper(); p.Click(selector) })
}

// Reload loads the page again, with the same method as before.
func (p *Page) Reload() {
	p.t.Helper()
	p.do("reloading", chromedp.Reload())
}

// Status gives the HTTP status of the document on show; 0 when none has been loaded.
func (p *Page) Status() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Click scrolls an element to the middle of the window and clicks it as a mouse does. It waits until the element can be
// seen and nothing lies over it; for what leads to another document see Follow.
func (p *Page) Click(selector string) {
	p.t.Helper()
	at := await[[]float64](p, "clicking "+selector, `(el => {
		if (!el?.checkVisibility({visibilityProperty: true})) return null;
		el.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
		const box = el.getClientRects()[0], x = box.x + box.width / 2, y = box.y + box.height / 2;
		const top = document.elementFromPoint(x, y);
		return top && (el.contains(top) || top.contains(el) && top.closest('label')) ? [x, y] : null;
	})(`+find1(selector)+`)`)
	p.do("clicking "+selector, chromedp.MouseClickXY(at[0], at[1]))
}

// Fill puts a value into a text field in place of what it holds, as typing it at once does.
func (p *Page) Fill(selector, value string) {
	p.t.Helper()
	await[bool](p, "filling "+selector, `(el => {
		if (!el?.checkVisibility({visibilityProperty: true}) || el.disabled || el.readOnly) return null;
		el.focus();
		el.select();
		return true;
	})(`+find1(selector)+`)`)
	if value == "" {
		p.do("emptying "+selector, stroke(named["Delete"], chromedp.ModifierNone))
		return
	}
	p.do("filling "+selector, call(input.InsertText, input.InsertTextParams{Text: value}))
}

// Check ticks a checkbox, or unticks it, by a click when it is not so already.
func (p *Page) Check(selector string, on bool) {
	p.t.Helper()
	if p.Checked(selector) != on {
		p.Click(selector)
	}
}

// Checked tells whether a checkbox or radio button is ticked.
func (p *Page) Checked(selector string) bool {
	p.t.Helper()
	return await[bool](p, "reading the tick of "+selector, find1(selector)+"?.checked ?? null")
}

// Choose selects an option of a select by its value and tells the page, as a choice by hand does.
func (p *Page) Choose(selector, value string) {
	p.t.Helper()
	ok := await[bool](p, "choosing in "+selector, `(el => {
		if (!el) return null;
		el.value = `+quote(value)+`;
		for (const name of ['input', 'change']) el.dispatchEvent(new Event(name, {bubbles: true}));
		return el.value === `+quote(value)+`;
	})(`+find1(selector)+`)`)
	if !ok {
		p.t.Fatalf("%s on %s has no option %q", selector, p.where(), value)
	}
}

// named are the keys that Press knows by name.
var named = map[string]rune{
	"Enter": '\r', "Escape": '\x1b', "Tab": '\t', "Shift+Tab": '\t', "Space": ' ', "Backspace": '\b', "Delete": '\x7f',
	"ArrowDown": '\u0301', "ArrowLeft": '\u0302', "ArrowRight": '\u0303', "ArrowUp": '\u0304',
}

// Press presses one key where the focus is: a character, or one of Enter, Escape, Tab, Shift+Tab, Space, Backspace,
// Delete, ArrowUp, ArrowDown, ArrowLeft, ArrowRight.
func (p *Page) Press(key string) {
	p.t.Helper()
	r, ok := named[key]
	if characters := []rune(key); !ok && len(characters) == 1 {
		r, ok = characters[0], true
	}
	if !ok {
		p.t.Fatalf("no key is named %q", key)
	}
	modifiers := chromedp.ModifierNone
	if key == "Shift+Tab" {
		modifiers = chromedp.ModifierShift
	}
	p.do("pressing "+key, stroke(r, modifiers))
}

// stroke presses and releases one key. The character comes with the key going down, as with a keyboard, and not as an
// event of its own: so a page that cancels keydown gets no character either.
func stroke(r rune, modifiers chromedp.Modifier) chromedp.Action[chromedp.Void] {
	events := kb.Encode(r)
	down, up := *events[0], *events[len(events)-1]
	if len(events) == 3 {
		down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
	}
	down.Modifiers |= int64(modifiers)
	up.Modifiers |= int64(modifiers)
	return chromedp.Steps(call(input.DispatchKeyEvent, down), call(input.DispatchKeyEvent, up))
}

// WaitFor waits until an element can be seen.
func (p *Page) WaitFor(selector string) {
	p.t.Helper()
	await[bool](p, "waiting for "+selector, visible(selector)+" || null")
}

// WaitText waits until the shown text of an element contains a text. The element may come later, or be replaced or
// loaded anew meanwhile.
func (p *Page) WaitText(selector, text string) {
	p.t.Helper()
	await[bool](p, fmt.Sprintf("waiting for %q in %s", text, selector), find1(selector)+"?.innerText.includes("+quote(text)+") || null")
}

// WaitGone waits until no element that matches first can be seen.
func (p *Page) WaitGone(selector string) {
	p.t.Helper()
	await[bool](p, "waiting until "+selector+" is gone", "!"+visible(selector)+" || null")
}

// Text gives an element's text as it is shown, without space around it. It waits until the element is there.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	return strings.TrimSpace(await[string](p, "reading the text of "+selector, find1(selector)+"?.innerText ?? null"))
}

// Value gives what a field holds. It waits until the field is there.
func (p *Page) Value(selector string) string {
	p.t.Helper()
	return await[string](p, "reading the value of "+selector, find1(selector)+"?.value ?? null")
}

// Attr gives an attribute of an element as it stands in the document now, and whether the element has it. It waits until
// the element is there.
func (p *Page) Attr(selector, name string) (string, bool) {
	p.t.Helper()
	values := await[[]string](p, "reading "+name+" of "+selector, `(el => {
		if (!el) return null;
		return el.hasAttribute(`+quote(name)+`) ? [el.getAttribute(`+quote(name)+`)] : [];
	})(`+find1(selector)+`)`)
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

// Exists tells whether an element matches now, visible or not.
func (p *Page) Exists(selector string) bool { p.t.Helper(); return p.Count(selector) > 0 }

// Visible tells whether the first element that matches can be seen now; one that is not there cannot.
func (p *Page) Visible(selector string) bool { p.t.Helper(); return Eval[bool](p, visible(selector)) }

// Count gives the number of elements that match now, visible or not.
func (p *Page) Count(selector string) int {
	p.t.Helper()
	return Eval[int](p, "document.querySelectorAll("+quote(selector)+").length")
}

// Focused gives the id of the element that has the focus, or its name in lower case when it has no id.
func (p *Page) Focused() string {
	p.t.Helper()
	return Eval[string](p, "document.activeElement ? document.activeElement.id || document.activeElement.localName : ''")
}

// URL gives the address on show.
func (p *Page) URL() string {
	p.t.Helper()
	return run(p, "reading the address", chromedp.Location())
}

// Title gives the document's title.
func (p *Page) Title() string {
	p.t.Helper()
	return run(p, "reading the title", chromedp.Title())
}

// HTML gives the whole document as it stands now.
func (p *Page) HTML() string {
	p.t.Helper()
	return Eval[string](p, "document.documentElement.outerHTML")
}

// Screenshot writes the whole page as a PNG picture; folders of the path are made.
func (p *Page) Screenshot(path string) {
	p.t.Helper()
	// At a quality of 100 the picture is a PNG.
	picture := run(p, "taking a picture", chromedp.FullScreenshot(100))
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, picture, 0o644)
	}
	if err != nil {
		p.t.Fatalf("keeping the picture: %v", err)
	}
}

// Dark sets whether the system prefers dark from now on.
func (p *Page) Dark(on bool) {
	p.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	p.do("setting the colour scheme", call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: media(scheme)}))
}

// Resize gives the window another size, in CSS pixels.
func (p *Page) Resize(width, height int) {
	p.t.Helper()
	p.do("resizing", chromedp.EmulateViewport(int64(width), int64(height)))
}

// Stay answers later dialogs with "cancel" (true) or with "OK" (false, as at the start). A dialog that asks before a
// changed form is left counts as one.
func (p *Page) Stay(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stay = on
}

// Eval evaluates a JavaScript expression in the page and gives its value, waiting for it when it is a promise. It works
// without the page's scripts too.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	return run(p, "evaluating a script", chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// await evaluates an expression again and again until it is not null, and gives its value. It outlives a change of the
// document, as a page may renew itself meanwhile.
func await[T any](p *Page, what, expression string) T {
	p.t.Helper()
	ctx, done := p.within()
	defer done()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	var thrown *chromedp.ExceptionError
	for {
		value, err := chromedp.Run(ctx, chromedp.Evaluate[*T](expression))
		if err == nil && value != nil {
			return *value
		}
		if errors.As(err, &thrown) {
			p.t.Fatalf("%s on %s: %v", what, p.where(), err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			p.t.Fatalf("%s on %s: not within %v%s", what, p.where(), Patience, p.said())
		}
	}
}

// find1 and visible are the expressions behind every selector.
func find1(selector string) string { return "document.querySelector(" + quote(selector) + ")" }

func visible(selector string) string {
	return "!!" + find1(selector) + "?.checkVisibility({visibilityProperty: true, opacityProperty: true})"
}

// quote makes a JavaScript text of a Go text.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a text can always be written
	}
	return string(b)
}
