package gateway

import (
	"net/netip"

	"consentgw/internal/limit"
	"consentgw/sip"
)

// doorOf says who may talk to a side. At the trunk's only trunks may: a stranger
// gets 403, and after repeated abuse nothing. Nothing is kept of what he sends.
func (g *Gateway) doorOf(side string) sip.Admission {
	if side != "trunk" {
		return sip.Admission{}
	}
	return sip.Admission{Admit: g.admit, Phrase: "Unknown trunk", Refused: g.refused}
}

// admit is asked in the goroutines that read the sockets.
func (g *Gateway) admit(src netip.AddrPort, _ string) sip.Verdict {
	switch g.calls.InForce().Stranger(src.Addr(), g.opt.Now()) {
	case limit.Refuse:
		return sip.Refuse
	case limit.Ignore:
		g.metrics.Silenced()
		return sip.Silence
	}
	return sip.Serve
}

// refused counts what the signalling has refused by itself.
func (g *Gateway) refused(method string) {
	if method == "INVITE" {
		g.metrics.Invite("", "403", "unknown_trunk")
	}
}
