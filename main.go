// Callboard is a self-hosted web console for the callback configuration of Tencent RTC Live apps.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // zones work in an image without any files

	"callboard/handlers"
)

// version is set when a release is built.
var version = "dev"

func main() {
	syscall.Umask(0o077) // what the console writes is its owner's alone, the database too
	tuneMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl+C ends a stop that takes too long
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Memory for garbage: what pages and signatures leave behind is collected later than usual, because there is little
// besides, but not beyond what a small machine gives: an export of everything stays small. Four passwords at once take
// more, and are checked at up to half the speed then. GOGC and GOMEMLIMIT set other values.
const (
	garbagePercent = 400
	memoryLimit    = 56 << 20
)

func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// run is the whole program: it reads options, does what they say and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command, o, err := parse(args, stdout)
	if errors.Is(err, errHelp) {
		return 0
	}
	if err == nil {
		err = carryOut(ctx, command, o, stdout, stderr)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return 0 // stopped before it was ready
	}
	if err != nil {
		fmt.Fprintln(stderr, "callboard: "+oneLine(err))
		return 1
	}
	return 0
}

// oneLine is an error as one sentence; those of libraries can have several lines.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func carryOut(ctx context.Context, command string, o options, stdout, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: o.level()}))
	unknownVariables(os.Environ(), log)
	switch command {
	case "demo":
		return runDemo(ctx, o.Demo, log, stdout)
	case "sandbox":
		return runSandbox(ctx, o.Sandbox, log, stdout)
	case "audit check":
		return checkAudit(ctx, o.Audit.Check, stdout)
	case "version":
		_, err := fmt.Fprintln(stdout, "callboard", versionText())
		return err
	case "user":
		return runUser(ctx, o.User, stdout)
	case "keys":
		return runKeys(ctx, o.Keys, stdout)
	case "health":
		return checkHealth(ctx, o.Health)
	case "serve":
		return runServe(ctx, o.Serve, log, stdout)
	}
	return fmt.Errorf("the command %q is not known", command)
}

// versionText is the version with the commit it was built from, as far as known.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return version + " (" + s.Value[:12] + ")"
		}
	}
	return version
}

// checkHealth asks a running console, for container health checks.
func checkHealth(ctx context.Context, o healthOptions) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	host, port, err := splitAddress(o.Listen)
	if err != nil {
		return err
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	// Never through a proxy that the environment names: the console is near.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		return errors.New("the console does not answer")
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the console answers, but is not ready (HTTP %d)", answer.StatusCode)
	}
	return nil
}

// web is a listening HTTP server.
type web struct {
	server   *http.Server
	listener net.Listener
	url      string
}

// splitAddress reads --listen. An empty one, as from a variable that is set to nothing, would mean every interface.
func splitAddress(address string) (host, port string, err error) {
	if host, port, err = net.SplitHostPort(address); err != nil || port == "" {
		return "", "", fmt.Errorf("--listen: %q is not an address such as 127.0.0.1:8080", address)
	}
	return host, port, nil
}

// listen takes the address; a port in use is an error at once. The caller closes the listener.
func listen(ctx context.Context, address string) (*web, error) {
	if _, _, err := splitAddress(address); err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the address %s is in use; choose another with --listen", address)
	}
	if err != nil {
		return nil, fmt.Errorf("--listen: listening on %s: %w", address, err)
	}
	return &web{listener: l, url: "http://" + reachable(l.Addr().String())}, nil
}

// reachable is an address that a browser on this machine can open.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// stopTime is how long requests under way may take to finish when the program stops.
const stopTime = 15 * time.Second

// clientTimes are how long a client may take, so that slow ones cannot pile up.
type clientTimes struct{ header, body, idle time.Duration }

var usualTimes = clientTimes{handlers.HeaderTime, handlers.BodyTime, handlers.IdleTime}

func newServer(h http.Handler, t clientTimes, log *slog.Logger) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: t.header, ReadTimeout: t.body, IdleTimeout: t.idle, MaxHeaderBytes: handlers.MaxHeaderBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
}

// serve answers until ctx ends, then lets the requests under way finish.
func (w *web) serve(ctx context.Context, h http.Handler, log *slog.Logger) error {
	w.server = newServer(h, usualTimes, log)
	failed := make(chan error, 1)
	go func() { failed <- w.server.Serve(w.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := w.server.Shutdown(stop); err != nil {
		log.Error("some requests were cut off", "err", err)
		_ = w.server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

// lines joins what is printed for people.
func lines(list ...string) string { return strings.Join(list, "\n") + "\n" }
