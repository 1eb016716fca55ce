package media

import (
	"runtime"
	"sync/atomic"

	"consentgw/consent"
)

// Gate is the check between a call's media and its recorders, one per call. It
// starts shut and lets copies pass only while it is open and its permit valid.
//
// To withdraw: Shut, then revoke the permit, then store. After Shut no copy is
// in flight, so none can meet the revoked permit; a crash in between leaves a
// consent without a recording, never a recording without consent.
//
// All methods may be called concurrently. Open and Shut belong to the goroutine
// of the call: an Open that overtakes a Shut undoes it.
type Gate struct {
	// Set by NewGate and Under, then constant.
	permit consent.Permit
	brake  *Brake // of the call; nil: none
	// state is two flags and the number of copies in flight, in one word, so
	// that no copy can slip in between the look at the flag and the count.
	state      atomic.Uint64
	passed     atomic.Uint64
	blocked    atomic.Uint64
	violations atomic.Uint64
}

const (
	gateOpen     = 1 << 63
	gateSettled  = 1 << 62 // shut, and the last copy has left
	gateInFlight = gateSettled - 1
)

// GateCounts are what a gate did, in packets.
type GateCounts struct {
	Passed  uint64
	Blocked uint64 // offered while it was shut or without a valid permit
	// Violations are copies found, after they were sent, to have left through
	// a gate that had finished shutting or without a valid permit. Must stay 0.
	Violations uint64
}

// NewGate makes a shut gate. A zero permit is allowed: the gate never opens.
func NewGate(p consent.Permit) *Gate {
	g := &Gate{permit: p}
	g.state.Store(gateSettled)
	return g
}

// Under lets nothing pass as long as b is on, and returns g. It must be called
// before g is in use.
func (g *Gate) Under(b *Brake) *Gate {
	g.brake = b
	return g
}

// Open lets copies pass, and reports whether it does: false, and shut, without
// a valid permit; false as long as the brake is on.
func (g *Gate) Open() bool {
	if !g.permit.Valid() {
		return false
	}
	for {
		state := g.state.Load()
		if g.state.CompareAndSwap(state, state&^gateSettled|gateOpen) {
			break
		}
	}
	if g.permit.Valid() {
		return g.brake.off()
	}
	g.Shut() // revoked just now
	return false
}

// Shut lets nothing pass any more. When it returns no copy is in flight. It
// waits for the copies that are, each one non-blocking send long.
func (g *Gate) Shut() {
	g.state.And(^uint64(gateOpen))
	for {
		switch state := g.state.Load(); {
		case state&(gateOpen|gateSettled) != 0:
			return // opened again, or another Shut was faster
		case state&gateInFlight == 0 && g.state.CompareAndSwap(state, gateSettled):
			return
		}
		runtime.Gosched()
	}
}

// Passing reports whether a copy offered now would pass.
func (g *Gate) Passing() bool {
	return g.state.Load()&gateOpen != 0 && g.permit.Valid() && g.brake.off()
}

// StandsOn reports whether the gate was made for this permit.
func (g *Gate) StandsOn(p consent.Permit) bool { return g.permit == p }

// Counts returns what passed so far and what did not.
func (g *Gate) Counts() GateCounts {
	return GateCounts{Passed: g.passed.Load(), Blocked: g.blocked.Load(), Violations: g.violations.Load()}
}

// enter is asked before every copy; leave must follow if it says yes.
func (g *Gate) enter() bool {
	// A shut gate is not written to: else packets that hammer on it could keep
	// Shut waiting for a quiet moment.
	if g.state.Load()&gateOpen != 0 {
		if g.state.Add(1)&gateOpen != 0 && g.permit.Valid() && g.brake.off() {
			g.passed.Add(1)
			return true
		}
		g.state.Add(^uint64(0))
	}
	g.blocked.Add(1)
	return false
}

// leave ends what enter began, and looks again: not whether enter did its work,
// but whether this copy should have left at all. It withholds nothing; it makes
// a gate that does not ask visible.
func (g *Gate) leave() {
	// Before the copy is counted out: from then on Shut may return, and the
	// permit be revoked by law.
	valid := g.permit.Valid()
	state := g.state.Add(^uint64(0))
	if state&gateOpen != 0 && !valid || state&gateSettled != 0 {
		g.violations.Add(1)
	}
}
