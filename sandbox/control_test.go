package sandbox

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func control(t *testing.T, s *Server, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:9"+target, strings.NewReader(body))
	w := httptest.NewRecorder()
	s.Control().ServeHTTP(w, r)
	return w
}

func TestControl(t *testing.T) {
	app := "/apps/1400000001"
	stored := `{"Url":"http://a","CallbackCommandList":["B","A"]}` + "\n"
	token := `{"Token":"x","IsTokenEnable":true}` + "\n"
	fail := func(sentence string) string {
		out, _ := json.Marshal(map[string]string{"error": sentence})
		return string(out) + "\n"
	}
	cases := []struct {
		method, target, body string
		status               int
		answer               string
	}{
		{"GET", "/", "", 200, usage},
		{"GET", "/nothing", "", 404, "404 page not found\n"},
		{"GET", "/faults", "", 405, "Method Not Allowed\n"},
		{"GET", app + "/callback", "", 404, fail("The app has no callback.")},
		{"PUT", app + "/callback", stored, 204, ""},
		{"GET", app + "/callback", "", 200, stored},
		{"PUT", app + "/callback", `{"Url":"http://b"}`, 400, fail("Url and CallbackCommandList are both needed.")},
		{"PUT", app + "/callback", `{"CallbackCommandList":[]}`, 400, fail("Url and CallbackCommandList are both needed.")},
		{"PUT", app + "/callback", `{"Url":"http://b","X":1}`, 400, fail(`The body was not understood: unknown field "X".`)},
		{"PUT", app + "/callback", `{} {}`, 400, fail("The body was not understood: there is more than one JSON value.")},
		{"PUT", app + "/callback", ``, 400, fail("The body was not understood: EOF.")},
		{"GET", app + "/callback", "", 200, stored},
		{"DELETE", app + "/callback", "", 204, ""},
		{"GET", app + "/callback", "", 404, fail("The app has no callback.")},
		{"GET", app + "/token", "", 404, fail("The app has no token.")},
		{"PUT", app + "/token", token, 204, ""},
		{"PUT", app + "/token", `{"Token":"y"}`, 400, fail("Token and IsTokenEnable are both needed.")},
		{"PUT", app + "/token", `{"IsTokenEnable":false}`, 400, fail("Token and IsTokenEnable are both needed.")},
		{"PUT", app + "/token", `{"token_":"y"}`, 400, fail(`The body was not understood: unknown field "token_".`)},
		{"GET", app + "/token", "", 200, token},
		{"DELETE", app + "/token", "", 204, ""},
		{"GET", app + "/token", "", 404, fail("The app has no token.")},
		{"GET", "/apps/5/callback", "", 404, fail("There is no app 5.")},
		{"PUT", "/apps/5/callback", stored, 404, fail("There is no app 5.")},
		{"DELETE", "/apps/5/callback", "", 404, fail("There is no app 5.")},
		{"GET", "/apps/5/token", "", 404, fail("There is no app 5.")},
		{"PUT", "/apps/5/token", token, 404, fail("There is no app 5.")},
		{"DELETE", "/apps/5/token", "", 404, fail("There is no app 5.")},
		{"POST", "/apps/5/deliver", `{}`, 404, fail("There is no app 5.")},
		{"GET", "/apps/x/callback", "", 400, fail("The SDKAppID in the path is not a number above 0.")},
		{"PUT", "/apps/x", "", 400, fail("The SDKAppID in the path is not a number above 0.")},
		{"PUT", "/apps/5", `{"admins":["a"]}`, 400, fail("App 5 has no key.")},
		{"PUT", "/apps/5", `{"key":"k","name":"n"}`, 400, fail(`The body was not understood: unknown field "name".`)},
		{"PUT", "/apps/5", `{"key":"k","admins":["a"],"site":"s"}`, 204, ""},
		{"GET", "/apps/5/callback", "", 404, fail("The app has no callback.")},
		{"POST", "/apps/5/deliver", `{"command":"W"}`, 422, fail("Deliver W for app 5: the app has no callback.")},
		{"POST", "/apps/5/deliver", `{"word":"W"}`, 400, fail(`The body was not understood: unknown field "word".`)},
		{"POST", "/faults", `{"delay":5}`, 400, fail(`The body was not understood: unknown field "delay".`)},
		{"POST", "/faults", `{"drop":"later"}`, 400, fail(`The fault's drop is neither "before" nor "after".`)},
		{"POST", "/faults", `{"delay_ms":-9223372036854775807}`, 400, fail("The delay is below 0 or longer than a day.")},
		{"POST", "/faults", `{"delay_ms":86400001}`, 400, fail("The delay is below 0 or longer than a day.")},
		{"GET", "/gates/a", "", 404, fail(`No fault has had a gate named "a".`)},
		{"POST", "/gates/a", "", 404, fail(`No fault has had a gate named "a".`)},
		{"POST", "/faults", `{"gate":"a"}`, 204, ""},
		{"GET", "/gates/a", "", 200, `{"waiting":0}` + "\n"},
		{"POST", "/gates/a", "", 204, ""},
		{"DELETE", "/faults", "", 204, ""},
		{"GET", "/journal", "", 200, "[]\n"},
		{"DELETE", "/journal", "", 204, ""},
	}
	s := memoryServer(t, Options{})
	for _, c := range cases {
		w := control(t, s, c.method, c.target, c.body)
		if w.Code != c.status || w.Body.String() != c.answer {
			t.Errorf("%s %s %s: %d %s, want %d %s", c.method, c.target, c.body, w.Code, w.Body, c.status, c.answer)
		}
	}
	if diff := cmp.Diff(App{SDKAppID: 5, Key: "k", Admins: []string{"a"}, Site: "s"}, s.apps[5]); diff != "" {
		t.Error(diff)
	}
}

// TestControlFault sends every field and compares the fault that is in the list then.
func TestControlFault(t *testing.T) {
	s := memoryServer(t, Options{})
	w := control(t, s, "POST", "/faults", `{"sdkappid":5,"command":"get_callback","times":-1,"delay_ms":1500,"status":503,"body":"b","cut_at":3,
		"drop":"after","reset":true,"code":9,"info":"i","no_request_id":true,"gate":"g","apply":"no"}`)
	if w.Code != 204 || len(s.faults) != 1 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	want := Fault{SDKAppID: 5, Command: "get_callback", Times: -1, Delay: 1500 * time.Millisecond, Status: 503, Body: "b", CutAt: 3,
		Drop: "after", Reset: true, Code: 9, Info: "i", NoRequestID: true, Gate: "g", Apply: "no"}
	if diff := cmp.Diff(want, s.faults[0].Fault); diff != "" {
		t.Error(diff)
	}
}

// TestControlOverTCP drives a fault, a gate, a delivery and the journal through the real listeners.
func TestControlOverTCP(t *testing.T) {
	s := startServer(t, Options{})
	client := newClient(t)
	do := func(method, target, body string, status int) string {
		t.Helper()
		got, err := send(client, request(t, method, s.ControlURL()+target, body))
		if err != nil || got.status != status {
			t.Fatalf("%s %s: %d %s %v", method, target, got.status, got.raw, err)
		}
		return got.raw
	}
	do("POST", "/faults", `{"gate":"g","no_request_id":true,"command":"set_callback"}`, 204)
	h := newHook(t, 200, replyOK)
	done := make(chan error, 1)
	set := request(t, "POST", s.APIURL()+pathPrefix+"set_callback?"+query(), `{"Url":"`+h.URL+`","CallbackCommandList":["W"]}`)
	go func() {
		_, err := send(client, set)
		done <- err
	}()
	if err := s.AwaitGate(context.Background(), "g", 1); err != nil {
		t.Fatal(err)
	}
	if got := do("GET", "/gates/g", "", 200); got != `{"waiting":1}`+"\n" {
		t.Errorf("gate: %s", got)
	}
	do("POST", "/gates/g", "", 204)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var d map[string]any
	if err := json.Unmarshal([]byte(do("POST", "/apps/1400000001/deliver", `{"command":"W","body":{"a": 1}}`, 200)), &d); err != nil {
		t.Fatal(err)
	}
	delete(d, "elapsed_ms")
	want := map[string]any{"url": h.URL, "status": 200.0, "body": replyOK, "error_code": 0.0, "error_info": "", "failure": "", "effect": "ignored", "client_code": 0.0, "request_time": 0.0}
	if diff := cmp.Diff(want, d); diff != "" || h.body != `{"a": 1}` {
		t.Errorf("%s; sent %s", diff, h.body)
	}
	var journal []map[string]any
	if err := json.Unmarshal([]byte(do("GET", "/journal", "", 200)), &journal); err != nil || len(journal) != 1 {
		t.Fatalf("%v %v", journal, err)
	}
	if id, _ := journal[0]["request_id"].(string); !requestIDShape.MatchString(id) {
		t.Errorf("request_id %v", journal[0]["request_id"])
	}
	delete(journal[0], "request_id")
	wantEntry := map[string]any{
		"at": day.Format(time.RFC3339), "random": 7.0, "sdkappid": 1400000001.0, "command": "set_callback", "identifier": admin,
		"host": strings.TrimPrefix(s.APIURL(), "http://"), "verdict": 0.0, "fault": "gate g, no RequestId", "applied": true, "before": nil,
		"after": map[string]any{"Url": h.URL, "CallbackCommandList": []any{"W"}}, "answered": true,
	}
	if diff := cmp.Diff(wantEntry, journal[0]); diff != "" {
		t.Error(diff)
	}
}

func TestControlKeepsOthersOut(t *testing.T) {
	cases := []struct {
		name, host, method, site string
		status                   int
	}{
		{"loopback", "127.0.0.1:9", "GET", "", 200},
		{"loopback of the newer kind", "[::1]:9", "GET", "", 200},
		{"the same without port", "[::1]", "GET", "", 200},
		{"localhost", "localhost:9", "GET", "", 200},
		{"a name that leads here", "evil.example.test:9", "GET", "", 403},
		{"another address", "192.0.2.1", "GET", "", 403},
		{"from a page of its own", "127.0.0.1:9", "DELETE", "same-origin", 204},
		{"from a page elsewhere", "127.0.0.1:9", "DELETE", "cross-site", 403},
	}
	for _, c := range cases {
		r := httptest.NewRequest(c.method, "/journal", nil)
		r.Host = c.host
		r.Header.Set("Sec-Fetch-Site", c.site)
		w := httptest.NewRecorder()
		memoryServer(t, Options{}).Control().ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.status)
		}
	}
}

func TestControlTellsWhatWasNotWritten(t *testing.T) {
	s := memoryServer(t, Options{File: t.TempDir() + "/sandbox.json"})
	s.rename = func(string, string) error { return http.ErrBodyNotAllowed }
	w := control(t, s, "PUT", "/apps/1400000001/token", `{"Token":"x","IsTokenEnable":true}`)
	if w.Code != 500 || !strings.Contains(w.Body.String(), "write the state") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestStart(t *testing.T) {
	cases := []struct {
		api, control string
		want         string
	}{
		{"0.0.0.0:0", "127.0.0.1:0", "not a loopback"},
		{"127.0.0.1:0", "0.0.0.0:0", "not a loopback"},
		{":0", "127.0.0.1:0", "not a loopback"},
		{"[::]:0", "127.0.0.1:0", "not a loopback"},
		{"192.0.2.1:0", "127.0.0.1:0", "not a loopback"},
		{"example.test:0", "127.0.0.1:0", "not a loopback"},
		{"127.0.0.1", "127.0.0.1:0", "listen address"},
		{"127.0.0.1:70000", "127.0.0.1:0", "invalid port"},
	}
	for _, c := range cases {
		s := memoryServer(t, Options{})
		if err := s.Start(c.api, c.control); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s and %s: %v, want %q", c.api, c.control, err, c.want)
		}
		if s.APIURL() != "" || s.ControlURL() != "" {
			t.Errorf("%s and %s: has an address", c.api, c.control)
		}
	}
}

// TestStartLeavesNoPortOpen fails at the second listener and takes the first one's port again.
func TestStartLeavesNoPortOpen(t *testing.T) {
	address := strings.TrimPrefix(newHook(t, 200, "").URL, "http://")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	first := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	if err := memoryServer(t, Options{}).Start(first, address); err == nil {
		t.Fatal("a port in use was taken")
	}
	again, err := net.Listen("tcp", first)
	if err != nil {
		t.Fatalf("the first port is still held: %v", err)
	}
	_ = again.Close()
}

func TestStartOnceCloseTwice(t *testing.T) {
	s := memoryServer(t, Options{})
	if err := s.Start("127.0.0.1:0", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	taken := memoryServer(t, Options{})
	if err := taken.Start("127.0.0.1:0", strings.TrimPrefix(s.APIURL(), "http://")); err == nil {
		t.Error("a port in use was taken")
	}
	if err := s.Start("127.0.0.1:0", "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("second start: %v", err)
	}
	for range 2 {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	if err := s.Start("127.0.0.1:0", "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("start after close: %v", err)
	}
}
