package call

import (
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
			err = c.propose(p.running, p, sip.Change{Headers: headers}, byReinvite, p.restate)
		}
		if err != nil && p.running.Err() == nil {
			c.log.Warn("platform not told of the decision by signalling", "error", err)
		}
	})
}
