package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"callboard/store"
	"callboard/store/storetest"
)

var mei = store.Actor{Kind: store.PersonActor, UserID: 1, Name: "Mei", Role: store.Admin, Address: "203.0.113.24"}

const aurora = 1400000001

// fixture is a store with one app that was read once.
type fixture struct {
	*store.Store
	t       *testing.T
	reading store.Reading
}

func newFixture(t *testing.T, db storetest.Database) fixture {
	t.Helper()
	s := db.Open(t, nil)
	ctx := context.Background()
	err := s.AddApp(ctx, mei, store.AppSettings{SDKAppID: aurora, Name: "Aurora", Region: "singapore", Identifier: "administrator", Environment: store.Production, Secret: "k3y"})
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{Store: s, t: t}
	f.reading = f.read(store.NewConfiguration("https://a.example/x", []string{"Live.B", "Live.A"}), 0)
	return f
}

func (f fixture) read(c store.Configuration, version int64) store.Reading {
	f.t.Helper()
	r, err := f.KeepReading(context.Background(), store.Console, store.NewReading{SDKAppID: aurora, Configuration: c, RequestID: "Id-1", RecordVersion: version})
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

func (f fixture) app() store.App {
	f.t.Helper()
	a, err := f.App(context.Background(), aurora)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

func (f fixture) plan(id string, wanted store.Configuration) store.Plan {
	f.t.Helper()
	p, err := f.AddPlan(context.Background(), mei, store.Plan{ID: id, Kind: store.KindChange, SDKAppID: aurora, Call: "update_callback", Base: f.reading.Configuration.Digest(),
		BaseSeen: f.reading.LastSeen, Reason: "because", Region: "singapore", ExpiresAt: time.Now().Add(time.Hour).UnixMilli()}, wanted)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

func (f fixture) open(p store.Plan, attempt uint32) int64 {
	f.t.Helper()
	n, _, err := f.OpenChange(context.Background(), mei, store.Intent{Plan: p, Host: "h", Attempt: attempt, Lease: time.Minute})
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

func (f fixture) change(number int64) store.Change {
	f.t.Helper()
	c, err := f.Change(context.Background(), number)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func code(n int64) *int64 { return &n }

func TestOneChangeFromIntentToReadBack(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		f, ctx := newFixture(t, db), context.Background()
		wanted := store.NewConfiguration("https://b.example/x\x00", []string{"Live.A", "Live.\x00odd"})
		p := f.plan("p1", wanted)
		n := f.open(p, 7)
		if again := f.open(p, 8); again != n {
			t.Errorf("the plan's second post got change %d, want %d", again, n)
		}
		if ok, err := f.MaySend(ctx, n, time.Second); err != nil || !ok {
			t.Errorf("MaySend = %v, %v", ok, err)
		}
		reply := &store.Reply{Call: "update_callback", HTTPStatus: code(200), ActionStatus: "OK", ErrorCode: code(0), ErrorInfo: "a\x00b\xff", RequestID: "Id-77", Request: []byte("r"), Answer: []byte("a\x00\xff")}
		end := store.Ending{Outcome: store.Applied, Reply: reply, Steps: []store.Step{{Name: store.StepSent}}, Grace: time.Minute}
		for range 2 {
			if err := f.CloseChange(ctx, mei, n, end); err != nil {
				t.Fatal(err)
			}
		}
		c := f.change(n)
		if c.Outcome != store.Applied || c.RequestID != "Id-77" || c.ErrorInfo != "a\u2400b\uFFFD" || c.Open() || *c.Attempt != 7 {
			t.Errorf("after closing: %+v", c)
		}
		if a := f.app(); a.Record != wanted.Digest() || a.RecordNumber != n || a.LastNumber != n {
			t.Errorf("our record: %+v", a)
		}
		due, err := f.ClaimDue(ctx)
		if err != nil || due.Number != n {
			t.Fatalf("ClaimDue = %d, %v", due.Number, err)
		}
		if _, err := f.ClaimDue(ctx); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a claimed change is due again: %v", err)
		}
		if err := f.KeepReadBack(ctx, store.Console, n, wanted); err != nil {
			t.Fatal(err)
		}
		got, err := f.Configuration(ctx, f.change(n).ReadBack)
		if err != nil || !got.Equal(wanted) {
			t.Errorf("read back %v, %v", got, err)
		}
		if rows, broken, err := f.CheckAudit(ctx); err != nil || broken || rows == 0 {
			t.Errorf("CheckAudit = %d, %v, %v", rows, broken, err)
		}
		if list, err := f.History(ctx, store.Filter{RequestID: "Id-7", URLPart: "B.EXAMPLE", Who: " mei ", SDKAppID: aurora, Attempt: code(7), State: store.Applied, Kind: store.KindChange, Limit: 5}); err != nil || len(list) != 1 {
			t.Errorf("History = %v, %v", list, err)
		}
		if rows, err := f.Apps(ctx, false); err != nil || len(rows) != 1 || rows[0].LastWho != "Mei" || rows[0].Current == nil {
			t.Errorf("Apps = %+v, %v", rows, err)
		}
	})
}
