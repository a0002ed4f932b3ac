package torture_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"callboard/store"
)

// permit sets what may be done with the folder of the database and with its files.
func (r *rig) permit(folder, file os.FileMode) {
	r.t.Helper()
	must(r.t, os.Chmod(r.folder, folder))
	files, err := filepath.Glob(r.addr + "*")
	must(r.t, err)
	for _, f := range files {
		must(r.t, os.Chmod(f, file))
	}
}

// TestReadOnly takes the right to write to the database from a running program, as putting back a backup can. What it has
// open stays open, so it goes on to write everything down and ends cleanly. Started like that it says so and ends, and
// nothing is lost or to be mended by hand once the right is back.
func TestReadOnly(t *testing.T) {
	run(newRig(t, "sqlite", 3), func(r *rig) {
		r.bound = true
		p := r.start("")
		r.signIn(p)
		before, next := r.mustPlan(p, r.apps[0]), r.mustPlan(p, r.apps[1])
		r.mustApply(p, before)
		r.permit(0o500, 0o400)
		meanwhile := r.mustApply(p, next)
		last := r.mustPlan(p, r.apps[2])
		for _, path := range []string{"/apps", "/history", fmt.Sprintf("/changes/%d", meanwhile), "/readyz", "/healthz"} {
			r.pageSays(p, path, http.StatusOK, "")
		}
		p.stop()

		text, err := r.command("").CombinedOutput()
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.ExitCode() != 1 || !strings.Contains(string(text), "callboard.db: permission denied") {
			t.Errorf("started on a file that it may not write, the program ended with %v and said:\n%s", err, text)
		}

		r.permit(0o700, 0o600)
		p = r.start("")
		number := r.mustApply(p, last)
		r.withStore(func(s *store.Store) { r.settle(p, s) })
		for _, n := range []int64{meanwhile, number} {
			r.outcome(n, store.Applied)
		}
		p.stop()
	})
}

// readersAtOnce is more than SQLite has connections, so that new ones are opened.
const readersAtOnce = 20

// TestTurnedReadOnly makes the folder of a running program read-only, as a file system does that has met a fault: what is open can
// not be written any more, and what is opened anew is opened for reading alone. Everything can be looked at, nothing is sent,
// and once the folder can be written again a change goes through without a restart.
func TestTurnedReadOnly(t *testing.T) {
	r := newRig(t, "sqlite", 3)
	r.client.Timeout = inTime
	r.bound = true
	p := r.start("")
	r.signIn(p)
	done := r.mustApply(p, r.mustPlan(p, r.apps[0]))
	r.withStore(func(s *store.Store) { r.settle(p, s) })
	o, draft := r.mustPlan(p, r.apps[1]), r.mustPlan(p, r.apps[2])

	r.permit(0o500, 0o400)
	t.Cleanup(func() { r.permit(0o700, 0o600) })
	p.limitFiles("0")
	r.unwritable(p, o, draft)
	r.manyLook(p, "/apps", "/history", fmt.Sprintf("/changes/%d", done), fmt.Sprintf("/apps/%d/callback", r.apps[1]), "/healthz")
	if !p.readsAlone(r.addr) {
		t.Error("the program opened nothing for reading alone")
	}
	r.pageSays(p, "/readyz", http.StatusServiceUnavailable, "")
	r.unwritable(p, o, draft)
	r.permit(0o700, 0o600)
	p.limitFiles("unlimited")
	r.recovers(p, o)
}

// manyLook opens pages many times at once.
func (r *rig) manyLook(p *process, paths ...string) {
	r.t.Helper()
	var all sync.WaitGroup
	for range readersAtOnce {
		all.Go(func() {
			for _, path := range paths {
				got, err := do(r.client, http.MethodGet, p.url+path, nil)
				if err != nil || got.status != http.StatusOK {
					r.t.Errorf("%s came with %d: %v", path, got.status, err)
				}
			}
		})
	}
	all.Wait()
	r.client.CloseIdleConnections() // a stop waits for those that were never used
}

// readsAlone tells whether the process has opened a file for reading alone.
func (p *process) readsAlone(path string) bool {
	p.t.Helper()
	folder := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
	links, err := filepath.Glob(folder + "/fd/*")
	must(p.t, err)
	for _, link := range links {
		opened, _ := os.Readlink(link) // it may be closed by now
		var at, flags int
		text, _ := os.ReadFile(folder + "/fdinfo/" + filepath.Base(link))
		if _, err := fmt.Sscanf(string(text), "pos: %d\nflags: %o", &at, &flags); err == nil && opened == path && flags&3 == os.O_RDONLY {
			return true
		}
	}
	return false
}
