package handlers

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"callboard/store"
	"callboard/store/storetest"
)

// table reads an answer as CSV and gives its head and its lines by the names in the head.
func table(t *testing.T, p page) (head []string, lines []map[string]string) {
	t.Helper()
	wantStatus(t, p, http.StatusOK)
	body, marked := strings.CutPrefix(p.Body.String(), "\ufeff")
	if !marked {
		t.Error("Excel would not take it for UTF-8")
	}
	all, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	must(t, err)
	for _, values := range all[1:] {
		line := map[string]string{}
		for i, value := range values {
			line[all[0][i]] = value
		}
		lines = append(lines, line)
	}
	return all[0], lines
}

func TestCSV(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		ids := past(w)
		b := w.as(store.Support)
		p := b.get("/history.csv")
		if got := p.Header().Get("Content-Type"); got != "text/csv; charset=utf-8; header=present" {
			t.Errorf("Content-Type is %q", got)
		}
		if got := p.Header().Get("Content-Disposition"); got != `attachment; filename="callboard-history.csv"` {
			t.Errorf("Content-Disposition is %q", got)
		}
		head, lines := table(t, p)
		if diff := cmp.Diff([]string{"number", "kind", "sdkappid", "app", "region", "host", "call", "random", "outcome", "settled", "started_at", "ended_at", "settled_at", "duration_ms", "http_status",
			"action_status", "error_code", "error_info", "request_id", "who", "reason", "previous_url", "previous_commands", "wanted_url", "wanted_commands"}, head); diff != "" {
			t.Errorf("columns (-want +got):\n%s", diff)
		}
		if len(lines) != 3 {
			t.Fatalf("%d lines, want 3", len(lines))
		}
		host, _, _ := strings.Cut(strings.TrimPrefix(w.box.APIURL(), "http://"), "/")
		change := func(number int64) store.Change {
			c, err := w.store.Change(t.Context(), number)
			must(t, err)
			return c
		}
		refused, drift := change(2), change(3)
		both := strings.Join([]string{created, ended}, " ")
		want := []map[string]string{
			{"number": "3", "kind": "drift", "sdkappid": itoa64(appID), "app": "Aurora Stage", "region": "box", "host": host, "call": "get_callback", "random": "", "outcome": "", "settled": "",
				"started_at": utc(drift.StartedAt), "ended_at": "", "settled_at": "", "duration_ms": itoa64(*drift.DurationMS), "http_status": "", "action_status": "OK", "error_code": "0", "error_info": "",
				"request_id": ids[2], "who": "", "reason": "", "previous_url": newURL, "previous_commands": both, "wanted_url": "", "wanted_commands": ""},
			{"number": "2", "kind": "change", "sdkappid": itoa64(appID), "app": "Aurora Stage", "region": "box", "host": host, "call": "update_callback", "random": itoa64(*refused.Attempt), "outcome": "refused", "settled": "",
				"started_at": utc(refused.StartedAt), "ended_at": utc(refused.EndedAt), "settled_at": "", "duration_ms": itoa64(*refused.DurationMS), "http_status": "200", "action_status": "FAIL", "error_code": "60020", "error_info": "expired",
				"request_id": ids[1], "who": "admin", "reason": "a test", "previous_url": newURL, "previous_commands": both, "wanted_url": "https://hooks.example.com/50%25_off", "wanted_commands": created},
		}
		if diff := cmp.Diff(want, lines[:2]); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		for query, want := range map[string]int{"?q=operator": 1, "?state=drift": 1, "?q=" + itoa64(appID): 3, "?q=%232": 1, "?q=nothing": 0, "?before=3": 2} {
			if _, lines := table(t, b.get("/history.csv"+query)); len(lines) != want {
				t.Errorf("%s exports %d lines, want %d", query, len(lines), want)
			}
		}
	})
}

// TestCSVGoesOn crosses the steps in which the store is read, which the reader of the file must not notice.
func TestCSVGoesOn(t *testing.T) {
	w := newWorld(t)
	past(w)
	for range 10 {
		w.exec(`INSERT INTO changes (kind, sdkappid, app, environment, region, host, call, actor, who, who_key, role, address, reason, summary, outcome, previous, wanted, started_at, cause)
			SELECT kind, sdkappid, app, environment, region, host, call, actor, who, who_key, role, address, reason, summary, outcome, previous, wanted, started_at, cause FROM changes`)
	}
	_, lines := table(t, w.as(store.Support).get("/history.csv"))
	if len(lines) != 3<<10 {
		t.Fatalf("%d lines, want %d", len(lines), 3<<10)
	}
	for i, line := range lines {
		if want := itoa64(int64(len(lines) - i)); line["number"] != want {
			t.Fatalf("line %d has number %s, want %s", i, line["number"], want)
		}
	}
}

func TestInert(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain": "plain", "a=b": "a=b", "1-2": "1-2", "'=1": "'=1", "https://hooks.example.com/?a=1": "https://hooks.example.com/?a=1", "直播": "直播",
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx", "\rx": "'\rx", "\nx": "'\nx", "  =1": "'  =1", " \t\r\n@x": "' \t\r\n@x", "\u00a0+1": "'\u00a0+1",
		"\u3000=1": "'\u3000=1", "\u200b=1": "'\u200b=1", "\ufeff=1": "'\ufeff=1", "\x00=1": "'\x00=1", "＝1": "'＝1", "＋1": "'＋1", "－1": "'－1", "＠x": "'＠x", "  plain": "  plain",
	} {
		if got := inert(text); got != want {
			t.Errorf("inert(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestNoFormulaLeavesTheConsole puts a formula into everything that somebody can choose.
func TestNoFormulaLeavesTheConsole(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		past(w)
		const formula = `  =HYPERLINK("https://evil.example","x")`
		own := []string{"app", "region", "host", "call", "action_status", "error_info", "request_id", "who", "reason"}
		for _, name := range own {
			w.exec(`UPDATE changes SET `+name+` = $1 WHERE number = 2`, formula)
		}
		_, lines := table(t, w.as(store.Support).get("/history.csv?q=%232"))
		for _, name := range own {
			if lines[0][name] != "'"+formula {
				t.Errorf("%s is %q", name, lines[0][name])
			}
		}
		x := exported{Previous: &exportedConfiguration{URL: "=1", Commands: []string{"@a", "b"}}, Wanted: &exportedConfiguration{URL: "+1", Commands: []string{"-a"}}}
		for _, column := range columns[len(columns)-4:] {
			if got := column.of(x); !strings.HasPrefix(got, "'") {
				t.Errorf("%s is %q", column.name, got)
			}
		}
	})
}

// TestNoExportWithoutItsAuditRow takes the audit away: whoever cannot be named gets nothing.
func TestNoExportWithoutItsAuditRow(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		w := worldOn(t, db)
		past(w)
		b := w.as(store.Support)
		for path, detail := range map[string]string{
			"/history.csv":                              `{"filter":"/history","format":"csv"}`,
			"/history.jsonl?q=" + itoa64(appID):         `{"filter":"/history?q=20010452","format":"jsonl"}`,
			"/history.csv?q=admin&state=refused":        `{"filter":"/history?q=admin&state=refused","format":"csv"}`,
			"/history.jsonl?before=3&q=" + "%00%3Cb%3E": `{"filter":"/history?before=3&q=%E2%90%80%3Cb%3E","format":"jsonl"}`,
		} {
			before := w.number(`SELECT COUNT(*) FROM audit`)
			w.exec(`ALTER TABLE audit RENAME TO audit_away`)
			p := b.get(path)
			w.exec(`ALTER TABLE audit_away RENAME TO audit`)
			if p.Code != http.StatusServiceUnavailable || p.doc == nil || p.Header().Get("Content-Disposition") != "" {
				t.Errorf("%s without audit: %d, %s", path, p.Code, heading(p))
			}
			wantStatus(t, b.get(path), http.StatusOK)
			rows, err := w.store.AuditTrail(t.Context(), store.AuditFilter{Limit: 1})
			must(t, err)
			e := rows.Entries[0]
			if e.Act != "history.exported" || e.Target != "history" || readable(e.Detail) != detail || e.Actor.Name != store.Support || e.Actor.Address != address || e.Number != before+1 {
				t.Errorf("%s is audited as %+v, want one row with %s", path, e, detail)
			}
		}
	})
}

// readable takes back how JSON writes signs of HTML.
func readable(detail string) string { return strings.ReplaceAll(detail, `\u0026`, "&") }

func TestBothExportsAreOffered(t *testing.T) {
	w := newWorld(t)
	past(w)
	p := w.as(store.Support).get("/history?q=" + url.QueryEscape("hooks & more") + "&state=drift&before=9")
	for _, path := range []string{"/history.csv", "/history.jsonl"} {
		if p.count(`a[href="`+path+`?q=hooks+%26+more&state=drift"]`) != 1 {
			t.Errorf("no link to %s for this search", path)
		}
	}
}

func TestRetentionIsNamed(t *testing.T) {
	for retention, want := range map[time.Duration]string{0: "", 24 * time.Hour: "Entries are kept for 1 day,", 400 * 24 * time.Hour: "Entries are kept for 400 days,"} {
		w := newWorld(t, func(o *Options) { o.Retention = retention })
		past(w)
		note := w.as(store.Support).get("/history").text(".cb-pages span.cb-2")
		if want == "" && strings.Contains(note, "kept") || !strings.Contains(note, want) {
			t.Errorf("%s: the list ends with %q, want %q", retention, note, want)
		}
	}
}
