package call

import (
	"errors"
	"fmt"

	"consentgw/internal/sdp"
	"consentgw/sip"
)

// errNoMedia: the answer to our offer came with the ACK and agreed on nothing.
var errNoMedia = errors.New("no media was agreed on")

// begin answers the offer of an INVITE, or makes ours if it had none.
func (p *party) begin(offer *sdp.Session) error {
	if offer != nil {
		return p.accept(offer)
	}
	p.described = sdp.NewOffer(p.local, p.laws).Marshal()
	return nil
}

// agreeLate takes the answer to our offer out of the ACK (RFC 3261 section
// 13.2.1). Without a usable one there is nothing to ask with, and nobody to
// connect.
func (c *Call) agreeLate(leg *sip.Leg) error {
	if err := c.asked.answered(leg.SDP()); err != nil {
		return fmt.Errorf("%w: %w", errNoMedia, err)
	}
	c.preferred(c.asked)
	return nil
}
