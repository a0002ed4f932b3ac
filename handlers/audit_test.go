package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"callboard/auth"
	"callboard/store"
	"callboard/store/storetest"
	"callboard/views"
)

// lines are the rows of an audit page as "who | act | target".
func lines(p page) []string {
	list := []string{}
	p.doc.Find("tbody tr:not(.day)").Each(func(_ int, row *goquery.Selection) {
		var cells []string
		row.Find("td").Slice(0, 3).Each(func(_ int, c *goquery.Selection) {
			cells = append(cells, strings.Join(strings.Fields(c.Text()), " "))
		})
		list = append(list, strings.Join(cells, " | "))
	})
	return list
}

func TestAuditPage(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		admin, operator, support := w.as(store.Admin), w.as(store.Operator), w.as(store.Support)
		operator.apply(operator.plan(appID, newURL, created, ended))
		stranger := w.browser()
		stranger.get("/sign-in")
		stranger.post("/sign-in", url.Values{"username": {`<b>"op`}, "password": {"wrong"}})
		for range 3 {
			support.get("/apps/new") // refused, and noted once
		}
		wantStatus(t, support.get("/history.jsonl?q=20010452"), http.StatusOK)

		who := func(name string) string { return name + " · " + name + " " + address }
		export := who("support") + " | " + w.T("audit.act.history.exported") + " | history"
		refused := who("support") + " | " + w.T("audit.act.access.refused") + " | GET /apps/new"
		failed := w.T("audit.nobody") + " " + address + " | " + w.T("audit.act.session.refused") + " | ?"
		signedIn := func(name string) string { return who(name) + " | " + w.T("audit.act.session.started") + " | " + name }
		done := []string{
			who("operator") + " | " + w.T("audit.act.change.ended") + " | Entry #1",
			who("operator") + " | " + w.T("audit.act.change.opened") + " | Entry #1",
			who("operator") + " | " + w.T("audit.act.plan.made") + " | App 20010452",
		}
		today := time.Now().UTC().Format(time.DateOnly)
		tests := []struct {
			query string
			want  []string // the newest rows
			all   bool     // and no others
		}{
			{"", []string{export, refused, failed}, false},
			{"?person=support", []string{export, refused, signedIn("support"), "console | " + w.T("audit.act.user.added") + " | support"}, true},
			{"?person=%3F", []string{failed}, true},
			{"?acts=refused", []string{refused, failed}, true},
			{"?acts=exports", []string{export}, true},
			{"?acts=sign_ins", []string{failed, signedIn("support"), signedIn("operator"), signedIn("admin")}, true},
			{"?acts=changes&app=20010452", done, true},
			{"?app=20010377", []string{"console | " + w.T("audit.act.app.added") + " | App 20010377"}, true},
			{"?person=operator&acts=changes", done, true},
			{"?from=" + today, []string{export}, false},
			{"?to=2020-01-01", []string{}, true},
			{"?person=nobody", []string{}, true},
			{"?acts=changes&person=support", []string{}, true},
		}
		for _, test := range tests {
			p := admin.get("/audit" + test.query)
			wantStatus(t, p, http.StatusOK)
			got := lines(p)
			if !test.all && len(got) > len(test.want) {
				got = got[:len(test.want)]
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.query, diff)
			}
			if p.count("main td b") != 0 {
				t.Errorf("%s: what a stranger typed became markup", test.query)
			}
		}
		p := admin.get("/audit?acts=changes&app=20010452")
		var links []string
		p.doc.Find("tbody td:nth-of-type(3) a").Each(func(_ int, a *goquery.Selection) { links = append(links, a.AttrOr("href", "")) })
		if want := []string{"/changes/1", "/changes/1", "/apps/20010452"}; !slices.Equal(links, want) {
			t.Errorf("the targets lead to %q, want %q", links, want)
		}
		if got := p.text("tbody tr:nth-of-type(2) td:last-child"); got != "outcome: Applied" {
			t.Errorf("the detail of the ending is %q", got)
		}
		if got := p.values("#app"); !slices.Equal(got, []string{"20010452"}) || p.attr("#acts option[selected]", "value") != "changes" {
			t.Errorf("the form does not keep the filter: %q", got)
		}
	})
}

func TestAuditLeadsOn(t *testing.T) {
	w := newWorld(t)
	admin, operator := w.as(store.Admin), w.as(store.Operator)
	plan := operator.plan(appID, newURL, created, ended)
	operator.apply(plan)
	p := admin.post("/users/new", url.Values{"username": {"mei"}, "role": {store.Operator}, "scope": {"chosen"}, "app": {itoa64(appID), itoa64(otherID)}})
	wantStatus(t, p, http.StatusSeeOther)
	w.exec(`INSERT INTO audit (number, at, actor, who, role, address, act, target, detail, mac) VALUES (9001, 1, 'person', 'Old', '', '', 'change.opened', 'change 77', '{"plan":"gone"}', x'')`)
	w.exec(`INSERT INTO audit (number, at, actor, who, role, address, act, target, detail, mac) VALUES (9002, $1, 'person', 'Old', '', '', 'change.opened', 'change 77', '{"plan":"gone"}', x'')`, w.now().UnixMilli())
	links := func(query, column string) []string {
		list := []string{}
		admin.get("/audit?" + query).doc.Find("tbody td:nth-of-type(" + column + ") a").Each(func(_ int, a *goquery.Selection) { list = append(list, a.AttrOr("href", "")) })
		return list
	}
	for _, test := range []struct {
		query, column string
		want          []string
	}{
		{"acts=changes&person=operator", "4", []string{plan, plan}},
		{"acts=people&person=mei", "3", []string{"/audit?person=mei"}},
		{"acts=people&person=mei", "4", []string{views.AppPath(otherID, ""), views.AppPath(appID, "")}},
		{"acts=sign_ins&person=admin", "3", []string{"/audit?person=admin"}},
		{"person=Old", "4", []string{}},
		{"person=operator&acts=refused", "4", []string{}},
	} {
		if diff := cmp.Diff(test.want, links(test.query, test.column)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.query, diff)
		}
	}
}

func TestAuditSaysWhatItIgnores(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	for query, want := range map[string]string{"": "", "person=mei&from=2026-03-01&acts=people&app=1&to=&before=7": "", "who=mei&kind=x": w.T("history.ignored", "Text", "kind and who"), "%3Cb%3E=1": w.T("history.ignored", "Text", "<b>")} {
		p := b.get("/audit?" + query)
		wantStatus(t, p, http.StatusOK)
		if got := p.text("main .cb-note"); !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: the page says %q, want %q", query, got, want)
		}
	}
}

func TestAuditFilterMistakes(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	for query, fields := range map[string][]string{
		"app=x": {"#app"}, "app=-1": {"#app"}, "app=99999999999999999999": {"#app"}, "acts=everything": {"#acts"}, "from=yesterday": {"#from"}, "from=2026-02-30": {"#from"},
		"to=0000-01-01": {"#to"}, "from=2026-03-02&to=2026-03-01": {"#to"}, "app=x&acts=y&from=z&to=0": {"#acts", "#app", "#from", "#to"},
	} {
		p := b.get("/audit?" + query)
		wantStatus(t, p, http.StatusUnprocessableEntity)
		var got []string
		p.doc.Find("#errors a").Each(func(_ int, a *goquery.Selection) { got = append(got, a.AttrOr("href", "")) })
		if !slices.Equal(got, fields) || p.count("tbody") != 0 {
			t.Errorf("%s: mistakes at %q, want %q", query, got, fields)
		}
	}
	for _, query := range []string{"before=x", "before=-4", "before=99999999999999999999", "person=%00%ff", "from=2026-03-01&to=2026-03-01", "app=1"} {
		wantStatus(t, b.get("/audit?"+query), http.StatusOK)
	}
}

// TestAuditPaging walks from the newest page to the oldest while rows are added.
func TestAuditPaging(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	for i := range 120 {
		must(t, w.store.SignInFailed(t.Context(), store.Actor{Kind: store.PersonActor}, fmt.Sprint("name ", i)))
	}
	newest := w.number(`SELECT MAX(number) FROM audit`)
	for _, query := range []string{"", "?acts=refused"} {
		var got []string
		pages := 0
		for path := "/audit" + query; path != ""; pages++ {
			p := b.get(path)
			wantStatus(t, p, http.StatusOK)
			p.doc.Find("tbody th[scope=row] span").Each(func(_ int, s *goquery.Selection) { got = append(got, s.Text()) })
			path = p.attr(".cb-pages a[rel=next]", "href")
			must(t, w.store.EndSession(t.Context(), store.Console, "x"))
		}
		oldest := int64(1)
		if query != "" {
			oldest = newest - 119
		}
		var want []string
		for n := newest; n >= oldest; n-- {
			want = append(want, "#"+itoa64(n))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %d pages list %q", query, pages, got)
		}
	}
}

func TestAuditSaysHowFarItSearched(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	w.exec(`WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 50001)
		INSERT INTO audit (number, at, actor, who, role, address, act, target, detail, mac) SELECT 1000 + i, 1, 'console', '', '', '', 'x', '', 'null', x'' FROM s`)
	p := b.get("/audit?person=admin&acts=people")
	wantStatus(t, p, http.StatusOK)
	if len(lines(p)) != 0 || !strings.Contains(p.text(".cb-note.info"), w.T("audit.searched", "Number", 1002)) {
		t.Fatalf("the page says %q", p.text("main"))
	}
	p = b.get(p.attr(".cb-note.info a", "href"))
	if got := lines(p); len(got) != 1 || p.count(".cb-note.info") != 0 {
		t.Errorf("further back there is %q", got)
	}
}

func TestUnknownActsAndDetailsAreShown(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Admin)
	for i, detail := range []string{"null", `{"role":"admin","other":[1,2],"watched":true,"configuration":"0123456789abcdef"}`, "no JSON", `{"x":null}`, `{"drift":0}`, `{"drift":8,"count":12345678}`} {
		w.exec(`INSERT INTO audit (number, at, actor, who, role, address, act, target, detail, mac) VALUES ($1, 1, 'person', 'Old', 'former', '', 'later.act', 'change x', $2, x'')`, 9001+i, detail)
	}
	p := b.get("/audit?person=Old")
	want := []string{"count: 12345678 drift: Entry #8", "none", "none", "no JSON", "configuration: 0123456789ab… other: [1,2] role: admin read regularly: yes", "none"}
	var got []string
	p.doc.Find("tbody tr:not(.day) td:last-child").Each(func(_ int, c *goquery.Selection) { got = append(got, strings.Join(strings.Fields(c.Text()), " ")) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
	if got := lines(p); got[0] != "Old · former | later.act | change x" {
		t.Errorf("the row is %q", got[0])
	}
}

func TestEveryActHasWords(t *testing.T) {
	w := newWorld(t)
	for language, p := range w.printer {
		for _, g := range store.ActGroups {
			for _, act := range g.Acts {
				if actWords(p, act) == act {
					t.Errorf("%s: the act %s has no words", language, act)
				}
			}
		}
	}
}

func TestRolesPage(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Support)
	if href := b.get("/account").attr("main a[href='/users/roles']", "href"); href == "" {
		t.Error("the account page does not lead to the roles")
	}
	p := b.get("/users/roles")
	wantStatus(t, p, http.StatusOK)
	got := map[string][]string{}
	p.doc.Find("tbody tr").Each(func(_ int, row *goquery.Selection) {
		var may []string
		row.Find("td").Each(func(_ int, c *goquery.Selection) { may = append(may, strings.TrimSpace(c.Text())) })
		got[row.Find("th code").Text()] = may
	})
	want := map[string][]string{}
	yes, no := w.T("audit.yes"), w.T("audit.no")
	for _, r := range auth.Routes {
		want[r.Method+" "+r.Path] = map[auth.Need][]string{auth.Anyone: {yes, yes, yes, yes}, auth.Support: {no, yes, yes, yes}, auth.Operator: {no, no, yes, yes}, auth.Admin: {no, no, no, yes}}[r.Need]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the page and the table of roles differ (-table +page):\n%s", diff)
	}
	if p.count("main a[href='/audit']") != 0 || p.count("nav a[href='/audit']") != 0 {
		t.Error("support is led to the audit")
	}
	if p := w.as(store.Admin).get("/users/roles"); p.count("main a[href='/audit']") != 1 || p.count("nav a[href='/audit']") != 1 {
		t.Error("an admin is not led to the audit")
	}
}

func TestEveryRouteHasWords(t *testing.T) {
	w := newWorld(t)
	for _, r := range auth.Routes {
		if id := routeText(r); !w.printer["en"].Has(id) {
			t.Errorf("%s %s has no words for the page of roles: write %q into the catalogues", r.Method, r.Path, id)
		}
	}
}
