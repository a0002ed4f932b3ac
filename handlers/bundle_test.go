package handlers

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
	"callboard/tencent"
	"callboard/views"
)

func TestRedact(t *testing.T) {
	for _, test := range []struct {
		text, want    string
		values, users int
	}{
		{"", "", 0, 0},
		{"nothing to hide? No = no.", "nothing to hide? No = no.", 0, 0},
		{"https://a.example/live", "https://a.example/live", 0, 0},
		{"https://a.example/live?key=s3&v=2#top", "https://a.example/live?key=[removed]&v=[removed]#[removed]", 3, 0},
		{"HTTP://A.example?KEY=s3.", "HTTP://A.example?KEY=[removed]", 1, 0},
		{"see https://a.example/x?s3cret, please", "see https://a.example/x?[removed] please", 1, 0},
		{"https://a.example/x?a=&b", "https://a.example/x?a=&[removed]", 1, 0},
		{"https://a.example/x?a=1=2&amp;b=3;c=4", "https://a.example/x?a=[removed]&[removed];b=[removed];c=[removed]", 4, 0},
		{"https://user:pa@ss@a.example/x@y", "https://[removed]@a.example/x@y", 0, 1},
		{"(https://user@a.example)(https://b.example?k=v)", "(https://[removed]@a.example)(https://b.example?k=[removed]", 1, 1},
		{"a.example/x?token=s3", "a.example/x?token=[removed]", 1, 0},
		{"/x?token=s3&t=4", "/x?token=[removed]&t=[removed]", 2, 0},
		{"回调地址 https://a.example/直播?密钥=值", "回调地址 https://a.example/直播?密钥=[removed]", 1, 0},
		{"https://a.example/x?u=https://b.example?k=v", "https://a.example/x?u=[removed]", 1, 0},
		{"https://a.example/x?k=[removed]", "https://a.example/x?k=[removed]", 0, 0},
		{"https://a.example/x?k=it's3cret&l=4 then", "https://a.example/x?k=[removed]&l=[removed] then", 2, 0},
		{"see 'https://a.example/x?k=it's3' now", "see 'https://a.example/x?k=[removed]' now", 1, 0},
		{`https://a.example/x?filter={"key":"s3"}`, `https://a.example/x?filter=[removed]`, 1, 0},
		{`bad URL "https://a.example/x?k=a"s3" given`, `bad URL "https://a.example/x?k=[removed]" given`, 1, 0},
		{"https://u:it's3@a.example/", "https://[removed]@a.example/", 0, 1},
		{"https://a.example/x;token=s3/y;v=2;s3?k=4", "https://a.example/x;token=[removed]/y;v=[removed];[removed]?k=[removed]", 4, 0},
		{"https://a.example/x%3btoken%3ds3/y", "https://a.example/x%3b[removed]/y", 1, 0},
		{"https://a.example/x; token=s3", "https://a.example/x; token=s3", 0, 0},
		{"a.example/x;token=s3/y", "a.example/x;token=[removed]/y", 1, 0},
		{"see https%3A%2F%2Fa.example%2Fx%3Fk%3Ds3, please", "see https%3A%2F%2F[removed] please", 1, 0},
		{"https://a.example/to/https%253A%252F%252Fu%253As3%2540b.example", "https://a.example/to/https%253A%252F%252F[removed]", 1, 0},
		{"wss://u:s3@a.example/ and u:s3@a.example/x?k=4", "wss://[removed]@a.example/ and [removed]@a.example/x?k=[removed]", 1, 2},
		{"log in as u:s3@a.example/x or mei@a.example, not at 10:30 @noon", "log in as [removed]@a.example/x or mei@a.example, not at 10:30 @noon", 0, 1},
		{`{"Info":"u:s3\u0040a.example"}`, `{"Info":"[removed]@a.example"}`, 0, 1},
		{`5" and "https://a.example/x?k=s3" and "b`, `5" and "https://a.example/x?k=[removed]" and "b`, 1, 0},
	} {
		var r redactor
		if got := r.text(test.text); got != test.want || r.values != test.values || r.users != test.users {
			t.Errorf("%q becomes %q with %d values and %d users, want %q, %d and %d", test.text, got, r.values, r.users, test.want, test.values, test.users)
		}
		if again := r.text(r.text(test.text)); again != test.want {
			t.Errorf("%q a second time becomes %q", test.text, again)
		}
	}
}

func TestRedactExchange(t *testing.T) {
	for text, want := range map[string]string{
		`{"Url":"https://a.example/x?k=s3&l=s4","ErrorCode":0}`:                   `{"Url":"https://a.example/x?k=[removed]&l=[removed]","ErrorCode":0}`,
		`{"Url":"https:\/\/u:s3@a.example\/x?k=s3\u0026l\u003ds4"}`:               `{"Url":"https://[removed]@a.example/x?k=[removed]&l=[removed]"}`,
		`{"Url":"\u0068ttps:\u002f\u002fa.example?k=s3"}`:                         `{"Url":"https://a.example?k=[removed]"}`,
		`{"Url":"https://a.example\u003fk=s3"}`:                                   `{"Url":"https://a.example?k=[removed]"}`,
		`{"ErrorInfo":"in {\"Url\":\"https://a.example?k=s3\"}"}`:                 `{"ErrorInfo":"in {\"Url\":\"https://a.example?k=[removed]\"}"}`,
		`{"Url":"https://a.example?k=s3'c\"r<et and more"}`:                       `{"Url":"https://a.example?k=[removed]"}`,
		`{"CallbackCommandList":["Live.A", "Live.B"],"Odd":"\u00e9"}`:             `{"CallbackCommandList":["Live.A", "Live.B"],"Odd":"\u00e9"}`,
		`{"Url":"https:\/\/a.example\/x?k=s3\u0026l=s4`:                           `{"Url":"https://a.example/x?k=[removed]&l=[removed]`,
		`{"Url":"https:\/\/a.example\/x\u003fk=s3\u00`:                            `{"Url":"https://a.example/x?k=[removed]`,
		`{"Url":"https:\/\/a.example\/x\u003fk=s3\xffs3","ErrorCode":0}`:          `{"Url":"https://a.example/x?k=[removed]","ErrorCode":0}`,
		`{"Info":"{\"Url\":\"https://a.example?k=s3'\\\"s4\",\"C\":1}"}`:          `{"Info":"{\"Url\":\"https://a.example?k=[removed]\",\"C\":1}"}`,
		"<a href='https://a.example/x?k=s3'>502</a> https://u:s3@b.example/ gone": "<a href='https://a.example/x?k=[removed]'>502</a> https://[removed]@b.example/ gone",
	} {
		var r redactor
		if got := r.text(text); got != want {
			t.Errorf("%s\nbecomes %s\nwant    %s", text, got, want)
		}
	}
}

// TestNoValueSurvives puts a value that may be secret at every place of an address that may hold one, and the address
// into every text that a bundle may hold.
func TestNoValueSurvives(t *testing.T) {
	const canary = "Zq8canary"
	rapid.Check(t, func(rt *rapid.T) {
		around := rapid.StringOfN(rapid.SampledFrom([]rune(`aZ0'"\,;:=&{}[]()|!.*~$%+-_é直/`)), 0, 5, -1)
		secret := func(but string) string {
			text := around.Draw(rt, "before") + canary + around.Draw(rt, "after")
			return strings.Map(func(c rune) rune {
				if strings.ContainsRune(but, c) {
					return 'x'
				}
				return c
			}, text)
		}
		address := rapid.SampledFrom([]string{"https://", "HTTP://", "wss://"}).Draw(rt, "scheme")
		if rapid.Bool().Draw(rt, "user") {
			address += secret("/\\?#") + ":" + secret("/\\?#") + "@"
		}
		address += "a.example/live"
		if rapid.Bool().Draw(rt, "parameter") {
			address += ";token=" + secret("/\\?#=;&") + "/hook"
		}
		for i := range rapid.IntRange(0, 3).Draw(rt, "query") {
			// In front of a "=" stands a name, which is kept.
			address += map[bool]string{true: "?", false: "&"}[i == 0] + "k" + itoa64(int64(i)) + "=" + secret("=;&")
		}
		if rapid.Bool().Draw(rt, "fragment") {
			address += "#" + secret("")
		}
		inner := quote("bad: " + quote(address) + " " + address)
		for name, text := range map[string]string{
			"alone":          address,
			"sentence":       "see " + address + " and (" + address + ")",
			"quotes":         "see '" + address + "' and \"" + strings.ReplaceAll(address, `"`, "") + "\" there",
			"markup":         "<a href='" + address + "'>x</a><b>" + address + "</b>",
			"JSON":           `{"Url":` + quote(address) + `,"ErrorCode":0}`,
			"escaped JSON":   `{"Url":` + strings.NewReplacer("/", `\/`, "&", `\u0026`, "=", `\u003d`, "?", `\u003f`, ";", `\u003b`, "@", `\u0040`, "#", `\u0023`).Replace(quote(address)) + `}`,
			"JSON in JSON":   `{"ErrorInfo":` + inner + `}`,
			"cut JSON":       strings.TrimSuffix(`{"Url":`+quote(address), `"`),
			"JSON with byte": `{"Url":` + strings.TrimSuffix(quote(address), `"`) + `\xff","ErrorCode":0}`,
			"encoded":        "see " + url.QueryEscape(address) + " there",
			"encoded twice":  "https://b.example/to/" + url.QueryEscape(url.QueryEscape(address)),
			"in a query":     "https://b.example/?to=" + url.QueryEscape(address),
		} {
			var r redactor
			if got := r.text(text); strings.Contains(text, canary) && strings.Contains(got, canary) {
				rt.Errorf("%s: %s\nbecomes %s", name, text, got)
			}
		}
	})
}

// TestRedactingEndsSoon goes through the worst answers that are kept.
func TestRedactingEndsSoon(t *testing.T) {
	for _, part := range []string{"a", ";", ".", "'?", `"`, `"x`, `\"`, "a://", "a:", "/;", "https%3A"} {
		var r redactor
		r.text(strings.Repeat(part, 64<<10/len(part)))
	}
}

// unpack gives the names of a zip's files in their order, their texts and the one time of all.
func unzip(t *testing.T, p page) (names []string, texts map[string]string, at time.Time) {
	t.Helper()
	wantStatus(t, p, http.StatusOK)
	z, err := zip.NewReader(bytes.NewReader(p.Body.Bytes()), int64(p.Body.Len()))
	must(t, err)
	texts = map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		text, err := io.ReadAll(r)
		must(t, err)
		names, texts[f.Name] = append(names, f.Name), string(text)
		if !at.IsZero() && !at.Equal(f.Modified) {
			t.Errorf("%s has another time", f.Name)
		}
		at = f.Modified
	}
	return names, texts, at
}

const (
	secretURL = "https://hooks.example.com/live?auth=Zq8s3cret&room=9"
	cleanURL  = "https://hooks.example.com/live?auth=[removed]&room=[removed]"
)

func TestBundle(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		w.exec(`UPDATE users SET time_zone = 'Asia/Shanghai', language = 'zh-Hans' WHERE name = 'support'`)
		operator := w.as(store.Operator)
		w.box.Script(sandbox.Fault{Command: "update_callback", Code: 60020, Info: "not allowed: " + secretURL})
		path := operator.apply(operator.plan(appID, secretURL, created))
		c, err := w.store.Change(t.Context(), 1)
		must(t, err)
		if change := operator.get(path); change.count(`main a[href="`+path+`/bundle"]`) != 1 {
			t.Error("the entry does not lead to its bundle")
		}

		preview := operator.get(path + "/bundle")
		wantStatus(t, preview, http.StatusOK)
		audited := w.number(`SELECT COUNT(*) FROM audit`)
		p := operator.press(preview, "main form", nil)
		if got := p.Header().Get("Content-Disposition"); got != `attachment; filename="callboard-change-1.zip"` || p.Header().Get("Content-Type") != "application/zip" {
			t.Errorf("sent as %q, %q", p.Header().Get("Content-Type"), got)
		}
		names, texts, at := unzip(t, p)
		want := []string{"summary.txt", "ticket.en.txt", "ticket.zh-Hans.txt", "request.txt", "answer.txt", "configuration.before.json", "configuration.wanted.json", "timeline.txt"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		if !at.Equal(time.UnixMilli(c.StartedAt).Truncate(time.Second)) {
			t.Errorf("the files are of %s, the entry of %s", at, time.UnixMilli(c.StartedAt))
		}
		preview.doc.Find("pre").Each(func(i int, s *goquery.Selection) {
			if name := names[i]; s.Text() != texts[name] || s.AttrOr("aria-label", "") != name {
				t.Errorf("the preview of %s is another text than the file", name)
			}
		})
		if got := preview.doc.Find("button[data-copy]").Map(func(_ int, s *goquery.Selection) string { return s.AttrOr("data-copy", "") }); !slices.Equal(got, []string{"file-ticket.en.txt", "file-ticket.zh-Hans.txt"}) ||
			preview.doc.Find(`pre[id="file-ticket.en.txt"]`).Text() != texts["ticket.en.txt"] {
			t.Errorf("copy buttons are for %q", got)
		}
		if preview.count("pre") != len(names) || !strings.Contains(preview.text("main ul"), "values of query parameters") {
			t.Errorf("the preview has %d files and says %q", preview.count("pre"), preview.text("main ul"))
		}
		for name, text := range texts {
			if strings.Contains(text, "Zq8s3cret") || strings.Contains(text, address) || len(leaks(text)) > 0 {
				t.Errorf("%s holds what has to be removed:\n%s", name, text)
			}
		}
		for name, parts := range map[string][]string{
			"summary.txt":               {w.T("head.refused.title", "Code", 60020, "Meaning", w.T("error.60020.meaning")), "RequestId: " + c.RequestID, utc(c.StartedAt), "operator, " + w.T("role.operator"), "a test", "box", c.Host, w.T("error.60020.cause"), w.T("error.60020.do"), "Callboard test"},
			"ticket.en.txt":             {"SDKAppID: 20010452", "RequestId: " + c.RequestID, "Time (UTC): " + utc(c.StartedAt), "API: update_callback", "ErrorCode: 60020", "ErrorInfo: not allowed: " + cleanURL, "What was expected:", "URL: " + cleanURL, "CallbackCommandList: " + created},
			"ticket.zh-Hans.txt":        {"SDKAppID: 20010452", "RequestId: " + c.RequestID, "时间（UTC）: " + utc(c.StartedAt), "API: update_callback", "ErrorCode: 60020", "预期结果：", cleanURL},
			"request.txt":               {"POST /", "sdkappid=20010452", "usersig=[removed]", cleanURL},
			"answer.txt":                {`"ErrorCode":60020`, cleanURL, c.RequestID},
			"configuration.before.json": {`"url": "` + oldURL + `"`, created, ended},
			"configuration.wanted.json": {`"url": "` + cleanURL + `"`, created},
			"timeline.txt":              {utc(c.StartedAt), w.T("step.intent"), w.T("step.sent")},
		} {
			for _, part := range parts {
				if !strings.Contains(texts[name], part) {
					t.Errorf("%s lacks %q:\n%s", name, part, texts[name])
				}
			}
		}
		rows, err := w.store.AuditTrail(t.Context(), store.AuditFilter{Limit: 1})
		must(t, err)
		if e := rows.Entries[0]; e.Number != audited+1 || e.Act != "bundle.made" || e.Target != "change 1" || e.Actor.Name != store.Operator || e.Actor.Address != address {
			t.Errorf("audited as %+v", e)
		}

		support := w.as(store.Support)
		_, texts, _ = unzip(t, support.post(path+"/bundle", nil))
		local := time.UnixMilli(c.StartedAt).In(time.FixedZone("", 8*3600)).Format("2006-01-02 15:04:05 -07:00")
		if !strings.Contains(texts["summary.txt"], utc(c.StartedAt)+" · "+local) || !strings.Contains(texts["summary.txt"], w.printer["zh-Hans"].T("error.60020.cause")) {
			t.Errorf("the summary for somebody in Shanghai is\n%s", texts["summary.txt"])
		}
		wantStatus(t, support.get("/changes/999/bundle"), http.StatusNotFound)
		wantStatus(t, support.post("/changes/999/bundle", nil), http.StatusNotFound)
	})
}

// TestBundleSteersNobody: a text of a hostile answer neither moves a terminal's cursor nor turns a line around.
func TestBundleSteersNobody(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	w.box.Script(sandbox.Fault{Command: "update_callback", Body: `{"ActionStatus":"FAIL","ErrorCode":60020,"ErrorInfo":"\u001b[2Jgone \u202edaer","RequestId":"Id-\u0007\u009b1"}`})
	_, texts, _ := unzip(t, b.post(b.apply(b.plan(appID, secretURL, created))+"/bundle", nil))
	for name, text := range texts {
		for _, c := range text {
			if c != '\n' && c != '\t' && (!unicode.IsPrint(c) || unicode.Is(unicode.Bidi_Control, c)) {
				t.Errorf("%s holds %U:\n%q", name, c, text)
				break
			}
		}
	}
	if want := `ErrorInfo: \u001b[2Jgone \u202edaer`; !strings.Contains(texts["ticket.en.txt"], want) {
		t.Errorf("the ticket does not say %s:\n%s", want, texts["ticket.en.txt"])
	}
}

// TestBundleIsTheSameEachTime: days later, and from another process, an entry that has ended gives the same bytes.
func TestBundleIsTheSameEachTime(t *testing.T) {
	w := newWorld(t)
	past(w)
	b := w.as(store.Admin)
	for _, path := range []string{"/changes/1/bundle", "/changes/2/bundle", "/changes/3/bundle"} {
		first := b.post(path, nil)
		wantStatus(t, first, http.StatusOK)
		w.ahead.Store(int64(50 * time.Minute))
		if again := b.post(path, nil); !bytes.Equal(first.Body.Bytes(), again.Body.Bytes()) {
			t.Errorf("%s differs when it is made later", path)
		}
		w.ahead.Store(0)
	}
}

// TestTickets has a text for each way in which an entry can stand.
func TestTickets(t *testing.T) {
	w := newWorld(t)
	ids := past(w) // 1 applied, 2 refused, 3 a drift
	b := w.as(store.Admin)
	w.box.SetCallback(otherID, &sandbox.Callback{Url: oldURL, CallbackCommandList: []string{created}})
	b.unknown(otherID, created, ended) // 4
	back, other := store.NewConfiguration(oldURL, []string{created}), store.NewConfiguration("https://other.example.com/", nil)
	must(t, w.store.Settle(t.Context(), store.Console, 4, store.Settlement{Settled: store.NotApplied, Found: &back}))
	b.unknown(otherID, created, gift) // 5
	must(t, w.store.Settle(t.Context(), store.Console, 5, store.Settlement{Settled: store.Overtaken, Found: &other}))
	w.box.Script(sandbox.Fault{SDKAppID: otherID, Command: "update_callback", Drop: "after"})
	b.apply(b.plan(otherID, newURL, created, members)) // 6
	must(t, w.changes.CheckNow(t.Context(), store.Console, 6))
	b.unknown(otherID, ended) // 7
	must(t, w.changes.CloseByHand(t.Context(), store.Console, 7, "x"))
	b.unknown(otherID, created, gift)                                                                                                 // 8
	wantStatus(t, b.post(views.AppPath(appID, ""), url.Values{"do": {"accept"}, "seen": {store.None.Digest()}}), http.StatusSeeOther) // 9
	w.exec(`UPDATE changes SET read_back = previous, read_back_at = started_at WHERE number = 1`)
	for number, about := range map[string]string{"1": "differs", "2": "refused", "3": "drift", "4": "settled_not_applied", "5": "settled_overtaken", "6": "settled_applied", "7": "by_hand", "8": "unknown", "9": "accepted"} {
		_, texts, _ := unzip(t, b.post("/changes/"+number+"/bundle", nil))
		for _, l := range []string{"en", "zh-Hans"} {
			text := texts["ticket."+l+".txt"]
			for _, id := range []string{"inquiry.what.", "inquiry.expected.", "inquiry.ask."} {
				if sentence := w.printer[l].T(id + about); !strings.Contains(text, sentence) {
					t.Errorf("change %s, %s: %q is missing in\n%s", number, l, sentence, text)
				}
			}
		}
		if number == "4" && !strings.Contains(texts["ticket.en.txt"], w.T("inquiry.fault", "Why", w.T("fault.status"))) {
			t.Errorf("the ticket does not say that no answer came:\n%s", texts["ticket.en.txt"])
		}
		if number == "3" && !strings.Contains(texts["ticket.en.txt"], "RequestId: "+ids[2]) {
			t.Errorf("the ticket of a drift lacks the RequestId of the read:\n%s", texts["ticket.en.txt"])
		}
	}
	for number, found := range map[string]string{"4": oldURL, "5": other.URL(), "6": newURL, "9": w.T("word.none")} {
		names, texts, _ := unzip(t, b.post("/changes/"+number+"/bundle", nil))
		if want := w.T("inquiry.found") + "\nURL: " + found; !strings.Contains(texts["ticket.en.txt"], want) {
			t.Errorf("the ticket of %s lacks %q:\n%s", number, want, texts["ticket.en.txt"])
		}
		after := slices.Contains(names, "configuration.after.json")
		if applied := number == "6" || number == "9"; after != applied || slices.Contains(names, "configuration.wanted.json") == applied {
			t.Errorf("the bundle of %s has %q", number, names)
		}
	}
	_, texts, _ := unzip(t, b.post("/changes/1/bundle", nil))
	if !strings.Contains(texts["configuration.read-back.json"], oldURL) {
		t.Errorf("what was read back is %q", texts["configuration.read-back.json"])
	}
}

// TestEveryTicketHasItsTexts: whatever about can say.
func TestEveryTicketHasItsTexts(t *testing.T) {
	w := newWorld(t)
	unread := entry{Change: store.Change{Outcome: store.NotSent, Cause: store.CauseUnread}, call: &store.Exchange{}}
	unreached := entry{Change: store.Change{Outcome: store.NotSent, Cause: string(tencent.FaultConnect)}}
	entries := []entry{unread, unreached, {Change: store.Change{Kind: store.KindDrift}}, {Change: store.Change{Kind: store.KindAccepted}}, {Change: store.Change{Outcome: store.Applied, ReadBack: "x"}}}
	for _, outcome := range []string{store.Pending, store.Applied, store.Refused, store.Unknown, store.NotSent} {
		entries = append(entries, entry{Change: store.Change{Outcome: outcome}}, entry{Change: store.Change{Kind: store.KindToken, Outcome: outcome}})
	}
	for _, settled := range []string{store.Applied, store.NotApplied, store.Overtaken} {
		entries = append(entries, entry{Change: store.Change{Outcome: store.Unknown, Settled: settled}})
	}
	entries = append(entries, entry{Change: store.Change{Outcome: store.Unknown, Settled: store.Overtaken}, steps: []store.Step{{Name: store.StepSettled, Detail: store.CauseByHand}}})
	refused := int64(100300)
	for _, late := range []store.Change{{Settled: store.Applied}, {Settled: store.NotApplied, ErrorCode: &refused}, {Settled: store.NotApplied}} {
		late.Outcome = store.Unknown
		entries = append(entries, entry{Change: late, steps: []store.Step{{Name: store.StepLate, At: 5}, {Name: store.StepSettled, At: 5}}})
	}
	var seen []string
	for _, e := range entries {
		about := bundler{entry: e}.about()
		seen = append(seen, about)
		for _, l := range []string{"en", "zh-Hans"} {
			for _, id := range []string{"inquiry.what.", "inquiry.expected.", "inquiry.ask."} {
				if !w.printer[l].Has(id + about) {
					t.Errorf("%s has no %s%s", l, id, about)
				}
			}
		}
	}
	slices.Sort(seen)
	if diff := cmp.Diff([]string{"accepted", "applied", "by_hand", "differs", "drift", "held_back", "not_sent", "pending", "refused", "settled_applied", "settled_not_applied", "settled_overtaken", "token", "token_refused", "unknown", "unread"}, slices.Compact(seen)); diff != "" {
		t.Errorf("kinds of tickets (-want +got):\n%s", diff)
	}
}

// TestTicketsOfWhatWasNotSent: only of a call that left, or of a read that Tencent did not answer well, is there anything to ask.
func TestTicketsOfWhatWasNotSent(t *testing.T) {
	for _, test := range []struct {
		cause, detail string // of the change, and of its step
		late          bool   // its writer came back after it was taken for left over
		want          string
	}{
		{store.CauseUnread, "", false, "unread"},
		{store.CauseUnread, string(tencent.FaultTimeout), false, "unread"},
		{store.CauseUnread, string(tencent.FaultLimited), false, "held_back"},
		{string(tencent.FaultConnect), string(tencent.FaultConnect), false, "not_sent"},
		{string(tencent.FaultSign), string(tencent.FaultSign), false, "held_back"},
		{store.CauseMoved, "", false, "held_back"},
		{store.CauseStale, "", false, "held_back"},
		{store.CauseLate, store.CauseLate, false, "held_back"},
		{store.CauseLeftOver, string(tencent.FaultConnect), true, "not_sent"},
		{store.CauseLeftOver, store.CauseLate, true, "held_back"},
	} {
		name := store.StepNotSent
		if test.cause == store.CauseUnread {
			name = store.StepUnread
		}
		e := entry{Change: store.Change{Outcome: store.NotSent, Cause: test.cause}, call: &store.Exchange{}, steps: []store.Step{{Name: name, Detail: test.detail}}}
		if test.late {
			e.Outcome, e.Settled = store.Unknown, store.NotApplied
			e.steps = append(e.steps, store.Step{Name: store.StepLate, At: 5}, store.Step{Name: store.StepSettled, At: 5})
		}
		if got := (bundler{entry: e}).about(); got != test.want {
			t.Errorf("%s with %s: %s, want %s", test.cause, test.detail, got, test.want)
		}
	}
}

func TestNoBundleWithoutItsAuditRow(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		past(w)
		b := w.as(store.Support)
		w.exec(`ALTER TABLE audit RENAME TO audit_away`)
		if p := b.post("/changes/1/bundle", url.Values{}); p.Code != http.StatusServiceUnavailable || p.doc == nil || p.Header().Get("Content-Disposition") != "" {
			t.Errorf("without audit: %d, %s", p.Code, heading(p))
		}
		w.exec(`ALTER TABLE audit_away RENAME TO audit`)
		before := w.number(`SELECT COUNT(*) FROM audit`)
		wantStatus(t, b.get("/changes/1/bundle"), http.StatusOK)
		if now := w.number(`SELECT COUNT(*) FROM audit`); now != before {
			t.Error("the preview is audited")
		}
	})
}
