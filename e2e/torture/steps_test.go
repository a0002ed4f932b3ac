package torture_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"callboard/changes"
	"callboard/sandbox"
	"callboard/store"
	"callboard/tencent"
)

// stepsAtMost is a bound that no run comes near; reaching it means that a run never passes.
const stepsAtMost = 500

// breaker makes one step of a run fail.
type breaker interface {
	arm(k int)      // the k-th step from now on fails
	happened() bool // it has
	disarm()        // none fails any more
}

// sqliteSteps counts what SQLite is asked to compile, begins and ends of transactions included. SQLite itself refuses the
// k-th, through the driver's authorizer, so that neither driver nor store needs to know.
type sqliteSteps struct{ left atomic.Int64 }

var compiled = func() *sqliteSteps {
	s := new(sqliteSteps)
	sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, _ string) error {
		c, ok := conn.(sqlite.AuthorizerRegisterer)
		if !ok {
			return errors.New("the driver has no authorizer")
		}
		return c.RegisterAuthorizer(s.authorize)
	})
	return s
}()

func (s *sqliteSteps) authorize(action sqlite.AuthorizerActionCode, what, _, _, _ string) sqlite.AuthorizerReturnCode {
	switch action {
	case sqlite.AuthSelect, sqlite.AuthInsert, sqlite.AuthUpdate, sqlite.AuthDelete, sqlite.AuthTransaction:
		if what != "ROLLBACK" && s.left.Add(-1) == 0 {
			return sqlite.AuthorizerDeny
		}
	}
	return sqlite.AuthorizerOK
}

func (s *sqliteSteps) arm(k int) { s.left.Store(int64(k)) }

func (s *sqliteSteps) happened() bool { return s.left.Load() <= 0 }

func (s *sqliteSteps) disarm() { s.left.Store(0) }

// postgresSteps counts statements on their way to the server; done decides whether the k-th still arrives.
type postgresSteps struct {
	*server
	arrives bool
}

func (s postgresSteps) arm(k int) {
	s.done.Store(s.arrives)
	s.left.Store(int64(k))
}

func (s postgresSteps) happened() bool { return s.left.Load() <= 0 }

func (s postgresSteps) disarm() { s.left.Store(0) }

// networkSteps counts calls to Tencent.
type networkSteps struct {
	*sandbox.Server
	fault sandbox.Fault
	begun *int // entries of the journal when it was armed, and the step
	k     *int
}

func (s networkSteps) arm(k int) {
	*s.begun, *s.k = len(s.Journal()), k
	if k > 1 {
		s.Script(sandbox.Fault{Times: k - 1})
	}
	s.Script(s.fault)
}

func (s networkSteps) happened() bool { return len(s.Journal()) >= *s.begun+*s.k }

func (s networkSteps) disarm() { s.ClearFaults() }

// steps is a rig whose service runs in this process, over an address at which steps can fail.
type steps struct {
	*rig
	broken  string // the address over which the service works
	beside  *store.Store
	raw     *sql.DB // lets leases and graces pass
	regions *tencent.Directory
	next    int64
}

// service is a fresh console, so that nothing is prepared already.
type service struct {
	*changes.Service
	*steps
	store *store.Store
	app   int64
}

var actor = store.Actor{Kind: store.PersonActor, UserID: 1, Name: person, Role: store.Operator, Address: "127.0.0.1"}

// operation is what is broken at each of its steps: prepare makes an app ready, run is what fails.
type operation struct {
	name    string
	prepare func(s *service) store.Plan
	run     func(s *service, p store.Plan, over func() bool)
}

const scheduled = "scheduled read"

var operations = []operation{
	{"apply", (*service).proposed, (*service).apply},
	{"left over", (*service).leftOver, (*service).loop},
	{"unknown", (*service).unknown, (*service).loop},
	{scheduled, (*service).drift, (*service).loop},
}

// TestStep fails the first step of each operation, then the second, and so on until one run passes without a failure. After
// each the program goes on undisturbed, and has to come to the right end.
func TestStep(t *testing.T) {
	for _, db := range []string{"sqlite", "postgres"} {
		for _, op := range operations {
			t.Run(db+"/"+op.name, func(t *testing.T) {
				s := newSteps(t, db)
				for name, b := range s.breakers() {
					k := 1
					for ; s.step(op, b, k); k++ {
						if t.Failed() || k > stepsAtMost {
							t.Fatalf("%s: step %d failed, and no good came of it", name, k)
						}
					}
					t.Logf("%s: each of %d steps failed once", name, k-1)
				}
				s.check(s.beside)
			})
		}
	}
}

// step breaks the k-th step of an operation, and tells whether it had so many.
func (s *steps) step(op operation, b breaker, k int) bool {
	s.t.Helper()
	c := s.open()
	plan := op.prepare(c)
	s.recompile()
	c.over(op.name) // whoever looks on from beside compiles now
	b.arm(k)
	op.run(c, plan, func() bool { return b.happened() || c.over(op.name) })
	broken := b.happened() || !c.over(op.name) // a run that did not come to its end has not passed
	b.disarm()
	c.mend(op.name)
	c.close()
	return broken
}

// recompile makes SQLite compile each statement anew, also one that the store keeps: what the preparation has used would
// not be counted otherwise.
func (s *steps) recompile() {
	s.t.Helper()
	if s.db != "sqlite" {
		return
	}
	for _, change := range []string{`CREATE TABLE recompile (x)`, `DROP TABLE recompile`} {
		_, err := s.raw.ExecContext(s.t.Context(), change)
		must(s.t, err)
	}
}

func newSteps(t *testing.T, db string) *steps {
	t.Helper()
	s := &steps{rig: newRig(t, db, 0), next: firstApp}
	s.broken = s.addr
	driver, address := "sqlite", "file:"+s.addr+"?_pragma=busy_timeout(5000)"
	if db == "postgres" {
		driver, address = "pgx", s.addr
	}
	var err error
	s.raw, err = sql.Open(driver, address)
	must(t, err)
	t.Cleanup(func() { must(t, s.raw.Close()) })
	s.beside, err = store.Open(t.Context(), store.Options{Database: s.addr, Keys: s.keys})
	must(t, err)
	t.Cleanup(func() { must(t, s.beside.Close()) })
	s.regions, err = tencent.NewDirectory("play=" + s.box.APIURL())
	must(t, err)
	return s
}

// breakers are the ways in which a step can fail.
func (s *steps) breakers() map[string]breaker {
	list := map[string]breaker{}
	for name, f := range map[string]sandbox.Fault{"call lost": {Drop: "before"}, "answer lost": {Drop: "after"}, "502": {Status: 502}, "60008": {Code: 60008}, "refused": {Code: 60020}} {
		list[name] = networkSteps{s.box, f, new(int), new(int)}
	}
	if s.db == "sqlite" {
		list["statement refused"] = compiled
		return list
	}
	u, err := url.Parse(s.addr)
	must(s.t, err)
	between := newServer(s.t, u.Host)
	u.Host = between.address
	s.broken = u.String()
	list["statement lost"], list["statement done, answer lost"] = postgresSteps{between, false}, postgresSteps{between, true}
	return list
}

// open makes a console and an app that it has never seen.
func (s *steps) open() *service {
	s.t.Helper()
	own, err := store.Open(s.t.Context(), store.Options{Database: s.broken, Keys: s.keys})
	must(s.t, err)
	c := &service{steps: s, store: own, app: s.next}
	s.next++
	must(s.t, s.box.AddApp(sandbox.App{SDKAppID: c.app, Key: secret, Admins: []string{"administrator"}}))
	s.box.SetCallback(c.app, &sandbox.Callback{Url: s.draw(), CallbackCommandList: []string{created}})
	must(s.t, s.beside.AddApp(s.t.Context(), store.Console, store.AppSettings{SDKAppID: c.app, Name: "App", Region: "play", Identifier: "administrator", Environment: store.Test, Secret: secret}))
	s.apps = append(s.apps, c.app)
	c.Service = changes.New(changes.Options{Store: own, Client: tencent.New(tencent.Options{RatePerSecond: 1e6, Burst: 1e6}), Regions: s.regions, Grace: time.Nanosecond, WatchEvery: time.Hour})
	return c
}

func (s *service) close() {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	s.Close(ctx)
	must(s.t, s.store.Close())
}

// proposed reads the app and makes a plan.
func (s *service) proposed() store.Plan {
	s.t.Helper()
	v, err := s.Look(s.t.Context(), actor, s.app)
	must(s.t, err)
	p, err := s.MakePlan(s.t.Context(), actor, changes.Proposal{SDKAppID: s.app, Reading: v.Reading.ID, URL: s.draw(), Commands: []string{created, ended}, Reason: "because"})
	must(s.t, err)
	return p
}

// leftOver leaves the row of a process that died after its intent.
func (s *service) leftOver() store.Plan {
	s.t.Helper()
	p := s.proposed()
	_, _, err := s.store.OpenChange(s.t.Context(), actor, store.Intent{Plan: p, Host: "play", Attempt: uint32(s.app), Summary: "{}", Lease: time.Nanosecond})
	must(s.t, err)
	return p
}

// unknown loses the answer of a call that landed.
func (s *service) unknown() store.Plan {
	s.t.Helper()
	p := s.proposed()
	s.box.Script(sandbox.Fault{Command: "update_callback", Drop: "after"})
	_, err := s.Apply(s.t.Context(), actor, s.app, p.ID, nil)
	must(s.t, err)
	return p
}

// drift changes the callback behind the console's back.
func (s *service) drift() store.Plan {
	s.t.Helper()
	p := s.proposed()
	s.move(s.app)
	return p
}

// apply carries the plan out. Its change, if it says so, may not be lost.
func (s *service) apply(p store.Plan, _ func() bool) {
	if number, err := s.Apply(s.t.Context(), actor, s.app, p.ID, nil); err == nil {
		s.shown[number] = s.app
	}
}

// loop runs the loop in the background until over, or until it has had every chance: a step that failed is tried again
// only later.
func (s *service) loop(_ store.Plan, over func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	ticks := time.NewTicker(2 * time.Millisecond)
	defer ticks.Stop()
	for range 100 {
		if over() {
			break
		}
		<-ticks.C
	}
	cancel()
	<-done
}

// over tells whether an operation has come to its end.
func (s *service) over(operation string) bool {
	s.t.Helper()
	if operation == scheduled {
		app, err := s.beside.App(s.t.Context(), s.app)
		must(s.t, err)
		return app.Drift != 0
	}
	list, err := s.beside.History(s.t.Context(), store.Filter{SDKAppID: s.app, Limit: 10})
	must(s.t, err)
	for _, c := range list {
		if c.Open() {
			return false
		}
	}
	return true
}

// mend lets every lease and grace pass and every look be due, until the operation has come to its end.
func (s *service) mend(operation string) {
	s.t.Helper()
	for range 50 {
		for _, statement := range []string{
			`UPDATE changes SET lease_until = 1, next_check_at = 1 WHERE outcome = 'pending' AND sdkappid = $1`,
			`UPDATE changes SET grace_until = 1, next_check_at = 1 WHERE outcome = 'unknown' AND settled IS NULL AND sdkappid = $1`,
			`UPDATE apps SET watch_at = 1 WHERE sdkappid = $1`,
		} {
			_, err := s.raw.ExecContext(s.t.Context(), statement, s.app)
			must(s.t, err)
		}
		if s.over(operation) {
			break
		}
		s.loop(store.Plan{}, func() bool { return s.over(operation) })
	}
	if !s.over(operation) {
		s.t.Errorf("app %d never came to its end", s.app)
	}
	s.drifted(operation == scheduled)
}

// drifted wants exactly one entry of a drift that was found, however often the reading of it failed, and none otherwise.
func (s *service) drifted(want bool) {
	s.t.Helper()
	list, err := s.beside.History(s.t.Context(), store.Filter{SDKAppID: s.app, Kind: store.KindDrift, Limit: 10})
	must(s.t, err)
	if (len(list) == 1) != want || len(list) > 1 {
		s.t.Errorf("app %d has the drifts %s", s.app, fmt.Sprint(list))
	}
}
