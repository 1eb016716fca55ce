package consent

import (
	"context"
	"fmt"
	"time"
)

// Clock tells the time; tests pass their own.
type Clock func() time.Time

// Commit stores the decision in r and, if it is Given, mints the Permit. r is
// changed in place whatever happens: it is the caller's own, and after an
// error its outcome says so.
//
// Store, then act. A crash after the store's yes leaves a consent without a
// recording, never a recording without consent. A store that fails, answers
// late or loses its reply yields no Permit: whether it kept the write is
// unknown then, so r moves on to StoreUnavailable under a higher epoch, and the
// next write of the same writer puts the two straight. Nothing is sent twice.
func Commit(ctx context.Context, s Store, r *Record, d Decision, now Clock) (Permit, error) {
	r.decide(d)
	if err := s.Put(ctx, r.Clone()); err != nil {
		r.decide(Decision{Outcome: unstored(d.Outcome), Choice: d.Choice, At: now(), Grants: d.Grants})
		return Permit{}, fmt.Errorf("store decision: %w", err)
	}
	r.StoredAt = Stamp(now())
	if d.Outcome != Given {
		return Permit{}, nil
	}
	g := &grant{record: r.ID, storedAt: r.StoredAt, purposes: r.names()}
	g.inForce.Store(r.granted())
	return Permit{g, g.inForce.Load()}, nil
}

// unstored is what a decision counts for when it could not be stored: a yes is
// nothing without proof, everything else closed the gate already.
func unstored(o Outcome) Outcome {
	if o == Given {
		return StoreUnavailable
	}
	return o
}
