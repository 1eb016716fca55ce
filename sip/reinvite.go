package sip

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// Reinvite offers a new session description within the dialog and returns the
// far end's answer. If both sides offer at the same time the far end refuses
// with 491; then it is tried again after the back-off of RFC 3261 section
// 14.1, until ctx ends. One Reinvite is in progress at a time, others wait.
//
// Errors: a *StatusError if the far end refused: what was agreed before stays
// in force. 481, 408 and silence end the leg (RFC 5057 section 5.1).
func (l *Leg) Reinvite(ctx context.Context, offer []byte) (answer []byte, err error) {
	if len(offer) == 0 {
		return nil, errors.New("sip: a re-INVITE without an offer")
	}
	ctx, cancel := l.within(ctx)
	defer cancel()
	for {
		answer, err = l.reinvite(ctx, offer)
		if !isStatus(err, 491) {
			break
		}
		select {
		case <-time.After(l.backOff()):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if isStatus(err, 408, 481) || errors.Is(err, ErrSilent) {
		l.hangUp("", err)
	}
	return answer, err
}

// backOff is how long to wait after a 491: who chose the Call-ID 2.1 to 4 s,
// the other side 0 to 2 s, in steps of 10 ms; all in proportion to T1.
func (l *Leg) backOff() time.Duration {
	step := l.dialog.e.t1 / 50
	if l.target != "" {
		return time.Duration(210+rand.IntN(191)) * step
	}
	return time.Duration(rand.IntN(201)) * step
}

// reinvite sends one re-INVITE.
func (l *Leg) reinvite(ctx context.Context, offer []byte) ([]byte, error) {
	select {
	case l.slot <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	l.setInviting(true)
	defer func() {
		l.setInviting(false)
		<-l.slot
	}()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	e := l.dialog.e
	if !e.enter(serving, &e.sends) {
		return nil, ErrNotServing
	}
	defer e.leave(&e.sends)
	seq := l.dialog.nextSeq()
	req, h, err := l.dialog.build(ctx, siplib.INVITE, seq)
	if err != nil {
		return nil, err
	}
	req.AppendHeader(siplib.NewHeader("Content-Type", "application/sdp"))
	req.SetBody(offer)
	inv, err := e.invite(ctx, h, req, halfID{})
	if err != nil {
		return nil, err
	}
	res, err := inv.await(ctx, patience{e.timeout(), defaultAnswer}, func(*siplib.Response) {})
	inv.settle()
	return l.concluded(inv, seq, res, err)
}

// concluded takes the result of a re-INVITE. A 2xx is acknowledged, also if
// it comes again, or after the re-INVITE was given up.
func (l *Leg) concluded(inv *invitation, seq uint32, res *siplib.Response, err error) ([]byte, error) {
	e := l.dialog.e
	if err == nil && !res.IsSuccess() {
		e.registry.removeInbox(inv.branch)
		return nil, statusError(res)
	}
	var ack *siplib.Request
	var way hop
	acknowledge := func(res *siplib.Response) {
		if ack == nil {
			l.dialog.refresh(res)
			var err error
			if ack, way, err = l.dialog.build(context.Background(), siplib.ACK, seq); err != nil {
				return // the 2xx comes again
			}
		}
		way.write(ack)
	}
	if err == nil {
		acknowledge(res)
		l.setSDP(sdpOf(res))
	}
	if !e.spawn(func() { inv.linger(err != nil, acknowledge) }) {
		e.registry.removeInbox(inv.branch)
		inv.tx.Terminate()
	}
	if err != nil {
		return nil, err
	}
	return sdpOf(res), nil
}

func (l *Leg) setInviting(v bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ours = v
}
