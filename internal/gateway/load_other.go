//go:build !unix

package gateway

import "time"

// processorTime is not known here: limits.max_cpu never holds a call back.
func processorTime() time.Duration { return 0 }
