//go:build !386 && !s390x

package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// usageOf asks the kernel what a process has used.
func usageOf(pid int) (usage, error) {
	cpu, err := processorTime(pid)
	if err != nil {
		return usage{}, err
	}
	memory, err := residentMemory(pid)
	return usage{CPU: cpu, Memory: memory}, err
}

// processorTime reads the clock of a process, to the nanosecond.
func processorTime(pid int) (time.Duration, error) {
	// clock_getcpuclockid(3): the complement of the process, and in the lower
	// three bits what the scheduler has counted for all of its threads.
	clock := ^pid<<3 | 2
	var at syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&at)), 0); errno != 0 {
		return 0, os.NewSyscallError("clock_gettime", errno)
	}
	return time.Duration(at.Nano()), nil
}

// residentMemory is in bytes. proc(5): what statm says may be off by a megabyte,
// smaps_rollup is exact.
func residentMemory(pid int) (int64, error) {
	name := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		f := bytes.Fields(lines.Bytes())
		if len(f) != 3 || string(f[0]) != "Rss:" {
			continue
		}
		kilobytes, err := strconv.ParseInt(string(f[1]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		return kilobytes << 10, nil
	}
	return 0, fmt.Errorf("%s: no Rss", name)
}
