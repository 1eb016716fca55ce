package dtmf

import "time"

// sameWithin is how far apart two methods may show one press.
const sameWithin = 500 * time.Millisecond

// Once drops further sightings of a press that came by more than one method,
// such as SIP INFO beside RFC 4733. Each press absorbs each other method once,
// so quick presses of one key stay as many as they are. The zero value is
// ready. Not safe for concurrent use.
type Once struct {
	seen [8]sighting
	next int // the place for the next new press: the oldest
}

// sighting is one press and the methods it has been seen by.
type sighting struct {
	press   Press
	methods uint8 // 0: the place is free
	// rtp says that ssrc and timestamp are those of its RFC 4733 sighting.
	rtp             bool
	ssrc, timestamp uint32
}

// New reports whether p is a press not seen before. It is not new if it is the
// same RFC 4733 press again (its release, say), or the same key by another
// method within 500 ms. An INFO sent on release counts from the press it
// reports, its Duration earlier.
func (o *Once) New(p Press) bool {
	if o.again(p) {
		return false
	}
	for i := range len(o.seen) {
		s := &o.seen[(o.next+i)%len(o.seen)] // the oldest first
		if s.methods == 0 || s.press.Key != p.Key || s.methods&bit(p.Method) != 0 || !together(s.press, p) {
			continue
		}
		s.add(p)
		return false
	}
	s := &o.seen[o.next]
	*s = sighting{press: p}
	s.add(p)
	o.next = (o.next + 1) % len(o.seen)
	return true
}

func (o *Once) again(p Press) bool {
	if p.Method != RFC4733 {
		return false
	}
	for _, s := range o.seen {
		same := s.rtp && s.press.Key == p.Key && s.ssrc == p.SSRC && s.timestamp == p.Timestamp
		if same && p.At.Sub(s.press.At).Abs() <= memory {
			return true
		}
	}
	return false
}

func (s *sighting) add(p Press) {
	s.methods |= bit(p.Method)
	if p.Method == RFC4733 {
		s.rtp, s.ssrc, s.timestamp = true, p.SSRC, p.Timestamp
	}
}

func bit(m Method) uint8 {
	switch m {
	case RFC4733:
		return 1
	case Info:
		return 2
	case Inband:
		return 4
	}
	return 8
}

// together reports whether two sightings may have begun at one time.
func together(a, b Press) bool {
	return near(a.At, b.At) || near(begin(a), begin(b))
}

// begin is when the key went down: an INFO comes when it is up again.
func begin(p Press) time.Time {
	if p.Method == Info {
		return p.At.Add(-p.Duration)
	}
	return p.At
}

func near(a, b time.Time) bool {
	return a.Sub(b).Abs() <= sameWithin
}
