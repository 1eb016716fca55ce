package consent

import (
	"sync/atomic"
	"time"
)

// Permit proves that a granted decision of one call is durably stored. Only
// [Commit] mints one, and every recorder demands one. The zero Permit permits
// nothing. Copies share one fate: revoking one revokes all, for good.
//
// Go cannot forbid Permit{} or reflection; a recorder refuses the former, and
// the tests of the law catch a gate that does not ask.
type Permit struct{ grant *grant }

type grant struct {
	record   RecordID
	storedAt time.Time
	revoked  atomic.Bool
}

// Valid reports whether consent is in force at this moment. Safe for
// concurrent use; it neither locks nor allocates, so it is asked on every packet.
func (p Permit) Valid() bool { return p.grant != nil && !p.grant.revoked.Load() }

// Revoke ends the permit for good: when it returns, Valid is false everywhere.
// A new grant needs a new decision, and so a new Permit.
func (p Permit) Revoke() {
	if p.grant != nil {
		p.grant.revoked.Store(true)
	}
}

// Record is the record that the permit rests on; empty for the zero Permit.
func (p Permit) Record() RecordID {
	if p.grant == nil {
		return ""
	}
	return p.grant.record
}

// StoredAt is when the store said that the decision is durable.
func (p Permit) StoredAt() time.Time {
	if p.grant == nil {
		return time.Time{}
	}
	return p.grant.storedAt
}
