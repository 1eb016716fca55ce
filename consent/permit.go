package consent

import (
	"sync/atomic"
	"time"
)

// Permit proves that a granted decision of one call is durably stored. Only
// [Commit] mints one, and every recorder demands one. The zero Permit permits
// nothing. It holds as long as one of its purposes does; copies, and those for
// fewer purposes, share one fate: what is revoked is revoked in all, for good.
//
// Go cannot forbid Permit{} or reflection; a recorder refuses the former, and
// the tests of the law catch a gate that does not ask.
type Permit struct {
	grant *grant
	of    uint64 // the bits of the purposes that it is for
}

type grant struct {
	record   RecordID
	storedAt time.Time
	purposes []string
	inForce  atomic.Uint64 // a bit for each purpose
}

// MaxPurposes is how many purposes a policy can have. Those beyond are never
// permitted.
const MaxPurposes = 32

// unnamed is the bit of a consent to no purpose in particular.
const unnamed = 1 << 63

// Valid reports whether consent is in force at this moment. Safe for
// concurrent use; it neither locks nor allocates, so it is asked on every packet.
func (p Permit) Valid() bool { return p.grant != nil && p.grant.inForce.Load()&p.of != 0 }

// Revoke ends the permit for good, for all purposes: when it returns, Valid is
// false everywhere. A new grant needs a new decision, and so a new Permit.
func (p Permit) Revoke() {
	if p.grant != nil {
		p.grant.inForce.Store(0)
	}
}

// ValidWithout reports whether it would hold if these purposes were revoked.
func (p Permit) ValidWithout(purposes []string) bool {
	return p.grant != nil && p.grant.inForce.Load()&p.of&^bits(p.grant.purposes, purposes) != 0
}

// RevokeFor ends it for these purposes only.
func (p Permit) RevokeFor(purposes []string) {
	if p.grant != nil {
		p.grant.inForce.And(^bits(p.grant.purposes, purposes))
	}
}

// For is the part of the permit that is for these purposes: it holds as long as
// one of them does, and never permits what p does not. Without any it is p.
func (p Permit) For(purposes []string) Permit {
	if p.grant == nil || len(purposes) == 0 {
		return p
	}
	p.of &= bits(p.grant.purposes, purposes)
	return p
}

// bits are those of some of all purposes.
func bits(all, some []string) (set uint64) {
	for _, name := range some {
		for i, purpose := range all[:min(len(all), MaxPurposes)] {
			if purpose == name {
				set |= 1 << i
			}
		}
	}
	return set
}

// names are the purposes of r, in their order.
func (r *Record) names() (all []string) {
	for _, g := range r.Purposes {
		all = append(all, g.Purpose)
	}
	return all
}

// granted are the bits of the purposes that were granted in r.
func (r *Record) granted() uint64 {
	if len(r.Purposes) == 0 {
		return unnamed
	}
	var some []string
	for _, g := range r.Purposes {
		if g.Granted {
			some = append(some, g.Purpose)
		}
	}
	return bits(r.names(), some)
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
