package bench

import "time"

// arrivals counts what came back. It is owned by the goroutine that reads.
type arrivals struct {
	at     [sockets]uint64
	delays [delaySteps]uint64 // of voice, by delayStep; the last is everything later
}

const (
	delayStep  = 5 * time.Microsecond
	delaySteps = 20000 // up to 100 ms
)

// add notes a packet at one of the four sockets of the generator.
func (a *arrivals) add(socket int, delay time.Duration) {
	a.at[socket]++
	if socket == atCaller || socket == atAgent {
		a.delays[min(max(delay/delayStep, 0), delaySteps-1)]++
	}
}

// quantile is the delay that a share of the packets did not exceed; 0 if none
// came.
func (a *arrivals) quantile(share float64) time.Duration {
	rank := uint64(share * float64(a.at[atCaller]+a.at[atAgent]))
	for i, n := range a.delays {
		if rank < n {
			return time.Duration(i+1) * delayStep
		}
		rank -= n
	}
	return 0
}
