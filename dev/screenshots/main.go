// Screenshots takes pictures of every page of the demo, light, dark and narrow, so that people can look at them.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"callboard/e2e/browser"
)

const password = "pictures-of-the-demo"

// taker is the browser's T of a program that is no test.
type taker struct{ cleanups []func() }

func (t *taker) Helper()          {}
func (t *taker) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }
func (t *taker) Errorf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
func (t *taker) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	t.close()
	os.Exit(1)
}

func (t *taker) close() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
	t.cleanups = nil
}

func main() {
	out := flag.String("out", "screenshots", "folder of the pictures")
	only := flag.String("only", "", "take only pictures whose name contains this")
	language := flag.String("language", "en", "language of the pages")
	flag.Parse()
	t := &taker{}
	if err := take(t, *out, *only, *language); err != nil {
		t.Fatalf("%v", err)
	}
	t.close()
	if err := browser.Close(); err != nil {
		t.Fatalf("%v", err)
	}
}

// page is a page with what is done on it before the picture.
type page struct {
	name, path string
	act        func(*browser.Page)
}

func pages(base, variant string) []page {
	aurora := base + "/apps/20010452/callback"
	edit := func(p *browser.Page) {
		p.Fill("#url", "https://live-hooks.example.com/live/aurora"+variant)
		p.Check("#ev-Group-CallbackBeforeSendMsg", true)
		p.Check("#ev-Live-CallbackBeforeCallBackNotBlock", true)
		p.Check("#ev-Group-CallbackAfterSendMsg", false)
		p.Fill("#reason", "Move to the new gateway and check messages")
	}
	review := func(p *browser.Page) { edit(p); p.Follow(".cb-foot .btn-primary") }
	return []page{
		{"overview", base + "/overview", nil},
		{"apps", base + "/apps", nil},
		{"apps-attention", base + "/apps?state=attention", nil},
		{"callback", aurora, nil},
		{"callback-draft", aurora, func(p *browser.Page) { edit(p); p.Follow("button[value=check].btn") }},
		{"callback-errors", aurora, func(p *browser.Page) {
			p.Fill("#url", " https://user@10.0.4.17:9000/live?key=aurora ")
			p.Follow(".cb-foot .btn-primary")
			p.Take("422")
		}},
		{"callback-none", base + "/apps/20010655/callback", nil},
		{"callback-drift", base + "/apps/20010377/callback", nil},
		{"callback-unreadable", base + "/apps/20010619/callback", nil},
		{"callback-unlisted", base + "/apps/1400733901/callback", nil},
		{"review", aurora, review},
		{"result", aurora, func(p *browser.Page) {
			review(p)
			for i := range p.Count("input[name=tick]") {
				browser.Eval[bool](p, fmt.Sprintf("(document.querySelectorAll('input[name=tick]')[%d].click(), true)", i))
			}
			p.Follow(".cb-foot button[type=submit]")
			p.WaitFor(".cb-outcome.ok")
		}},
		{"history", base + "/history", nil},
		{"history-empty", base + "/history?q=Id-00000000000000000000000000000000", nil},
		{"audit", base + "/audit", nil},
		{"roles", base + "/users/roles", nil},
		{"refused", base + "/history?state=refused", func(p *browser.Page) { p.Follow("tbody th a") }},
		{"drift", base + "/history?state=drift", func(p *browser.Page) { p.Follow("tbody th a") }},
		{"token", base + "/apps/20010377/token", nil},
		{"token-plan", base + "/apps/20010377/token", func(p *browser.Page) { p.Fill("#reason", "Yearly change"); p.Follow("button[value=generate]") }},
		{"token-check", base + "/apps/20010377/token/check", nil},
		{"history-search", base + "/history?q=outcome:applied+aurora+from:2026-13-01", nil},
		{"compare", base + "/apps/20010377/compare", nil},
		{"at", base + "/apps/20010452/at?time=2026-11-20T12:00", nil},
		{"restore", base + "/apps/20010377/callback?restore=2", nil},
		{"delete-plan", aurora, func(p *browser.Page) {
			p.Click("details.card:last-of-type summary")
			p.Fill("#stop-reason", "Maintenance of the receiver")
			p.Follow("button[value=delete]")
		}},
		{"settings", base + "/apps/20010452/settings", nil},
		{"new-app", base + "/apps/new", nil},
		{"events", base + "/events", nil},
		{"codes", base + "/errors?q=signature", nil},
		{"users", base + "/users", nil},
		{"invite", base + "/users/new", nil},
		{"user", base + "/users/2", nil},
		{"code", base + "/errors/70009", nil},
		{"bundle", base + "/history?state=refused", func(p *browser.Page) { p.Follow("tbody th a"); p.Follow("main a[href$='/bundle']") }},
		{"account", base + "/account", nil},
		{"not-found", base + "/changes/999999", func(p *browser.Page) { p.Take("404") }},
	}
}

func take(t *taker, out, only, language string) error {
	base, err := startDemo(t)
	if err != nil {
		return err
	}
	for _, v := range []struct {
		suffix string
		o      browser.Options
	}{{"", browser.Options{}}, {"-dark", browser.Options{Dark: true}}, {"-narrow", browser.Options{Width: 390, Height: 844}}} {
		v.o.Language = language
		p := browser.Start(t, v.o)
		p.Goto(base + "/sign-in")
		if only == "" {
			p.Screenshot(filepath.Join(out, "sign-in"+v.suffix+".png"))
		}
		p.Fill("#username", "admin")
		p.Fill("#password", password)
		p.Follow("button[type=submit]")
		for _, x := range pages(base, v.suffix) {
			if !strings.Contains(x.name+v.suffix, only) {
				continue
			}
			p.Goto(x.path)
			p.Take("beforeunload")
			if x.act != nil {
				x.act(p)
			}
			p.Screenshot(filepath.Join(out, x.name+v.suffix+".png"))
		}
	}
	return nil
}

var firstURL = regexp.MustCompile(`http://\S+`)

// startDemo builds and starts the demo on a free port.
func startDemo(t *taker) (string, error) {
	dir, err := os.MkdirTemp("", "callboard-pictures-")
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	binary := filepath.Join(dir, "callboard")
	ctx, cancel := context.WithCancel(context.Background())
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		cancel()
		return "", fmt.Errorf("building: %w: %s", err, text)
	}
	demo := exec.CommandContext(ctx, binary, "demo", "--listen", "127.0.0.1:0")
	demo.Env = append(os.Environ(), "CALLBOARD_DEMO_PASSWORD="+password)
	printed, err := demo.StdoutPipe()
	if err != nil {
		cancel()
		return "", err
	}
	if err := demo.Start(); err != nil {
		cancel()
		return "", err
	}
	t.Cleanup(func() { cancel(); _ = demo.Wait() })
	lines := bufio.NewScanner(printed)
	for lines.Scan() {
		if u := firstURL.FindString(lines.Text()); u != "" {
			go func() {
				for lines.Scan() {
				}
			}()
			return u, nil
		}
	}
	return "", fmt.Errorf("the demo printed no address")
}
