package sip

import (
	"sync"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// dialogID identifies a dialog from our side (RFC 3261 section 12).
type dialogID struct{ callID, local, remote string }

// halfID identifies what a dialed INVITE may become before the far end chose
// its tag.
type halfID struct{ callID, local string }

// branchID identifies an INVITE and its CANCEL (RFC 3261 section 9.2).
type branchID struct{ branch, sentBy, callID string }

// mergeID identifies an INVITE whichever way it came (RFC 3261 section 8.2.2.2).
type mergeID struct {
	callID, from string
	seq          uint32
}

// Bounds of what strangers can make us remember.
const (
	maxTombstones = 4096
	maxMerged     = 65536
)

// A registry finds what a message belongs to.
type registry struct {
	mu       sync.Mutex // guards everything below, and is held for look-ups only
	legs     map[dialogID]*Leg
	early    map[dialogID]*Incoming // unanswered INVITEs, by the dialog they may become
	arriving map[branchID]*Incoming // the same, by transaction
	dialing  map[halfID]*invitation // INVITEs of ours without a final response
	inboxes  map[string]*inbox      // responses to INVITEs of ours, by branch
	tombs    *expiring[branchID, *tombstone]
	merged   *expiring[mergeID, branchID]
}

// A tombstone is a CANCEL that came before its INVITE (trap 7). met is closed
// when the INVITE shows up.
type tombstone struct{ met chan struct{} }

func (r *registry) setUp(ttl time.Duration) {
	r.legs = make(map[dialogID]*Leg)
	r.early = make(map[dialogID]*Incoming)
	r.arriving = make(map[branchID]*Incoming)
	r.dialing = make(map[halfID]*invitation)
	r.inboxes = make(map[string]*inbox)
	r.tombs = newExpiring[branchID, *tombstone](ttl, maxTombstones)
	r.merged = newExpiring[mergeID, branchID](ttl, maxMerged)
}

func (r *registry) leg(id dialogID) *Leg {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.legs[id]
}

func (r *registry) addLeg(l *Leg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.legs[l.dialog.id] = l
}

// removeLeg reports whether the leg was there: the caller who is told so ends it.
func (r *registry) removeLeg(l *Leg) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.legs[l.dialog.id] != l {
		return false
	}
	delete(r.legs, l.dialog.id)
	return true
}

func (r *registry) allLegs() []*Leg {
	r.mu.Lock()
	defer r.mu.Unlock()
	legs := make([]*Leg, 0, len(r.legs))
	for _, l := range r.legs {
		legs = append(legs, l)
	}
	return legs
}

// addIncoming registers a new INVITE. It reports merged if the same INVITE is
// here by another way, and cancelled if its CANCEL came first; the INVITE is
// registered in neither case.
func (r *registry) addIncoming(in *Incoming, now time.Time) (merged, cancelled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if other, ok := r.merged.get(in.merge, now); ok && other != in.branch {
		return true, false
	}
	r.merged.put(in.merge, in.branch, now)
	if t, ok := r.tombs.take(in.branch, now); ok {
		close(t.met)
		return false, true
	}
	r.early[in.id] = in
	r.arriving[in.branch] = in
	return false, false
}

// removeIncoming forgets an INVITE that has its final response. That it was
// here is remembered for a while, for copies still on their way.
func (r *registry) removeIncoming(in *Incoming, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.merged.put(in.merge, in.branch, now)
	if r.early[in.id] == in {
		delete(r.early, in.id)
	}
	if r.arriving[in.branch] == in {
		delete(r.arriving, in.branch)
	}
}

func (r *registry) earlyIncoming(id dialogID) *Incoming {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.early[id]
}

// cancel finds the INVITE of a CANCEL, or leaves a tombstone for it.
func (r *registry) cancel(id branchID, now time.Time) (*Incoming, *tombstone) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if in := r.arriving[id]; in != nil {
		return in, nil
	}
	t, ok := r.tombs.get(id, now)
	if !ok {
		t = &tombstone{met: make(chan struct{})}
	}
	r.tombs.put(id, t, now)
	return nil, t
}

func (r *registry) addInvitation(inv *invitation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inboxes[inv.branch] = &inv.inbox
	if inv.half != (halfID{}) {
		r.dialing[inv.half] = inv
	}
}

// settle ends the time in which in-dialog requests wait for the INVITE's result.
func (r *registry) settle(inv *invitation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dialing[inv.half] == inv {
		delete(r.dialing, inv.half)
	}
}

func (r *registry) removeInbox(branch string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.inboxes, branch)
}

func (r *registry) dialed(id halfID) *invitation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dialing[id]
}

func (r *registry) inbox(branch string) *inbox {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inboxes[branch]
}

// dialogOf is the dialog that a request from the far end names.
func dialogOf(req *siplib.Request) dialogID {
	return dialogID{
		callID: string(*req.CallID()),
		local:  param(req.To().Params, "tag"),
		remote: param(req.From().Params, "tag"),
	}
}

// branchOf is the transaction of an INVITE, or the one a CANCEL is meant for.
func branchOf(req *siplib.Request) branchID {
	via := req.Via()
	return branchID{branch: param(via.Params, "branch"), sentBy: via.SentBy(), callID: string(*req.CallID())}
}
