package e2e_test

import (
	"slices"
	"testing"

	"callboard/e2e/browser"
)

// movedCloud changes the callback behind the console's back between review and apply.
func movedCloud(t *testing.T, d *demo, o browser.Options) {
	v := d.visit(t, "operator", o)
	v.open(form(staging))
	v.Fill("#url", "https://mine.example.com/live")
	v.Check(box(messages), true)
	v.Check(box(seats), false)
	v.review("Mine")
	d.setBehind(staging, "https://theirs.example.com/live", created, destroyed, members, seats, pinned)
	writes := d.writes()
	number := v.apply()
	if d.writes() != writes {
		t.Error("a change of a moved cloud was sent")
	}
	v.says(".cb-outcome", "Not sent: the cloud changed while you were editing", "none, as nothing was sent")
	v.says("main", "The URL was changed on both sides", "https://staging.example.com/live/aurora", "https://theirs.example.com/live", "https://mine.example.com/live")
	for _, row := range []struct {
		word, note string
		result     bool
	}{
		{messages, "you added it", true}, {seats, "you removed it", false}, {updated, "removed in the cloud", false},
		{pinned, "added in the cloud", true}, {created, "same on all sides", true},
	} {
		at := "input[name=command][value='" + row.word + "']"
		v.says("label[for='"+attr(v, at, "id")+"']", row.note)
		if v.Checked(at) != row.result {
			t.Errorf("%s is ticked in the merged result: %v", row.word, !row.result)
		}
	}
	mergedNeedsURL(v)
	v.Click("#url-mine")
	v.Follow("button[value=merged]")
	v.on(`/apps/\d+/callback/review/[^/]+`)
	v.says(".cb-lead", "moves the host from theirs.example.com to mine.example.com")
	v.says(".cb-facts", "Follows", "#"+number)
	v.apply()
	v.says(".cb-outcome h1", "Accepted by Tencent at")
	got, want := d.callback(staging), []string{created, destroyed, members, messages, pinned}
	slices.Sort(got.CallbackCommandList)
	slices.Sort(want)
	if got.Url != "https://mine.example.com/live" || !slices.Equal(got.CallbackCommandList, want) {
		t.Errorf("the cloud holds %v, want %v", got, want)
	}
}

// mergedNeedsURL sends the merged proposal without a choice; the browser itself asks for one, so its check is taken away.
func mergedNeedsURL(v *visitor) {
	v.t.Helper()
	browser.Eval[bool](v.Page, "document.querySelector('button[value=merged]').form.noValidate = true")
	v.Follow("button[value=merged]")
	v.status(422)
	v.says("#errors", "Choose one of the two URLs")
}

func attr(v *visitor, selector, name string) string {
	v.t.Helper()
	value, _ := v.Attr(selector, name)
	return value
}

// lostAnswer loses the answer of a change that Tencent applied; the page finds out by itself.
func lostAnswer(t *testing.T, d *demo, o browser.Options) {
	v := d.visit(t, "operator", o)
	v.open(form(harbor))
	v.Check(box(seats), true)
	v.review("Seats too")
	d.fault(map[string]any{"command": "update_callback", "drop": "after"})
	// The read just before writing passes; those that find out wait until the page has been seen.
	d.fault(map[string]any{"command": "get_callback"})
	d.fault(map[string]any{"command": "get_callback", "times": -1, "gate": "back"})
	t.Cleanup(func() { d.control("DELETE", "/faults", nil, nil) })
	v.apply()
	v.says(".cb-outcome", "The connection ended before an answer. Tencent may or may not have applied it.", "none, no answer was received", "random=", "Reading back, try")
	d.control("POST", "/gates/back", nil, nil)
	v.WaitText(".cb-outcome h1", "It was applied, as reading back showed at")
	v.says("main", "Applied, settled", "At first Unknown", "The cloud now holds what operator asked for: adds 1 event.")
	v.WaitGone("#change[hx-get]")
	if v.Exists("noscript meta[http-equiv=refresh], head > meta[http-equiv=refresh]") && !v.script {
		t.Error("the settled page still renews itself")
	}
}

// createInstead has the callback vanish between the read and the write.
func createInstead(t *testing.T, d *demo, o browser.Options) {
	v := d.visit(t, "operator", o)
	v.open(form(tidepool))
	v.Check(box(seats), true)
	v.review("Seats too")
	d.fault(map[string]any{"command": "update_callback", "code": 100301, "info": "callback not found"})
	number := v.apply()
	v.says(".cb-outcome h1", "Tencent refused", "100301")
	v.says(".cb-outcome", "Create it with the same URL and events?")
	d.control("DELETE", "/apps/"+tidepool+"/callback", nil, nil)
	v.Follow("button[value=create]")
	v.on(`/apps/\d+/callback/review/[^/]+`)
	v.says(".cb-lead", "Creates the callback to tide.example.net:8080", "adds 3 events")
	v.says(".cb-facts", "set_callback", "Follows", "#"+number, "Seats too")
	v.apply()
	v.says(".cb-outcome h1", "Accepted by Tencent at")
	if got := d.callback(tidepool); len(got.CallbackCommandList) != 3 || !slices.Contains(got.CallbackCommandList, seats) {
		t.Errorf("the cloud holds %v", got)
	}
}

func refusalIsExplained(t *testing.T, d *demo, o browser.Options) {
	cases := []struct {
		code                        int
		info                        string
		title, meant, cause, advice string
	}{
		{60020, "package expired", "code 60020", "Nothing was changed: what Tencent has for Aurora Stage is as before.", "package", "package"},
		{999888, "strange things", "code 999888", "This code does not say whether anything was changed.", "999888", "RequestId"},
	}
	v := d.visit(t, "operator", o)
	for _, c := range cases {
		v.open(form(aurora))
		v.Check(box(members), false)
		v.review("Members no more")
		d.fault(map[string]any{"command": "update_callback", "code": c.code, "info": c.info})
		v.apply()
		v.says(".cb-outcome h1", "Tencent refused", c.title)
		v.says(".cb-outcome", c.meant, "Id-", "Plan it again")
		v.says("section[aria-labelledby=h-m]", c.cause, "What to do:", c.advice, "Tencent wrote", c.info)
		v.Follow("section[aria-labelledby=h-m] a")
		v.status(200)
	}
}
