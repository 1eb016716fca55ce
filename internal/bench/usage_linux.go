//go:build !386 && !s390x

package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// used asks the kernel what this process has used.
func used() (usage, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return usage{}, os.NewSyscallError("getrusage", err)
	}
	// proc(5): size and resident set, in pages.
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return usage{}, err
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return usage{}, fmt.Errorf("/proc/self/statm: %q", text)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return usage{}, fmt.Errorf("/proc/self/statm: %w", err)
	}
	cpu := time.Duration(r.Utime.Nano() + r.Stime.Nano())
	return usage{CPU: cpu, Memory: pages * int64(os.Getpagesize())}, nil
}
