package siprec

import (
	"context"
	"errors"
	"time"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/internal/siprecxml"
	"consentgw/sip"
)

// goodbye bounds the last words to a recorder, and the wait for its answer to
// our BYE, which the signalling repeats with or without us.
const goodbye = 2 * time.Second

// dialogue is one recording session: the dialog with one address.
type dialogue struct {
	*Recording
	leg   *sip.Leg
	since time.Time
	told  Moment // what the recorder has answered
	asked Moment // what it was sent last
}

// invite tries the addresses in turn and returns the first that accepts, or why
// the last one did not. Nothing is sent yet.
func (r *Recording) invite(ctx context.Context) (*dialogue, string) {
	why := ""
	for _, t := range r.cfg.Targets {
		d, err := r.dial(ctx, t)
		if err == nil {
			return d, ""
		}
		if ctx.Err() != nil {
			return nil, ""
		}
		why = reason(err)
		r.cfg.Log.Warn("recorder not reached", "recorder", r.cfg.Name, "target", t.URI, "reason", why)
	}
	return nil, why
}

func (r *Recording) dial(ctx context.Context, t Target) (*dialogue, error) {
	d := &dialogue{Recording: r, since: time.Now()}
	r.rekey()
	now := r.now()
	d.asked = now
	body, err := d.body(now, true)
	if err != nil {
		return nil, err
	}
	d.leg, err = r.cfg.Endpoint.Dial(ctx, sip.Invite{
		Target: t.URI, Auth: t.Auth, TLS: t.TLS, Caller: "consentgw",
		Body: body, Headers: d.headers(now.Record),
		Extensions:    sip.Extensions{Require: []string{"siprec"}},
		Present:       sip.Presentation{ContactParams: []string{"+sip.src"}, SessionID: sip.NewSessionID()},
		FirstResponse: r.cfg.Pace.Answer, Answer: 2 * r.cfg.Pace.Answer,
		InDialog: sip.InDialog{Offer: d.offered, Document: d.document},
	})
	if err != nil {
		return nil, err
	}
	if _, err := r.ways(d.leg.SDP()); err != nil {
		d.bye()
		return nil, err
	}
	d.told = now
	return d, nil
}

// attend keeps the recorder informed until one side has had enough. It returns
// why the recorder is lost, or "" if it is to be left alone.
func (r *Recording) attend(ctx context.Context, d *dialogue) string {
	probe := time.NewTicker(r.cfg.Pace.Probe)
	defer probe.Stop()
	report := time.NewTimer(media.ReportEvery())
	defer report.Stop()
	if err := d.direct(d.leg.SDP()); err != nil {
		d.bye()
		return reason(err)
	}
	r.opened()
	knock(r.news) // something may have happened while it was invited
	for {
		var err error
		select {
		case <-d.leg.Context().Done():
			return reason(context.Cause(d.leg.Context()))
		case <-ctx.Done():
			d.farewell()
			return ""
		case <-r.news:
			if r.now().State == consent.RecordingOff {
				d.farewell()
				return ""
			}
			err = d.update(ctx, false)
		case <-r.snapshot:
			err = d.update(ctx, true)
		case <-probe.C:
			err = d.probe(ctx)
		case <-report.C:
			r.report(false)
			report.Reset(media.ReportEvery())
		}
		if err != nil && ctx.Err() == nil {
			r.stop()
			d.bye()
			return reason(err)
		}
	}
}

// update tells the recorder how things stand, if it does not know, or if it
// asks for everything. Nothing is sent from before a pause is told until the
// recorder has agreed to go on (RFC 7866 section 7.1.1.1).
func (d *dialogue) update(ctx context.Context, complete bool) error {
	now := d.now()
	if now.tells(d.told) && !complete {
		return nil
	}
	// That an agent has left can only be said by a complete document.
	complete = complete || len(now.Transfers) != len(d.told.Transfers)
	d.asked = now
	if now.State != consent.RecordingOn {
		d.stop()
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Pace.Answer)
	defer cancel()
	body, err := d.body(now, complete)
	if err != nil {
		return err
	}
	answer, err := d.leg.ReinviteWith(ctx, sip.Change{Body: body, Require: []string{"siprec"}, Headers: accepts()})
	var status *sip.StatusError
	switch {
	case err == nil:
		d.told = now
		return d.direct(answer)
	case errors.As(err, &status) && now.State != consent.RecordingOn:
		d.told = now // it gets nothing, whatever it makes of that
		return nil
	}
	return err
}

// probe asks a recorder that takes UPDATE whether it is there. Any answer will
// do.
func (d *dialogue) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Pace.Answer)
	defer cancel()
	_, err := d.leg.Update(ctx, nil)
	var status *sip.StatusError
	if errors.Is(err, sip.ErrNotAllowed) || errors.As(err, &status) && d.leg.Context().Err() == nil {
		return nil
	}
	return err
}

// farewell ends the session. A recorder whose consent was taken back is told
// so before, because it may have to act on what it has.
func (d *dialogue) farewell() {
	d.report(true)
	d.stop()
	now := d.now()
	takenBack := now.Record.Withdrawal != nil || now.State == consent.RecordingOff // of all, or of what it records for
	if takenBack && !d.cfg.Metadata.Silent {
		ctx, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		now.State = consent.RecordingOff
		if body, err := d.body(now, false); err == nil {
			// A recorder that does not understand gets the BYE all the same.
			_, _ = d.leg.ReinviteWith(ctx, sip.Change{Body: body, Require: []string{"siprec"}, Headers: accepts()})
		}
	}
	d.bye()
}

func (d *dialogue) bye() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	_ = d.leg.Bye(ctx, "") // repeated in the background if it is not answered
}

// document takes what the recorder sends besides descriptions: a request for a
// snapshot, which is answered at once (RFC 7866 section 9.2).
func (d *dialogue) document(doc sip.Document) int {
	m, _ := siprecxml.Decode(doc.ContentType, doc.Disposition, doc.Body)
	if !siprecxml.IsSnapshotRequest(m.Metadata) {
		return 415
	}
	knock(d.snapshot)
	return 200
}
