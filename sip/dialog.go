package sip

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	siplib "github.com/emiago/sipgo/sip"
)

// maxForwards is the Max-Forwards of our requests (RFC 3261 section 8.1.1.6).
const maxForwards = 70

// A dialog builds the requests of one dialog (RFC 3261 section 12.2.1.1).
type dialog struct {
	// Constant.
	e             *Endpoint
	id            dialogID
	local, remote siplib.Uri // what From and To of our requests say
	stack         *stack     // what the dialog was made by
	// peer is where the INVITE came from, or where ours went to: the way to
	// take if the far end's Contact leads nowhere. With pinned it is the far
	// end's own connection, to be used as long as it is open: a caller behind
	// TCP or TLS often has no port that it could be called back on.
	peer   netip.AddrPort
	pinned bool
	invite uint32 // the CSeq of the INVITE that we made it by
	// contact holds what we say in our Contact about ourselves.
	contact siplib.HeaderParams
	auth    *authorizer // answers challenges as it did for the INVITE; nil: none are

	mu sync.Mutex // guards what follows
	reach
	routes  []siplib.Uri // the route set
	seq     uint32       // CSeq of our last request
	session sessionPair
}

// serverDialog is the dialog of an INVITE that we answer.
func (in *Incoming) serverDialog() *dialog {
	d := &dialog{
		e: in.e, id: in.id, stack: in.stack,
		local: bareURI(&in.req.To().Address), remote: bareURI(&in.req.From().Address),
		peer: in.source, pinned: in.stack.transport != "udp",
		reach:  reach{bareURI(&in.req.Contact().Address), behindNAT(in.stack, in.req)},
		routes: recordRoutes(in.req), contact: contactParams(in.earlyPolicy.ContactParams),
	}
	d.session = sessionPair{in.earlyPolicy.SessionID, remoteSession(in.req)}
	return d
}

// clientDialog is the dialog that a 2xx to our INVITE makes. The route set is
// the response's and nothing else's.
func (inv *invitation) clientDialog(res *siplib.Response) *dialog {
	d := &dialog{
		e:     inv.e,
		id:    dialogID{inv.half.callID, inv.half.local, param(res.To().Params, "tag")},
		stack: inv.hop.stack, local: bareURI(&inv.req.From().Address), remote: bareURI(&inv.req.To().Address),
		peer:   inv.hop.dest,
		invite: inv.req.CSeq().SeqNo,
		auth:   inv.hop.auth,
		reach:  reach{target: bareURI(&inv.req.Recipient)},
		routes: responseRoutes(res),
		seq:    inv.req.CSeq().SeqNo,
	}
	d.refresh(res)
	return d
}

// responseRoutes is the route set that a response to an INVITE of ours makes.
func responseRoutes(res *siplib.Response) []siplib.Uri {
	routes := recordRoutes(res)
	slices.Reverse(routes)
	return routes
}

// bareURI copies a URI without the headers it may ask for.
func bareURI(u *siplib.Uri) siplib.Uri {
	c := *u.Clone()
	c.Headers = nil
	return c
}

// recordRoutes returns the Record-Route URIs of a message that can be used.
func recordRoutes(msg siplib.Message) []siplib.Uri {
	var routes []siplib.Uri
	for _, h := range msg.GetHeaders("record-route") {
		if rr, ok := h.(*siplib.RecordRouteHeader); ok && reachable(&rr.Address) {
			routes = append(routes, bareURI(&rr.Address))
		}
	}
	return routes
}

// refresh takes the remote target from a target refresh request or the 2xx to
// one (RFC 3261 section 12.2).
func (d *dialog) refresh(msg siplib.Message) {
	contacts := msg.GetHeaders("contact")
	if len(contacts) == 0 {
		return
	}
	c, ok := contacts[0].(*siplib.ContactHeader)
	if !ok || !reachable(&c.Address) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.target = bareURI(&c.Address)
	if req, ok := msg.(*siplib.Request); ok {
		d.flow = behindNAT(d.stack, req)
	}
}

// nextSeq returns the CSeq of our next request.
func (d *dialog) nextSeq() uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seq++
	return d.seq
}

// build makes a request within the dialog and finds its way. The caller sets
// the body. An ACK takes the CSeq of its INVITE (trap 5), any other nextSeq.
func (d *dialog) build(ctx context.Context, method siplib.RequestMethod, seq uint32) (*siplib.Request, hop, error) {
	d.mu.Lock()
	uri, routes := *d.target.Clone(), slices.Clone(d.routes)
	d.mu.Unlock()
	next := uri
	if len(routes) > 0 {
		next = routes[0]
		if !hasParam(next.UriParams, "lr") {
			// A strict router: it takes its own URI for the request URI, and
			// ours moves to the end of the route (RFC 3261 section 12.2.1.1).
			routes = append(routes[1:], uri)
			uri = next
		}
	}
	h, err := d.way(ctx, &next, len(routes) > 0)
	if err != nil {
		return nil, hop{}, err
	}
	req := siplib.NewRequest(method, uri)
	for _, r := range routes {
		req.AppendHeader(&siplib.RouteHeader{Address: *r.Clone()})
	}
	forwards, callID := siplib.MaxForwardsHeader(maxForwards), siplib.CallIDHeader(d.id.callID)
	from := &siplib.FromHeader{Address: *d.local.Clone()}
	from.Params.Add("tag", d.id.local)
	to := &siplib.ToHeader{Address: *d.remote.Clone()}
	if d.id.remote != "" {
		to.Params.Add("tag", d.id.remote)
	}
	for _, hdr := range []siplib.Header{
		&forwards, from, to, &callID, &siplib.CSeqHeader{SeqNo: seq, MethodName: method},
		siplib.NewHeader("User-Agent", d.e.userAgent),
	} {
		req.AppendHeader(hdr)
	}
	switch method {
	case siplib.INVITE, siplib.UPDATE, siplib.NOTIFY:
		contact := h.contact()
		contact.Params = d.contact.Clone()
		req.AppendHeader(contact)
	}
	if s := d.sessionID(); s != "" && method != siplib.CANCEL {
		req.AppendHeader(siplib.NewHeader("Session-ID", s))
	}
	req.SetBody(nil)
	h.stamp(req)
	return req, h, nil
}

// way finds the hop to the next URI of the dialog.
func (d *dialog) way(ctx context.Context, next *siplib.Uri, routed bool) (hop, error) {
	if flow := d.natFlow(); flow.IsValid() && !routed {
		return hop{stack: d.stack, local: d.stack.local, dest: flow}, nil
	}
	sips := strings.EqualFold(next.Scheme, "sips")
	if d.pinned && !routed && d.stack.connected(d.peer) {
		return hop{stack: d.stack, local: d.naming(), dest: d.peer, sips: sips}, nil
	}
	transport := d.stack.transport
	if t := strings.ToLower(param(next.UriParams, "transport")); isTransport(t) && d.e.speaks(t) {
		transport = t
	}
	if sips {
		transport = "tls" // never less, RFC 3261 section 26.2.2
	}
	port := uint16(next.Port) // in range: see reachable
	if port == 0 {
		port = portFor(transport)
	}
	var secure *stack
	if d.stack.transport == "tls" && !d.pinned {
		// Whoever the Contact names must be who the INVITE went to: it is to
		// show a certificate for the same name.
		secure = d.stack
	}
	h, err := d.e.hop(ctx, transport, next.Host, port, secure)
	h.sips = sips
	switch {
	case err != nil && d.stack.transport == "udp":
		return hop{stack: d.stack, local: d.stack.local, dest: d.peer}, nil
	case err != nil:
		return hop{}, err
	case transport == "udp" && d.stack.transport == "udp" && h.dest.Addr().Is4() == d.stack.local.Addr().Is4():
		// Of several UDP sockets the one that the dialog was made by.
		h.stack, h.local = d.stack, d.stack.local
	}
	return h, nil
}

// naming is the address that names us on the far end's own connection.
func (d *dialog) naming() netip.AddrPort {
	if d.stack.local.IsValid() {
		return d.stack.local
	}
	// A connection that we opened, and that an INVITE came in by.
	if sock := d.e.socketFor(d.stack.transport, d.peer.Addr().Unmap()); sock != nil {
		return sock.AddrPort
	}
	return d.stack.local
}

// speaks says whether the endpoint has a socket of a transport.
func (e *Endpoint) speaks(transport string) bool {
	return slices.ContainsFunc(e.sockets, func(s *socket) bool { return s.Transport == transport })
}

func hasParam(params siplib.HeaderParams, name string) bool {
	return slices.ContainsFunc(params, func(kv siplib.HeaderKV) bool { return strings.EqualFold(kv.K, name) })
}
