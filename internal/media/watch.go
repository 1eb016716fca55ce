package media

import (
	"time"

	"consentgw/consent"
	"consentgw/internal/dtmf"
)

// Watch says what the keys of a far end mean to the gateway. As long as the
// permit is valid, keys that a sequence may begin with do not go on
// to the peer until that is decided: never if they complete one; else, after
// another key or after Hold, as they were pressed, but later. All keys of the
// stream are then pressed anew toward the peer (see keying), one after the other
// and with their own duration, so that what was held back is one clean stream
// with what was not.
//
// Keys that come as tones in the speech cannot be held back.
type Watch struct {
	Permit    consent.Permit
	Brake     *Brake // of all the gates of the call
	Sequences []Sequence
	Hold      time.Duration // since the last packet of the last key
}

// Sequence is a row of keys that is not for the peer.
type Sequence struct {
	Keys string // 2 to [dtmf.MaxSequence]
	// Stop puts the brake on at the packet that completes it, which is copied by no
	// tap any more; 0: nothing does.
	Stop Stop
}

// Watch puts w in force, once in the life of a stream.
func (s *Stream) Watch(w Watch) {
	keys := make([]string, len(w.Sequences))
	for i, q := range w.Sequences {
		keys[i] = q.Keys
	}
	s.keys.watch.Store(&watch{Watch: w, found: dtmf.NewSequences(keys...)})
}

// watch is a Watch in force. Owned by who reads the socket.
type watch struct {
	Watch
	found *dtmf.Sequences
	once  dtmf.Once
	line  keying
}

// looks reports whether sequences are looked for. One that has begun may be
// completed though the permit is not valid any more: it is the same one that was
// seen by other means first, by SIP INFO say.
func (w *watch) looks() bool { return w.Permit.Valid() || w.line.held > 0 }

// fate is what becomes of the packets of one press.
type fate uint8

const (
	goesOn fate = iota // to the peer, as they come
	stays              // with us
	anew               // the press is made anew
)

// keep decides whether a packet of a telephone event stays here, and takes what
// it says of a press that is made anew. A press that began before there was a
// peer stays: it was meant for the question, or for another agent.
func (s *Stream) keep(now time.Time, h *heard) bool {
	k, w := &s.keys, s.keys.watch.Load()
	sound, ok := k.decoder.Latest()
	if !ok {
		return w != nil && int(h.payload[0]) < dtmf.Events // a press without a duration yet
	}
	if sound.New {
		k.fates[sound.Place] = s.judge(now, h, w, sound)
	}
	if k.fates[sound.Place] == anew {
		w.line.hear(now, sound)
		if w.line.held > 0 {
			w.line.until = now.Add(w.Hold)
		}
	}
	return k.fates[sound.Place] != goesOn
}

// judge decides on a new press.
func (s *Stream) judge(now time.Time, h *heard, w *watch, sound dtmf.Sounding) fate {
	peer := s.peer.Load()
	switch {
	case peer == nil:
		return stays
	case w == nil:
		return goesOn
	}
	begins := 0
	if w.looks() {
		begins = w.found.Begins(sound.Key, now)
	}
	if !w.line.add(now, h.payload, sound, peer, begins) {
		s.in.pressesLost.Add(1)
		return stays
	}
	return anew
}

// tell hands a press to the reader. If it completes a sequence the brake is on
// before the packet that did it reaches a tap, and the keys never reach the peer.
func (s *Stream) tell(p dtmf.Press) {
	s.deliver(p)
	w := s.keys.watch.Load()
	if w == nil || !w.once.New(p) || !w.looks() {
		return
	}
	if i := w.found.Push(p); i >= 0 {
		w.Brake.put(w.Sequences[i].Stop)
		w.line.drop(&s.keys.fates)
	}
}
