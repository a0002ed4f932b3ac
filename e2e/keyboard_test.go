package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"callboard/e2e/browser"
)

// focus describes what has the focus: its id, or its name and value, or its text; and whether it can be seen.
const focus = `(() => {
	const el = document.activeElement, label = el.id || (el.name ? el.name + '=' + el.value : el.innerText.trim().split('\n')[0]);
	return [label, el.checkVisibility({visibilityProperty: true, opacityProperty: true}) ? 'seen' : 'hidden'];
})()`

// keyboard works the form without a mouse.
func keyboard(t *testing.T, d *demo, o browser.Options) {
	v := d.visit(t, "operator", o)
	v.open(form(staging))
	tabOrder(v)
	enterNeverSends(v, d)
	if v.script {
		shortcuts(v)
	}
}

// tabOrder goes from the top of the page to Review by Tab alone.
func tabOrder(v *visitor) {
	v.t.Helper()
	wanted := []string{"Skip to content", "Callboard", "Apps", "q-top", "Switch app", "url", "do=check", "do=all", "do=none", "do=cloud", "f", "do=filter", "only=changed",
		"do=group:blocking", box(gift)[1:], box(policy)[1:], "do=group:room", box(created)[1:], "do=group:members", box(members)[1:], "do=group:seats", box(seats)[1:],
		"do=group:shared", box(messages)[1:], "reason", "Cancel", "do=reset", "Review change"}
	var order []string
	for range 200 {
		v.Press("Tab")
		at := browser.Eval[[]string](v.Page, focus)
		if at[1] != "seen" {
			v.t.Errorf("%s takes the focus and cannot be seen", at[0])
		}
		order = append(order, at[0])
		if at[0] == "Review change" {
			break
		}
	}
	rest := order
	for _, stop := range wanted {
		i := slices.Index(rest, stop)
		if i < 0 {
			v.t.Fatalf("Tab does not come to %s in its turn; it came to %s", stop, strings.Join(order, ", "))
		}
		rest = rest[i+1:]
	}
}

// enterNeverSends presses Enter in every kind of field: at most the form is checked again.
func enterNeverSends(v *visitor, d *demo) {
	v.t.Helper()
	writes := d.writes()
	for _, field := range []string{"#url", "#f", "#reason", box(messages), "input[name=only]"} {
		v.open(form(staging))
		v.Fill("#url", "https://other.example.com/live")
		v.Fill("#reason", "Only a try")
		v.Check(box(messages), true)
		browser.Eval[bool](v.Page, "(document.querySelector('"+field+"').focus(), true)")
		if v.script && field == "#f" {
			v.Press("Enter") // which filters as typed, so nothing is left to do
			v.at(form(staging))
			v.Take("beforeunload")
			continue
		}
		v.Loads(func() { v.Press("Enter") })
		v.at(form(staging) + "/review")
		v.status(200)
		v.says(".cb-head", "Your draft")
		v.says(".cb-rules", "Host changes: ")
		v.Take("beforeunload")
		if url, reason := v.Value("#url"), v.Value("#reason"); url != "https://other.example.com/live" || reason != "Only a try" || !v.Checked(box(messages)) {
			v.t.Errorf("after Enter in %s the form holds %q, %q", field, url, reason)
		}
	}
	if d.writes() != writes {
		v.t.Error("Enter sent a change")
	}
	v.open("/events")
	v.Take("beforeunload")
}

// shortcuts are keys that the script adds.
func shortcuts(v *visitor) {
	v.t.Helper()
	v.Press("/")
	if at := v.Focused(); at != "q-top" {
		v.t.Errorf("/ puts the focus on %s", at)
	}
	v.Press("g")
	v.Press("h")
	if got := v.Value("#q-top"); got != "gh" {
		v.t.Errorf("while typing, g h became %q", got)
	}
	v.open("/events")
	v.Press("g")
	v.Loads(func() { v.Press("h") })
	v.at("/history")
	v.Press("g")
	v.Loads(func() { v.Press("a") })
	v.at("/apps")
}

// TestRequestIDIsCopiedWhole: a list shows its ends, and one click marks all of it.
func TestRequestIDIsCopiedWhole(t *testing.T) {
	v := startDemo(t).visit(t, "support", browser.Options{})
	v.open("/history")
	whole, _ := v.Attr("td .cb-id", "title")
	v.Click("td .cb-id")
	if got := browser.Eval[string](v.Page, `getSelection().toString().trim()`); got != whole || len(whole) < 30 {
		t.Errorf("copied is %q, want %q", got, whole)
	}
}

// TestLiveSentence follows the sentence in the foot of the form while the form is filled.
func TestLiveSentence(t *testing.T) {
	v := startDemo(t).visit(t, "operator", browser.Options{})
	v.open(form(aurora))
	const url = "https://hooks.example.com/live/aurora"
	steps := []struct {
		does func()
		want string
	}{
		{func() {}, "6 of 19 ticked · as in the cloud"},
		{func() { v.Fill("#url", "https://new.example.com/live") }, "6 of 19 ticked · URL changed"},
		{func() { v.Check(box(seats), true) }, "7 of 19 ticked · +1 −0 · URL changed"},
		{func() { v.Check(box(gift), false) }, "6 of 19 ticked · +1 −1 · URL changed"},
		{func() { v.Check(box(policy), true) }, "6 of 19 ticked · +1 −1 · gift policy changed · URL changed"},
		{func() { v.Fill("#url", url+" ") }, "6 of 19 ticked · +1 −1 · gift policy changed"},
		{func() { v.Follow("button[value=check].btn") }, "6 of 19 ticked · +1 −1 · gift policy changed"},
		{func() { v.Follow("button[value=reset]") }, "6 of 19 ticked · as in the cloud"},
		// What the server's filter hides is counted too.
		{func() { v.Fill("#f", "seat list"); v.Follow("button[value=filter]") }, "6 of 19 ticked · as in the cloud"},
		{func() { v.Check(box(seats), true) }, "7 of 19 ticked · +1 −0"},
		{func() { v.Fill("#f", "") }, "7 of 19 ticked · +1 −0"},
	}
	for _, step := range steps {
		step.does()
		v.same("#sentence", step.want)
	}
	if got := v.Value("#url"); got != url {
		t.Errorf("after the reset the form shows the URL %q", got)
	}
}
