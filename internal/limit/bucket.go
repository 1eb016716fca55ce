// Package limit counts what comes in against what may: calls per second of a
// trunk, and what a source may send before it is refused, and then ignored.
//
// Nothing here reads a clock or starts a goroutine: the time is an argument, and
// may stand still or go back.
package limit

import (
	"math"
	"sync"
	"time"
)

// Bucket is a token bucket: it gives so many tokens a second, and saves up one
// second's worth, at least one token. It is safe for concurrent use.
type Bucket struct {
	rate float64 // tokens a second; 0: no limit

	mu sync.Mutex
	tokens
}

// tokens is the state of a bucket. The zero value is a full one.
type tokens struct {
	used float64   // how many are missing from a full bucket
	at   time.Time // when used was true
}

// NewBucket returns a full bucket. A rate that is zero, negative or not a number
// is no limit.
func NewBucket(perSecond float64) *Bucket {
	return &Bucket{rate: max(0, clean(perSecond))}
}

// Rate is the tokens a second; 0: no limit.
func (b *Bucket) Rate() float64 { return b.rate }

func clean(rate float64) float64 {
	if math.IsNaN(rate) || math.IsInf(rate, 0) {
		return 0
	}
	return rate
}

// Take takes a token. If there is none it reports how long until there is one,
// which is what Retry-After should say (RFC 3261 section 20.33), rounded up.
func (b *Bucket) Take(now time.Time) (ok bool, wait time.Duration) {
	if b.rate == 0 {
		return true, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.take(b.rate, now)
}

func (t *tokens) take(rate float64, now time.Time) (ok bool, wait time.Duration) {
	if elapsed := now.Sub(t.at); elapsed > 0 {
		t.used = max(0, t.used-elapsed.Seconds()*rate)
		t.at = now
	}
	// Fractions that were added up are not exact: a token that is due is due.
	const exact = 1e-9
	if over := t.used + 1 - max(1, rate); over > exact {
		return false, time.Duration(math.Ceil(over / rate * float64(time.Second)))
	}
	t.used++
	return true, 0
}
