package sip

import (
	"bytes"
	"cmp"
	"net"
	"net/netip"

	siplib "github.com/emiago/sipgo/sip"
)

// Verdict says what becomes of a request, by who sent it.
//
// Config.Admit is asked in the goroutine that reads the socket: it must be fast
// and must not block. Over UDP it is asked for each datagram that may be a
// request, repetitions and ACKs included, and nothing is kept of one that is
// not served, not even its source. Over TCP and TLS it is asked for each
// connection, before the handshake, and for each request. It is not asked about
// responses, nor about requests on connections that we opened.
type Verdict int

const (
	// Serve takes the request.
	Serve Verdict = iota
	// Refuse answers 403, without keeping anything. A request within a dialog
	// of ours is served all the same: who knows its three identifiers is part
	// of it, and a far end may have more addresses than we were told.
	Refuse
	// Silence answers nothing. A connection is closed.
	Silence
)

// Admission says who is let in, and what becomes of the others.
type Admission struct {
	// Admit is asked about every request before anything is kept for it; nil:
	// all are served. See Verdict.
	Admit func(src netip.AddrPort, transport string) Verdict
	// Phrase explains a refusal in the status line and the Reason header. Default
	// "Forbidden".
	Phrase string
	// Refused is told the method of each request that was answered 403; may be
	// nil. It must not block.
	Refused func(method string)
}

// refusal is the answer to who is not let in.
func (a Admission) refusal() *refusal {
	phrase := cmp.Or(a.Phrase, "Forbidden")
	return refuse(403, phrase, rejectReason(403, phrase))
}

// tell reports a refusal.
func (a Admission) tell(req *siplib.Request) {
	if a.Refused != nil {
		a.Refused(string(req.Method))
	}
}

// verdict asks Config.Admit. A panic in there is survived.
func (e *Endpoint) verdict(src netip.AddrPort, transport string) (v Verdict) {
	if e.admission.Admit == nil {
		return Serve
	}
	defer e.guard("admitting a sender", func() { v = Silence })
	return e.admission.Admit(netip.AddrPortFrom(src.Addr().Unmap(), src.Port()), transport)
}

// admitDatagram says whether a datagram may go to sipgo, which remembers
// whoever it came from and makes a transaction for it. A request that is
// refused is answered here.
func (e *Endpoint) admitDatagram(c net.PacketConn, datagram []byte, from net.Addr) bool {
	if bytes.HasPrefix(datagram, []byte("SIP/")) {
		return true // a response
	}
	udp, ok := from.(*net.UDPAddr)
	if !ok {
		return false
	}
	switch e.verdict(udp.AddrPort(), "udp") {
	case Serve:
		return !e.answerMalformed(c, datagram, udp)
	case Silence:
		return false
	}
	msg, err := e.parser.ParseSIP(datagram)
	req, ok := msg.(*siplib.Request)
	if err != nil || !ok {
		return false
	}
	if e.knows(req) {
		return true
	}
	if res := e.refusalOf(req, from.String()); res != nil {
		to := net.UDPAddr{IP: udp.IP, Port: responsePort(req, udp.Port), Zone: udp.Zone}
		// Lost like any datagram, if it is.
		_, _ = c.WriteTo([]byte(res.String()), &to)
		e.admission.tell(req)
	}
	return false
}

// refusalOf builds the 403 to a request of which nothing is kept, nil if it
// must not be answered. Only its sender gets to see what is copied from it.
func (e *Endpoint) refusalOf(req *siplib.Request, source string) *siplib.Response {
	if req.IsAck() || req.Via() == nil || req.To() == nil {
		return nil
	}
	req.SetSource(source)
	e.addTag(req)
	ref := e.admission.refusal()
	res := siplib.NewResponseFromRequest(req, ref.code, ref.reason, nil)
	res.SipVersion = "SIP/2.0"
	appendHeaders(res, ref.headers)
	return res
}

// responsePort is where a response to a datagram goes: to the port of the Via,
// or back to the source's (RFC 3261 section 18.2.2, RFC 3581 section 4).
func responsePort(req *siplib.Request, source int) int {
	via := req.Via()
	switch {
	case hasParam(via.Params, "rport"):
		return source
	case via.Port > 0 && via.Port <= 65535:
		return via.Port
	}
	return defaultPort
}

// knows says whether a request names a dialog of ours, or one that an INVITE of
// ours may become.
func (e *Endpoint) knows(req *siplib.Request) bool {
	if req.From() == nil || req.To() == nil || req.CallID() == nil {
		return false
	}
	id := dialogOf(req)
	if id.local == "" {
		return false
	}
	return e.registry.leg(id) != nil || e.registry.earlyIncoming(id) != nil ||
		e.registry.dialed(halfID{id.callID, id.local}) != nil
}

// welcome decides about a request that came by a connection.
func (e *Endpoint) welcome(st *stack, req *siplib.Request) Verdict {
	if e.admission.Admit == nil || st.transport == "udp" || !st.local.IsValid() {
		return Serve
	}
	src, err := netip.ParseAddrPort(req.Source())
	if err != nil {
		return Silence
	}
	v := e.verdict(src, st.transport)
	if v == Refuse && e.knows(req) {
		return Serve
	}
	return v
}

// turnAway ends a request that is not welcome.
func (r responder) turnAway(v Verdict) {
	switch {
	case v == Silence:
		r.tx.Terminate()
		_ = r.tx.Connection().Close() // its reader does the rest
	case r.req.IsAck():
		r.tx.Terminate()
	default:
		r.dismiss(r.e.admission.refusal())
		r.e.admission.tell(r.req)
	}
}
