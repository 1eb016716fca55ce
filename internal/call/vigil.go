package call

import (
	"fmt"
	"time"

	"consentgw/internal/config"
)

// vigil is what was last seen of a party on the network.
type vigil struct {
	packets uint64    // of whatever use, RTCP included
	held    bool      // nothing is to be expected
	at      time.Time // when one of the two last changed
}

// vanished ends a call one of whose parties has disappeared without a word.
type vanished struct {
	by   string // "caller" or "agent"
	what string
	wait time.Duration
}

func (e *vanished) Error() string { return fmt.Sprintf("%s %s for %s", e.by, e.what, e.wait) }

// watch ends the call if a party that is connected gives no sign of life on the
// network for longer than the configuration allows: packets that are of no use
// for the talk count, such as comfort noise and RTCP. A party on hold, or that
// holds, may be silent for longer.
func (c *Call) watch() {
	for _, p := range []*party{c.asked, c.agent} {
		if !p.expected() {
			continue
		}
		if gone := p.absent(time.Now(), c.route.plan.silence); gone != nil {
			c.end(gone)
			return
		}
	}
}

// expected reports whether a party is to be heard of: not one that is not there
// yet, and not an agent who has hung up and whose place another is to take.
func (p *party) expected() bool { return p.leg != nil && p.leg.Context().Err() == nil }

// absent says that a party has been missing for too long, or nil.
func (p *party) absent(now time.Time, limit config.MediaTimeout) error {
	s := p.stream.Stats()
	seen := s.Received + s.DroppedPayload + s.DroppedHeld + s.RTCP - s.DroppedRTCP
	if p.seen.at.IsZero() || seen != p.seen.packets || p.held() != p.seen.held {
		p.seen = vigil{seen, p.held(), now}
	}
	quiet := now.Sub(p.seen.at)
	what, wait := "sent nothing", limit.Silence
	switch q := p.stream.Silence(now); {
	case p.held():
		what, wait = "was on hold and sent nothing", limit.Hold
	case !q.Ever && seen == 0:
		what, wait = "never sent anything", limit.First
		quiet = min(quiet, q.For)
	default:
		quiet = min(quiet, q.For) // another address has its time anew
	}
	if wait > 0 && quiet >= wait {
		return &vanished{p.name, what, wait}
	}
	return nil
}
