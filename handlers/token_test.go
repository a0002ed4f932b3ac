package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
	"callboard/views"
)

func tokenOf(id int64) string { return views.AppPath(id, "/token") }

func TestToken(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b, support := w.as(store.Operator), w.as(store.Support)
		p := b.get(tokenOf(appID))
		if got := p.text("main .cb-state"); got != w.T("token.none") {
			t.Errorf("the page says %q", got)
		}
		// A mistake keeps the reason and never the token.
		p = b.post(tokenOf(appID), url.Values{"do": {"set"}, "token": {"two words"}, "reason": {"so that calls are signed"}})
		wantStatus(t, p, http.StatusUnprocessableEntity)
		if p.attr("#reason", "value") != "so that calls are signed" || strings.Contains(p.Body.String(), "two words") || p.count("#errors li") != 1 {
			t.Errorf("reason %q, mistakes %q", p.attr("#reason", "value"), p.text("#errors"))
		}
		// Enter in the token's field presses the first button, which generates: who typed a token does not get another one.
		p = b.post(tokenOf(appID), url.Values{"do": {"generate"}, "token": {"my-own-token"}, "reason": {"so that calls are signed"}})
		wantStatus(t, p, http.StatusUnprocessableEntity)
		if p.text("#token-err") != w.T("problem.token_unused") || w.number(`SELECT COUNT(*) FROM plans`) != 0 {
			t.Errorf("a typed token was passed over: %q", p.text("#token-err"))
		}
		p = b.post(tokenOf(appID), url.Values{"do": {"generate"}, "reason": {"so that calls are signed"}})
		wantStatus(t, p, http.StatusSeeOther)
		plan := p.location()
		if p := support.get(plan); p.count("#new-token") != 0 {
			t.Error("somebody else sees the new token")
		}
		p = b.get(plan)
		token := p.text("#new-token")
		if len(token) < 32 || p.count("input[name=tick]") != 0 {
			t.Fatalf("the plan shows %q and %d boxes", token, p.count("input[name=tick]"))
		}
		change := b.apply(plan) // looks at the plan again
		if got, _ := w.box.Token(appID); got.Token != token || !got.IsTokenEnable {
			t.Errorf("Tencent has %d characters", len(got.Token))
		}
		for _, path := range []string{plan, change, tokenOf(appID), "/history", "/history.jsonl", tokenOf(appID) + "/check"} {
			p := b.get(path)
			if p.Code != http.StatusOK || strings.Contains(p.Body.String(), token) {
				t.Errorf("%s: %d, or it shows the token", path, p.Code)
			}
		}
		if n := w.number(`SELECT COUNT(*) FROM plans WHERE token IS NOT NULL`); n != 0 {
			t.Errorf("%d plans still hold a token", n)
		}
		p = b.get(tokenOf(appID))
		if p.text("main .cb-state") != w.T("token.on") || !strings.Contains(p.text("main"), "43") || !strings.Contains(p.text("main"), "operator") {
			t.Errorf("the page says %q", p.text("main"))
		}
		if p := b.get(change); !strings.Contains(p.text("h1"), "Accepted") || p.count(".cb-effect") != 0 || !strings.Contains(p.text("main"), w.T("what.token_set")) {
			t.Errorf("the change says %q", p.text("main"))
		}
		if line := b.get("/history.jsonl?q=%231").Body.String(); !strings.Contains(line, `"kind":"token"`) || !strings.Contains(line, `"previous":null,"wanted":null`) {
			t.Errorf("the export has %s", line)
		}
		// Support looks, and changes nothing.
		if p := support.get(tokenOf(appID)); p.count("main form") != 0 {
			t.Error("support has a form")
		}
		wantStatus(t, support.post(tokenOf(appID), url.Values{"do": {"delete"}, "reason": {"x"}}), http.StatusForbidden)
		wantStatus(t, b.post(tokenOf(appID), url.Values{"do": {"nonsense"}, "reason": {"x"}}), http.StatusBadRequest)
	})
}

// TestTokenUnread is about a page that does not know the token: why, what Tencent wrote, and a way to try again.
func TestTokenUnread(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	w.box.Script(sandbox.Fault{Command: "get_callback_token", Code: 70001, Info: "expired <b>"})
	p := b.get(tokenOf(appID))
	if main := p.text("main"); p.text("main .cb-state") != w.T("token.unread") || !strings.Contains(main, "expired <b>") || !strings.Contains(main, "Id-") || !strings.Contains(main, w.T("fact.clock")) {
		t.Errorf("of a refusal the page says %q", main)
	}
	// An answer that nobody understands is no refusal with the code 0.
	for command, path := range map[string]string{"get_callback_token": tokenOf(appID), "get_callback": formOf(appID)} {
		w.box.Script(sandbox.Fault{Command: command, Body: `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","RequestId":"Id-1","Response":{"Url":5,"Token":5}}`})
		if p := b.get(path); !strings.Contains(p.text("main"), w.T("fault.shape")) || strings.Contains(p.text("main"), w.T("change.about_code", "Code", 0)) {
			t.Errorf("%s says %q", path, p.text("main"))
		}
	}
	w.box.Script(sandbox.Fault{Command: "get_callback_token", Drop: "before"})
	for _, want := range []string{"token.unread", "token.rested"} { // the second look does not wait for the silent host
		calls := len(w.box.Journal())
		p = b.get(tokenOf(appID))
		if p.text("main .cb-state") != w.T(want) || (len(w.box.Journal()) == calls) != (want == "token.rested") {
			t.Errorf("the page says %q, want %q; %d calls", p.text("main .cb-state"), w.T(want), len(w.box.Journal())-calls)
		}
	}
	if p := w.as(store.Support).get(tokenOf(appID)); p.count("main form") != 0 {
		t.Error("support has a form")
	}
	// What was typed stays through trying again.
	p = b.post(tokenOf(appID), url.Values{"do": {"delete"}, "token": {"x"}, "reason": {"typed"}})
	wantStatus(t, p, http.StatusUnprocessableEntity)
	p = b.press(p, "main form", url.Values{"do": {"read"}})
	if p.text("main .cb-state") != w.T("token.none") || p.attr("#reason", "value") != "typed" {
		t.Errorf("after another look the page says %q, with the reason %q", p.text("main .cb-state"), p.attr("#reason", "value"))
	}
}

func TestTokenRotationPage(t *testing.T) {
	w := newWorld(t)
	w.box.SetToken(appID, &sandbox.Token{Token: "the-old-one", IsTokenEnable: true})
	b := w.as(store.Operator)
	p := b.post(tokenOf(appID), url.Values{"do": {"rotate"}, "reason": {"yearly"}})
	wantStatus(t, p, http.StatusSeeOther)
	plan := p.location()
	second := b.post(tokenOf(appID), url.Values{"do": {"rotate"}, "reason": {"again"}})
	wantStatus(t, second, http.StatusConflict)
	if !strings.Contains(second.text(".cb-note"), w.T("rotation.second")) {
		t.Errorf("a second rotation is refused with %q", second.text(".cb-note"))
	}
	steps := func() int { return b.get(tokenOf(appID)).count("main ol .cb-state.ok") }
	for i, do := range []func(){
		func() {},
		func() { b.post(tokenOf(appID), url.Values{"do": {store.RotationLearned}}) },
		func() { b.apply(plan) },
		func() { b.post(tokenOf(appID), url.Values{"do": {store.RotationSeen}}) },
		func() { b.post(tokenOf(appID), url.Values{"do": {store.RotationDropped}}) },
	} {
		if do(); steps() != i {
			t.Errorf("%d steps are done, want %d", steps(), i)
		}
	}
	wantSeeOther(t, b.post(tokenOf(appID), url.Values{"do": {"end"}}), tokenOf(appID))
	if p := b.get(tokenOf(appID)); p.count("main ol") != 0 {
		t.Error("the checklist stays")
	}
}

func TestTokenCheckPage(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Support)
	check := func(address string) page {
		p := b.post(tokenOf(appID)+"/check", url.Values{"address": {address}})
		return p
	}
	signed := "https://a.example/cb?SdkAppid=7&Sign=3d71664380e98315581c949fb12cd7e956e4c46a500ab797f73e88381de661ab&RequestTime=1735689600"
	for _, test := range []struct{ name, token, address, says string }{
		{"fits", "demo-token-1", signed, "bench.fits"},
		{"another token", "demo-token-2", signed, "bench.sign"},
		{"no token", "", signed, "bench.no_token"},
		{"nothing pasted", "demo-token-1", " ", "bench.nothing"},
		{"markup", "demo-token-1", `<script>alert(1)</script>?Sign=`, "bench.sign_missing"},
	} {
		w.box.SetToken(appID, nil)
		if test.token != "" {
			w.box.SetToken(appID, &sandbox.Token{Token: test.token, IsTokenEnable: true})
		}
		p := check(test.address)
		if p.Code != http.StatusOK || !strings.Contains(p.text(".cb-note"), w.T(test.says)) {
			t.Errorf("%s: %d, %q", test.name, p.Code, p.text(".cb-note"))
		}
		if test.token != "" && strings.Contains(p.Body.String(), test.token) {
			t.Errorf("%s: the page shows the token", test.name)
		}
		if p.text("#address") != strings.TrimSpace(test.address) {
			t.Errorf("%s: the field has %q", test.name, p.text("#address"))
		}
	}
	if p := check(signed); !strings.Contains(p.text("main"), "7") {
		t.Errorf("another app's address: %q", p.text("main"))
	}
	w.box.Script(sandbox.Fault{Command: "get_callback_token", Status: http.StatusBadGateway})
	wantStatus(t, check(signed), http.StatusConflict)
}
