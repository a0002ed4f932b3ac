package e2e_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/e2e/browser"
)

// shown is one page in one state.
type shown struct {
	name, path string
	status     int
	act        func(v *visitor) // brings the page into its state; nil when it is so
	says       string           // what proves the state
}

// pages are all pages of a signed-in administrator in the states that look different.
func pages(d *demo, unknown, moved string) []shown {
	edit := func(v *visitor) {
		v.Fill("#url", "http://10.0.4.17:8080/live?key=aurora-and-a-rather-long-value-that-has-no-place-to-break")
		v.press("button[value=none]")
		v.Check(box(gift), true)
		v.Check(box(policy), true)
		v.Check(box("Group.CallbackBeforeSendMsg"), true)
	}
	review := func(v *visitor) { edit(v); v.review("Look at the plan") }
	first := func(v *visitor) { v.Follow("tbody th a") }
	return []shown{
		{"overview", "/overview", 200, nil, "apps need attention"},
		{"apps", "/apps", 200, nil, "Aurora Stage"},
		{"apps, nothing matches", "/apps?q=nosuchapp", 200, nil, "No app matches"},
		{"new app", "/apps/new", 200, nil, "Add an app"},
		{"new app with mistakes", "/apps/new", 422, func(v *visitor) { v.Follow("main button[type=submit]") }, "something has to be corrected"},
		{"settings", "/apps/" + aurora + "/settings", 200, nil, "Archive this app"},
		{"settings, locked", "/apps/" + tidepool + "/settings", 200, nil, "Locked until change"},
		{"callback", form(aurora), 200, nil, "The cloud now"},
		{"callback, draft", form(aurora), 200, func(v *visitor) { edit(v); v.Follow("button[value=check].btn") }, "Your draft"},
		{"callback with mistakes", form(aurora), 422, func(v *visitor) {
			v.Fill("#url", "ftp://user@ho--st.example.com/a b")
			v.Follow(reviewButton)
		}, "things to correct"},
		{"callback, nothing matches", form(aurora), 200, func(v *visitor) { v.Fill("#f", "nosuchevent") }, "No event matches"},
		{"callback, none", form(fieldnotes), 200, nil, "Tencent has no callback"},
		{"callback, drift", form(harbor), 200, nil, "The cloud differs from our record"},
		{"callback, unlisted", form(market), 200, nil, "Not in our list"},
		{"callback, unreadable", form(cedar), 200, nil, "Tencent refused to be read"},
		{"callback, open change", form(tidepool), 200, nil, "is not settled yet"},
		{"review", form(aurora), 200, review, "What this means"},
		{"review, ticks missing", form(aurora), 422, func(v *visitor) { review(v); v.Follow(applyButton) }, "tick the boxes first"},
		{"review, nothing differs", form(aurora), 200, func(v *visitor) { v.review("Nothing new") }, "Already so in the cloud"},
		{"change, applied", "/history?q=" + aurora, 200, first, "Accepted by Tencent"},
		{"change, refused", "/history?state=refused", 200, first, "Tencent refused"},
		{"change, unknown", "/changes/" + unknown, 200, nil, "Close by hand"},
		{"change, moved", "/changes/" + moved, 200, nil, "Review merged"},
		{"change, drift", "/history?state=drift", 200, first, "Changed outside this console"},
		{"support bundle", "/changes/" + unknown + "/bundle", 200, nil, "What was removed"},
		{"history", "/history", 200, nil, "Export as JSON lines"},
		{"history of one app", "/history?q=" + market, 200, nil, "Understood as"},
		{"history, nothing matches", "/history?q=Id-00000000000000000000000000000000", 200, nil, "No entry with this RequestId"},
		{"token", "/apps/" + market + "/token", 200, nil, "At Tencent now"},
		{"token with mistakes", "/apps/" + market + "/token", 422, func(v *visitor) { v.Follow("button[value=set]") }, "A token has 1 to 128 characters"},
		{"token, a plan", "/apps/" + market + "/token", 200, func(v *visitor) { v.Fill("#reason", "A test"); v.Follow("button[value=generate]") }, "shown this once"},
		{"signature bench", "/apps/" + market + "/token/check", 200, func(v *visitor) { v.Fill("#address", "?Sign=a&RequestTime=1"); v.Follow("main button[type=submit]") }, "outside the window"},
		{"history, a search that was not understood", "/history?q=outcome:fine", 200, nil, "Ignored: outcome:fine"},
		{"compare", "/apps/" + market + "/compare?from=record&to=cloud", 200, nil, "Our record"},
		{"compare, an unknown side", "/apps/" + market + "/compare?from=999999", 404, nil, "nothing here"},
		{"time machine", "/apps/" + market + "/at", 200, nil, "Date and time"},
		{"time machine, known", "/apps/" + market + "/at?time=" + time.Now().UTC().Add(-5*24*time.Hour).Format("2006-01-02T15:04"), 200, nil, "Known by the readings around"},
		{"time machine, not known", "/apps/" + market + "/at?time=2020-01-01T00:00", 200, nil, "Not known"},
		{"time machine, nonsense", "/apps/" + market + "/at?time=tomorrow", 422, nil, "tomorrow is no date and time"},
		{"restore", form(market) + "?restore=6", 200, nil, "Filled from #6"},
		{"events", "/events", 200, nil, "Room created"},
		{"error codes", "/errors", 200, nil, "Meaning and cause"},
		{"error codes, nothing matches", "/errors?q=4711", 200, nil, "not in our list"},
		{"error code", "/errors/70009", 200, nil, "What to do:"},
		{"unknown error code", "/errors/4711", 200, nil, "4711"},
		{"audit", "/audit", 200, nil, "Refused attempts"},
		{"audit, nothing matches", "/audit?person=nosuchperson", 200, nil, "No row matches"},
		{"audit with mistakes", "/audit?app=x&from=2026-03-02&to=2026-03-01", 422, nil, "An SDKAppID is a number"},
		{"roles", "/users/roles", 200, nil, "Who may do what"},
		{"users", "/users", 200, nil, "Invite somebody"},
		{"invite", "/users/new", 200, nil, "Invite and show the link"},
		{"invite with mistakes", "/users/new", 422, func(v *visitor) { v.Follow("main button[type=submit]") }, "A user name has"},
		{"user with a link", "/users/4", 200, func(v *visitor) { v.Follow("button[value=link]") }, "shown only now"},
		{"account", "/account", 200, nil, "Language, theme, times and keys"},
		{"account with mistakes", "/account", 422, func(v *visitor) { v.Follow("button[value=password]") }, "This is not your current password"},
		{"account, menu open", "/account", 200, func(v *visitor) { v.Click(".cb-menu > summary") }, "Sign out"},
		{"no such page", "/changes/999999", 404, nil, "There is no such entry"},
	}
}

// TestPages looks at every page with one demo, which has a change of unknown outcome and one that met a moved cloud.
func TestPages(t *testing.T) {
	d := startDemo(t)
	unknown, moved := prepare(t, d)
	list := pages(d, unknown, moved)
	t.Run("access", func(t *testing.T) { access(t, d.of(t), list) })
	t.Run("weight", func(t *testing.T) { weight(t, d.of(t), "/changes/"+unknown, list) })
	t.Run("Chinese and dark", func(t *testing.T) { chineseAndDark(t, d.of(t), list) })
}

// addresses keeps one page of each address.
func addresses(list []shown) []shown {
	var kept []shown
	for _, x := range list {
		if !slices.ContainsFunc(kept, func(k shown) bool { return k.path == x.path }) {
			kept = append(kept, x)
		}
	}
	return kept
}

// invite makes a fourth user, who has not come yet: a new link takes nothing from the ones who sign in here.
func invite(t *testing.T, d *demo) {
	v := d.visit(t, "admin", browser.Options{})
	v.open("/users/new")
	v.Fill("#username", "guest")
	v.Follow("main button[type=submit]")
}

// prepare gives the numbers of a change that stays unknown and of one that was not sent because the cloud had moved.
func prepare(t *testing.T, d *demo) (unknown, moved string) {
	invite(t, d)
	v := d.visit(t, "operator", browser.Options{})
	v.open(form(staging))
	v.Fill("#url", "https://mine.example.com/live/aurora")
	v.Check(box(messages), true)
	v.review("Ours")
	d.setBehind(staging, "https://theirs.example.com/live/aurora", created, destroyed, pinned)
	moved = v.apply()

	v.open(form(tidepool))
	v.Check(box(members), true)
	v.review("Members too")
	d.fault(map[string]any{"command": "update_callback", "drop": "after"})
	d.fault(map[string]any{"command": "get_callback"})
	d.fault(map[string]any{"sdkappid": 20010712, "command": "get_callback", "times": -1, "code": 60008, "info": "service timeout"})
	return v.apply(), moved
}

// bring opens a page and brings it into its state.
func (v *visitor) bring(x shown) {
	v.t.Helper()
	v.open(x.path)
	v.Take("beforeunload")
	if x.act != nil {
		x.act(v)
	}
	v.status(x.status)
}

// access looks at every page in both themes and at two widths.
func access(t *testing.T, d *demo, list []shown) {
	v := d.visit(t, "admin", browser.Options{})
	v.signOut()
	look(v, "sign-in")
	v.Fill("#username", "admin")
	v.Fill("#password", "wrong")
	v.Follow("main button[type=submit]")
	v.status(422)
	look(v, "sign-in, wrong password")
	v.signIn("admin")
	for _, x := range list {
		v.bring(x)
		v.says("body", x.says)
		look(v, x.name)
	}
	v.open("/events")
	v.Take("beforeunload")
}

// look has axe look at the page, with all that can be folded open, and finds out whether it scrolls sideways.
func look(v *visitor, name string) {
	v.t.Helper()
	browser.Eval[bool](v.Page, "(document.querySelectorAll('main details').forEach(el => el.open = true), true)")
	for _, dark := range []bool{false, true} {
		v.Dark(dark)
		for _, width := range []int{1280, 390} {
			v.Resize(width, 900)
			browser.Eval[bool](v.Page, drawn)
			seen := fmt.Sprintf("%s, %d pixels, dark %v", name, width, dark)
			v.Axe(named{v.t, seen})
		}
	}
	for _, width := range []int{320, 390, 768, 800, 896, 960, 1024, 1104, 1280} {
		v.Resize(width, 900)
		browser.Eval[bool](v.Page, drawn)
		if wide := browser.Eval[string](v.Page, sideways); wide != "" {
			v.t.Errorf("%s, %d pixels, scrolls sideways: %s", name, width, wide)
		}
	}
	for _, m := range v.Take("") {
		v.t.Errorf("on %s the browser reported: %s", name, m)
	}
	v.Dark(false)
	v.Resize(1280, 900)
	browser.Eval[bool](v.Page, drawn)
}

// drawn waits until what was changed has been drawn.
const drawn = `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`

// sideways says how much wider than the window the page is, and which elements stick out.
const sideways = `(() => {
	const {scrollWidth, clientWidth} = document.scrollingElement;
	if (scrollWidth <= clientWidth) return '';
	const out = [...document.querySelectorAll('body *')].filter(el => el.getBoundingClientRect().right > clientWidth + 1).map(el => el.localName + '.' + el.className);
	return scrollWidth + ' of ' + clientWidth + ': ' + out.slice(0, 5).join(', ');
})()`

// named says in front of each failure where it was.
type named struct {
	*testing.T
	name string
}

// Errorf fails the test.
func (n named) Errorf(format string, args ...any) {
	n.Helper()
	n.T.Errorf("%s: "+format, append([]any{n.name}, args...)...)
}

// weight adds up what comes over the wire: of a first visit, and of each page afterwards.
func weight(t *testing.T, d *demo, renewing string, list []shown) {
	v := &visitor{Page: browser.Start(t, browser.Options{}), t: t, base: d.base, script: true}
	v.open("/sign-in")
	n := browser.Eval[int](v.Page, transferred)
	t.Logf("the first visit takes %d bytes", n)
	if n > 150_000 {
		t.Errorf("the first visit takes %d bytes", n)
	}
	v.signIn("admin")
	// The first page that renews itself brings htmx along.
	v.open(renewing)
	if n := browser.Eval[int](v.Page, transferred); n > 25_000 {
		t.Errorf("the first page that renews itself takes %d bytes", n)
	}
	for _, x := range addresses(list) {
		v.open(x.path)
		v.Take("Failed to load resource")
		n := browser.Eval[int](v.Page, transferred)
		if n > 20_000 {
			t.Errorf("%s takes %d bytes", x.name, n)
		}
	}
}

const transferred = `[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce((sum, x) => sum + x.transferSize, 0)`

var chinese = regexp.MustCompile(`\p{Han}`)

// chineseAndDark chooses both on the account page; every page follows, also after signing out.
func chineseAndDark(t *testing.T, d *demo, list []shown) {
	v := d.visit(t, "admin", browser.Options{NoScript: true})
	v.open("/account")
	v.Choose("#language", "zh-Hans")
	v.Choose("#theme", "dark")
	v.Follow("button[value=preferences]")
	follows := func(name string) {
		t.Helper()
		lang, theme, heading := attr(v, "html", "lang"), attr(v, "html", "data-bs-theme"), v.Text("h1")
		if lang != "zh-Hans" || theme != "dark" || !chinese.MatchString(heading+v.Text("main")) {
			t.Errorf("%s has the language %q, the theme %q and the heading %q", name, lang, theme, heading)
		}
	}
	follows("account")
	for _, x := range addresses(list) {
		v.open(x.path)
		v.Take("Failed to load resource")
		follows(x.name)
	}
	v.signOut()
	follows("sign-in")
	v.signIn("support")
	if lang, theme := attr(v, "html", "lang"), attr(v, "html", "data-bs-theme"); lang != "zh-Hans" || theme != "" {
		t.Errorf("somebody else at this browser has the language %q and the theme %q", lang, theme)
	}
}

// TestFirstStart sets a console up: the code is printed, the page closes, and there is no app yet.
func TestFirstStart(t *testing.T) {
	printed := start(t, "Setup code", "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	code := regexp.MustCompile(`Setup code: (\S+)`).FindStringSubmatch(printed)[1]
	v := &visitor{Page: browser.Start(t, browser.Options{}), t: t, base: address.FindString(printed), script: true}
	v.open("/apps")
	v.Goto(v.base + "/sign-in")
	v.at("/setup")
	look(v, "setup")
	v.Fill("#code", "wrong")
	v.Follow("main button[type=submit]")
	v.status(422)
	look(v, "setup with mistakes")
	v.Fill("#code", strings.ToLower(code))
	v.Fill("#username", "ines")
	v.Fill("#password", password)
	v.Follow("main button[type=submit]")
	v.at("/apps")
	v.says("main", "No app is set up", "Add the first app")
	look(v, "no apps")
	v.open("/history")
	v.says("main", "Nothing was changed through this console yet")
	look(v, "no history")
	v.signOut()
	v.open("/setup")
	if v.Exists("#code") {
		t.Error("the setup page is still open")
	}
}
