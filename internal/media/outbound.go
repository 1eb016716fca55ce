package media

import (
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"
)

// Who sends toward a far end at this moment.
const (
	idle uint32 = iota
	relaying
	playing
)

const (
	// Beyond these a sequence number is a jump, not loss or reordering (RFC 3550
	// appendix A.1, MAX_DROPOUT and MAX_MISORDER).
	maxDropout  = 3000
	maxMisorder = 100
)

// origin is where the packets toward a far end come from. The zero origin is
// what we play ourselves.
type origin struct {
	from *Stream
	ssrc uint32
	to   *agreement
}

// outbound is the sending side of a stream: one continuous RTP stream toward
// the far end, whatever it is made of. There is one writer at a time, the
// holder of the token; it neither waits for the other nor mixes with it.
type outbound struct {
	token atomic.Uint32
	// Owned by the holder of the token.
	origin origin
	seq    uint16    // last sent
	ts     uint32    // newest sent
	at     time.Time // when ts was sent; zero: nothing yet
	length uint32    // of the packet that bore ts, in samples
	// Read by who reports: ts and the moment when it was sent, and how much
	// payload was sent.
	mark   atomic.Uint64
	octets atomic.Uint64
	// How numbers of the origin become ours.
	seqShift uint16
	tsShift  uint32
	top      uint16 // newest number of the origin
	span     int32  // how far top is from the first one so moved; -1: there is none yet
}

func (o *outbound) start() {
	// Random, so that neither is known to whoever did not see a packet (RFC 3550
	// section 5.1). In the lower half, so that a receiver of SRTP that misses the
	// first packets cannot miss a turn of the number with them.
	o.seq, o.ts = uint16(rand.Uint32())&0x7FFF, rand.Uint32()
}

// moment is a time in a word, of 65.5 microseconds: two of them are told apart
// for 39 hours.
func moment(t time.Time) uint32 { return uint32(t.UnixNano() >> momentBits) }

const momentBits = 16

// claimRelay tries once: while a notice plays, the relay is displaced.
func (o *outbound) claimRelay() bool { return o.token.CompareAndSwap(idle, relaying) }

// claimPlay waits for at most one relayed packet that is on its way, and fails
// if something plays already.
func (o *outbound) claimPlay() bool {
	for !o.token.CompareAndSwap(idle, playing) {
		if o.token.Load() == playing {
			return false
		}
		runtime.Gosched()
	}
	o.origin = origin{}
	return true
}

func (o *outbound) release() { o.token.Store(idle) }

// turn is the time stamp of the first packet of a new origin: as much later as
// time has passed, but after what was sent already.
func (o *outbound) turn(now time.Time, clock int) uint32 {
	if o.at.IsZero() {
		return o.ts
	}
	return o.ts + max(samples(now.Sub(o.at), clock), o.length)
}

// sent notes the newest packet. Packets of one telephone event share their time
// stamp: time then counts from the first of them, or from the speech that went out
// beside them.
func (o *outbound) sent(now time.Time, seq uint16, ts, length uint32) {
	o.seq = seq
	if o.ts-ts > longestEvent || o.at.IsZero() {
		o.ts, o.at, o.length = ts, now, length
		o.mark.Store(uint64(ts)<<32 | uint64(moment(now)))
	}
}

// longestEvent is how far back the time stamp of an event can lie: further back
// means that the source has set its clock.
const longestEvent = 0xFFFF

// place gives a relayed packet its place in our stream. Inside one origin the
// spacing stays: gaps, reordering and silence are the far end's to see. With a
// new origin the stream goes on without a gap, and with a marker. Not ok: the
// packet is from before the turn, where its place is taken.
func (o *outbound) place(now time.Time, from origin, p *packet, length uint32) (seq uint16, ts uint32, marker, ok bool) {
	step := int16(p.seq - o.top)
	marker = p.marker
	if from != o.origin || step > maxDropout || step < -maxMisorder {
		o.seqShift, o.tsShift = o.seq+1-p.seq, o.turn(now, from.to.clock())-p.ts
		o.origin, o.top, o.span = from, p.seq, 0
		step, marker = 0, true
	}
	seq, ts = p.seq+o.seqShift, p.ts+o.tsShift
	if o.span+int32(step) < 0 {
		return seq, ts, marker, false
	}
	if step >= 0 {
		o.span = min(o.span+int32(step), maxDropout)
		o.top = p.seq
		o.sent(now, seq, ts, length)
	}
	return seq, ts, marker, true
}

// leaveOut closes the gap that a packet of the origin which is not sent would
// leave: the next one takes its number.
func (o *outbound) leaveOut(seq uint16) {
	if step := int16(seq - o.top); step > 0 && step <= maxDropout {
		o.top, o.span = seq, -1
		o.seqShift--
	}
}

// insert makes room for a packet of our own between those of the origin.
func (o *outbound) insert() (seq uint16) {
	o.seq++
	o.seqShift++
	o.span = -1
	return o.seq
}

// samples is a duration on an RTP clock of so many Hz.
func samples(d time.Duration, clock int) uint32 {
	return uint32(d.Nanoseconds() / 1000 * int64(clock) / 1_000_000)
}
