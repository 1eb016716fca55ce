package sip

import (
	"context"
	"slices"
	"strings"
	"sync"

	siplib "github.com/emiago/sipgo/sip"
)

// InDialog is what the far end may do inside a dialog. The functions are
// called one at a time for each leg, in the order in which the requests came
// in, and panics are survived: they are answered 500. They may be called
// before Answer or Dial has returned the leg.
type InDialog struct {
	// Offer answers an offer in a re-INVITE or UPDATE; an error is answered
	// 488, and so is every offer if Offer is nil. Offer(nil) is called for a
	// re-INVITE without a session description and returns an offer of ours:
	// what is in force.
	Offer func(sdp []byte) (answer []byte, err error)
	// Offered gets the answer to what Offer(nil) returned, and one to a session
	// refresh by re-INVITE that is another than the answer before; it may be
	// nil.
	Offered func(answer []byte)
	// Info takes an INFO and returns the status to answer it with. If it is
	// nil, an INFO with a body is answered 415 and one without 200; one with
	// an Info-Package is always answered 469 (RFC 6086).
	Info func(contentType string, body []byte) (code int)
	// Heed gets the headers of every re-INVITE, UPDATE and INFO, as Incoming.Header
	// does, before anything else is done with it. It may be nil.
	Heed func(header func(name string) []string)
	// Refer takes a REFER (RFC 3515) and returns the status to answer it with,
	// 202 to accept; then Leg.NotifyRefer is to be called until it was given a
	// final status. It must not do the referring itself: no other request of
	// the dialog is handled before it returns. If it is nil, a REFER is
	// answered 405.
	Refer func(r Refer) (code int)
	// Document takes the body of a re-INVITE or UPDATE that is more than a
	// session description, before Offer is called with that, and returns a 2xx
	// to go on or the status to refuse with. If it is nil, an UPDATE with a body
	// and no session description is answered 415.
	Document func(d Document) (code int)
	// SessionTimer replaces that of Config for this leg if it is not nil.
	SessionTimer *SessionTimer
}

// Leg is one answered dialog. Its methods may be used concurrently.
type Leg struct {
	// Constant.
	dialog *dialog
	target string
	order  *turnstile
	ctx    context.Context
	end    context.CancelCauseFunc

	gone      chan struct{} // closed when the dialog is over on both sides
	confirmed chan struct{} // closed when a BYE may be sent
	slot      chan struct{} // holds a token while an INVITE is in progress

	mu        sync.Mutex                      // guards what follows
	remoteSeq int64                           // highest CSeq of the far end, -1 before any
	ours      bool                            // the INVITE or offer in progress is ours
	hung      bool                            // our BYE is sent, or about to be
	acks      map[uint32]chan *siplib.Request // who waits for the ACK of which CSeq
	agreement
}

// An agreement is what both sides of a leg have told each other. It is guarded
// by the leg's mutex.
type agreement struct {
	handle      InDialog
	sdp, local  []byte // the session descriptions in force, the far end's and ours
	pending     pending
	peerUpdates bool // the far end takes UPDATE
	clock       sessionClock
	reliables   *reliables // of the INVITE that we answer, nil if there was none
	referrals   referrals
}

// pending says whose offer has no answer yet (RFC 3264 section 4).
type pending int

const (
	settled pending = iota // both sides agree
	offered                // ours
	asked                  // the far end's
)

// handlers is what the far end may do.
func (l *Leg) handlers() InDialog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.handle
}

func (l *Leg) setPending(p pending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = p
}

// setLocal keeps what we offered with a change that was agreed to.
func (l *Leg) setLocal(c Change) {
	if b := c.Body.payload(c.Offer); len(b.Bytes) > 0 {
		l.setAnswered(extractSDP(b.ContentType, b.Bytes))
	}
}

// setAnswered keeps our session description.
func (l *Leg) setAnswered(sdp []byte) {
	if len(sdp) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.local = sdp
}

// noteAllow keeps whether the far end takes UPDATE (RFC 3311 section 4).
func (l *Leg) noteAllow(msg messageHeaders) {
	methods := optionTags(msg, "Allow")
	if len(methods) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.peerUpdates = slices.ContainsFunc(methods, func(m string) bool { return strings.EqualFold(m, "UPDATE") })
}

func newLeg(d *dialog, target string, handle InDialog) *Leg {
	l := &Leg{
		dialog: d, target: target, order: newTurnstile(),
		gone: make(chan struct{}), confirmed: make(chan struct{}), slot: make(chan struct{}, 1),
		acks: make(map[uint32]chan *siplib.Request), remoteSeq: -1,
		agreement: agreement{handle: handle},
	}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	return l
}

// CallID is the Call-ID of the dialog.
func (l *Leg) CallID() string { return l.dialog.id.callID }

// Context ends when the dialog ends. Its cause is a *ByeError after the far
// end's BYE, ErrEnded after ours, ErrNoACK if our answer was never
// acknowledged, or what else ended it.
func (l *Leg) Context() context.Context { return l.ctx }

// SDP is the far end's session description: the last offer of its that we
// answered, or its last answer. The caller must not change it.
func (l *Leg) SDP() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sdp
}

func (l *Leg) setSDP(sdp []byte) {
	if sdp == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sdp = sdp
}

// Target is what Dial was given, "" for a leg that came in.
func (l *Leg) Target() string { return l.target }

// advance takes the CSeq of an in-dialog request. It reports false for one
// that is lower than one before it (RFC 3261 section 12.2.2), and for a second
// one of the same number unless again is set.
func (l *Leg) advance(seq uint32, again bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := int64(seq); n < l.remoteSeq || n == l.remoteSeq && !again {
		return false
	}
	l.remoteSeq = int64(seq)
	return true
}

// finish ends the leg for good, once; it reports whether this was the call
// that did.
func (l *Leg) finish(cause error) bool {
	if !l.dialog.e.registry.removeLeg(l) {
		return false
	}
	// Before the context ends: whoever it wakes may hang up, and a dialog that
	// the far end has ended gets no BYE.
	l.mu.Lock()
	l.hung = true
	l.clock.stop()
	l.mu.Unlock()
	l.end(cause)
	close(l.gone)
	return true
}

// expectACK returns the channel on which the ACK to the 2xx of a CSeq comes.
func (l *Leg) expectACK(seq uint32) <-chan *siplib.Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch := make(chan *siplib.Request, 1)
	l.acks[seq] = ch
	return ch
}

func (l *Leg) forgetACK(seq uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.acks, seq)
}

// acked passes an ACK to who waits for it.
func (l *Leg) acked(req *siplib.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.acks[req.CSeq().SeqNo] <- req: // blocks for a nil channel, hence default
	default:
	}
}
