package changes

import (
	"context"
	"errors"
	"time"

	"callboard/store"
	"callboard/tencent"
)

// View is what is known of an app's callback after a look.
type View struct {
	App     store.App
	Open    int64          // the app's open change, 0 for none
	Reading *store.Reading // the newest reading, nil while there is none
	Fresh   bool           // the reading was made by this look
	Rested  bool           // no call was made because the host did not answer a moment ago
	Unkept  bool           // what the call told could not be written down, so the reading is an older one
	Reply   *tencent.Reply // the call of this look, nil when none was made
}

// State of an app.
type State string

// States of apps.
const (
	NeverRead     State = "never_read"
	Unreadable    State = "unreadable"
	Drifted       State = "drifted"
	NotConfigured State = "not_configured"
	InStep        State = "in_step"
)

// StateOf says how an app stands; current is its newest reading, nil while there is none.
func StateOf(a store.App, current *store.Configuration) State {
	switch {
	case a.FailedAt != 0:
		return Unreadable
	case current == nil:
		return NeverRead
	case a.Drift != 0:
		return Drifted
	case current.IsNone():
		return NotConfigured
	}
	return InStep
}

// Peek looks at an app for a page: it waits formWait at most, and not at all for a host that did not answer a moment ago.
func (s *Service) Peek(ctx context.Context, a store.Actor, sdkappid int64) (View, error) {
	return s.look(ctx, a, sdkappid, true)
}

// Look reads an app now, as a person asked. It changes nothing at Tencent.
func (s *Service) Look(ctx context.Context, a store.Actor, sdkappid int64) (View, error) {
	return s.look(ctx, a, sdkappid, false)
}

func (s *Service) look(ctx context.Context, a store.Actor, sdkappid int64, polite bool) (View, error) {
	app, target, err := s.target(ctx, sdkappid)
	v := View{App: app}
	archived := polite && app.ArchivedAt != 0 // can be shown without a region or a key
	if err != nil && !archived {
		return v, err
	}
	if archived || polite && s.resting.silent(target.Region.Host, s.clock()) {
		v.Rested = true
		return v, s.lastReading(ctx, &v)
	}
	for until := time.Now().Add(formWait); ; {
		found, reply := s.read(ctx, target, time.Until(until))
		v.Reply = &reply
		if found == nil {
			err := s.store.ReadingFailed(ctx, sdkappid, codeOf(reply), string(reply.Fault))
			return v, s.unkept(ctx, &v, err)
		}
		kept, err := s.keepReading(ctx, a, v.App, *found, reply)
		if err != nil {
			return v, s.unkept(ctx, &v, err)
		}
		v.App, v.Open = kept.Of, kept.Open
		if kept.Configuration.Equal(*found) {
			v.Reading, v.Fresh = &kept.Reading, true
			return v, nil
		}
		// Another look began an interval meanwhile. Which answer is the newer one only a new one tells.
	}
}

// unkept falls back to the last reading. A database that cannot be written may still be read, and so can the page.
func (s *Service) unkept(ctx context.Context, v *View, err error) error {
	if err != nil && !errors.Is(err, store.ErrUnavailable) {
		return err
	}
	v.Unkept = err != nil
	return s.lastReading(ctx, v)
}

func (s *Service) lastReading(ctx context.Context, v *View) error {
	var err error
	if v.App, v.Open, err = s.store.AppWithOpen(ctx, v.App.SDKAppID); err != nil {
		return err
	}
	v.Reading, err = s.reading(ctx, v.App.SDKAppID, v.App.ReadingID)
	return err
}

// OpenedOn is what a form that was opened on a reading shows, without a look; Reading is nil when the app has no such one.
func (s *Service) OpenedOn(ctx context.Context, sdkappid, reading int64) (v View, err error) {
	if v.App, v.Open, err = s.store.AppWithOpen(ctx, sdkappid); err != nil {
		return v, err
	}
	v.Reading, err = s.reading(ctx, sdkappid, reading)
	return v, err
}

// target says where and as whom calls for an app are made. ErrNoRegion and store.ErrKeys come with the app.
func (s *Service) target(ctx context.Context, sdkappid int64) (store.App, tencent.Target, error) {
	app, key, err := s.store.AppWithSecret(ctx, sdkappid)
	region, ok := s.regions.Find(app.Region)
	if !ok && (err == nil || errors.Is(err, store.ErrKeys)) {
		err = ErrNoRegion
	}
	if err != nil {
		return app, tencent.Target{}, err
	}
	return app, tencent.Target{Region: region, SDKAppID: app.SDKAppID, Identifier: app.Identifier, Key: tencent.Secret(key)}, nil
}

// readOf asks Tencent for what changes of a kind are about.
func (s *Service) readOf(ctx context.Context, kind string, t tencent.Target, limit time.Duration) (*store.Configuration, tencent.Reply) {
	if kind == store.KindToken {
		return s.readToken(ctx, t, limit)
	}
	return s.read(ctx, t, limit)
}

// read asks Tencent for the callback. nil: the read failed. 100301 is a successful reading of none.
func (s *Service) read(ctx context.Context, t tencent.Target, limit time.Duration) (*store.Configuration, tencent.Reply) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	random, err := draw()
	if err != nil {
		return nil, tencent.Reply{Call: tencent.CallGetCallback, Ending: tencent.NotSent, Fault: tencent.FaultSign}
	}
	begun := time.Now()
	callback, reply := s.client.GetCallback(limited, t, random)
	reply = s.hear(ctx, reply, begun, limit)
	switch {
	case reply.Accepted():
		c := store.NewConfiguration(callback.URL, callback.Commands)
		return &c, reply
	case reply.Ending == tencent.Refused && reply.ErrorCode == tencent.CodeNoCallback:
		return &store.None, reply
	}
	return nil, reply
}

// hear takes a reading's reply as it counts, and remembers whether the host answers.
func (s *Service) hear(ctx context.Context, r tencent.Reply, begun time.Time, limit time.Duration) tencent.Reply {
	r = inTime(r, begun, limit)
	if ctx.Err() == nil && !r.Fault.HeldBack() {
		s.resting.note(r.Host, r.HasCode, s.clock())
	}
	return r
}

// inTime takes an answer for none when it was had too late: a process that was frozen has what was true then, and must not
// take it for what is true now.
func inTime(r tencent.Reply, begun time.Time, limit time.Duration) tencent.Reply {
	if !r.HasCode || time.Since(begun) <= limit {
		return r
	}
	return tencent.Reply{Call: r.Call, Host: r.Host, Request: r.Request, StartedAt: r.StartedAt, Duration: r.Duration, Ending: tencent.Unknown, Fault: tencent.FaultTimeout}
}

func (s *Service) keepReading(ctx context.Context, a store.Actor, app store.App, c store.Configuration, reply tencent.Reply) (store.Kept, error) {
	summary, about := "", []string(nil)
	if app.Record != "" && app.Record != c.Digest() {
		ours, err := s.store.Configuration(ctx, app.Record)
		if err != nil {
			return store.Kept{}, err
		}
		d := Compare(ours, c)
		summary, about = d.Summary().String(), d.About()
	}
	return s.store.KeepReading(ctx, a, store.NewReading{SDKAppID: app.SDKAppID, Configuration: c, RequestID: reply.RequestID,
		DurationMS: reply.Duration.Milliseconds(), Host: reply.Host, RecordVersion: app.RecordVersion, Known: app.ReadingID, Summary: summary, About: about})
}

func codeOf(r tencent.Reply) *int64 {
	if !r.HasCode {
		return nil
	}
	return &r.ErrorCode
}
