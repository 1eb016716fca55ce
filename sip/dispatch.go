package sip

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// onRequest handles one request on the goroutine that sipgo started for it.
func (e *Endpoint) onRequest(st *stack, req *siplib.Request, tx *siplib.ServerTx) {
	<-e.begun // what was read first of all waits until Serve is ready
	if !e.enter(drains) {
		tx.Terminate()
		return
	}
	defer e.leave()
	r := responder{e: e, stack: st, req: req, tx: tx}
	defer e.guard("handling a request", func() { r.answer(500, "Server Internal Error") })
	a := arrivalOf(req)
	if a.verdict != Serve {
		r.turnAway(a.verdict)
		return
	}
	if a.leg != nil {
		defer a.leg.order.leave(a.seq)
	}
	refused := admit(req, e.extensions...)
	if req.IsAck() {
		// sipgo makes a transaction for an ACK that matches none, and keeps it
		// for ever unless it is told not to.
		tx.Terminate()
		if refused == nil && !a.fresh {
			e.onAck(req)
		}
		return
	}
	if refused != nil {
		e.log.Debug("sip request refused", "status", refused.code, "why", refused.reason)
		r.dismiss(refused)
		return
	}
	e.route(r, a)
}

// route gives an admitted request to what it belongs to.
func (e *Endpoint) route(r responder, a arrival) {
	switch r.req.Method {
	case siplib.INVITE:
		if a.fresh {
			e.onInvite(r)
			return
		}
		e.inDialog(r, (*Leg).onReinvite)
	case siplib.UPDATE:
		e.inDialog(r, (*Leg).onUpdate)
	case siplib.INFO:
		e.inDialog(r, (*Leg).onInfo)
	case siplib.PRACK:
		e.inDialog(r, (*Leg).onPrack)
	case siplib.REFER:
		if a.fresh {
			r.dismiss(refuse(405, "Method Not Allowed", Header{"Allow", allowed}))
			return
		}
		e.inDialog(r, (*Leg).onRefer)
	case siplib.BYE:
		e.onBye(r)
	case siplib.CANCEL:
		e.onCancel(r, a)
	case siplib.OPTIONS:
		e.onOptions(r, a)
	}
}

// find returns the leg of an in-dialog request. A request that overtook the
// answer to our own INVITE waits a moment for it; so does one that a far end
// may not send before it has answered.
func (e *Endpoint) find(req *siplib.Request) *Leg {
	id := dialogOf(req)
	l := e.registry.leg(id)
	inv := e.registry.dialed(halfID{id.callID, id.local})
	early := req.Method != siplib.INVITE && req.Method != siplib.BYE
	if inv == nil || l != nil && early {
		return l
	}
	timer := time.NewTimer(e.t1)
	defer timer.Stop()
	select {
	case <-inv.settled:
	case <-timer.C:
	case <-e.quit:
	}
	return e.registry.leg(id)
}

// inDialog lets a request into its leg in its turn, or answers 481.
func (e *Endpoint) inDialog(r responder, handle func(*Leg, responder)) {
	l := e.find(r.req)
	if l == nil {
		r.dismiss(refuse(481, "Call/Transaction Does Not Exist"))
		return
	}
	seq := r.req.CSeq().SeqNo
	if err := l.order.enter(l.ctx, seq, e.t1); err != nil {
		r.answer(481, "Call/Transaction Does Not Exist") // the dialog ended meanwhile
		return
	}
	defer l.order.exit()
	if !l.advance(seq, false) {
		r.answer(500, "CSeq Out Of Order") // RFC 3261 section 12.2.2
		return
	}
	r.allow, r.session, r.contact = allowedBy(l.handlers()), l.dialog.heard(r.req), l.dialog.contact
	l.heed(r)
	handle(l, r)
}

// heed shows the headers of a request to InDialog.Heed.
func (l *Leg) heed(r responder) {
	heed := l.handlers().Heed
	switch {
	case heed == nil:
		return
	case r.req.Method == siplib.INVITE, r.req.Method == siplib.UPDATE, r.req.Method == siplib.INFO:
		defer r.e.guard("heeding headers", nil)
		heed(func(name string) []string { return headerValues(r.req, name) })
	}
}

func (e *Endpoint) onOptions(r responder, a arrival) {
	switch {
	case a.fresh && e.handler.Options != nil:
		code, reason := e.handler.Options()
		if code < 200 || code > 699 {
			code, reason = 500, "Server Internal Error"
		}
		r.dismiss(refuse(code, reason, Header{"Accept", accepted}))
	case a.fresh || e.registry.leg(dialogOf(r.req)) != nil:
		r.dismiss(refuse(200, "OK", Header{"Accept", accepted}))
	default:
		r.dismiss(refuse(481, "Call/Transaction Does Not Exist"))
	}
}

// onAck passes an ACK of a 2xx to its leg.
func (e *Endpoint) onAck(req *siplib.Request) {
	if l := e.registry.leg(dialogOf(req)); l != nil {
		l.acked(req)
	}
}

// guard, deferred, survives a panic of what it guards (trap 15). The value of
// the panic may quote a message, so only its type is logged, and its text if
// it comes from the Go runtime.
func (e *Endpoint) guard(what string, after func()) {
	p := recover()
	if p == nil {
		return
	}
	text := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		text = err.Error()
	}
	e.log.Error("sip panic", "while", what, "panic", text, "stack", string(debug.Stack()))
	if after != nil {
		after()
	}
}
