package call

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"consentgw/consent"
	"consentgw/internal/sdp"
	"consentgw/internal/target"
	"consentgw/sip"

	"github.com/google/uuid"
)

// outbound is the story of a call from a platform to a trunk. It is the callee
// who is asked, once there is one; the agent waits meanwhile, and neither hears
// the other.
func (c *Call) outbound(ctx context.Context, in *sip.Incoming) error {
	if err := c.callOut(ctx, in); err != nil {
		return err
	}
	if err := c.answerAgent(ctx, in); err != nil {
		return err
	}
	decision, err := c.ask(ctx)
	c.commit(decision)
	if err != nil {
		return err
	}
	if err := c.tell(ctx); err != nil {
		return err
	}
	c.join()
	return c.bridge(ctx)
}

// errUnreached: no callee answered.
var errUnreached = errors.New("not reached")

// callOut dials the trunk until somebody answers, while the agent hears what the
// trunk has to say. Without an answer the agent's INVITE gets the reason, and
// nobody has been asked.
func (c *Call) callOut(ctx context.Context, in *sip.Incoming) error {
	c.listen(c.asked)
	c.listen(c.agent)
	in.SetEarly(sip.Early{SessionID: c.rec.Call.Signalled.Sessions.Gateway})                // if it is too late, Answer says why
	given := context.AfterFunc(in.Context(), func() { c.end(context.Cause(in.Context())) }) // by a CANCEL, for one
	defer given()
	t := c.route.carrier
	c.seek(ctx, search{name: t.Name, targets: t.Targets, failoverOn: t.FailoverOn,
		try: func(ctx context.Context, t *target.Hop) error { return c.tryTrunk(ctx, t, in) }})
	close(c.search.wanted) // whoever answers is to be asked at once
	err := c.until(ctx, c.search.done)
	if err == nil && c.search.err != nil {
		err = fmt.Errorf("%w: %w", errUnreached, c.search.err)
	}
	if err != nil {
		c.commit(consent.Undecided(c.now(), consent.NotAsked))
		code, reason := passedOn(err)
		if e := in.Reject(code, reason); e != nil {
			c.log.Debug("refusal not sent", "error", e)
		}
	}
	return err
}

// tryTrunk dials one target of the trunk, and returns when the callee has
// answered. It runs beside the call's goroutine. The trunk is told the numbers and
// nothing of the platform.
func (c *Call) tryTrunk(ctx context.Context, t *target.Hop, in *sip.Incoming) error {
	var offer []byte
	var callID string
	var told presented
	if err := c.do(ctx, func() {
		if c.rec.Call.Target != "" { // not the first
			c.rec.Call.TrunkCallID = uuid.NewString()
		}
		callID = c.rec.Call.TrunkCallID
		c.rec.Call.Target = t.URI()
		c.asked.dialog = callID
		c.asked.stream.RelayTo(nil) // early media of a target that failed after it
		c.rec.Note(c.now(), "dialing", t.URI())
		offer = c.asked.offer(c.agent, c.route.trunk.Codecs, sdp.Event8000()) // keys, whatever the agent can send
		told = c.presentToTrunk(t.Target)
		c.publish()
	}); err != nil {
		return err
	}
	leg, err := c.svc.Trunk.Dial(ctx, sip.Invite{
		Target: t.URI(), Called: c.route.to, Caller: told.caller, Present: told.present, Offer: offer,
		FirstResponse: c.svc.firstResponse, Answer: c.route.carrier.AnswerTimeout,
		Progress: func(code int, body []byte) { c.passProgress(ctx, in, code, body) },
		CallID:   callID, InDialog: c.inDialog(c.asked, callID),
		Auth: credentials(t.Target), TLS: clientTLS(t.Target, t.ServerName()),
		Extensions: sip.Extensions{Reliable: sip.ReliableIfSupported, Heard: func(from netip.Addr) { c.calleeHeard(ctx, from) }},
	})
	if err != nil {
		return err
	}
	if e := c.do(ctx, func() { err = c.calleeAnswered(leg) }); e != nil || err != nil {
		dismiss(ctx, leg)
		return errors.Join(e, err)
	}
	return nil
}

// calleeHeard notes from where else than SDP says media of the callee may come, if
// its trunk is behind a NAT: from where its signalling comes.
func (c *Call) calleeHeard(ctx context.Context, from netip.Addr) {
	if c.route.trunk.NAT {
		c.do(ctx, func() { c.asked.signalled = from })
	}
}

// passProgress lets the agent hear how far the call has come: that it rings, or
// what the trunk plays. The callee hears nothing yet.
func (c *Call) passProgress(ctx context.Context, in *sip.Incoming, code int, body []byte) {
	var described []byte
	if len(body) > 0 {
		c.do(ctx, func() {
			if err := c.asked.answered(body); err != nil {
				c.log.Warn("early media not usable", "code", code, "error", err)
				return
			}
			c.asked.stream.RelayTo(c.agent.stream)
			described = c.agent.described
		})
	}
	reason := "Session Progress"
	if code == 180 {
		reason = "Ringing"
	}
	if err := in.Progress(code, reason, described); err != nil {
		c.log.Debug("progress not passed on", "code", code, "error", err)
	}
}

// calleeAnswered makes the leg the callee's, who is not heard from here on until
// the decision.
func (c *Call) calleeAnswered(leg *sip.Leg) error {
	c.asked.stream.RelayTo(nil)
	if err := c.asked.answered(leg.SDP()); err != nil {
		return err
	}
	c.follow(c.asked, leg)
	c.rec.Call.AnsweredAt = consent.Stamp(c.now())
	c.rec.Note(c.now(), "answered", "")
	c.publish()
	return nil
}

// answerAgent answers the platform's INVITE. From here on the agent hears the
// waiting tone until the callee has decided.
func (c *Call) answerAgent(ctx context.Context, in *sip.Incoming) error {
	c.agent.began() // no ringback for a callee
	leg, err := c.pickUp(ctx, in, c.agent, c.consentHeaders()...)
	if err != nil {
		return err
	}
	c.follow(c.agent, leg)
	c.speakTo(c.agent, c.agent.waitingTone())
	c.rec.Note(c.now(), "agent_waiting", "")
	c.publish()
	return nil
}

// passedOn is what the agent's INVITE is refused with after nobody answered: what
// the trunk said of the callee, but nothing of what is between the trunk and us.
func passedOn(err error) (code int, reason string) {
	switch code = failureCode(err); {
	case !errors.Is(err, errUnreached):
		return 480, "Call ended by the gateway"
	case errors.Is(err, sip.ErrNoAnswer):
		return 408, "No answer"
	case code == 401, code == 407, code < 400:
		return 503, "The trunk does not take the call"
	}
	return code, "Refused by the trunk"
}

// unreached is why nobody answered, in words for the record.
func unreached(err error) string {
	switch failureCode(err) {
	case 486, 600:
		return "callee was busy"
	case 603, 607, 608:
		return "callee declined"
	case 404, 410, 484, 604:
		return "called number not reachable"
	case 408, 480, 487:
		return "callee did not answer"
	}
	if errors.Is(err, sip.ErrNoAnswer) {
		return "callee did not answer"
	}
	return "trunk did not take the call"
}
