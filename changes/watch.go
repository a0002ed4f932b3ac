package changes

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"callboard/store"
)

// watchPace bounds how many scheduled reads begin in one tick of the loop.
const watchPace = 5

// watchDue begins the scheduled reads that are due; a drift that one finds is entered by keeping the reading.
func (s *Service) watchDue(ctx context.Context, looks pool) {
	if s.watchEvery <= 0 {
		return
	}
	for range watchPace {
		// No place means that a host is slow: what is due stays due, and unknown changes are not kept waiting.
		if !looks.take(false) {
			return
		}
		// Jittered, so that apps added together are not read together for ever.
		wait := s.watchEvery + time.Duration((rand.Float64()-0.5)*0.2*float64(s.watchEvery)) //nolint:gosec // no secret depends on it
		app, err := s.store.ClaimWatch(ctx, wait)
		if err != nil {
			if !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
				s.log.Error("apps to be read could not be claimed", "err", err)
			}
			looks.leave()
			return
		}
		looks.run(func() {
			if _, err := s.Look(ctx, store.Console, app.SDKAppID); err != nil && ctx.Err() == nil {
				s.log.Error("a scheduled read failed", "sdkappid", app.SDKAppID, "err", err)
			}
		})
	}
}

// AcceptDrift makes what the cloud holds our record; seen is the digest of what the person saw. store.ErrMoved: the cloud
// has moved on, so nothing is accepted. A reason that cannot be stored comes back as Problems.
func (s *Service) AcceptDrift(ctx context.Context, a store.Actor, sdkappid int64, seen, reason string) (number int64, err error) {
	if problems := reasonProblems(reason); len(problems) > 0 {
		return 0, problems
	}
	return s.store.AcceptRecord(ctx, a, sdkappid, seen, store.Visible(reason))
}

// PutBack plans to write our record over what the cloud has now. ErrNoReading: the app could not be read. A reason that
// cannot be stored comes back as Problems.
func (s *Service) PutBack(ctx context.Context, a store.Actor, sdkappid int64, reason string) (store.Plan, View, error) {
	if problems := reasonProblems(reason); len(problems) > 0 {
		return store.Plan{}, View{}, problems
	}
	v, err := s.Look(ctx, a, sdkappid)
	if err != nil {
		return store.Plan{}, v, err
	}
	if !v.Fresh {
		return store.Plan{}, v, ErrNoReading
	}
	if v.App.Record == "" {
		return store.Plan{}, v, ErrNothing
	}
	ours, err := s.store.Configuration(ctx, v.App.Record)
	if err != nil {
		return store.Plan{}, v, err
	}
	p, err := s.keepPlan(ctx, a, store.Plan{SDKAppID: sdkappid, BaseSeen: v.Reading.LastSeen, Reason: store.Visible(reason), Origin: v.App.Drift}, v.Reading.Configuration, ours)
	return p, v, err
}

// PlanDelete plans to delete an app's callback. Its set is remembered by the plan and by the change.
func (s *Service) PlanDelete(ctx context.Context, a store.Actor, sdkappid, reading int64, reason string) (store.Plan, error) {
	base, err := s.reading(ctx, sdkappid, reading)
	if err != nil {
		return store.Plan{}, err
	}
	problems := reasonProblems(reason)
	if base == nil {
		problems = append(problems, Problem{Field: "reading", ID: "no_reading"})
	}
	if len(problems) > 0 {
		return store.Plan{}, problems
	}
	return s.keepPlan(ctx, a, store.Plan{SDKAppID: sdkappid, BaseSeen: base.LastSeen, Reason: store.Visible(reason)}, base.Configuration, store.None)
}
