package call

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"consentgw/consent"
	"consentgw/sip"
)

// byeWait bounds the wait for the answers to our BYEs. The signalling repeats a
// BYE for as long as the standard asks, with or without us.
const byeWait = 2 * time.Second

// close ends whatever is still up, in the order that the law asks for: first
// the copies, then the call, then the evidence. It runs once, on the call's
// goroutine, whatever brought the call here, a panic included.
func (c *Call) close(why error) {
	close(c.over)
	if c.transfer != nil {
		c.transfer.stop() // its INVITE is cancelled at once
	}
	at, cause := c.now(), endCause(why, c.calling().name)
	for _, part := range []func(){
		c.stopTape,
		func() { c.hangUp(why, cause) },
		c.hush,
		c.closeRecordings,
		c.measure,
		func() { c.complete(at, cause) },
	} {
		c.guard(part) // a part that fails does not keep the next from its work
	}
	c.svc.leave(c)
	close(c.gone)
}

// hush ends the media and everything that runs beside the call.
func (c *Call) hush() {
	for _, p := range c.parties() {
		p.stop()
	}
	c.work.Wait()
	for _, p := range c.parties() {
		p.hush()
	}
}

// parties are all there are and were.
func (c *Call) parties() []*party {
	all := append([]*party{c.asked, c.agent}, c.former...)
	if c.transfer != nil {
		all = append(all, c.transfer.next)
	}
	return all
}

// complete writes the last version of the record. at is when the call ended,
// however long the goodbyes took.
func (c *Call) complete(at time.Time, cause string) {
	if c.agent.leg == nil && c.route.carrier == nil {
		c.rec.Call.PlatformCallID = "" // it rang, at most
	}
	c.rec.End(at, cause)
	c.publish()
	seconds := at.Sub(c.rec.Call.InvitedAt).Seconds()
	c.svc.Metrics.CallEnded(c.route.trunk.Name, string(c.rec.Outcome), seconds)
	c.log.Info("call ended", "cause", cause, "outcome", string(c.rec.Outcome), "seconds", seconds)
}

// hangUp says goodbye on both legs at once. Why one of them left is passed on to
// the other, as far as it is fit for others' ears.
func (c *Call) hangUp(why error, cause string) {
	goodbye := func(ctx context.Context, leg *sip.Leg) error { return leg.Bye(ctx, cause) }
	var bye *sip.ByeError
	if errors.As(why, &bye) {
		if reason := sip.PlainReason(bye.Header); reason != "" {
			goodbye = func(ctx context.Context, leg *sip.Leg) error { return leg.ByeFor(ctx, reason) }
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), byeWait)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range c.parties() {
		if p.leg != nil {
			wg.Go(func() { goodbye(ctx, p.leg) })
		}
	}
	wg.Wait()
}

// endCause is why the call ended, in words for the record and the other leg. by is
// who called: before the answer is acknowledged there is nobody else.
func endCause(err error, by string) string {
	var gone *legEnded
	var bye *sip.ByeError
	var silent *vanished
	var status *sip.StatusError
	if errors.As(err, &gone) {
		by = gone.by
	}
	switch {
	case errors.Is(err, errNoMedia):
		return by + " agreed on no media"
	case errors.Is(err, errUnreached):
		return unreached(err)
	case errors.Is(err, errNoTarget): // for whatever reasons
		return "no target answered"
	case errors.Is(err, sip.ErrNoACK):
		return by + " did not acknowledge"
	case errors.As(err, &bye):
		return by + " hung up"
	case errors.As(err, &silent):
		return silent.Error()
	case errors.Is(err, sip.ErrExpired):
		return by + " was lost: the session expired"
	case gone != nil && errors.As(err, &status):
		return by + " was lost: the dialog is unknown there (" + strconv.Itoa(status.Code) + ")"
	case gone != nil:
		return by + " was lost"
	case errors.Is(err, sip.ErrCancelled):
		return by + " cancelled"
	case errors.Is(err, errMedia):
		return errMedia.Error()
	case errors.Is(err, errHungUpByAPI), errors.Is(err, errPanic), errors.Is(err, errNoTransfer):
		return err.Error()
	case errors.Is(err, context.Canceled):
		return "gateway stopping"
	}
	return "signalling failed"
}

// measure hands the packet counts of the call to the metrics.
func (c *Call) measure() {
	m := c.svc.Metrics
	for _, p := range c.parties() {
		s := p.stream.Stats()
		m.RTP(p.name, "in", s.Received)
		m.RTP(p.name, "out", s.Sent)
		m.RTPDropped(p.name, "source", s.DroppedSource)
		m.RTPDropped(p.name, "malformed", s.DroppedMalformed)
		m.RTPDropped(p.name, "displaced", s.Displaced)
		m.RTPDropped(p.name, "srtp", s.DroppedSRTP)
		if q := p.stream.Quality(); q.Expected > 0 {
			m.Quality(p.name, q.Loss(), q.Jitter.Seconds(), q.RoundTrip.Seconds(), q.MOS())
		}
	}
	for _, r := range c.rec.Recordings {
		m.Forked(r.Recorder, r.Caller.Packets+r.Agent.Packets, r.Caller.Lost+r.Agent.Lost)
	}
	for _, o := range c.tape.open {
		counts := o.gate.Counts()
		m.Blocked(blockedReason(c.rec), counts.Blocked)
		m.Violations(counts.Violations)
	}
}

func blockedReason(r *consent.Record) string {
	if r.Outcome == consent.Withdrawn {
		return "withdrawn"
	}
	return "paused"
}
