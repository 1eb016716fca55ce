package gateway

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"consentgw/internal/api"
	"consentgw/sip"
)

// Serve runs the gateway until ctx ends. Then no new call is taken, the calls
// that are up may finish for Options.Drain, the rest are hung up, and what the
// journal still holds is stored or spooled. When Serve returns nothing of the
// gateway is left: no call, no socket, no goroutine.
func (g *Gateway) Serve(ctx context.Context) error {
	// Calls and sockets end in an order of their own, not all at once with ctx.
	callsCtx, endCalls := context.WithCancel(context.WithoutCancel(ctx))
	socketsCtx, endSockets := context.WithCancel(context.WithoutCancel(ctx))
	journalCtx, endJournal := context.WithCancel(context.WithoutCancel(ctx))
	defer endCalls()

	failed := make(chan error, 8) // one for each face; a face ends only by failing
	var faces, journal sync.WaitGroup
	journal.Go(func() { g.journal.Run(journalCtx) })
	start := func(serve func(context.Context) error) {
		faces.Go(func() {
			if err := serve(socketsCtx); err != nil && socketsCtx.Err() == nil {
				failed <- err
			}
		})
	}
	for _, s := range []struct {
		side    side
		handler sip.Handler
	}{
		{g.sides.platform, g.platformHandler(callsCtx)},
		{g.sides.recorder, g.recorderHandler()},
		{g.sides.trunk, g.trunkHandler(callsCtx)},
	} {
		if s.side.sip != nil {
			start(func(ctx context.Context) error { return s.side.sip.Serve(ctx, s.handler) })
		}
	}
	start(func(ctx context.Context) error { return api.Serve(ctx, g.api, g.handler()) })
	start(g.health.watch)
	start(g.recover)
	start(g.obeyReloads)
	start(g.watchTargets)
	start(g.measure)
	g.opt.Log.Info("consentgw is up", "node", g.cfg.Node.ID, "api", g.APIAddr(), "trunk", g.trunkNames())

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-failed:
	}
	g.finishCalls(endCalls)
	endSockets()
	faces.Wait()
	endJournal()
	journal.Wait()
	return errors.Join(failure, g.release())
}

// finishCalls lets the calls that are up end by themselves, then hangs up.
func (g *Gateway) finishCalls(endCalls func()) {
	ctx, cancel := context.WithTimeout(context.Background(), g.opt.Drain)
	defer cancel()
	drained := make(chan struct{})
	defer close(drained)
	go func() { // ends with this function
		select {
		case <-g.opt.Hurry:
			g.opt.Log.Info("in a hurry: calls that are up are hung up", "calls", len(g.calls.Live()))
			cancel()
		case <-drained:
		}
	}()
	g.opt.Log.Info("draining", "calls", len(g.calls.Live()), "seconds", g.opt.Drain.Seconds())
	if g.calls.Drain(ctx) != nil {
		endCalls()
		g.calls.Drain(context.Background())
	}
}

// trunkNames are the addresses for carriers, such as "udp:127.0.0.1:5060".
func (g *Gateway) trunkNames() (names []string) {
	for _, a := range g.TrunkAddrs() {
		names = append(names, a.Transport+":"+a.AddrPort.String())
	}
	return names
}

func (g *Gateway) trunkHandler(calls context.Context) sip.Handler {
	return sip.Handler{
		Invite: func(_ context.Context, in *sip.Incoming) {
			if g.bothUp(in.Context()) {
				g.calls.Serve(calls, in)
			}
		},
		Options: g.options,
	}
}

// platformHandler takes outbound calls, and calls that take over others
// (RFC 3891).
func (g *Gateway) platformHandler(calls context.Context) sip.Handler {
	h := g.trunkHandler(calls)
	h.Supported = []string{"replaces"}
	h.Invite = func(_ context.Context, in *sip.Incoming) {
		if g.bothUp(in.Context()) && !g.calls.Replace(calls, in) {
			g.calls.ServeOutbound(calls, in)
		}
	}
	return h
}

// bothUp waits until calls can go out on the other side too, which may begin to
// serve a moment later. It reports false if ctx ended first.
func (g *Gateway) bothUp(ctx context.Context) bool {
	for _, s := range []side{g.sides.trunk, g.sides.platform} {
		select {
		case <-s.sip.Serving():
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// notRouted serves the side on which no call arrives.
func (g *Gateway) notRouted() sip.Handler {
	return sip.Handler{
		Invite:  func(_ context.Context, in *sip.Incoming) { in.Reject(403, "No calls are taken on this side") },
		Options: g.options,
	}
}

func (g *Gateway) options() (int, string) {
	if g.calls.Draining() {
		return 503, "Draining"
	}
	return 200, "OK"
}

func (g *Gateway) handler() http.Handler {
	return api.New(api.Config{Node: g.cfg.Node.ID, Calls: g.calls, Store: g.store, Health: g.health,
		Metrics: g.metrics.Handler(), Now: g.opt.Now, Log: g.opt.Log})
}

// recoverEvery is how often closing what a crash left open is tried while the
// store is away.
const recoverEvery = 2 * time.Second

// recover closes the records of calls that died with an earlier process.
func (g *Gateway) recover(ctx context.Context) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, time.Minute)
		closed, err := g.journal.Recover(attempt, g.cfg.Node.ID, g.opt.Now)
		cancel()
		if closed > 0 {
			g.opt.Log.Warn("records of calls that were cut off have been closed", "records", closed)
		}
		if err == nil || ctx.Err() != nil {
			return nil
		}
		g.opt.Log.Warn("records of an earlier run not checked yet", "error", err)
		select {
		case <-time.After(recoverEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

// recorderHandler is for requests that recording servers make within their
// sessions: they require siprec.
func (g *Gateway) recorderHandler() sip.Handler {
	h := g.notRouted()
	h.Supported = []string{"siprec"}
	return h
}
