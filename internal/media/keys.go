package media

import (
	"sync/atomic"
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
	// due is when there is something to do though no packet comes; zero: nothing.
	due     time.Time
	ends    time.Time // when a press that lost its end counts as over; zero: all ended
	presses chan dtmf.Press
	decoder *dtmf.Decoder
	rate    int
	fates   [dtmf.Remembered]fate // of the presses that the decoder knows
	inband  inband
	// watch is set by who made the stream; what is in it belongs to the reader.
	watch atomic.Pointer[watch]
}

// Presses are the key presses of the far end, from its locked source only, each
// as [dtmf.Decoder] reports it; if it agreed to no telephone-event, those that it
// sends as tones, as [dtmf.Tones] does. They wait here until somebody reads,
// with the time at which they were pressed: whether a key came too early, the
// reader judges. The channel is never closed.
func (s *Stream) Presses() <-chan dtmf.Press { return s.keys.presses }

// press takes one telephone-event packet, and decides whether it goes on.
func (s *Stream) press(now time.Time, h *heard) {
	s.in.events.Add(1)
	k := &s.keys
	if rate := h.far.eventRate(); k.decoder == nil || k.rate != rate {
		k.decoder, k.rate, k.fates = dtmf.NewDecoder(rate), rate, [dtmf.Remembered]fate{}
		if w := k.watch.Load(); w != nil {
			w.line.lose()
		}
	}
	k.ends = now.Add(lostEnd)
	k.due = k.ends
	press, ok := k.decoder.Push(now, h.pt, h.ssrc, h.ts, h.payload)
	h.kept = s.keep(now, h)
	if ok {
		s.tell(press)
	}
}

// expire ends the presses that lost their end, and goes on with the keys that are
// pressed anew. It is asked with every packet, and by the engine when it is due
// and none has come.
func (s *Stream) expire(now time.Time, room *scratch) {
	k := &s.keys
	if k.due.IsZero() {
		return
	}
	for k.decoder != nil {
		press, ok := k.decoder.Expire(now)
		if !ok {
			break
		}
		s.tell(press)
	}
	if !now.Before(k.ends) {
		k.ends = time.Time{}
	}
	k.due = k.ends
	if w := k.watch.Load(); w != nil {
		if next := w.line.step(now, s, room); k.due.IsZero() || !next.IsZero() && next.Before(k.due) {
			k.due = next
		}
	}
}

func (s *Stream) deliver(p dtmf.Press) {
	select {
	case s.keys.presses <- p:
	default:
		s.in.pressesLost.Add(1)
	}
}
