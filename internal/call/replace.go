package call

import (
	"context"
	"net/netip"

	"consentgw/sip"
)

// Replace serves an INVITE of the platform's side that is to take the place of
// an agent (RFC 3891), to its end. It reports false for any other INVITE, which
// it leaves alone.
func (s *Service) Replace(ctx context.Context, in *sip.Incoming) bool {
	replaces, err := in.Replaces()
	if err != nil {
		in.Reject(400, "Malformed Replaces")
		return true
	}
	if replaces == nil {
		return false
	}
	var c *Call
	leg := s.Platform.Leg(replaces.CallID, replaces.ToTag, replaces.FromTag)
	if leg != nil {
		c = s.find(leg.CallID())
	}
	if c == nil {
		in.Reject(481, "Call/Transaction Does Not Exist")
		return true
	}
	j := c.route
	if j.auth = j.platform.Auth; !s.proven(in, j) {
		return true
	}
	c.replacedBy(ctx, in, leg, replaces.EarlyOnly)
	return true
}

// replacedBy answers an INVITE that is to take over leg, and waits for the end of
// its dialog. It runs on the goroutine of the INVITE.
func (c *Call) replacedBy(ctx context.Context, in *sip.Incoming, leg *sip.Leg, earlyOnly bool) {
	offer, refused := readOffer(in.Offer())
	if refused != nil {
		in.Reject(refused.code, refused.reason)
		return
	}
	var next *party
	var headers []sip.Header
	code := 481
	c.do(ctx, func() {
		next, code = c.admitReplacement(in, leg, earlyOnly)
		if code != 0 {
			return
		}
		if next.begin(offer) != nil {
			c.transferFailed(next, errNoMedia)
			code = 488
			return
		}
		next.dialog, headers = in.CallID(), c.consentHeaders()
		c.transfer.said = c.rec.Outcome
	})
	if code != 0 {
		in.Reject(code, replaceReason(code))
		return
	}
	taken, err := in.Answer(ctx, next.described, c.inDialog(next, in.CallID()), headers...)
	if err != nil {
		c.do(ctx, func() { c.transferFailed(next, err) })
		return
	}
	if e := c.do(ctx, func() { err = c.takeOver(next, taken, in) }); e != nil || err != nil {
		dismiss(ctx, taken)
		c.do(ctx, func() { c.transferFailed(next, errNoMedia) })
		return
	}
	select {
	case <-taken.Context().Done():
	case <-ctx.Done():
	case <-c.gone:
	}
}

// replaceReason says why an INVITE with Replaces is refused.
func replaceReason(code int) string {
	switch code {
	case 403:
		return "Not a target of this platform"
	case 481:
		return "Call/Transaction Does Not Exist"
	case 486:
		return "Answered already"
	case 488:
		return "No common codec"
	case 491:
		return "A transfer is in progress"
	case 603:
		return "Transfers are not allowed"
	}
	return "No media ports left"
}

// admitReplacement judges the INVITE as refer judges a REFER.
func (c *Call) admitReplacement(in *sip.Incoming, leg *sip.Leg, earlyOnly bool) (*party, int) {
	platform := c.route.platform
	_, known := platform.Targets.Lead("sip:"+hostForm(in.Source().Addr()), platform.Transfers.To)
	switch {
	case !known:
		return nil, 403
	case !c.connected() || c.agent.leg != leg:
		return nil, 481
	case !c.mayTransfer(c.agent):
		return nil, 603
	case earlyOnly:
		return nil, 486
	case c.transfer != nil:
		return nil, 491
	case len(c.former) >= maxTransfers:
		return nil, 603
	}
	return c.beginTransfer("by Replaces")
}

// takeOver makes the party of an INVITE with Replaces the agent.
func (c *Call) takeOver(next *party, leg *sip.Leg, in *sip.Incoming) error {
	if in.Offer() == nil {
		if err := next.answered(leg.SDP()); err != nil {
			return err
		}
	}
	c.replaceAgent(next, leg, in.Source().String())
	c.dismissFormer()
	return nil
}

// hostForm is an address as a URI has it.
func hostForm(addr netip.Addr) string {
	if addr = addr.Unmap(); addr.Is6() {
		return "[" + addr.WithZone("").String() + "]"
	}
	return addr.String()
}
