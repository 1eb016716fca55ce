package dtmf

import "time"

// heard is what has been heard of one press.
type heard struct {
	event, pt uint8
	ssrc      uint32

	// In RTP timestamp units. A press too long for one packet's duration field
	// goes on in a new segment with a new timestamp (RFC 4733 2.5.1.3).
	start    uint32 // timestamp of the first segment
	segment  uint32 // timestamp of the segment now heard
	base     uint32 // length of the segments before it
	duration uint32 // of the segment so far

	packets     int // 0: nothing heard, the place is free
	first, last time.Time

	ended    bool // E bit seen
	reported bool
	released bool // its release was reported
}

// covers reports whether an event of the same key at timestamp is this press:
// another copy, an earlier segment, or the next one.
func (h *heard) covers(timestamp, rate uint32) bool {
	if timestamp-h.start <= h.segment-h.start {
		return true
	}
	// One key cannot be pressed again while it is down. So an overlap is a
	// sender that wrongly moves the timestamp along with the duration.
	gap := timestamp - h.segment
	if gap < h.duration {
		return true
	}
	if h.ended {
		return false
	}
	// RFC 4733 2.5.2.3: no gap and no end make one long press. One lost update,
	// 20 ms, is no gap: a keypad needs 40 ms between two presses. The last
	// packets of a full segment may be lost, where it ends is known.
	return gap-h.duration <= rate/50 || gap == segmentUnits && h.duration >= halfSegment
}

// hear takes one report of this press.
func (h *heard) hear(now time.Time, timestamp uint32, r report) {
	h.packets++
	h.last = now
	if h.ended || timestamp-h.start < h.segment-h.start {
		return // a copy of the end, or of an earlier segment: all is known
	}
	if timestamp != h.segment {
		// A new segment counts from 0; a sender that only moves the timestamp
		// counts on.
		if gap := timestamp - h.segment; gap >= h.duration && uint32(r.duration) <= h.duration {
			h.base, h.duration = h.base+gap, 0
		}
		h.segment = timestamp
	}
	h.duration = extend(h.duration, r.duration)
	h.ended = r.end
}

// extend returns the duration after a packet that says said. It never shrinks.
// Some senders let the field wrap instead of starting a new segment.
func extend(duration uint32, said uint16) uint32 {
	next := duration&^segmentUnits | uint32(said)
	switch {
	case next+halfSegment < duration:
		next += segmentUnits + 1
	case duration > segmentUnits && next > duration+halfSegment:
		next -= segmentUnits + 1 // from before the wrap, late
	}
	return max(duration, next)
}

// certain reports whether this is a press and not a stray packet.
func (h *heard) certain(rate uint32) bool {
	return h.ended || h.packets >= 3 || h.base+h.duration >= rate/25 // 40 ms
}

func (h *heard) press(rate uint32) Press {
	units := time.Duration(h.base) + time.Duration(h.duration)
	return Press{
		Key:         Key(keys[h.event]),
		Method:      RFC4733,
		SSRC:        h.ssrc,
		Timestamp:   h.start,
		PayloadType: h.pt,
		Duration:    units * time.Second / time.Duration(rate),
		At:          h.first,
		Released:    h.released,
	}
}
