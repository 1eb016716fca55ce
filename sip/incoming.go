package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// Incoming is an INVITE that has not been answered. Its methods may be used
// concurrently; of the final responses the first one counts.
type Incoming struct {
	responder
	id         dialogID
	branch     branchID
	merge      mergeID
	source     netip.AddrPort
	identities []string // of the caller's certificate

	ctx context.Context
	end context.CancelCauseFunc

	mu          sync.Mutex // guards what follows, and is held while a response is sent
	earlyPolicy Early
	final       bool // a final response has been sent
	early       *Leg // set by the first Progress
	leg         *Leg // set by Answer
}

// onInvite is the whole life of a call that came in.
func (e *Endpoint) onInvite(r responder) {
	if !e.enter(serving, &e.calls) {
		r.dismiss(refuse(503, "Service Unavailable", Header{"Retry-After", "10"}))
		return
	}
	defer e.leave(&e.calls)
	if ref := e.timer.tooBrief(r.req); ref != nil {
		r.dismiss(ref)
		return
	}
	in := e.newIncoming(r)
	defer in.end(nil)
	merged, cancelled := e.registry.addIncoming(in, time.Now())
	if merged {
		r.dismiss(refuse(482, "Loop Detected")) // RFC 3261 section 8.2.2.2
		return
	}
	if cancelled {
		in.cancel()
		return
	}
	defer in.forget()
	// Both are called with locks of sipgo held: they may only end a context.
	if !r.tx.OnCancel(func(*siplib.Request) { in.end(ErrCancelled) }) {
		in.end(ErrCancelled)
	}
	broken := func(_ string, err error) {
		if errors.Is(err, siplib.ErrTransactionTransport) {
			in.end(fmt.Errorf("%w: the caller's connection broke", ErrUnreachable))
		}
	}
	if !r.tx.OnTerminate(broken) {
		broken("", r.tx.Err())
	}
	if in.ctx.Err() != nil {
		return // cancelled before anybody heard of it
	}
	r.answer(100, "Trying") // at once; sipgo would wait 200 ms
	defer in.dropEarly()
	defer in.clear()
	// A panic ends here, so that the call is cleared away by the defers above.
	defer e.guard("handling a call", nil)
	e.handler.Invite(e.ctx, in)
}

func (e *Endpoint) newIncoming(r responder) *Incoming {
	in := &Incoming{responder: r, id: dialogOf(r.req), branch: branchOf(r.req)}
	in.merge = mergeID{callID: in.id.callID, from: in.id.remote, seq: r.req.CSeq().SeqNo}
	in.source, _ = netip.ParseAddrPort(r.req.Source()) // always one: it comes from the socket
	in.identities = in.stack.identitiesOn(r.req.Source())
	in.ctx, in.end = context.WithCancelCause(e.ctx)
	return in
}

// forget takes the INVITE out of the registry.
func (in *Incoming) forget() { in.e.registry.removeIncoming(in, time.Now()) }

// closed ends what only an INVITE without a final response may do. in.mu is
// held.
func (in *Incoming) closed() {
	in.final = true
	in.forget()
	if in.early != nil {
		in.early.reliables.stop()
	}
}

// clear ends what the handler left behind.
func (in *Incoming) clear() {
	in.mu.Lock()
	leg, final := in.leg, in.final
	in.mu.Unlock()
	if leg != nil {
		leg.hangUp("", ErrEnded)
		return
	}
	if !final {
		// Its only errors: the caller cancelled or is gone.
		_ = in.Reject(500, "Server Internal Error")
	}
}

// cancel answers 487 and ends the context, for a CANCEL or an early BYE that
// sipgo did not match to the INVITE. It reports false if there was a final
// response before.
func (in *Incoming) cancel() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.final {
		return false
	}
	in.closed()
	in.answer(487, "Request Terminated")
	in.end(ErrCancelled)
	return true
}

// CallID is the Call-ID of the INVITE.
func (in *Incoming) CallID() string { return in.id.callID }

// Source is the address the INVITE came from, as the socket saw it.
func (in *Incoming) Source() netip.AddrPort {
	return netip.AddrPortFrom(in.source.Addr().Unmap(), in.source.Port())
}

// Transport is "udp", "tcp" or "tls".
func (in *Incoming) Transport() string { return in.stack.transport }

// Called is the user part of the request URI, unescaped and without
// parameters of the number, "" if there is none. For a tel URI it is the number.
func (in *Incoming) Called() string { return userOf(&in.req.Recipient) }

// Caller is the user part of the first P-Asserted-Identity that has one, else
// of From; sip and tel URIs. "" if the caller is anonymous.
func (in *Incoming) Caller() string { return callerOf(in.req) }

// Header returns the values of every header of that name in order, one for
// each header line; lists are not split. The name may be given in any case, in
// its long or compact form, and so may the caller have sent it.
func (in *Incoming) Header(name string) []string { return headerValues(in.req, name) }

// Supports reports whether the caller names an extension as supported.
func (in *Incoming) Supports(tag string) bool { return supports(in.req, tag) }

// Offer is the caller's session description, nil if it sent none: the body if
// it is SDP, or the SDP part of a multipart body.
func (in *Incoming) Offer() []byte { return sdpOf(in.req) }

// Context ends with the cause ErrCancelled when the caller cancels, with
// ErrUnreachable when its connection breaks before the call is answered, with
// ErrNoPRACK when a reliable response was not acknowledged, when Serve ends, and when the handler has returned.
func (in *Incoming) Context() context.Context { return in.ctx }

// Progress sends a provisional response, 101..199, with a session description
// if sdp is not nil. It returns ErrCancelled after the caller's CANCEL and
// ErrAnswered after a final response.
//
// Whether it is sent reliably (RFC 3262) is for the caller and SetEarly to
// say. A reliable one is repeated in the background until its PRACK; the first
// reliable session description is the answer for good: Answer then sends none.
// Without a PRACK the INVITE is answered 504 and Context ends with ErrNoPRACK.
func (in *Incoming) Progress(code int, reason string, sdp []byte) error {
	if code <= 100 || code > 199 {
		return fmt.Errorf("sip: %d is no provisional response", code)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.open(); err != nil {
		return err
	}
	return in.provisional(code, reason, sdp)
}

// Reject sends a final response, 300..699, with a Reason header of the same
// meaning and the given ones. After the caller's CANCEL it does nothing: 487
// has been sent.
func (in *Incoming) Reject(code int, reason string, headers ...Header) error {
	if code < 300 || code > 699 {
		return fmt.Errorf("sip: %d refuses nothing", code)
	}
	if err := checkHeaders(headers); err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	switch err := in.open(); {
	case errors.Is(err, ErrCancelled):
		return nil
	case err != nil:
		return err
	}
	in.closed()
	headers = append([]Header{rejectReason(code, reason)}, headers...)
	err := in.send(in.build(code, reason, nil, headers...))
	if errors.Is(err, ErrCancelled) {
		return nil
	}
	return err
}

// open says why there can be no more responses, or nil. in.mu is held.
func (in *Incoming) open() error {
	switch cause := context.Cause(in.ctx); {
	case errors.Is(cause, ErrCancelled), errors.Is(cause, ErrUnreachable), errors.Is(cause, ErrNoPRACK):
		return cause
	case in.final:
		return ErrAnswered
	}
	return nil
}
