package gateway

import (
	"context"
	"sync"
	"time"

	"consentgw/internal/call"
	"consentgw/internal/target"
	"consentgw/sip"
)

const (
	// A target may take options.every to answer OPTIONS, but no less than leastWait
	// and no more than mostWait.
	leastWait, mostWait = 2 * time.Second, 4 * time.Second
	// resolveEvery is how often it is asked whether names are to be looked up
	// again; target.Set knows when each is due.
	resolveEvery = 5 * time.Second
)

// watchTargets keeps an eye on the targets of every destination, of whichever
// configuration is in force, until ctx ends.
func (g *Gateway) watchTargets(ctx context.Context) error {
	if !g.bothUp(ctx) {
		return nil
	}
	for ctx.Err() == nil {
		g.metrics.ForgetTargets()
		g.watchPlan(ctx, g.calls.InForce())
	}
	return nil
}

// watchPlan watches until another plan is in force.
func (g *Gateway) watchPlan(ctx context.Context, plan *call.Plan) {
	ctx, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop()
	for _, w := range plan.Watched() {
		watching.Go(func() { g.lookUp(ctx, w) })
		if w.Options.Every > 0 {
			watching.Go(func() { g.probe(ctx, w) })
		}
	}
	select {
	case <-g.changed:
	case <-ctx.Done():
	}
}

// lookUp follows the SRV records of a destination, and tells how its targets are.
func (g *Gateway) lookUp(ctx context.Context, w call.Watched) {
	tick := time.NewTicker(resolveEvery)
	defer tick.Stop()
	for {
		if err := w.Targets.Resolve(ctx, g.opt.Now()); err != nil && ctx.Err() == nil {
			g.opt.Log.Warn("targets not looked up", w.Kind(), w.Name, "error", err)
		}
		g.tellTargets(w)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (g *Gateway) tellTargets(w call.Watched) {
	for _, hop := range w.Targets.Hops() {
		g.metrics.Target(w.Name, hop.URI(), hop.Up())
	}
}

// probe asks the targets with OPTIONS, the first time after one interval: until
// something is known against it, a target is up.
func (g *Gateway) probe(ctx context.Context, w call.Watched) {
	tick := time.NewTicker(w.Options.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		var asked sync.WaitGroup
		for _, hop := range w.Targets.Hops() {
			// One that answers calls needs no asking.
			if !hop.Carries(g.opt.Now(), w.Options.Every) {
				asked.Go(func() { g.ask(ctx, w, hop) })
			}
		}
		asked.Wait()
		g.tellTargets(w)
	}
}

// ask sends one OPTIONS (RFC 3261 section 11).
func (g *Gateway) ask(ctx context.Context, w call.Watched, hop *target.Hop) {
	attempt, cancel := context.WithTimeout(ctx, min(max(w.Options.Every, leastWait), mostWait))
	defer cancel()
	code, err := g.facing(w).OptionsTLS(attempt, hop.URI(), w.TLS(hop))
	if ctx.Err() != nil {
		return
	}
	changed := false
	if err != nil {
		changed = hop.Unanswered()
	} else {
		changed = hop.Pinged(w.Options.Alive(code))
	}
	switch {
	case !changed:
	case hop.Up():
		g.opt.Log.Info("target is up", w.Kind(), w.Name, "target", hop.URI())
	case err != nil:
		g.opt.Log.Warn("target is down: it answers no OPTIONS; if it knows none, set options.every to 0", w.Kind(), w.Name, "target", hop.URI(), "error", err)
	default:
		g.opt.Log.Warn("target is down: so it answers OPTIONS", w.Kind(), w.Name, "target", hop.URI(), "code", code)
	}
}

// facing is the side on which a destination is.
func (g *Gateway) facing(w call.Watched) *sip.Endpoint {
	if w.Trunk {
		return g.sides.trunk.sip
	}
	return g.sides.platform.sip
}

// downTargets names what calls cannot be sent to: destinations without any target
// that is up, and single targets of the others.
func (g *Gateway) downTargets() (names []string) {
	for _, w := range g.calls.InForce().Watched() {
		if w.Targets.AllDown() {
			names = append(names, w.Kind()+" "+w.Name)
			continue
		}
		for _, hop := range w.Targets.Hops() {
			if !hop.Up() {
				names = append(names, "target "+hop.URI())
			}
		}
	}
	return names
}
