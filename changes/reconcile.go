package changes

import (
	"context"
	"errors"
	"sync"
	"time"

	"callboard/store"
	"callboard/tencent"
)

// How the reconcile loop goes about its work.
const (
	tick          = time.Second
	looksAtOnce   = 8
	readBackTries = 12 // looks at a change that is no longer open, for the page alone
)

// Run is the one loop in the background: it settles left-over and unknown changes by reading back, reads back once after
// an applied one, and reads every watched app on its schedule. It returns when ctx ends and every look has ended. Several processes may run it on one database.
func (s *Service) Run(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	var looks sync.WaitGroup
	defer looks.Wait()
	reconciling := pool{all: &looks, places: make(chan struct{}, looksAtOnce)}
	watching := pool{all: &looks, places: make(chan struct{}, looksAtOnce)}
	for {
		s.lookAtDue(ctx, reconciling)
		s.watchDue(ctx, watching)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-s.wake:
		}
	}
}

// Faults of looks that told nothing, beside those of the client.
const (
	faultGrace  = "grace"  // the cloud is as before, but the call may still land
	faultRegion = "region" // the app's region or key cannot be used
)

// pool runs functions, a bounded number at once.
type pool struct {
	all    *sync.WaitGroup
	places chan struct{}
}

// take waits for a place, or says at once that there is none when wait is false.
func (p pool) take(wait bool) bool {
	select {
	case p.places <- struct{}{}:
		return true
	default:
	}
	if wait {
		p.places <- struct{}{}
	}
	return wait
}

func (p pool) leave() { <-p.places }

// run runs f in a place that was taken.
func (p pool) run(f func()) {
	p.all.Go(func() {
		defer p.leave()
		f()
	})
}

// lookAtDue claims what is due until nothing is.
func (s *Service) lookAtDue(ctx context.Context, looks pool) {
	for ctx.Err() == nil {
		looks.take(true)
		c, err := s.store.ClaimDue(ctx)
		if err != nil {
			if !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
				s.log.Error("due changes could not be claimed", "err", err)
			}
			looks.leave()
			return
		}
		looks.run(func() {
			if err := s.reconcile(ctx, store.Console, c); err != nil && ctx.Err() == nil {
				s.log.Error("a change could not be looked at", "change", c.Number, "err", err)
			}
		})
	}
}

// CheckNow looks at an open change at once, as a person asked. ErrNotOpen when it is settled.
func (s *Service) CheckNow(ctx context.Context, a store.Actor, number int64) error {
	c, err := s.store.Change(ctx, number)
	if err != nil {
		return err
	}
	if !c.Open() {
		return ErrNotOpen
	}
	if c.Outcome == store.Pending {
		// Its writer may still be at work; the lease decides.
		s.poke()
		return nil
	}
	c, err = s.store.Claim(ctx, number)
	if errors.Is(err, store.ErrNotFound) {
		return ErrNotOpen // settled meanwhile
	}
	if err != nil {
		return err
	}
	return s.reconcile(ctx, a, c)
}

// CloseByHand settles an unknown change as overtaken for a reason that a person gives; our record is left alone. A reason
// that cannot be stored comes back as Problems.
func (s *Service) CloseByHand(ctx context.Context, a store.Actor, number int64, reason string) error {
	if problems := reasonProblems(reason); len(problems) > 0 {
		return problems
	}
	err := s.store.Settle(ctx, a, number, store.Settlement{Settled: store.Overtaken, Cause: store.CauseByHand, Reason: store.Visible(reason)})
	if errors.Is(err, store.ErrMoved) {
		return ErrNotOpen
	}
	s.poke()
	return err
}

// reconcile looks at one claimed change.
func (s *Service) reconcile(ctx context.Context, a store.Actor, c store.Change) error {
	var err error
	switch {
	case c.Outcome == store.Pending:
		err = s.store.LeaseOver(ctx, a, c.Number, s.grace)
		s.poke()
	case c.Open():
		err = s.settle(ctx, a, c)
	default:
		err = s.readBack(ctx, a, c)
	}
	// ErrMoved: somebody else settled it, which is all we want.
	if errors.Is(err, store.ErrMoved) {
		return nil
	}
	return err
}

// settle decides by reading back: equal to wanted is applied; equal to previous is not applied, once the call can no
// longer land; anything else is overtaken.
func (s *Service) settle(ctx context.Context, a store.Actor, c store.Change) error {
	// Asked before the read: a call may land between a read and the end of the grace.
	over, err := s.store.GraceOver(ctx, c.Number)
	if err != nil {
		return err
	}
	app, found, reply, err := s.readFor(ctx, a, c, false)
	if err != nil || found == nil {
		return err
	}
	how := store.Settlement{Settled: store.Overtaken, Found: found}
	switch found.Digest() {
	case c.Wanted:
		how.Settled = store.Applied
	case c.Previous:
		if !over {
			return s.store.Postpone(ctx, c.Number, nil, faultGrace, false)
		}
		how.Settled = store.NotApplied
	}
	if err := s.store.Settle(ctx, a, c.Number, how); err != nil {
		return err
	}
	s.log.Info("change settled", "change", c.Number, "settled", how.Settled)
	if how.Settled == store.Applied || c.Kind == store.KindToken {
		return nil
	}
	// While it was open no drift was judged; the same answer is judged now.
	_, err = s.keepReading(ctx, a, app, *found, reply)
	return err
}

// readBack looks once at what the cloud holds after a change that is no longer open.
func (s *Service) readBack(ctx context.Context, a store.Actor, c store.Change) error {
	_, found, _, err := s.readFor(ctx, a, c, c.Checks+1 >= readBackTries)
	if err != nil || found == nil {
		return err
	}
	return s.store.KeepReadBack(ctx, a, c.Number, *found)
}

// readFor reads the app of a change and keeps the reading. nil: the read told nothing, which is noted with the change.
func (s *Service) readFor(ctx context.Context, a store.Actor, c store.Change, last bool) (store.App, *store.Configuration, tencent.Reply, error) {
	app, target, err := s.target(ctx, c.SDKAppID)
	if errors.Is(err, ErrNoRegion) || errors.Is(err, store.ErrKeys) {
		return app, nil, tencent.Reply{}, s.store.Postpone(ctx, c.Number, nil, faultRegion, last)
	}
	if err != nil {
		return app, nil, tencent.Reply{}, err
	}
	found, reply := s.readOf(ctx, c.Kind, target, compareWait)
	if found == nil {
		err := s.store.Postpone(ctx, c.Number, codeOf(reply), string(reply.Fault), last)
		if c.Kind == store.KindToken {
			return app, nil, reply, err
		}
		return app, nil, reply, errors.Join(err, s.store.ReadingFailed(ctx, app.SDKAppID, codeOf(reply), string(reply.Fault)))
	}
	if c.Kind != store.KindToken {
		_, err = s.keepReading(ctx, a, app, *found, reply)
	}
	return app, found, reply, err
}

// ReadBackNow reads back once after a change that is no longer open, without waiting for the loop.
func (s *Service) ReadBackNow(ctx context.Context, number int64) error {
	c, err := s.store.Claim(ctx, number)
	if errors.Is(err, store.ErrNotFound) {
		return nil // nothing is to be read back
	}
	if err != nil {
		return err
	}
	return s.reconcile(ctx, store.Console, c)
}
