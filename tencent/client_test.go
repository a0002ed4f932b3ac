package tencent

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"
)

func TestRequests(t *testing.T) {
	token, short, on := Secret("demo-token-1"), Secret("abc"), true
	rows := []struct {
		call Call
		do   func(*Client, Target) Reply
		body string
		show string // the body as Reply.Request has it
	}{
		{CallGetCallback, func(c *Client, g Target) Reply { _, r := c.GetCallback(t.Context(), g, 7); return r }, `{}`, `{}`},
		{CallSetCallback, func(c *Client, g Target) Reply { return c.SetCallback(t.Context(), g, 7, testCallback) },
			`{"Url":"https://hooks.example.test/live?a=1&b=<2>","CallbackCommandList":["Live.CallbackAfterCreateRoom","Live.CallbackAfterDestroyRoom"]}`, ""},
		{CallUpdateCallback, func(c *Client, g Target) Reply { return c.UpdateCallback(t.Context(), g, 7, Callback{URL: "http://a"}) },
			`{"Url":"http://a","CallbackCommandList":[]}`, ""},
		{CallDeleteCallback, func(c *Client, g Target) Reply { return c.DeleteCallback(t.Context(), g, 7) }, `{}`, ""},
		{CallSetToken, func(c *Client, g Target) Reply {
			return c.SetToken(t.Context(), g, 7, TokenChange{Value: &token, Enabled: &on})
		},
			`{"Token":"demo-token-1","IsTokenEnable":true}`, `{"Token":"[removed]","IsTokenEnable":true}`},
		{CallSetToken, func(c *Client, g Target) Reply {
			return c.SetToken(t.Context(), g, 7, TokenChange{Value: &short, Enabled: &on})
		},
			`{"Token":"abc","IsTokenEnable":true}`, `{"Token":"[removed]","IsTokenEnable":true}`},
		{CallSetToken, func(c *Client, g Target) Reply { return c.SetToken(t.Context(), g, 7, TokenChange{Value: &token}) },
			`{"Token":"demo-token-1"}`, `{"Token":"[removed]"}`},
		{CallSetToken, func(c *Client, g Target) Reply { return c.SetToken(t.Context(), g, 7, TokenChange{Enabled: new(bool)}) },
			`{"IsTokenEnable":false}`, ""},
		{CallGetToken, func(c *Client, g Target) Reply { _, r := c.GetToken(t.Context(), g, 7); return r }, `{}`, ""},
		{CallDeleteToken, func(c *Client, g Target) Reply { return c.DeleteToken(t.Context(), g, 7) }, `{}`, ""},
	}
	for _, row := range rows {
		t.Run(string(row.call), func(t *testing.T) {
			var r *http.Request
			var body []byte
			base := serve(t, func(w http.ResponseWriter, request *http.Request) {
				r = request
				body, _ = io.ReadAll(request.Body)
				_, _ = io.WriteString(w, goodAnswer)
			})
			c := newClient(t, Options{})
			g := target(base)
			g.Identifier = "ad min&1"
			reply := row.do(c, g)

			sig := r.URL.Query().Get("usersig")
			query := "sdkappid=1400000001&identifier=ad+min%261&usersig=" + sig + "&random=7&contenttype=json"
			facts := map[string]string{
				"method": r.Method, "proto": r.Proto, "path": r.URL.Path, "query": r.URL.RawQuery, "body": string(body),
				"type": r.Header.Get("Content-Type"), "coding": r.Header.Get("Accept-Encoding"), "length": strconv.FormatInt(r.ContentLength, 10),
			}
			want := map[string]string{
				"method": "POST", "proto": "HTTP/1.1", "path": "/v4/live_config/" + string(row.call), "query": query, "body": row.body,
				"type": "application/json", "coding": "", "length": strconv.Itoa(len(row.body)),
			}
			if diff := cmp.Diff(want, facts); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if err := tencentyun.VerifyUserSig(1400000001, testKey, "ad min&1", sig, time.Now()); err != nil {
				t.Errorf("signature: %v", err)
			}
			if err := tencentyun.VerifyUserSig(1400000001, testKey, "ad min&1", sig, time.Now().Add(11*time.Minute)); !errors.Is(err, tencentyun.ErrExpired) {
				t.Errorf("signature after 11 minutes: %v", err)
			}
			show := row.show
			if show == "" {
				show = row.body
			}
			shown := "POST " + facts["path"] + "?" + strings.Replace(query, sig, "[removed]", 1) + "\n\n" + show
			if reply.Request != shown {
				t.Errorf("Request is\n%s\nwant\n%s", reply.Request, shown)
			}
			if reply.Call != row.call || reply.Host != g.Region.Host || reply.Random != 7 {
				t.Errorf("call %s, host %s, random %d", reply.Call, reply.Host, reply.Random)
			}
		})
	}
}

func TestSignatureLife(t *testing.T) {
	for _, row := range []struct {
		life    time.Duration
		seconds int64
	}{{0, 600}, {time.Millisecond, 1}, {time.Second, 1}, {1500 * time.Millisecond, 2}, {time.Hour, 3600}} {
		life := Options{SigLife: row.life}.withDefaults().SigLife
		before := time.Now().Unix()
		sig, err := sign(target("http://h"), life)
		if err != nil {
			t.Fatal(err)
		}
		after := time.Now().Unix()
		if err := tencentyun.VerifyUserSig(1400000001, testKey, testIdentifier, sig, time.Unix(before+row.seconds, 0)); err != nil {
			t.Errorf("%v: %v", row.life, err)
		}
		if err := tencentyun.VerifyUserSig(1400000001, testKey, testIdentifier, sig, time.Unix(after+row.seconds+1, 0)); !errors.Is(err, tencentyun.ErrExpired) {
			t.Errorf("%v: valid too long: %v", row.life, err)
		}
	}
}

// The vectors of the reference, section 6.4, against the module that signs for us.
func TestSignatureVectors(t *testing.T) {
	const key64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	rows := []struct {
		id              uint64
		key, user       string
		until           int64
		stored, smaller string
	}{
		{88888888, key64, "administrator", 1700086400,
			"eAEArQBS-3siVExTLnZlciI6IjIuMCIsIlRMUy5pZGVudGlmaWVyIjoiYWRtaW5pc3RyYXRvciIsIlRMUy5zZGthcHBpZCI6ODg4ODg4ODgsIlRMUy5leHBpcmUiOjg2NDAwLCJUTFMudGltZSI6MTcwMDAwMDAwMCwiVExTLnNpZyI6Ijh4dkkvWEtzQURlOUdDdzNGOVI0WitxYk9SVGNiL0F2Nnh6YjNlUzVyTTg9In0KAQAA--*nbjNF",
			"eJyqVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwokpuZl5mcUlRYkl*UVQBcUp2YkFBZkpSlYWUAART60oyCxKVbKyMDMxMIAIlWTmpipZGZobQAHUgMx0JSsli4oyT-0I72JHl1RLd*dyYzfLIJMo7cIk-6CQ5CR9xzKziqok49Rg0yJfC1ulWkAAAAD--3QpMzs_"},
		{1400000001, testKey, "admin", 1736294400,
			"eAEAqABX-3siVExTLnZlciI6IjIuMCIsIlRMUy5pZGVudGlmaWVyIjoiYWRtaW4iLCJUTFMuc2RrYXBwaWQiOjE0MDAwMDAwMDEsIlRMUy5leHBpcmUiOjYwNDgwMCwiVExTLnRpbWUiOjE3MzU2ODk2MDAsIlRMUy5zaWciOiJiS2VGUHhtZ2lWWEZuZDFBdlRjUjNQeGFLcS9LcmdrMVdCMVpiMVo0UTA0PSJ9CgEAAP--CA4wtA__",
			"eJw0ycEKgkAQxvF3mXPYTG5mCx3q4MUOVlLhTdtJBlFsFVmI3j1w67t9v-8b8uMlmNiChlWAsJi-GO5GecrMpWml*4XBNGXfiwFNCv3IF3a9WAYdoYoRvY3SMmjahOso3kZ-HaQGDVXKSebaWq73pDO0n-LHOcxcmb6Wqa0buh2oqKhQJ1Q7*HwDAAD--9dLMKo_"},
		{20000123, "test-secret-key", "user_01-A", 1767225780,
			"eAEApwBY-3siVExTLnZlciI6IjIuMCIsIlRMUy5pZGVudGlmaWVyIjoidXNlcl8wMS1BIiwiVExTLnNka2FwcGlkIjoyMDAwMDEyMywiVExTLmV4cGlyZSI6MTgwLCJUTFMudGltZSI6MTc2NzIyNTYwMCwiVExTLnNpZyI6InVNbXEwdXcxN082elcva2JkNXV3UEx2U2grQ2o4bjlsVE1GOWxua0J0Kzg9In0KAQAA---gQjDs",
			"eJyqVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwqXFqUXxBoa6jlDJ4pTsxIKCzBQlKyMDAwMDQyNjiHhqRUFmUaqSlaGFAUSgJDMXxDU3MzcyMjUzgIoWZ6aDDPXNLTQoLTc09zerCtfPTkoxLS0P8CkLztB2zrLIs8wJ8XWzzMnLdirRtrBVqgUEAAD--69WMOI_"},
	}
	for _, row := range rows {
		for _, sig := range []string{row.stored, row.smaller} {
			got := []error{
				tencentyun.VerifyUserSig(row.id, row.key, row.user, sig, time.Unix(row.until, 0)),
				tencentyun.VerifyUserSig(row.id, row.key, row.user, sig, time.Unix(row.until+1, 0)),
				tencentyun.VerifyUserSig(row.id, row.key+"x", row.user, sig, time.Unix(row.until, 0)),
				tencentyun.VerifyUserSig(row.id, row.key, row.user+"x", sig, time.Unix(row.until, 0)),
				tencentyun.VerifyUserSig(row.id+1, row.key, row.user, sig, time.Unix(row.until, 0)),
			}
			want := []error{nil, tencentyun.ErrExpired, tencentyun.ErrSigNotMatch, tencentyun.ErrIdentifierNotMatch, tencentyun.ErrSdkAppIDNotMatch}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v", row.user, got)
			}
		}
	}
}

func TestNotSent(t *testing.T) {
	var connections, bytesIn atomic.Int64
	quiet := func(conn net.Conn) {
		connections.Add(1)
		n, _ := io.Copy(io.Discard, conn)
		bytesIn.Add(n)
	}
	certificate, pool := testCertificate(t)
	plain := listen(t, nil, quiet)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closedURL := "http://" + closed.Addr().String()
	_ = closed.Close()
	sealed := listen(t, &certificate, quiet)
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.Config.ErrorLog = silentLog()
	old.StartTLS()
	t.Cleanup(old.Close)
	hangsUp := listen(t, nil, func(net.Conn) {})
	done, cancel := context.WithCancel(context.Background())
	cancel()
	past, cancelPast := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancelPast()
	bad := func(change func(*Target)) Target {
		g := target(plain.URL)
		change(&g)
		return g
	}
	rows := []struct {
		name     string
		ctx      context.Context
		options  Options
		target   Target
		callback Callback
		fault    Fault
	}{
		{"nobody listens", t.Context(), Options{}, target(closedURL), testCallback, FaultConnect},
		{"unknown certificate", t.Context(), Options{}, target(sealed.URL), testCallback, FaultConnect},
		{"certificate of another name", t.Context(), Options{RootCAs: pool}, target(strings.Replace(sealed.URL, "127.0.0.1", "localhost", 1)), testCallback, FaultConnect},
		{"TLS 1.1 only", t.Context(), Options{RootCAs: pool}, target(old.URL), testCallback, FaultConnect},
		{"handshake hangs up", t.Context(), Options{RootCAs: pool}, target("https" + strings.TrimPrefix(hangsUp.URL, "http")), testCallback, FaultConnect},
		{"no answer to the handshake", t.Context(), Options{RootCAs: pool, HTTPTimeout: 50 * time.Millisecond}, target("https" + strings.TrimPrefix(plain.URL, "http")), testCallback, FaultConnect},
		{"proxy is of another kind", t.Context(), Options{Proxy: &url.URL{Scheme: "socks5", Host: "127.0.0.1:1"}}, target(plain.URL), testCallback, FaultConnect},
		{"proxy hangs up", t.Context(), Options{Proxy: mustURL(hangsUp.URL)}, target(plain.URL), testCallback, FaultConnect},
		{"proxy does not answer", t.Context(), Options{Proxy: mustURL(plain.URL), HTTPTimeout: 50 * time.Millisecond}, target(plain.URL), testCallback, FaultConnect},
		{"given up before", done, Options{}, target(plain.URL), testCallback, FaultLate},
		{"deadline passed before", past, Options{}, target(plain.URL), testCallback, FaultLate},
		{"no key", t.Context(), Options{}, bad(func(g *Target) { g.Key = "" }), testCallback, FaultSign},
		{"no identifier", t.Context(), Options{}, bad(func(g *Target) { g.Identifier = "" }), testCallback, FaultSign},
		{"identifier is not UTF-8", t.Context(), Options{}, bad(func(g *Target) { g.Identifier = "a\xff" }), testCallback, FaultSign},
		{"no SDKAppID", t.Context(), Options{}, bad(func(g *Target) { g.SDKAppID = 0 }), testCallback, FaultSign},
		{"negative SDKAppID", t.Context(), Options{}, bad(func(g *Target) { g.SDKAppID = -1 }), testCallback, FaultSign},
		{"no address", t.Context(), Options{}, bad(func(g *Target) { g.Region = Region{} }), testCallback, FaultRequest},
		{"address of another kind", t.Context(), Options{}, bad(func(g *Target) { g.Region.BaseURL = "ftp://127.0.0.1" }), testCallback, FaultRequest},
		{"address cannot be read", t.Context(), Options{}, bad(func(g *Target) { g.Region.BaseURL = "http://[" }), testCallback, FaultRequest},
		{"URL is not UTF-8", t.Context(), Options{}, target(plain.URL), Callback{URL: "http://a\xff"}, FaultRequest},
		{"word is not UTF-8", t.Context(), Options{}, target(plain.URL), Callback{URL: "http://a", Commands: []string{"\xff"}}, FaultRequest},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := newClient(t, row.options)
			reply := c.UpdateCallback(row.ctx, row.target, 1, row.callback)
			if reply.Ending != NotSent || reply.Fault != row.fault {
				t.Errorf("%s %q, want not_sent %q", reply.Ending, reply.Fault, row.fault)
			}
			if reply.HTTPStatus != 0 || reply.HasCode || reply.AnswerSize != 0 || reply.HasDate {
				t.Errorf("an answer to nothing: %+v", reply)
			}
		})
	}
	token := Secret("a\xff")
	if reply := newClient(t, Options{}).SetToken(t.Context(), target(plain.URL), 1, TokenChange{Value: &token}); reply.Fault != FaultRequest {
		t.Errorf("token that is not UTF-8: %s %q", reply.Ending, reply.Fault)
	}
}

func TestLimit(t *testing.T) {
	var hits atomic.Int64
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		_, _ = io.WriteString(w, goodAnswer)
	})
	c := newClient(t, Options{RatePerSecond: 0.001, Burst: 2})
	var got []string
	for range 4 {
		reply := update(c, target(base), 1)
		got = append(got, string(reply.Ending)+" "+string(reply.Fault))
	}
	got = append(got, string(c.DeleteCallback(t.Context(), target(base), 1).Ending))
	want := []string{"accepted ", "accepted ", "not_sent limited", "not_sent limited", "accepted"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if hits.Load() != 3 {
		t.Errorf("%d requests came", hits.Load())
	}
}

// A process that stands still between having a connection and writing must not write late.
func TestFrozenBeforeWriting(t *testing.T) {
	certificate, pool := testCertificate(t)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls %v", secure), func(t *testing.T) {
			received := make(chan int64, 8)
			handle := func(conn net.Conn) {
				n, _ := io.Copy(io.Discard, conn)
				received <- n
			}
			l := listen(t, nil, handle)
			if secure {
				l = listen(t, &certificate, handle)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { <-ctx.Done() }})
			c := newClient(t, Options{RootCAs: pool})
			reply := c.UpdateCallback(ctx, target(l.URL), 1, testCallback)
			if reply.Ending != NotSent || reply.Fault != FaultLate {
				t.Errorf("%s %q", reply.Ending, reply.Fault)
			}
			c.Close()
			if n := <-received; n != 0 {
				t.Errorf("the server read %d bytes", n)
			}
		})
	}
}

// frozenClock is a context whose deadline has passed although nobody was told, as after a machine's sleep.
type frozenClock struct {
	context.Context
	deadline time.Time
}

func (f frozenClock) Deadline() (time.Time, bool) { return f.deadline, true }

func TestGate(t *testing.T) {
	past := frozenClock{context.Background(), time.Now().Add(-time.Second)}
	wallOnly := frozenClock{context.Background(), time.Now().Add(-time.Second).Round(0)}
	future := frozenClock{context.Background(), time.Now().Add(time.Hour)}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	for name, row := range map[string]struct {
		ctx   context.Context
		ended bool
		want  error
	}{
		"in time":        {future, false, nil},
		"no deadline":    {context.Background(), false, nil},
		"past":           {past, false, errLate},
		"past by wall":   {wallOnly, false, errLate},
		"given up":       {done, false, errLate},
		"call has ended": {future, true, errLate},
	} {
		a := &attempt{ctx: row.ctx}
		if row.ended {
			a.finish()
		}
		if err := a.begin(); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
		if sent := a.finish(); sent != (row.want == nil) {
			t.Errorf("%s: sent %v", name, sent)
		}
	}
}

func TestWireRefusesWhatWasNotAskedFor(t *testing.T) {
	here, there := net.Pipe()
	defer func() { _ = here.Close() }()
	below := &counted{Conn: here}
	w := &wire{Conn: below, below: below}
	var background sync.WaitGroup
	defer background.Wait()
	defer func() { _ = there.Close() }()
	background.Go(func() {
		_, _ = there.Write([]byte("early"))
		_, _ = io.ReadFull(there, make([]byte, 3))
		_, _ = there.Write([]byte("answer"))
	})
	buffer := make([]byte, 16)
	if n, err := w.Read(buffer); n != 0 || !errors.Is(err, errUnsolicited) {
		t.Errorf("early data: %d, %v", n, err)
	}
	if n, err := w.Write([]byte("ask")); n != 0 || !errors.Is(err, errLate) {
		t.Errorf("a write outside of a call: %d, %v", n, err)
	}
	a := &attempt{ctx: context.Background()}
	w.current.Store(a)
	if n, err := w.Write([]byte("ask")); n != 3 || err != nil {
		t.Errorf("write: %d, %v", n, err)
	}
	if n, err := w.Read(buffer); string(buffer[:n]) != "answer" || err != nil {
		t.Errorf("read: %d, %v", n, err)
	}
	if !a.finish() || a.written != 3 {
		t.Errorf("%d bytes counted", a.written)
	}
}

// A server that ends idle connections must lead neither to a request that arrives twice nor to a false "not sent".
func TestServerEndsIdleConnections(t *testing.T) {
	certificate, pool := testCertificate(t)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls %v", secure), func(t *testing.T) {
			var mu sync.Mutex
			arrived := map[string]int{}
			handle := func(conn net.Conn) {
				random, _, err := readRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				mu.Lock()
				arrived[random]++
				mu.Unlock()
				_, _ = io.WriteString(conn, withLength(goodAnswer))
			}
			l := listen(t, nil, handle)
			if secure {
				l = listen(t, &certificate, handle)
			}
			c := newClient(t, Options{RootCAs: pool})
			endings := map[Ending]int{}
			for i := range 200 {
				reply := update(c, target(l.URL), uint32(i))
				endings[reply.Ending]++
				mu.Lock()
				n := arrived[strconv.Itoa(i)]
				mu.Unlock()
				if n > 1 || (reply.Ending == NotSent && n != 0) || (reply.Ending == Accepted && n != 1) {
					t.Errorf("call %d ended %s %q and arrived %d times", i, reply.Ending, reply.Fault, n)
				}
			}
			if endings[Accepted] == 0 || endings[Refused] != 0 {
				t.Errorf("%v", endings)
			}
		})
	}
}

// The transport takes another connection when the kept one turns out to be dead before anything was written.
func TestDeadConnectionIsReplaced(t *testing.T) {
	var arrived atomic.Int64
	closedOne := make(chan struct{}, 8)
	l := listen(t, nil, func(conn net.Conn) {
		if _, _, err := readRequest(bufio.NewReader(conn)); err != nil {
			return
		}
		arrived.Add(1)
		_, _ = io.WriteString(conn, withLength(goodAnswer))
		_ = conn.Close()
		closedOne <- struct{}{}
	})
	c := newClient(t, Options{})
	if reply := update(c, target(l.URL), 1); !reply.Accepted() {
		t.Fatalf("%s %q", reply.Ending, reply.Fault)
	}
	<-closedOne
	var connections atomic.Int64
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		connections.Add(1)
		if info.Reused {
			// As if the other side's end had been noticed in the very moment before the write.
			_ = wireOf(info.Conn).Conn.Close()
		}
	}})
	reply := c.UpdateCallback(ctx, target(l.URL), 2, testCallback)
	if !reply.Accepted() || arrived.Load() != 2 {
		t.Errorf("%s %q, %d arrived over %d connections", reply.Ending, reply.Fault, arrived.Load(), connections.Load())
	}
}

func TestConnectionIsKept(t *testing.T) {
	certificate, pool := testCertificate(t)
	var connections atomic.Int64
	l := listen(t, &certificate, func(conn net.Conn) {
		connections.Add(1)
		reader := bufio.NewReader(conn)
		for {
			if _, _, err := readRequest(reader); err != nil {
				return
			}
			_, _ = io.WriteString(conn, withLength(goodAnswer))
		}
	})
	c := newClient(t, Options{RootCAs: pool})
	for i := range 10 {
		if reply := update(c, target(l.URL), uint32(i)); !reply.Accepted() {
			t.Fatalf("%s %q", reply.Ending, reply.Fault)
		}
	}
	if connections.Load() > 2 {
		t.Errorf("%d connections for ten calls", connections.Load())
	}
}

func TestBrokenAnswers(t *testing.T) {
	ask := func(conn net.Conn) bool {
		_, _, err := readRequest(bufio.NewReader(conn))
		return err == nil
	}
	says := func(text string) func(net.Conn) {
		return func(conn net.Conn) {
			if ask(conn) {
				_, _ = io.WriteString(conn, text)
			}
		}
	}
	rows := []struct {
		name   string
		handle func(net.Conn)
		status int
		fault  Fault
	}{
		{"closes after reading", func(conn net.Conn) { ask(conn) }, 0, FaultCut},
		{"resets after reading", func(conn net.Conn) {
			ask(conn)
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
		}, 0, FaultCut},
		{"cut in the status line", says("HTTP/1.1 2"), 0, FaultCut},
		{"cut in the headers", says("HTTP/1.1 200 OK\r\nContent-"), 0, FaultCut},
		{"cut in the body", says("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + goodAnswer), 200, FaultCut},
		{"cut in a page of 502", says("HTTP/1.1 502 Bad\r\nContent-Length: 200\r\n\r\nbad"), 502, FaultCut},
		{"cut in a chunk", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n80\r\n" + goodAnswer), 200, FaultCut},
		{"no last chunk", says(fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(goodAnswer), goodAnswer)), 200, FaultCut},
		{"bad chunk", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + goodAnswer), 200, FaultShape},
		{"not HTTP", says("220 mail.example.test ESMTP\r\n"), 0, FaultShape},
		{"two lengths", says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), 0, FaultShape},
		{"switching protocols, without end", func(conn net.Conn) {
			if ask(conn) {
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"+goodAnswer)
				_, _ = io.Copy(io.Discard, conn)
			}
		}, 101, FaultStatus},
		{"coded body", says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08"), 200, FaultShape},
		{"body too large", says(withLength(goodAnswer + strings.Repeat(" ", readLimit))), 200, FaultTooLarge},
		{"headers too large", says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 128<<10) + "\r\nContent-Length: 2\r\n\r\n{}"), 0, FaultShape},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := newClient(t, Options{})
			reply := update(c, target(listen(t, nil, row.handle).URL), 1)
			if reply.Ending != Unknown || reply.Fault != row.fault || reply.HTTPStatus != row.status {
				t.Errorf("%s %q %d, want unknown %q %d", reply.Ending, reply.Fault, reply.HTTPStatus, row.fault, row.status)
			}
		})
	}
}

func wireOf(conn net.Conn) *wire {
	w, ok := conn.(*wire)
	if !ok {
		panic("not a wire")
	}
	return w
}

// writes counts how often something is written.
type writes struct {
	net.Conn
	n atomic.Int64
}

func (w *writes) Write(p []byte) (int, error) {
	w.n.Add(1)
	return w.Conn.Write(p)
}

// Headers and body of a usual request go out in one write, so that the gate opens once.
func TestRequestIsWrittenAtOnce(t *testing.T) {
	counter := &writes{}
	c := newClient(t, Options{})
	dial := c.transport.DialContext
	c.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		w := wireOf(conn)
		counter.Conn = w.Conn
		w.Conn = counter
		return w, nil
	}
	callback := Callback{URL: "https://hooks.example.test/live"}
	for range 200 {
		callback.Commands = append(callback.Commands, strings.Repeat("w", 100))
	}
	reply := c.UpdateCallback(t.Context(), target(answering(t, goodAnswer)), 1, callback)
	if !reply.Accepted() || counter.n.Load() != 1 {
		t.Errorf("%s %q in %d writes", reply.Ending, reply.Fault, counter.n.Load())
	}
}

func TestLargestAnswer(t *testing.T) {
	body := goodAnswer + strings.Repeat(" ", readLimit-len(goodAnswer))
	c := newClient(t, Options{})
	reply := update(c, target(answering(t, body)), 1)
	if !reply.Accepted() || reply.AnswerSize != readLimit || len(reply.Answer) != keepLimit || !reply.AnswerCut {
		t.Errorf("%s %q, size %d, kept %d, cut %v", reply.Ending, reply.Fault, reply.AnswerSize, len(reply.Answer), reply.AnswerCut)
	}
	small := update(c, target(answering(t, goodAnswer)), 1)
	if string(small.Answer) != goodAnswer || small.AnswerSize != len(goodAnswer) || small.AnswerCut {
		t.Errorf("kept %q, size %d, cut %v", small.Answer, small.AnswerSize, small.AnswerCut)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	body := fmt.Sprintf(`{"ActionStatus":%q,"ErrorCode":1,"ErrorInfo":%q,"RequestId":%q}`, strings.Repeat("x", 100), strings.Repeat("é", 9000), strings.Repeat("r", 1000))
	reply := update(newClient(t, Options{}), target(answering(t, body)), 1)
	want := got{Unknown, FaultShape, strings.Repeat("x", 64), 1, true, strings.Repeat("é", 4096), strings.Repeat("r", 512)}
	if diff := cmp.Diff(want, of(reply)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Whatever the place where an answer is cut, it is never taken for a success.
func TestCutAtEveryByte(t *testing.T) {
	certificate, pool := testCertificate(t)
	closing := "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	kinds := map[string]string{
		"length":  withLength(goodAnswer),
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(goodAnswer[:40]) + chunk(goodAnswer[40:]) + "0\r\n\r\n",
		"close":   closing + goodAnswer,
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s tls %v", kind, secure), func(t *testing.T) {
				cutEverywhere(t, kinds[kind], secure, certificate, Options{RootCAs: pool})
			})
		}
	}
}

func cutEverywhere(t *testing.T, answer string, secure bool, certificate tls.Certificate, o Options) {
	var at atomic.Int64
	handle := func(conn net.Conn) {
		if _, _, err := readRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.WriteString(conn, answer[:at.Load()])
		}
	}
	l := listen(t, nil, handle)
	if secure {
		l = listen(t, &certificate, handle)
	}
	for n := range len(answer) + 1 {
		at.Store(int64(n))
		c := New(o)
		reply := update(c, target(l.URL), uint32(n))
		c.Close()
		want := Unknown
		if n == len(answer) {
			want = Accepted
		}
		if reply.Ending != want {
			t.Errorf("cut at %d of %d: %s %q", n, len(answer), reply.Ending, reply.Fault)
		}
	}
}

func TestTimeout(t *testing.T) {
	l := listen(t, nil, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	slow := listen(t, nil, func(conn net.Conn) {
		if _, _, err := readRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n"+goodAnswer)
			_, _ = io.Copy(io.Discard, conn)
		}
	})
	for name, row := range map[string]struct {
		url    string
		status int
	}{"no answer": {l.URL, 0}, "half an answer": {slow.URL, 200}} {
		reply := update(newClient(t, Options{HTTPTimeout: 100 * time.Millisecond}), target(row.url), 1)
		if reply.Ending != Unknown || reply.Fault != FaultTimeout || reply.HTTPStatus != row.status {
			t.Errorf("%s: %s %q %d", name, reply.Ending, reply.Fault, reply.HTTPStatus)
		}
	}
}

func TestGivenUpAfterSending(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	l := listen(t, nil, func(conn net.Conn) {
		if _, _, err := readRequest(bufio.NewReader(conn)); err == nil {
			cancel()
		}
		_, _ = io.Copy(io.Discard, conn)
	})
	reply := newClient(t, Options{}).UpdateCallback(ctx, target(l.URL), 1, testCallback)
	if reply.Ending != Unknown || reply.Fault != FaultTimeout {
		t.Errorf("%s %q", reply.Ending, reply.Fault)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var elsewhere atomic.Int64
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		elsewhere.Add(1)
		_, _ = io.WriteString(w, goodAnswer)
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		base := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other+r.URL.String(), status) })
		reply := update(newClient(t, Options{}), target(base), 1)
		if reply.Ending != Unknown || reply.Fault != FaultStatus || reply.HTTPStatus != status {
			t.Errorf("%s %q %d", reply.Ending, reply.Fault, reply.HTTPStatus)
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestClockAndTimes(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	rows := []struct {
		date  string
		ahead time.Duration
		has   bool
	}{
		{"Fri, 02 Jan 2026 03:04:05 GMT", 0, true},
		{"Fri, 02 Jan 2026 02:54:05 GMT", 10 * time.Minute, true},
		{"Fri, 02 Jan 2026 03:05:05 GMT", -time.Minute, true},
		{"yesterday", 0, false},
		{"", 0, false},
	}
	for _, row := range rows {
		base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Date"] = []string{row.date}
			_, _ = io.WriteString(w, `{"ActionStatus":"FAIL","ErrorCode":70001}`)
		})
		reply := update(newClient(t, Options{Now: func() time.Time { return now }}), target(base), 1)
		if reply.ClockAhead != row.ahead || reply.HasDate != row.has || !reply.StartedAt.Equal(now) || reply.Duration != 0 {
			t.Errorf("%q: ahead %v, has %v, started %v, took %v", row.date, reply.ClockAhead, reply.HasDate, reply.StartedAt, reply.Duration)
		}
	}
	ticking := now
	tick := func() time.Time { ticking = ticking.Add(time.Second); return ticking }
	if reply := update(newClient(t, Options{Now: tick}), target("http://127.0.0.1:1"), 1); reply.Duration != time.Second {
		t.Errorf("took %v", reply.Duration)
	}
}

// proxy tunnels and remembers everything that passed through it in clear.
func proxy(t *testing.T, status string, seen *strings.Builder) string {
	t.Helper()
	return listen(t, nil, func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		fmt.Fprintf(seen, "%s %s %s", request.Method, request.RequestURI, request.Header.Get("Proxy-Authorization"))
		_, _ = io.WriteString(conn, "HTTP/1.1 "+status+"\r\n\r\n")
		if status != "200 OK" {
			return
		}
		out, err := net.Dial("tcp", request.RequestURI)
		if err != nil {
			return
		}
		var back sync.WaitGroup
		back.Go(func() { _, _ = io.Copy(conn, out); _ = conn.Close() })
		_, _ = io.Copy(out, reader)
		_ = out.Close()
		back.Wait()
	}).URL
}

func TestProxy(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, goodAnswer) }))
	t.Cleanup(server.Close)
	plain := answering(t, goodAnswer)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	rows := []struct {
		name, target, status, user string
		ending                     Ending
		fault                      Fault
	}{
		{"TLS", server.URL, "200 OK", "", Accepted, ""},
		{"plain", plain, "200 OK", "", Accepted, ""},
		{"with a password", server.URL, "200 OK", "Basic dTpwYXNz", Accepted, ""},
		{"proxy says no", server.URL, "407 Proxy Authentication Required", "", NotSent, FaultConnect},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var seen strings.Builder
			address := mustURL(proxy(t, row.status, &seen))
			if row.user != "" {
				address.User = url.UserPassword("u", "pass")
			}
			c := New(Options{Proxy: address, RootCAs: pool})
			reply := update(c, target(row.target), 1)
			c.Close()
			if reply.Ending != row.ending || reply.Fault != row.fault {
				t.Errorf("%s %q", reply.Ending, reply.Fault)
			}
			if want := "CONNECT " + mustURL(row.target).Host + " " + row.user; seen.String() != want {
				t.Errorf("the proxy saw %q, want %q", seen.String(), want)
			}
		})
	}
}

func TestManyAtOnce(t *testing.T) {
	var mu sync.Mutex
	arrived := map[string]string{}
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var sent callbackJSON
		_ = json.Unmarshal(body, &sent)
		mu.Lock()
		arrived[r.URL.Query().Get("random")] = sent.URL
		mu.Unlock()
		_, _ = fmt.Fprintf(w, `{"ActionStatus":"OK","ErrorCode":0,"RequestId":"r%s"}`, r.URL.Query().Get("random"))
	})
	c := newClient(t, Options{})
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			id := strconv.Itoa(i)
			reply := c.UpdateCallback(context.Background(), target(base), uint32(i), Callback{URL: "http://" + id})
			if !reply.Accepted() || reply.RequestID != "r"+id {
				t.Errorf("%d: %s %q %s", i, reply.Ending, reply.Fault, reply.RequestID)
			}
		})
	}
	all.Wait()
	if len(arrived) != 100 || arrived["42"] != "http://42" {
		t.Errorf("%d arrived", len(arrived))
	}
}

func TestZeroOptions(t *testing.T) {
	o := Options{}.withDefaults()
	got := []any{o.HTTPTimeout, o.RatePerSecond, o.Burst, o.SigLife, o.IdleTimeout, o.Now != nil, o.Proxy == nil}
	want := []any{10 * time.Second, 150.0, 20, 10 * time.Minute, 30 * time.Second, true, true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func silentLog() *log.Logger { return log.New(io.Discard, "", 0) }

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}
