package handlers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
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

// numbers are the entries that a page lists.
func numbers(p page) []string {
	list := []string{}
	for i := range p.doc.Find("tbody th a").Nodes {
		list = append(list, p.doc.Find("tbody th a").Eq(i).Text())
	}
	return list
}

// past makes three entries: 1 applied by operator, 2 refused by admin, 3 a drift.
func past(w *world) (ids []string) {
	w.t.Helper()
	operator, admin := w.as(store.Operator), w.as(store.Admin)
	operator.apply(operator.plan(appID, newURL, created, ended))
	w.box.Script(sandbox.Fault{Command: "update_callback", Code: 60020, Info: "expired"})
	admin.apply(admin.plan(appID, "https://hooks.example.com/50%25_off", created))
	w.box.SetCallback(appID, nil)
	operator.get(formOf(appID))
	for number := range int64(3) {
		c, err := w.store.Change(w.t.Context(), number+1)
		must(w.t, err)
		ids = append(ids, c.RequestID)
	}
	return ids
}

// grouped writes a number with something between its thousands.
func grouped(n int64, between string) string {
	text := itoa64(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + between + text[i:]
	}
	return text
}

func TestHistorySearch(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		ids := past(w)
		attempt := itoa64(w.number(`SELECT attempt FROM changes WHERE number = 2`))
		id := ids[1]
		bare := strings.TrimPrefix(id, "Id-")
		all := []string{"#3", "#2", "#1"}
		to := func(kind string) string { return "/changes/2?found=" + kind }
		tests := []struct {
			name, q string
			leads   string   // the entry that it leads to, or
			list    []string // what is listed
		}{
			{"nothing", "", "", all},
			{"blanks", "  \t ", "", all},
			{"RequestId", id, to("request_id"), nil},
			{"with blanks around", "  " + id + "\n", to("request_id"), nil},
			{"with blanks inside", id[:12] + " " + id[12:30] + "\u00a0\u200b" + id[30:], to("request_id"), nil},
			{"upper-case Id", "ID-" + bare, to("request_id"), nil},
			{"all upper-case", strings.ToUpper(id), to("request_id"), nil},
			{"all lower-case", strings.ToLower(id), to("request_id"), nil},
			{"without Id-", bare, to("request_id"), nil},
			{"beginning", id[:20], to("request_id"), nil},
			{"beginning up to O", id[:37], to("request_id"), nil},
			{"beginning up to Seq", id[:41], to("request_id"), nil},
			{"too little of a RequestId", "Id-", "", []string{}},
			{"RequestId that nobody has", "Id-" + strings.Repeat("0", 32) + "-O-Seq-1", "", []string{}},
			{"a letter too many", id + "x", "", []string{}},
			{"number", "#2", to("number"), nil},
			{"bare number", "2", to("number"), nil},
			{"number that nobody has", "#99", "", []string{}},
			{"SDKAppID", itoa64(appID), "", all},
			{"SDKAppID without entries", itoa64(otherID), "", []string{}},
			{"attempt id", attempt, to("attempt"), nil},
			{"a log line", `time=12:00 level=WARN msg="refused" request_id="` + id + `" code=1`, to("request_id"), nil},
			{"a sentence with a full stop", "It was " + id + ".", to("request_id"), nil},
			{"a log line without Id-", "level=WARN request " + bare + " refused", to("request_id"), nil},
			{"a named beginning in a log line", "12:00 WARN RequestId: " + bare[:16] + " refused", to("request_id"), nil},
			{"a named beginning as lists print it", "RequestId " + bare[:8] + "… of a log line", to("request_id"), nil},
			{"a log line with what looks like filters", "app:gateway code:-1 kind:error from:10.0.0.1 RequestId: " + id, to("request_id"), nil},
			{"a word behind the name", "RequestId decade of it", "", []string{}},
			{"with marks of writing direction", "\u200e" + id[:12] + "\u202c" + id[12:] + "\u200f", to("request_id"), nil},
			{"a word with marks of writing direction", "\u200faurora\u2069", "", all},
			{"a filter with a mark in front", "\u200ecode:60020", "", []string{"#2"}},
			{"as lists print it", bare[:8] + "…" + bare[len(bare)-2:], to("request_id"), nil},
			{"as lists print another one", bare[:8] + "…99999", "", []string{}},
			{"a code of Tencent", "60020", "", []string{"#2"}},
			{"a code that was never answered", "70009", "", []string{}},
			{"a code by its filter", "code:60020", "", []string{"#2"}},
			{"no code", "code:many", "", all},
			{"number too large", "99999999999999999999", "", []string{}},
			{"person", "operator", "", []string{"#1"}},
			{"person in capitals", " Admin ", "", []string{"#2"}},
			{"part of a name", "operat", "", []string{"#1"}},
			{"person by a filter", "by:ADMIN", "", []string{"#2"}},
			{"part of a name by a filter", "by:operat", "", []string{}},
			{"app by a filter", "app:" + itoa64(appID), "", all},
			{"app by its name", `app:"aurora stage"`, "", all},
			{"no app of this name", "app:nobody", "", []string{}},
			{"outcome", "outcome:refused", "", []string{"#2"}},
			{"no outcome", "outcome:fine", "", all},
			{"kind", "kind:drift", "", []string{"#3"}},
			{"no kind", "kind:fine", "", all},
			{"a filter twice", "by:admin by:operator", "", []string{"#2"}},
			{"a filter many times", strings.Repeat("app:x ", 600) + "by:admin", "", []string{"#2"}},
			{"two filters", "outcome:applied by:operator", "", []string{"#1"}},
			{"two filters that exclude each other", "outcome:applied by:admin", "", []string{}},
			{"Chinese colon", "code：60020", "", []string{"#2"}},
			{"an empty filter", "code:", "", all},
			{"since", "from:1d", "", all},
			{"until", "to:1d", "", []string{}},
			{"a day", "from:2020-02-29 to:2099-12-31", "", all},
			{"a minute", "from:2099-01-01T00:00", "", []string{}},
			{"a day that does not exist", "from:2026-02-30", "", all},
			{"a kind by the name of its outcome", "outcome:drift", "", []string{"#3"}},
			{"an outcome in capitals", "outcome:Refused", "", []string{"#2"}},
			{"the address of an entry", "https://" + host + "/changes/2?found=number#h-tl", to("number"), nil},
			{"the path of a page below it", " /changes/2/bundle", to("number"), nil},
			{"an address like that elsewhere", "https://hooks.example.com/changes/2", "", []string{}},
			{"an entry's address among words", "https://" + host + "/changes/2?x see there", "", []string{}},
			{"a kind and an outcome that exclude each other", "kind:change outcome:drift", "", []string{}},
			{"a kind twice by two names", "kind:drift outcome:drift", "", []string{"#3"}},
			{"digits that nothing has", "20010999", "", []string{}},
			{"an event", "live.callbackafterdestroyroom", "", []string{"#3", "#2"}},
			{"words of a reason", "a TEST", "", []string{"#2", "#1"}},
			{"words and a filter", "test by:admin", "", []string{"#2"}},
			{"words of which one does not occur", "test nowhere", "", []string{}},
			{"an unknown filter is a word", "colour:blue", "", []string{}},
			{"part of a URL", "/LIVE/v2", "", all},
			{"percent sign", "50%", "", []string{"#2"}},
			{"underscore", "25_off", "", []string{"#2"}},
			{"underscore is no wildcard", "live_v2", "", []string{}},
			{"percent is no wildcard", "hooks%off", "", []string{}},
			{"exclamation mark", "!", "", []string{}},
			{"backslash", `\`, "", []string{}},
			{"quote", `'; DROP TABLE changes; --`, "", []string{}},
			{"2 kB", strings.Repeat("é", 1024), "", []string{}},
			{"emoji", "🎁", "", []string{}},
			{"NUL", "a\x00b", "", []string{}},
			{"broken text", "\xff\xfe", "", []string{}},
			{"markup", `"><script>alert(1)</script>`, "", []string{}},
			{"a log line without blanks", `code:100301,RequestId:` + id + `,app:"gateway`, to("request_id"), nil},
			{"behind the id of another call", "trace Id-ffffffffffffffffffffffffffffffff-O-Seq-1 then " + id, to("request_id"), nil},
			{"behind four thousand bytes", strings.Repeat("at com.example.Thing.run ", 200) + id, to("request_id"), nil},
			{"in Chinese quotes", "“" + bare[:20] + "”", to("request_id"), nil},
			{"a beginning with a full stop", bare[:20] + ".", to("request_id"), nil},
			{"as lists print it, with three dots", bare[:8] + "...", to("request_id"), nil},
			{"broken at a blank", bare[:20] + " " + bare[20:], to("request_id"), nil},
			{"wide digits", "６００２０", "", []string{"#2"}},
			{"number with a full stop", "#2.", to("number"), nil},
			{"number in brackets", "(#2)", to("number"), nil},
			{"a crumb", "Change #2", to("number"), nil},
			{"a crumb in Chinese", "变更 #2", to("number"), nil},
			{"a number and its time", "#2 · 2020-01-01T00:00:00.000Z", "", []string{}},
			{"a number among words", "ticket #2", "", []string{}},
			{"attempt id as it is copied", "random=" + attempt + " · 2026-11-24T06:05:00.000Z", to("attempt"), nil},
			{"attempt id of a ticket", "random: " + attempt, to("attempt"), nil},
			{"attempt id in an address", "https://h.example/v4/x?sdkappid=1&random=" + attempt + "&contenttype=json", to("attempt"), nil},
			{"attempt id that nobody has", "random=1", "", []string{}},
			{"SDKAppID of a ticket", "SDKAppID: " + itoa64(appID), "", all},
			{"SDKAppID in groups", grouped(appID, ","), "", all},
			{"SDKAppID in groups with blanks", grouped(appID, " "), "", all},
			{"SDKAppID in quotes with a comma", `"` + itoa64(appID) + `",`, "", all},
			{"SDKAppID and a code", itoa64(appID) + " 60020", "", []string{"#2"}},
			{"SDKAppID and a word", "off " + itoa64(appID), "", []string{"#2"}},
			{"a person and a code", "admin 60020", "", []string{"#2"}},
			{"a named code", "code 60020", "", []string{"#2"}},
			{"a filter with a blank", "code: 60020", "", []string{"#2"}},
			{"a filter with a comma", "code:60020,", "", []string{"#2"}},
			{"a filter with a Chinese blank", "code:60020\u3000by:admin", "", []string{"#2"}},
			{"words with a Chinese blank", "test\u3000off", "", []string{"#2"}},
			{"words with a hard blank", "test\u00a0off", "", []string{"#2"}},
			{"a phrase", `"a test"`, "", []string{"#2", "#1"}},
			{"a phrase in another order", `"test a"`, "", []string{}},
			{"a phrase by a filter", `text:"a test" by:admin`, "", []string{"#2"}},
			{"a number as text", "text:50", "", []string{"#2"}},
			{"a code as text", "text:60020", "", []string{}},
			{"an event from JSON", `"` + ended + `",`, "", []string{"#3", "#2"}},
			{"digits of a URL", "25", "", []string{"#2"}},
			{"a minute", "2020-02-29 14:05", "", []string{}},
			{"a day and a word", "test 2020-02-29", "", []string{}},
			{"a day with slashes", "from:2020/02/29", "", all},
			{"a filter with a day and a clock", "from:2020-02-29 14:05 test", "", []string{"#2", "#1"}},
			{"a ticket's line with an entry's number", "Change #2 · Refused (60020) · Nowhere", "", []string{}},
			{"a label and a number in one", "SDKAppID=" + itoa64(appID), "", all},
			{"a label and a number in one word of Chinese", "错误码60020", "", []string{"#2"}},
			{"a crumb in one word", "变更#2", to("number"), nil},
			{"two labels", "Error code 60020", "", []string{"#2"}},
			{"an outcome as lists write it", "Refused", "", []string{"#2"}},
			{"an outcome in Chinese", "被拒绝", "", []string{"#2"}},
			{"an outcome of two words", "not sent", "", []string{}},
			{"a kind as lists write it", "Drift found", "", []string{"#3"}},
			{"an outcome and a person", "admin refused", "", []string{"#2"}},
			{"an outcome among words", "test refused", "", []string{}},
			{"an outcome by a filter with a blank", `outcome:"not sent"`, "", []string{}},
			{"an outcome by a filter in Chinese", "outcome:被拒绝", "", []string{"#2"}},
			{"a day by its name", "yesterday", "", []string{}},
			{"today", "今天", "", all},
			{"two days", "2020-02-29 2099-12-31", "", all},
			{"two days with a word between", "2020-02-29 to 2099-12-31", "", all},
			{"two days with a dash between", "2020-02-29 – 2099-12-31", "", all},
			{"two days in Chinese", "从 2020-02-29 到 2099-12-31", "", all},
			{"since a day by its name", "since yesterday", "", all},
			{"since an age", "since 3d test", "", []string{"#2", "#1"}},
			{"a clock of a day by its name", "yesterday 14:05", "", []string{}},
			{"two days with words", "from 2020-02-29 until 2020-03-01 test", "", []string{}},
			{"a time with a zone without a colon", "from:2020-02-29T14:05:06+0800", "", all},
			{"a time with its zone apart", "2020-02-29 14:05:06 +08:00", "", []string{}},
			{"from behind to", "from:2026-03-02 to:2026-03-01", "", []string{}},
		}
		b := w.as(store.Support)
		for _, test := range tests {
			p := b.sought(test.q)
			if test.leads != "" {
				if p.Code != http.StatusSeeOther || p.location() != test.leads {
					t.Errorf("%s: %d to %q, want %q", test.name, p.Code, p.location(), test.leads)
				}
				continue
			}
			if p.Code != http.StatusOK || !slices.Equal(numbers(p), test.list) {
				t.Errorf("%s: %d, entries %q, want %q", test.name, p.Code, numbers(p), test.list)
			}
			if strings.TrimSpace(test.q) != "" && p.count(".cb-chip")+p.count(".cb-note") == 0 {
				t.Errorf("%s: the page does not say what was understood", test.name)
			}
		}
		if p := b.get("/history?state=refused"); !strings.Contains(p.text(".cb-head"), w.T("export.count", "Count", "1")) {
			t.Errorf("the page does not say how many entries an export has: %q", p.text(".cb-head"))
		}
		p := b.get(to("request_id"))
		if !strings.Contains(p.text(".cb-note"), w.T("change.found_by.request_id")) || p.text("#request-id") != id {
			t.Errorf("the entry says %q and has %q", p.text(".cb-note"), p.text("#request-id"))
		}
		for tab, want := range map[string][]string{"changes": {"#2", "#1"}, "drift": {"#3"}, "refused": {"#2"}, "unknown": {}, "not_sent": {}, "applied": {"#1"}, "rubbish": all} {
			if p := b.get("/history?state=" + tab); !slices.Equal(numbers(p), want) {
				t.Errorf("tab %s: %q, want %q", tab, numbers(p), want)
			}
		}
		for query, want := range map[string][]string{"state=refused&q=outcome:applied": {}, "state=refused&q=outcome:refused": {"#2"}, "state=drift&q=kind:change": {}, "state=drift&q=kind:drift": {"#3"}} {
			if p := b.get("/history?" + query); !slices.Equal(numbers(p), want) {
				t.Errorf("%s: %q, want %q", query, numbers(p), want)
			}
		}
		// A tab keeps the list, so that one can see that it is empty.
		if p := b.get("/history?state=drift&q=" + url.QueryEscape(id)); p.Code != http.StatusOK || len(numbers(p)) != 0 {
			t.Errorf("%d, %q", p.Code, numbers(p))
		}
	})
}

// sought looks for something; where a day stands for another time to others, the page is at the address that says whose.
func (b *browser) sought(q string) page {
	b.w.t.Helper()
	p := b.get("/history?q=" + url.QueryEscape(q))
	if to := p.location(); strings.HasPrefix(to, "/history?") {
		return b.get(to)
	}
	return p
}

func TestHistorySaysWhatIsNoFilter(t *testing.T) {
	w := newWorld(t)
	past(w)
	b := w.as(store.Support)
	for q, want := range map[string]string{"foo:bar": "foo:", "colour：blue": "colour:", `user:"Mei Lin"`: "user:", "test who:admin": "who:",
		"https://hooks.example.com/live": "", "localhost:8080": "", "hooks.example.com:443": "", "ts:12:30": "", "Id-0123456789abcdef:x": "", "::": "", "foo:": "", "by:admin": "",
		"level:error RequestId=Id-0123456789abcdef0123456789abcdef-O-Seq-1": ""} {
		p := b.get("/history?q=" + url.QueryEscape(q))
		said, title := p.text(".cb-note"), w.T("history.no_filter", "Text", want)
		if (want == "" && strings.Contains(said, "is not a filter")) || (want != "" && (!strings.Contains(said, title) || !strings.Contains(said, w.T("history.ignored.filter")))) {
			t.Errorf("%s: the page says %q, want %q", q, said, want)
		}
		if want != "" && !strings.Contains(p.text(".cb-chip"), w.T("history.chip.words")) {
			t.Errorf("%s is not looked for as words: %q", q, p.text(".cb-chip"))
		}
	}
	for q, want := range map[string]string{"since:2d": "from 2d", "until:2d": "to 2d"} {
		if p := b.get("/history?q=" + q); p.text(".cb-chip") != want {
			t.Errorf("%s is understood as %q, want %q", q, p.text(".cb-chip"), want)
		}
	}
	for q, want := range map[string]string{"since:tuesday": "date", "from:1d since:2d": "twice", "by:": "empty", "from:2026-02-31": "no_date", "to:2026-03-01T25:00": "no_date", "outcome:refusd": "outcome", "app:1400999999": "no_app", "by:nobody": "no_person"} {
		if p := b.get("/history?q=" + url.QueryEscape(q)); !strings.Contains(p.text(".cb-note.care"), w.T("history.ignored."+want)) {
			t.Errorf("%s: the page says %q", q, p.text(".cb-note"))
		}
	}
}

// TestAPartOfASearchIsTakenAway: what is left of a search still means what it meant.
func TestAPartOfASearchIsTakenAway(t *testing.T) {
	w := newWorld(t)
	past(w)
	b := w.as(store.Support)
	for _, test := range []struct {
		q    string
		left []string // of the search, for each chip
	}{
		{"2020-02-29 2099-12-31", []string{"to:2099-12-31", "from:2020-02-29"}},
		{"2020-02-29 14:05 until 2099-12-31", []string{"to:2099-12-31", "from:2020-02-29 14:05"}},
		{"since 2020-02-29 test", []string{"test", "from:2020-02-29"}},
		{"Error code 60020 test", []string{"test", "Error code 60020"}},
		{"SDKAppID=" + itoa64(appID) + " test", []string{"test", "SDKAppID= " + itoa64(appID)}},
	} {
		var left []string
		b.sought(test.q).doc.Find(".cb-chip a").Each(func(_ int, a *goquery.Selection) {
			u, err := url.Parse(a.AttrOr("href", ""))
			must(t, err)
			left = append(left, u.Query().Get("q"))
			if p := b.sought(u.Query().Get("q")); p.count(".cb-chip") == 0 || p.count(".cb-note.care") != 0 {
				t.Errorf("%s: of %q the page says %q", test.q, u.Query().Get("q"), p.text(".cb-note"))
			}
		})
		if !slices.Equal(left, test.left) {
			t.Errorf("%s: %q is left, want %q", test.q, left, test.left)
		}
	}
}

func TestHistoryIsSearchedByWhatPagesSay(t *testing.T) {
	w := newWorld(t)
	past(w)
	b := w.as(store.Support)
	words := w.T("history.chip.words") + " " + created
	for q, want := range map[string]string{
		w.T("command." + created + ".name"):                                     words,
		strings.ToUpper(w.printer["zh-Hans"].T("command." + created + ".name")): words,
		"2026-11-20": "from 2026-11-20 (UTC) to 2026-11-20 (UTC)",
	} {
		if got := b.sought(q).text(".cb-chip"); got != want {
			t.Errorf("%s is understood as %q, want %q", q, got, want)
		}
	}
	if p := b.get("/history?q=2026-02-31"); !strings.Contains(p.text(".cb-note"), w.T("history.ignored.no_date")) {
		t.Errorf("a day that does not exist: the page says %q", p.text(".cb-note"))
	}
}

// TestWhatIsNoIDIsLookedForAsAWord: a commit or a ticket in a reason looks like an id.
func TestWhatIsNoIDIsLookedForAsAWord(t *testing.T) {
	w := newWorld(t)
	past(w)
	w.exec(`UPDATE changes SET search = search || ' commit 3f9c2e1 of ticket 20261124 and #77' WHERE number = 1`)
	b := w.as(store.Support)
	for q, title := range map[string]string{"3f9c2e1": w.T("history.no_id_title", "What", "RequestId"), "20261124": w.T("history.no_digits_title", "Value", "20261124")} {
		p := b.get("/history?q=" + q)
		if want := title + w.T("history.as_word"); !slices.Equal(numbers(p), []string{"#1"}) || strings.Join(strings.Fields(p.text(".cb-note")), "") != strings.Join(strings.Fields(want), "") {
			t.Errorf("%s finds %q and says %q, want %q", q, numbers(p), p.text(".cb-note"), want)
		}
	}
	if p := b.get("/history?q=" + url.QueryEscape("ticket #77")); !slices.Equal(numbers(p), []string{"#1"}) {
		t.Errorf("a number in a reason finds %q", numbers(p))
	}
	for q, want := range map[string]string{"Id-8c98": w.T("history.ignored.short"), "from:2026-03-02 to:2026-03-01": w.T("history.backwards"), strings.Repeat("x ", 2100): w.T("history.cut"), "x": ""} {
		if got := b.sought(q).text(".cb-note"); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%.40s: the page says %q, want %q", q, got, want)
		}
	}
	if p := b.get("/history?q=code:0"); p.count(`a[href="/errors/0"]`) != 0 {
		t.Error("the page explains a code that says that all went well")
	}
}

func TestHistorySaysWhyARequestIDMayBeMissing(t *testing.T) {
	for days, old := range map[int]string{0: "", 30: "older than 30 days"} {
		w := newWorld(t, func(o *Options) { o.Retention = time.Duration(days) * 24 * time.Hour })
		p := w.as(store.Support).get("/history?q=Id-0123456789abcdef0123456789abcdef-O-Seq-1")
		got := p.text(".cb-empty p")
		if !strings.HasPrefix(got, w.T("history.no_request_id", "Value", "Id-0123456789abcdef0123456789abcdef-O-Seq-1")) || strings.Contains(got, "older than") != (old != "") || !strings.Contains(got, old) {
			t.Errorf("kept for %d days, the page says %q", days, got)
		}
	}
}

// TestHistorySaysWhatANumberIsNot is about numbers that nothing has.
func TestHistorySaysWhatANumberIsNot(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Support)
	past(w)
	w.exec(`UPDATE changes SET error_code = 424242 WHERE number = 2`)
	if p := b.get("/history?q=424242"); !slices.Equal(numbers(p), []string{"#2"}) {
		t.Errorf("a code that no list names finds %q", numbers(p))
	}
	for _, query := range []string{"q=999&state=drift", "q=%23999&state=drift", "q=20010999+by:admin"} {
		if p := b.get("/history?" + query); p.text(".cb-empty h2") != w.T("history.nothing_title") {
			t.Errorf("%s: the page says %q", query, p.text(".cb-empty h2"))
		}
	}
	for q, want := range map[string]string{
		"999":      w.T("history.no_digits_title", "Value", "999") + " " + w.T("history.no_digits_text", "Value", "999"),
		"20010999": w.T("history.no_digits_title", "Value", "20010999") + " " + w.T("history.no_digits_text", "Value", "20010999"),
		"#999":     w.T("history.no_id_title", "What", w.T("history.chip.number")) + " " + w.T("history.no_number_text"),
	} {
		p := b.get("/history?q=" + url.QueryEscape(q))
		if got := p.text(".cb-empty h2") + " " + p.text(".cb-empty p"); got != want {
			t.Errorf("%s: the page says %q, want %q", q, got, want)
		}
	}
}

// TestDigitsMayBeTheBeginningOfARequestID is about the short form in the list, which can be digits alone.
func TestDigitsMayBeTheBeginningOfARequestID(t *testing.T) {
	w := newWorld(t)
	past(w)
	w.exec(`UPDATE changes SET request_id = 'Id-12345678901234567890123456789012-O-Seq-5' WHERE number = 2`)
	w.exec(`UPDATE changes SET request_id = 'Id-abcdefabcdefabcdefabcdefabcdefab-O-Seq-5' WHERE number = 1`)
	b := w.as(store.Support)
	for q, want := range map[string]string{"12345678": "/changes/2?found=request_id", "123456789012": "/changes/2?found=request_id", "12345678901234567890123456789012": "/changes/2?found=request_id",
		itoa64(w.number(`SELECT attempt FROM changes WHERE number = 1`)): "/changes/1?found=attempt", "1": "/changes/1?found=number", "abcdefab…5": "/changes/1?found=request_id", "Id-abcdefab…5": "/changes/1?found=request_id"} {
		if p := b.get("/history?q=" + q); p.location() != want {
			t.Errorf("%s leads to %q, want %q", q, p.location(), want)
		}
	}
}

func TestHistoryPaging(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		past(w)
		copies := func(n int) {
			for range n {
				w.exec(`INSERT INTO changes (kind, sdkappid, app, environment, region, host, call, actor, who, who_key, role, address, reason, summary, outcome, previous, wanted, started_at, cause)
					SELECT kind, sdkappid, app, environment, region, host, call, actor, who, who_key, role, address, reason, summary, outcome, previous, wanted, started_at, cause FROM changes WHERE number = 2`)
			}
		}
		copies(117)
		b := w.as(store.Support)
		var seen []string
		next := "/history"
		for pages := 0; next != ""; pages++ {
			if pages > 3 {
				t.Fatal("the pages do not end")
			}
			p := b.get(next)
			wantStatus(t, p, http.StatusOK)
			list := numbers(p)
			seen = append(seen, list...)
			if pages > 0 && p.count(`.cb-pages a[href="/history"]`) != 1 {
				t.Error("no way back to the newest")
			}
			next = p.attr(".cb-pages a[rel=next]", "href")
			copies(7) // new entries must not move what is paged through
		}
		var want []string
		for n := 120; n > 0; n-- {
			want = append(want, fmt.Sprintf("#%d", n))
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("entries (-want +seen):\n%s", diff)
		}
		for address, want := range map[string]string{"before=abc": "before=abc", "state=rubbish": "state=rubbish", "zone=Mars/X": "zone=Mars/X", "code=100301": "code", "top=-1&x=1": "top=-1 and x", "state=drift": "", "before=5&top=9": ""} {
			if got := b.get("/history?" + address).text(".cb-note"); strings.Contains(got, w.T("history.ignored.address")) != (want != "") || !strings.Contains(got, want) {
				t.Errorf("%s: the page says %q, want %q", address, got, want)
			}
		}
		for _, before := range []string{"-1", "x", "99999999999999999999", "0"} {
			if p := b.get("/history?before=" + before); p.Code != http.StatusOK || len(numbers(p)) != historyRows {
				t.Errorf("before=%s: %d, %d entries", before, p.Code, len(numbers(p)))
			}
		}
		if got := b.get("/history.jsonl?before=11"); strings.Count(got.Body.String(), "\n") != 10 {
			t.Errorf("the export from a cursor has %d lines", strings.Count(got.Body.String(), "\n"))
		}
	})
}

// TestLongWords is about what a search shortens: a sentence in Chinese has no blanks, and three bytes a letter.
func TestLongWords(t *testing.T) {
	w := newWorld(t)
	past(w)
	sentence := strings.Repeat("直播间礼物回调改到新网关", 3)
	w.exec(`UPDATE changes SET search = search || ' ' || $1 WHERE number = 1`, sentence)
	b := w.as(store.Support)
	p := b.get("/history?q=" + url.QueryEscape(sentence))
	if !slices.Equal(numbers(p), []string{"#1"}) || p.count(".cb-note") != 0 || strings.Contains(p.text("main"), w.T("history.ignored.long")) {
		t.Errorf("a sentence of 36 letters finds %q: %q", numbers(p), p.text("main"))
	}
	wantStatus(t, b.get("/history?q="+url.QueryEscape(strings.Repeat("中", maxQuery/3))), http.StatusOK)
	wantStatus(t, w.browser().get("/sign-in?next="+url.QueryEscape("/history?q="+url.QueryEscape(strings.Repeat("中", maxQuery/3)))), http.StatusOK)
	p = b.get("/history?q=" + strings.Repeat("x", 81))
	if got := p.text("body"); !strings.Contains(got, w.T("history.ignored.long")) || strings.Contains(got, w.T("history.ignored", "Text", "")) {
		t.Errorf("a word of 81 letters: %q", got)
	}
	p = b.get("/history?q=" + url.QueryEscape("1st 2nd 3rd 4th 5th 6th 7th"))
	if got := p.text("body"); !strings.Contains(got, w.T("history.ignored", "Text", "7th")) {
		t.Errorf("seven words: %q", got)
	}
}

// TestCountsAreOfTheSearchAlone is about a tab that excludes what was typed: its look must not spoil the other tabs' counts.
func TestCountsAreOfTheSearchAlone(t *testing.T) {
	w := newWorld(t)
	past(w)
	b := w.as(store.Support)
	for _, q := range []string{"kind:change", "outcome:applied"} {
		for _, address := range []string{"/history?state=drift&q=" + q, "/history?state=refused&q=" + q, "/history?q=" + q} {
			p := b.get(address)
			want := map[string]string{"kind:change": "2", "outcome:applied": "1"}[q]
			if got := p.text(`.cb-tabs a[href="/history?q=` + url.QueryEscape(q) + `"] .cb-n`); got != want {
				t.Errorf("%s counts %q entries in all, want %s", address, got, want)
			}
		}
	}
}

func TestExport(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		past(w)
		b := w.as(store.Support)
		p := b.get("/history.jsonl")
		wantStatus(t, p, http.StatusOK)
		if got := p.Header().Get("Content-Type"); got != "application/x-ndjson; charset=utf-8" {
			t.Errorf("Content-Type is %q", got)
		}
		if got := p.Header().Get("Content-Disposition"); got != `attachment; filename="callboard-history.jsonl"` {
			t.Errorf("Content-Disposition is %q", got)
		}
		order := []string{"number", "kind", "sdkappid", "app", "region", "host", "call", "random", "outcome", "settled", "started_at", "ended_at", "settled_at", "duration_ms", "http_status",
			"action_status", "error_code", "error_info", "request_id", "who", "reason", "previous", "wanted"}
		var lines []map[string]any
		for scan := bufio.NewScanner(bytes.NewReader(p.Body.Bytes())); scan.Scan(); {
			if diff := cmp.Diff(order, keysOf(t, scan.Bytes())); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			var line map[string]any
			must(t, json.Unmarshal(scan.Bytes(), &line))
			lines = append(lines, line)
		}
		if len(lines) != 3 {
			t.Fatalf("%d lines, want 3", len(lines))
		}
		stamp := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
		for _, line := range lines {
			for _, name := range []string{"started_at", "ended_at", "settled_at"} {
				if v, ok := line[name].(string); ok {
					if !stamp.MatchString(v) {
						t.Errorf("%s is %q", name, v)
					}
					line[name] = "a time"
				}
			}
			for _, name := range []string{"duration_ms", "random"} {
				if v, ok := line[name].(float64); ok && v >= 0 && v < 1<<32 {
					line[name] = "a number"
				}
			}
			if v, ok := line["request_id"].(string); ok && strings.HasPrefix(v, "Id-") {
				line["request_id"] = "an id"
			}
		}
		config := func(address string, commands ...any) map[string]any {
			if commands == nil {
				commands = []any{}
			}
			return map[string]any{"url": address, "commands": commands}
		}
		host, _, _ := strings.Cut(strings.TrimPrefix(w.box.APIURL(), "http://"), "/")
		entry := func(change map[string]any) map[string]any {
			base := map[string]any{"kind": "change", "sdkappid": float64(appID), "app": "Aurora Stage", "region": "box", "host": host, "call": "update_callback", "random": "a number", "settled": nil,
				"started_at": "a time", "ended_at": "a time", "settled_at": nil, "duration_ms": "a number", "http_status": 200.0, "request_id": "an id", "reason": "a test"}
			for name, value := range change {
				base[name] = value
			}
			return base
		}
		want := []map[string]any{
			entry(map[string]any{"number": 3.0, "kind": "drift", "call": "get_callback", "random": nil, "outcome": nil, "ended_at": nil, "http_status": nil, "action_status": "OK", "error_code": 0.0, "error_info": "",
				"who": nil, "reason": nil, "previous": config(newURL, created, ended), "wanted": nil}),
			entry(map[string]any{"number": 2.0, "outcome": "refused", "action_status": "FAIL", "error_code": 60020.0, "error_info": "expired", "who": "admin",
				"previous": config(newURL, created, ended), "wanted": config("https://hooks.example.com/50%25_off", created)}),
			entry(map[string]any{"number": 1.0, "outcome": "applied", "action_status": "OK", "error_code": 0.0, "error_info": "", "who": "operator",
				"previous": config(oldURL, created, ended), "wanted": config(newURL, created, ended)}),
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		for query, want := range map[string]int{"?q=operator": 1, "?state=drift": 1, "?q=" + itoa64(appID): 3, "?q=%232": 1, "?q=nothing": 0, "?q=%00": 0} {
			if got := strings.Count(b.get("/history.jsonl"+query).Body.String(), "\n"); got != want {
				t.Errorf("%s exports %d lines, want %d", query, got, want)
			}
		}
	})
}

// TestExportOfNone shows that no callback is exported as an empty URL and an empty list, which is not null.
func TestExportOfNone(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	b.apply(b.plan(otherID, newURL))
	got := b.get("/history.jsonl").Body.String()
	if !strings.Contains(got, `"previous":{"url":"","commands":[]}`) || !strings.Contains(got, `"wanted":{"url":"`+newURL+`","commands":[]}`) {
		t.Errorf("the export is %s", got)
	}
}

// keysOf are the names of an object in their order.
func keysOf(t *testing.T, object []byte) []string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	var list []string
	for d.More() {
		key, err := d.Token()
		must(t, err)
		list = append(list, fmt.Sprint(key))
		var value json.RawMessage
		must(t, d.Decode(&value))
	}
	return list
}

func TestTabCount(t *testing.T) {
	p := newWorld(t).printer["en"]
	for n, want := range map[store.Count]string{{}: "0", {N: 5}: "5", {N: 5, More: true}: "5+", {More: true}: "", {N: 10_000, More: true}: "10,000+"} {
		if got := tabCount(p, n); got != want {
			t.Errorf("%+v is shown as %q, want %q", n, got, want)
		}
	}
}
