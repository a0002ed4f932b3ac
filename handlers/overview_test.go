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

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
)

// cells are the texts of a table's cells, line by line.
func cells(p page, table string) []string {
	list := []string{}
	rows := p.doc.Find(table + " tbody tr")
	for i := range rows.Nodes {
		var line []string
		rows.Eq(i).Children().Each(func(_ int, cell *goquery.Selection) {
			line = append(line, strings.Join(strings.Fields(cell.Text()), " "))
		})
		list = append(list, strings.Join(line, " "))
	}
	return list
}

func section(heading string) string { return `section[aria-labelledby="` + heading + `"]` }

func TestOverview(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		b := w.as(store.Support)
		calls := len(w.box.Journal())
		p := b.get("/overview")
		wantStatus(t, p, http.StatusOK)
		if got := p.text(".cb-lead"); got != "Nothing needs attention by what is known, but 2 of 2 were not read within a day." {
			t.Errorf("with nothing read the page says %q", got)
		}
		old := time.Now().Add(-25 * time.Hour).UnixMilli()
		for readAt, want := range map[int64]string{time.Now().UnixMilli(): "Everything is all right: 2 apps, and none needs attention.", old: "Nothing needs attention by what is known, but 1 of 2 was not read within a day."} {
			w.exec(`UPDATE apps SET read_at = $1`, time.Now().UnixMilli())
			w.exec(`UPDATE apps SET read_at = $1 WHERE sdkappid = $2`, readAt, otherID)
			if got := b.get("/overview").text(".cb-lead"); got != want {
				t.Errorf("the page says %q, want %q", got, want)
			}
		}
		if p.count("svg[role=img]") != 0 || !strings.Contains(p.text("main"), w.T("overview.no_days")) || !strings.Contains(p.text("main"), w.T("overview.no_answers")) {
			t.Error("charts of nothing are shown")
		}

		past(w) // of appID: 1 applied, 2 refused, 3 an open drift
		w.box.SetCallback(otherID, &sandbox.Callback{Url: oldURL, CallbackCommandList: []string{created}})
		unknown := w.as(store.Operator).unknown(otherID, created, ended)
		w.exec(`UPDATE changes SET duration_ms = number * 100`)
		w.exec(`UPDATE changes SET duration_ms = 900, region = 'singapore' WHERE number = 3`)
		calls += len(w.box.Journal()) - calls
		p = b.get("/overview")
		if now := len(w.box.Journal()); now != calls {
			t.Errorf("the page made %d calls", now-calls)
		}
		if got, link := p.text(".cb-lead"), p.attr(`main .cb-note a`, "href"); got != "2 of 2 apps need attention." || link != "/apps?state=attention" {
			t.Errorf("the page says %q and leads to %s", got, link)
		}
		if diff := cmp.Diff([]string{w.T("app_state.unknown") + " 1", w.T("app_state.drifted") + " 1"}, cells(p, section("h-apps"))); diff != "" {
			t.Errorf("apps by state (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"Harbor Shop, production " + w.T("app_state.unknown") + "#4", "Aurora Stage, production " + w.T("app_state.drifted") + "#3"}, cells(p, section("h-open"))); diff != "" {
			t.Errorf("open (-want +got):\n%s", diff)
		}
		if p.count(section("h-open")+` a[href="`+unknown+`"]`) != 1 {
			t.Error("the open change is not linked")
		}
		days := cells(p, section("h-days"))
		if len(days) != overviewDays {
			t.Fatalf("%d days", len(days))
		}
		today := w.now().UTC().Format("2 Jan 2006")
		if got := days[overviewDays-1]; got != today+" 1 1 1 0 0" {
			t.Errorf("today's numbers are %q", got)
		}
		if got := p.attr(section("h-days")+" svg[role=img]", "aria-label"); got != "Changes per day in the last 30 days. In all: Applied 1, Refused or not applied 1, Unknown or under way 1, Overtaken 0, Not sent 0." {
			t.Errorf("the chart is called %q", got)
		}
		if n := p.count(section("h-days") + " svg rect"); n != 3 {
			t.Errorf("the chart has %d bars, want 3", n)
		}
		if diff := cmp.Diff([]string{"box 2 100 ms 200 ms", "Singapore 1 900 ms 900 ms"}, cells(p, section("h-answers"))); diff != "" {
			t.Errorf("answer times (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"60020 " + w.T("error.60020.meaning") + " 1"}, cells(p, section("h-codes"))); diff != "" {
			t.Errorf("codes (-want +got):\n%s", diff)
		}
		if p.count(section("h-codes")+` a[href="/errors/60020"]`) != 1 || p.count(`nav a[href="/overview"][aria-current=page][data-key="g o"]`) != 1 {
			t.Error("a link is missing")
		}
		w.exec(`UPDATE changes SET duration_ms = 0 WHERE duration_ms = 900`)
		if diff := cmp.Diff([]string{"box 2 100 ms 200 ms", "Singapore 1 <1 ms <1 ms"}, cells(b.get("/overview"), section("h-answers"))); diff != "" {
			t.Errorf("answer times with one of less than a millisecond (-want +got):\n%s", diff)
		}

		w.exec(`UPDATE changes SET started_at = $1`, w.now().AddDate(0, 0, -8).UnixMilli())
		p = b.get("/overview")
		if days, answers := cells(p, section("h-days")), cells(p, section("h-answers")); !strings.HasSuffix(days[overviewDays-9], " 1 1 1 0 0") || len(answers) != 0 {
			t.Errorf("eight days later: %q and %q", days[overviewDays-9], answers)
		}
		w.exec(`UPDATE changes SET started_at = $1`, w.now().AddDate(0, 0, -31).UnixMilli())
		p = b.get("/overview")
		if p.count("svg[role=img]") != 0 || len(cells(p, section("h-codes"))) != 0 || len(cells(p, section("h-open"))) != 2 {
			t.Error("a month later charts or codes are left, or what is open is gone")
		}
	})
}

// TestOverviewNamesWhatNeedsAttention: each count leads to exactly its apps, and what needs attention is named by state,
// the newest first and no more than fit.
func TestOverviewNamesWhatNeedsAttention(t *testing.T) {
	w := newWorld(t)
	failed := w.now().UTC()
	for i := range int64(12) {
		w.addApp(100+i, fmt.Sprint("Deaf ", i))
		w.exec(`UPDATE apps SET failed_at = $1, failed_fault = 'timeout' WHERE sdkappid = $2`, failed.UnixMilli()-i*1000, 100+i)
	}
	w.as(store.Operator).unknown(appID, created, members)
	b := w.as(store.Support)
	p := b.get("/overview")
	var names []string
	p.doc.Find(section("h-open") + " th a").Each(func(_ int, a *goquery.Selection) { names = append(names, a.Text()) })
	want := []string{"Aurora Stage"}
	for i := range overviewApps {
		want = append(want, fmt.Sprint("Deaf ", i))
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("named (-want +got):\n%s", diff)
	}
	if got, want := p.text(section("h-open")+" tr:nth-child(2) .cb-small"), w.T("overview.last_try")+" "+failed.Format("15:04:05"); got != want {
		t.Errorf("under Unreadable stands %q, want %q", got, want)
	}
	if more := p.doc.Find(section("h-open") + " td[colspan] a"); more.Text() != "and 2 more apps" || more.AttrOr("href", "") != "/apps?state=unreadable" {
		t.Errorf("the rest is %q at %q", more.Text(), more.AttrOr("href", ""))
	}
	rows := p.doc.Find(section("h-apps") + " tr")
	if rows.Length() != 3 {
		t.Errorf("%d states", rows.Length())
	}
	rows.Each(func(_ int, row *goquery.Selection) {
		href, count := row.Find("a").AttrOr("href", ""), row.Find("td").Text()
		if apps := b.get(href); fmt.Sprint(apps.count("a.main")) != count {
			t.Errorf("%s lists %d apps, %s are counted", href, apps.count("a.main"), count)
		}
	})
}

// TestAppOfAnUnknownRegion: it can be neither read nor changed, whatever the last reading told.
func TestAppOfAnUnknownRegion(t *testing.T) {
	w := newWorld(t)
	wantStatus(t, w.as(store.Operator).get(formOf(appID)), http.StatusOK)
	w.exec(`UPDATE apps SET region = 'gone' WHERE sdkappid = $1`, appID)
	b := w.as(store.Admin)
	p := b.get("/overview")
	if got := p.text(section("h-open")); !strings.Contains(got, "Aurora Stage") {
		t.Errorf("needs attention: %q", got)
	}
	if p := b.get("/apps?state=unreadable"); p.count("a.main") != 1 || !strings.Contains(p.text("tbody"), w.T("fault.region")) {
		t.Errorf("%d unreadable apps: %q", p.count("a.main"), p.text("tbody"))
	}
	const at = "/apps/20010452/settings"
	p = b.get(at)
	if got := p.attr("#region option[selected]", "value"); got != "gone" || p.count("#region option[selected]") != 1 {
		t.Errorf("the region %q is chosen", got)
	}
	p = b.press(p, `form:has(input[name="version"])`, url.Values{"name": {"New name"}})
	wantStatus(t, p, http.StatusUnprocessableEntity)
	if !strings.Contains(p.text("#region-err"), w.T("settings.region_fault")) {
		t.Errorf("the page says %q", p.text("#region-err"))
	}
}

func TestOverviewSaysWhatItDoesNotCount(t *testing.T) {
	w := newWorld(t)
	past(w)
	b := w.as(store.Support)
	if p := b.get("/overview"); p.count(section("h-days")+" .cb-note") != 0 {
		t.Error("the page says that changes are missing")
	}
	w.exec(`WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 50001)
		INSERT INTO changes (kind, sdkappid, app, environment, region, host, call, outcome, actor, who, who_key, role, address, reason, started_at)
		SELECT 'change', $1, 'A', 'test', 'box', '', '', 'applied', 'person', '', '', '', '', '', $2 + i FROM s`, appID, w.now().AddDate(0, 0, -2).UnixMilli())
	w.exec(`UPDATE changes SET started_at = $1 WHERE number <= 3`, w.now().AddDate(0, 0, -9).UnixMilli())
	p := b.get("/overview")
	day := w.now().UTC().AddDate(0, 0, -2).Format("2 Jan 2006")
	if got := p.text(section("h-days") + " .cb-note"); !strings.Contains(got, "50,000") || !strings.Contains(got, day) {
		t.Errorf("the page says %q, want the day %s", got, day)
	}
}

func TestOverviewWithoutApps(t *testing.T) {
	w := newWorld(t)
	w.exec(`UPDATE apps SET archived_at = 1`)
	p := w.as(store.Support).get("/overview")
	if got := p.text(".cb-lead"); got != w.T("apps.none_title") {
		t.Errorf("the page says %q", got)
	}
}

// TestDaysBeginWhereThePersonLives has a day of 23 hours in it, and a change at each end of a day.
func TestDaysBeginWhereThePersonLives(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	k := clock{zone: berlin, now: time.Date(2026, 3, 30, 12, 0, 0, 0, berlin)} // clocks went forward on the 29th
	days := lastDays(k, 3)
	var began []string
	for _, d := range days {
		began = append(began, d.Format("2006-01-02 15:04 -07:00"))
	}
	if diff := cmp.Diff([]string{"2026-03-28 00:00 +01:00", "2026-03-29 00:00 +01:00", "2026-03-30 00:00 +02:00"}, began); diff != "" {
		t.Fatalf("days (-want +got):\n%s", diff)
	}
	at := func(d, h, m int) int64 { return time.Date(2026, 3, d, h, m, 0, 0, berlin).UnixMilli() }
	table := perDay(days, []store.OutcomeCount{{At: at(28, 0, 0), State: store.Applied, Count: 1}, {At: at(28, 23, 45), State: store.NotApplied, Count: 2}, {At: at(29, 0, 0), State: store.Refused, Count: 4},
		{At: at(29, 23, 45), State: store.Pending, Count: 8}, {At: at(30, 0, 0), State: store.Overtaken, Count: 16}, {At: at(30, 11, 0), State: store.NotSent, Count: 32}, {At: at(30, 11, 15), State: store.Unknown, Count: 64}})
	if diff := cmp.Diff([][]int{{1, 2, 0, 0, 0}, {0, 4, 8, 0, 0}, {0, 0, 64, 16, 32}}, table); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]int64, 100)
	for i := range hundred {
		hundred[i] = int64(i + 1)
	}
	for _, test := range []struct {
		list []int64
		n    int
		want int64
	}{{[]int64{7}, 50, 7}, {[]int64{7}, 95, 7}, {[]int64{1, 2}, 50, 1}, {[]int64{1, 2, 3}, 50, 2}, {[]int64{1, 2, 3}, 95, 3}, {hundred, 50, 50}, {hundred, 95, 95}, {hundred[:20], 95, 19}, {hundred[:21], 95, 20}} {
		if got := percentile(slices.Clone(test.list), test.n); got != test.want {
			t.Errorf("p%d of %d values is %d, want %d", test.n, len(test.list), got, test.want)
		}
	}
}
