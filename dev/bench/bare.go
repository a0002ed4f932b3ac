package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// bareCommand makes this program the baseline: a bare handler in a process of its own.
const bareCommand = "bare-handler"

// bareLimit is the largest page of the baseline, in bytes.
const bareLimit = 8 << 20

// serveBare serves /{n} with a fixed page of n bytes until stdin ends, as it does with the process that started it.
func serveBare(stdin io.Reader, stdout io.Writer) int {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 1
	}
	fixed := []byte(strings.Repeat("<p>A fixed page, as long as the one that it stands beside.</p>\n", bareLimit/63+1))
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil || n < 0 || n > len(fixed) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", r.URL.Path[1:])
		_, _ = w.Write(fixed[:n]) // a reader that went away is no fault
	})}
	go func() { _ = server.Serve(l) }()
	if _, err := fmt.Fprintln(stdout, l.Addr()); err != nil {
		return 1
	}
	_, _ = io.Copy(io.Discard, stdin)
	_ = server.Close()
	return 0
}

// bare is the running baseline.
type bare struct {
	process *exec.Cmd
	stdin   io.Closer
	url     string
}

func startBare(ctx context.Context) (*bare, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &bare{process: exec.CommandContext(ctx, self, bareCommand)}
	if b.stdin, err = b.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.process.Start(); err != nil {
		return nil, fmt.Errorf("starting the bare handler: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(errors.New("the bare handler did not start"), b.close())
	}
	b.url = "http://" + strings.TrimSpace(line)
	return b, nil
}

// page is the address of a fixed page of n bytes.
func (b *bare) page(n int) string { return b.url + "/" + strconv.Itoa(n) }

func (b *bare) close() error {
	err := b.stdin.Close()
	_ = b.process.Wait() // after an interrupt it was killed, which is as good
	return err
}
