package sip

import (
	"context"

	siplib "github.com/emiago/sipgo/sip"
)

// Bye ends the dialog and waits until it is over: until the far end answered
// the BYE in whatever way, or 64*T1 have passed, or the far end's own BYE
// crossed. One BYE goes out, however often Bye is called; not before the ACK
// of our answer (RFC 3261 section 15). ctx bounds the wait and not the sending;
// if it ends first, its cause is returned. The reason, if not "", goes into a
// Reason header. Context ends at once.
func (l *Leg) Bye(ctx context.Context, reason string) error {
	l.hangUp(reason, ErrEnded)
	select {
	case <-l.gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// hangUp ends the leg's context with the cause and sends a BYE in the
// background. The second call does nothing.
func (l *Leg) hangUp(reason string, cause error) {
	l.mu.Lock()
	first := !l.hung
	l.hung = true
	l.mu.Unlock()
	if !first {
		return
	}
	l.end(cause)
	e := l.dialog.e
	run := func() {
		defer l.finish(cause)
		defer e.guard("sending a BYE", nil)
		select {
		case <-l.confirmed:
		case <-l.gone:
			return
		case <-e.quit:
			return
		}
		l.dialog.sayBye(reason, l.gone)
	}
	if !e.spawn(run, &e.sends) {
		l.finish(cause)
	}
}

// sayBye sends one BYE and waits for its end, whatever it is: 2xx, 481, 408, any
// other status or none, the dialog is over (RFC 3261 section 15.1.1, trap 11).
// It does not wait beyond gone.
func (d *dialog) sayBye(reason string, gone <-chan struct{}) {
	select {
	case <-gone:
		return
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.e.timeout())
	defer cancel()
	_, err := d.ask(ctx, siplib.BYE, func(req *siplib.Request) {
		if reason != "" {
			req.AppendHeader(siplib.NewHeader("Reason", "SIP;text="+quoted(reason)))
		}
	})
	if err != nil {
		d.e.log.Debug("sip BYE without an answer", "error", err)
	}
}

// onBye handles a BYE of the far end, on a dialog or on one that the caller
// gives up while it is early (RFC 3261 section 15).
func (e *Endpoint) onBye(r responder) {
	if l := e.find(r.req); l != nil {
		l.onBye(r)
		return
	}
	if in := e.registry.earlyIncoming(dialogOf(r.req)); in != nil && in.cancel() {
		r.answer(200, "OK")
		return
	}
	r.dismiss(refuse(481, "Call/Transaction Does Not Exist"))
}

// onBye ends the leg. It does not wait for its turn: a request that is still
// being handled must not hold up the end of the call.
func (l *Leg) onBye(r responder) {
	if !l.advance(r.req.CSeq().SeqNo, true) {
		r.answer(500, "CSeq Out Of Order")
		return
	}
	reason := ""
	if v := headerValue(r.req, "Reason"); v != "" {
		reason = reasonText(v)
	}
	if !l.finish(&ByeError{Reason: reason}) {
		r.answer(481, "Call/Transaction Does Not Exist")
		return
	}
	r.answer(200, "OK")
}
