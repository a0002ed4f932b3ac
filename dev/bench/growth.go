package main

import (
	"context"
	"fmt"
	"time"
)

// mostGrowth is how much slower a list may be with the most changes than with the fewest.
const mostGrowth = 1.5

// Each list is asked of both consoles in turns. Of fewer answers the p99 is a handful, and a matter of chance.
const (
	growthTurns = 11
	growthTurn  = 150
)

// measureGrowth holds each list of the largest database beside the same one of the smallest, in the same minute.
func (r *rig) measureGrowth(ctx context.Context) error {
	few := r.bench.entries[0]
	if most := r.bench.entries[len(r.bench.entries)-1]; few == most || r.entries != most || !r.wanted("growth") {
		return nil
	}
	return r.onDatabase(ctx, r.db.kind, few, func(small *rig) error {
		return small.with(ctx, func(ctx context.Context) error { return r.grownFrom(ctx, small) })
	})
}

func (r *rig) grownFrom(ctx context.Context, small *rig) error {
	many, err := r.targets(ctx)
	if err != nil {
		return err
	}
	few, err := small.targets(ctx)
	if err != nil {
		return err
	}
	if len(few) != len(many) {
		return fmt.Errorf("the two consoles have %d and %d lists", len(many), len(few))
	}
	for i, t := range many {
		if t.p99 == 0 {
			continue
		}
		note("%s: growth of %s", r.db.kind, t.name)
		f := figure{Name: "growth: " + t.name, Unit: "times"}
		a, b, err := r.inTurns(ctx, small, t.path, few[i].path)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			f = f.under(mostGrowth)
			f.Fault, f.Met = err.Error(), new(bool)
		default:
			f.Value = a / b
			f.Beside = fmt.Sprintf("p99 %s ms, %s ms with %s changes", number(a), number(b), thousands(small.entries))
			f = f.under(mostGrowth)
		}
		r.add(f)
	}
	return nil
}

// inTurns gives the p99 of a page here and of its like there, in milliseconds.
func (r *rig) inTurns(ctx context.Context, small *rig, here, there string) (a, b float64, err error) {
	var took [2][]time.Duration
	sides := []struct {
		*rig
		path string
	}{{r, here}, {small, there}}
	for turn := range 1 + growthTurns {
		for i, side := range sides {
			cookies, err := side.visitor.cookies()
			if err != nil {
				return 0, 0, err
			}
			list, err := openModel(ctx, growthTurn, mostArrivals, side.visitor.client, side.console.url+side.path, cookies)
			if err != nil {
				return 0, 0, err
			}
			if turn > 0 { // the first only warms up
				took[i] = append(took[i], list...)
			}
		}
	}
	return percentile(took[0], 0.99), percentile(took[1], 0.99), nil
}
