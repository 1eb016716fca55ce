package gateway

import (
	"context"
	"sync"
	"time"

	"consentgw/internal/call"
	"consentgw/internal/target"
)

// probeWait is how long a target may take to answer OPTIONS, at most the time
// between two of them.
const probeWait = 4 * time.Second

// probe keeps an eye on the targets of every platform until ctx ends: their
// names are looked up again when that is due, and those that carry no calls are
// asked with OPTIONS. A target that answers calls needs no asking.
func (g *Gateway) probe(ctx context.Context) error {
	select {
	case <-g.sides.platform.sip.Serving():
	case <-ctx.Done():
		return nil
	}
	var platforms sync.WaitGroup
	defer platforms.Wait()
	for _, p := range g.plan.Platforms() {
		if p.Options.Every > 0 {
			platforms.Go(func() { g.probePlatform(ctx, p) })
		}
	}
	return nil
}

func (g *Gateway) probePlatform(ctx context.Context, p *call.Platform) {
	tick := time.NewTicker(p.Options.Every)
	defer tick.Stop()
	for {
		if err := p.Targets.Resolve(ctx, g.opt.Now()); err != nil && ctx.Err() == nil {
			g.opt.Log.Warn("targets not looked up", "platform", p.Name, "error", err)
		}
		for _, hop := range p.Targets.Hops() {
			g.metrics.Target(p.Name, hop.URI(), hop.Up())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		g.probeTargets(ctx, p)
	}
}

// probeTargets asks all targets of a platform at once.
func (g *Gateway) probeTargets(ctx context.Context, p *call.Platform) {
	var asked sync.WaitGroup
	defer asked.Wait()
	for _, hop := range p.Targets.Hops() {
		if !hop.Carries(g.opt.Now(), p.Options.Every) {
			asked.Go(func() { g.probeTarget(ctx, p, hop) })
		}
	}
}

func (g *Gateway) probeTarget(ctx context.Context, p *call.Platform, hop *target.Hop) {
	attempt, cancel := context.WithTimeout(ctx, min(probeWait, p.Options.Every))
	defer cancel()
	code, err := g.sides.platform.sip.Options(attempt, hop.URI())
	if ctx.Err() != nil {
		return
	}
	if !hop.Pinged(err == nil && ready(code)) {
		return
	}
	if hop.Up() {
		g.opt.Log.Info("target is up", "platform", p.Name, "target", hop.URI())
	} else {
		g.opt.Log.Warn("target is down", "platform", p.Name, "target", hop.URI(), "code", code)
	}
}

// ready reads the answer to OPTIONS: whoever answers is alive, unless it says
// that it takes no calls (RFC 3261 section 11.2).
func ready(code int) bool { return code/100 != 5 && code != 408 && code != 480 }
