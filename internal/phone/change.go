package phone

import (
	"context"

	"consentgw/internal/sdp"
	"consentgw/sip"
)

// Change describes the line anew within the call, with whatever change does to
// that description; by UPDATE if update is set, else by re-INVITE. If the far
// end refuses, the error is its [sip.StatusError] and everything stays as it is.
func (l *Line) Change(ctx context.Context, update bool, change func(*sdp.Session)) error {
	ask := l.leg.ReinviteWith
	if update {
		ask = l.leg.UpdateWith
	}
	return l.change(ctx, ask, nil, change)
}

// ChangeWith is Change by a re-INVITE that changes nothing, with headers.
func (l *Line) ChangeWith(ctx context.Context, headers []sip.Header) error {
	return l.change(ctx, l.leg.ReinviteWith, headers, func(*sdp.Session) {})
}

// asking is a re-INVITE or an UPDATE.
type asking func(context.Context, sip.Change) (answer []byte, err error)

func (l *Line) change(ctx context.Context, ask asking, headers []sip.Header, change func(*sdp.Session)) error {
	l.mu.Lock()
	l.version++
	offer := sdp.NewOffer(l.local(), l.phone.cfg.Codecs)
	before := l.offered
	l.mu.Unlock()
	change(offer)
	answer, err := ask(ctx, sip.Change{Offer: offer.Marshal(), Headers: headers})
	if err != nil {
		return err
	}
	l.offered = offer
	if err := l.answered(answer); err != nil {
		l.offered = before
		return err
	}
	return nil
}
