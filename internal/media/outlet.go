package media

import (
	"math"
	"net/netip"
	"runtime"
	"sync/atomic"

	"consentgw/internal/g711"
	"consentgw/internal/g722"
)

// Outlet is a [Sink] on a port pair of its own that sends nothing until it is
// told where to: its port can be offered before anybody has accepted it. It
// reads nothing. All methods may be called concurrently.
type Outlet struct {
	// Set by Ports.Outlet, then constant.
	ports  *Ports
	pair   *pair
	rtp    conn                        // of pair
	to     atomic.Pointer[destination] // nil: nowhere
	busy   atomic.Bool                 // held while a packet is sent
	closed atomic.Bool
	buf    [maxPacket + sealRoom]byte // owned by the holder of busy
	account
}

// Destination is where an outlet sends, and what may go there.
type Destination struct {
	Addr netip.AddrPort
	// RTCP is where reports go: to Addr as well (RFC 5761), or to a port of their
	// own; invalid: nowhere.
	RTCP netip.AddrPort
	// Formats are what is taken, the preferred one first. A packet of G.711 in the
	// other law is converted, and one of G.722 to G.711, with the lower half of its
	// band; one of any other codec is lost.
	Formats []Format
	// Seal encrypts what goes there; nil: it goes in clear. It belongs to the
	// outlet from now on, until it is directed elsewhere under another key.
	Seal *Sealer
}

// Format is a codec under a payload type.
type Format struct {
	Codec       Codec
	PayloadType uint8
}

type destination struct {
	Destination
	target target
	wide   *g722.Decoder // owned by the holder of busy
}

// Outlet opens a pair. The errors are those of [Ports.Open].
func (p *Ports) Outlet() (*Outlet, error) {
	got, err := p.take(binding{deaf: true})
	if err != nil {
		return nil, err
	}
	o := &Outlet{ports: p, pair: got, rtp: got.rtp}
	o.account.start(got)
	return o, nil
}

// Local is the address that packets come from.
func (o *Outlet) Local() netip.AddrPort { return o.pair.rtp.local() }

// Direct lets packets go. The error says what is wrong with the address; then
// nothing goes.
func (o *Outlet) Direct(d Destination) error {
	d.Addr = unmap(d.Addr)
	if err := UsableFar(d.Addr, netip.Addr{}); err != nil {
		o.Stop()
		return err
	}
	o.to.Store(&destination{Destination: d, target: newTarget(d.Addr), wide: g722.NewDecoder()})
	return nil
}

// Stop lets no packet go any more. When it returns none is on its way. It waits
// for the one that is, one non-blocking send long.
func (o *Outlet) Stop() {
	o.to.Store(nil)
	for o.busy.Load() {
		runtime.Gosched()
	}
}

// Send tries once and never waits. It says false if the packet did not go:
// nowhere to send to, a codec that is not taken, a number that was sealed before,
// no room in the kernel, or another goroutine is sending.
func (o *Outlet) Send(packet []byte, codec Codec) bool {
	if o.closed.Load() || !o.busy.CompareAndSwap(false, true) {
		return false
	}
	defer o.busy.Store(false)
	to := o.to.Load() // after busy is held: Stop waits for us or we see it
	if to == nil {
		return false
	}
	out := o.fit(packet, codec, to)
	if out != nil && to.Seal != nil {
		out = o.seal(to.Seal, out)
	}
	if out == nil || o.rtp.send(out, &to.target) != nil {
		return false
	}
	o.account.sent(packet, codec.Clock())
	return true
}

// fit returns the packet in a format that is taken, nil if there is none.
func (o *Outlet) fit(packet []byte, have Codec, to *destination) []byte {
	for _, f := range to.Formats {
		if f.Codec == have {
			return o.under(packet, f.PayloadType)
		}
	}
	for _, f := range to.Formats {
		switch {
		case have.isLaw() && f.Codec.isLaw():
			out := o.under(packet, f.PayloadType)
			convert(out[headerSize:], packet[headerSize:], have, f.Codec)
			return out
		case have == G722 && f.Codec.isLaw():
			out := o.under(packet, f.PayloadType)
			to.narrow(out[headerSize:], packet[headerSize:], f.Codec)
			return out
		}
	}
	return nil
}

// under returns a copy of the packet under a payload type, in the outlet's buffer.
func (o *Outlet) under(packet []byte, pt uint8) []byte {
	n := copy(o.buf[:maxPacket], packet)
	o.buf[1] = packet[1]&0x80 | pt
	return o.buf[:n]
}

// narrow makes G.711 of G.722. Both have a byte for every tick of a clock of 8 kHz
// (RFC 3551 section 4.5.2), and the decoder's lower band is at half the level.
func (d *destination) narrow(dst, codes []byte, to Codec) {
	for pcm := [frameBytes]int16{}; len(codes) > 0; {
		n := d.wide.DecodeLow(pcm[:], codes)
		for i := range pcm[:n] {
			pcm[i] = int16(min(2*int(pcm[i]), math.MaxInt16))
		}
		if to == PCMA {
			g711.EncodeAAll(dst, pcm[:n])
		} else {
			g711.EncodeMuAll(dst, pcm[:n])
		}
		dst, codes = dst[n:], codes[n:]
	}
}

// seal returns the packet as SRTP, nil if it must not be sent. The packet may be
// the one that fit has made.
func (o *Outlet) seal(s *Sealer, packet []byte) []byte {
	n := copy(o.buf[:maxPacket], packet)
	sealed, err := s.seal(o.buf[:n])
	if err != nil {
		return nil
	}
	return sealed
}

// Close ends the sending and lays the ports to rest. It is idempotent.
func (o *Outlet) Close() error {
	if o.closed.Swap(true) {
		return nil
	}
	o.Stop()
	return o.ports.release(o.pair)
}
