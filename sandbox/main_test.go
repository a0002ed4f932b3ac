package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The signatures are vectors made outside this code, so the clock of the tests stands in their time.
const (
	appID  = int64(1400000001)
	appKey = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
	admin  = "admin"
	appSig = "eAEAqABX-3siVExTLnZlciI6IjIuMCIsIlRMUy5pZGVudGlmaWVyIjoiYWRtaW4iLCJUTFMuc2RrYXBwaWQiOjE0MDAwMDAwMDEsIlRMUy5leHBpcmUiOjYwNDgwMCwiVExTLnRpbWUiOjE3MzU2ODk2MDAsIlRMUy5zaWciOiJiS2VGUHhtZ2lWWEZuZDFBdlRjUjNQeGFLcS9LcmdrMVdCMVpiMVo0UTA0PSJ9CgEAAP--CA4wtA__"

	firstID  = int64(88888888)
	firstKey = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	firstSig = "eAEArQBS-3siVExTLnZlciI6IjIuMCIsIlRMUy5pZGVudGlmaWVyIjoiYWRtaW5pc3RyYXRvciIsIlRMUy5zZGthcHBpZCI6ODg4ODg4ODgsIlRMUy5leHBpcmUiOjg2NDAwLCJUTFMudGltZSI6MTcwMDAwMDAwMCwiVExTLnNpZyI6Ijh4dkkvWEtzQURlOUdDdzNGOVI0WitxYk9SVGNiL0F2Nnh6YjNlUzVyTTg9In0KAQAA--*nbjNF"

	thirdID  = int64(20000123)
	thirdKey = "test-secret-key"
	thirdSig = "eAEApwBY-3siVExTLnZlciI6IjIuMCIsIlRMUy5pZGVudGlmaWVyIjoidXNlcl8wMS1BIiwiVExTLnNka2FwcGlkIjoyMDAwMDEyMywiVExTLmV4cGlyZSI6MTgwLCJUTFMudGltZSI6MTc2NzIyNTYwMCwiVExTLnNpZyI6InVNbXEwdXcxN082elcva2JkNXV3UEx2U2grQ2o4bjlsVE1GOWxua0J0Kzg9In0KAQAA---gQjDs"
)

var day = time.Unix(1735689600, 0)

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

func oneApp() App { return App{SDKAppID: appID, Key: appKey, Admins: []string{admin}} }

// memoryServer is a server that was not started.
func memoryServer(t *testing.T, options Options) *Server {
	t.Helper()
	if options.Apps == nil {
		options.Apps = []App{oneApp()}
	}
	if options.Now == nil {
		options.Now = (&clock{now: day}).Now
	}
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// startServer serves on loopback until the test ends.
func startServer(t *testing.T, options Options) *Server {
	t.Helper()
	s := memoryServer(t, options)
	if err := s.Start("127.0.0.1:0", "localhost:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// query is a correct one; edits are pairs of name and value, a value of "-" removes the parameter.
func query(edits ...string) string {
	values := url.Values{
		"sdkappid": {"1400000001"}, "identifier": {admin}, "usersig": {appSig}, "random": {"7"}, "contenttype": {"json"},
	}
	for i := 0; i < len(edits); i += 2 {
		values.Set(edits[i], edits[i+1])
		if edits[i+1] == "-" {
			values.Del(edits[i])
		}
	}
	return values.Encode()
}

// reading is an answer as a client sees it; pointers tell absent from zero.
type reading struct {
	status       int
	raw          string
	ActionStatus *string
	ErrorInfo    *string
	ErrorCode    *int64
	RequestId    *string
	Response     json.RawMessage
}

func (r reading) code() int64 {
	if r.ErrorCode == nil {
		return -1
	}
	return *r.ErrorCode
}

func (r reading) requestID() string {
	if r.RequestId == nil {
		return ""
	}
	return *r.RequestId
}

func request(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// send does not fail the test itself, so that it can run beside it.
func send(client *http.Client, r *http.Request) (reading, error) {
	response, err := client.Do(r)
	if err != nil {
		return reading{}, err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	got := reading{status: response.StatusCode, raw: string(raw)}
	if err != nil {
		return got, err
	}
	if bytes.HasPrefix(raw, []byte("{")) {
		err = json.Unmarshal(raw, &got)
	}
	return got, err
}

func post(t *testing.T, s *Server, client *http.Client, command, body string) reading {
	t.Helper()
	got, err := send(client, request(t, http.MethodPost, s.APIURL()+pathPrefix+command+"?"+query(), body))
	if err != nil {
		t.Fatal(err)
	}
	return got
}
