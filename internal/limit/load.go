package limit

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// loadWindow is over how many samples the load is taken.
const loadWindow = 4

// Load is how much of the processors' time a process has used lately. Percent may
// be asked from anywhere; Sample is called at intervals.
type Load struct {
	cores   float64
	percent atomic.Uint64 // bits of a float64

	mu      sync.Mutex
	samples []sample // oldest first, at most loadWindow+1
}

// sample is the time that was used since the process began, at a moment.
type sample struct {
	used time.Duration
	at   time.Time
}

// NewLoad is for a process that may use so many processors at once, at least one.
func NewLoad(cores int) *Load { return &Load{cores: float64(max(1, cores))} }

// Sample takes the processor time that the process has used since it began.
func (l *Load) Sample(used time.Duration, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.samples); n > 0 && (at.Before(l.samples[n-1].at) || used < l.samples[n-1].used) {
		l.samples = l.samples[:0] // the clock went back
	}
	l.samples = append(l.samples, sample{used, at})
	if len(l.samples) > loadWindow+1 {
		l.samples = l.samples[1:]
	}
	first, last := l.samples[0], l.samples[len(l.samples)-1]
	percent := 0.0
	if passed := last.at.Sub(first.at); passed > 0 {
		percent = 100 * float64(last.used-first.used) / float64(passed) / l.cores
	}
	l.percent.Store(math.Float64bits(percent))
}

// Percent is 100 if all processors were busy with the process during the last
// four intervals between samples; 0 before there are two samples.
func (l *Load) Percent() float64 { return math.Float64frombits(l.percent.Load()) }
