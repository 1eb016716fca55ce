package media

import "net/netip"

// probation is how many packets in sequence a source that was not agreed must
// send before it is believed.
const probation = 3

// source learns where the packets of the far end come from, and then believes
// nobody else until another address is agreed: whoever can guess a port must
// not be able to speak, or to press a key, for the far end ("RTP bleed",
// CVE-2025-53399).
//
// The agreed address is believed at once. Behind a NAT the packets come from
// another port, or from where the signalling comes from: such a source is
// believed after its probation, if the agreed one stayed silent until then.
//
// Owned by who reads the socket.
type source struct {
	route  *route // what is learned about; another one starts anew
	locked netip.AddrPort
	// The source on probation.
	candidate netip.AddrPort
	ssrc      uint32
	next      uint16
	count     int
}

// accept reports whether a packet that came from an address is the far end's.
// Only packets of an agreed payload type move the lock.
func (s *source) accept(a *agreement, from netip.AddrPort, p *packet, agreed bool) bool {
	if s.route != a.route {
		*s = source{route: a.route}
	}
	if s.locked.IsValid() {
		return from == s.locked
	}
	switch {
	case from != a.Addr && from != a.route.before:
	case !agreed:
		return true
	case from == a.Addr:
		s.lock(&a.route.agreed)
		return true
	default:
		s.lock(a.route.locked.Load()) // there since the rounds before
		return true
	}
	if from.Addr() != a.Addr.Addr() && from.Addr() != a.Signalled || !agreed {
		return false
	}
	if from == s.candidate && p.ssrc == s.ssrc && p.seq == s.next {
		s.count++
	} else {
		s.candidate, s.ssrc, s.count = from, p.ssrc, 1
	}
	s.next = p.seq + 1
	if s.count < probation {
		return false
	}
	learned := newTarget(from)
	s.lock(&learned)
	return true
}

func (s *source) lock(t *target) {
	s.locked = t.addr
	s.route.locked.Store(t)
}
