package torture_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"callboard/changes"
	"callboard/sandbox"
	"callboard/store"
)

const (
	appsAtOnce = 3 // under way when the program is killed
	killsInRow = 5 // before everything has to be settled; no app is used twice in between
	// landing is how late some calls land: after the program has given up, before the grace is over.
	landing = lease/2 + 3*grace/10
)

// moments are where the program kills itself, and "" is a random moment. They come by turns.
var moments = []string{changes.PointBeforeIntent, store.PointIntentInserted, changes.PointIntentCommitted, "", changes.PointBeforeDial, changes.PointAnswered,
	changes.PointOutcomeCommitted, ""}

// TestKills kills the program again and again, at its fault points and at random moments, while several changes are under
// way whose calls are cut, land late or meet a stranger.
func TestKills(t *testing.T) {
	drawn := *seed
	if drawn == 0 {
		drawn = rand.Uint64()
	}
	t.Logf("replay with -kills %d -seed %d", *kills, drawn)
	onBoth(t, appsAtOnce*(killsInRow+1), func(r *rig) {
		k := &killer{rig: r, random: rand.New(rand.NewPCG(drawn, 0)), died: map[string]int{}}
		p := r.start("")
		r.signIn(p)
		p.stop()
		for n := range *kills {
			k.round(n)
			if (n+1)%killsInRow == 0 || n+1 == *kills {
				k.recover()
			}
		}
		r.t.Logf("ended by itself at %v, killed in the middle of something %d times; %d writing calls", k.died, k.killed, len(writesOf(r.box.Journal())))
		for _, m := range moments {
			if m != "" && *kills >= len(moments)*killsInRow && k.died[m] == 0 {
				t.Errorf("the program never died at %s", m)
			}
		}
	})
}

// killer is one run of kills on one database.
type killer struct {
	*rig
	random *rand.Rand
	died   map[string]int // by its own hand, by point
	killed int            // from outside
}

// round starts the program, has several apps changed at once, and kills it meanwhile.
func (k *killer) round(n int) {
	k.t.Helper()
	moment := moments[n%len(moments)]
	fault := ""
	if moment != "" {
		fault = fmt.Sprintf("%s:%d", moment, 1+k.random.IntN(appsAtOnce))
	}
	first := n % killsInRow * appsAtOnce
	apps := k.apps[first : first+appsAtOnce]
	for _, app := range apps {
		k.mishap(app)
	}
	stranger := k.random.IntN(2*appsAtOnce) - appsAtOnce // negative: nobody
	planned := k.random.IntN(2) == 0                     // a random moment counts from the plans, or from the form
	wait := time.Duration(k.random.IntN(120)) * time.Millisecond

	p := k.start(fault)
	ready, done := k.work(p, apps, stranger)
	switch {
	case moment != "":
		await(p, done)
	case planned:
		await(p, ready)
		fallthrough
	default:
		timer := time.NewTimer(wait)
		defer timer.Stop()
		<-timer.C
	}
	select {
	case <-p.gone:
		k.died[moment]++
	default:
		k.killed++
	}
	p.kill()
	<-done
	k.client.CloseIdleConnections()
}

// await waits for something, or for the end of the program.
func await(p *process, what <-chan struct{}) {
	select {
	case <-what:
	case <-p.gone:
	}
}

// mishap draws what happens to the next call of an app.
func (k *killer) mishap(app int64) {
	n := k.random.IntN(1 << 16)
	switch k.random.IntN(8) {
	case 0:
		k.proxy.cutNext(app, cut{inRequest, n})
	case 1:
		k.proxy.cutNext(app, cut{unheard, n})
	case 2:
		k.proxy.cutNext(app, cut{inAnswer, n})
	case 3:
		k.box.Script(sandbox.Fault{SDKAppID: app, Command: "update_callback", Delay: landing})
	}
}

// work plans and applies on several apps at once: ready is closed when the plans are made, done when the answers are there,
// or the program is not any more.
func (k *killer) work(p *process, apps []int64, stranger int) (ready, done <-chan struct{}) {
	planned, applied := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(applied)
		orders := make([]order, len(apps))
		var all sync.WaitGroup
		for i, app := range apps {
			all.Go(func() {
				o, err := k.plan(p, app)
				if err == nil {
					orders[i] = o
				} else {
					k.excuse(p, err)
				}
			})
		}
		all.Wait()
		close(planned)
		for i, o := range orders {
			if o.form == nil {
				continue
			}
			all.Go(func() {
				if _, _, err := k.apply(p, o); err != nil {
					k.excuse(p, err)
				}
			})
			if i == stranger {
				all.Go(func() { k.move(o.app) })
			}
		}
		all.Wait()
	}()
	return planned, applied
}

// excuse accepts an error when the program is about to end, which is the only reason for one.
func (k *killer) excuse(p *process, err error) {
	select {
	case <-p.gone:
	case <-time.After(patience):
		k.t.Errorf("the program runs, and yet: %v", err)
	}
}

// recover starts the program unarmed, has apps changed that meet mishaps alone, waits until everything is settled, and compares.
func (k *killer) recover() {
	k.t.Helper()
	p := k.start("")
	apps := k.apps[appsAtOnce*killsInRow:]
	k.box.Script(sandbox.Fault{SDKAppID: apps[0], Command: "update_callback", Delay: landing})
	for _, app := range apps[1:] {
		k.mishap(app)
	}
	_, done := k.work(p, apps, k.random.IntN(2*appsAtOnce)-appsAtOnce)
	<-done
	k.withStore(func(s *store.Store) {
		k.settle(p, s)
		k.check(s)
	})
	p.stop()
	k.proxy.clearCuts()
	k.box.ClearFaults()
	if k.t.Failed() {
		k.t.FailNow()
	}
}
