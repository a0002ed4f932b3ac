package torture_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
