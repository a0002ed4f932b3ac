package torture_test

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"callboard/changes"
	"callboard/sandbox"
	"callboard/store"
)

const unlisted = "Live.CallbackAfterSomethingNew" // in no list of ours

// TestNoEventIsLostUnseen is a person who tries to lose an event that our list lacks: a form without it has to show the
// loss on the plan, and a form from before it appeared writes nothing.
func TestNoEventIsLostUnseen(t *testing.T) {
	run(newRig(t, "sqlite", 2), func(r *rig) {
		p := r.start("")
		r.signIn(p)
		for _, app := range r.apps {
			r.box.SetCallback(app, &sandbox.Callback{Url: r.draw(), CallbackCommandList: []string{created, unlisted}})
		}
		doctored := r.mustPlan(p, r.apps[0]) // its form leaves out what it was shown
		review := strings.TrimSuffix(doctored.path, "apply") + "review/" + doctored.form.Get("plan")
		r.pageSays(p, review, http.StatusOK, unlisted)

		old := r.mustPlan(p, r.apps[1])
		r.move(r.apps[1])
		cloud, _ := r.box.Callback(r.apps[1])
		cloud.CallbackCommandList = append(cloud.CallbackCommandList, unlisted+"Again")
		r.box.SetCallback(r.apps[1], &cloud)
		number := r.mustApply(p, old)
		r.outcome(number, store.NotSent)
		r.pageSays(p, fmt.Sprintf("/changes/%d", number), http.StatusOK, unlisted+"Again")
		if n := r.writes(r.apps[1]); n != 0 {
			t.Errorf("the old form wrote %d times", n)
		}
		p.stop()
	})
}

// TestFrozenAlone freezes the only program on a SQLite folder for longer than its lease: awake again, it writes nothing.
func TestFrozenAlone(t *testing.T) {
	for _, point := range []string{changes.PointIntentCommitted, changes.PointBeforeDial} {
		t.Run(point, func(t *testing.T) {
			run(newRig(t, "sqlite", 1), func(r *rig) {
				p := r.start(point + ":1:stop")
				r.signIn(p)
				o := r.mustPlan(p, r.apps[0])
				answered := make(chan error, 1)
				go func() {
					_, _, err := r.apply(p, o)
					answered <- err
				}()
				r.until("the program to freeze", time.Millisecond, p.frozen)
				frozen := time.Now()
				r.until("the lease to pass", 50*time.Millisecond, func() bool { return time.Since(frozen) > lease })
				// Before it slept other threads may have gone on for a moment, and what they sent has arrived by now.
				sent := r.writes(o.app)
				p.signal(syscall.SIGCONT)
				must(t, <-answered)
				r.withStore(func(s *store.Store) { r.settle(p, s) })
				if n := r.writes(o.app); n != sent {
					t.Errorf("awake again, it wrote %d times", n-sent)
				}
				p.stop()
			})
		})
	}
}
