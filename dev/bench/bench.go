package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"callboard/dev/bench/seed"
	"callboard/store"
)

// bench is one run of the tool.
type bench struct {
	options
	folder  string // everything temporary
	binary  string
	bare    *bare
	stdout  io.Writer
	machine machine
	figures []figure
	notes   []string // settings of the databases
	began   time.Time
}

func newBench(ctx context.Context, o options, stdout io.Writer) (*bench, error) {
	if _, err := exec.LookPath("wrk"); err != nil {
		return nil, errors.New("wrk is not installed; on Debian and Ubuntu: apt-get install wrk")
	}
	folder, err := os.MkdirTemp("", "callboard-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, folder: folder, binary: filepath.Join(folder, "callboard"), stdout: stdout, machine: describeMachine(), began: time.Now()}
	if err := b.build(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	if b.bare, err = startBare(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) close() error {
	var err error
	if b.bare != nil {
		err = b.bare.close()
	}
	return errors.Join(err, os.RemoveAll(b.folder))
}

// build makes the binary as a release has it.
func (b *bench) build(ctx context.Context) error {
	note("building the binary")
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.binary, ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("building the program: %w\n%s", err, out)
	}
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	b.add(figure{Name: "binary, stripped", Value: float64(info.Size()) / 1e6, Unit: "MB"}.under(40))
	return nil
}

func (b *bench) measureAll(ctx context.Context) error {
	var kinds []string
	if b.database != "postgres" {
		kinds = append(kinds, "sqlite")
	}
	if b.database != "sqlite" && os.Getenv(postgresVariable) != "" {
		kinds = append(kinds, "postgres")
	}
	for _, kind := range kinds {
		for _, entries := range b.entries {
			if err := b.measureSize(ctx, kind, entries); err != nil {
				return fmt.Errorf("%s with %d changes: %w", kind, entries, err)
			}
		}
	}
	return ctx.Err()
}

// appsFor is how many apps share a number of changes.
func appsFor(entries int) int {
	if entries >= 1_000_000 {
		return 1000
	}
	return 100
}

func (b *bench) measureSize(ctx context.Context, kind string, entries int) error {
	return b.onDatabase(ctx, kind, entries, func(r *rig) error { return r.measure(ctx) })
}

// onDatabase seeds a database, with its API and its first administrator, for as long as use takes.
func (b *bench) onDatabase(ctx context.Context, kind string, entries int, use func(*rig) error) (err error) {
	folder, err := os.MkdirTemp(b.folder, kind+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	keys, err := store.LoadKeys(filepath.Join(folder, "keyset.json"), true)
	if err != nil {
		return err
	}
	db, err := openDatabase(ctx, kind, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	if !slices.Contains(b.notes, db.note) {
		b.notes = append(b.notes, db.note)
	}
	r := &rig{bench: b, db: db, folder: folder, entries: entries, keys: keys}
	if err := r.seed(ctx); err != nil {
		return fmt.Errorf("seeding: %w", err)
	}
	if r.api, err = startAPI(ctx, r.seeded.Apps); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.api.close(ctx)) }()
	if err := r.firstStart(ctx); err != nil {
		return err
	}
	return use(r)
}

func (r *rig) seed(ctx context.Context) (err error) {
	o := seed.Options{Database: r.db.address, Keys: r.keys, Entries: r.entries, Apps: appsFor(r.entries), Region: regionName, Host: "127.0.0.1", Now: time.Now()}
	note("seeding %s with %d changes of %d apps", r.db.kind, r.entries, o.Apps)
	start := time.Now()
	r.seeded, err = seed.Fill(ctx, o, func(text string) { note("%s", text) })
	note("seeded in %s", time.Since(start).Round(time.Second))
	return err
}

// figure is one measured value, with what was measured beside it and what it should be.
type figure struct {
	Database string  `json:"database,omitempty"`
	Entries  int     `json:"entries,omitempty"`
	Apps     int     `json:"apps,omitempty"`
	Name     string  `json:"name"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	Beside   string  `json:"beside,omitempty"` // what was measured beside it, in words
	Goal     string  `json:"goal,omitempty"`
	Met      *bool   `json:"met,omitempty"`
	Page     *page   `json:"page,omitempty"`  // of a page's figure, in place of Value
	Fault    string  `json:"fault,omitempty"` // what ended the measuring of Value
}

// page is how fast a page answers.
type page struct {
	Bytes    int     `json:"bytes"`
	Rate     float64 `json:"rate"`      // a second, closed model
	BareRate float64 `json:"bare_rate"` // of the bare handler, same size
	Ratio    float64 `json:"ratio"`
	Arrivals float64 `json:"arrivals"` // a second, open model
	P50      float64 `json:"p50_ms"`
	P95      float64 `json:"p95_ms"`
	P99      float64 `json:"p99_ms"`
	BareP99  float64 `json:"bare_p99_ms"`
	Fault    string  `json:"fault,omitempty"` // what ended the measuring of latencies, which are 0 then
}

// under sets an upper limit as the goal.
func (f figure) under(limit float64) figure {
	met := f.Value < limit
	f.Goal, f.Met = fmt.Sprintf("under %g %s", limit, f.Unit), &met
	return f
}

// atLeast sets a lower limit as the goal.
func (f figure) atLeast(limit float64) figure {
	met := f.Value >= limit
	f.Goal, f.Met = fmt.Sprintf("at least %g %s", limit, f.Unit), &met
	return f
}

// wanted tells whether -only leaves a measurement.
func (b *bench) wanted(name string) bool { return strings.Contains(name, b.only) }

func (b *bench) add(f figure) {
	b.figures = append(b.figures, f)
	if !b.json {
		return
	}
	line, err := json.Marshal(f)
	if err == nil {
		_, err = fmt.Fprintf(b.stdout, "%s\n", line)
	}
	if err != nil {
		note("a figure could not be written: %v", err)
	}
}
