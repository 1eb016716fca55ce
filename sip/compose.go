package sip

import (
	"cmp"
	"errors"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// compose builds the INVITE of one attempt.
func (e *Endpoint) compose(t target, inv Invite, a attempt) *siplib.Request {
	uri := t.uri(inv.Called)
	inv.Present.place(&uri)
	req := e.newRequest(siplib.INVITE, a.hop, uri, inv.Caller, inv.CallID)
	a.mark(req)
	from := req.From()
	from.Address.Host = cmp.Or(inv.Present.FromHost, from.Address.Host)
	req.Contact().Params = contactParams(inv.Present.ContactParams)
	req.AppendHeader(siplib.NewHeader("Allow", allowedBy(inv.InDialog)))
	timer := e.timer
	if own := inv.InDialog.SessionTimer; own != nil {
		timer = *own
	}
	req.AppendHeader(siplib.NewHeader("Supported", strings.Join(inv.supported(timer), ", ")))
	appendHeaders(req, timer.ask(a.agreed))
	appendHeaders(req, inv.Present.headers())
	c := Change{Offer: inv.Offer, Body: inv.Body, Require: inv.required(), Headers: inv.Headers}
	c.fill(req)
	a.hop.stamp(req)
	return req
}

// supported names the extensions that the INVITE offers.
func (i *Invite) supported(t SessionTimer) []string {
	var tags []string
	if i.Extensions.Reliable != ReliableIfRequired {
		tags = append(tags, "100rel")
	}
	if t.on() {
		tags = append(tags, "timer")
	}
	return append(tags, i.Extensions.Supported...)
}

func (i *Invite) required() []string {
	if i.Extensions.Reliable != ReliableAlways {
		return i.Extensions.Require
	}
	return append([]string{"100rel"}, i.Extensions.Require...)
}

// checkParams refuses what is no header parameter, "name" or "name=value".
func checkParams(params []string) error {
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		if !isToken(name) || hasControl(value) || strings.ContainsAny(unquoted(value), ";,<>\" ") {
			return errors.New("sip: not a Contact parameter")
		}
	}
	return nil
}

func contactParams(params []string) (all siplib.HeaderParams) {
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		all.Add(name, value)
	}
	return all
}
