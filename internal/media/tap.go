package media

import (
	"sync/atomic"
	"time"
)

// Sink takes the copies of a tap, with the codec that they are in. Send neither
// blocks nor keeps the slice; false means that the packet was lost.
type Sink interface {
	Send(packet []byte, codec Codec) bool
}

// Tap copies what one stream receives to its sinks, behind a gate, as one clean
// RTP stream: the first copy keeps the sequence number and the timestamp of the
// original, and so does what follows as long as nothing is left out. A key that
// is left out leaves no gap in the sequence numbers. After a shut gate or a new
// source these go on without a gap too, timestamps by the time that has passed
// (the source's, if it kept its own), and the marker is set. What the network
// lost, or a sink did not take, stays a gap. Copies bear the tap's own SSRC and
// the static payload type of the codec they came in, or, if it has none, the type
// that they came with. Unless keys are kept, telephone events are not copied, nor is
// speech in which a key sounds once it is known for one: of a tone, the first 20 to
// 40 ms are.
type Tap struct {
	// Set by NewTap and Then, then constant.
	gate  *Gate
	ssrc  uint32
	sinks []Sink
	few   [1]Sink // room for nearly all: one thing less to fetch for a packet
	next  *Tap
	keys  bool // keys are copied as well
	// busy is held while a packet is copied. A tap serves one stream; while it
	// is moved from one to another two may offer, and the later one loses.
	busy atomic.Bool
	// Owned by the holder of busy.
	line   outbound   // the numbers of the copies
	agreed *agreement // the first one with the clock of the copies

	beep beep
	cut  atomic.Bool // the gate was shut since the last copy

	tally
}

// tally is what TapCounts tells, as it is counted.
type tally struct {
	sent, lost, stripped atomic.Uint64
	at                   struct{ first, last atomic.Int64 } // when copies were sent: Unix nanoseconds, 0 never
	far                  atomic.Pointer[agreement]          // under which the last copy came
}

// TapCounts are what a tap did, in packets; a packet for two sinks counts twice.
type TapCounts struct {
	Sent     uint64 // handed to the network
	Lost     uint64 // passed the gate, but the network did not take it
	Stripped uint64 // keys that came while the gate was open: events, or tones in the speech
	FirstAt  time.Time
	LastAt   time.Time // of what was sent; zero if nothing was
	// Codec and PayloadType are those of what was sent last.
	Codec       Codec
	PayloadType uint8
}

// NewTap makes a tap that nothing feeds yet: see [Stream.TapTo]. Without a gate
// nothing passes.
func NewTap(g *Gate, ssrc uint32, sinks ...Sink) *Tap {
	t := &Tap{gate: g, ssrc: ssrc}
	t.sinks = append(t.few[:0], sinks...)
	return t
}

// Then makes next get what t gets, through its own gate and with its own
// counts, and returns t: the way to feed several recorders from one stream. It
// must be called before t is in use, and makes no loop.
func (t *Tap) Then(next *Tap) *Tap {
	t.next = next
	return t
}

// KeepKeys copies keys as well, events and tones, and returns t. It must be called
// before t is in use.
func (t *Tap) KeepKeys() *Tap {
	t.keys = true
	return t
}

// SSRC is the synchronisation source of the copies.
func (t *Tap) SSRC() uint32 { return t.ssrc }

// Counts returns what was copied so far.
func (t *Tap) Counts() TapCounts {
	c := TapCounts{
		Sent: t.sent.Load(), Lost: t.lost.Load(), Stripped: t.stripped.Load(),
		FirstAt: instant(t.at.first.Load()), LastAt: instant(t.at.last.Load()),
	}
	if far := t.far.Load(); far != nil {
		c.Codec, c.PayloadType = far.Codec, far.Codec.static(far.LocalPT)
	}
	return c
}

func instant(nanoseconds int64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds)
}

// offer copies a packet if the gate agrees. A telephone event is counted
// instead, unless keys are kept: they can be card numbers. A nil tap takes nothing.
func (t *Tap) offer(now time.Time, h *heard) {
	for ; t != nil; t = t.next {
		switch {
		case t.gate == nil:
		case (h.what == event || h.key) && !t.keys:
			if t.gate.Passing() {
				t.stripped.Add(1)
			}
			t.leaveOut(h)
		case t.gate.enter():
			t.pass(now, h)
		case !t.cut.Load():
			t.cut.Store(true)
		}
	}
}

// pass leaves the gate whatever a sink does: else nobody could shut it.
func (t *Tap) pass(now time.Time, h *heard) {
	defer t.gate.leave()
	t.copy(now, h)
}

func (t *Tap) copy(now time.Time, h *heard) {
	if !t.busy.CompareAndSwap(false, true) {
		t.lost.Add(uint64(len(t.sinks)))
		return
	}
	defer t.busy.Store(false)
	seq, ts, marker, ok := t.place(now, h)
	if !ok {
		t.lost.Add(uint64(len(t.sinks)))
		return
	}
	codec := h.codec
	if h.what == event {
		codec = h.far.keys
	}
	n := copy(build(h.scratch[:], marker, codec.static(h.pt), seq, ts, t.ssrc), h.payload)
	t.beep.mix(h.scratch[headerSize:headerSize+n], codec)
	for _, sink := range t.sinks {
		if !sink.Send(h.scratch[:headerSize+n], codec) {
			t.lost.Add(1)
			continue
		}
		t.sent.Add(1)
		if t.far.Load() != h.far {
			t.far.Store(h.far)
		}
		at := now.UnixNano()
		if t.at.first.Load() == 0 {
			t.at.first.Store(at)
		}
		t.at.last.Store(at)
	}
}

// place gives a packet its place among the copies. Not ok: it is from before the
// last time that something was left out, where its place is taken.
func (t *Tap) place(now time.Time, h *heard) (seq uint16, ts uint32, marker, ok bool) {
	o := &t.line
	if t.agreed == nil || h.far != nil && h.far.rate != t.agreed.rate {
		t.agreed = h.far
	}
	from := origin{ssrc: h.ssrc, to: t.agreed}
	cut := t.cut.Swap(false)
	switch {
	case o.at.IsZero():
		o.seq, o.ts = h.seq-1, h.ts
	case cut && from == o.origin && t.goesOn(now, h):
		o.seqShift, o.top, o.span = o.seq+1-h.seq, h.seq, 0
		o.sent(now, o.seq+1, h.ts+o.tsShift, h.length())
		return o.seq, o.ts, true, true
	case cut:
		o.origin = origin{}
	}
	return o.place(now, from, &h.packet, h.length())
}

// goesOn reports whether the source kept its numbers while nothing was copied:
// its timestamps tell better than our clock how long that was.
func (t *Tap) goesOn(now time.Time, h *heard) bool {
	o, clock := &t.line, h.far.clock()
	drift := int32(h.ts + o.tsShift - o.turn(now, clock))
	step := int16(h.seq - o.top)
	return step > 0 && step <= maxDropout && drift >= -int32(clock) && drift <= int32(clock)
}

// leaveOut closes the gap that a packet which is not copied would leave: the
// next one takes its number.
func (t *Tap) leaveOut(h *heard) {
	if !t.busy.CompareAndSwap(false, true) {
		return
	}
	defer t.busy.Store(false)
	if o := &t.line; o.origin.to != nil && h.ssrc == o.origin.ssrc {
		o.leaveOut(h.seq)
	}
}
