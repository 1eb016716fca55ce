package sip

import (
	"context"

	siplib "github.com/emiago/sipgo/sip"
)

// reinvite sends one re-INVITE when its turn has come.
func (l *Leg) reinvite(ctx context.Context, c Change) ([]byte, error) {
	if err := l.takeSlot(ctx); err != nil {
		return nil, err
	}
	defer l.returnSlot()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := c.describe(); err != nil {
		return nil, err
	}
	return c.conclude(l.sendReinvite(ctx, c))
}

func (l *Leg) sendReinvite(ctx context.Context, c Change) ([]byte, error) {
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
	l.extend(req)
	c.fill(req)
	inv, err := e.invite(ctx, h, req, halfID{})
	if err != nil {
		return nil, err
	}
	res, err := inv.await(ctx, patience{e.timeout(), defaultAnswer}, func(*siplib.Response) {})
	inv.settle()
	answer, err := l.concluded(inv, seq, res, err)
	if err == nil {
		l.setLocal(c)
		l.concludedTimer(res)
	}
	return answer, err
}

// concluded takes the result of a re-INVITE. A 2xx is acknowledged, also if
// it comes again, or after the re-INVITE was given up.
func (l *Leg) concluded(inv *invitation, seq uint32, res *siplib.Response, err error) ([]byte, error) {
	e := l.dialog.e
	if err == nil && !res.IsSuccess() {
		inv.refused() // its ACK comes before another INVITE of the dialog
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

// takeSlot waits until no INVITE or offer of either side is in progress, and
// then has ours be the one that is.
func (l *Leg) takeSlot(ctx context.Context) error {
	select {
	case l.slot <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l.setInviting(true)
	return nil
}

func (l *Leg) returnSlot() {
	l.setInviting(false)
	<-l.slot
}

func (l *Leg) setInviting(v bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ours = v
}
