package sip

import (
	"bytes"
	"context"
	"fmt"

	siplib "github.com/emiago/sipgo/sip"
)

// Early says how an INVITE is treated before its answer.
type Early struct {
	// Reliable says when Progress asks for a PRACK. A caller that requires
	// 100rel always gets reliable responses.
	Reliable Reliable
	// InDialog is what the caller may do before the answer; that given to
	// Answer takes its place.
	InDialog InDialog
	// SessionID is our half of the Session-ID (RFC 7989), 32 hexadecimal
	// digits; "": none is sent.
	SessionID string
	// ContactParams are what our Contact says about us in the whole dialog, as
	// header parameters: "+sip.srs".
	ContactParams []string
}

// SetEarly is to be called before the first Progress. Without it Progress is
// reliable only for a caller that requires it, and a session description that
// such a caller sends before the answer is refused.
func (in *Incoming) SetEarly(early Early) error {
	if early.SessionID != "" && !isSessionUUID(early.SessionID) {
		return errSessionID
	}
	if err := checkParams(early.ContactParams); err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.early != nil || in.final {
		return fmt.Errorf("sip: SetEarly after a response: %w", ErrAnswered)
	}
	in.earlyPolicy = early
	in.allow = allowedBy(early.InDialog)
	in.contact = contactParams(early.ContactParams)
	in.session = sessionHeader(early.SessionID, remoteSession(in.req))
	return nil
}

// earlyLeg returns the leg of the early dialog, which the first provisional
// response makes (RFC 3261 section 12.1). in.mu is held.
func (in *Incoming) earlyLeg() *Leg {
	if in.early != nil {
		return in.early
	}
	leg := newLeg(in.serverDialog(), "", in.earlyPolicy.InDialog)
	leg.remoteSeq, leg.sdp = int64(in.req.CSeq().SeqNo), in.Offer()
	leg.noteAllow(in.req)
	leg.supported = optionTags(in.req, "Supported")
	if leg.sdp != nil {
		leg.pending = asked
	}
	leg.reliables = newReliables(in)
	leg.slot <- struct{}{} // until the ACK: no re-INVITE of ours before it
	in.early = leg
	in.e.registry.addLeg(leg)
	return leg
}

// dropEarly ends the early dialog of an INVITE that was not answered.
func (in *Incoming) dropEarly() {
	in.mu.Lock()
	leg := in.early
	if in.leg != nil {
		leg = nil
	}
	in.mu.Unlock()
	if leg != nil {
		leg.reliables.stop()
		leg.finish(ErrCancelled)
	}
}

// reliable says whether Progress asks for a PRACK.
func (in *Incoming) reliable() bool {
	return hasTag(in.req, "Require", "100rel") ||
		in.earlyPolicy.Reliable != ReliableIfRequired && supports(in.req, "100rel")
}

// provisional sends a response that makes an early dialog. in.mu is held.
func (in *Incoming) provisional(code int, reason string, sdp []byte) error {
	leg := in.earlyLeg()
	if in.reliable() {
		return leg.reliables.push(code, reason, sdp)
	}
	return in.send(in.build(code, reason, sdp))
}

// An earlyDialog is what a provisional response to our INVITE makes.
type earlyDialog struct {
	*Leg
	rseq   uint32 // of its last reliable response, 0 before any
	answer []byte // the session description of the first reliable one that had any
}

// dialogFor returns the dialog of a 2xx to our INVITE: the one that an earlier
// response of the same fork made, or a new one.
func (d *dialing) dialogFor(res *siplib.Response) *dialog {
	if early := d.early[param(res.To().Params, "tag")]; early != nil {
		early.dialog.reroute(res)
		return early.dialog
	}
	return d.newDialog(res)
}

// newDialog is the dialog that a response makes.
func (d *dialing) newDialog(res *siplib.Response) *dialog {
	dlg := d.clientDialog(res)
	dlg.contact = contactParams(d.invite.Present.ContactParams)
	dlg.session = sessionPair{d.invite.Present.SessionID, remoteSession(res)}
	return dlg
}

// newLeg is the leg of a dialog in which our offer has no answer yet.
func (d *dialing) newLeg(dlg *dialog) *Leg {
	leg := newLeg(dlg, d.invite.Target, d.invite.InDialog)
	body := d.invite.Body.payload(d.invite.Offer)
	leg.local = extractSDP(body.ContentType, body.Bytes)
	leg.pending, leg.ours = offered, true
	leg.slot <- struct{}{} // until the answer
	d.e.registry.addLeg(leg)
	return leg
}

// legOf makes the leg of the 2xx that counts, out of an early one if there is.
func (d *dialing) legOf(res *siplib.Response) *Leg {
	early := d.early[param(res.To().Params, "tag")]
	dlg := d.dialogFor(res)
	if early == nil {
		early = &earlyDialog{Leg: d.newLeg(dlg)}
	}
	leg := early.Leg
	leg.noteAllow(res)
	leg.dialog.heard(res)
	leg.mu.Lock()
	leg.supported = optionTags(res, "Supported")
	// After a reliable answer the 2xx should have none, or the same. Some
	// change their mind all the same: they are believed, unless both sides have
	// agreed on something else meanwhile.
	if sdp := sdpOf(res); sdp != nil && (early.answer == nil || bytes.Equal(leg.sdp, early.answer)) {
		leg.sdp = sdp
	}
	leg.pending, leg.ours = settled, false
	leg.mu.Unlock()
	<-leg.slot
	close(leg.confirmed) // a UAC may send BYE at any time, RFC 3261 section 15
	return leg
}

// reroute takes route set and target of the 2xx: those of the early dialog are
// forgotten (RFC 3261 section 13.2.2.4).
func (d *dialog) reroute(res *siplib.Response) {
	fresh := responseRoutes(res)
	d.mu.Lock()
	d.routes = fresh
	d.mu.Unlock()
	d.refresh(res)
}

// earlyOf returns the early dialog of a provisional response, nil if it makes
// none.
func (d *dialing) earlyOf(res *siplib.Response) *earlyDialog {
	tag := param(res.To().Params, "tag")
	if early := d.early[tag]; early != nil || tag == "" || len(d.early) >= maxForks {
		return early
	}
	early := &earlyDialog{Leg: d.newLeg(d.newDialog(res))}
	d.early[tag] = early
	return early
}

// received takes a provisional response: it acknowledges a reliable one. It
// reports false for one that is no news, because it was there before or
// because one before it is still missing (RFC 3262 section 4).
func (d *dialing) received(res *siplib.Response) bool {
	early := d.earlyOf(res)
	if early == nil {
		return true
	}
	early.noteAllow(res)
	early.dialog.refresh(res)
	rseq, ok := parseSeq(headerValue(res, "RSeq"))
	if !ok || !hasTag(res, "Require", "100rel") {
		return true
	}
	if early.rseq != 0 && rseq != early.rseq+1 {
		return false
	}
	early.rseq = rseq
	if sdp := sdpOf(res); sdp != nil && early.answer == nil {
		early.answer = sdp
		early.mu.Lock()
		early.sdp, early.pending, early.ours = sdp, settled, false
		early.mu.Unlock()
	}
	d.prack(early.Leg, rseq)
	return true
}

// prack acknowledges a reliable provisional response. Number and way are taken
// now, so that PRACKs are sent in order; their answers are waited for on the
// side.
func (d *dialing) prack(leg *Leg, rseq uint32) {
	req, h, err := leg.dialog.build(context.Background(), siplib.PRACK, leg.dialog.nextSeq())
	if err != nil {
		d.e.log.Debug("sip PRACK has no way to go", "error", err)
		return
	}
	req.AppendHeader(siplib.NewHeader("RAck", fmt.Sprintf("%d %d INVITE", rseq, d.req.CSeq().SeqNo)))
	d.e.spawn(func() {
		defer d.e.guard("sending a PRACK", nil)
		if _, err := d.e.transact(leg.ctx, h, req); err != nil {
			// The far end repeats the response, and gives up in the end.
			d.e.log.Debug("sip PRACK without an answer", "error", err)
		}
	}, &d.e.sends)
}

// dropEarly ends every early dialog but that of the leg that was answered.
func (d *dialing) dropEarly(won *Leg, cause error) {
	for _, early := range d.early {
		if early.Leg != won {
			early.finish(cause)
		}
	}
}
