package phone

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"consentgw/internal/g711"
)

// ear is the receiving side of a line.
type ear struct {
	packets []Packet
	audio   []byte        // payloads of G.711 in the order of arrival
	told    []Told        // of recordings
	infos   []string      // bodies of SIP INFO
	news    chan struct{} // closed and replaced with everything new
}

// receive is the receiving loop.
func (l *Line) receive() {
	b := make([]byte, 2048)
	for {
		n, _, err := l.conn.ReadFromUDPAddrPort(b)
		if l.ctx.Err() != nil {
			return
		}
		if err != nil {
			continue // a refused packet of ours comes back as an error
		}
		l.mu.Lock()
		if p, ok := parse(l.open(b[:n])); ok {
			l.ear.take(p)
		}
		l.mu.Unlock()
	}
}

func (e *ear) take(p Packet) {
	e.packets = append(e.packets, p)
	if p.Type == 0 || p.Type == 8 {
		e.audio = append(e.audio, p.Payload...)
	}
	e.wake()
}

func (e *ear) wake() {
	close(e.news)
	e.news = make(chan struct{})
}

// parse reads an RTP packet without extensions, which is all that a gateway of
// ours sends (RFC 3550 5.1).
func parse(b []byte) (Packet, bool) {
	if len(b) < 12 || b[0] != 0x80 || b[1] >= 192 && b[1] <= 223 { // RTCP (RFC 5761 section 4)
		return Packet{}, false
	}
	return Packet{At: time.Now(), Type: b[1] & 0x7F, Seq: binary.BigEndian.Uint16(b[2:]), Timestamp: binary.BigEndian.Uint32(b[4:]),
		SSRC: binary.BigEndian.Uint32(b[8:]), Payload: slices.Clone(b[12:])}, true
}

// Received returns the packets heard so far.
func (l *Line) Received() []Packet {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ear.packets)
}

// Until waits until done says so of what was heard so far. It is asked again
// after every packet.
func (l *Line) Until(ctx context.Context, done func(packets []Packet, audio []byte) bool) error {
	for {
		l.mu.Lock()
		ok, news := done(l.ear.packets, l.ear.audio), l.ear.news
		l.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Hears waits until a clip, given in both laws, has been heard byte for byte to
// its last whole frame.
func (l *Line) Hears(ctx context.Context, pcmu, pcma []byte) error {
	last := func(clip []byte) []byte { return clip[:len(clip)/frame*frame] }
	return l.Until(ctx, func(_ []Packet, audio []byte) bool {
		return bytes.Contains(audio, last(pcmu)) || bytes.Contains(audio, last(pcma))
	})
}

// Loudness is the root mean square of what was heard since the n-th packet, in
// sample steps: a silent line is near 0, telephone speech above 300.
func Loudness(packets []Packet) float64 {
	var sum float64
	var n int
	for _, p := range packets {
		decode := g711.DecodeMu
		if p.Type == 8 {
			decode = g711.DecodeA
		} else if p.Type != 0 {
			continue
		}
		for _, b := range p.Payload {
			v := float64(decode(b))
			sum += v * v
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return math.Sqrt(sum / float64(n))
}
