package sip

import (
	"context"
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
	// Offered gets the answer to what Offer(nil) returned; it may be nil.
	Offered func(answer []byte)
	// Info takes an INFO and returns the status to answer it with. If it is
	// nil, an INFO with a body is answered 415 and one without 200; one with
	// an Info-Package is always answered 469 (RFC 6086).
	Info func(contentType string, body []byte) (code int)
}

// Leg is one answered dialog. Its methods may be used concurrently.
type Leg struct {
	// Constant.
	dialog *dialog
	target string
	handle InDialog
	order  *turnstile
	ctx    context.Context
	end    context.CancelCauseFunc

	gone      chan struct{} // closed when the dialog is over on both sides
	confirmed chan struct{} // closed when a BYE may be sent
	slot      chan struct{} // holds a token while an INVITE is in progress

	mu        sync.Mutex // guards what follows
	sdp       []byte
	remoteSeq int64                           // highest CSeq of the far end, -1 before any
	ours      bool                            // the INVITE in progress is ours
	hung      bool                            // our BYE is sent, or about to be
	acks      map[uint32]chan *siplib.Request // who waits for the ACK of which CSeq
}

func newLeg(d *dialog, target string, handle InDialog) *Leg {
	l := &Leg{
		dialog: d, target: target, handle: handle, order: newTurnstile(),
		gone: make(chan struct{}), confirmed: make(chan struct{}), slot: make(chan struct{}, 1),
		acks: make(map[uint32]chan *siplib.Request), remoteSeq: -1,
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
