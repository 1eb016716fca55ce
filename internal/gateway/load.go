package gateway

import (
	"context"
	"time"
)

// measureEvery is how often the processor time is read; the load is that of the
// last four of these intervals.
const measureEvery = 500 * time.Millisecond

// measure keeps g.load up to date until ctx ends.
func (g *Gateway) measure(ctx context.Context) error {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		g.load.Sample(processorTime(), time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
