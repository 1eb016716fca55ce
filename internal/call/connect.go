package call

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/target"
	"consentgw/prompts"
	"consentgw/sip"

	"github.com/google/uuid"
)

// connect tells the caller what became of the choice, then dials the platform:
// the first target that answers, by priority and weight. The question is never
// asked twice, however many targets are tried.
//
// The telling comes first, so that neither an agent waits in silence nor the
// first words of a platform are lost under the prompt.
func (c *Call) connect(ctx context.Context) error {
	told := c.speak(c.prompt(c.acknowledgement()))
	if err := c.until(ctx, told); err != nil {
		return err
	}
	if c.rec.Outcome != consent.Withdrawn {
		c.speak(c.prompt(prompts.Connecting), c.ringback())
	} else if err := c.until(ctx, c.voice.first); err != nil { // taken back meanwhile, and told so
		return err
	}
	dialing, stop := context.WithCancel(ctx)
	defer stop()
	dialed := make(chan struct{})
	var err error
	c.beside(func() {
		defer close(dialed)
		err = c.dial(dialing)
	})
	if cause := c.until(ctx, dialed); cause != nil {
		stop()
		<-dialed
		return cause
	}
	if err != nil {
		return err
	}
	c.silence()
	return nil
}

// consentHeaders tell the platform what was decided (design 5.3). They never
// carry a number.
func (c *Call) consentHeaders() []sip.Header {
	recording := "off"
	if c.tape.permit.Valid() && len(c.route.recorders) > 0 {
		recording = "on"
	}
	headers := []sip.Header{
		{Name: "X-Consent-Status", Value: string(c.rec.Outcome.Header())},
		{Name: "X-Consent-Id", Value: string(c.id)},
		{Name: "X-Consent-Outcome", Value: string(c.rec.Outcome)},
		{Name: "X-Recording", Value: recording},
		{Name: "X-CID", Value: c.rec.Call.TrunkCallID},
	}
	if c.rec.Notice.Language != "" {
		headers = append(headers, sip.Header{Name: "X-Consent-Language", Value: c.rec.Notice.Language})
	}
	return headers
}

// dial tries the targets in turn. It runs beside the call's goroutine and
// touches nothing of the call but through the inbox.
func (c *Call) dial(ctx context.Context) error {
	var failures []error
	began := c.now()
	for _, t := range c.route.platform.Targets.Order(began) {
		err := c.try(ctx, t)
		if err == nil {
			t.Answered(c.now())
			c.svc.Metrics.Setup(c.now().Sub(c.rec.Call.InvitedAt).Seconds())
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		failures = append(failures, err)
		word := failureWord(err)
		c.log.Warn("target failed", "target", t.URI(), "reason", word)
		if !c.route.platform.FailoverOn.Has(failureCode(err)) {
			t.Answered(c.now())
			break
		}
		t.Failed(c.now())
		c.svc.Metrics.Failover(c.route.platform.Name, word)
	}
	return fmt.Errorf("%w: %w", errNoTarget, errors.Join(failures...))
}

// firstResponse is how long a target may stay wholly silent before the next is
// tried. A caller has waited through a notice already.
const firstResponse = 3 * time.Second

func (c *Call) try(ctx context.Context, t *target.Hop) error {
	var offer []byte
	var headers []sip.Header
	callID := uuid.NewString()
	if err := c.do(ctx, func() {
		c.rec.Call.Target = t.URI()
		c.rec.Call.PlatformCallID = callID // a platform may ask for the consent while it rings
		c.rec.Note(c.now(), "dialing", t.URI())
		c.ringAgain()
		offer = c.agent.offer(c.asked.agreed)
		headers = c.consentHeaders() // as things stand now: it may have been withdrawn
		c.publish()
	}); err != nil {
		return err
	}
	leg, err := c.svc.Platform.Dial(ctx, sip.Invite{
		Target: t.URI(), Called: c.route.to, Caller: c.route.from, Headers: headers, Offer: offer,
		FirstResponse: firstResponse, Answer: c.route.platform.AnswerTimeout,
		Progress: func(code int, body []byte) { c.progress(ctx, code, body) },
		CallID:   callID, InDialog: c.inDialog(c.agent, callID),
		Auth: credentials(t.Target), TLS: clientTLS(t.Target),
	})
	if err != nil {
		return err
	}
	if e := c.do(ctx, func() { err = c.answeredBy(leg) }); e != nil || err != nil {
		now, cancel := context.WithCancel(ctx)
		cancel() // the signalling sees to the BYE; the next target does not wait for it
		leg.Bye(now, "media not agreed")
		return errors.Join(e, err)
	}
	return nil
}

// ringAgain undoes the early media of a target that failed after it: the caller
// hears the ringback tone until the next one has something to say.
func (c *Call) ringAgain() {
	if c.agent.early.Err() == nil {
		return
	}
	c.agent.stream.RelayTo(nil)
	c.agent.early, c.agent.began = context.WithCancel(c.agent.running)
	c.speak(c.ringback())
}

// progress lets early media of the platform through to the caller. The agent
// hears nothing yet.
func (c *Call) progress(ctx context.Context, code int, body []byte) {
	if len(body) == 0 {
		return
	}
	c.do(ctx, func() {
		if err := c.agent.answered(body); err != nil {
			c.log.Warn("early media not usable", "code", strconv.Itoa(code), "error", err)
			return
		}
		c.agent.stream.RelayTo(c.asked.stream)
		c.agent.began()
	})
}

// answeredBy makes the leg the agent's. From here on the call ends with it, and
// close says goodbye to it.
func (c *Call) answeredBy(leg *sip.Leg) error {
	if err := c.agent.answered(leg.SDP()); err != nil {
		return err
	}
	c.follow(c.agent, leg)
	c.rec.Call.ConnectedAt = consent.Stamp(c.now())
	c.rec.Note(c.now(), "connected", "")
	c.publish()
	return nil
}

// failureCode is the SIP status that a target refused with, or 0 if it is dead
// or silent. A busy or declining one is an answer of the platform, and no reason
// to try another: see [config.FailoverOn].
func failureCode(err error) int {
	var status *sip.StatusError
	if errors.As(err, &status) {
		return status.Code
	}
	return 0
}

func failureWord(err error) string {
	var status *sip.StatusError
	switch {
	case errors.As(err, &status):
		return strconv.Itoa(status.Code)
	case errors.Is(err, sip.ErrSilent):
		return "silent"
	case errors.Is(err, sip.ErrNoAnswer):
		return "no_answer"
	case errors.Is(err, sip.ErrUnreachable):
		return "unreachable"
	}
	return "failed"
}

// credentials are what a target's challenge is answered with; nil: nothing.
func credentials(t config.Target) *sip.Credentials {
	if t.Auth == nil {
		return nil
	}
	return &sip.Credentials{Username: t.Auth.Username, Password: string(t.Auth.Password)}
}

// clientTLS is what a connection to a target shows and trusts; nil: no
// certificate, and the authorities of the platform's side.
func clientTLS(t config.Target) *sip.ClientTLS {
	if t.TLS == nil {
		return nil
	}
	return &sip.ClientTLS{CertFile: t.TLS.Cert, KeyFile: t.TLS.Key, CAFile: t.TLS.CA}
}
