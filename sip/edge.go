package sip

import (
	"slices"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// A refusal is a final response to a request for which nothing was kept.
type refusal struct {
	code    int
	reason  string // says what was wrong; never quotes the request
	headers []Header
}

func refuse(code int, reason string, headers ...Header) *refusal {
	return &refusal{code, reason, headers}
}

// supportedMethod says whether a method is one of allowed.
func supportedMethod(m siplib.RequestMethod) bool {
	switch m {
	case siplib.INVITE, siplib.ACK, siplib.BYE, siplib.CANCEL, siplib.OPTIONS, siplib.INFO, siplib.UPDATE, siplib.PRACK:
		return true
	case siplib.REFER:
		return true // within a dialog that takes it, see route
	}
	return false
}

// admit checks what sipgo's parser does not (trap 17, D2, D3), before any
// state is made for a request. It returns nil if the request may come in.
// The extensions are those that a peer may require.
func admit(req *siplib.Request, extensions ...string) *refusal {
	if r := admitMessage(req); r != nil {
		return r
	}
	if !supportedMethod(req.Method) {
		return refuse(405, "Method Not Allowed", Header{"Allow", allowed})
	}
	switch strings.ToLower(req.Recipient.Scheme) {
	case "sip", "sips", "tel":
	default:
		return refuse(416, "Unsupported URI Scheme")
	}
	if hasControl(userOf(&req.Recipient)) {
		return refuse(400, "Control Character In Request-URI")
	}
	if req.Recipient.Headers.Length() > 0 {
		return refuse(400, "Headers In Request-URI") // RFC 3261 section 19.1.1, table 1
	}
	// Only an INVITE goes any further from here (RFC 3261 section 11.1).
	if max := req.MaxForwards(); max != nil && max.Val() == 0 && req.Method == siplib.INVITE {
		return refuse(483, "Too Many Hops")
	}
	if req.Method == siplib.ACK || req.Method == siplib.CANCEL {
		return nil // neither may be refused for its extensions, RFC 3261 section 8.2.2.3
	}
	if tags := unsupported(req, extensions); len(tags) > 0 {
		return refuse(420, "Bad Extension", Header{"Unsupported", strings.Join(tags, ", ")})
	}
	switch req.Method {
	case siplib.INVITE, siplib.UPDATE:
		return admitOffer(req)
	case siplib.PRACK:
		return admitBody(req)
	}
	return nil
}

// unsupported returns the option tags that a request requires in vain.
func unsupported(req *siplib.Request, extensions []string) []string {
	return slices.DeleteFunc(optionTags(req, "Require"), func(tag string) bool {
		return slices.ContainsFunc(extensions, func(known string) bool { return strings.EqualFold(known, tag) })
	})
}

// admitMessage checks what every request must have (RFC 3261 section 8.1.1).
func admitMessage(req *siplib.Request) *refusal {
	if !strings.EqualFold(req.SipVersion, "SIP/2.0") {
		return refuse(505, "Version Not Supported")
	}
	if hasControl(req.Recipient.String()) {
		return refuse(400, "Control Character In Request-URI")
	}
	counts := make(map[string]int, 8)
	for _, h := range req.Headers() {
		if hasControlButTab(h.Value()) || hasControl(h.Name()) {
			return refuse(400, "Control Character In Header")
		}
		counts[longForm(h.Name())]++
	}
	for _, name := range []string{"From", "To", "Call-ID", "CSeq"} {
		switch n := counts[strings.ToLower(name)]; {
		case n == 0:
			return refuse(400, "Missing "+name)
		case n > 1:
			return refuse(400, "More Than One "+name)
		}
	}
	for _, name := range []string{"Content-Length", "Content-Type", "Max-Forwards"} {
		if counts[strings.ToLower(name)] > 1 {
			return refuse(400, "More Than One "+name)
		}
	}
	switch {
	case req.Via() == nil || req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil:
		return refuse(400, "Malformed Header")
	case hasControl(string(*req.CallID())): // a tab: it goes on into headers of ours
		return refuse(400, "Malformed Call-ID")
	case param(req.From().Params, "tag") == "":
		return refuse(400, "Missing From Tag")
	case req.CSeq().MethodName != req.Method:
		return refuse(400, "CSeq Method Does Not Match")
	}
	return nil
}

// admitOffer checks what requests must have that make or change a session.
func admitOffer(req *siplib.Request) *refusal {
	switch contacts := req.GetHeaders("contact"); {
	case len(contacts) == 0:
		return refuse(400, "Missing Contact")
	case len(contacts) > 1:
		return refuse(400, "More Than One Contact") // sipgo would use the last (trap 20)
	}
	if c := req.Contact(); c == nil || !reachable(&c.Address) {
		return refuse(400, "Contact Is Not A SIP URI")
	}
	if !acceptsSDP(req) {
		return refuse(406, "Not Acceptable")
	}
	if req.Method == siplib.UPDATE {
		return nil // its dialog may take other bodies, see Leg.show
	}
	return admitBody(req)
}

// admitBody checks the body of a request that may carry a session description.
func admitBody(req *siplib.Request) *refusal {
	if !bodyAcceptable(req) {
		return refuse(415, "Unsupported Media Type",
			Header{"Accept", accepted}, Header{"Accept-Encoding", "identity"})
	}
	return nil
}

// acceptsSDP says whether the sender takes a session description as the answer
// (RFC 3261 section 20.1). An empty Accept is taken for none.
func acceptsSDP(req *siplib.Request) bool {
	types := optionTags(req, "Accept")
	for _, t := range types {
		t, _, _ = strings.Cut(t, ";")
		switch strings.ToLower(strings.TrimSpace(t)) {
		case "application/sdp", "application/*", "*/*":
			return true
		}
	}
	return len(types) == 0
}

// reachable says whether requests can be sent to a URI from a Contact or a
// Record-Route.
func reachable(u *siplib.Uri) bool {
	scheme := strings.ToLower(u.Scheme)
	return (scheme == "sip" || scheme == "sips") && !u.Wildcard && u.Host != "" &&
		u.Port >= 0 && u.Port <= 65535 && !hasControl(u.String())
}
