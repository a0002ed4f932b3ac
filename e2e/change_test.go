package e2e_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"callboard/e2e/browser"
)

// Sample apps of the demo.
const (
	aurora     = "20010452"   // six events, production
	staging    = "20010453"   // five events
	harbor     = "20010377"   // drifted
	fieldnotes = "20010655"   // no callback yet
	market     = "1400733901" // has a word that is not in the list
	cedar      = "20010619"   // its key is wrong
	tidepool   = "20010712"   // plain http
)

const (
	created   = "Live.CallbackAfterCreateRoom"
	destroyed = "Live.CallbackAfterDestroyRoom"
	updated   = "Live.CallbackAfterUpdateRoomInfo"
	members   = "Live.CallbackAfterMemberStateChanged"
	seats     = "Mic.CallbackAfterSeatInfoChanged"
	gift      = "Live.CallbackBeforeSendGift"
	policy    = "Live.CallbackBeforeCallBackNotBlock"
	messages  = "Group.CallbackAfterSendMsg"
	pinned    = "Live.CallbackAfterPinNotice" // not in our list
)

func form(app string) string { return "/apps/" + app + "/callback" }

// TestJobs does the work that the console is for, with script and without. The jobs of one mode share a demo: each has
// an app of its own, or follows the one before it there.
func TestJobs(t *testing.T) {
	jobs := []struct {
		name string
		do   func(t *testing.T, d *demo, o browser.Options)
	}{
		{"main job", mainJob},
		{"create", createForAppWithoutCallback},
		{"unlisted word", unlistedWordIsKept},
		{"drift", driftedApp},
		{"wrong key", wrongKey},
		{"add and archive", addArchiveAndTakeBack},
		{"moved cloud", movedCloud},
		{"lost answer", lostAnswer},
		{"create instead", createInstead},
		{"refusal", refusalIsExplained},
		{"keyboard", keyboard},
	}
	for _, mode := range []struct {
		name string
		o    browser.Options
	}{{"script", browser.Options{}}, {"no script", browser.Options{NoScript: true}}} {
		t.Run(mode.name, func(t *testing.T) {
			d := startDemo(t)
			for _, job := range jobs {
				t.Run(job.name, func(t *testing.T) { job.do(t, d.of(t), mode.o) })
			}
		})
	}
}

// mainJob goes from signing in to support finding the change.
func mainJob(t *testing.T, d *demo, o browser.Options) {
	before := d.writes()
	v := d.visit(t, "operator", o)
	v.Follow("a.main[href='" + form(aurora) + "']")
	v.says(".cb-head", "The cloud now, as Tencent answered at")
	v.same("#sentence", "6 of 19 ticked · as in the cloud")
	groupBox(v)
	allAndNone(v)
	filtered(v)
	v.Check(box(policy), true)
	v.Fill("#url", " https://events.example.com/live/aurora ")
	v.review("Move to the new gateway")

	v.says(".cb-lead", "Adds 1 event", "lets late gifts through", "moves the host from hooks.example.com to events.example.com", "for Aurora Stage ("+aurora+", sandbox-singapore).")
	v.says("main", "update_callback", "Added, 1 event and 1 setting", seats, policy, "hooks.example.com gets nothing more.", "Move to the new gateway", "Unchanged")
	v.Follow(applyButton)
	v.status(422)
	v.says("#errors", "Not sent yet: tick the boxes first", "I know that hooks.example.com gets nothing more after the change.")
	if d.writes() != before {
		t.Error("something was sent before the boxes were ticked")
	}

	number := v.apply()
	v.says(".cb-outcome h1", "Accepted by Tencent at")
	id := v.Text("#request-id")
	if !regexp.MustCompile(`^Id-[0-9a-f]{32}-O-Seq-\d+$`).MatchString(id) {
		t.Errorf("the RequestId is %q", id)
	}
	got, want := d.callback(aurora), []string{created, destroyed, updated, members, seats, messages, gift, policy}
	slices.Sort(got.CallbackCommandList)
	slices.Sort(want)
	if got.Url != "https://events.example.com/live/aurora" || !slices.Equal(got.CallbackCommandList, want) {
		t.Errorf("the cloud holds %v, want %v", got, want)
	}
	if n := d.writes() - before; n != 1 {
		t.Errorf("%d calls wrote, want 1", n)
	}
	v.signOut()
	support(v, number, id)
}

// groupBox ticks a half-filled group, then empties it.
func groupBox(v *visitor) {
	v.t.Helper()
	const room = "#group-room .cb-tri"
	for _, step := range []struct{ checked, sentence string }{
		{"mixed", "6 of 19 ticked · as in the cloud"},
		{"true", "10 of 19 ticked · +4 −0"},
		{"false", "3 of 19 ticked · +0 −3"},
	} {
		v.WaitFor(room + "[aria-checked=" + step.checked + "]")
		v.same("#sentence", step.sentence)
		v.press(room)
	}
}

func allAndNone(v *visitor) {
	v.t.Helper()
	for _, step := range []struct{ button, sentence string }{
		{"all", "19 of 19 ticked · +13 −0"},
		{"none", "0 of 19 ticked · +0 −6"},
		{"cloud", "6 of 19 ticked · as in the cloud"},
	} {
		v.press("button[name=do][value=" + step.button + "]")
		v.same("#sentence", step.sentence)
	}
}

// filtered ticks what the filter leaves; what it hides keeps its tick.
func filtered(v *visitor) {
	v.t.Helper()
	v.Fill("#f", "SEATinfo")
	if !v.script {
		v.Follow("button[value=filter]")
	}
	if !v.Visible(box(seats)) || v.Visible(box(created)) {
		v.t.Error("the filter shows the wrong rows")
	}
	v.same("button[value=all]", "Tick 1 shown")
	v.press("button[value=all]")
	v.same("#sentence", "7 of 19 ticked · +1 −0")
	v.Fill("#f", "")
	if !v.script {
		v.Follow("button[value=filter]")
	}
	v.WaitFor(box(created))
	v.same("button[value=all]", "All 19")
}

// support finds a change by its RequestId and can write nothing.
func support(v *visitor, number, id string) {
	v.t.Helper()
	v.signIn("support")
	v.Fill("#q-top", "\t "+id[:20]+" "+id[20:]+"  ")
	v.Loads(func() { v.Press("Enter") })
	v.at("/changes/" + number + "?found=request_id")
	v.same("#request-id", id)
	v.says("main", "Found by its RequestId.", "Move to the new gateway", "operator")
	plan, _ := v.Attr("section[aria-labelledby=h-related] a[href*='/callback/review/']", "href")
	for _, path := range []string{"/changes/" + number, plan, form(aurora), form(harbor), form(fieldnotes), "/apps", "/history"} {
		v.open(path)
		v.status(200)
		if n := v.Count("main button[name=do], main form[method=post] button[type=submit], main a[href='/apps/new'], a[href$='/settings']"); n > 0 {
			v.t.Errorf("support sees %d ways to write on %s", n, path)
		}
	}
}

func createForAppWithoutCallback(t *testing.T, d *demo, o browser.Options) {
	v := d.visit(t, "operator", o)
	v.open(form(fieldnotes))
	v.says("main", "Tencent has no callback for this app", "What you review here will create it.")
	v.same("#sentence", "0 of 19 ticked · as in the cloud")
	v.Fill("#url", "https://notes.example.com/in")
	v.Check(box(created), true)
	v.review("First callback")
	v.says(".cb-lead", "Creates the callback to notes.example.com", "adds 1 event")
	v.says("main", "no callback")
	v.Click("details.cb-more > summary")
	v.says("pre.cb-code", "/v4/live_config/set_callback", `"Url": "https://notes.example.com/in"`, created)
	v.apply()
	v.says(".cb-facts", "set_callback")
	if got := d.callback(fieldnotes); got.Url != "https://notes.example.com/in" || !slices.Equal(got.CallbackCommandList, []string{created}) {
		t.Errorf("the cloud holds %v", got)
	}
}

func unlistedWordIsKept(t *testing.T, d *demo, o browser.Options) {
	v := d.visit(t, "operator", o)
	v.open(form(market))
	v.says("#group-unlisted", "Not in our list", "1, kept", pinned, "It is sent back unchanged unless you untick it")
	v.press("button[value=none]")
	if !v.Checked("#group-unlisted input[name=command]") {
		t.Error("None unticked a word that is not in the list")
	}
	v.Check(box(created), true)
	v.review("Rooms only")
	v.says("main", "Not in our list, 1 kept", pinned, "Events that are not in our list stay.")
	v.apply()
	got := d.callback(market).CallbackCommandList
	slices.Sort(got)
	if !slices.Equal(got, []string{created, pinned}) {
		t.Errorf("the cloud holds %v", got)
	}

	v.open(form(market))
	v.Check("#group-unlisted input[name=command]", false)
	v.review("The notice goes")
	v.says("main", "An event that is not in our list is dropped.", pinned)
	v.apply()
	if got := d.callback(market).CallbackCommandList; !slices.Equal(got, []string{created}) {
		t.Errorf("the cloud holds %v after dropping it", got)
	}
}

func driftedApp(t *testing.T, d *demo, o browser.Options) {
	v := d.visit(t, "operator", o)
	v.says(".cb-attn", "1")
	v.Follow(".cb-attn a.care")
	v.says("tbody", "Harbor Shop", "Drifted")
	v.Follow("a.main[href='" + form(harbor) + "']")
	v.says("main", "The cloud differs from our record", "Somebody changed this callback outside this console.")
	v.same("#sentence", "2 of 19 ticked · as in the cloud")
	v.Follow(".cb-note.care a")
	v.on(`/changes/\d+`)
	v.says("main", "Changed outside this console, found at", "Added, 1 event", messages, "Removed, 2 events", destroyed, gift)

	v.open(form(harbor))
	v.Check(box(destroyed), true)
	v.review("Ours again")
	v.apply()
	v.open(form(harbor))
	if v.Exists(".cb-note.care") {
		t.Error("the app is still drifted after a change was applied")
	}
}

func wrongKey(t *testing.T, d *demo, o browser.Options) {
	v := d.visit(t, "operator", o)
	v.open(form(cedar))
	v.says(".cb-note.bad", "Tencent refused to be read", "70009", "secret key")
	v.same(".cb-foot .btn-primary", "Read from Tencent first")
	v.Follow(".cb-foot .btn-primary")
	v.status(200)
	v.says(".cb-note.bad", "70009")
	v.Follow(".cb-note.bad a")
	v.at("/errors/70009")
	v.says("main", "70009", "What to do:")
}

func addArchiveAndTakeBack(t *testing.T, d *demo, o browser.Options) {
	const app, key = "20019999", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	d.control("PUT", "/apps/"+app, map[string]any{"key": key, "admins": []string{"administrator"}}, nil)
	d.setBehind(app, "https://new.example.com/cb", created, seats)
	v := d.visit(t, "admin", o)
	v.Follow("a[href='/apps/new']")
	v.Follow("main button[type=submit]")
	v.status(422)
	v.says("#errors", "An SDKAppID is a whole number", "Enter the secret key", "All you typed is still here.")
	v.Fill("#name", "Lantern Hall")
	v.Fill("#sdkappid", app)
	v.Choose("#region", "sandbox-usa")
	v.Choose("#environment", "test")
	v.Fill("#secret", key)
	v.Follow("main button[type=submit]")
	v.at(form(app))
	v.same("#sentence", "2 of 19 ticked · as in the cloud")
	if got := v.Value("#url"); got != "https://new.example.com/cb" {
		t.Errorf("the form shows the URL %q", got)
	}

	v.Follow("a[href='/apps/" + app + "/settings']")
	if strings.Contains(v.HTML(), key) {
		t.Error("the settings page holds the secret key")
	}
	v.Follow("button[value=archive]")
	v.at("/apps")
	row := "a.main[href='" + form(app) + "']"
	if v.Exists(row) {
		t.Error("an archived app is in the list")
	}
	v.Follow("a[href='/apps?state=archived']")
	v.Follow(row)
	v.says("main", "This app is archived")
	if v.Exists(reviewButton) {
		t.Error("an archived app can be changed")
	}
	v.Follow("a[href='/apps/" + app + "/settings']")
	v.Follow("button[value='take-back']")
	v.at("/apps")
	v.Follow(row)
	v.WaitFor(reviewButton)
}
