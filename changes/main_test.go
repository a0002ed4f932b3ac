package changes

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
	"callboard/tencent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; none of them waits that long unless it fails.
const patience = 30 * time.Second

const (
	createRoom  = "Live.CallbackAfterCreateRoom"
	destroyRoom = "Live.CallbackAfterDestroyRoom"
	messages    = "Group.CallbackBeforeSendMsg"
	sentMessage = "Group.CallbackAfterSendMsg"
	recording   = "Live.CallbackAfterCloudRecordingChanged"
	follow      = "Follow.CallbackAfterFollowAdd"
	foreign     = "Live.CallbackAfterSomethingNew" // in no list of ours
)

const secret = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"

var mei = store.Actor{Kind: store.PersonActor, UserID: 1, Name: "Mei", Role: store.Operator, Address: "203.0.113.24"}

func config(url string, words ...string) store.Configuration {
	return store.NewConfiguration(url, words)
}

var (
	before = config("https://hooks.example.test/live", createRoom)
	wanted = config("https://hooks.example.test/live", createRoom, destroyRoom)
	other  = config("https://hooks.example.test/other", createRoom)
)

// movable is a clock that runs, and can be put forward.
type movable struct{ ahead atomic.Int64 }

func (m *movable) Now() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) }

func (m *movable) move(by time.Duration) { m.ahead.Add(int64(by)) }

// rig is a database, a sandbox that listens on loopback, and one service between them.
type rig struct {
	*Service
	t       *testing.T
	db      storetest.Database
	raw     *sql.DB
	sandbox *sandbox.Server
	clock   *movable
	regions *tencent.Directory
	lease   time.Duration
	next    int64
}

// onBoth runs a test on both databases, each with a rig of its own whose invariants are checked at the end.
func onBoth(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	storetest.Run(t, func(t *testing.T, db storetest.Database) {
		r := newRig(t, db, 20*time.Second)
		f(t, r)
		r.checkInvariants()
	})
}

func newRig(t *testing.T, db storetest.Database, lease time.Duration) *rig {
	t.Helper()
	played, err := sandbox.New(sandbox.Options{RatePerSecond: 1_000_000})
	if err != nil {
		t.Fatal(err)
	}
	if err := played.Start("127.0.0.1:0", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := played.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	r := &rig{t: t, db: db, sandbox: played, clock: &movable{}, lease: lease, next: 1400000000, raw: openRaw(t, db)}
	r.regions = directory(t, "play="+played.APIURL())
	r.Service = r.service(r.regions)
	return r
}

func directory(t *testing.T, extra string) *tencent.Directory {
	t.Helper()
	d, err := tencent.NewDirectory(extra)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// openRaw is for what no method does: letting a lease or a grace pass without waiting for it.
func openRaw(t *testing.T, db storetest.Database) *sql.DB {
	t.Helper()
	driver := map[string]string{"sqlite": "sqlite", "postgres": "pgx"}[db.Name]
	address := db.Address
	if db.Name == "sqlite" {
		address = "file:" + address + "?_pragma=busy_timeout(5000)"
	}
	raw, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	return raw
}

// service makes one more process on the rig's database: own store, own client, own service.
func (r *rig) service(regions *tencent.Directory) *Service {
	r.t.Helper()
	client := tencent.New(tencent.Options{RatePerSecond: 1_000_000, Burst: 1_000_000})
	s := New(Options{Store: r.db.Open(r.t, r.clock.Now), Client: client, Regions: regions, Clock: r.clock.Now, Lease: r.lease, Grace: time.Minute})
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.Close(ctx)
		client.Close()
	})
	return s
}

// app adds an app to both sides that has c at Tencent, read once.
func (r *rig) app(c store.Configuration) int64 {
	r.t.Helper()
	r.next++
	r.must(r.sandbox.AddApp(sandbox.App{SDKAppID: r.next, Key: secret, Admins: []string{"administrator"}}))
	r.must(r.store.AddApp(r.ctx(), mei, store.AppSettings{SDKAppID: r.next, Name: fmt.Sprintf("App %d", r.next), Region: "play", Identifier: "administrator",
		Environment: store.Test, Secret: secret}))
	r.cloud(r.next, c)
	r.look(r.next)
	return r.next
}

// cloud changes what the sandbox has, behind the console's back.
func (r *rig) cloud(id int64, c store.Configuration) {
	if c.IsNone() {
		r.sandbox.SetCallback(id, nil)
		return
	}
	r.sandbox.SetCallback(id, &sandbox.Callback{Url: c.URL(), CallbackCommandList: c.Commands()})
}

// holds is what the sandbox has.
func (r *rig) holds(id int64) store.Configuration {
	cb, ok := r.sandbox.Callback(id)
	if !ok {
		return store.None
	}
	return store.NewConfiguration(cb.Url, cb.CallbackCommandList)
}

func (r *rig) ctx() context.Context { return r.t.Context() }

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) look(id int64) View {
	r.t.Helper()
	v, err := r.Look(r.ctx(), mei, id)
	r.must(err)
	return v
}

// plan makes a plan on the newest reading.
func (r *rig) plan(id int64, c store.Configuration) store.Plan {
	r.t.Helper()
	p, err := r.MakePlan(r.ctx(), mei, Proposal{SDKAppID: id, Reading: r.find(id).ReadingID, OpenedAt: r.clock.Now().UnixMilli(), URL: c.URL(), Commands: c.Commands(), Reason: "because"})
	r.must(err)
	return p
}

// allTicks are the boxes of a plan.
func (r *rig) allTicks(p store.Plan) []string {
	r.t.Helper()
	full, err := r.Plan(r.ctx(), p.SDKAppID, p.ID)
	r.must(err)
	return Ticks(full.Consequences)
}

// apply carries a plan out with every box ticked.
func (r *rig) apply(p store.Plan) store.Change {
	r.t.Helper()
	number, err := r.Apply(r.ctx(), mei, p.SDKAppID, p.ID, r.allTicks(p))
	r.must(err)
	return r.change(number)
}

// applyBeside carries a plan out on another goroutine; the channel gives the number.
func (r *rig) applyBeside(s *Service, p store.Plan) <-chan int64 {
	ticks, done := r.allTicks(p), make(chan int64, 1)
	go func() {
		number, err := s.Apply(r.ctx(), mei, p.SDKAppID, p.ID, ticks)
		if err != nil {
			r.t.Errorf("Apply: %v", err)
		}
		done <- number
	}()
	return done
}

func (r *rig) receive(c <-chan int64) int64 {
	r.t.Helper()
	select {
	case n := <-c:
		return n
	case <-time.After(patience):
		r.t.Fatal("nothing came")
		return 0
	}
}

func (r *rig) find(id int64) store.App {
	r.t.Helper()
	a, err := r.store.App(r.ctx(), id)
	r.must(err)
	return a
}

func (r *rig) change(number int64) store.Change {
	r.t.Helper()
	c, err := r.store.Change(r.ctx(), number)
	r.must(err)
	return c
}

// steps are the names of a change's timeline, in order.
func (r *rig) steps(number int64) string {
	r.t.Helper()
	e, err := r.store.WholeEntry(r.ctx(), number)
	r.must(err)
	names := make([]string, 0, len(e.Steps))
	for _, s := range e.Steps {
		names = append(names, s.Name)
	}
	return strings.Join(names, " ")
}

// drifts are the drift entries of an app, newest first.
func (r *rig) drifts(id int64) []store.Change {
	r.t.Helper()
	list, err := r.store.History(r.ctx(), store.Filter{SDKAppID: id, Kind: store.KindDrift, Limit: 100})
	r.must(err)
	return list
}

// writes are the journal's writing calls for an app.
func (r *rig) writes(id int64) []sandbox.Entry { return r.calls(id, true) }

// reads are the journal's get_callback calls for an app.
func (r *rig) reads(id int64) []sandbox.Entry { return r.calls(id, false) }

// writes tells whether a call changes something at Tencent.
func writes(e sandbox.Entry) bool {
	return e.Command != string(tencent.CallGetCallback) && e.Command != string(tencent.CallGetToken)
}

func (r *rig) calls(id int64, writing bool) []sandbox.Entry {
	return slices.DeleteFunc(r.sandbox.Journal(), func(e sandbox.Entry) bool {
		return e.SDKAppID != id || writes(e) != writing
	})
}

// awaitGate waits until a call stands at a gate.
func (r *rig) awaitGate(name string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx(), patience)
	defer cancel()
	r.must(r.sandbox.AwaitGate(ctx, name, 1))
}

// awaitWrite waits until the journal has n writing calls for an app.
func (r *rig) awaitWrite(id int64, n int) {
	r.t.Helper()
	r.until("a writing call", func() bool { return len(r.writes(id)) >= n })
}

// until polls a condition.
func (r *rig) until(what string, done func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx(), patience)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-ctx.Done():
			r.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// run keeps the reconcile loop of a service going until stop is called.
func (r *rig) run(s *Service) (stop func()) {
	ctx, cancel := context.WithCancel(r.ctx())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// pass lets the lease (lease_until) or the grace (grace_until) of a change be over since by.
func (r *rig) pass(what string, number int64, by time.Duration) {
	r.t.Helper()
	at := time.Now().Add(-by).UnixMilli()
	query := map[string]string{
		"lease": `UPDATE changes SET lease_until = $1, next_check_at = $1 WHERE number = $2 AND lease_until IS NOT NULL`,
		"grace": `UPDATE changes SET grace_until = $1 WHERE number = $2`,
	}[what]
	result, err := r.raw.ExecContext(r.ctx(), query, at, number)
	r.must(err)
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		r.t.Fatalf("letting the %s of change %d pass touched %d rows, %v", what, number, n, err)
	}
}

// due makes a change's next look due now.
func (r *rig) due(number int64) {
	r.t.Helper()
	_, err := r.raw.ExecContext(r.ctx(), `UPDATE changes SET next_check_at = 1 WHERE number = $1`, number)
	r.must(err)
}

// checkNow looks at an open change.
func (r *rig) checkNow(number int64) {
	r.t.Helper()
	r.must(r.CheckNow(r.ctx(), mei, number))
}

// checkInvariants joins the sandbox's journal with the history on the random number, whatever the test did.
func (r *rig) checkInvariants() {
	r.t.Helper()
	written := map[[2]int64][]sandbox.Entry{}
	for _, e := range r.sandbox.Journal() {
		if writes(e) {
			key := [2]int64{e.SDKAppID, int64(e.Random)}
			written[key] = append(written[key], e)
		}
	}
	open := map[int64]int64{}
	for _, c := range storetest.Changes(r.t, r.store) {
		if c.Attempt == nil {
			continue
		}
		key := [2]int64{c.SDKAppID, *c.Attempt}
		r.checkChange(c, written[key])
		delete(written, key)
		if c.Open() {
			if open[c.SDKAppID] != 0 {
				r.t.Errorf("app %d has two open changes, %d and %d", c.SDKAppID, open[c.SDKAppID], c.Number)
			}
			open[c.SDKAppID] = c.Number
		}
	}
	for key := range written {
		r.t.Errorf("the write %d of app %d has no row", key[1], key[0])
	}
	if _, broken, err := r.store.CheckAudit(r.ctx()); err != nil || broken {
		r.t.Errorf("the audit chain: broken %v, %v", broken, err)
	}
}

// checkChange compares one change with the writes that carried its number.
func (r *rig) checkChange(c store.Change, writes []sandbox.Entry) {
	r.t.Helper()
	if len(writes) > 1 {
		r.t.Errorf("change %d wrote %d times", c.Number, len(writes))
	}
	if len(writes) == 0 {
		if c.Outcome == store.Applied || c.Outcome == store.Refused {
			r.t.Errorf("change %d is %s without a write", c.Number, c.Outcome)
		}
		return
	}
	e := writes[0]
	switch {
	case c.Outcome == store.NotSent:
		r.t.Errorf("change %d is not_sent, yet a write arrived", c.Number)
	case c.Outcome == store.Refused && e.Applied:
		r.t.Errorf("change %d is refused, yet it was applied", c.Number)
	case c.Outcome == store.Applied && !e.Applied && !strings.Contains(e.Fault, "body") && !strings.Contains(e.Fault, "apply no"): // the sandbox was told to lie
		r.t.Errorf("change %d is applied, yet nothing was applied", c.Number)
	}
	if e.Command != c.Call && c.Outcome != store.NotSent {
		r.t.Errorf("change %d says %s, %s arrived", c.Number, c.Call, e.Command)
	}
	if wanted := storetest.Wanted(r.t, r.store, c); e.Applied && c.Kind != store.KindToken && (e.After == nil || !store.NewConfiguration(e.After.Url, e.After.CallbackCommandList).Equal(wanted)) {
		r.t.Errorf("change %d wrote %v, wanted %v", c.Number, e.After, wanted)
	}
}
