package sip

import (
	"cmp"
	"errors"
	"net/netip"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// A responder answers one request.
type responder struct {
	e     *Endpoint
	stack *stack
	req   *siplib.Request
	tx    *siplib.ServerTx

	allow   string // the Allow header; "": allowed
	session string // the Session-ID header; "": none
	contact siplib.HeaderParams
}

// build makes a response. Headers must have been checked. Those that make or
// change a dialog get a Contact; final ones say who we are.
func (r responder) build(code int, reason string, sdp []byte, headers ...Header) *siplib.Response {
	res := siplib.NewResponseFromRequest(r.req, code, cleaned(reason), nil)
	res.SipVersion = "SIP/2.0" // sipgo echoes what the request claimed
	dialog := r.req.Method == siplib.INVITE || r.req.Method == siplib.UPDATE || r.req.Method == siplib.REFER
	if dialog && code > 100 && code < 300 {
		sips := strings.EqualFold(r.req.Recipient.Scheme, "sips")
		contact := r.stack.contactOf(r.local(), sips)
		contact.Params = r.contact.Clone()
		res.AppendHeader(contact)
		if code < 200 {
			// So that the caller may send an UPDATE before the answer.
			res.AppendHeader(siplib.NewHeader("Allow", cmp.Or(r.allow, allowed)))
		}
	}
	if code >= 200 && code < 300 && r.req.Method != siplib.CANCEL && r.req.Method != siplib.BYE {
		res.AppendHeader(siplib.NewHeader("Allow", cmp.Or(r.allow, allowed)))
		// Empty: no extension is supported (RFC 3261 section 20.37).
		res.AppendHeader(siplib.NewHeader("Supported", r.e.supported))
	}
	if code > 100 && r.session != "" {
		res.AppendHeader(siplib.NewHeader("Session-ID", r.session))
	}
	if code > 100 {
		res.AppendHeader(siplib.NewHeader("Server", r.e.userAgent))
	}
	for _, h := range headers {
		res.AppendHeader(siplib.NewHeader(h.Name, h.Value))
	}
	if len(sdp) > 0 {
		res.AppendHeader(siplib.NewHeader("Content-Type", "application/sdp"))
		res.SetBody(sdp)
	}
	return res
}

// local is the address that names us to the sender of the request: the one it
// came in by or, on a connection that we opened, that of our TCP listener.
func (r responder) local() netip.AddrPort {
	if r.stack.local.IsValid() {
		return r.stack.local
	}
	from, _ := netip.ParseAddrPort(r.req.Source()) // always one: it comes from the socket
	if sock := r.e.socketFor(r.stack.transport, from.Addr().Unmap()); sock != nil {
		return sock.AddrPort
	}
	return r.stack.local
}

// send passes a response to the transaction. It returns ErrCancelled if the
// transaction was cancelled before: sipgo has answered 487 then, and the
// response was not sent.
func (r responder) send(res *siplib.Response) error {
	err := r.tx.Respond(res)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, siplib.ErrTransactionCanceled):
		// The transaction repeats whatever it was given last, even if it did
		// not send it: give it the 487 back.
		_ = r.tx.Respond(r.build(487, "Request Terminated", nil))
		return ErrCancelled
	default:
		return unreachable(err)
	}
}

// answer sends a response without a body. A failure is not reported: there is
// nobody to report it to, and a request that goes unanswered comes again.
func (r responder) answer(code int, reason string, headers ...Header) {
	_ = r.send(r.build(code, reason, nil, headers...))
}

// dismiss answers without keeping the transaction (RFC 3261 section 8.2.7):
// the same request gets the same answer if it comes again. What strangers can
// send is answered this way, so that it costs no memory afterwards (D9).
func (r responder) dismiss(ref *refusal) {
	r.answer(ref.code, ref.reason, ref.headers...)
	r.tx.Terminate()
}
