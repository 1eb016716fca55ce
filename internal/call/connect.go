package call

import (
	"context"
	"errors"
	"strconv"
	"time"

	"consentgw/consent"
	"consentgw/prompts"
	"consentgw/sip"

	"github.com/google/uuid"
)

// connect tells the caller what became of the choice and looks for an agent, if
// that has not begun during the notice. The question is never asked twice,
// however many targets are tried.
//
// The telling comes first, so that neither an agent waits in silence nor the
// first words of a platform are lost under the prompt.
func (c *Call) connect(ctx context.Context) error {
	if err := c.tell(ctx); err != nil {
		return err
	}
	if c.search == nil {
		c.seekAgent(ctx)
	}
	c.wantAgent()
	if c.rec.Outcome != consent.Withdrawn && c.agent.leg == nil {
		c.speak(c.prompt(prompts.Connecting), c.ringback())
	}
	if err := c.until(ctx, c.search.done); err != nil {
		return err
	}
	return c.search.err
}

// tell lets the asked party hear what became of the choice.
func (c *Call) tell(ctx context.Context) error {
	if err := c.until(ctx, c.speak(c.prompt(c.acknowledgement()))); err != nil {
		return err
	}
	if c.rec.Outcome == consent.Withdrawn { // taken back meanwhile, and told so
		return c.until(ctx, c.asked.voice.first)
	}
	return nil
}

// seekAgent begins to dial the platform.
func (c *Call) seekAgent(ctx context.Context) {
	p := c.route.platform
	c.seek(ctx, search{name: p.Name, targets: p.Targets, failoverOn: p.FailoverOn, try: c.reach})
}

// wantAgent lets the caller hear the platform, and be put through to whoever
// answers, or has answered.
func (c *Call) wantAgent() {
	close(c.search.wanted)
	if c.search.early {
		c.hearEarly()
	}
}

// firstResponse is how long a target may stay wholly silent before the next is
// tried. A caller has waited through a notice already.
const firstResponse = 3 * time.Second

// tryPlatform dials one place, and returns when its agent and the caller are
// connected. It runs beside the call's goroutine.
func (c *Call) tryPlatform(ctx context.Context, w way) error {
	var offer []byte
	var told presented
	callID := uuid.NewString()
	if err := c.do(ctx, func() {
		c.rec.Call.Target = w.place
		c.agent.dialog = callID            // it may change its early media (RFC 3311)
		c.rec.Call.PlatformCallID = callID // a platform may ask for the consent while it rings
		c.rec.Note(c.now(), "dialing", w.place)
		c.ringAgain()
		offer = c.agent.offer(c.asked, c.route.trunk.Codecs)
		told = c.present(w.target)
		c.search.said = c.rec.Outcome
		c.publish()
	}); err != nil {
		return err
	}
	leg, err := c.svc.Platform.Dial(ctx, sip.Invite{
		Target: w.uri, Called: w.called, Caller: told.caller, Headers: told.headers, Present: told.present, Offer: offer,
		FirstResponse: c.svc.firstResponse, Answer: c.route.platform.AnswerTimeout,
		Progress: func(code int, body []byte) { c.progress(ctx, code, body) },
		CallID:   callID, InDialog: c.inDialog(c.agent, callID),
		Auth: credentials(w.target), TLS: clientTLS(w.target, w.certified),
		Extensions: sip.Extensions{Reliable: sip.ReliableIfSupported},
	})
	if err != nil {
		return err
	}
	if e := c.do(ctx, func() { err = c.answeredBy(leg) }); e != nil || err != nil {
		dismiss(ctx, leg)
		return errors.Join(e, err)
	}
	return c.putThrough(ctx, leg)
}

// dismiss hangs up on whoever answered and cannot be talked to. The signalling
// sees to the BYE; the next target does not wait for it.
func dismiss(ctx context.Context, leg *sip.Leg) {
	now, cancel := context.WithCancel(ctx)
	cancel()
	leg.Bye(now, "media not agreed")
}

// ringAgain undoes the early media of a target that failed after it: the caller
// hears the ringback tone until the next one has something to say.
func (c *Call) ringAgain() {
	c.search.early = false
	if c.agent.early.Err() == nil {
		return
	}
	c.agent.stream.RelayTo(nil)
	c.agent.early, c.agent.began = context.WithCancel(c.agent.running)
	c.speak(c.ringback())
}

// progress lets early media of the platform through to the caller, but not into
// the question. The agent hears nothing yet.
func (c *Call) progress(ctx context.Context, code int, body []byte) {
	if len(body) == 0 {
		return
	}
	c.do(ctx, func() {
		if err := c.agent.answered(body); err != nil {
			c.log.Warn("early media not usable", "code", strconv.Itoa(code), "error", err)
			return
		}
		c.search.early = true
		if c.search.isWanted() {
			c.hearEarly()
		}
	})
}

func (c *Call) hearEarly() {
	c.agent.stream.RelayTo(c.asked.stream)
	c.agent.began()
}

// answeredBy makes the leg the agent's: close says goodbye to it. An agent who
// was faster than the caller's decision hears a tone until then, and nobody.
func (c *Call) answeredBy(leg *sip.Leg) error {
	if err := c.agent.answered(leg.SDP()); err != nil {
		return err
	}
	c.agent.leg, c.agent.dialog = leg, leg.CallID()
	c.joinSessions(leg)
	if !c.search.isWanted() {
		c.rec.Note(c.now(), "agent_waiting", "")
		c.speakTo(c.agent, c.agent.waitingTone())
		c.publish()
	}
	return nil
}

// putThrough waits until the caller has decided and connects the two: from then
// on the call ends with the agent's leg.
func (c *Call) putThrough(ctx context.Context, leg *sip.Leg) error {
	select {
	case <-c.search.wanted:
	case <-leg.Context().Done():
		left := false // else it was put through, and leaves like any agent
		if err := c.do(ctx, func() {
			if left = !c.search.isWanted(); left {
				c.agentLeft()
			}
		}); err != nil {
			return err
		}
		if left {
			return errLeft
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return c.do(ctx, func() {
		c.follow(c.agent, leg)
		c.join()
	})
}

// join connects the two parties: nobody waits any more.
func (c *Call) join() {
	c.asked.silence()
	c.agent.silence()
	c.agent.began() // no ringback any more
	c.talk()
	c.rec.Call.ConnectedAt = consent.Stamp(c.now())
	c.rec.Note(c.now(), "connected", "")
	if c.search.said != c.rec.Outcome {
		c.inform()
	}
	c.indicate()
	c.publish()
}

// talk lets the asked party and the agent of now hear each other.
func (c *Call) talk() {
	c.heedKeys(c.agent)
	c.agent.stream.RelayTo(c.asked.stream)
	c.asked.stream.RelayTo(c.agent.stream)
	c.align()
	c.passKeys(c.asked, c.agent)
	c.passKeys(c.agent, c.asked)
}

// agentLeft forgets an agent who did not wait for the caller's decision.
func (c *Call) agentLeft() {
	c.agent.leg, c.agent.dialog = nil, ""
	c.agent.silence()
	c.rec.Note(c.now(), "agent_left", "")
	c.publish()
}
