//go:build unix

package gateway

import (
	"syscall"
	"time"
)

// processorTime is what this process has used of it since it began, in user and
// in kernel mode; 0 if the system does not tell.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
