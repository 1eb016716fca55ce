package sdp

import (
	"net/netip"
	"slices"
	"strconv"
)

// Local is our side of a stream.
type Local struct {
	Addr        netip.Addr // named in c= and o=
	Port        int        // RTP; RTCP is on Port+1
	ID, Version uint64     // of o=; a changed description has Version+1 (RFC 3264 8)
	Direction   Direction  // what we want
	Ptime       int        // ms we would like to receive; 0 means 20
	RTCPMux     bool       // we can take RTCP on Port; agreed only if both sides can
	SRTP        SRTP       // whether the stream may or must be encrypted
	Crypto      []Crypto   // ours, best first, one key each; see OurKeys. Without SRTP not used
}

// Agreed is what an offer and its answer settle for the audio stream.
type Agreed struct {
	// Remote is where to send media. Port 0 or an unspecified address (RFC 3264
	// 8.4) means nowhere. Its address is invalid if the far end named a host,
	// nothing, or a multicast or broadcast address: then only the source of its
	// own packets can tell.
	Remote netip.AddrPort
	RTCP   netip.AddrPort // as Remote, for RTCP; equal to Remote if RTCPMux

	Audio   Codec // PT as the far end wants to receive it
	LocalPT uint8 // PT the far end uses toward us for Audio; equal unless remapped
	// Event is telephone-event, PT as the far end wants to receive it; nil if
	// not agreed. Its clock rate is that of Audio whenever such a one is there.
	Event        *Codec
	LocalEventPT uint8 // PT the far end uses toward us for Event

	Send, Receive bool // what we may send and should expect; both false or one of them on hold
	Ptime         int  // ms to put into a packet we make: 10..100, whole tens
	RTCPMux       bool
	SRTP          *Secured // nil: in clear
	Index         int      // which m-line
}

// NewAnswer answers every m-line of offer (RFC 3264 6). The first RTP audio line
// with a codec we support is taken, an encrypted one before those in clear if
// SRTP is on, with the codec its author likes best and a telephone-event, of
// the same clock rate if there is one; all others are refused with port 0. The order
// of supported does not matter beyond what it contains.
//
// ErrNoAudio: no RTP audio line with a port. ErrNoCommonCodec: there is one, but
// no codec fits. ErrNotSecured: it is not encrypted as it would have to be.
func NewAnswer(offer *Session, local Local, supported []Codec) (*Session, Agreed, error) {
	return answer(offer, local, supported, nil)
}

// ReAnswer is NewAnswer for an offer within a call. The codec in use is kept if
// it is still offered, so a player or a relay need not change. An audio line
// with port 0 is taken as a hold, if there is no other.
func ReAnswer(offer *Session, local Local, supported []Codec, inUse Codec) (*Session, Agreed, error) {
	return answer(offer, local, supported, &inUse)
}

func answer(offer *Session, local Local, supported []Codec, inUse *Codec) (*Session, Agreed, error) {
	index, codec, err := choose(offer, local, supported, inUse)
	if err != nil {
		return nil, Agreed{}, err
	}
	far := &offer.Media[index]
	a := agree(far, local.Direction, local.RTCPMux)
	a.Index, a.Audio, a.LocalPT = index, codec, codec.PT
	a.SRTP, _ = local.secure(far)
	if e, ok := eventAt(far.Codecs, codec.Rate); ok {
		a.Event, a.LocalEventPT = &e, e.PT
	}
	s := newSession(local)
	for i := range offer.Media {
		if i == index && far.Port != 0 {
			s.Media = append(s.Media, accepted(local, far, a, supported))
		} else {
			s.Media = append(s.Media, refused(&offer.Media[i], local.Addr))
		}
	}
	return s, a, nil
}

// choose picks the m-line and the codec of the offer.
func choose(offer *Session, local Local, supported []Codec, inUse *Codec) (int, Codec, error) {
	err := ErrNoAudio
	if offer == nil {
		return 0, Codec{}, err
	}
	held, clear := -1, -1
	for i := range offer.Media {
		m := &offer.Media[i]
		if !m.isAudio() || m.isSecureAudio() && local.SRTP == SRTPOff {
			continue
		}
		c, ok := pick(m.Codecs, supported, inUse)
		secured, allowed := local.secure(m)
		switch {
		case m.Port != 0 && ok && secured != nil:
			return i, c, nil
		case m.Port != 0 && ok && allowed:
			if clear < 0 {
				clear = i
			}
		case m.Port != 0 && ok:
			err = ErrNotSecured
		case m.Port != 0:
			err = ErrNoCommonCodec
		case ok && allowed && held < 0:
			held = i
		}
	}
	if clear >= 0 {
		c, _ := pick(offer.Media[clear].Codecs, supported, inUse)
		return clear, c, nil
	}
	if inUse != nil && held >= 0 && err == ErrNoAudio {
		c, _ := pick(offer.Media[held].Codecs, supported, inUse)
		return held, c, nil
	}
	return 0, Codec{}, err
}

// pick returns the codec in use if it is offered, else the first offered one
// that we support. Events are no audio.
func pick(offered, supported []Codec, inUse *Codec) (Codec, bool) {
	usable := func(c Codec) bool {
		return !c.IsEvent() && slices.ContainsFunc(supported, c.Same)
	}
	if inUse != nil {
		if i := slices.IndexFunc(offered, inUse.Same); i >= 0 && usable(offered[i]) {
			return offered[i], true
		}
	}
	if i := slices.IndexFunc(offered, usable); i >= 0 {
		return offered[i], true
	}
	return Codec{}, false
}

// eventAt returns the telephone-event with the clock rate of the audio, which is
// the one to use (RFC 4733 section 2.1), else the first: a far end that offers no
// other would have no way to send a key.
func eventAt(codecs []Codec, rate int) (Codec, bool) {
	if i := slices.IndexFunc(codecs, func(c Codec) bool { return c.IsEvent() && c.Rate == rate }); i >= 0 {
		return codecs[i], true
	}
	if i := slices.IndexFunc(codecs, Codec.IsEvent); i >= 0 {
		return codecs[i], true
	}
	return Codec{}, false
}

// agree fills what the far end's media line and our wish settle by themselves.
func agree(far *Media, wish Direction, mux bool) Agreed {
	a := Agreed{RTCPMux: mux && far.RTCPMux, Ptime: packetTime(far)}
	a.Remote = netip.AddrPortFrom(unicast(far.Addr), uint16(far.Port))
	a.RTCP = a.Remote
	if !a.RTCPMux {
		a.RTCP = rtcpOf(far)
	}
	nowhere := far.Port == 0 || far.Addr.IsUnspecified()
	a.Send = wish.sends() && far.Direction.receives() && !nowhere
	a.Receive = wish.receives() && far.Direction.sends() && far.Port != 0
	return a
}

// rtcpOf is where the far end hears RTCP: a=rtcp (RFC 3605), else one port up
// (RFC 3550 11).
func rtcpOf(far *Media) netip.AddrPort {
	addr, port := far.Addr, far.RTCPPort
	if port == 0 && far.Port != 0 && far.Port < 65535 {
		port = far.Port + 1
	}
	if far.RTCPAddr.IsValid() {
		addr = far.RTCPAddr
	}
	return netip.AddrPortFrom(unicast(addr), uint16(port))
}

// Reports is where the far end of m hears RTCP, if we can take it at the port of
// the media: there too if it can as well (RFC 5761).
func (m *Media) Reports() netip.AddrPort {
	if m.RTCPMux {
		return netip.AddrPortFrom(unicast(m.Addr), uint16(m.Port))
	}
	return rtcpOf(m)
}

// unicast drops addresses that a description must not make us send to.
func unicast(a netip.Addr) netip.Addr {
	if a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return netip.Addr{}
	}
	return a
}

// packetTime is what the far end would like in a packet: a=ptime, not above
// a=maxptime, 20 if it does not say.
func packetTime(far *Media) int {
	ms := far.Ptime
	if ms == 0 {
		ms = 20
	}
	if limit := milliseconds(far.attribute("maxptime")); limit > 0 {
		ms = min(ms, limit)
	}
	return min(max(ms/10*10, 10), 100)
}

func newSession(local Local) *Session {
	return &Session{ID: local.ID, Version: local.Version, Addr: local.Addr}
}

// accepted is our media line for the stream that is taken. It names one codec,
// so the far end cannot change it in mid-call.
func accepted(local Local, far *Media, a Agreed, supported []Codec) Media {
	ours := a.Audio
	ours.Fmtp = supported[slices.IndexFunc(supported, ours.Same)].Fmtp
	m := Media{
		Kind: far.Kind, Port: local.Port, Proto: far.Proto, Addr: local.Addr,
		Direction: directionOf(a.Send, a.Receive), Ptime: local.Ptime, RTCPMux: a.RTCPMux,
		Codecs: []Codec{ours}, Crypto: a.SRTP.line(far),
	}
	if m.Ptime == 0 {
		m.Ptime = 20
	}
	if a.Event != nil {
		event := *a.Event
		event.Fmtp = defaultEvents
		m.Codecs = append(m.Codecs, event)
	}
	m.Formats = payloadTypes(m.Codecs)
	return m
}

// refused answers a line we do not take: port 0, the same transport, and a
// format because the grammar wants one (RFC 3264 6).
func refused(far *Media, addr netip.Addr) Media {
	format := "0"
	if len(far.Formats) > 0 {
		format = far.Formats[0]
	}
	return Media{Kind: far.Kind, Proto: far.Proto, Addr: addr, Formats: []string{format}}
}

func payloadTypes(codecs []Codec) []string {
	list := make([]string, len(codecs))
	for i, c := range codecs {
		list[i] = strconv.Itoa(int(c.PT))
	}
	return list
}
