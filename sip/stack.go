package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

const (
	// maxDatagram is the largest UDP payload over IPv4.
	maxDatagram = 65507
	// connectTimeout bounds opening a connection to a neighbour, and
	// writeTimeout one write to it; sipgo's defaults are 1 min and for ever.
	connectTimeout = 5 * time.Second
	writeTimeout   = 5 * time.Second
)

// prepareLibrary sets the two process-wide variables of sipgo that we cannot
// do without, once, before the first stack exists and so before any goroutine
// of sipgo reads them:
//
//   - UDPMTUSize: the UDP writer refuses what is larger than this minus 200,
//     which is 1300 bytes by default, requests and responses alike (trap 1, D7).
//   - the default logger, which sipgo's connections and header parsers use
//     whatever logger they were given (trap 24, D10).
var prepareLibrary = sync.OnceFunc(func() {
	siplib.UDPMTUSize = maxDatagram + 200
	siplib.SetDefaultLogger(slog.New(slog.DiscardHandler))
})

// A stack is one transport and transaction layer of sipgo. Each listening
// socket has its own, outgoing TCP connections have one more, and outgoing TLS
// connections one for each identity, see tlsClient: sipgo keys its connections
// by remote and by local address in one table, so that with a shared table a
// TCP leg could leave by the caller's own connection (trap 6), and a response by
// the wrong one of two UDP sockets.
type stack struct {
	transport string          // "udp", "tcp" or "tls"
	local     netip.AddrPort  // the listening address; zero for outgoing connections
	ending    context.Context // ends when no connection may be opened any more
	tpl       *siplib.TransportLayer
	txl       *siplib.TransactionLayer
	public    public // how we are called, see name
	flows     flows
	// marked sets the DSCP of a socket.
	marked func(network, address string, c syscall.RawConn) error
	// admits says whether a datagram may go to sipgo.
	admits func(c net.PacketConn, datagram []byte, from net.Addr) bool
}

// newStack makes a stack. client is for outgoing TLS, else nil.
func (e *Endpoint) newStack(transport string, local netip.AddrPort, client *tls.Config) *stack {
	prepareLibrary()
	st := &stack{transport: transport, local: local, ending: e.ending, admits: e.admitDatagram, marked: e.marked, public: e.public}
	quiet := newQuietLogger(e.log)
	streams := func() *siplib.TransportTCP {
		return &siplib.TransportTCP{WriteTimeout: writeTimeout, DialerCreate: st.dialer}
	}
	options := []siplib.TransportLayerOption{
		siplib.WithTransportLayerLogger(quiet),
		siplib.WithTransportLayerTransports(siplib.TransportsConfig{
			TCP: streams(), TLS: &siplib.TransportTLS{TransportTCP: streams()},
		}),
	}
	if !local.IsValid() {
		st.flows.open = make(map[netip.AddrPort]*flow)
		// Before the transports: they are given the filter as they are added.
		options = append([]siplib.TransportLayerOption{siplib.WithTransportLayerReadFilter(st.filter)}, options...)
	}
	st.tpl = siplib.NewTransportLayer(net.DefaultResolver, e.parser, client, options...)
	// Before the transaction layer adds itself: handlers run in the order they
	// were added, in the reading goroutine.
	st.tpl.OnMessage(func(msg siplib.Message) { e.arrive(st, msg) })
	st.txl = siplib.NewTransactionLayer(st.tpl,
		siplib.WithTransactionLayerLogger(quiet),
		siplib.WithTransactionLayerUnhandledResponseHandler(func(*siplib.Response) {}),
		siplib.WithTransactionLayerTerminateOnConnClose())
	st.txl.OnRequest(func(req *siplib.Request, tx *siplib.ServerTx) { e.onRequest(st, req, tx) })
	return st
}

// dialer is what sipgo opens connections with.
func (s *stack) dialer(from net.Addr) net.Dialer {
	d := net.Dialer{Timeout: connectTimeout, Control: s.mayDial}
	if a, ok := from.(*net.TCPAddr); ok && a != nil {
		d.LocalAddr = a
	}
	return d
}

// mayDial keeps every stack but the one for outgoing connections from opening
// any: for a response whose connection is gone sipgo would connect to whatever
// host the request's Via names.
func (s *stack) mayDial(network, address string, c syscall.RawConn) error {
	if s.ending.Err() != nil {
		return ErrNotServing
	}
	if s.local.IsValid() {
		return errors.New("sip: a listener opens no connections")
	}
	return s.marked(network, address, c)
}

// close ends every transaction and connection of the stack. A UDP socket is
// closed by who opened it, and its table must outlive it, see bury.
func (s *stack) close() {
	s.txl.Close()
	if s.transport != "udp" {
		// Only errors of closing: there is nothing left to do about one.
		_ = s.tpl.Close()
	}
}

// connected says whether a connection to addr is open in this stack.
func (s *stack) connected(addr netip.AddrPort) bool {
	c, err := s.tpl.GetConnection(s.transport, addr.String())
	if err != nil {
		return false
	}
	_, _ = c.TryClose() // gives back the reference GetConnection took
	return true
}

// A hop is how one request travels: the stack it leaves by, the address it
// names as ours in Via and Contact, and the address it goes to.
type hop struct {
	stack *stack
	local netip.AddrPort
	dest  netip.AddrPort
	sips  bool        // the far end asks for sips URIs
	auth  *authorizer // answers challenges from dest; nil: none is answered
}

// stamp makes req leave by the hop: a Via with a new branch on top, the socket
// and the destination. UDP requests leave by the listening socket; others by a
// connection of their own stack (traps 6 and 18).
func (h hop) stamp(req *siplib.Request) {
	network := strings.ToUpper(h.stack.transport)
	host, port := h.stack.public.name(h.local)
	via := &siplib.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: network,
		Host: host, Port: port,
	}
	via.Params.Add("branch", newBranch())
	via.Params.Add("rport", "") // RFC 3581: answer to where this came from
	req.PrependHeader(via)
	h.aim(req)
}

// aim sets only the way of req, for requests that keep another's Via.
func (h hop) aim(req *siplib.Request) {
	req.SetTransport(strings.ToUpper(h.stack.transport))
	req.SetDestination(h.dest.String())
	req.Laddr = siplib.Addr{IP: net.IP(h.local.Addr().AsSlice())}
	if h.stack.transport == "udp" {
		req.Laddr.Port = int(h.local.Port())
	}
}

// contact is the URI at which the far end of the hop reaches us.
func (h hop) contact() *siplib.ContactHeader {
	return h.stack.contactOf(h.local, h.sips)
}

// contactOf makes a new Contact each time: sipgo writes to the ones it is
// given (trap 23). Host, port and transport are always concrete; with sips the
// scheme says that it is TLS (RFC 3261 section 8.1.1.8).
func (s *stack) contactOf(local netip.AddrPort, sips bool) *siplib.ContactHeader {
	host, port := s.public.name(local)
	uri := siplib.Uri{Scheme: "sip", Host: host, Port: port}
	if sips && s.transport == "tls" {
		uri.Scheme = "sips"
	} else {
		uri.UriParams.Add("transport", s.transport)
	}
	return &siplib.ContactHeader{Address: uri}
}
