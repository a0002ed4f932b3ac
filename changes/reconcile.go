package changes

import (
	"context"
	"errors"
	"sync"
	"time"

	"callboard/store"
)

// How the reconcile loop goes about its work.
const (
	tick          = time.Second
	looksAtOnce   = 8
	readBackTries = 12 // looks at a change that is no longer open, for the page alone
)

// Run is the reconcile loop: it settles left-over and unknown changes by reading back, and reads back once after an
// applied one. It returns when ctx ends and every look has ended. Several processes may run it on one database.
func (s *Service) Run(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	var looks sync.WaitGroup
	defer looks.Wait()
	places := make(chan struct{}, looksAtOnce)
	for {
		s.lookAtDue(ctx, &looks, places)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-s.wake:
		}
	}
}

// lookAtDue claims what is due until nothing is, and looks at a bounded number at once.
func (s *Service) lookAtDue(ctx context.Context, looks *sync.WaitGroup, places chan struct{}) {
	for ctx.Err() == nil {
		c, err := s.store.ClaimDue(ctx)
		if err != nil {
			if !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
				s.log.Error("due changes could not be claimed", "err", err)
			}
			return
		}
		places <- struct{}{}
		looks.Go(func() {
			defer func() { <-places }()
			s.reconcile(ctx, store.Console, c)
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
	if c, err = s.store.Claim(ctx, number); err != nil {
		return err
	}
	s.reconcile(ctx, a, c)
	return nil
}

// CloseByHand settles an unknown change as overtaken for a reason that a person gives; our record is left alone.
func (s *Service) CloseByHand(ctx context.Context, a store.Actor, number int64, reason string) error {
	err := s.store.Settle(ctx, a, number, store.Settlement{Settled: store.Overtaken, Cause: store.CauseByHand, Reason: reason})
	if errors.Is(err, store.ErrMoved) {
		return ErrNotOpen
	}
	s.poke()
	return err
}

// reconcile looks at one claimed change.
func (s *Service) reconcile(ctx context.Context, a store.Actor, c store.Change) {
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
	if err != nil && !errors.Is(err, store.ErrMoved) && ctx.Err() == nil {
		s.log.Error("a change could not be looked at", "change", c.Number, "err", err)
	}
}

// settle decides by reading back: equal to wanted is applied; equal to previous is not applied, once the call can no
// longer land; anything else is overtaken.
func (s *Service) settle(ctx context.Context, a store.Actor, c store.Change) error {
	app, found, err := s.readFor(ctx, a, c, false)
	if err != nil || found == nil {
		return err
	}
	how := store.Settlement{Settled: store.Overtaken, Found: found}
	switch found.Digest() {
	case c.Wanted:
		how.Settled = store.Applied
	case c.Previous:
		over, err := s.store.GraceOver(ctx, c.Number)
		if err != nil || !over {
			return err
		}
		how.Settled = store.NotApplied
	}
	if err := s.store.Settle(ctx, a, c.Number, how); err != nil {
		return err
	}
	s.log.Info("change settled", "change", c.Number, "settled", how.Settled)
	if how.Settled == store.Applied {
		return nil
	}
	// While it was open no drift was judged; the same answer is judged now.
	_, err = s.store.KeepReading(ctx, a, s.judged(ctx, app, *found, c))
	return err
}

func (s *Service) judged(ctx context.Context, app store.App, found store.Configuration, c store.Change) store.NewReading {
	n := store.NewReading{SDKAppID: app.SDKAppID, Configuration: found, Host: c.Host, RecordVersion: app.RecordVersion}
	if ours, err := s.store.Configuration(ctx, app.Record); err == nil {
		n.Summary = Compare(ours, found).Summary().String()
	}
	return n
}

// readBack looks once at what the cloud holds after a change that is no longer open.
func (s *Service) readBack(ctx context.Context, a store.Actor, c store.Change) error {
	_, found, err := s.readFor(ctx, a, c, c.Checks+1 >= readBackTries)
	if err != nil || found == nil {
		return err
	}
	return s.store.KeepReadBack(ctx, a, c.Number, *found)
}

// readFor reads the app of a change and keeps the reading. nil: the read told nothing, which is noted with the change.
func (s *Service) readFor(ctx context.Context, a store.Actor, c store.Change, last bool) (store.App, *store.Configuration, error) {
	app, err := s.store.App(ctx, c.SDKAppID)
	if err != nil {
		return app, nil, err
	}
	target, err := s.target(ctx, app)
	if errors.Is(err, ErrNoRegion) || errors.Is(err, store.ErrKeys) {
		return app, nil, s.store.Postpone(ctx, c.Number, nil, "region", last)
	}
	if err != nil {
		return app, nil, err
	}
	found, reply := s.read(ctx, target, CompareWait)
	if found == nil {
		err := s.store.Postpone(ctx, c.Number, codeOf(reply), string(reply.Fault), last)
		return app, nil, errors.Join(err, s.store.ReadingFailed(ctx, app.SDKAppID, codeOf(reply), string(reply.Fault)))
	}
	_, err = s.keepReading(ctx, a, app, *found, reply)
	return app, found, err
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
	s.reconcile(ctx, store.Console, c)
	return nil
}
