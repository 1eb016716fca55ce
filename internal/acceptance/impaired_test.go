package acceptance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"
	"consentgw/sip"

	"github.com/stretchr/testify/require"
)

// impairedCalls is how many calls are made over the impaired network, unless
// CONSENTGW_IMPAIRED says another number; atOnce is how many at a time, so that
// a slow machine takes longer and is not asked for more.
const (
	impairedCalls = 1000
	atOnce        = 40
)

// impairedCall is what one call over the impaired network wants: every tenth
// says yes, every tenth no, by keys in the signalling and in the media in turn;
// the others are on the route that asks nobody. Every third is hung up by the
// agent.
type impairedCall struct {
	id, called, key string
	info, byAgent   bool
}

func impairedPlan(n int) []impairedCall {
	calls := make([]impairedCall, n)
	for i := range calls {
		c := impairedCall{id: fmt.Sprintf("impaired-%d", i), called: plainNumber, byAgent: i%3 == 0}
		switch i % 10 {
		case 0, 5:
			c.called, c.key, c.info = calledNumber, map[int]string{0: "1", 5: "2"}[i%10], i/10%2 == 0
		}
		calls[i] = c
	}
	return calls
}

func (c impairedCall) outcome() consent.Outcome {
	return map[string]consent.Outcome{"": consent.NotAsked, "1": consent.Given, "2": consent.Refused}[c.key]
}

// TestCallsOverAnImpairedNetwork: 1 % each of loss, repetition and reordering
// between the carrier and the gateway, and between the gateway and the contact
// center. Every call does what it was to do, and all sources agree.
func TestCallsOverAnImpairedNetwork(t *testing.T) {
	needsReal(t)
	count := impairedCalls
	if text := os.Getenv("CONSENTGW_IMPAIRED"); text != "" {
		var err error
		count, err = strconv.Atoi(text)
		require.NoError(t, err, "CONSENTGW_IMPAIRED")
	}
	edits := plainRoute()
	// A port rests for 30 s after its call: so many calls need more of them.
	edits["ports: "+trunkPorts] = "ports: 10000-17999"
	edits["ports: "+platformPorts] = "ports: 18000-25999"
	edits["ports: "+recorderPorts] = "ports: 26000-31999"
	s := newSite(t, plan{info: true, edits: edits, patience: time.Duration(count)*200*time.Millisecond + patience})
	p, c := s.openPhone(), s.openCenterAt("127.0.0.1:0")
	carrier := impair(t, "127.0.0.1:0", p.Addr().String(), s.trunk, 10, 4475)
	platform := impair(t, s.targets[0], s.platform, c.phone.Addr().String(), 10, 5118)
	s.start()
	before := s.metrics()
	calls := impairedPlan(count)
	began := time.Now()
	s.makeImpaired(p, c, carrier.near.addr(), calls)
	took := time.Since(began)
	s.idle(1e9)
	s.agreeImpaired(c, calls)
	t.Logf("%d calls in %.1f s; carrier side: %v; platform side: %v", count, took.Seconds(), carrier, platform)
	after := s.idle(before["go_goroutines"])
	require.Zero(t, after.sum("consentgw_fork_violations_total"))
	t.Logf("goroutines: %.0f before, %.0f after", before["go_goroutines"], after["go_goroutines"])
	for _, i := range []*impairer{carrier, platform} {
		require.Positive(t, i.lost.Load())
		require.Positive(t, i.repeated.Load())
		require.Positive(t, i.swapped.Load())
	}
}

// makeImpaired makes the calls, so many at a time.
func (s *site) makeImpaired(p *phone.Phone, c *center, to string, calls []impairedCall) {
	s.t.Helper()
	ctx, fail := context.WithCancelCause(s.ctx)
	defer fail(nil)
	todo := make(chan impairedCall)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for call := range todo {
				if err := s.makeOneImpaired(ctx, p, c, to, call); err != nil {
					fail(fmt.Errorf("%s: %w", call.id, err))
				}
			}
		})
	}
	for _, call := range calls {
		select {
		case todo <- call:
		case <-ctx.Done():
		}
	}
	close(todo)
	workers.Wait()
	require.NoError(s.t, context.Cause(ctx))
}

func (s *site) makeOneImpaired(ctx context.Context, p *phone.Phone, c *center, to string, call impairedCall) error {
	line, err := s.dialFree(ctx, p, phone.Dial{Target: "sip:" + to, Caller: callerNumber, Called: call.called, CallID: call.id})
	if err != nil {
		return fmt.Errorf("dialing: %w", err)
	}
	defer line.Drop()
	if call.key != "" {
		ask := s.notice.Prompt("ask")
		if err := line.Hears(ctx, ask.PCMU, ask.PCMA); err != nil {
			return fmt.Errorf("hearing the question: %w", err)
		}
		if !call.info {
			line.Press(call.key)
		} else if err := line.PressInfo(ctx, call.key[0]); err != nil {
			return fmt.Errorf("pressing: %w", err)
		}
	}
	a, err := c.await(ctx, call.id, true)
	if err != nil {
		return fmt.Errorf("reaching the agent: %w", err)
	}
	line.Speak(tone(500, 8000), true)
	v := conversation{site: s, caller: line, agent: a}
	if err := v.talks(3); err != nil {
		return fmt.Errorf("talking: %w", err)
	}
	hangs, other := line, a.line
	if call.byAgent {
		hangs, other = other, hangs
	}
	if err := hangs.Hangup(ctx); err != nil {
		return fmt.Errorf("hanging up: %w", err)
	}
	select {
	case <-other.Ended():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("no BYE: %w", context.Cause(ctx))
	}
}

// dialFree dials until the gateway has room.
func (s *site) dialFree(ctx context.Context, p *phone.Phone, d phone.Dial) (*phone.Line, error) {
	for {
		line, err := p.Call(ctx, d)
		var status *sip.StatusError
		if err == nil || !errors.As(err, &status) || status.Code != 503 {
			return line, err
		}
		select {
		case <-time.After(status.RetryAfter):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// agreeImpaired compares what was done with the records, the headers that the
// contact center got, and the packets at the recorder.
func (s *site) agreeImpaired(c *center, calls []impairedCall) {
	t := s.t
	t.Helper()
	records := s.searched()
	require.Len(t, records, len(calls))
	copies := uint64(0)
	for _, call := range calls {
		r := records[call.id]
		require.NotNil(t, r, call.id)
		require.Equal(t, call.outcome(), r.Outcome, call)
		cause := "caller hung up"
		if call.byAgent {
			cause = "agent hung up"
		}
		require.Equal(t, cause, r.Call.EndCause, call)
		require.False(t, r.Call.ConnectedAt.IsZero(), call)
		require.Equal(t, call.key == "1", len(r.Recordings) == 1, call)
		require.Equal(t, call.key == "", r.Press == nil, call)
		if r.Press != nil {
			require.Equal(t, call.key, r.Press.Key, call)
		}
		a := c.calls[call.id]
		require.Equal(t, string(r.ID), a.headers["X-Consent-Id"], call)
		require.Equal(t, string(r.Outcome), a.headers["X-Consent-Outcome"], call)
		require.Equal(t, r.Outcome == consent.Given, a.headers["X-Recording"] == "on", call)
		for _, rec := range r.Recordings {
			require.Zero(t, rec.BeforeGrant+rec.AfterStop, call)
			require.EqualValues(t, rec.Caller.Packets, len(s.recorder.Caller(rec.Caller.SSRC)), call)
			require.EqualValues(t, rec.Agent.Packets, len(s.recorder.Agent(rec.Agent.SSRC)), call)
			copies += rec.Caller.Packets + rec.Agent.Packets
		}
	}
	require.EqualValues(t, copies, len(s.recorder.Caller(0))+len(s.recorder.Agent(0)), "packets at the recorder")
	require.Len(t, c.calls, len(calls), "calls at the contact center")
	require.Zero(t, c.twice, "calls that reached the contact center twice")
}
