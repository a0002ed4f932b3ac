package changes

import (
	"context"
	"errors"
	"slices"
	"time"

	"callboard/store"
	"callboard/tencent"
)

// TicksMissing says which boxes of the plan page have to be ticked first.
type TicksMissing []string

func (t TicksMissing) Error() string { return "boxes have to be ticked first" }

// Apply carries a plan out and returns the number of its change. One plan has one change, however often it is applied:
// a repeated Apply returns the first one's number. It returns when the outcome is known, or after resultWait.
//
// Errors: ErrPlanGone, ErrNothing, ErrStopping, ErrNoRegion, store.ErrNotFound, store.ErrArchived, store.ErrKeys, TicksMissing,
// *store.OpenChangeError, store.ErrUnavailable; with any of them no call was made. With the last one the intent may be written:
// it is settled as left over then.
func (s *Service) Apply(ctx context.Context, a store.Actor, sdkappid int64, id string, ticks []string) (int64, error) {
	p, err := s.Plan(ctx, sdkappid, id)
	if err != nil || p.State.Number != 0 {
		return p.State.Number, err
	}
	app, target, err := s.mayApply(ctx, p, ticks)
	if err != nil {
		return 0, err
	}
	if !s.calls.begin() {
		return 0, ErrStopping
	}
	carried := false
	defer func() {
		if !carried {
			s.calls.end()
		}
	}()
	s.reached(PointBeforeIntent)
	number, attempt, made, err := s.openChange(ctx, a, p, target)
	if err != nil || !made {
		return number, err
	}
	done := make(chan struct{})
	carried = true
	go func() { //nolint:contextcheck // neither the page's end nor its patience with the database is the change's
		defer s.calls.end()
		defer close(done)
		s.carryOut(context.WithoutCancel(s.life), a, app, number, attempt, p, target)
	}()
	wait := time.NewTimer(resultWait)
	defer wait.Stop()
	select {
	case <-done:
	case <-wait.C:
	case <-ctx.Done():
	}
	return number, nil
}

// mayApply looks whether a plan can be carried out, and where and as whom. The app is as it stood before the intent: what
// happens to its record later is not judged by what the plan's own look finds.
func (s *Service) mayApply(ctx context.Context, p FullPlan, ticks []string) (app store.App, target tencent.Target, err error) {
	app, target, err = s.target(ctx, p.SDKAppID)
	switch {
	case app.ArchivedAt != 0:
		return app, target, store.ErrArchived
	case err != nil:
		return app, target, err
	case p.State.Open != 0:
		return app, target, &store.OpenChangeError{Number: p.State.Open}
	case p.Nothing():
		return app, target, ErrNothing
	}
	var missing TicksMissing
	for _, t := range Ticks(p.Consequences) {
		if !slices.Contains(ticks, t) {
			missing = append(missing, t)
		}
	}
	if len(missing) > 0 {
		return app, target, missing
	}
	return app, target, nil
}

// openChange is step 4: the intent is committed before the first byte leaves. No row, no call.
func (s *Service) openChange(ctx context.Context, a store.Actor, p FullPlan, target tencent.Target) (number int64, attempt uint32, made bool, err error) {
	for {
		if attempt, err = draw(); err != nil {
			return 0, 0, false, err
		}
		number, made, err = s.store.OpenChange(context.WithoutCancel(ctx), a, store.Intent{Plan: p.Plan, Host: target.Region.Host, Attempt: attempt,
			Summary: p.Diff.Summary().String(), About: p.Diff.About(), Lease: s.lease})
		if store.IsAttemptTaken(err) {
			continue
		}
		return number, attempt, made, err
	}
}

// carryOut is what happens after the intent: compare, call, write the outcome. docs/change.md explains the steps.
func (s *Service) carryOut(ctx context.Context, a store.Actor, app store.App, number int64, attempt uint32, p FullPlan, target tencent.Target) {
	log := s.log.With("change", number, "sdkappid", p.SDKAppID, "call", p.Call, "host", target.Region.Host)
	log.Info("change begins")
	s.reached(PointIntentCommitted)
	ending, compared := s.compareAndCall(ctx, a, app, number, attempt, p, target)
	ending.Grace = s.grace
	log.Info("change ended", "outcome", ending.Outcome, "cause", ending.Cause)
	s.reached(PointAnswered)
	s.writeOutcome(ctx, a, number, ending)
	s.reached(PointOutcomeCommitted)
	if ending.Cause == store.CauseMoved {
		// While the change was open no drift was judged; the same answer is judged now.
		s.keepReadingOf(ctx, a, app, *ending.Found, compared)
	}
	s.readRefused(ctx, a, p, target, ending)
	s.poke()
}

// readRefused reads once more after a refusal that tells of another state than the comparison found, or that does not say
// that nothing was done: the list of apps should say what is there.
func (s *Service) readRefused(ctx context.Context, a store.Actor, p FullPlan, target tencent.Target, e store.Ending) {
	if p.Kind == store.KindToken || e.Outcome != store.Refused || e.Reply.ErrorCode == nil {
		return
	}
	if code := *e.Reply.ErrorCode; code != tencent.CodeNoCallback && code != tencent.CodeExists && NothingDone(code) {
		return
	}
	app, err := s.store.App(ctx, p.SDKAppID) // anew: the comparison may have begun an interval
	if err != nil {
		s.log.Error("an app could not be read after a refusal", "sdkappid", p.SDKAppID, "err", err)
		return
	}
	found, reply := s.read(ctx, target, s.compareWait)
	if found != nil {
		s.keepReadingOf(ctx, a, app, *found, reply)
	} else if err := s.store.ReadingFailed(ctx, p.SDKAppID, codeOf(reply), string(reply.Fault)); err != nil {
		s.log.Error("a failed read after a refusal could not be noted", "sdkappid", p.SDKAppID, "err", err)
	}
}

// NothingDone tells whether a code that Tencent refused with says that nothing was changed. Of a code that its lists do not
// name nobody knows.
func NothingDone(code int64) bool {
	e, _ := tencent.ExplainCode(code)
	return e.NotDone
}

// compareAndCall returns the ending, and the reply of the read that it compared with.
func (s *Service) compareAndCall(ctx context.Context, a store.Actor, app store.App, number int64, attempt uint32, p FullPlan, target tencent.Target) (store.Ending, tencent.Reply) {
	found, reply := s.readOf(ctx, p.Kind, target, s.compareWait)
	if found == nil {
		return store.Ending{Outcome: store.NotSent, Cause: store.CauseUnread, Reply: replyOf(reply),
			Steps: []store.Step{{At: endOf(reply), Name: store.StepUnread, Code: codeOf(reply), Detail: string(reply.Fault)}}}, reply
	}
	s.keepReadingOf(ctx, a, app, *found, reply)
	var change tencent.TokenChange
	if p.Call == string(tencent.CallSetToken) {
		var err error
		if change, err = s.tokenChange(ctx, p); err != nil {
			s.log.Error("a token was not sent because it could not be read from the store", "change", number, "err", err)
			return store.Ending{Outcome: store.NotSent, Cause: store.CauseStore, Steps: []store.Step{{Name: store.StepNotSent, Detail: store.CauseStore}}}, reply
		}
	}
	if !found.Equal(p.Diff.Before) {
		return store.Ending{Outcome: store.NotSent, Cause: store.CauseMoved, Found: found, Steps: []store.Step{{At: endOf(reply), Name: store.StepMoved}}}, reply
	}
	read := store.Step{At: endOf(reply), Name: store.StepRead}

	// The deadline starts before the row is looked at, so that a process frozen in between cannot write late.
	callCtx, cancel := context.WithTimeout(ctx, s.writeDeadline)
	defer cancel()
	ok, err := s.store.MaySend(callCtx, number, s.writeDeadline)
	if err != nil || !ok {
		cause := store.CauseLate
		if err != nil {
			cause = store.CauseStore
			s.log.Error("a change was not sent because its row could not be looked at", "change", number, "err", err)
		}
		return store.Ending{Outcome: store.NotSent, Cause: cause, Steps: []store.Step{read, {Name: store.StepNotSent, Detail: cause}}}, reply
	}
	s.reached(PointBeforeDial)
	return endingOf(s.call(callCtx, tencent.Call(p.Call), target, attempt, p.Diff.After, change), read), reply
}

// keepReadingOf keeps what the compare found, of callbacks alone. Failing here must not stop the change, whose row is what
// counts.
func (s *Service) keepReadingOf(ctx context.Context, a store.Actor, app store.App, c store.Configuration, reply tencent.Reply) {
	if _, token := c.Token(); token {
		return
	}
	if _, err := s.keepReading(ctx, a, app, c, reply); err != nil {
		s.log.Error("a reading could not be kept", "sdkappid", app.SDKAppID, "err", err)
	}
}

// call is the one place where a change is sent.
func (s *Service) call(ctx context.Context, call tencent.Call, t tencent.Target, attempt uint32, wanted store.Configuration, change tencent.TokenChange) tencent.Reply {
	callback := tencent.Callback{URL: wanted.URL(), Commands: wanted.Commands()}
	switch call {
	case tencent.CallSetCallback:
		return s.client.SetCallback(ctx, t, attempt, callback)
	case tencent.CallDeleteCallback:
		return s.client.DeleteCallback(ctx, t, attempt)
	case tencent.CallSetToken:
		return s.client.SetToken(ctx, t, attempt, change)
	case tencent.CallDeleteToken:
		return s.client.DeleteToken(ctx, t, attempt)
	}
	return s.client.UpdateCallback(ctx, t, attempt, callback)
}

// endingOf turns the client's four endings into the outcome of a change.
func endingOf(r tencent.Reply, read store.Step) store.Ending {
	e := store.Ending{Cause: string(r.Fault), Reply: replyOf(r)}
	sent := store.Step{At: r.StartedAt.UnixMilli(), Name: store.StepSent}
	switch r.Ending {
	case tencent.Accepted:
		e.Outcome = store.Applied
		e.Steps = []store.Step{read, sent, {At: endOf(r), Name: store.StepAnswered, Code: codeOf(r)}}
	case tencent.Refused:
		e.Outcome = store.Refused
		e.Steps = []store.Step{read, sent, {At: endOf(r), Name: store.StepAnswered, Code: codeOf(r)}}
	case tencent.NotSent:
		e.Outcome = store.NotSent
		e.Steps = []store.Step{read, {At: endOf(r), Name: store.StepNotSent, Detail: string(r.Fault)}}
	default:
		e.Outcome = store.Unknown
		e.Steps = []store.Step{read, sent, {At: endOf(r), Name: store.StepNoAnswer, Code: codeOf(r), Detail: string(r.Fault)}}
	}
	return e
}

func endOf(r tencent.Reply) int64 { return r.StartedAt.Add(r.Duration).UnixMilli() }

func replyOf(r tencent.Reply) *store.Reply {
	out := &store.Reply{Call: string(r.Call), DurationMS: r.Duration.Milliseconds(), ActionStatus: r.ActionStatus, ErrorCode: codeOf(r),
		ErrorInfo: r.ErrorInfo, RequestID: r.RequestID, Request: []byte(r.Request), Answer: r.Answer, AnswerSize: int64(r.AnswerSize), AnswerCut: r.AnswerCut}
	if r.HTTPStatus != 0 {
		status := int64(r.HTTPStatus)
		out.HTTPStatus = &status
	}
	if r.HasDate {
		ahead := r.ClockAhead.Milliseconds()
		out.ClockAheadMS = &ahead
	}
	return out
}

// writeOutcome commits the outcome; the commit is repeated, never the call. When the process ends first, the row is
// left over and the reconcile loop of the next one settles it.
func (s *Service) writeOutcome(ctx context.Context, a store.Actor, number int64, e store.Ending) {
	for wait := 100 * time.Millisecond; ; wait = min(wait*2, 5*time.Second) {
		err := s.store.CloseChange(ctx, a, number, e)
		if err == nil {
			return
		}
		if !errors.Is(err, store.ErrUnavailable) {
			s.log.Error("an outcome cannot be written; the row will be settled by reading back", "change", number, "err", err)
			return
		}
		s.log.Error("an outcome could not be written yet; trying again", "change", number, "err", err)
		select {
		case <-s.life.Done():
			return
		case <-time.After(wait):
		}
	}
}
