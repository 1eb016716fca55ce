package sip

import (
	"context"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// Answer accepts the call: it sends a 200 with the session description and the
// headers and repeats it, from T1 doubling to 4 s, until the ACK, which it
// waits for (RFC 3261 section 13.3.1.4).
//
// If the INVITE had no offer, sdp is ours, and Leg.SDP is the answer that the
// ACK held, nil if it held none. If the session description was sent reliably
// by Progress, it is not sent again, and sdp is not used.
//
// Errors: ErrCancelled if the caller cancelled first; a CANCEL that crosses the
// 200 changes nothing. ErrNoACK after 64*T1; a BYE has been sent. A *ByeError
// if the caller hung up before its ACK. ErrUnreachable if the 200 could not be
// sent. If ctx ends, its cause; the call is released in the background as soon
// as RFC 3261 section 15 allows a BYE. ErrAnswered after a final response.
func (in *Incoming) Answer(ctx context.Context, sdp []byte, d InDialog, headers ...Header) (*Leg, error) {
	if err := checkHeaders(headers); err != nil {
		return nil, err
	}
	sdp, err := in.settleEarly(ctx, sdp)
	if err != nil {
		return nil, err
	}
	leg, err := in.accept(sdp, d, headers)
	if err != nil {
		return nil, err
	}
	select {
	case <-leg.confirmed:
	case <-leg.gone:
	case <-ctx.Done():
		leg.hangUp("", ErrEnded)
		return nil, context.Cause(ctx)
	}
	if leg.ctx.Err() != nil {
		return nil, context.Cause(leg.ctx)
	}
	return leg, nil
}

// accept sends the 200 and starts its repetition.
func (in *Incoming) accept(sdp []byte, d InDialog, headers []Header) (*Leg, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.open(); err != nil {
		return nil, err
	}
	// Registered before the 200 is on its way: the ACK must find it.
	leg := in.earlyLeg()
	seq := in.req.CSeq().SeqNo
	ack := leg.expectACK(seq)
	in.allow = allowedBy(d)
	late := leg.answerWith(d, sdp)
	t, timed := leg.timer().accept(in.req, timing{})
	res := in.build(200, "OK", sdp, append(timed, headers...)...)
	if err := in.send(res); err != nil {
		leg.finish(err)
		return nil, err
	}
	in.closed()
	in.leg = leg
	run := func() {
		defer in.e.guard("confirming an answer", nil)
		req := leg.confirm(in.responder, res, seq, ack)
		leg.setPending(settled)
		<-leg.slot
		if req != nil && late {
			leg.setSDP(sdpOf(req))
		}
		if req != nil && leg.timer().on() {
			leg.setTiming(t)
		}
		if req == nil {
			leg.hangUp("no ACK", ErrNoACK) // ends the context before Answer goes on
		}
		close(leg.confirmed)
		absorbACKs(in.responder)
	}
	if !in.e.spawn(run) {
		leg.finish(ErrNotServing)
		return nil, ErrNotServing
	}
	return leg, nil
}

// settleEarly waits for what RFC 3262 section 3 wants to be known before a 2xx.
// It returns the session description to send, nil if the caller has it.
func (in *Incoming) settleEarly(ctx context.Context, sdp []byte) ([]byte, error) {
	in.mu.Lock()
	leg := in.early
	in.mu.Unlock()
	if leg == nil {
		return sdp, nil
	}
	agreed, err := leg.reliables.settle(ctx)
	if agreed {
		sdp = nil
	}
	return sdp, err
}

// answerWith makes the early leg the one that is about to be answered. It
// reports whether sdp is an offer of ours, whose answer comes in the ACK.
func (l *Leg) answerWith(d InDialog, sdp []byte) (late bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handle = d
	if len(sdp) == 0 {
		return false
	}
	l.local = sdp
	late = l.sdp == nil
	l.pending = settled
	if late {
		l.pending = offered
	}
	return late
}

// confirm repeats a 2xx until its ACK, which it returns, or returns nil after
// 64*T1 or when the dialog is gone.
func (l *Leg) confirm(r responder, res *siplib.Response, seq uint32, ack <-chan *siplib.Request) *siplib.Request {
	defer l.forgetACK(seq)
	interval := r.e.t1
	again, limit := time.NewTimer(interval), time.NewTimer(r.e.timeout())
	defer again.Stop()
	defer limit.Stop()
	for {
		select {
		case req := <-ack:
			return req
		case req := <-r.tx.Acks():
			// An ACK with the branch of its INVITE never gets past the
			// transaction (trap 8).
			return req
		case <-again.C:
			// Its own timer, not sipgo's dialog: that one does not double and
			// never gives up (trap 9). An error is one more lost packet.
			_ = r.tx.Respond(res)
			interval = min(2*interval, t2)
			again.Reset(interval)
		case <-limit.C:
			return nil
		case <-l.gone:
			return nil
		case <-r.e.quit:
			return nil
		}
	}
}

// absorbACKs takes further ACKs with the branch of the INVITE for as long as
// its transaction lives; sipgo parks a goroutine for each that nobody takes.
func absorbACKs(r responder) {
	for {
		select {
		case <-r.tx.Acks():
		case <-r.tx.Done():
			return
		case <-r.e.quit:
			return
		}
	}
}
