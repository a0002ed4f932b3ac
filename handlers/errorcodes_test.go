package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"callboard/store"
	"callboard/tencent"
)

// TestEveryCodeIsExplained: cause, what to do, whose side, whether it may be repeated, in both languages.
func TestEveryCodeIsExplained(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Support)
	for _, l := range []string{"en", "zh-Hans"} {
		w.exec(`UPDATE users SET language = $1 WHERE name = 'support'`, l)
		p := w.printer[l]
		list := b.get("/errors")
		wantStatus(t, list, http.StatusOK)
		for _, e := range tencent.ErrorCodes() {
			id := "error." + itoa64(e.Code) + "."
			page := b.get(codePath(e.Code))
			wantStatus(t, page, http.StatusOK)
			for _, want := range []string{p.T(id + "meaning"), p.T(id + "cause"), p.T(id + "do"), p.T("side." + string(e.Side)), p.T("repeat." + string(e.Repeat))} {
				if !strings.Contains(page.text("main"), strings.Join(strings.Fields(want), " ")) {
					t.Errorf("%s: the page of %d lacks %q", l, e.Code, want)
				}
			}
			if list.count(`tbody a[href="`+codePath(e.Code)+`"]`) != 1 {
				t.Errorf("%s: %d is not in the list", l, e.Code)
			}
		}
	}
}

func TestErrorCodesAreFound(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Support)
	all := len(tencent.ErrorCodes())
	for q, want := range map[string]struct {
		rows    int    // -1: some, but not all
		has     string // a code among them
		unknown string // the page of a code that is not in the list
	}{
		"": {all, "70001", ""}, "70001": {1, "70001", ""}, "700": {-1, "70009", ""}, "10150": {1, "10100–10200", ""}, "SIGNATURE": {-1, "60004", ""}, "4711": {0, "", "/errors/4711"}, "-5": {0, "", "/errors/-5"},
		"nosuchword": {0, "", ""}, "<b>\x00": {0, "", ""}, "99999999999999999999": {0, "", ""},
	} {
		p := b.get("/errors?q=+" + url.QueryEscape(q) + "+")
		wantStatus(t, p, http.StatusOK)
		list := numbers(p)
		if want.rows >= 0 && len(list) != want.rows || want.rows < 0 && (len(list) == 0 || len(list) == all) || want.has != "" && !slices.Contains(list, want.has) {
			t.Errorf("%q finds %q", q, list)
		}
		if want.rows == 0 && p.text("h2") != w.T("codes.none_title") {
			t.Errorf("%q: the page says %q", q, p.text("main"))
		}
		if got := p.attr(".cb-empty .btn-primary", "href"); got != want.unknown {
			t.Errorf("%q leads to %q, want %q", q, got, want.unknown)
		}
		if got := p.attr("main #q", "value"); !strings.HasPrefix(got, strings.TrimSpace(q)[:min(3, len(strings.TrimSpace(q)))]) {
			t.Errorf("%q stands in the field as %q", q, got)
		}
	}
}

func TestUnknownCodeSaysSo(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Support)
	p := b.get("/errors/4711")
	for _, want := range []string{"4711", w.T("error.unknown.cause"), w.T("error.unknown.do"), w.T("errors.not_known")} {
		if !strings.Contains(p.text("main"), want) {
			t.Errorf("the page of an unknown code lacks %q", want)
		}
	}
	wantStatus(t, b.get("/errors/x"), http.StatusNotFound)
	past(w)
	if p := b.get("/changes/2"); p.count(`main a[href="/errors/60020"]`) != 1 {
		t.Error("an entry does not lead to the page of its code")
	}
}
