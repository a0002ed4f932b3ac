package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// machine describes where the figures come from, without names.
type machine struct {
	cores  int
	cpu    string
	memory string
	kernel string
	golang string
}

func describeMachine() machine {
	m := machine{cores: runtime.NumCPU(), cpu: field("/proc/cpuinfo", "model name"), golang: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}
	if kb, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		m.memory = fmt.Sprintf("%.0f GB", float64(kb)/1e6)
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.kernel = runtime.GOOS + " " + strings.TrimSpace(string(text))
	}
	return m
}

// field reads "name : value" from a file of /proc; "" where there is none.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
