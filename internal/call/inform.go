package call

import (
	"context"
	"errors"

	"consentgw/sip"
)

// inform tells the platform what has been decided since its leg was set up, by
// an UPDATE that changes nothing else (RFC 3311 section 5.1), or by a re-INVITE
// with the media as they are if the platform takes no UPDATE. The call does not
// wait for it, and the API tells in any case.
func (c *Call) inform() {
	p, headers := c.agent, c.consentHeaders()
	leg := p.leg
	c.beside(func() {
		_, err := leg.UpdateWith(p.running, sip.Change{Headers: headers})
		if errors.Is(err, sip.ErrNotAllowed) {
			err = c.reinvite(p.running, p, leg, headers)
		}
		if err != nil && p.running.Err() == nil {
			c.log.Warn("platform not told of the decision by signalling", "error", err)
		}
	})
}

// reinvite describes our media to p as they are.
func (c *Call) reinvite(ctx context.Context, p *party, leg *sip.Leg, headers []sip.Header) error {
	var offer []byte
	var err error
	if e := c.do(ctx, func() { offer, err = p.offerAnew() }); e != nil || err != nil {
		return errors.Join(e, err)
	}
	answer, err := leg.ReinviteWith(ctx, sip.Change{Offer: offer, Headers: headers})
	if err != nil {
		return err
	}
	e := c.do(ctx, func() { err = c.change(p, func() error { return p.answered(answer) }) })
	return errors.Join(e, err)
}
