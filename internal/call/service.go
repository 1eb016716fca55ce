// Package call is the story of a call, one file a step: admit, answer, ask,
// commit, connect, bridge, close. It is the only package that knows all of
// them.
//
// One goroutine owns a call, from INVITE to the last BYE: the one that Serve
// runs on. Whatever else wants something of the call, such as an API request or
// a re-INVITE, hands it a function through its inbox. Nothing outlives Serve.
package call

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/internal/metrics"
	"consentgw/sip"

	"github.com/google/uuid"
)

// Config is what a [Service] is built from.
type Config struct {
	Node          string
	Plan          *Plan         // until Follow is called with another
	Platform      *sip.Endpoint // where platform legs are dialed from
	Trunk         *sip.Endpoint // where the callees of outbound calls are dialed from
	TrunkPorts    *media.Ports
	PlatformPorts *media.Ports
	Store         consent.Store
	Journal       *Journal
	// CPU is how much of all processors' time this process uses, in percent.
	CPU func() float64
	// StoreFault is a stable word for why the store failed, such as "timeout".
	StoreFault func(error) string
	// StoreTimeout bounds the one write that a caller waits for.
	StoreTimeout time.Duration
	Metrics      *metrics.Set
	Log          *slog.Logger
	Now          consent.Clock
}

// Service carries calls. Its methods are safe for concurrent use.
type Service struct {
	Config
	inForce atomic.Pointer[Plan]
	pace

	mu       sync.Mutex
	live     map[consent.RecordID]*Call
	perTrunk map[string]int
	draining bool
	empty    chan struct{} // closed when draining and the last call has gone
}

// pace is how the others are waited for. Constant; tests have more of it.
type pace struct {
	after         func(time.Duration) <-chan time.Time // ends the wait for a choice
	firstResponse time.Duration                        // how long a target may stay wholly silent
}

// New returns a service without calls.
func New(cfg Config) *Service {
	s := &Service{Config: cfg, pace: pace{time.After, firstResponse}, live: map[consent.RecordID]*Call{}, perTrunk: map[string]int{}, empty: make(chan struct{})}
	s.inForce.Store(cfg.Plan)
	if s.CPU == nil {
		s.CPU = func() float64 { return 0 }
	}
	if s.StoreFault == nil {
		s.StoreFault = func(error) string { return "failed" }
	}
	cfg.Journal.up, cfg.Journal.merge = s.up, s.merge
	return s
}

// Serve carries one call of a trunk from INVITE to the last BYE. It returns when
// both legs, the relay and the recordings have ended. It answers in whatever way
// is due, so it has nothing to return.
func (s *Service) Serve(ctx context.Context, in *sip.Incoming) {
	s.serve(ctx, in, (*Plan).find)
}

// ServeOutbound is Serve for an INVITE on the platforms' side.
func (s *Service) ServeOutbound(ctx context.Context, in *sip.Incoming) {
	s.serve(ctx, in, (*Plan).findOutbound)
}

// finder takes an INVITE to its route, or says why it may not go on.
type finder func(p *Plan, source netip.Addr, identities []string, who sip.Identity, to string, now time.Time) (journey, *refusal)

func (s *Service) serve(ctx context.Context, in *sip.Incoming, find finder) {
	plan := s.inForce.Load()
	if plan.tooFast(in.Source().Addr(), s.Now()) {
		s.refuse(in, "", refuseSourceRate)
		return
	}
	j, refusal := find(plan, in.Source().Addr(), in.Identities(), in.Identity(), in.Called(), s.Now())
	if refusal != nil {
		s.refuse(in, j.trunk.Name, refusal)
		return
	}
	if !s.proven(in, j) {
		return
	}
	c, refusal := s.admit(in, j)
	if refusal != nil {
		s.refuse(in, j.trunk.Name, refusal)
		return
	}
	ctx, end := context.WithCancelCause(ctx)
	c.end = end
	story := c.inbound
	if c.route.carrier != nil {
		story = c.outbound
	}
	c.guard(func() { end(story(ctx, in)) })
	c.close(context.Cause(ctx))
}

// inbound is the story of a call from a trunk to a platform. It is the caller who
// is asked.
func (c *Call) inbound(ctx context.Context, in *sip.Incoming) error {
	if err := c.answer(ctx, in); err != nil {
		return err
	}
	if c.route.dialEarly {
		c.seekAgent(ctx) // rings while the caller hears the notice
	}
	decision, err := c.ask(ctx)
	c.commit(decision)
	if err != nil {
		return err
	}
	if err := c.connect(ctx); err != nil {
		return err
	}
	return c.bridge(ctx)
}

// Drain refuses new calls from now on and waits until the last has gone, or ctx
// ends.
func (s *Service) Drain(ctx context.Context) error {
	s.mu.Lock()
	if !s.draining {
		s.draining = true
		s.Metrics.Draining(true)
		if len(s.live) == 0 {
			close(s.empty)
		}
	}
	s.mu.Unlock()
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Draining reports whether new calls are refused.
func (s *Service) Draining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// enter counts a call in, or says why it may not.
func (s *Service) enter(c *Call, maxCalls int) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return refuseDraining
	case c.route.plan.maxCalls > 0 && len(s.live) >= c.route.plan.maxCalls:
		return refuseFull
	case maxCalls > 0 && s.perTrunk[c.route.trunk.Name] >= maxCalls:
		return refuseTrunkFull
	}
	s.live[c.id] = c
	s.perTrunk[c.route.trunk.Name]++
	return nil
}

func (s *Service) leave(c *Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, c.id)
	s.perTrunk[c.route.trunk.Name]--
	if s.draining && len(s.live) == 0 {
		close(s.empty)
	}
}

func newRecordID() consent.RecordID { return consent.RecordID(uuid.Must(uuid.NewV7()).String()) }
