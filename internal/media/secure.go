package media

import "net/netip"

// SealedSink seals packets for a [Sink] that has keys of its own, such as a
// recorder. One tap feeds it.
func SealedSink(s *Sealer, next Sink) Sink { return &sealedSink{sealer: s, next: next} }

type sealedSink struct {
	sealer *Sealer
	next   Sink
	room   scratch // owned by the tap
}

func (s *sealedSink) Send(packet []byte, codec Codec) bool {
	sealed, err := s.sealer.seal(s.room[:copy(s.room[:maxPacket], packet)])
	return err == nil && s.next.Send(sealed, codec)
}

// unsealing is how the reading side of a stream gets from one key to the next.
// Owned by who reads the socket.
type unsealing struct{ now, before *Opener }

// open opens a packet under the key that is agreed, or, until the first packet
// comes under it, under the one before: what was on its way while the key
// changed is not lost.
func (u *unsealing) open(agreed *Opener, sealed []byte) ([]byte, bool) {
	if agreed != u.now {
		u.before, u.now = u.now, agreed
	}
	plain, ok := agreed.open(sealed)
	switch {
	case ok:
		u.before = nil
	case u.before != nil:
		return u.before.open(sealed)
	}
	return plain, ok
}

// unseal opens a datagram that may be the far end's. Where a packet comes from
// is looked at first, because that is cheap, and learned last, from authentic
// packets only.
func (s *Stream) unseal(far *agreement, data []byte, from netip.AddrPort) ([]byte, bool) {
	if !s.source.possible(far, from) {
		s.in.source.Add(1)
		return nil, false
	}
	plain, ok := s.unsealing.open(far.Open, data)
	if !ok {
		s.in.sealed.Add(1)
	}
	return plain, ok
}

// possible reports whether accept could say yes to a packet from there.
func (s *source) possible(a *agreement, from netip.AddrPort) bool {
	if s.route == a.route && s.locked.IsValid() {
		return from == s.locked
	}
	return from.Addr() == a.Addr.Addr() || from.Addr() == a.Signalled
}

// transmit sends a packet, sealed if that is agreed. The holder of the token
// calls it, with room behind the packet.
func (s *Stream) transmit(to *agreement, packet []byte, destination *target) error {
	s.out.octets.Add(uint64(len(packet) - headerSize))
	if to.Seal != nil {
		sealed, err := to.Seal.seal(packet)
		if err != nil {
			return err
		}
		packet = sealed
	}
	return s.rtp.send(packet, destination)
}
