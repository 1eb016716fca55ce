package media

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"consentgw/internal/dtmf"
)

// ErrRunning: a stream runs once in its life.
var ErrRunning = errors.New("stream was run already")

// errBroken: see maxReadErrors.
var errBroken = errors.New("socket is broken")

// maxReadErrors in a row, with no packet between them, end Run: the
// socket is broken, and retrying would only burn the processor.
const maxReadErrors = 1000

// Stream is one RTP socket pair and its far end. Connect, RelayTo, TapTo, Play,
// Ring and Stats may be called at any time beside Run.
type Stream struct {
	// What a packet needs stands close together, in the order in which it is
	// needed: a call finds nothing of its own in the processor's cache after 20 ms.

	// To send; of the holder of out.token, but for what is constant from Ports.Open
	// on: rtp, which is of pair, and ssrc.
	out    outbound
	rtp    conn
	ssrc   uint32
	beep   beep
	counts outCounters
	// Swapped whole; read without a lock. Nil: nothing agreed, nowhere, none.
	far  atomic.Pointer[agreement]
	peer atomic.Pointer[Stream]
	tap  atomic.Pointer[Tap]
	in   inCounters
	reading

	control control
	life    life
	// Set by Ports.Open, then constant.
	ports *Ports
	pair  *pair
	local netip.AddrPort
}

// reading is owned by who reads the socket: one goroutine or loop at a time.
type reading struct {
	source    source
	reception reception
	keys      keys
	unsealing unsealing
}

// life is how far a stream got.
type life struct{ running, closed atomic.Bool }

// Open opens a stream on a pair drawn by chance. A port that another process
// holds is skipped; if only resting pairs are left, the longest-rested goes
// first and is counted. The error is or wraps [ErrNoPorts], [ErrPortsClosed],
// or what the system said (no such address, too many open files).
func (p *Ports) Open() (*Stream, error) {
	got, err := p.take(binding{})
	if err != nil {
		return nil, err
	}
	s := &Stream{ports: p, pair: got, rtp: got.rtp, local: got.rtp.local(), ssrc: NewSSRC(), control: newControl(got)}
	s.keys.presses = make(chan dtmf.Press, pressBuffer)
	s.out.start()
	return s, nil
}

// NewSSRC draws a synchronisation source; never 0, which means "none" in records.
func NewSSRC() uint32 {
	for {
		if ssrc := rand.Uint32(); ssrc != 0 {
			return ssrc
		}
	}
}

// Local is the RTP address; RTCP is one port above.
func (s *Stream) Local() netip.AddrPort { return s.local }

// SSRC is the synchronisation source of all that this stream sends; never 0.
func (s *Stream) SSRC() uint32 { return s.ssrc }

// Connect puts an agreement in force, after the first description and after
// every later one. Another address than before starts the learning of the
// source anew; the same address keeps the source. An agreement that changes
// nothing changes nothing. One goroutine connects at a time.
//
// Whether packets should go to that address at all is the caller's to decide:
// see [UsableFar] and [Ports.Holds].
func (s *Stream) Connect(far Far) { s.far.Store(agree(time.Now(), far, s.far.Load())) }

// RelayTo sends what this stream receives from now on to the far end of peer.
// Nil: nowhere. If both run already it may wait some milliseconds until one
// thread reads them both.
func (s *Stream) RelayTo(peer *Stream) {
	s.peer.Store(peer)
	if peer != nil {
		s.ports.cfg.Engine.beside(s, peer)
	}
}

// TapTo copies what this stream receives from now on to t. Nil: no copies. One
// packet may still be on its way to the tap before; the gate is what ends
// copies, not the tap.
func (s *Stream) TapTo(t *Tap) { s.tap.Store(t) }

// Run lets the engine handle the packets of this stream; once, else
// [ErrRunning]. It ends with ctx, and then returns context.Cause(ctx); or with a
// socket that is closed or broken; or at once if the system has no means to
// read it; or with a [PanicError] if its packets brought about a panic, which
// ends no other stream. When it returns nothing of the stream is touched any
// more. ICMP errors are survived and counted.
func (s *Stream) Run(ctx context.Context) (err error) {
	if s.life.running.Swap(true) {
		return ErrRunning
	}
	var reports sync.WaitGroup
	defer reports.Wait()
	reporting, end := context.WithCancel(ctx)
	defer end()
	reports.Go(func() { s.reportUntil(reporting) })
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	return s.ports.cfg.Engine.run(ctx, s)
}

// heard is a packet of the far end, with what it is under which agreement.
type heard struct {
	packet
	what    kind
	codec   Codec // of audio
	key     bool  // audio in which a key sounds
	kept    bool  // an event that does not go on to the peer
	far     *agreement
	scratch *scratch // to build what is sent of it
}

// handle takes one datagram from an unmapped address: is it RTP, is it the far end's, is it a key; then
// to the peer, then to the tap.
func (s *Stream) handle(now time.Time, data []byte, from netip.AddrPort, room *scratch) {
	h, ok := s.accept(now, data, from)
	if !ok {
		return
	}
	h.scratch = room
	s.in.lastAt.Store(now.UnixNano())
	if h.what == event {
		s.press(now, &h)
	}
	if h.what == audio && h.far.EventPT <= 0 {
		s.keys.inband.hear(now, &h, s)
	}
	s.expire(now, room)
	switch peer := s.peer.Load(); {
	case peer == nil:
	case h.kept:
		peer.skip(&h, s)
	default:
		peer.forward(now, &h, s)
	}
	s.tap.Load().offer(now, &h)
}

// accept answers the first two questions, and counts why not.
func (s *Stream) accept(now time.Time, data []byte, from netip.AddrPort) (h heard, ok bool) {
	var is verdict
	h.far = s.far.Load()
	if h.far != nil && h.far.Open != nil && isSealed(data) {
		if data, ok = s.unseal(h.far, data, from); !ok {
			return h, false
		}
	}
	h.packet, is = parse(data)
	switch {
	case is == notRTP && h.far != nil && h.far.Mux && len(data) > 1 && isRTCP(data[1]):
		s.report(now, data, from, true)
	case is == notRTP:
		s.in.notRTP.Add(1)
	case is == malformed:
		s.in.malformed.Add(1)
	case h.far == nil:
		s.in.source.Add(1)
	case !h.far.Receive:
		s.in.held.Add(1)
	default:
		return h, s.agreed(now, &h, from)
	}
	return h, false
}

// agreed reports whether a packet is what was agreed, from where it was agreed.
func (s *Stream) agreed(now time.Time, h *heard, from netip.AddrPort) bool {
	h.what, h.codec = h.far.kindOf(h.pt)
	if !s.source.accept(h.far, from, &h.packet, h.what != unknown) {
		s.in.source.Add(1)
		return false
	}
	s.reception.take(now, h)
	switch {
	case h.what == unknown, len(h.payload) == 0:
		s.in.payload.Add(1)
	case h.what == event && len(h.payload)%eventSize != 0:
		s.in.malformed.Add(1)
	default:
		s.in.received.Add(1)
		return true
	}
	return false
}

// Close closes the sockets and lays the ports to rest. It is idempotent, and
// comes after Run, Play and Ring returned.
func (s *Stream) Close() error {
	if s.life.closed.Swap(true) {
		return nil
	}
	return s.ports.release(s.pair)
}
