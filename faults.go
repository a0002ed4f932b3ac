//go:build faults

package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// reached ends or freezes the process at the point that CALLBOARD_FAULT names, as "point", "point:n" for its n-th
// passing, or "point:n:stop" to freeze instead. It stands only in builds with the tag faults.
var reached = faultAt(os.Getenv("CALLBOARD_FAULT"))

func faultAt(text string) func(string) {
	part := strings.Split(text, ":")
	left := new(atomic.Int64)
	left.Store(1)
	if len(part) > 1 {
		if n, err := strconv.ParseInt(part[1], 10, 64); err == nil {
			left.Store(n)
		}
	}
	signal := syscall.SIGKILL
	if len(part) > 2 && part[2] == "stop" {
		signal = syscall.SIGSTOP
	}
	return func(point string) {
		if point == part[0] && left.Add(-1) == 0 {
			send(signal)
			if signal == syscall.SIGKILL {
				select {} // until the signal ends the process
			}
		}
	}
}

// send gives this very thread a signal, so that it goes no further: one to the process may reach another thread first.
func send(signal syscall.Signal) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = syscall.Tgkill(os.Getpid(), syscall.Gettid(), signal)
}
