package sip

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// Refer is what a REFER asks for (RFC 3515): that we call somebody else.
type Refer struct {
	// ID is for Leg.NotifyRefer.
	ID uint32
	// To is the URI to call, without the headers it asked for. Not for logs.
	To string
	// Replaces is the call that the new one is to take the place of, as the
	// called side knows it: an attended transfer (RFC 3891). Nil if there is
	// none.
	Replaces *Replaces
	// ReferredBy is the URI of who says that it sent the REFER (RFC 3892), "" if
	// it does not say; nothing proves it. Not for logs.
	ReferredBy string
	// Silent is set if no word of the outcome is wanted (RFC 4488):
	// Leg.NotifyRefer then sends nothing.
	Silent bool
}

// maxReferrals is how many a far end can make us remember.
const maxReferrals = 8

// A referral is a REFER that was accepted, or is about to be.
type referral struct {
	accepted chan struct{} // closed when the 202 is sent
	silent   bool
	first    bool // of its dialog
}

type referrals struct {
	open map[uint32]*referral // by the CSeq of their REFER
	any  bool                 // there was one
}

// ErrNoReferral is returned by NotifyRefer for a REFER that was not accepted,
// or that was given its final status before.
var ErrNoReferral = errors.New("sip: no such referral")

// onRefer answers a REFER within the dialog.
func (l *Leg) onRefer(r responder) {
	refer := l.handlers().Refer
	if refer == nil {
		r.answer(405, "Method Not Allowed", Header{"Allow", r.allow})
		return
	}
	asked, ref := parseRefer(r.req)
	if ref != nil {
		r.answer(ref.code, ref.reason, ref.headers...)
		return
	}
	entry := l.addReferral(asked)
	if entry == nil {
		r.answer(500, "Too Many Referrals", Header{"Retry-After", "10"})
		return
	}
	defer r.e.guard("taking a REFER", func() {
		l.dropReferral(asked.ID)
		r.answer(500, "Server Internal Error")
	})
	switch code := refer(asked); {
	case code >= 200 && code < 300:
		l.dialog.refresh(r.req)
		var headers []Header
		if asked.Silent {
			headers = []Header{{"Refer-Sub", "false"}}
		}
		r.answer(202, "Accepted", headers...)
		close(entry.accepted)
	case code >= 300 && code <= 699:
		l.dropReferral(asked.ID)
		r.answer(code, referPhrase(code))
	default:
		l.dropReferral(asked.ID)
		r.answer(500, "Server Internal Error")
	}
}

func referPhrase(code int) string {
	switch code {
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 480:
		return "Temporarily Unavailable"
	case 491:
		return "Request Pending"
	case 603:
		return "Decline"
	}
	return phrase(code)
}

// parseRefer reads a REFER, or says what is wrong with it.
func parseRefer(req *siplib.Request) (Refer, *refusal) {
	values := headerValues(req, "Refer-To")
	if len(values) != 1 || len(splitList(values[0])) != 1 {
		return Refer{}, refuse(400, "Not One Refer-To") // RFC 3515 section 2.4.2
	}
	asked := Refer{ID: req.CSeq().SeqNo}
	uri, headers, _ := strings.Cut(addrSpec(values[0]), "?")
	if uri == "" || len(uri) > maxURI || hasControl(uri) || hasControl(unescape(uri)) {
		return Refer{}, refuse(400, "Malformed Refer-To")
	}
	uri, method := cutMethod(uri)
	if method != "" && !strings.EqualFold(method, "INVITE") {
		return Refer{}, refuse(603, "Only INVITE Is Referred")
	}
	asked.To = uri
	for field := range strings.SplitSeq(headers, "&") {
		name, value, _ := strings.Cut(field, "=")
		if !strings.EqualFold(unescape(name), "Replaces") {
			continue // other headers are not for the referrer to write
		}
		var ok bool
		if asked.Replaces, ok = parseReplaces(unescape(value)); !ok {
			return Refer{}, refuse(400, "Malformed Replaces")
		}
	}
	if by := addrSpec(headerValue(req, "Referred-By")); len(by) <= maxURI && !hasControl(by) {
		asked.ReferredBy = by
	}
	asked.Silent = strings.EqualFold(splitParams(headerValue(req, "Refer-Sub"))[0], "false")
	return asked, nil
}

// cutMethod takes the method parameter out of a URI.
func cutMethod(uri string) (rest, method string) {
	fields := strings.Split(uri, ";")
	kept := fields[:1]
	for _, f := range fields[1:] {
		if name, v, _ := strings.Cut(f, "="); strings.EqualFold(name, "method") {
			method = v
			continue
		}
		kept = append(kept, f)
	}
	return strings.Join(kept, ";"), method
}

func (l *Leg) addReferral(asked Refer) *referral {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.referrals.open) >= maxReferrals {
		return nil
	}
	if l.referrals.open == nil {
		l.referrals.open = make(map[uint32]*referral)
	}
	entry := &referral{accepted: make(chan struct{}), silent: asked.Silent, first: !l.referrals.any}
	l.referrals.open[asked.ID], l.referrals.any = entry, true
	return entry
}

func (l *Leg) dropReferral(id uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.referrals.open, id)
}

// NotifyRefer tells the far end of a referral's progress: 100 or another
// provisional status, then one final status (RFC 3515 section 2.4.4). It may be
// called at once when InDialog.Refer has accepted: it waits for the 202. It
// works also after the far end has hung up, which who transfers a call is free
// to do.
//
// Errors: ErrNoReferral, a *StatusError if the far end does not want to know,
// ErrSilent, ErrUnreachable, or the cause of ctx.
func (l *Leg) NotifyRefer(ctx context.Context, id uint32, code int, reason string) error {
	if code < 100 || code > 699 {
		return fmt.Errorf("sip: %d is no status", code)
	}
	l.mu.Lock()
	entry := l.referrals.open[id]
	l.mu.Unlock()
	if entry == nil {
		return ErrNoReferral
	}
	select {
	case <-entry.accepted:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if code >= 200 {
		l.dropReferral(id)
	}
	if entry.silent {
		return nil
	}
	e := l.dialog.e
	if !e.enter(drains) {
		return ErrNotServing
	}
	defer e.leave()
	event, state := "refer", "active;expires=60"
	if !entry.first {
		event += ";id=" + strconv.FormatUint(uint64(id), 10)
	}
	if code >= 200 {
		state = "terminated;reason=noresource"
	}
	res, err := l.dialog.ask(ctx, siplib.NOTIFY, func(req *siplib.Request) {
		appendHeaders(req, []Header{
			{"Event", event}, {"Subscription-State", state}, {"Content-Type", "message/sipfrag;version=2.0"},
		})
		req.SetBody(fmt.Appendf(nil, "SIP/2.0 %d %s\r\n", code, cleaned(reason)))
	})
	if err != nil {
		return err
	}
	if !res.IsSuccess() {
		l.dropReferral(id)
		return statusError(res)
	}
	return nil
}
