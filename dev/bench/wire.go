package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"sync/atomic"
	"time"
)

// Goals in kB on the wire, heads of answers included.
const (
	firstVisit = 150.0
	laterPage  = 20.0
)

// wire is a browser that counts what it receives.
type wire struct {
	base, cookies string
	client        *http.Client
	received      atomic.Int64
}

type countingConn struct {
	net.Conn
	received *atomic.Int64
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(int64(n))
	return n, err
}

func newWire(base, cookies string) *wire {
	w := &wire{base: base, cookies: cookies}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return countingConn{c, &w.received}, err
	}
	w.client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: dial, DisableCompression: true}}
	return w
}

func (w *wire) get(ctx context.Context, path string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Cookie", w.cookies)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	answer, err := w.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d", path, answer.StatusCode)
	}
	return nil
}

// kilobytes counts what these paths bring.
func (w *wire) kilobytes(ctx context.Context, paths ...string) (float64, error) {
	before := w.received.Load()
	for _, p := range paths {
		if err := w.get(ctx, p); err != nil {
			return 0, err
		}
	}
	return float64(w.received.Load()-before) / 1000, nil
}

var staticPath = regexp.MustCompile(`/static/[A-Za-z0-9._-]+`)

func (r *rig) measureWire(ctx context.Context) error {
	const name = "wire: "
	if !r.wanted(name) {
		return nil
	}
	cookies, err := r.visitor.cookies()
	if err != nil {
		return err
	}
	text, err := r.visitor.page(ctx, "/history")
	if err != nil {
		return err
	}
	w := newWire(r.console.url, cookies)
	defer w.client.CloseIdleConnections()
	files := slices.Compact(slices.Sorted(slices.Values(staticPath.FindAllString(text, -1))))
	first, err := w.kilobytes(ctx, append(files, "/history")...)
	if err != nil {
		return err
	}
	r.add(figure{Name: name + "first visit, history page and all its files", Value: first, Unit: "kB", Beside: fmt.Sprintf("%d files", len(files))}.under(firstVisit))
	for _, p := range []struct{ name, path string }{
		{"history page", "/history"}, {"apps page", "/apps"}, {"change page", fmt.Sprintf("/changes/%d", r.seeded.Change)},
		{"form page", fmt.Sprintf("/apps/%d/callback", r.seeded.Apps[1].ID)},
	} {
		kb, err := w.kilobytes(ctx, p.path)
		if err != nil {
			return err
		}
		r.add(figure{Name: name + "later visit, " + p.name, Value: kb, Unit: "kB"}.under(laterPage))
	}
	return nil
}

// Goals of an export.
const (
	exportRate   = 50_000.0 // of that many rows; of few most is the time to the first
	exportRows   = 1_000_000
	exportMemory = 30.0
)

// measureExport reads an export of everything, a minute long at most.
func (r *rig) measureExport(ctx context.Context) error {
	const name = "export: "
	if !r.wanted(name) {
		return nil
	}
	note("%s: export", r.db.kind)
	if _, err := r.visitor.page(ctx, "/history"); err != nil {
		return err
	}
	if err := r.console.resetPeak(); err != nil {
		return fmt.Errorf("resetting the peak of memory: %w", err)
	}
	before, _ := r.console.memory()
	rows, took, err := r.export(ctx)
	if err != nil {
		return err
	}
	_, peak := r.console.memory()
	rate := figure{Name: name + "rate", Value: float64(rows) / took.Seconds(), Unit: "rows a second", Beside: fmt.Sprintf("%d rows in %.1f s", rows, took.Seconds())}
	if rows >= exportRows {
		rate = rate.atLeast(exportRate)
	}
	r.add(rate)
	r.add(figure{Name: name + "extra memory", Value: max(peak-before, 0), Unit: "MB", Beside: fmt.Sprintf("%.0f MB before", before)}.under(exportMemory))
	return nil
}

func (r *rig) export(ctx context.Context) (rows int, took time.Duration, err error) {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	q, err := http.NewRequestWithContext(limited, http.MethodGet, r.console.url+"/history.jsonl", nil)
	if err != nil {
		return 0, 0, err
	}
	client := &http.Client{Jar: r.visitor.client.Jar, Transport: r.visitor.client.Transport}
	start := time.Now()
	answer, err := client.Do(q)
	if err != nil {
		return 0, 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("the export answers %d", answer.StatusCode)
	}
	rows, err = countLines(answer.Body)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil // long enough for a rate
	}
	return rows, time.Since(start), err
}
