package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callboard/dev/bench/seed"
	"callboard/store"
)

// rig is one database of one size with the console on it.
type rig struct {
	*bench
	db      *database
	folder  string
	entries int
	seeded  seed.Seeded
	keys    *store.Keys
	api     *api
	console *console
	visitor *visitor
}

// add keeps a figure of this database and size.
func (r *rig) add(f figure) {
	f.Database, f.Entries, f.Apps = r.db.kind, r.entries, len(r.seeded.Apps)
	r.bench.add(f)
}

// measure starts the console and takes every figure.
func (r *rig) measure(ctx context.Context) error {
	if err := r.measureStart(ctx); err != nil {
		return err
	}
	if err := r.with(ctx, r.measureIdle, r.measureWire, r.measurePages, r.measureForm, r.measureApply, r.measureGrowth); err != nil {
		return err
	}
	// A fresh process, so that what the load left behind does not hide what an export needs.
	if err := r.with(ctx, r.measureExport); err != nil {
		return err
	}
	return r.measurePrune(ctx)
}

// with runs the console, signs in and takes some figures.
func (r *rig) with(ctx context.Context, steps ...func(context.Context) error) (err error) {
	if r.console, err = r.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.console.stop()) }()
	if r.visitor, err = signIn(ctx, r.console); err != nil {
		return err
	}
	defer r.visitor.close()
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// firstStart leads through /setup.
func (r *rig) firstStart(ctx context.Context) error {
	c, err := r.start(ctx)
	if err != nil {
		return err
	}
	return errors.Join(setUp(ctx, c), c.stop())
}

// starts is how often the start is measured; the best is what the program needs, the rest is the machine.
const starts = 5

func (r *rig) measureStart(ctx context.Context) error {
	const name = "start: exec to ready"
	if !r.wanted(name) && !r.wanted(idleName) {
		return nil
	}
	best, idle := time.Hour, 0.0
	for i := range starts {
		c, err := r.start(ctx)
		if err != nil {
			return err
		}
		best = min(best, c.ready)
		if i == starts-1 {
			wait(ctx, idleWait)
		}
		idle, _ = c.memory()
		if err := c.stop(); err != nil {
			return err
		}
	}
	r.add(figure{Name: name, Value: milliseconds(best), Unit: "ms", Beside: fmt.Sprintf("best of %d", starts)}.under(300))
	r.add(figure{Name: idleName + ", after a start", Value: idle, Unit: "MB"}.under(idleMemory))
	return nil
}

// Goal of a console that nobody uses, and how long it is left alone before.
const (
	idleName   = "memory: idle"
	idleMemory = 40.0 // MB
	idleWait   = 2 * time.Second
)

// measureIdle looks at the memory of a console that somebody has signed in to and left alone.
func (r *rig) measureIdle(ctx context.Context) error {
	if !r.wanted(idleName) {
		return nil
	}
	wait(ctx, idleWait)
	now, _ := r.console.memory()
	r.add(figure{Name: idleName + ", after a sign-in", Value: now, Unit: "MB", Beside: "checking a password takes memory on purpose"}.under(idleMemory))
	return nil
}
