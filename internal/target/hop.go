package target

import (
	"time"

	"consentgw/internal/config"
)

// Hop is one address that calls of a platform can be sent to: that of a target,
// or of one of its SRV records. Its methods are safe for concurrent use.
type Hop struct {
	// Target is what the configuration says of it. A TLS certificate must fit the
	// host of its URI, also if the packets go elsewhere (RFC 5922 section 4).
	Target config.Target
	// Dest is host:port of an SRV record, empty for the host of Target.URI.
	Dest string

	set *Set
	uri string

	// Of the SRV record, and the health. Guarded by Set.mu.
	priority, weight int
	down             bool
	failures, pongs  int // OPTIONS in a row
	failedAt         time.Time
	answeredAt       time.Time
	spoke            bool // it has answered an OPTIONS, in whatever way
}

// URI is Target.URI with the address of Dest and the transport of the target:
// where to send to.
func (h *Hop) URI() string { return h.uri }

// ServerName is the name that a TLS certificate must bear, if it is not the host
// of URI (RFC 5922 section 4); else empty.
func (h *Hop) ServerName() string {
	if h.Dest == "" {
		return ""
	}
	return splitURI(h.Target).host
}

// Up reports whether the address is taken for alive. It is at first.
func (h *Hop) Up() bool {
	h.set.mu.Lock()
	defer h.set.mu.Unlock()
	return !h.down
}

// Pinged tells the result of one OPTIONS: whether there was an answer that means
// ready for calls. It reports whether the address went up or down by it.
func (h *Hop) Pinged(ready bool) (changed bool) {
	h.set.mu.Lock()
	defer h.set.mu.Unlock()
	h.spoke = true
	if !ready {
		return h.fail()
	}
	h.failures = 0
	h.pongs = min(h.pongs+1, h.set.upAfter)
	return h.turn(h.down && h.pongs < h.set.upAfter)
}

// Unanswered tells that an OPTIONS got no answer, or could not be sent. It says
// nothing of an address that has answered calls and has never answered an
// OPTIONS: that one knows no OPTIONS.
func (h *Hop) Unanswered() (changed bool) {
	h.set.mu.Lock()
	defer h.set.mu.Unlock()
	if !h.spoke && !h.answeredAt.IsZero() {
		return false
	}
	return h.fail()
}

// fail counts a probe that failed. Set.mu is held.
func (h *Hop) fail() (changed bool) {
	h.pongs = 0
	h.failures = min(h.failures+1, h.set.downAfter)
	return h.turn(h.down || h.failures == h.set.downAfter)
}

// Answered tells that the address gave an INVITE a final answer that is no
// reason to try another one: it is up at once. It reports whether it was down.
func (h *Hop) Answered(now time.Time) (changed bool) {
	h.set.mu.Lock()
	defer h.set.mu.Unlock()
	h.failures, h.failedAt, h.answeredAt = 0, time.Time{}, now
	return h.turn(false)
}

// Carries reports whether a call was answered within the last d: then OPTIONS
// could say nothing that is not known.
func (h *Hop) Carries(now time.Time, d time.Duration) bool {
	h.set.mu.Lock()
	defer h.set.mu.Unlock()
	return !h.answeredAt.IsZero() && now.Sub(h.answeredAt) < d
}

// Failed tells that a call has to try another address because of this one. For
// 20 s it comes after the others; only OPTIONS takes it down.
func (h *Hop) Failed(now time.Time) {
	h.set.mu.Lock()
	defer h.set.mu.Unlock()
	h.failedAt = now
}

// turn sets the state. Set.mu is held.
func (h *Hop) turn(down bool) (changed bool) {
	changed = h.down != down
	h.down = down
	if changed {
		h.failures, h.pongs = 0, 0
	}
	return changed
}

// rank is 0 for a good address, more for a worse one. Set.mu is held.
func (h *Hop) rank(now time.Time) int {
	age := now.Sub(h.failedAt)
	switch {
	case h.down:
		return 2
	case !h.failedAt.IsZero() && age >= 0 && age < shunned:
		return 1
	}
	return 0
}
