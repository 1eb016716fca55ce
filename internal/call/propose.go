package call

import (
	"context"
	"errors"

	"consentgw/sip"
)

// propose makes an offer of ours to a party that we talk to, and takes its answer.
// Every offer in a dialog of ours goes through here: sip lets one exchange at a
// time through, whichever side began it, so describe, which runs on the call's
// goroutine, starts from what is in force, and again after a collision (RFC 3261
// section 14.1); the answer is in force before the next exchange begins. If there
// is none, nothing has changed. It runs beside the call's goroutine.
func (c *Call) propose(ctx context.Context, p *party, change sip.Change, send sender, describe func() ([]byte, error)) error {
	var leg *sip.Leg
	if err := c.do(ctx, func() { leg = p.leg }); err != nil {
		return err
	}
	if leg == nil {
		return errNotUp
	}
	var before []byte
	change.Describe = func() (offer []byte, err error) {
		e := c.do(ctx, func() {
			before = p.described
			offer, err = describe()
		})
		return offer, errors.Join(e, err)
	}
	change.Conclude = func(answer []byte, err error) error {
		e := c.do(p.running, func() { // also if ctx is over: the next offer starts from it
			if err == nil {
				err = c.change(p, func() error { return p.answered(answer) })
			}
			if err != nil {
				p.described = before
			}
		})
		return errors.Join(e, err)
	}
	_, err := send(leg, ctx, change)
	return err
}

// sender is how an offer is sent.
type sender func(leg *sip.Leg, ctx context.Context, change sip.Change) ([]byte, error)

func byReinvite(leg *sip.Leg, ctx context.Context, change sip.Change) ([]byte, error) {
	return leg.ReinviteWith(ctx, change)
}

// byUpdate sends an UPDATE, or a re-INVITE to a party that takes no UPDATE.
func byUpdate(leg *sip.Leg, ctx context.Context, change sip.Change) ([]byte, error) {
	answer, err := leg.UpdateWith(ctx, change)
	if errors.Is(err, sip.ErrNotAllowed) {
		return leg.ReinviteWith(ctx, change)
	}
	return answer, err
}
