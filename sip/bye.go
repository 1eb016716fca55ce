package sip

import (
	"context"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// Bye ends the dialog and waits until it is over: until the far end answered
// the BYE in whatever way, or 64*T1 have passed, or the far end's own BYE
// crossed. One BYE goes out, however often Bye is called; not before the ACK
// of our answer (RFC 3261 section 15). ctx bounds the wait and not the sending;
// if it ends first, its cause is returned. The reason, if not "", goes into a
// Reason header. Context ends at once.
func (l *Leg) Bye(ctx context.Context, reason string) error {
	return l.bye(ctx, reasonHeader(reason))
}

// ByeFor is Bye with a whole Reason header (RFC 3326), such as the Header of
// the other leg's ByeError. One with control characters is refused: nothing is
// sent then.
func (l *Leg) ByeFor(ctx context.Context, reason string) error {
	if err := checkValue("Reason", reason); err != nil {
		return err
	}
	return l.bye(ctx, reason)
}

func (l *Leg) bye(ctx context.Context, reason string) error {
	l.hangUpFor(reason, ErrEnded)
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
	l.hangUpFor(reasonHeader(reason), cause)
}

// reasonHeader is the Reason header for a text, "" for none.
func reasonHeader(text string) string {
	if text == "" {
		return ""
	}
	return "SIP;text=" + quoted(text)
}

// hangUpFor is hangUp with a whole Reason header.
func (l *Leg) hangUpFor(reason string, cause error) {
	l.mu.Lock()
	first := !l.hung
	l.hung = true
	l.clock.stop()
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
			req.AppendHeader(siplib.NewHeader("Reason", reason))
		}
	})
	if err != nil {
		d.e.log.Debug("sip BYE without an answer", "error", err)
	}
}

// onBye handles a BYE of the far end, on a dialog or on one that the caller
// gives up while it is early (RFC 3261 section 15).
func (e *Endpoint) onBye(r responder) {
	if in := e.registry.earlyIncoming(dialogOf(r.req)); in != nil && in.cancel() {
		r.answer(200, "OK")
		return
	}
	if l := e.find(r.req); l != nil && !l.dialing() {
		l.onBye(r)
		return
	}
	r.dismiss(refuse(481, "Call/Transaction Does Not Exist"))
}

// dialing says whether the leg is the early dialog of an INVITE of ours.
func (l *Leg) dialing() bool { return l.target != "" && !l.up() }

// up says whether the dialog is no longer early, and its answer acknowledged.
func (l *Leg) up() bool {
	select {
	case <-l.confirmed:
		return true
	default:
		return false
	}
}

// maxReason is the longest Reason header that is passed on.
const maxReason = 512

// onBye ends the leg. It does not wait for its turn: a request that is still
// being handled must not hold up the end of the call.
func (l *Leg) onBye(r responder) {
	if !l.advance(r.req.CSeq().SeqNo, true) {
		r.answer(500, "CSeq Out Of Order")
		return
	}
	r.session = l.dialog.heard(r.req)
	why := &ByeError{}
	if v := headerValue(r.req, "Reason"); v != "" {
		why.Reason = reasonText(v)
		if v = strings.ReplaceAll(v, "\t", " "); len(v) <= maxReason && !hasControl(v) {
			why.Header = v
		}
	}
	if !l.finish(why) {
		r.answer(481, "Call/Transaction Does Not Exist")
		return
	}
	r.answer(200, "OK")
}
