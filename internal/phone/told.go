package phone

import (
	"context"
	"slices"
	"time"

	"consentgw/internal/sdp"
)

// Told is one indication of whether the call is recorded (RFC 7866 section 7.3.1).
type Told struct {
	At    time.Time
	State string // "on", "off" or "paused"
}

// Told is what the far end said of a recording, in order, without what it said
// again.
func (l *Line) Told() []Told {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ear.told)
}

// UntilTold waits until state is what the far end said last.
func (l *Line) UntilTold(ctx context.Context, state string) error {
	return l.Until(ctx, func([]Packet, []byte) bool {
		n := len(l.ear.told)
		return n > 0 && l.ear.told[n-1].State == state
	})
}

// read takes the indication out of a description of the far end's.
func (l *Line) read(s *sdp.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range s.Media {
		for _, a := range m.Attributes {
			n := len(l.ear.told)
			if a.Key != "record" || n > 0 && l.ear.told[n-1].State == a.Value {
				continue
			}
			l.ear.told = append(l.ear.told, Told{time.Now(), a.Value})
			l.ear.wake()
		}
	}
}
