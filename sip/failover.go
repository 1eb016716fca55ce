package sip

import (
	"context"
	"errors"
)

// errAnswered marks the failure of a call that the far end had answered.
var errAnswered = errors.New("sip: the answer could not be acknowledged")

// try makes attempts until one succeeds, or none is left. The next address is
// for a far end that cannot be reached, says nothing at all or is out of
// service (RFC 3263 section 4.3); what rings or refuses is the result.
func (e *Endpoint) try(ctx context.Context, hops []hop, inv Invite, dial func(Invite, attempt) (*Leg, error)) (leg *Leg, err error) {
	rang, report := false, inv.Progress
	inv.Progress = func(code int, sdp []byte) {
		rang = true
		if report != nil {
			report(code, sdp)
		}
	}
	for _, h := range hops {
		h.auth = newAuthorizer(inv.Auth)
		a := attempt{hop: h, tag: newToken(), seq: 1}
		leg, err = dial(inv, a)
		for (h.auth.learn(err) || a.lengthen(err)) && ctx.Err() == nil {
			a.seq++
			leg, err = dial(inv, a)
		}
		if err == nil || rang || ctx.Err() != nil || !elsewhere(err) {
			break
		}
	}
	return leg, err
}

// elsewhere says whether another address of the target may do better.
func elsewhere(err error) bool {
	if errors.Is(err, errAnswered) {
		return false
	}
	return errors.Is(err, ErrUnreachable) || errors.Is(err, ErrSilent) || isStatus(err, 503)
}
