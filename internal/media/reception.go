package media

import (
	"sync/atomic"
	"time"
)

// reception measures what arrives from one far end (RFC 3550 appendix A). What
// changes with every packet is published in two words, so that a packet costs
// no more than that.
type reception struct {
	// Owned by who reads the socket.
	far     *agreement
	begun   bool
	base    uint32 // extended number of the first packet, less what was not to be heard
	top     uint32 // extended highest number
	count   uint32
	transit uint32
	spread  uint32 // jitter times 16

	// Read by anyone. A reader that comes between two of them when the source
	// changes sees numbers that do not belong together, once.
	reached atomic.Uint64 // top and count
	jitter  atomic.Uint32 // in units of the RTP clock
	source  atomic.Uint64 // SSRC and base
	earlier struct{ expected, lost atomic.Uint64 }
}

// take counts one packet of the believed source, of whatever payload type.
func (r *reception) take(now time.Time, h *heard) {
	step := int16(h.seq - uint16(r.top))
	if !r.begun || h.ssrc != uint32(r.source.Load()>>32) || step > maxDropout || step < -maxMisorder {
		r.restart(h)
		step = 0
	} else if h.far != r.far {
		// What was lost while something else was agreed, such as a hold, nobody
		// was to hear.
		r.far = h.far
		r.shift(uint32(max(step-1, 0)))
	}
	if step > 0 {
		r.top += uint32(step)
	}
	r.count++
	r.reached.Store(uint64(r.top)<<32 | uint64(r.count))
	if h.what == audio { // all packets of a key bear the time of its beginning
		r.measure(now, h)
	}
}

// measure brings the jitter up to date (RFC 3550 appendix A.8).
func (r *reception) measure(now time.Time, h *heard) {
	clock := h.far.clock()
	transit := ticks(now, clock) - h.ts
	d := int32(transit - r.transit)
	first := r.transit == 0
	r.transit = transit
	if d = max(d, -d); first || d < 0 || int(d) > clock { // a jump of its clock is no jitter
		return
	}
	r.spread += uint32(d) - (r.spread+8)>>4
	r.jitter.Store(r.spread >> 4)
}

// ticks is a time on an RTP clock, from an arbitrary beginning.
func ticks(t time.Time, clock int) uint32 {
	at := t.UnixNano()
	return uint32(at/int64(time.Second)*int64(clock)) + uint32(at%int64(time.Second)*int64(clock)/int64(time.Second))
}

// restart begins with another source; what the one before lost stays counted.
func (r *reception) restart(h *heard) {
	if r.begun {
		expected, lost := r.current()
		r.earlier.expected.Add(expected)
		r.earlier.lost.Add(lost)
	}
	r.begun, r.far = true, h.far
	// One turn of the number up, so that what is late does not fall below 0.
	r.base = 1<<16 | uint32(h.seq)
	r.top, r.count, r.transit, r.spread = r.base, 0, 0, 0
	r.source.Store(uint64(h.ssrc)<<32 | uint64(r.base))
}

// shift leaves n numbers out of what is expected.
func (r *reception) shift(n uint32) {
	if n > 0 {
		r.base += n
		r.source.Store(r.source.Load()>>32<<32 | uint64(r.base))
	}
}

// current is how many packets of the source of now should have come, and how
// many did not. A packet that came twice hides one that did not come at all.
func (r *reception) current() (expected, lost uint64) {
	reached, base := r.reached.Load(), uint32(r.source.Load())
	if reached == 0 {
		return 0, 0
	}
	n := int64(int32(uint32(reached>>32)-base)) + 1
	return uint64(max(n, 0)), uint64(max(n-int64(uint32(reached)), 0))
}
