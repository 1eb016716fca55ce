package media

import (
	"encoding/binary"
	"time"
)

// forward sends a packet that another stream received to this stream's far end.
// It runs on the goroutine of that other stream.
func (s *Stream) forward(now time.Time, h *heard, from *Stream) {
	to := s.far.Load()
	destination := to.destination()
	if destination == nil {
		s.counts.unsent.Add(1)
		return
	}
	pt, length := to.PayloadType, uint32(len(h.payload))
	if h.what == event {
		// Another clock would need another duration and its own time stamps;
		// both sides agree on 8000 Hz or do without.
		if to.EventPT <= 0 || to.eventRate() != h.far.eventRate() {
			s.counts.unmapped.Add(1)
			return
		}
		pt, length = uint8(to.EventPT), uint32(binary.BigEndian.Uint16(h.payload[2:]))
	}
	if !s.out.claimRelay() {
		s.counts.displaced.Add(1)
		return
	}
	defer s.out.release()
	seq, ts, marker, ok := s.out.place(now, origin{from, h.ssrc, to}, &h.packet, length)
	if !ok {
		s.counts.late.Add(1)
		return
	}
	room := build(h.scratch[:], marker, pt, seq, ts, s.ssrc)
	if h.what == event {
		copy(room, h.payload)
	} else {
		convert(room, h.payload, h.law, to.Law)
	}
	if s.transmit(to, h.scratch[:headerSize+len(h.payload)], destination) != nil {
		s.counts.errors.Add(1)
		return
	}
	s.counts.sent.Add(1)
	s.counts.relayed.Add(1)
	if h.what == audio && h.law != to.Law {
		s.counts.converted.Add(1)
	}
}

func (a *agreement) eventRate() int {
	if a.EventRate == 0 {
		return clockRate
	}
	return a.EventRate
}
