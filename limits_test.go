package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// raw sends bytes to a console and gives the status of its answer.
func raw(t *testing.T, address, request string) int {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	// The console may answer and close before it has taken everything.
	_, _ = io.WriteString(c, request)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%.60q: %v", request, err)
	}
	defer answer.Body.Close()
	if answer.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%.60q: the answer is not one of our pages", request)
	}
	return answer.StatusCode
}

// padded is a get whose header lines take n bytes.
func padded(n int) string {
	lines := "Host: 127.0.0.1\r\nConnection: close\r\nX-Pad: \r\n"
	return "GET /setup HTTP/1.1\r\n" + strings.Replace(lines, "X-Pad: ", "X-Pad: "+strings.Repeat("x", n-len(lines)), 1) + "\r\n"
}

func withAddress(n int) string {
	const path = "/setup?x="
	return "GET " + path + strings.Repeat("y", n-len(path)) + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
}

func withCookies(n int) string {
	return "GET /setup HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nCookie: a=1" + strings.Repeat("; a=1", n-1) + "\r\n\r\n"
}

// posted is a post of the body; chunked says that its length is not told before.
func posted(body string, chunked bool) string {
	head := "POST /setup HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	if chunked {
		return head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	}
	return head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

// TestLimits tries one less, exactly as much, and one more.
func TestLimits(t *testing.T) {
	p, url := serveAt(t, "--data", t.TempDir())
	address := strings.TrimPrefix(url, "http://")
	// A post without its token is refused, but read.
	const read, refused = http.StatusOK, http.StatusForbidden
	for _, row := range []struct {
		name         string
		limit        int
		request      func(n int) string
		within, over int
	}{
		{"header", 64 << 10, padded, read, http.StatusRequestHeaderFieldsTooLarge},
		{"address", 24 << 10, withAddress, read, http.StatusRequestURITooLong},
		{"cookies", 100, withCookies, read, http.StatusRequestHeaderFieldsTooLarge},
		{"body of a stranger", 64 << 10, func(n int) string { return posted("a="+strings.Repeat("x", n-2), false) }, refused, http.StatusRequestEntityTooLarge},
		{"body of a stranger in pieces", 64 << 10, func(n int) string { return posted("a="+strings.Repeat("x", n-2), true) }, refused, http.StatusRequestEntityTooLarge},
		{"fields", 1000, func(n int) string { return posted("a=1"+strings.Repeat("&a=1", n-1), false) }, refused, http.StatusRequestEntityTooLarge},
	} {
		var got []int
		for _, n := range []int{row.limit - 1, row.limit, row.limit + 1} {
			got = append(got, raw(t, address, row.request(n)))
		}
		if diff := cmp.Diff([]int{row.within, row.within, row.over}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
	mustStop(t, p)
}

// TestSlowClients waits for the server to give up on a client that stops in the middle.
func TestSlowClients(t *testing.T) {
	if diff := cmp.Diff(clientTimes{5 * time.Second, 15 * time.Second, 2 * time.Minute}, usualTimes, cmp.AllowUnexported(clientTimes{})); diff != "" {
		t.Errorf("the usual times (-want +got):\n%s", diff)
	}
	const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
	for _, row := range []struct {
		name, sent string
		times      clientTimes
		want       string // what the handler read: a body, "cut off", or "" when it was not asked
	}{
		{"slow header", head, clientTimes{header: 50 * time.Millisecond, body: time.Hour, idle: time.Hour}, ""},
		{"slow body", head + "\r\nab", clientTimes{header: time.Hour, body: 50 * time.Millisecond, idle: time.Hour}, "cut off"},
		{"idle", head + "\r\nabcd", clientTimes{header: time.Hour, body: time.Hour, idle: 50 * time.Millisecond}, "abcd"},
	} {
		t.Run(row.name, func(t *testing.T) {
			read := make(chan string, 1)
			h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					body = []byte("cut off")
				}
				read <- string(body)
			})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := newServer(h, row.times, slog.New(slog.DiscardHandler))
			done := make(chan error, 1)
			go func() { done <- server.Serve(l) }()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(c, row.sent); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(c); err != nil {
				t.Errorf("the server does not close the connection: %v", err)
			}
			if err := server.Close(); err != nil {
				t.Error(err)
			}
			if err := <-done; !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
			_ = c.Close()
			close(read)
			if got := <-read; got != row.want {
				t.Errorf("the handler read %q, want %q", got, row.want)
			}
		})
	}
}
