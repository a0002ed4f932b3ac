package tencent

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey        = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
	testIdentifier = "administrator"
	goodAnswer     = `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"RequestId":"Id-00112233445566778899aabbccddeeff-O-Seq-101"}`
	goodGet        = `{"ErrorCode":0,"ErrorInfo":"","ActionStatus":"OK","RequestId":"Id-1-O-Seq-102","Response":{"Url":"https://hooks.example.test/live","CallbackCommandList":["Live.CallbackAfterCreateRoom"]}}`
)

var testCallback = Callback{URL: "https://hooks.example.test/live?a=1&b=<2>", Commands: []string{"Live.CallbackAfterCreateRoom", "Live.CallbackAfterDestroyRoom"}}

func target(base string) Target {
	host := strings.TrimPrefix(strings.TrimPrefix(base, "http://"), "https://")
	return Target{
		Region:     Region{Name: "test", Host: host, BaseURL: base, Listed: ListedExtra, Extra: true},
		SDKAppID:   1400000001,
		Identifier: testIdentifier,
		Key:        testKey,
	}
}

// newClient gives a client without a limit that matters, closed at the end of the test.
func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	if o.RatePerSecond == 0 {
		o.RatePerSecond, o.Burst = 1e6, 1e6
	}
	c := New(o)
	t.Cleanup(c.Close)
	return c
}

// serve starts a server and closes it at the end of the test, after the client.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// answering gives a server that always answers the same.
func answering(t *testing.T, body string) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, body) })
}

// testCertificate gives a certificate for 127.0.0.1 and a pool that trusts it.
func testCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return server.TLS.Certificates[0], pool
}

// listener is a server that hands every connection to a function and waits for all of them at the end.
type listener struct {
	net.Listener
	URL  string
	mu   sync.Mutex
	open []net.Conn
	done sync.WaitGroup
}

func listen(t *testing.T, certificate *tls.Certificate, handle func(conn net.Conn)) *listener {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{Listener: inner, URL: "http://" + inner.Addr().String()}
	if certificate != nil {
		l.Listener = tls.NewListener(inner, &tls.Config{Certificates: []tls.Certificate{*certificate}})
		l.URL = "https://" + inner.Addr().String()
	}
	l.done.Go(func() { l.accept(handle) })
	t.Cleanup(l.stop)
	return l
}

func (l *listener) accept(handle func(net.Conn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		l.open = append(l.open, conn)
		l.mu.Unlock()
		l.done.Go(func() {
			defer func() { _ = conn.Close() }()
			handle(conn)
		})
	}
}

func (l *listener) stop() {
	_ = l.Close()
	l.mu.Lock()
	for _, conn := range l.open {
		_ = conn.Close()
	}
	l.mu.Unlock()
	l.done.Wait()
}

// readRequest reads one whole request and gives its query's random and its body.
func readRequest(reader *bufio.Reader) (random, body string, err error) {
	request, err := http.ReadRequest(reader)
	if err != nil {
		return "", "", err
	}
	raw, err := io.ReadAll(request.Body)
	return request.URL.Query().Get("random"), string(raw), err
}

func withLength(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// everything gives all that a reply shows, for looking for secrets in it.
func everything(t *testing.T, r Reply) string {
	t.Helper()
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%+v\n%s\n%s\n%s", r, raw, r.Answer, r.Request)
}

func update(c *Client, t Target, random uint32) Reply {
	return c.UpdateCallback(context.Background(), t, random, testCallback)
}
