// Package torture_test kills, freezes and starves the real program, and compares what the sandbox saw with what the
// history says: no call without a row, no second call, no wrong outcome, nothing left open, nothing lost.
package torture_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	kills = flag.Int("kills", 50, "how often TestKills kills the program, for each database")
	seed  = flag.Uint64("seed", 0, "what TestKills draws from; 0 takes a new one and says which")
)

// patience bounds every wait; none lasts that long unless the test fails.
const patience = time.Minute

// program is the path of the program under test, built with its fault points.
var program string

func TestMain(m *testing.M) { goleak.VerifyTestMain(builder{m}) }

// builder builds the program once before the tests.
type builder struct{ m *testing.M }

// Run gives the exit code of the tests, or 1 when the program cannot be built.
func (b builder) Run() int {
	folder, err := os.MkdirTemp("", "callboard-torture-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder) //nolint:errcheck // only a temporary folder is left
	program = filepath.Join(folder, "callboard")
	if text, err := exec.Command("go", "build", "-tags", "faults", "-o", program, "callboard").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, text)
		return 1
	}
	return b.m.Run()
}
