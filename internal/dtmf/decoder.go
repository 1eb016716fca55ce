package dtmf

import "time"

const (
	// lostEnd is how long after its last packet a press is over although no end
	// was seen. Updates come every 20 to 50 ms (RFC 4733 2.5.1.2), and no more
	// than three of them may be waited for (2.5.2.2).
	lostEnd = 150 * time.Millisecond
	// memory is how long a press is known after its last packet, so that a late
	// copy is not a new press.
	memory = 10 * time.Second
	// Remembered is how many presses a decoder knows: more than a sender can make
	// in the time a packet may be late.
	Remembered = 16
	// segmentUnits is the longest duration a packet can state (RFC 4733 2.5.1.3).
	segmentUnits = 0xFFFF
	// halfSegment tells a duration that wrapped from one that came late.
	halfSegment = 0x8000
)

// Decoder turns the telephone-event packets of one stream into presses (RFC
// 4733 2.5). A press is known by SSRC, RTP timestamp and event, never by the
// marker bit or by sequence, so it is found with its start or its end lost,
// and counted once however often its packets arrive. Not safe for concurrent
// use. It does not allocate.
type Decoder struct {
	rate    uint32 // units a second
	presses [Remembered]heard
	next    int // the place to use for the next new press: the oldest
	latest  int // the place of the press that the last packet was of; -1: of none
}

// Sounding is the press that a packet was of.
type Sounding struct {
	// Place, below [Remembered], is the press's own until it is forgotten.
	Place    int
	New      bool // this was the first packet of it
	Key      Key
	Duration time.Duration // so far
	Ended    bool
}

// NewDecoder returns a decoder for events with this RTP clock rate in Hz, as
// negotiated. Anything below 1 is taken for 8000, the default of RFC 4733 2.4.
func NewDecoder(clockRate int) *Decoder {
	if clockRate < 1 {
		clockRate = 8000
	}
	return &Decoder{rate: uint32(clockRate), latest: -1}
}

// Push takes one telephone-event payload. It reports a press when it is
// certain: with its end, with its third packet, or when it has lasted 40 ms.
// A press reported before its end is reported once more, with Released and
// its duration; from Push or from Expire, whichever learns of it. ok is false
// when there is nothing new.
//
// Not counted: events above 15, payloads below 4 bytes, and duration 0 (RFC
// 4733 2.3.5). Of several events in a packet only the first is read: packed
// events are of no use to a keypad.
func (d *Decoder) Push(now time.Time, pt uint8, ssrc, timestamp uint32, payload []byte) (p Press, ok bool) {
	r, ok := readReport(payload)
	if !ok {
		d.latest = -1
		return d.Expire(now)
	}
	if d.latest = d.find(now, ssrc, timestamp, r.event); d.latest < 0 {
		d.latest = d.begin(heard{event: r.event, pt: pt, ssrc: ssrc, start: timestamp, segment: timestamp, first: now})
	}
	h := &d.presses[d.latest]
	h.hear(now, timestamp, r)
	switch {
	case h.released:
	case !h.reported && h.certain(d.rate):
		h.reported, h.released = true, h.ended
		return h.press(d.rate), true
	case h.reported && h.ended:
		h.released = true
		return h.press(d.rate), true
	}
	return d.Expire(now)
}

// Latest tells of the press that the packet pushed last was of. ok is false if
// it was of none.
func (d *Decoder) Latest() (s Sounding, ok bool) {
	if d.latest < 0 {
		return Sounding{}, false
	}
	h := &d.presses[d.latest]
	p := h.press(d.rate)
	return Sounding{Place: d.latest, New: h.packets == 1, Key: p.Key, Duration: p.Duration, Ended: h.ended}, true
}

// Expire reports the release of a press that was reported and has not been
// heard of for 150 ms: its end packets are lost. Call it with every packet of
// the stream, audio too, or every 50 ms or so. It reports one press a call.
func (d *Decoder) Expire(now time.Time) (p Press, ok bool) {
	for i := range d.presses {
		h := &d.presses[i]
		if h.reported && !h.released && now.Sub(h.last) >= lostEnd {
			h.released = true
			return h.press(d.rate), true
		}
	}
	return Press{}, false
}

// find returns the place of a press, -1 if it is not known.
func (d *Decoder) find(now time.Time, ssrc, timestamp uint32, event uint8) int {
	for i := range d.presses {
		h := &d.presses[i]
		known := h.packets > 0 && h.ssrc == ssrc && h.event == event && now.Sub(h.last) <= memory
		if known && h.covers(timestamp, d.rate) {
			return i
		}
	}
	return -1
}

func (d *Decoder) begin(h heard) (place int) {
	place = d.next
	d.next = (d.next + 1) % Remembered
	d.presses[place] = h
	return place
}

// report is the first event block of a payload (RFC 4733 2.3):
//
//	event(8) E(1) R(1) volume(6) duration(16)
type report struct {
	event    uint8
	end      bool
	duration uint16 // RTP timestamp units
}

func readReport(payload []byte) (report, bool) {
	if len(payload) < 4 {
		return report{}, false
	}
	r := report{
		event:    payload[0],
		end:      payload[1]&0x80 != 0,
		duration: uint16(payload[2])<<8 | uint16(payload[3]),
	}
	return r, int(r.event) < len(keys) && r.duration != 0
}
