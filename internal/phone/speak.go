package phone

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"consentgw/internal/g711"
	"consentgw/internal/sdp"
)

// frame is 20 ms of G.711.
const frame = 160

// speech is the sending side of a line.
type speech struct {
	pcm   []int16 // what is being said; nil: the microphone is off
	at    int
	loop  bool
	keys  []byte
	ticks int // of the key that is down
	ssrc  uint32
	seq   uint16
	ts    uint32
	start uint32 // timestamp of the key that is down
}

func newSpeech() speech {
	return speech{ssrc: newSSRC(), seq: uint16(rand.Uint32()), ts: rand.Uint32()}
}

// A key is down for keyTicks frames (100 ms), its end is sent three times
// (RFC 4733 2.5.1.4), and keyRest frames of quiet follow.
const (
	keyTicks = 5
	keyEnds  = 3
	keyRest  = 3
)

// Speak switches the microphone on: pcm is said at 8 kHz, over and over if loop.
// Nil switches it off.
func (l *Line) Speak(pcm []int16, loop bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.say.pcm, l.say.at, l.say.loop = pcm, 0, loop
}

// Press presses keys one after the other as telephone-events.
func (l *Line) Press(keys string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.say.keys = append(l.say.keys, keys...)
}

// Sent returns the packets sent so far.
func (l *Line) Sent() []Packet {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sent)
}

// send is the sending loop: one frame each 20 ms, by an absolute clock.
func (l *Line) send() {
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			l.tick()
			next = next.Add(20 * time.Millisecond)
			timer.Reset(time.Until(next))
		case <-l.ctx.Done():
			return
		}
	}
}

func (l *Line) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.say.ts += frame * uint32(max(l.agreed.Audio.Rate, 8000)) / 8000
	if len(l.say.keys) > 0 {
		l.key()
		return
	}
	if l.say.pcm == nil || !l.agreed.Send {
		return
	}
	l.transmit(l.agreed.Audio.PT, false, l.say.ts, l.encode())
}

// encode takes the next 20 ms of the speech in the agreed law. Another codec is
// spoken in frames that only count: who relays it does not look. l.mu is held.
func (l *Line) encode() []byte {
	s := &l.say
	payload := make([]byte, frame)
	if a := l.agreed.Audio; !a.Same(sdp.PCMU()) && !a.Same(sdp.PCMA()) {
		binary.BigEndian.PutUint16(payload, s.seq)
		return payload
	}
	encode := g711.EncodeA
	if l.agreed.Audio.Same(sdp.PCMU()) {
		encode = g711.EncodeMu
	}
	for i := range payload {
		var sample int16
		if s.at < len(s.pcm) {
			sample = s.pcm[s.at]
			s.at++
		} else if s.loop {
			s.at = 0
		}
		payload[i] = encode(sample)
	}
	return payload
}

// key sends one tick of the key that is down. l.mu is held.
func (l *Line) key() {
	s := &l.say
	if l.agreed.Event == nil {
		s.keys = nil
		return
	}
	if s.ticks == 0 {
		s.start = s.ts
	}
	s.ticks++
	if s.ticks <= keyTicks {
		duration := uint16(s.ticks * frame * l.agreed.Event.Rate / 8000) // on the clock of the event
		l.transmit(l.agreed.Event.PT, s.ticks == 1, s.start, event(s.keys[0], false, duration))
		if s.ticks == keyTicks {
			for range keyEnds {
				l.transmit(l.agreed.Event.PT, false, s.start, event(s.keys[0], true, duration))
			}
		}
	}
	if s.ticks == keyTicks+keyRest {
		s.keys, s.ticks = s.keys[1:], 0
	}
}

// event is a telephone-event payload (RFC 4733 2.3).
func event(key byte, end bool, duration uint16) []byte {
	p := []byte{byte(strings.IndexByte(keypad, key)), 10, 0, 0}
	if end {
		p[1] |= 0x80
	}
	binary.BigEndian.PutUint16(p[2:], duration)
	return p
}

// transmit sends one packet and remembers it. l.mu is held.
func (l *Line) transmit(pt uint8, marker bool, ts uint32, payload []byte) {
	s := &l.say
	b := make([]byte, 12, 12+len(payload))
	b[0], b[1] = 0x80, pt
	if marker {
		b[1] |= 0x80
	}
	s.seq++
	binary.BigEndian.PutUint16(b[2:], s.seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], s.ssrc)
	at := time.Now() // before: it is not later than what anyone does with the packet
	if _, err := l.conn.WriteToUDPAddrPort(l.seal(append(b, payload...)), l.agreed.Remote); err == nil {
		l.sent = append(l.sent, Packet{At: at, Seq: s.seq, Timestamp: ts, SSRC: s.ssrc, Type: pt, Payload: payload})
	}
}

// Event is a whole RTP packet with a telephone-event, as a forger would make it.
func Event(key byte, seq uint16, ts uint32, duration uint16, end bool) []byte {
	b := make([]byte, 12, 16)
	b[0], b[1] = 0x80, 101
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], 0x5EED)
	return append(b, event(key, end, duration)...)
}
