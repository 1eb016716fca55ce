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
	pt, ok := to.carries(h)
	if !ok {
		s.counts.unmapped.Add(1)
		return
	}
	if !s.out.claimRelay() {
		s.counts.displaced.Add(1)
		return
	}
	defer s.out.release()
	seq, ts, marker, ok := s.out.place(now, origin{from, h.ssrc, to}, &h.packet, h.length())
	if !ok {
		s.counts.late.Add(1)
		return
	}
	room := build(h.scratch[:], marker, pt, seq, ts, s.ssrc)
	if h.what == event {
		copy(room, h.payload)
		rescale(room[2:4], h.far.eventRate(), to.eventRate())
	} else {
		convert(room, h.payload, h.codec, to.Codec)
		s.beep.mix(room[:len(h.payload)], to.Codec)
	}
	if s.transmit(to, h.scratch[:headerSize+len(h.payload)], destination) != nil {
		s.counts.errors.Add(1)
		return
	}
	s.counts.sent.Add(1)
	s.counts.relayed.Add(1)
	if h.what == audio && h.codec != to.Codec {
		s.counts.converted.Add(1)
	}
}

// skip closes the gap that a packet which is not for this far end would leave.
func (s *Stream) skip(h *heard, from *Stream) {
	if !s.out.claimRelay() {
		return
	}
	if to := s.far.Load(); to != nil && s.out.origin == (origin{from, h.ssrc, to}) {
		s.out.leaveOut(h.seq)
	}
	s.out.release()
}

// carries returns the payload type that what was heard leaves with. Not ok: the
// far end did not agree to it, or nobody here can convert it.
func (a *agreement) carries(h *heard) (pt uint8, ok bool) {
	if h.what == event {
		return uint8(a.EventPT), a.EventPT > 0
	}
	return a.PayloadType, h.codec.ConvertsTo(a.Codec)
}

// length is how long a packet lasts on the clock of the audio: a guess, but for
// events and codecs of a byte a sample.
func (h *heard) length() uint32 {
	switch {
	case h.what == event:
		return uint32(binary.BigEndian.Uint16(h.payload[2:]))
	case h.codec.isLaw(), h.codec == G722:
		return uint32(len(h.payload))
	}
	return samples(frameTime, h.far.clock())
}

func (a *agreement) eventRate() int {
	if a.EventRate == 0 {
		return clockRate
	}
	return a.EventRate
}

// rescale brings the duration of a telephone event from one clock to another.
func rescale(field []byte, from, to int) {
	if from == to {
		return
	}
	units := uint64(binary.BigEndian.Uint16(field)) * uint64(to) / uint64(from)
	binary.BigEndian.PutUint16(field, uint16(min(units, 0xFFFF)))
}
