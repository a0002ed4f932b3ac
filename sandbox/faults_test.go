package sandbox

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestFaults sends one set_callback over TCP under each fault, then reads back without one.
func TestFaults(t *testing.T) {
	ok := `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"RequestId":"Id-`
	cases := []struct {
		name    string
		fault   Fault
		status  int
		raw     string // what the answer begins with
		err     error
		verdict int64
		applied bool
		said    string
	}{
		{name: "none", status: 200, raw: ok, applied: true},
		{name: "other app", fault: Fault{SDKAppID: 5, Code: 1}, status: 200, raw: ok, applied: true},
		{name: "other command", fault: Fault{Command: "update_callback", Code: 1}, status: 200, raw: ok, applied: true},
		{name: "this app and command", fault: Fault{SDKAppID: appID, Command: "set_callback", Code: 70169, Info: "slow"}, status: 200,
			raw: `{"ActionStatus":"FAIL","ErrorInfo":"slow","ErrorCode":70169,"RequestId":"Id-`, verdict: 70169, said: "code 70169"},
		{name: "code without info", fault: Fault{Code: -3}, status: 200, raw: `{"ActionStatus":"FAIL","ErrorInfo":"scripted answer","ErrorCode":-3,`, verdict: -3, said: "code -3"},
		{name: "code applied", fault: Fault{Code: 100001, Apply: "yes"}, status: 200, raw: `{"ActionStatus":"FAIL",`, verdict: 100001, applied: true, said: "code 100001, apply yes"},
		{name: "no RequestId", fault: Fault{NoRequestID: true}, status: 200, raw: `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`, applied: true, said: "no RequestId"},
		{name: "502", fault: Fault{Status: 502}, status: 502, raw: "<html><head><title>502 Bad Gateway</title>", said: "status 502"},
		{name: "502 applied", fault: Fault{Status: 502, Apply: "yes"}, status: 502, raw: "<html>", applied: true, said: "status 502, apply yes"},
		{name: "502 with a body", fault: Fault{Status: 502, Body: "no gateway"}, status: 502, raw: "no gateway", said: "status 502, body"},
		{name: "body", fault: Fault{Body: "[1,"}, status: 200, raw: "[1,", applied: true, said: "body"},
		{name: "body not applied", fault: Fault{Body: "[1,", Apply: "no"}, status: 200, raw: "[1,", said: "body, apply no"},
		{name: "cut", fault: Fault{CutAt: 9}, status: 200, raw: `{"ActionS`, err: io.ErrUnexpectedEOF, applied: true, said: "cut at 9"},
		{name: "cut behind the end", fault: Fault{CutAt: 5000}, status: 200, raw: ok, applied: true, said: "cut at 5000"},
		{name: "drop before", fault: Fault{Drop: "before"}, err: io.EOF, said: "drop before applying"},
		{name: "drop after", fault: Fault{Drop: "after"}, err: io.EOF, applied: true, said: "drop after applying"},
		{name: "reset before", fault: Fault{Drop: "before", Reset: true}, err: syscall.ECONNRESET, said: "drop before applying, reset"},
		{name: "reset after", fault: Fault{Drop: "after", Reset: true}, err: syscall.ECONNRESET, applied: true, said: "drop after applying, reset"},
		{name: "delay", fault: Fault{Delay: time.Millisecond}, status: 200, raw: ok, applied: true, said: "delay 1ms"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := startServer(t, Options{})
			s.Script(c.fault)
			got, err := send(newClient(t), request(t, http.MethodPost, s.APIURL()+pathPrefix+"set_callback?"+query(), hookBody))
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if got.status != c.status || !strings.HasPrefix(got.raw, c.raw) || (c.raw == "") != (got.raw == "") {
				t.Errorf("got %d %s, want %d %s", got.status, got.raw, c.status, c.raw)
			}
			entry := s.Journal()[0]
			if entry.Verdict != c.verdict || entry.Applied != c.applied || entry.Fault != c.said || entry.Answered != (c.err == nil) {
				t.Errorf("journal: %+v", entry)
			}
			if _, found := s.Callback(appID); found != c.applied {
				t.Errorf("callback there: %v, want %v", found, c.applied)
			}
		})
	}
}

// TestFaultsAfterRefusal shows that a fault cannot make a refused request apply.
func TestFaultsAfterRefusal(t *testing.T) {
	cases := []struct {
		name    string
		fault   Fault
		verdict int64
		raw     string
	}{
		{"apply", Fault{Apply: "yes"}, 70003, `{"ActionStatus":"FAIL","ErrorInfo":"The UserSig`},
		{"code", Fault{Code: 9, Apply: "yes"}, 9, `{"ActionStatus":"FAIL","ErrorInfo":"scripted`},
		{"status", Fault{Status: 500}, 70003, "<html>"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := startServer(t, Options{})
			s.Script(c.fault)
			got, err := send(newClient(t), request(t, http.MethodPost, s.APIURL()+pathPrefix+"set_callback?"+query("usersig", "x"), hookBody))
			if err != nil || !strings.HasPrefix(got.raw, c.raw) {
				t.Errorf("got %s %v", got.raw, err)
			}
			if e := s.Journal()[0]; e.Verdict != c.verdict || e.Applied || e.Before != nil || e.After != nil {
				t.Errorf("journal: %+v", e)
			}
		})
	}
}

func TestFaultOrder(t *testing.T) {
	s := startServer(t, Options{})
	client := newClient(t)
	s.Script(Fault{Command: "get_callback", Code: 1, Times: 2})
	s.Script(Fault{Command: "get_callback_token", Code: 2})
	s.Script(Fault{Code: 3})
	s.Script(Fault{Command: "get_callback", Code: 4, Times: -1})
	s.Script(Fault{Command: "get_callback", Code: 5})
	cases := []struct {
		command string
		code    int64
	}{
		{"get_callback", 1},
		{"get_callback_token", 2},
		{"get_callback", 1},
		{"get_callback_token", 3},
		{"get_callback_token", 100302},
		{"get_callback", 4},
		{"get_callback", 4},
		{"get_callback", 4},
	}
	if _, err := send(client, request(t, http.MethodGet, s.APIURL()+pathPrefix+"get_callback?"+query(), "")); err != nil {
		t.Error(err)
	}
	if got := post(t, s, client, "nothing", "{}"); got.code() != 60009 {
		t.Errorf("a request that is none of the seven took a fault: %s", got.raw)
	}
	for i, c := range cases {
		if got := post(t, s, client, c.command, "{}"); got.code() != c.code {
			t.Errorf("request %d: %s, want %d", i, got.raw, c.code)
		}
	}
	s.ClearFaults()
	if got := post(t, s, client, "get_callback", "{}"); got.code() != 100301 {
		t.Errorf("after ClearFaults: %s", got.raw)
	}
}

func TestFaultCheck(t *testing.T) {
	cases := []struct {
		fault Fault
		want  string
	}{
		{Fault{SDKAppID: -1}, "SDKAppID"},
		{Fault{Command: "Get_callback"}, "none of the seven"},
		{Fault{Times: -2}, "times"},
		{Fault{Delay: -1}, "delay"},
		{Fault{Status: 199}, "status"},
		{Fault{Status: 600}, "status"},
		{Fault{Status: 204}, "status"},
		{Fault{CutAt: -1}, "cut"},
		{Fault{Drop: "later"}, "drop"},
		{Fault{Apply: "maybe"}, "apply"},
		{Fault{Reset: true}, "without a drop"},
		{Fault{Drop: "before", Apply: "yes"}, "before"},
		{Fault{Info: "x"}, "without a code"},
	}
	for _, c := range cases {
		if err := c.fault.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.fault, err, c.want)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Script took %+v", c.fault)
				}
			}()
			memoryServer(t, Options{}).Script(c.fault)
		}()
	}
}

func TestDelayComesBeforeApplying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memoryServer(t, Options{})
		s.Script(Fault{Delay: time.Hour})
		began := time.Now()
		w := httptest.NewRecorder()
		var serving sync.WaitGroup
		serving.Go(func() {
			s.API().ServeHTTP(w, httptest.NewRequest(http.MethodPost, pathPrefix+"set_callback?"+query(), strings.NewReader(hookBody)))
		})
		synctest.Wait()
		if _, found := s.Callback(appID); found {
			t.Error("applied before the delay")
		}
		serving.Wait()
		if _, found := s.Callback(appID); !found || time.Since(began) != time.Hour {
			t.Errorf("applied %v after %s", found, time.Since(began))
		}
	})
}

// atGate sends one set_callback and returns once it waits at the gate.
func atGate(ctx context.Context, t *testing.T, s *Server, client *http.Client) chan error {
	t.Helper()
	done := make(chan error, 1)
	r := request(t, http.MethodPost, s.APIURL()+pathPrefix+"set_callback?"+query(), hookBody).WithContext(ctx)
	go func() {
		_, err := send(client, r)
		done <- err
	}()
	if err := s.AwaitGate(context.Background(), "a", 1); err != nil {
		t.Fatal(err)
	}
	return done
}

func TestGate(t *testing.T) {
	s := startServer(t, Options{})
	client := newClient(t)
	s.Script(Fault{Gate: "a", Command: "set_callback"})
	done := atGate(context.Background(), t, s, client)
	s.Release("b")
	if got := post(t, s, client, "get_callback", "{}"); got.code() != 100301 {
		t.Errorf("applied before the release: %s", got.raw)
	}
	// Whoever comes first is served first: the request at the gate has not been decided yet.
	if got := post(t, s, client, "set_callback", otherBody); got.code() != 0 {
		t.Errorf("a request without a gate: %s", got.raw)
	}
	s.Release("a")
	s.Release("a")
	if err := <-done; err != nil {
		t.Error(err)
	}
	last := s.Journal()[2]
	if last.Verdict != 100300 || last.Fault != "gate a" {
		t.Errorf("journal: %+v", last)
	}
}

func TestGateIsShutAgain(t *testing.T) {
	s := startServer(t, Options{})
	client := newClient(t)
	s.Script(Fault{Gate: "a"})
	s.Release("a")
	if got := post(t, s, client, "get_callback", "{}"); got.code() != 100301 {
		t.Errorf("a gate released before: %s", got.raw)
	}
	s.Script(Fault{Gate: "a"})
	done := atGate(context.Background(), t, s, client)
	s.Release("a")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestClientLeaves cancels the client while its request waits; the request counts all the same.
func TestClientLeaves(t *testing.T) {
	for _, drop := range []string{"", "before", "after"} {
		t.Run("drop "+drop, func(t *testing.T) {
			s := memoryServer(t, Options{})
			left := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				stop := context.AfterFunc(r.Context(), func() { close(left) })
				defer stop()
				s.API().ServeHTTP(w, r)
			}))
			defer server.Close()
			s.run.apiURL = server.URL
			s.Script(Fault{Gate: "a", Drop: drop})
			ctx, cancel := context.WithCancel(context.Background())
			done := atGate(ctx, t, s, newClient(t))
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			<-left
			s.Release("a")
			entries, err := s.AwaitJournal(context.Background(), 1)
			if err != nil || entries[0].Applied != (drop != "before") || entries[0].Answered {
				t.Errorf("journal: %+v %v", entries, err)
			}
		})
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	s := memoryServer(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.AwaitGate(ctx, "a", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("gate: %v", err)
	}
	if _, err := s.AwaitJournal(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("journal: %v", err)
	}
}

func TestCloseDropsWhoWaits(t *testing.T) {
	for _, f := range []Fault{{Gate: "a"}, {Gate: "a", Delay: time.Nanosecond}} {
		s := memoryServer(t, Options{})
		if err := s.Start("127.0.0.1:0", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		s.Script(f)
		done := atGate(context.Background(), t, s, newClient(t))
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; err == nil {
			t.Error("the request was answered")
		}
		if e := s.Journal()[0]; e.Applied || e.Answered || e.Verdict != 60008 {
			t.Errorf("journal: %+v", e)
		}
	}
}

func TestCloseEndsADelay(t *testing.T) {
	s := memoryServer(t, Options{})
	close(s.closing)
	if s.hold(&scripted{Fault: Fault{Delay: time.Hour}}) {
		t.Error("a delay outlived the server")
	}
}

func TestDropWithoutAConnection(t *testing.T) {
	s := memoryServer(t, Options{})
	s.Script(Fault{Drop: "after"})
	defer func() {
		if reason := recover(); reason != http.ErrAbortHandler { //nolint:errorlint // the very value is the signal
			t.Errorf("the handler ended with %v", reason)
		}
	}()
	s.API().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, pathPrefix+"set_callback?"+query(), strings.NewReader(hookBody)))
}

// TestBodyBrokenOff ends a request before its announced length.
func TestBodyBrokenOff(t *testing.T) {
	s := startServer(t, Options{})
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.APIURL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_, err = io.WriteString(connection, "POST "+pathPrefix+"set_callback?"+query()+" HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n"+hookBody)
	if err != nil {
		t.Fatal(err)
	}
	half, ok := connection.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		t.Fatal("the connection cannot be closed by half")
	}
	entries, err := s.AwaitJournal(context.Background(), 1)
	if err != nil || entries[0].Verdict != 60003 || entries[0].Applied {
		t.Errorf("journal: %+v %v", entries, err)
	}
}
