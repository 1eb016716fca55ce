package gateway

import (
	"context"
	"sync/atomic"
	"time"
)

// health is what /readyz says. Ready means that calls can be taken; a store
// that is away is a named degradation, because calls go on without it.
type health struct {
	gateway   *Gateway
	storeDown atomic.Bool
}

func newHealth(g *Gateway) *health { return &health{gateway: g} }

// lookEvery is how often the neighbours are looked at.
const lookEvery = 2 * time.Second

// Ready reports whether calls are taken, and what is missing.
func (h *health) Ready() (ready bool, degraded []string) {
	ready = !h.gateway.calls.Draining()
	if !ready {
		degraded = append(degraded, "draining")
	}
	if h.gateway.calls.Overloaded() {
		degraded = append(degraded, "overload")
	}
	if h.storeDown.Load() {
		degraded = append(degraded, "store")
	}
	return ready, append(degraded, h.gateway.downTargets()...)
}

// watch looks at the neighbours until ctx ends.
func (h *health) watch(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		h.look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (h *health) look(ctx context.Context) {
	attempt, cancel := context.WithTimeout(ctx, h.gateway.storeFor)
	defer cancel()
	err := h.gateway.store.Ping(attempt)
	if ctx.Err() != nil {
		return
	}
	if was := h.storeDown.Swap(err != nil); was != (err != nil) {
		if err != nil {
			h.gateway.opt.Log.Warn("store is away: calls go on unrecorded", "error", err)
		} else {
			h.gateway.opt.Log.Info("store is back")
		}
	}
	h.gateway.metrics.StoreUp("records", err == nil)
	for name, c := range h.gateway.Ports() {
		h.gateway.metrics.Ports(name, c.Used, c.Resting, c.Free)
	}
}
