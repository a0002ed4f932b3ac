package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"callboard/store"
)

// Goal of pruning, in ms, and how long it goes on at most.
const (
	longestPrune = 200.0
	pruneTime    = 30 * time.Second
)

// measurePrune removes what it can, one step right after another, and looks how long each keeps others from writing. It
// comes last.
func (r *rig) measurePrune(ctx context.Context) (err error) {
	const name = "prune: longest step"
	if !r.wanted(name) {
		return nil
	}
	note("%s: %s", r.db.kind, name)
	s, err := store.Open(ctx, store.Options{Database: r.db.address, Keys: r.keys})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var at store.Pruning
	var steps []time.Duration
	for end, more := time.Now().Add(pruneTime), true; more && time.Now().Before(end); {
		from := time.Now()
		if more, err = s.PruneStep(ctx, time.Millisecond, &at); err != nil {
			return err
		}
		steps = append(steps, time.Since(from))
	}
	r.add(figure{Name: name, Value: milliseconds(slices.Max(steps)), Unit: "ms", Beside: fmt.Sprintf("%d steps, p50 %.2f ms, p99 %.2f ms", len(steps), percentile(steps, 0.5), percentile(steps, 0.99))}.under(longestPrune))
	return nil
}
