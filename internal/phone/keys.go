package phone

import (
	"context"
	"strings"
)

const keypad = "0123456789*#ABCD"

// Keys are the keys that were heard as telephone-events of a payload type, each
// once its end has come, in order.
func Keys(packets []Packet, eventPT uint8) string {
	var keys strings.Builder
	ended := map[uint32]bool{}
	for _, p := range packets {
		if p.Type == eventPT && len(p.Payload) >= 4 && p.Payload[1]&0x80 != 0 && !ended[p.Timestamp] && int(p.Payload[0]) < len(keypad) {
			ended[p.Timestamp] = true
			keys.WriteByte(keypad[p.Payload[0]])
		}
	}
	return keys.String()
}

// HeardKeys are the keys heard so far: as telephone-events, and by SIP INFO.
func (l *Line) HeardKeys() (events, infos string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heardKeys()
}

func (l *Line) heardKeys() (events, infos string) {
	if e := l.agreed.Event; e != nil {
		events = Keys(l.ear.packets, l.agreed.LocalEventPT)
	}
	for _, body := range l.ear.infos {
		if _, key, ok := strings.Cut(body, "Signal="); ok && key != "" {
			infos += key[:1]
		}
	}
	return events, infos
}

// UntilKeys waits until these are the keys heard.
func (l *Line) UntilKeys(ctx context.Context, events, infos string) error {
	return l.Until(ctx, func([]Packet, []byte) bool {
		e, i := l.heardKeys()
		return e == events && i == infos
	})
}
