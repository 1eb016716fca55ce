package media

import (
	"net/netip"
	"runtime"
	"slices"
	"sync/atomic"

	"consentgw/internal/g711"
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
}

// Destination is where an outlet sends, and what may go there.
type Destination struct {
	Addr netip.AddrPort
	// Types are the payload types that are taken, static ones (RFC 3551 table
	// 4), the preferred one first. A packet of G.711 in the other law is
	// converted; one of any other type is lost.
	Types []uint8
	// Seal encrypts what goes there; nil: it goes in clear. It belongs to the
	// outlet from now on, until it is directed elsewhere under another key.
	Seal *Sealer
}

type destination struct {
	Destination
	target target
}

// Outlet opens a pair. The errors are those of [Ports.Open].
func (p *Ports) Outlet() (*Outlet, error) {
	got, err := p.take(binding{deaf: true})
	if err != nil {
		return nil, err
	}
	return &Outlet{ports: p, pair: got, rtp: got.rtp}, nil
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
	o.to.Store(&destination{Destination: d, target: newTarget(d.Addr)})
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
// nowhere to send to, a type that is not taken, a number that was sealed before,
// no room in the kernel, or another goroutine is sending.
func (o *Outlet) Send(packet []byte) bool {
	if o.closed.Load() || !o.busy.CompareAndSwap(false, true) {
		return false
	}
	defer o.busy.Store(false)
	to := o.to.Load() // after busy is held: Stop waits for us or we see it
	if to == nil {
		return false
	}
	out := o.fit(packet, to.Types)
	if out != nil && to.Seal != nil {
		out = o.seal(to.Seal, out)
	}
	return out != nil && o.rtp.send(out, &to.target) == nil
}

// fit returns the packet in a type that is taken, nil if there is none.
func (o *Outlet) fit(packet []byte, types []uint8) []byte {
	have := packet[1] & 0x7f
	if slices.Contains(types, have) {
		return packet
	}
	var convert func(dst, src []byte) int
	var as uint8
	switch {
	case have == 0 && slices.Contains(types, 8):
		convert, as = g711.MuToAAll, 8
	case have == 8 && slices.Contains(types, 0):
		convert, as = g711.AToMuAll, 0
	default:
		return nil
	}
	n := copy(o.buf[:], packet)
	o.buf[1] = packet[1]&0x80 | as
	convert(o.buf[headerSize:n], packet[headerSize:n])
	return o.buf[:n]
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
