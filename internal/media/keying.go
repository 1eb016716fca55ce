package media

import (
	"encoding/binary"
	"time"

	"consentgw/internal/dtmf"
)

const (
	// maxWaiting presses wait to be pressed anew: more than a person is ahead.
	maxWaiting = 16
	// A key is told of every 20 ms, its end three times (RFC 4733 sections 2.5.1.2
	// and 2.5.1.4), and the next one begins after keyRest.
	keyTime = frameTime
	keyEnds = 3
	keyRest = keyTime / 2
)

// keying presses keys anew toward the peer of a stream, in the order in which
// they came, each for as long as it was down. Owned by who reads the socket of
// the stream that they come from.
type keying struct {
	queue [maxWaiting]press
	n     int
	held  int       // of these, the last ones: not to be pressed yet
	until time.Time // when they are let go at the latest
	stroke
}

// press is one press that came.
type press struct {
	place   int // at the decoder; -1: it is known there no longer
	payload [2]byte
	to      *Stream // whom it was for
	lasted  time.Duration
	last    time.Time // when its newest packet came
	ended   bool
}

// stroke is how far the first of the queue has come.
type stroke struct {
	began time.Time // zero: it has not
	ts    uint32    // of the segment
	full  uint32    // units in the segments before it (RFC 4733 section 2.5.1.3)
	ends  int       // sent
	next  time.Time // when the next packet of it is due, or the next key may begin
}

// add takes a new press, of which a packet is the first. The last begins keys,
// this one included, may be the beginning of a sequence: they are held, and those
// before them let go. Not ok: there are too many.
func (k *keying) add(now time.Time, payload []byte, s dtmf.Sounding, to *Stream, begins int) bool {
	if k.n == maxWaiting {
		return false
	}
	for i := range k.queue[:k.n] {
		if p := &k.queue[i]; p.place == s.Place {
			p.place, p.ended = -1, true
		}
	}
	k.queue[k.n] = press{place: s.Place, payload: [2]byte{payload[0], payload[1] & volume}, to: to, last: now}
	k.n++
	k.held = min(k.held+1, begins)
	return true
}

// The second byte of an event (RFC 4733 section 2.3).
const (
	endBit = 0x80
	volume = 0x3F
)

// hear takes what a packet says of its press.
func (k *keying) hear(now time.Time, s dtmf.Sounding) {
	for i := range k.queue[:k.n] {
		if p := &k.queue[i]; p.place == s.Place {
			p.lasted, p.ended, p.last = s.Duration, s.Ended, now
		}
	}
}

// drop forgets the keys that are held: they were a sequence.
func (k *keying) drop(fates *[dtmf.Remembered]fate) {
	for _, p := range k.queue[k.n-k.held : k.n] {
		if p.place >= 0 {
			fates[p.place] = stays
		}
	}
	k.n -= k.held
	k.held = 0
}

// done forgets the first press.
func (k *keying) done(next time.Time) {
	copy(k.queue[:], k.queue[1:k.n])
	k.n--
	k.held = min(k.held, k.n)
	k.queue[k.n] = press{}
	k.stroke = stroke{next: next}
}

// step presses what is due on the stream that the keys are for, and returns when
// there is more to do; zero: with the next packet that comes.
func (k *keying) step(now time.Time, from *Stream, room *scratch) time.Time {
	if k.held > 0 && !now.Before(k.until) {
		k.held = 0
	}
	for k.n > k.held {
		p := &k.queue[0]
		if p.to != from.peer.Load() {
			k.done(k.next)
			continue
		}
		if now.Before(k.next) {
			return k.next
		}
		k.strike(now, p, room)
	}
	if k.held > 0 {
		return k.until
	}
	return time.Time{}
}

// lose forgets which presses the decoder knows: there is another one.
func (k *keying) lose() {
	for i := range k.queue[:k.n] {
		k.queue[i].place, k.queue[i].ended = -1, true
	}
}

// strike sends the next packet of the first press. It says no more of its length
// than has come.
func (k *keying) strike(now time.Time, p *press, room *scratch) {
	if k.began.IsZero() {
		k.next = now
	}
	k.next = k.next.Add(keyTime)
	if k.next.Before(now) {
		k.next = now.Add(keyTime)
	}
	s := p.to
	to := s.far.Load()
	destination := to.destination()
	switch {
	case destination == nil:
		s.counts.unsent.Add(1)
		k.done(now)
		return
	case to.EventPT <= 0:
		s.counts.unmapped.Add(1)
		k.done(now)
		return
	case !s.out.claimRelay(): // a notice plays: in a moment
		s.counts.displaced.Add(1)
		return
	}
	packet := k.packet(now, p, to, room)
	err := s.transmit(to, packet, destination)
	s.out.release()
	if err != nil {
		s.counts.errors.Add(1)
	} else {
		s.counts.sent.Add(1)
		s.counts.relayed.Add(1)
	}
	if k.ends == keyEnds {
		k.done(now.Add(keyRest))
	}
}

// packet builds that packet. The caller holds the token of the stream.
func (k *keying) packet(now time.Time, p *press, to *agreement, room *scratch) []byte {
	out, first := &p.to.out, k.began.IsZero()
	if first {
		heard := min(keyTime, p.lasted)
		k.began, k.ts = now.Add(-heard), out.turn(now, to.clock())-samples(heard, to.clock())
	}
	down := min(now.Sub(k.began), p.lasted)
	units := onClock(down, to.eventRate()) - k.full
	over := down == p.lasted && (p.ended || now.Sub(p.last) >= lostEnd)
	flags := p.payload[1]
	switch {
	case units > longestEvent:
		units = longestEvent
	case over:
		flags |= endBit
		k.ends++
	}
	seq := out.insert()
	if out.at.IsZero() {
		out.sent(now, seq, k.ts, units)
	}
	body := build(room[:], first, uint8(to.EventPT), seq, k.ts, p.to.ssrc)
	body[0], body[1] = p.payload[0], flags
	binary.BigEndian.PutUint16(body[2:], uint16(units))
	if units == longestEvent {
		k.full += units
		k.ts += samples(time.Duration(units)*time.Second/time.Duration(to.eventRate()), to.clock())
	}
	return room[:headerSize+eventSize]
}

// onClock is a duration in units of a clock, the nearest and at least one.
func onClock(d time.Duration, rate int) uint32 {
	return max(uint32((d*time.Duration(rate)+time.Second/2)/time.Second), 1)
}
