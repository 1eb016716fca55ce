package consent

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// NewRecord opens the record of a call that was admitted under p.
func NewRecord(id RecordID, node, writer string, p Policy, call Call) *Record {
	r := &Record{Schema: Schema, ID: id, Node: node, Writer: writer, Call: call}
	r.Call.InvitedAt = Stamp(call.InvitedAt)
	r.Status = Pending.Status()
	r.Terms = Terms{Name: p.Name, Controller: p.Controller, Jurisdiction: p.Jurisdiction, Basis: p.Basis,
		Retention: p.Retention, Withdraw: p.Keys.Withdraw}
	if p.Ask != AskTogether {
		r.Terms.Ask = p.Ask
	}
	for _, purpose := range p.Purposes {
		r.Purposes = append(r.Purposes, Grant{Purpose: purpose})
	}
	r.Note(call.InvitedAt, "invited", "")
	return r
}

// Note adds a line to the history and moves the epoch on. What is noted may
// have happened before the latest change; UpdatedAt never goes back.
func (r *Record) Note(at time.Time, kind, text string) {
	r.Touch(at)
	r.History = append(r.History, Event{At: Stamp(at), Type: kind, Text: text})
}

// Touch moves the epoch on without a line in the history, for counts that have
// grown: that is another version, but nothing has happened.
func (r *Record) Touch(at time.Time) {
	r.Epoch++
	if at = Stamp(at); at.After(r.UpdatedAt) {
		r.UpdatedAt = at
	}
}

// Decide notes a decision that permits nothing, so nobody has to wait for the
// store. A Given one is noted as StoreUnavailable: only [Commit] may store it.
func (r *Record) Decide(d Decision) {
	d.Outcome = unstored(d.Outcome)
	r.decide(d)
}

func (r *Record) decide(d Decision) {
	r.Outcome, r.Status = d.Outcome, d.Outcome.Status()
	r.DecidedAt = Stamp(d.At)
	if p := d.Choice.evidence(); p != nil {
		r.Press = p
	}
	for i := range r.Purposes {
		r.Purposes[i] = d.grant(r.Purposes[i].Purpose)
	}
	r.Note(d.At, "decided", string(d.Outcome))
}

// Abandon notes that the asked party left undecided. A decision stands.
func (r *Record) Abandon(at time.Time) {
	if r.Outcome == Pending {
		r.decide(Undecided(at, Abandoned))
	}
}

// Withdraw takes a granted consent back, as a whole or for some purposes, and
// reports whether there was one. Without its last purpose nothing is left of it.
// The caller has shut every gate before that stood on it: close, then store.
func (r *Record) Withdraw(at time.Time, method string, purposes ...string) bool {
	if r.Outcome != Given {
		return false
	}
	if len(purposes) > 0 && slices.ContainsFunc(r.Purposes, func(g Grant) bool {
		return g.Granted && !slices.Contains(purposes, g.Purpose)
	}) {
		return r.takeBackSome(at, method, purposes)
	}
	r.takeBack(at, method)
	return true
}

func (r *Record) takeBackSome(at time.Time, method string, purposes []string) (any bool) {
	for i := range r.Purposes {
		if g := &r.Purposes[i]; g.Granted && slices.Contains(purposes, g.Purpose) {
			g.takeBack(at, method)
			r.Note(at, "purpose_withdrawn", g.Purpose+" by "+method)
			any = true
		}
	}
	return any
}

func (g *Grant) takeBack(at time.Time, method string) {
	g.Granted, g.Outcome = false, Withdrawn
	g.WithdrawnAt, g.WithdrawnBy = Stamp(at), method
}

func (r *Record) takeBack(at time.Time, method string) {
	r.Outcome, r.Status = Withdrawn, Withdrawn.Status()
	for i := range r.Purposes {
		if g := &r.Purposes[i]; g.Outcome == Given {
			g.takeBack(at, method)
		}
		r.Purposes[i].Granted = false
	}
	r.Withdrawal = &Withdrawal{At: Stamp(at), Method: method, RecordedPackets: r.RecordedPackets()}
	r.Note(at, "withdrawn", "by "+method)
}

// End closes the record. Ending twice keeps the first end.
func (r *Record) End(at time.Time, cause string) {
	if r.Ended() {
		return
	}
	r.Abandon(at)
	r.Call.EndedAt, r.Call.EndCause = Stamp(at), cause
	r.Note(at, "ended", cause)
}

// CutOff closes a record whose gateway died with the call: what it claims is
// only what was evidenced before. A recording without a first packet never
// happened as far as anyone can prove, and is dropped with a word about it. One
// that was closed before is final. So is a record that has its end.
func (r *Record) CutOff(at time.Time, writer string) {
	if r.Ended() {
		return
	}
	r.Writer = writer
	kept := r.Recordings[:0]
	for _, rec := range r.Recordings {
		if rec.FirstPacketAt.IsZero() {
			r.Note(at, "recording_unproven", "no packet to "+rec.Recorder+" was evidenced")
			continue
		}
		if rec.ClosedAt.IsZero() {
			rec.State, rec.ClosedAt = RecordingOff, Stamp(at)
			rec.EndPause(at)
			rec.Fault = strings.TrimPrefix(rec.Fault+"; "+cutOff, "; ")
		}
		kept = append(kept, rec)
	}
	r.Recordings = kept
	r.End(at, "gateway stopped during the call")
}

// cutOff is the fault of a recording that was open when its gateway died.
const cutOff = "gateway stopped: counts are those of the last evidence, the end is its restart"

// Merge takes over what another writer did to the stored version other while r
// was being written: a withdrawal always wins, even over a yes that r counts as
// StoreUnavailable because the store kept it and lost the reply. r moves above
// other's epoch. It reports whether a consent that r had was withdrawn by it,
// so that the gate is shut.
func (r *Record) Merge(other *Record) (withdrawn bool) {
	if other.Epoch > r.Epoch {
		r.Epoch = other.Epoch
	}
	if other.Withdrawal != nil && r.Outcome != Withdrawn {
		withdrawn = r.Outcome == Given
		r.takeBack(other.Withdrawal.At, other.Withdrawal.Method)
	}
	for _, g := range other.Purposes {
		if g.Outcome == Withdrawn && r.Has(g.Purpose) {
			withdrawn = r.Withdraw(g.WithdrawnAt, g.WithdrawnBy, g.Purpose) || withdrawn
		}
	}
	r.Note(other.UpdatedAt, "merged", fmt.Sprintf("with a change of epoch %d by another writer", other.Epoch))
	return withdrawn
}
