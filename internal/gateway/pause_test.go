package gateway_test

import (
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"

	"github.com/stretchr/testify/require"
)

// resuming notes that the gateway is about to be told to go on.
func (p *actor) resuming() { p.resumed = append(p.resumed, time.Now()) }

// way is from whom speech goes to whom.
type way struct{ from, to *phone.Line }

// checkPauses looks for copies of what was said while the gate was shut. What
// was said shortly before it opened may have waited in a socket and met it
// open: only what left during the pause, or reached the other party before
// anybody asked for its end, surely met it shut. Times of a record are cut to
// the millisecond, so a pause has begun one after its From.
func (p *actor) checkPauses(rec consent.Recording, w way, copies []phone.Packet) {
	said := map[string]time.Time{} // no two frames of a voice are alike
	for _, s := range w.from.Sent() {
		said[string(s.Payload)] = s.At
	}
	for _, pause := range rec.Pauses {
		heard := heardBefore(w.to, p.resumedIn(pause))
		for _, c := range copies {
			if !said[string(c.Payload)].After(pause.From.Add(time.Millisecond)) {
				continue
			}
			require.False(p.t, c.At.Before(pause.To), "a copy left during a pause")
			require.False(p.t, heard[string(c.Payload)], "a copy of what was said during a pause")
		}
	}
}

// resumedIn is when the end of a pause was asked for; zero: never.
func (p *actor) resumedIn(pause consent.Pause) time.Time {
	for _, at := range p.resumed {
		if at.After(pause.From) && at.Before(pause.To.Add(time.Millisecond)) {
			return at
		}
	}
	return time.Time{}
}

func heardBefore(line *phone.Line, at time.Time) map[string]bool {
	heard := map[string]bool{}
	for _, r := range line.Received() {
		if r.At.Before(at) {
			heard[string(r.Payload)] = true
		}
	}
	return heard
}
