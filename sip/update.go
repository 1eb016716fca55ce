package sip

import (
	"context"
	"errors"

	siplib "github.com/emiago/sipgo/sip"
)

// Update changes the session by an UPDATE (RFC 3311), without the third
// message that a re-INVITE needs; offer may be nil, then it only shows that we
// are alive and where. Errors are those of Reinvite. A far end that did not say
// that it takes UPDATE is not asked: the error is ErrNotAllowed.
func (l *Leg) Update(ctx context.Context, offer []byte) (answer []byte, err error) {
	return l.UpdateWith(ctx, Change{Offer: offer})
}

// UpdateWith is Update with a body, tags and headers of the caller's choice.
func (l *Leg) UpdateWith(ctx context.Context, c Change) (answer []byte, err error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	allows := l.peerUpdates
	l.mu.Unlock()
	if !allows {
		return nil, ErrNotAllowed
	}
	return l.modify(ctx, c, (*Leg).update)
}

// ErrNotAllowed is returned for a request whose method is not in the far end's
// Allow header.
var ErrNotAllowed = errors.New("sip: the far end does not take this method")

// update sends one UPDATE when its turn has come. With an offer it keeps the INVITEs of both sides
// off meanwhile (RFC 3311 section 5.1).
func (l *Leg) update(ctx context.Context, c Change) ([]byte, error) {
	if c.offers() {
		if err := l.takeSlot(ctx); err != nil {
			return nil, err
		}
		defer l.returnSlot()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := c.describe(); err != nil {
		return nil, err
	}
	return c.conclude(l.sendUpdate(ctx, c))
}

func (l *Leg) sendUpdate(ctx context.Context, c Change) ([]byte, error) {
	e := l.dialog.e
	if !e.enter(serving) {
		return nil, ErrNotServing
	}
	defer e.leave()
	res, err := l.dialog.ask(ctx, siplib.UPDATE, func(req *siplib.Request) {
		l.extend(req)
		c.fill(req)
	})
	switch {
	case err != nil:
		return nil, err
	case !res.IsSuccess():
		return nil, statusError(res)
	}
	l.dialog.refresh(res)
	answer := sdpOf(res)
	if c.offers() {
		l.setSDP(answer)
		l.setLocal(c)
	}
	l.concludedTimer(res)
	return answer, nil
}

// extend adds to a session refresh request of ours what it says about
// extensions.
func (l *Leg) extend(req *siplib.Request) {
	req.AppendHeader(siplib.NewHeader("Allow", allowedBy(l.handlers())))
	t := l.timer()
	if !t.on() {
		return
	}
	req.AppendHeader(siplib.NewHeader("Supported", "timer"))
	appendHeaders(req, t.ask(l.timed()))
}

// concludedTimer takes the session timer of a 2xx to a request of ours, and
// what the far end says that it takes.
func (l *Leg) concludedTimer(res *siplib.Response) {
	l.noteAllow(res)
	if t := l.timer(); t.on() {
		l.setTiming(t.agreed(res, l.timed()))
	}
}
