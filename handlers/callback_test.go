package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"callboard/sandbox"
	"callboard/store"
	"callboard/tencent"
)

// draft is what a person has typed, markup and an unknown word among it.
func draft(w *world) url.Values {
	v := x(w, appID)
	v["url"] = []string{`https://hooks.example.com/<b>"&'`}
	v["command"] = []string{created, gift, foreign}
	v["reason"] = []string{` why <i>"so"</i> `}
	v["opened"] = []string{"12345"}
	return v
}

// ticked are the ticked words of a form, wherever they stand.
func ticked(p page) []string {
	list := fieldsOf(p.doc.Find("#callback-form"))["command"]
	slices.Sort(list)
	return list
}

func TestFormButtonsKeepWhatIsTyped(t *testing.T) {
	var all []string
	for _, c := range tencent.Commands() {
		if c.Kind != tencent.KindSetting {
			all = append(all, c.Word)
		}
	}
	group := func(name tencent.Group) []string {
		var list []string
		for _, c := range tencent.Commands() {
			if c.Group == name && c.Kind != tencent.KindSetting {
				list = append(list, c.Word)
			}
		}
		return list
	}
	typed, policy := []string{created, gift, foreign}, "Live.CallbackBeforeCallBackNotBlock"
	tests := []struct {
		name, do, filter, only string
		commands, want         []string
		reset                  bool
	}{
		{"check", "check", "", "", typed, typed, false},
		{"filter", "filter", "gift", "", typed, typed, false},
		{"only what changed", "filter", "", "changed", typed, typed, false},
		{"filter that hides everything", "filter", "no such event", "", typed, typed, false},
		{"filter of 4 kB", "filter", strings.Repeat("é", 2048), "", typed, typed, false},
		{"all", "all", "", "", typed, append(slices.Clone(all), foreign), false},
		{"all keeps the policy switch off", "all", "", "", nil, all, false},
		{"none keeps the policy switch on", "none", "", "", append(slices.Clone(all), policy, foreign), []string{policy, foreign}, false},
		{"none", "none", "", "", typed, []string{foreign}, false},
		{"all of what is shown", "all", "destroyroom", "", typed, append(slices.Clone(typed), ended), false},
		{"all of what is shown by its name", "all", "room DESTROYED", "", typed, append(slices.Clone(typed), ended), false},
		{"none of what is shown", "none", "CREATEROOM", "", typed, []string{gift, foreign}, false},
		{"as in the cloud", "cloud", "", "", typed, []string{created, ended, foreign}, false},
		{"reset", "reset", "", "", typed, []string{created, ended, foreign}, true},
		{"an empty group", "group:members", "", "", []string{created}, append([]string{created}, group("members")...), false},
		{"a mixed group", "group:room", "", "", []string{created, foreign}, append([]string{foreign}, group("room")...), false},
		{"a full group", "group:room", "", "", append(group("room"), gift), []string{gift}, false},
		{"a group behind a filter", "group:room", "destroyroom", "", []string{created}, []string{created, ended}, false},
		{"a group behind a filter of names", "group:room", "room destroyed", "", []string{created}, []string{created, ended}, false},
		{"a group nobody has", "group:nothing", "", "", typed, typed, false},
		{"a button nobody has", "explode", "", "", typed, typed, false},
		{"read", "read", "", "", typed, typed, false},
	}
	w := newWorld(t)
	w.box.SetCallback(appID, &sandbox.Callback{Url: oldURL, CallbackCommandList: []string{created, ended, foreign}})
	b := w.as(store.Operator)
	b.get(formOf(appID))
	for _, test := range tests {
		fields := draft(w)
		fields["command"], fields["do"], fields["filter"] = test.commands, []string{test.do}, []string{test.filter}
		if test.only != "" {
			fields["only"] = []string{test.only}
		}
		plans := w.traces().Plans
		p := b.post(formOf(appID)+"/review", fields)
		if p.Code != http.StatusOK {
			t.Errorf("%s: %d", test.name, p.Code)
			continue
		}
		want := slices.Clone(test.want)
		slices.Sort(want)
		want = slices.Compact(want)
		if diff := cmp.Diff(want, ticked(p)); diff != "" {
			t.Errorf("%s, ticks (-want +got):\n%s", test.name, diff)
		}
		address := fields.Get("url")
		if test.reset {
			address = oldURL
		}
		got := []string{p.attr("#url", "value"), p.attr("#reason", "value"), p.attr("input[name=filter]", "value"), p.attr("input[name=opened]", "value"), p.attr("input[name=reading]", "value")}
		if diff := cmp.Diff([]string{address, fields.Get("reason"), store.Text(test.filter, maxWord), "12345", fields.Get("reading")}, got); diff != "" {
			t.Errorf("%s, fields (-want +got):\n%s", test.name, diff)
		}
		if _, only := p.doc.Find("input[name=only]").Attr("checked"); only != (test.only != "") {
			t.Errorf("%s: \"only changed\" is ticked: %v", test.name, only)
		}
		if plans != w.traces().Plans {
			t.Errorf("%s made a plan", test.name)
		}
	}
	if n := w.writes(); n != 0 {
		t.Errorf("%d writing calls were made", n)
	}
}

// TestFilterHidesRows shows what the filter leaves; the other rows are on the page for the script to count.
func TestFilterHidesRows(t *testing.T) {
	w := newWorld(t)
	w.box.SetCallback(appID, &sandbox.Callback{Url: oldURL, CallbackCommandList: []string{created, ended, foreign}})
	b := w.as(store.Operator)
	all := b.get(formOf(appID)).values(".cb-event input[name=command]")
	for _, test := range []struct {
		filter, only   string
		shown, groups  []string
		nothingMatches bool
	}{
		{"", "", all, []string{"blocking", "room", "members", "seats", "shared", "unlisted"}, false},
		{"room destroyed", "", []string{ended}, []string{"room"}, false},
		{"pinnotice", "", []string{foreign}, []string{"unlisted"}, false},
		{"", "changed", []string{gift, ended}, []string{"blocking", "room"}, false},
		{"nothing has this name", "", nil, nil, true},
	} {
		fields := draft(w)
		fields["command"], fields["do"], fields["filter"] = []string{created, gift, foreign}, []string{"filter"}, []string{test.filter}
		if test.only != "" {
			fields["only"] = []string{test.only}
		}
		p := b.post(formOf(appID)+"/review", fields)
		got := p.values(".cb-event input[name=command]")
		if !slices.Equal(got, all) {
			t.Errorf("%q: on the page are %q", test.filter, got)
		}
		if got := p.values(".cb-group:not([hidden]) .cb-event:not([hidden]) input[name=command]"); !slices.Equal(got, test.shown) {
			t.Errorf("%q: shown are %q", test.filter, got)
		}
		var groups []string
		p.doc.Find(".cb-group:not([hidden])").Each(func(_ int, g *goquery.Selection) {
			groups = append(groups, strings.TrimPrefix(g.AttrOr("id", ""), "group-"))
		})
		if !slices.Equal(groups, test.groups) {
			t.Errorf("%q: groups shown are %q", test.filter, groups)
		}
		if got := p.count("[data-nomatch]:not([hidden])") == 1; got != test.nothingMatches {
			t.Errorf("%q: says that nothing matches: %v", test.filter, got)
		}
	}
}

func TestUnlistedWordStaysInSight(t *testing.T) {
	w := newWorld(t)
	w.box.SetCallback(appID, &sandbox.Callback{Url: oldURL, CallbackCommandList: []string{created, foreign}})
	b := w.as(store.Operator)
	p := b.get(formOf(appID))
	if got := ticked(p); !slices.Equal(got, []string{created, foreign}) {
		t.Fatalf("ticked are %q", got)
	}
	row := `#group-unlisted input[value="` + foreign + `"]`
	p = b.press(p, "#callback-form", url.Values{"command": {created}, "do": {"check"}})
	if p.count(row) != 1 || p.count(row+"[checked]") != 0 {
		t.Error("an unticked unknown word is not listed any more")
	}
	p = b.press(p, "#callback-form", url.Values{"reason": {"drop it"}})
	wantStatus(t, p, http.StatusSeeOther)
	if plan := b.get(p.location()); !strings.Contains(plan.text(".cb-set .bad, .cb-set li.bad"), foreign) {
		t.Error("the plan does not say that the unknown word goes")
	}
	// A word that the cloud does not have is no word of ours.
	p = b.press(b.get(formOf(otherID)), "#callback-form", url.Values{"url": {newURL}, "command": {foreign}, "reason": {"x"}})
	if p.Code != http.StatusUnprocessableEntity || !slices.Equal(links(p, "#errors a"), []string{"#command-err"}) {
		t.Errorf("%d, mistakes at %q", p.Code, links(p, "#errors a"))
	}
}

func TestHostileFormFields(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	values := map[string]string{"NUL": "a\x00b", "broken text": "a\xff\xfeb", "markup": `"><script>alert(1)</script>`, "4 kB": strings.Repeat("k", 4096), "line breaks": "a\r\nb", "emoji": "🎁",
		"direction": "a\u202eb", "a number": "99999999999999999999", "nothing": ""}
	b.get(formOf(appID))
	faults := map[string][]string{"url": {"#url"}, "command": {"#command-err"}, "reading": {"#h-cloud"}}
	for name, value := range values {
		for _, field := range []string{"url", "command", "reason", "reading", "opened", "filter", "only", "do", "another"} {
			fields := x(w, appID)
			if field == "do" && value == "" {
				continue
			}
			fields.Set(field, value)
			p := b.post(formOf(appID)+"/review", fields)
			want := http.StatusSeeOther
			switch {
			case field == "do":
				want = http.StatusOK
			case faults[field] != nil, field == "reason" && slices.Contains([]string{"NUL", "broken text", "4 kB", "nothing"}, name):
				want = http.StatusUnprocessableEntity
			}
			if p.Code != want {
				t.Errorf("%s in %s: %d, want %d", name, field, p.Code, want)
				continue
			}
			if want != http.StatusUnprocessableEntity {
				continue
			}
			at := faults[field]
			if at == nil {
				at = []string{"#" + field}
			}
			if field == "reading" {
				at = slices.Compact(links(p, "#errors a")) // without a reading other things are wrong too
			}
			if got := slices.Compact(links(p, "#errors a")); !slices.Equal(got, at) || len(got) == 0 || p.count(got[0]) != 1 {
				t.Errorf("%s in %s: mistakes at %q, want %q with the field", name, field, got, at)
			}
		}
	}
	fields := x(w, appID)
	fields.Set("do", "all")
	fields.Set("filter", strings.Repeat("İ", 150_000)) // which takes long to be lowered, for each event
	if p := b.post(formOf(appID)+"/review", fields); p.Code != http.StatusOK || len(p.attr("input[name=filter]", "value")) != maxWord {
		t.Errorf("a long filter: %d, %d bytes are left", p.Code, len(p.attr("input[name=filter]", "value")))
	}
	fields = x(w, appID)
	for i := range 1001 {
		fields.Add("command", fmt.Sprint("w", i))
	}
	wantStatus(t, b.post(formOf(appID)+"/review", fields), http.StatusRequestEntityTooLarge)
	b.get(formOf(appID))
	fields = x(w, appID)
	fields.Set("url", strings.Repeat("u", 2<<20))
	wantStatus(t, b.post(formOf(appID)+"/review", fields), http.StatusRequestEntityTooLarge)
	if n := w.writes(); n != 0 {
		t.Errorf("%d writing calls were made", n)
	}
}

func TestFormMistakes(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	b.get(formOf(appID))
	long := "https://hooks.example.com/" + strings.Repeat("p", 2048-26)
	tests := []struct {
		name, address, reason string
		at                    []string
	}{
		{"good", newURL, "x", nil},
		{"blanks around", "  " + newURL + "\n", " x ", nil},
		{"longest URL", long, "x", nil},
		{"URL too long", long + "p", "x", []string{"#url"}},
		{"no URL", "", "x", []string{"#url"}},
		{"another scheme", "ftp://hooks.example.com/", "x", []string{"#url"}},
		{"script", "javascript:alert(1)", "x", []string{"#url"}},
		{"user info", "https://a:b@hooks.example.com/", "x", []string{"#url"}},
		{"label of 64", "https://" + strings.Repeat("a", 64) + ".example.com/", "x", []string{"#url"}},
		{"label of 63", "https://" + strings.Repeat("a", 63) + ".example.com/", "x", nil},
		{"longest reason", newURL, strings.Repeat("é", 500), nil},
		{"reason too long", newURL, strings.Repeat("é", 501), []string{"#reason"}},
		{"no reason", newURL, "", []string{"#reason"}},
		{"blank reason", newURL, " \t ", []string{"#reason"}},
		{"two mistakes", "x", "", []string{"#url", "#reason"}},
	}
	for _, test := range tests {
		fields := x(w, appID)
		fields.Set("url", test.address)
		fields.Set("reason", test.reason)
		p := b.post(formOf(appID)+"/review", fields)
		want := http.StatusSeeOther
		if test.at != nil {
			want = http.StatusUnprocessableEntity
		}
		if p.Code != want {
			t.Errorf("%s: %d, want %d: %s", test.name, p.Code, want, heading(p))
			continue
		}
		if test.at == nil {
			continue
		}
		if got := slices.Compact(links(p, "#errors a")); !slices.Equal(got, test.at) {
			t.Errorf("%s: mistakes at %q, want %q", test.name, got, test.at)
		}
		if p.attr("#reason", "value") != test.reason || !slices.Equal(ticked(p), []string{created}) {
			t.Errorf("%s: what was typed is gone", test.name)
		}
		for _, at := range test.at {
			if field := p.doc.Find(at); field.AttrOr("aria-invalid", "") != "true" || p.count(at+"-err") != 1 || !strings.Contains(field.AttrOr("aria-describedby", ""), at[1:]+"-err") {
				t.Errorf("%s: %s is not marked", test.name, at)
			}
		}
	}
}

func TestFormOffersFormerReasons(t *testing.T) {
	w := newWorld(t)
	b, other := w.as(store.Operator), w.as(store.Admin)
	b.apply(b.plan(appID, newURL, created, ended))
	for who, want := range map[*browser][]string{b: {"a test"}, other: {}, w.as(store.Support): {}} {
		p := who.get(formOf(otherID))
		if got := p.values("#reasons option"); !slices.Equal(got, want) || len(want) > 0 && p.attr("#reason", "list") != "reasons" {
			t.Errorf("offered are %q, want %q", got, want)
		}
	}
}

func TestFormWithoutReading(t *testing.T) {
	w := newWorld(t)
	w.box.Script(sandbox.Fault{Command: "get_callback", Code: 70003, Info: "wrong signature", Times: 2})
	b := w.as(store.Operator)
	p := b.get(formOf(appID))
	wantStatus(t, p, http.StatusOK)
	if p.count("#callback-form .cb-foot button") != 1 || p.attr("#callback-form .cb-foot button", "value") != "read" || !strings.Contains(p.text(".cb-note"), "70003") {
		t.Errorf("the form offers %q: %s", p.values("#callback-form .cb-foot button"), heading(p))
	}
	if got := p.text("#callback-form .cb-foot"); strings.Contains(got, w.T("form.same")) {
		t.Errorf("nothing is known, and the form says %q", got)
	}
	p = b.press(p, "#callback-form", url.Values{"url": {newURL}, "reason": {"x"}})
	wantStatus(t, p, http.StatusUnprocessableEntity)
	if got := links(p, "#errors a"); !slices.Contains(got, "#h-cloud") {
		t.Errorf("mistakes at %q", got)
	}
	// The second read fails too; what was typed stays. The third fills an empty form.
	p = b.press(p, "#callback-form", url.Values{"do": {"read"}})
	if p.attr("#url", "value") != newURL {
		t.Error("a failed read took the draft away")
	}
	p = b.press(p, "#callback-form", url.Values{"do": {"read"}, "url": {""}, "command": nil})
	if p.attr("#url", "value") != oldURL || !slices.Equal(ticked(p), []string{created, ended}) {
		t.Errorf("the read filled %q, %q", p.attr("#url", "value"), ticked(p))
	}
}

func TestSupportSeesTheFormWithoutButtons(t *testing.T) {
	w := newWorld(t)
	p := w.as(store.Support).get(formOf(appID))
	wantStatus(t, p, http.StatusOK)
	if n := p.count("main button:not([hidden])"); n != 0 {
		t.Errorf("%d buttons", n)
	}
	if p.attr("#url", "value") != oldURL || p.count("#url[readonly]") != 1 || p.count("input[name=command]:not([disabled])") != 0 {
		t.Error("the form can be changed, or shows nothing")
	}
}
