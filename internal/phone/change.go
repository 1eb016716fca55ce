package phone

import (
	"context"

	"consentgw/internal/sdp"
)

// Change describes the line anew within the call, with whatever change does to
// that description; by UPDATE if update is set, else by re-INVITE. If the far
// end refuses, the error is its [sip.StatusError] and everything stays as it is.
func (l *Line) Change(ctx context.Context, update bool, change func(*sdp.Session)) error {
	l.mu.Lock()
	l.version++
	offer := sdp.NewOffer(l.local(), l.phone.cfg.Codecs)
	before := l.offered
	l.mu.Unlock()
	change(offer)
	ask := l.leg.Reinvite
	if update {
		ask = l.leg.Update
	}
	answer, err := ask(ctx, offer.Marshal())
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
