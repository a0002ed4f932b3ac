package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
)

func TestAppListStates(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	for id, name := range map[int64]string{1: "Never", 2: "Unreadable", 3: "Drifted", 4: "Unknown", 5: "Archived"} {
		w.addApp(id, name)
		if id > 1 {
			w.box.SetCallback(id, &sandbox.Callback{Url: oldURL, CallbackCommandList: []string{created}})
			wantStatus(t, b.get(formOf(id)), http.StatusOK)
		}
	}
	b.get(formOf(appID))
	b.get(formOf(otherID))
	w.box.Script(sandbox.Fault{SDKAppID: 2, Code: 60010, Info: "no admin"})
	b.get(formOf(2))
	w.box.SetCallback(3, nil)
	b.get(formOf(3))
	change := b.unknown(4, created, members)
	w.exec(`UPDATE apps SET archived_at = 1 WHERE sdkappid = 5`)

	p := b.get("/apps")
	rows := map[string]string{}
	var order []string
	for i := range p.doc.Find("tbody tr").Nodes {
		row := p.doc.Find("tbody tr").Eq(i)
		name := row.Find("a.main").Text()
		order = append(order, name)
		rows[name] = strings.Join(strings.Fields(row.Find(".cb-state").Text()), " ")
	}
	want := map[string]string{"Aurora Stage": "in_step", "Harbor Shop": "not_configured", "Never": "never_read", "Unreadable": "unreadable", "Drifted": "drifted", "Unknown": "unknown"}
	for name, state := range want {
		if rows[name] != w.T("app_state."+state) {
			t.Errorf("%s is %q, want %q", name, rows[name], w.T("app_state."+state))
		}
	}
	if wanted := []string{"Unknown", "Drifted", "Unreadable", "Aurora Stage", "Harbor Shop", "Never"}; !slices.Equal(order, wanted) {
		t.Errorf("the order is %q, want %q", order, wanted)
	}
	if got := p.attr(`td a[href="`+change+`"]`, "href"); got != change {
		t.Error("the row of the unknown change does not lead to it")
	}
	filters := []struct {
		query string
		names []string
	}{
		{"?state=attention", []string{"Unknown", "Drifted", "Unreadable"}},
		{"?state=unknown", []string{"Unknown"}},
		{"?state=pending", nil},
		{"?state=drifted", []string{"Drifted"}},
		{"?state=unreadable", []string{"Unreadable"}},
		{"?state=in_step", []string{"Aurora Stage"}},
		{"?state=not_configured", []string{"Harbor Shop"}},
		{"?state=never_read", []string{"Never"}},
		{"?state=archived", []string{"Archived"}},
		{"?state=rubbish", order},
		{"?q=AURORA", []string{"Aurora Stage"}},
		{"?q=20010377", []string{"Harbor Shop"}},
		{"?q=hooks.example", []string{"Unknown", "Unreadable", "Aurora Stage"}},
		{"?q=nothing", nil},
		{"?q=%00%ff%3Cb%3E", nil},
		{"?env=staging", nil},
		{"?region=box", order},
		{"?region=singapore", nil},
	}
	for _, f := range filters {
		p := b.get("/apps" + f.query)
		var names []string
		for i := range p.doc.Find("a.main").Nodes {
			names = append(names, p.doc.Find("a.main").Eq(i).Text())
		}
		if !slices.Equal(names, f.names) {
			t.Errorf("%s lists %q, want %q", f.query, names, f.names)
		}
		if said := strings.Contains(p.text("main"), w.T("history.ignored", "Text", "state:rubbish")); said != (f.query == "?state=rubbish") {
			t.Errorf("%s: the page says that something is ignored: %v", f.query, said)
		}
	}
}

// goodApp is a form that can be stored.
func goodApp() url.Values {
	return url.Values{"sdkappid": {"1400000001"}, "name": {"Night Market"}, "region": {"singapore"}, "environment": {"staging"}, "identifier": {"administrator"}, "secret": {secretKey}}
}

func TestAppFormLimits(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Admin)
		many := strings.Repeat
		tests := []struct{ field, name, value, fault string }{
			{"sdkappid", "nothing", "", "#sdkappid"},
			{"sdkappid", "zero", "0", "#sdkappid"},
			{"sdkappid", "negative", "-1", "#sdkappid"},
			{"sdkappid", "with a plus", "+5", "#sdkappid"},
			{"sdkappid", "zero in front", "01400000001", "#sdkappid"},
			{"sdkappid", "the largest", "4294967295", ""},
			{"sdkappid", "one too large", "4294967296", "#sdkappid"},
			{"sdkappid", "words", "abc", "#sdkappid"},
			{"sdkappid", "NUL", "5\x00", "#sdkappid"},
			{"sdkappid", "blanks around", " 77 ", ""},
			{"name", "nothing", "", "#name"},
			{"name", "blanks", "  ", "#name"},
			{"name", "one", "x", ""},
			{"name", "the longest", many("é", 100), ""},
			{"name", "one too long", many("é", 101), "#name"},
			{"name", "NUL", "a\x00b", "#name"},
			{"name", "broken text", "a\xffb", "#name"},
			{"name", "turned reading direction", "a\u202eb", "#name"},
			{"name", "letters that nobody sees", "\u3164", "#name"},
			{"name", "letters that nobody sees among others", "a\u2800b", "#name"},
			{"name", "isolated reading direction", "a\u2066b", "#name"},
			{"name", "markup", `<script>alert(1)</script>`, ""},
			{"region", "nothing", "", "#region"},
			{"region", "unknown", "moon", "#region"},
			{"region", "an address", "https://evil.example.net", "#region"},
			{"environment", "nothing", "", "#environment"},
			{"environment", "unknown", "moon", "#environment"},
			{"environment", "markup", `"><b>`, "#environment"},
			{"identifier", "nothing", "", "#identifier"},
			{"identifier", "the longest", many("a", 32), ""},
			{"identifier", "one too long", many("a", 33), "#identifier"},
			{"identifier", "not plain", "é", "#identifier"},
			{"identifier", "line break", "a\nb", "#identifier"},
			{"secret", "nothing", "", "#secret"},
			{"secret", "the longest", many("k", 256), ""},
			{"secret", "one too long", many("k", 257), "#secret"},
			{"secret", "blank inside", "a b", "#secret"},
			{"secret", "not plain", "é", "#secret"},
			{"secret", "NUL", "a\x00", "#secret"},
		}
		for _, test := range tests {
			w.exec(`DELETE FROM apps WHERE sdkappid NOT IN (20010452, 20010377)`)
			fields := goodApp()
			fields.Set(test.field, test.value)
			p := b.post("/apps/new", fields)
			want := http.StatusSeeOther
			if test.fault != "" {
				want = http.StatusUnprocessableEntity
			}
			if p.Code != want {
				t.Errorf("%s, %s: %d, want %d: %s", test.field, test.name, p.Code, want, heading(p))
			}
			if test.fault == "" {
				continue
			}
			if got := links(p, "#errors a"); !slices.Equal(got, []string{test.fault}) || p.count(test.fault) != 1 || p.count(test.fault+"-err") != 1 {
				t.Errorf("%s, %s: mistakes at %q, want one at %q with its field", test.field, test.name, got, test.fault)
			}
			if p.attr("#secret", "value") != "" || test.field != "name" && p.attr("#name", "value") != "Night Market" {
				t.Errorf("%s, %s: the form comes back with name %q and secret %q", test.field, test.name, p.attr("#name", "value"), p.attr("#secret", "value"))
			}
		}
	})
}

func TestAppIsAdded(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Admin)
		fields := goodApp()
		fields.Set("name", `<img src=x onerror=alert(1)>`)
		wantSeeOther(t, b.post("/apps/new", fields), "/apps/1400000001/callback")
		if p := b.get("/apps"); !strings.Contains(p.text("tbody"), `<img src=x onerror=alert(1)>`) || p.count("tbody img") != 0 {
			t.Error("a name with markup is not shown as it was typed")
		}
		_, key, err := w.store.AppWithSecret(t.Context(), 1400000001)
		if err != nil || key != secretKey {
			t.Errorf("the key is not what was typed (%v)", err)
		}
		p := b.post("/apps/new", fields)
		wantStatus(t, p, http.StatusConflict)
		if got := links(p, "#errors a"); !slices.Equal(got, []string{"#sdkappid"}) || p.text("#sdkappid-err") != w.T("settings.duplicate") {
			t.Errorf("a known app: mistakes at %q, %q", got, p.text("#sdkappid-err"))
		}
		if n := w.number(`SELECT COUNT(*) FROM apps`); n != 3 {
			t.Errorf("%d apps, want 3", n)
		}
	})
}

func TestAppIsEdited(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b, other := w.as(store.Admin), w.as(store.Admin)
		const at = "/apps/20010452/settings"
		first, second := b.get(at), other.get(at)
		main := `form:has(input[name="version"])`
		wantSeeOther(t, b.press(first, main, url.Values{"name": {"New name"}, "environment": {"test"}}), at+"?saved=1")
		wantStatus(t, b.get(at+"?saved=1"), http.StatusOK)
		a, err := w.store.App(t.Context(), appID)
		must(t, err)
		if a.Name != "New name" || a.Environment != store.Test || a.Region != "box" || a.Identifier != admins {
			t.Errorf("stored is %+v", a)
		}
		if _, key, err := w.store.AppWithSecret(t.Context(), appID); err != nil || key != secretKey {
			t.Errorf("an empty field did not keep the key (%v)", err)
		}

		// Somebody else saves over a form that is out of date: they see what is there, and can save all the same.
		p := other.press(second, main, url.Values{"name": {"Their name"}, "secret": {"another-key"}})
		wantStatus(t, p, http.StatusConflict)
		if !strings.Contains(p.text(".cb-note"), "New name") || p.attr("#name", "value") != "Their name" || p.attr("#secret", "value") != "" {
			t.Errorf("notice %q, name %q", p.text(".cb-note"), p.attr("#name", "value"))
		}
		wantSeeOther(t, other.press(p, main, url.Values{"secret": {"another-key"}}), at+"?saved=1")
		if _, key, err := w.store.AppWithSecret(t.Context(), appID); err != nil || key != "another-key" {
			t.Errorf("the key was not replaced (%v)", err)
		}
		// Whether it works is tried at once: the sandbox knows another key.
		if p := b.get(at + "?saved=1"); !strings.Contains(p.text(".cb-note"), w.T("settings.unread")) || !strings.Contains(p.text(".cb-note"), "70009") {
			t.Errorf("after a wrong key the page says %q", p.text(".cb-note"))
		}
		wantSeeOther(t, b.press(b.get(at), main, url.Values{"secret": {secretKey}}), at+"?saved=1")
		if p := b.get(at + "?saved=1"); strings.Contains(p.text(".cb-note"), w.T("settings.unread")) {
			t.Errorf("after the right key the page says %q", p.text(".cb-note"))
		}
		for _, version := range []string{"", "x", "0", "-1", "99999999999999999999"} {
			wantStatus(t, b.press(b.get(at), main, url.Values{"version": {version}}), http.StatusConflict)
		}
	})
}

func TestAppIsArchived(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	plan := b.plan(appID, newURL, created)
	const at = "/apps/20010452/settings"
	archive := func(do string) page { return b.post(at, url.Values{"do": {do}}) }
	wantSeeOther(t, archive("archive"), "/apps")
	if p := b.get("/apps"); strings.Contains(p.text("tbody"), "Aurora") {
		t.Error("an archived app is still in the list")
	}
	p := b.get(formOf(appID))
	wantStatus(t, p, http.StatusOK)
	if p.count("#callback-form button") != 0 || !strings.Contains(p.text(".cb-note"), w.T("callback.archived_title")) {
		t.Errorf("the form of an archived app has %d buttons: %s", p.count("#callback-form button"), heading(p))
	}
	if p := b.get(plan); p.count("main form button") != 0 {
		t.Error("the plan of an archived app has an apply button")
	}
	before := w.traces()
	wantStatus(t, b.post(formOf(appID)+"/apply", url.Values{"plan": {plan[strings.LastIndex(plan, "/")+1:]}}), http.StatusConflict)
	wantStatus(t, b.post(formOf(appID)+"/review", x(w, appID)), http.StatusConflict)
	if after := w.traces(); after != before {
		t.Errorf("left %+v after %+v", after, before)
	}
	wantSeeOther(t, archive("take-back"), "/apps")
	wantStatus(t, b.get(plan), http.StatusOK)

	// An open change locks region and archiving, and nothing else.
	b.unknown(appID, created, ended, members)
	p = b.get(at)
	if p.count("select[name=region]") != 0 || p.count(`button[value="archive"]`) != 0 {
		t.Error("region or archiving is offered while a change is open")
	}
	wantStatus(t, archive("archive"), http.StatusConflict)
	b.get(at)
	main := `form:has(input[name="version"])`
	p = b.press(b.get(at), main, url.Values{"region": {"closed"}})
	wantStatus(t, p, http.StatusConflict)
	if got := links(p, "#errors a"); !slices.Equal(got, []string{"#region"}) || p.count("#region") != 1 {
		t.Errorf("mistakes at %q", got)
	}
	wantSeeOther(t, b.press(b.get(at), main, url.Values{"name": {"Still editable"}}), at+"?saved=1")
}

// x is a proposal on the newest reading of an app.
func x(w *world, id int64) url.Values {
	return url.Values{"reading": {itoa64(w.number(`SELECT reading_id FROM apps WHERE sdkappid = $1`, id))}, "url": {newURL}, "command": {created}, "reason": {"a test"}}
}

func TestAppListPages(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Support)
	for id := range int64(199) { // two apps are there already
		w.exec(`INSERT INTO apps (sdkappid, name, region, identifier, environment, secret, secret_set_at, version, created_at)
			VALUES ($1, $2, 'box', 'administrator', $3, $4, 0, 1, 0)`, 7000+id, fmt.Sprintf("Crowd %03d", id), []string{store.Test, store.Staging}[id%2], []byte("x"))
	}
	tests := []struct {
		query          string
		rows           int
		previous, next string
		from, to, of   int
	}{
		{"", 100, "", "/apps?page=2", 1, 100, 201},
		{"?page=2", 100, "/apps", "/apps?page=3", 101, 200, 201},
		{"?page=3", 1, "/apps?page=2", "", 201, 201, 201},
		{"?page=4", 1, "/apps?page=2", "", 201, 201, 201},
		{"?page=-1", 100, "", "/apps?page=2", 1, 100, 201},
		{"?page=99999999999999999999", 1, "/apps?page=2", "", 201, 201, 201},
		{"?page=rubbish", 100, "", "/apps?page=2", 1, 100, 201},
		{"?q=crowd&state=never_read", 100, "", "/apps?page=2&q=crowd&state=never_read", 1, 100, 199},
		{"?q=crowd&state=never_read&page=2", 99, "/apps?q=crowd&state=never_read", "", 101, 199, 199},
	}
	for _, x := range tests {
		p := b.get("/apps" + x.query)
		if got := p.doc.Find("a.main").Length(); got != x.rows {
			t.Errorf("%s lists %d apps, want %d", x.query, got, x.rows)
		}
		if got := p.doc.Find(`a[rel="prev"]`).AttrOr("href", ""); got != x.previous {
			t.Errorf("%s leads back to %q, want %q", x.query, got, x.previous)
		}
		if got := p.doc.Find(`a[rel="next"]`).AttrOr("href", ""); got != x.next {
			t.Errorf("%s leads on to %q, want %q", x.query, got, x.next)
		}
		if sum := w.T("apps.summary_page", "From", strconv.Itoa(x.from), "To", strconv.Itoa(x.to), "Shown", strconv.Itoa(x.of)); !strings.Contains(p.text(".cb-pages"), sum) {
			t.Errorf("%s says %q, want %q", x.query, p.text(".cb-pages"), sum)
		}
	}
	if p := b.get("/apps?env=staging"); !strings.Contains(p.text(".cb-pages"), w.T("apps.summary", "Shown", "99", "All", "201")) || p.doc.Find(`a[rel]`).Length() != 0 {
		t.Errorf("one page says %q", p.text(".cb-pages"))
	}
}
