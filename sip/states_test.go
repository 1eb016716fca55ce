package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A stage is a state of the dialog of a call that came in.
type stage int

const (
	trying stage = iota
	ringing
	reliably  // a reliable 183 waits for its PRACK
	pracked   // it has it
	unacked   // the 200 waits for its ACK
	confirmed // the call is up
	changing  // a re-INVITE of ours waits for its answer
	changed   // one of the caller's waits for its ACK
	updating  // an UPDATE of ours waits for its answer
)

var stages = map[string]stage{
	"trying": trying, "ringing": ringing, "183 without PRACK": reliably, "183 with PRACK": pracked,
	"200 without ACK": unacked, "confirmed": confirmed, "our re-INVITE": changing, "its re-INVITE without ACK": changed,
	"our UPDATE": updating,
}

// An event is something that happens to a call, as a peer makes it happen.
type event func(t *testing.T, e *testEndpoint, c *staged)

// staged is a call that came in and has been brought to a stage.
type staged struct {
	p    *peer
	tag  string
	leg  *Leg // nil before the answer
	over <-chan error
	seq  int
	owed received // a request of ours that has no answer
}

func (c *staged) next() int { c.seq++; return c.seq }

// stageCall brings a call to a stage.
func stageCall(t *testing.T, s stage) (*testEndpoint, *staged) {
	t.Helper()
	over, legs, answer := make(chan error, 1), make(chan *Leg, 1), make(chan struct{})
	h := Handler{Invite: func(ctx context.Context, in *Incoming) {
		if s == ringing || s == reliably || s == pracked {
			assert.NoError(t, in.Progress(183, "Session Progress", []byte(testAnswer)))
		}
		if s < unacked {
			<-in.Context().Done()
			over <- context.Cause(in.Context())
			return
		}
		close(answer)
		leg, err := in.Answer(ctx, []byte(testAnswer), InDialog{Offer: func([]byte) ([]byte, error) { return []byte(testAnswer), nil }})
		if err != nil {
			over <- err
			return
		}
		legs <- leg
		<-leg.Context().Done()
		over <- context.Cause(leg.Context())
	}}
	e := start(t, h)
	c := &staged{p: udpPeer(t), over: over, seq: 1}
	r := request{method: "INVITE", branch: "z9hG4bKc", body: testOffer, headers: []string{"Allow: UPDATE"}}
	if s == reliably || s == pracked {
		r.headers = append(r.headers, "Require: 100rel")
	}
	c.p.request(e.udp(), r)
	c.reach(t, e, s, legs)
	return e, c
}

// reach does the caller's part up to the stage.
func (c *staged) reach(t *testing.T, e *testEndpoint, s stage, legs <-chan *Leg) {
	p := c.p
	switch {
	case s == trying:
		c.tag = p.until("SIP/2.0 100").tag("To")
		return
	case s < unacked:
		early := p.until("SIP/2.0 183")
		c.tag = early.tag("To")
		if s == pracked {
			p.prack(e, early, c.next(), "")
			p.until("SIP/2.0 200")
		}
		return
	}
	c.tag = p.until("SIP/2.0 200").tag("To")
	if s == unacked {
		return
	}
	p.request(e.udp(), request{method: "ACK", toTag: c.tag})
	c.leg = receive(t, legs)
	switch s {
	case changing:
		reinvite(t.Context(), c.leg)
		c.owed = p.until("INVITE")
	case changed:
		p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKr", seq: c.next(), toTag: c.tag, body: testOffer2})
		p.until("SIP/2.0 200")
	case updating:
		updates(t.Context(), c.leg, testOffer2)
		c.owed = p.until("UPDATE")
	}
}

// released checks that nothing is left of the call, whatever ended it. The
// caller answers what it is asked meanwhile if it is alive.
func (c *staged) released(t *testing.T, e *testEndpoint, alive bool) error {
	t.Helper()
	if alive && c.owed.raw != "" {
		c.p.respond(c.owed, "487 Request Terminated", reply{})
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); polite(c.p, alive, received{}, stop) }()
	var cause error
	select {
	case cause = <-c.over:
	case <-time.After(2 * soon):
		require.Fail(t, "the call does not end")
	}
	require.Eventually(t, func() bool {
		e.registry.mu.Lock()
		defer e.registry.mu.Unlock()
		return len(e.registry.legs)+len(e.registry.early)+len(e.registry.arriving)+len(e.registry.dialing) == 0
	}, soon, testT1)
	close(stop)
	<-done
	return cause
}

func TestWhateverHappensToAnIncomingCallAtAnyStageItIsReleased(t *testing.T) {
	checkLeaks(t)
	events := map[string]event{
		"CANCEL, then BYE": func(t *testing.T, e *testEndpoint, c *staged) {
			c.p.request(e.udp(), request{method: "CANCEL", branch: "z9hG4bKc"})
			c.p.request(e.udp(), request{method: "BYE", seq: c.next(), toTag: c.tag})
		},
		"BYE": func(t *testing.T, e *testEndpoint, c *staged) {
			c.p.request(e.udp(), request{method: "BYE", seq: c.next(), toTag: c.tag})
		},
		"re-INVITE without ACK, then BYE": func(t *testing.T, e *testEndpoint, c *staged) {
			c.p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKx", seq: c.next(), toTag: c.tag, body: testOffer2})
			c.p.request(e.udp(), request{method: "BYE", seq: c.next(), toTag: c.tag})
		},
		"UPDATE, then BYE": func(t *testing.T, e *testEndpoint, c *staged) {
			c.p.request(e.udp(), request{method: "UPDATE", seq: c.next(), toTag: c.tag, body: testOffer2})
			c.p.request(e.udp(), request{method: "BYE", seq: c.next(), toTag: c.tag})
		},
		"we hang up": func(t *testing.T, e *testEndpoint, c *staged) {
			e.stop()
			if c.leg != nil {
				_ = c.leg.Bye(t.Context(), "")
			}
		},
		"the caller dies and we hang up": func(t *testing.T, e *testEndpoint, c *staged) {
			_ = c.p.packets.Close()
			e.stop()
			if c.leg != nil {
				_ = c.leg.Bye(t.Context(), "")
			}
		},
	}
	for event, happen := range events {
		for at, s := range stages {
			t.Run(fmt.Sprint(event, " at ", at), func(t *testing.T) {
				t.Parallel()
				checked.Store(t, true) // leaks are looked for after all of them
				e, c := stageCall(t, s)
				happen(t, e, c)
				require.Error(t, c.released(t, e, event != "the caller dies and we hang up"))
			})
		}
	}
}

func TestAnACKThatNeverComesEndsTheCallAtEveryStageThatNeedsOne(t *testing.T) {
	for at, s := range map[string]stage{"the answer": unacked, "its re-INVITE": changed} {
		t.Run(at, func(t *testing.T) {
			e, c := stageCall(t, s)
			require.ErrorIs(t, c.released(t, e, true), ErrNoACK)
		})
	}
	t.Run("a PRACK", func(t *testing.T) {
		e, c := stageCall(t, reliably)
		require.ErrorIs(t, c.released(t, e, true), ErrNoPRACK)
	})
}

// The stages of a call that we make, as far as the target has taken it.
func TestWhateverHappensToADialedCallAtAnyStageItIsReleased(t *testing.T) {
	checkLeaks(t)
	rel := []string{"Require: 100rel", "RSeq: 1"}
	steps := map[string]func(p *peer, inv received){
		"silence": func(*peer, received) {},
		"trying":  func(p *peer, inv received) { p.respond(inv, "100 Trying", reply{}) },
		"ringing": func(p *peer, inv received) { p.respond(inv, "180 Ringing", reply{tag: "callee"}) },
		"183 without our PRACK answered": func(p *peer, inv received) {
			p.respond(inv, "183 Session Progress", reply{tag: "callee", body: testAnswer, headers: rel})
			p.until("PRACK")
		},
		"183 with our PRACK answered": func(p *peer, inv received) {
			p.respond(inv, "183 Session Progress", reply{tag: "callee", body: testAnswer, headers: rel})
			p.respond(p.until("PRACK"), "200 OK", reply{})
		},
		"answered": func(p *peer, inv received) {
			p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer})
			p.until("ACK")
		},
	}
	ends := map[string]func(p *peer, inv received, cancel context.CancelFunc){
		"we give up": func(_ *peer, _ received, cancel context.CancelFunc) { cancel() },
		"it refuses": func(p *peer, inv received, _ context.CancelFunc) {
			p.respond(inv, "486 Busy Here", reply{tag: "callee"})
		},
		"its answer and our end cross": func(p *peer, inv received, cancel context.CancelFunc) {
			p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer})
			cancel()
		},
		"it dies": func(p *peer, _ received, _ context.CancelFunc) { _ = p.packets.Close() },
		"its BYE": func(p *peer, inv received, cancel context.CancelFunc) {
			p.request(inv.from, request{method: "BYE", callID: inv.get("Call-ID"), fromTag: "callee", toTag: inv.tag("From"), seq: 1})
			cancel()
		},
		"its re-INVITE and our end": func(p *peer, inv received, cancel context.CancelFunc) {
			p.request(inv.from, request{method: "INVITE", callID: inv.get("Call-ID"), fromTag: "callee", toTag: inv.tag("From"), seq: 1, body: testOffer2})
			cancel()
		},
	}
	for how, end := range ends {
		for at, step := range steps {
			t.Run(how+" at "+at, func(t *testing.T) {
				t.Parallel()
				checked.Store(t, true) // leaks are looked for after all of them
				e := start(t, Handler{})
				p := udpPeer(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				got := dial(ctx, e, Invite{Target: p.target(), Extensions: Extensions{Reliable: ReliableIfSupported}, FirstResponse: soon / 10, Answer: soon / 10,
					InDialog: InDialog{Offer: func([]byte) ([]byte, error) { return []byte(testAnswer), nil }}})
				inv := p.expect("INVITE")
				step(p, inv)
				end(p, inv, cancel)
				stop, gone := make(chan struct{}), make(chan struct{})
				go func() { defer close(gone); polite(p, how != "it dies", inv, stop) }()
				d := receive(t, got)
				if d.err == nil {
					_ = d.leg.Bye(context.Background(), "")
				}
				require.Eventually(t, func() bool {
					e.registry.mu.Lock()
					defer e.registry.mu.Unlock()
					return len(e.registry.legs)+len(e.registry.dialing)+len(e.registry.early) == 0
				}, soon, testT1)
				e.shutdown()
				close(stop)
				<-gone
				assert.Empty(t, e.registry.inboxes)
			})
		}
	}
}

// polite answers BYE and CANCEL, and the INVITE that is cancelled, until it is
// stopped.
func polite(p *peer, alive bool, inv received, stop <-chan struct{}) {
	for alive {
		select {
		case <-stop:
			return
		default:
		}
		m, ok := p.next(testT1)
		switch {
		case !ok:
		case strings.HasPrefix(m.start, "BYE "):
			p.respond(m, "200 OK", reply{})
		case strings.HasPrefix(m.start, "CANCEL "):
			p.respond(m, "200 OK", reply{})
			p.respond(inv, "487 Request Terminated", reply{tag: "callee"})
		}
	}
}
