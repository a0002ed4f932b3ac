package sandbox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const replyOK = `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`

// hook is an app's own server: it answers always the same and keeps what it got.
type hook struct {
	*httptest.Server
	status   int
	answer   string
	method   string
	rawQuery string
	content  string
	body     string
	requests int
}

func newHook(t *testing.T, status int, answer string) *hook {
	h := &hook{status: status, answer: answer}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.method, h.rawQuery, h.content, h.body = r.Method, r.URL.RawQuery, r.Header.Get("Content-Type"), string(body)
		h.requests++
		if h.status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(h.status)
		_, _ = io.WriteString(w, h.answer)
	}))
	t.Cleanup(h.Close)
	return h
}

func TestDeliveryRequest(t *testing.T) {
	const after = "Live.CallbackAfterCreateRoom"
	plain := "SdkAppid=1400000001&CallbackCommand=Live.CallbackAfterCreateRoom&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI"
	cases := []struct {
		name, suffix, word string
		token              *Token
		at                 int64
		body               string
		query, sent        string
		requestTime        int64
	}{
		{name: "no token", word: after, at: 1735689600, query: plain, sent: `{"CallbackCommand":"Live.CallbackAfterCreateRoom","EventTime":1735689600000}`},
		{name: "token not enabled", word: after, token: &Token{Token: "x"}, at: 1735689600, body: `{"a":1}`, query: plain, sent: `{"a":1}`},
		{name: "vector 1", word: after, token: &Token{"xxxxyyyy", true}, at: 1669872112, body: `{}`, sent: `{}`, requestTime: 1669872112,
			query: plain + "&Sign=17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061&RequestTime=1669872112"},
		{name: "vector 2", word: after, token: &Token{"demo-token-1", true}, at: 1735689600, body: `{}`, sent: `{}`, requestTime: 1735689600,
			query: plain + "&Sign=3d71664380e98315581c949fb12cd7e956e4c46a500ab797f73e88381de661ab&RequestTime=1735689600"},
		{name: "vector 3", word: after, token: &Token{"s3cr3t/+=&?", true}, at: 1767225600, body: `{}`, sent: `{}`, requestTime: 1767225600,
			query: plain + "&Sign=e0bcf5eb6b21c54a3897d4ab8008e18b27a44a27b3e5743188d33a8a6ddb139f&RequestTime=1767225600"},
		{name: "word without client", word: wordChangeOwner, at: 1735689600, body: `{}`, sent: `{}`,
			query: "SdkAppid=1400000001&CallbackCommand=Live.CallbackAfterChangeOwner&contenttype=json"},
		{name: "other word without client", word: wordModifyAdmin, at: 1735689600, body: `{}`, sent: `{}`,
			query: "SdkAppid=1400000001&CallbackCommand=Live.CallbackAfterModifyAdmin&contenttype=json"},
		{name: "query and fragment", suffix: "/x?a=1#b", word: after, at: 1735689600, body: `{}`, sent: `{}`, query: "a=1&" + plain},
		{name: "odd word", word: "a b&c", at: 1735689600, body: `{"CallbackCommand":"a b&c"}`, sent: `{"CallbackCommand":"a b&c"}`,
			query: "SdkAppid=1400000001&CallbackCommand=a+b%26c&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := newHook(t, 200, replyOK)
			s := memoryServer(t, Options{Now: func() time.Time { return time.Unix(c.at, 0) }})
			s.SetCallback(appID, &Callback{Url: h.URL + c.suffix, CallbackCommandList: []string{c.word}})
			s.SetToken(appID, c.token)
			got, err := s.Deliver(context.Background(), appID, c.word, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if h.method != http.MethodPost || h.content != "application/json" || h.rawQuery != c.query || h.body != c.sent || h.requests != 1 {
				t.Errorf("the receiver got %s %s %s %s, %d times", h.method, h.content, h.rawQuery, h.body, h.requests)
			}
			got.Elapsed = 0
			want := Delivery{URL: h.URL + c.suffix, Status: 200, Body: replyOK, Effect: "ignored", RequestTime: c.requestTime}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDeliveryAnswers(t *testing.T) {
	coded := func(code string) string { return `{"ActionStatus":"OK","ErrorInfo":"why","ErrorCode":` + code + `}` }
	const after = "Live.CallbackAfterCreateRoom"
	cases := []struct {
		name, word, more string
		status           int
		answer           string
		code             int64
		failure, effect  string
		clientCode       int64
	}{
		{"after", after, "", 200, coded("5"), 5, "", "ignored", 0},
		{"after, 204", after, "", 204, "", 0, "the status is 204, not 200", "ignored", 0},
		{"after, redirect", after, "", 302, replyOK, 0, "the status is 302, not 200", "ignored", 0},
		{"after, no JSON", after, "", 200, "ok", 0, "the answer is not the JSON object that is expected", "ignored", 0},
		{"after, too long", after, "", 200, replyOK + strings.Repeat(" ", answerLimit) + "x", 0, "", "ignored", 0},
		{"after, no info", after, "", 200, `{"ActionStatus":"OK","ErrorCode":0}`, 0, "the answer lacks ActionStatus, ErrorCode or ErrorInfo", "ignored", 0},
		{"after, code as text", after, "", 200, `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":"0"}`, 0, "the answer is not the JSON object that is expected", "ignored", 0},
		{"gift allowed", wordBeforeGift, "", 200, coded("0"), 0, "", "allowed", 0},
		{"gift refused", wordBeforeGift, "", 200, coded("1"), 1, "", "refused", 0},
		{"gift, lowest own code", wordBeforeGift, "", 200, coded("102100"), 102100, "", "refused", 102100},
		{"gift, highest own code", wordBeforeGift, "", 200, coded("102200"), 102200, "", "refused", 102200},
		{"gift, beyond", wordBeforeGift, "", 200, coded("102201"), 102201, "", "refused", 0},
		{"gift failed", wordBeforeGift, "", 500, replyOK, 0, "the status is 500, not 200", "refused", 0},
		{"gift failed, not blocking", wordBeforeGift, wordNotBlock, 500, replyOK, 0, "the status is 500, not 200", "allowed", 0},
		{"gift refused, not blocking", wordBeforeGift, wordNotBlock, 200, coded("1"), 1, "", "refused", 0},
		{"message allowed", wordBeforeMsg, "", 200, coded("0"), 0, "", "allowed", 0},
		{"message refused", wordBeforeMsg, "", 200, coded("1"), 1, "", "refused", 10016},
		{"message dropped", wordBeforeMsg, "", 200, coded("2"), 2, "", "dropped", 0},
		{"message, lowest own code", wordBeforeMsg, "", 200, coded("10100"), 10100, "", "refused", 10100},
		{"message, highest own code", wordBeforeMsg, "", 200, coded("10200"), 10200, "", "refused", 10200},
		{"message, beyond", wordBeforeMsg, "", 200, coded("10201"), 10201, "code 10201 has no documented meaning", "allowed", 0},
		{"message failed", wordBeforeMsg, "", 500, replyOK, 0, "the status is 500, not 200", "allowed", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := newHook(t, c.status, c.answer)
			s := memoryServer(t, Options{})
			s.SetCallback(appID, &Callback{Url: h.URL, CallbackCommandList: []string{c.word, c.more}})
			got, err := s.Deliver(context.Background(), appID, c.word, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != c.status || got.ErrorCode != c.code || got.Failure != c.failure || got.Effect != c.effect || got.ClientCode != c.clientCode {
				t.Errorf("got %+v", got)
			}
			if len(got.Body) > answerLimit || h.requests != 1 {
				t.Errorf("%d bytes kept, %d requests", len(got.Body), h.requests)
			}
		})
	}
}

func TestDeliveryRefused(t *testing.T) {
	const word = "W"
	cases := []struct {
		name, url, word, body string
		loopback              bool
		want                  string
	}{
		{"outside by name", "http://hooks.example.test/x", word, "", true, ""},
		{"outside by address", "http://192.0.2.1/x", word, "", true, ""},
		{"private", "http://10.0.0.1/", word, "", true, ""},
		{"metadata", "http://169.254.169.254/", word, "", true, ""},
		{"every address", "http://0.0.0.0:80/", word, "", true, ""},
		{"mapped outside", "http://[::ffff:192.0.2.1]/", word, "", true, ""},
		{"decimal loopback", "http://2130706433/", word, "", true, ""},
		{"name in the user part", "http://127.0.0.1@192.0.2.1/", word, "", true, ""},
		{"subdomain of localhost", "http://a.localhost/", word, "", true, ""},
		{"no host", "http:///x", word, "", true, ""},
		{"unreadable", "http://127.0.0.1:x/", word, "", false, "cannot be read"},
		{"word not in the list", "http://127.0.0.1/", "V", "", false, "not in the app's list"},
		{"setting", "http://127.0.0.1/", wordNotBlock, "", false, "a setting"},
		{"no JSON", "http://127.0.0.1/", word, "x", false, "not JSON"},
		{"other word in the body", "http://127.0.0.1/", word, `{"CallbackCommand":"V"}`, false, "another CallbackCommand"},
		{"number as word", "http://127.0.0.1/", word, `{"CallbackCommand":5}`, false, "another CallbackCommand"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := memoryServer(t, Options{})
			s.SetCallback(appID, &Callback{Url: c.url, CallbackCommandList: []string{word, wordNotBlock}})
			got, err := s.Deliver(context.Background(), appID, c.word, []byte(c.body))
			if err == nil || errors.Is(err, ErrNotLoopback) != c.loopback || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
	if _, err := memoryServer(t, Options{}).Deliver(context.Background(), appID, word, nil); err == nil || !strings.Contains(err.Error(), "no callback") {
		t.Errorf("without a callback: %v", err)
	}
	s := memoryServer(t, Options{ActivationDelay: time.Minute})
	s.SetCallback(appID, &Callback{Url: "http://127.0.0.1/", CallbackCommandList: []string{word}})
	if _, err := s.Deliver(context.Background(), appID, word, nil); err == nil || !strings.Contains(err.Error(), "taken effect") {
		t.Errorf("before it is active: %v", err)
	}
}

// TestDial looks at the last gate alone: a name may resolve to anything by the time it is dialled.
func TestDial(t *testing.T) {
	_, err := send(loopbackClient(), request(t, http.MethodPost, "http://192.0.2.1/", ""))
	if !errors.Is(err, ErrNotLoopback) {
		t.Errorf("dial outside: %v", err)
	}
	cases := map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:1": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true,
		"192.0.2.1:80": false, "0.0.0.0:80": false, "[::]:80": false, "[fe80::1]:80": false, "[::ffff:10.0.0.1]:80": false, "localhost:80": false, "": false,
	}
	for address, want := range cases {
		if err := checkDial(address); (err == nil) != want {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestDeliveryWithoutAnswer(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, replyOK)
	}))
	defer cut.Close()
	cases := []struct{ name, url, failure string }{
		{"silent", silent.URL, "no answer in time"},
		{"gone", gone.URL, "no answer: "},
		{"cut", cut.URL, "no answer: unexpected EOF"},
		{"other scheme", "ftp://127.0.0.1/", "no answer: unsupported protocol scheme"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := memoryServer(t, Options{})
			s.delivery.Timeout = 50 * time.Millisecond
			s.SetCallback(appID, &Callback{Url: c.url, CallbackCommandList: []string{wordBeforeGift}})
			s.SetToken(appID, &Token{Token: "t", IsTokenEnable: true})
			got, err := s.Deliver(context.Background(), appID, wordBeforeGift, nil)
			if err != nil || !strings.HasPrefix(got.Failure, c.failure) || got.Effect != "refused" {
				t.Errorf("%+v %v", got, err)
			}
			if strings.Contains(got.Failure, sign("t", day.Unix())) {
				t.Error("the failure shows the signature")
			}
		})
	}
	s := memoryServer(t, Options{})
	s.SetCallback(appID, &Callback{Url: silent.URL, CallbackCommandList: []string{"W"}})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Deliver(ctx, appID, "W", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
