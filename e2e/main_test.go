// Package e2e_test runs the real program and uses it as people do, in a real browser, with and without script.
package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"callboard/e2e/browser"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(browser.Tests{M: builder{m}}) }

// program is the path of the program under test.
var program string

// builder builds the program once before the tests, with the race detector when the tests have it.
type builder struct{ m *testing.M }

// Run gives the exit code of the tests, or 1 when the program cannot be built.
func (b builder) Run() int {
	folder, err := os.MkdirTemp("", "callboard-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder) //nolint:errcheck // only a temporary folder is left
	program = filepath.Join(folder, "callboard")
	args := []string{"build", "-o", program}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	if text, err := exec.Command("go", append(args, "callboard")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, text)
		return 1
	}
	return b.m.Run()
}
