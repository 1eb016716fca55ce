package media

import (
	"time"

	"consentgw/internal/dtmf"
)

const (
	// pressBuffer is how many presses wait for a reader: more than a caller can
	// press while a notice is answered.
	pressBuffer = 32
	// lostEnd is when to ask the decoder for a press that has no end: just after
	// its own limit.
	lostEnd = 160 * time.Millisecond
)

// keys is the keypad of the far end. Owned by who reads the socket, but for the
// channel.
type keys struct {
	// due is when a press that lost its end counts as over; zero: all ended.
	due     time.Time
	presses chan dtmf.Press
	decoder *dtmf.Decoder
	rate    int
	inband  inband
}

// Presses are the key presses of the far end, from its locked source only, each
// as [dtmf.Decoder] reports it; if it agreed to no telephone-event, those that it
// sends as tones, as [dtmf.Tones] does. They wait here until somebody reads,
// with the time at which they were pressed: whether a key came too early, the
// reader judges. The channel is never closed.
func (s *Stream) Presses() <-chan dtmf.Press { return s.keys.presses }

// press takes one telephone-event packet.
func (s *Stream) press(now time.Time, h *heard) {
	s.in.events.Add(1)
	k := &s.keys
	if rate := h.far.eventRate(); k.decoder == nil || k.rate != rate {
		k.decoder, k.rate = dtmf.NewDecoder(rate), rate
	}
	k.due = now.Add(lostEnd)
	if press, ok := k.decoder.Push(now, h.pt, h.ssrc, h.ts, h.payload); ok {
		s.deliver(press)
	}
}

// expire ends the presses that lost their end. It is asked with every packet,
// and by the engine when it is due and none has come.
func (s *Stream) expire(now time.Time) {
	k := &s.keys
	if k.due.IsZero() {
		return
	}
	for {
		press, ok := k.decoder.Expire(now)
		if !ok {
			break
		}
		s.deliver(press)
	}
	if !now.Before(k.due) {
		k.due = time.Time{}
	}
}

func (s *Stream) deliver(p dtmf.Press) {
	select {
	case s.keys.presses <- p:
	default:
		s.in.pressesLost.Add(1)
	}
}
