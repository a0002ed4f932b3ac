package handlers

import (
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"callboard/store"
	"callboard/store/storetest"
)

// inBash runs a command in which curl prints its arguments, and returns them.
func inBash(t *testing.T, command string) []string {
	t.Helper()
	run := exec.CommandContext(t.Context(), "bash", "-c", `curl() { printf '%s\0' "$@"; }`+"\n"+command)
	run.Env = []string{"USERSIG=eJw*a-b_c$(id)'"}
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, out, command)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestCurlSurvivesTheShell(t *testing.T) {
	const front = "/v4/live_engine_http_srv/update_callback?sdkappid=1&identifier=a%27b&"
	for _, hostile := range []string{
		"", "plain", `it's`, `'`, `''`, `"`, `\`, `\'`, `'\''`, "$(touch x)", "`touch x`", "$HOME ${HOME}", "!!", "a\nb", "\n", "\n\nafter", "a\r\nb\tc", "; exit 7 #", "a && b | c > d",
		"*?[a-z]{b,c}~", "@file", "-d", "直播'é", "\u202e'\\x", "\u2028", "\ufeff", "\xff\xfe'", "\x01\x1b[31m0", "\U0001F600", "\U000E0041'1", "%27%0a", "[removed]",
	} {
		body := `{"Url":"` + hostile + `"}`
		command, ok := curlOf("https://h.example", "POST "+front+"usersig=[removed]&random=7&contenttype=json\n\n"+body)
		if !ok {
			t.Fatalf("%q: no command", hostile)
		}
		want := []string{"--globoff", "--request", "POST", "https://h.example" + front + "usersig=eJw*a-b_c$(id)'&random=7&contenttype=json", "--header", "Content-Type: application/json", "--data-raw", body}
		if got := inBash(t, command); !slices.Equal(got, want) {
			t.Errorf("%q: curl gets\n%q, want\n%q", hostile, got, want)
		}
		if strings.ContainsAny(command, "\u202e\u2028\ufeff\x01\x1b") || !utf8.ValidString(command) {
			t.Errorf("%q: what cannot be seen stands in the command", hostile)
		}
	}
	for _, request := range []string{"", "request", "POST /x?usersig=[removed]", "POST /x?a=b\n\n{}", "\n\nusersig=[removed]"} {
		if command, ok := curlOf("https://h.example", request); ok {
			t.Errorf("%q becomes %q", request, command)
		}
	}
}

func TestCurlOnThePage(t *testing.T) {
	w := newWorld(t)
	b := w.as(store.Operator)
	hostile := "https://hooks.example.com/it's?a=$(id)&b=`id`&c=\"q\"&d=直播"
	change := b.apply(b.plan(appID, hostile, created, ended))
	p := w.as(store.Support).get(change)
	if p.count(`button[data-copy=curl]`) != 1 || p.count("details #curl") != 1 {
		t.Fatal("the command and its copy button are not there")
	}
	got := inBash(t, p.doc.Find("#curl").Text())
	sent, err := url.Parse(got[3])
	must(t, err)
	q := sent.Query()
	if got[2] != "POST" || sent.Scheme+"://"+sent.Host != w.box.APIURL() || !strings.HasSuffix(sent.Path, "/update_callback") || q.Get("sdkappid") != itoa64(appID) || q.Get("identifier") != admins ||
		q.Get("random") != itoa64(w.number(`SELECT attempt FROM changes WHERE number = 1`)) || q.Get("contenttype") != "json" || !strings.HasPrefix(q.Get("usersig"), "eJw*") {
		t.Errorf("the command calls %q", got)
	}
	e, err := storetest.Exchange(t.Context(), w.store, 1)
	must(t, err)
	if _, body, _ := strings.Cut(string(e.Request), "\n\n"); got[7] != body || !strings.Contains(body, "it's?a=$(id)") {
		t.Errorf("the body is %q, sent was %q", got[7], body)
	}
	if notes := p.text("details:has(#curl) li"); notes != w.T("curl.signature") {
		t.Errorf("beside the command: %q", notes)
	}
	w.exec(`UPDATE exchanges SET request = $1`, []byte("POST /x?usersig=[removed]&random=1\n\n{\"Token\":\"[removed]\"}"))
	w.exec(`UPDATE changes SET row_version = row_version + 1`) // as whoever writes an exchange does
	if notes := b.get(change).text("details:has(#curl) li"); !strings.Contains(notes, w.T("curl.masked")) {
		t.Errorf("a masked body: %q", notes)
	}
}
