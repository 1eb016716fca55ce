package sip

import (
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// onReinvite answers a re-INVITE of the far end (RFC 3261 section 14.2).
func (l *Leg) onReinvite(r responder) {
	if ref := l.timer().tooBrief(r.req); ref != nil {
		r.answer(ref.code, ref.reason, ref.headers...)
		return
	}
	if ref := l.giveSlot(); ref != nil {
		r.answer(ref.code, ref.reason, ref.headers...)
		return
	}
	if ref := l.show(r); ref != nil {
		<-l.slot
		r.answer(ref.code, ref.reason, ref.headers...)
		return
	}
	offer := sdpOf(r.req)
	seq := r.req.CSeq().SeqNo
	answer, ref := l.negotiate(r, offer)
	if ref != nil {
		<-l.slot
		r.answer(ref.code, ref.reason, ref.headers...)
		return
	}
	ack := l.expectACK(seq)
	if offer == nil {
		l.setPending(offered)
	}
	res, ok := l.agree(r, offer, answer)
	if !ok {
		l.forgetACK(seq)
		l.setPending(settled)
		<-l.slot
		return
	}
	run := func() {
		defer r.e.guard("confirming a re-INVITE", nil)
		req := l.confirm(r, res, seq, ack)
		l.setPending(settled)
		<-l.slot
		switch {
		case req == nil:
			l.hangUp("no ACK", ErrNoACK) // does nothing if the dialog is over
		case offer == nil:
			l.offered(sdpOf(req))
		}
		absorbACKs(r)
	}
	if !r.e.spawn(run) {
		<-l.slot
	}
}

// onUpdate answers an UPDATE (RFC 3311).
func (l *Leg) onUpdate(r responder) {
	offer := sdpOf(r.req)
	if ref := l.timer().tooBrief(r.req); ref != nil {
		r.answer(ref.code, ref.reason, ref.headers...)
		return
	}
	if offer == nil {
		if ref := l.show(r); ref != nil {
			r.answer(ref.code, ref.reason, ref.headers...)
			return
		}
		l.agree(r, nil, nil)
		return
	}
	if ref := l.mayOffer(); ref != nil {
		r.answer(ref.code, ref.reason, ref.headers...)
		return
	}
	ref := l.show(r)
	var answer []byte
	if ref == nil {
		answer, ref = l.negotiate(r, offer)
	}
	if ref != nil {
		r.answer(ref.code, ref.reason, ref.headers...)
		return
	}
	l.agree(r, offer, answer)
}

// mayOffer refuses an offer while another is without an answer (RFC 3311
// section 5.2): 491 if that is ours, 500 if it is the far end's own.
func (l *Leg) mayOffer() *refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.pending == asked:
		return refuse(500, "Offer In Progress", Header{"Retry-After", "2"})
	case l.pending == offered, l.ours:
		return refuse(491, "Request Pending")
	}
	return nil
}

// agree sends the 2xx to a request that refreshes the session, with the answer
// to its offer if it had one. What was offered is in force before the far end
// can see the answer, and is taken back if that could not be sent.
func (l *Leg) agree(r responder, offer, answer []byte) (*siplib.Response, bool) {
	before := l.SDP()
	t, headers := l.timer().accept(r.req, l.timed())
	l.setSDP(offer)
	l.dialog.refresh(r.req)
	l.noteAllow(r.req)
	res := r.build(200, "OK", answer, headers...)
	if r.send(res) != nil {
		l.setSDP(before)
		return nil, false
	}
	l.setAnswered(answer)
	if l.timer().on() && l.up() {
		l.setTiming(t)
	}
	return res, true
}

// giveSlot lets an INVITE of the far end be in progress. If there is one
// already it is refused: 491 if it is ours. If it is an earlier one of the far
// end's own, its ACK may be just behind, so a moment is waited before the 500
// of RFC 3261 section 14.2.
func (l *Leg) giveSlot() *refusal {
	select {
	case l.slot <- struct{}{}:
		return nil
	default:
	}
	if l.inviting() {
		return refuse(491, "Request Pending")
	}
	timer := time.NewTimer(l.dialog.e.t1)
	defer timer.Stop()
	select {
	case l.slot <- struct{}{}:
		return nil
	case <-timer.C:
		return refuse(500, "INVITE In Progress", Header{"Retry-After", "2"})
	case <-l.ctx.Done():
		return refuse(481, "Call/Transaction Does Not Exist")
	}
}

// inviting says whether an INVITE of ours is in progress.
func (l *Leg) inviting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ours
}

// negotiate asks for the answer to an offer, or for our offer if it is nil.
func (l *Leg) negotiate(r responder, offer []byte) (answer []byte, ref *refusal) {
	handle := l.handlers()
	if handle.Offer == nil {
		return nil, refuse(488, "Not Acceptable Here")
	}
	defer r.e.guard("answering an offer", func() { answer, ref = nil, refuse(500, "Server Internal Error") })
	answer, err := handle.Offer(offer)
	switch {
	case err != nil:
		return nil, refuse(488, "Not Acceptable Here")
	case len(answer) == 0:
		return nil, refuse(500, "Server Internal Error")
	}
	return answer, nil
}

// offered passes on the answer to an offer of ours, alone as every call to the
// far end's functions.
func (l *Leg) offered(answer []byte) {
	l.setSDP(answer)
	handle := l.handlers()
	if handle.Offered == nil || answer == nil {
		return
	}
	select {
	case l.order.inside <- struct{}{}:
		defer l.order.exit()
	case <-l.gone:
		return
	}
	handle.Offered(answer)
}
