package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long the console may take to start or to stop.
const patience = 60 * time.Second

// console is a running callboard serve.
type console struct {
	process *exec.Cmd
	url     string
	code    string // of /setup, "" once somebody exists
	ready   time.Duration
	log     *os.File
}

// start runs the real binary and waits until it says that it is ready and is.
func (r *rig) start(ctx context.Context) (*console, error) {
	log, err := os.OpenFile(filepath.Join(r.folder, "console.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	p := exec.CommandContext(ctx, r.binary, "serve", "--listen", "127.0.0.1:0", "--data", r.folder)
	p.Env = r.environment()
	p.Stderr = log
	p.Cancel = func() error { return p.Process.Signal(syscall.SIGTERM) }
	p.WaitDelay = patience
	out, err := p.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	begun := time.Now()
	if err := p.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the console: %w", err), log.Close())
	}
	c := &console{process: p, log: log}
	if err := c.awaitReady(ctx, out, begun); err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, errors.Join(err, c.stop(), fmt.Errorf("it said: %s", bytes.TrimSpace(text)))
	}
	return c, nil
}

// environment is that of this program without options of a console, and with this database's.
func (r *rig) environment() []string {
	env := []string{"CALLBOARD_EXTRA_ENDPOINTS=" + regionName + "=" + r.api.url}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CALLBOARD_") {
			env = append(env, v)
		}
	}
	if r.db.kind == "postgres" {
		env = append(env, "CALLBOARD_DATABASE="+r.db.address) // not an argument, which everybody could read
	}
	return env
}

// awaitReady reads the greeting, then asks /readyz until it agrees. The time stops there.
func (c *console) awaitReady(ctx context.Context, out io.Reader, begun time.Time) error {
	timer := time.AfterFunc(patience, func() { _ = c.process.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return errors.New("the console ended before it was ready")
	}
	_, address, ok := strings.Cut(lines.Text(), " is ready at ")
	if !ok {
		return errors.New("the console greets in other words than expected")
	}
	c.url = address
	for {
		status, err := get(ctx, http.DefaultClient, c.url+"/readyz")
		if err == nil && status == http.StatusOK {
			break
		}
		if time.Since(begun) > patience || ctx.Err() != nil {
			return errors.New("the console did not become ready")
		}
		wait(ctx, time.Millisecond)
	}
	c.ready = time.Since(begun)
	return c.readCode(ctx, lines)
}

// readCode reads on to the code of /setup, which is printed while nobody can sign in.
func (c *console) readCode(ctx context.Context, lines *bufio.Scanner) error {
	users, err := get(ctx, noRedirects, c.url+"/setup")
	if err != nil || users != http.StatusOK {
		return err // somebody exists
	}
	for lines.Scan() {
		if _, code, ok := strings.Cut(lines.Text(), "Setup code: "); ok {
			c.code = code
			return nil
		}
	}
	return errors.New("the console printed no code for /setup")
}

// stop ends the console as a service manager does.
func (c *console) stop() error {
	err := c.process.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	timer := time.AfterFunc(patience, func() { _ = c.process.Process.Kill() })
	defer timer.Stop()
	if ended := c.process.Wait(); ended != nil {
		err = errors.Join(err, fmt.Errorf("the console ended: %w", ended))
	}
	return errors.Join(err, c.log.Close())
}

// memory is what the process holds now and what it held at most, in MB.
func (c *console) memory() (now, peak float64) {
	file := fmt.Sprintf("/proc/%d/status", c.process.Process.Pid)
	return megabytes(field(file, "VmRSS")), megabytes(field(file, "VmHWM"))
}

// resetPeak makes the next peak that of what comes now.
func (c *console) resetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", c.process.Process.Pid), []byte("5"), 0)
}

func megabytes(text string) float64 {
	kb, err := strconv.ParseFloat(strings.TrimSuffix(text, " kB"), 64)
	if err != nil {
		return 0
	}
	return kb / 1000
}

// wait waits, or less when the run ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
