package sip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// Default ports of SIP over UDP and TCP, and over TLS (RFC 3261 section 19.1.2).
const (
	defaultPort    = 5060
	defaultTLSPort = 5061
)

// portFor is the default port of a transport.
func portFor(transport string) uint16 {
	if transport == "tls" {
		return defaultTLSPort
	}
	return defaultPort
}

// A target is a parsed place to send requests to.
type target struct {
	user      string // unescaped
	host      string // an IP address without brackets, or a name
	port      uint16
	transport string // "udp", "tcp" or "tls"
	explicit  bool   // the transport was given
	ported    bool   // the port was given
	sips      bool   // the scheme is sips
}

// parseTarget reads "sip:host:port;transport=tcp"; scheme, port (5060, for TLS
// 5061) and transport (udp) may be missing. "sips:" means TLS, as
// ";transport=tls" does. IPv6 addresses stand in brackets.
func parseTarget(text string) (target, error) {
	fail := func(what string) (target, error) {
		return target{}, fmt.Errorf("sip: target %q: %s", cleaned(text), what)
	}
	if hasControl(text) || strings.ContainsAny(text, " <>\"") {
		return fail("holds a character that no SIP URI has")
	}
	uri := text
	if scheme, _, ok := strings.Cut(text, ":"); !ok || !strings.EqualFold(scheme, "sip") {
		switch strings.ToLower(scheme) {
		case "sips":
		case "tel", "urn", "http", "https":
			return fail("not a SIP URI")
		default:
			uri = "sip:" + text
		}
	}
	var u siplib.Uri
	if err := siplib.ParseUri(uri, &u); err != nil {
		return fail("not a SIP URI")
	}
	host := strings.Trim(u.Host, "[]")
	ip, ipErr := netip.ParseAddr(host)
	bracketed := strings.HasPrefix(u.Host, "[")
	switch {
	case ipErr == nil && (ip.Is4() == bracketed || ip.Zone() != ""):
		return fail("IPv6 addresses stand in brackets, without a zone, and IPv4 addresses without brackets")
	case ipErr != nil && (bracketed || !isHostname(host)):
		return fail("not a host name or an IP address")
	case u.Port < 0 || u.Port > 65535:
		return fail("the port is not in 1..65535")
	case u.Headers.Length() > 0:
		return fail("headers in a target are not supported")
	}
	t := target{user: unescape(u.User), host: host, port: uint16(u.Port), transport: "udp"}
	if t.sips = strings.EqualFold(u.Scheme, "sips"); t.sips {
		t.transport = "tls"
	}
	if tr := param(u.UriParams, "transport"); tr != "" {
		t.transport, t.explicit = strings.ToLower(tr), true
		switch {
		case t.sips && (t.transport == "tcp" || t.transport == "tls"):
			// RFC 3261 section 26.2.2: sips with transport=tcp is TLS over TCP.
			t.transport = "tls"
		case t.sips:
			return fail("sips goes over TLS")
		case !isTransport(t.transport):
			return fail("the transport is none of udp, tcp and tls")
		}
	}
	if t.ported = t.port != 0; !t.ported {
		t.port = portFor(t.transport)
	}
	return t, nil
}

// uri is the request URI for a user at the target.
func (t target) uri(user string) siplib.Uri {
	u := siplib.Uri{Scheme: "sip", User: escapeUser(user), Host: t.host}
	if _, err := netip.ParseAddr(t.host); err == nil || t.ported {
		u.Port = int(t.port) // a name without one stands for a domain (RFC 3263 section 4.2)
	}
	if t.sips {
		u.Scheme = "sips"
	}
	if t.explicit {
		u.UriParams.Add("transport", t.transport)
	}
	return u
}

// isHostname says whether s is a host name (RFC 1123 section 2.1, and '_').
func isHostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}

// hop finds the way to host:port, for requests within a dialog. Names are
// looked up once, here, so that CANCEL and ACK go where their INVITE went. The
// first address that one of our sockets can reach is taken. TLS connections
// are made with secure, or if that is nil with what our listeners show.
func (e *Endpoint) hop(ctx context.Context, transport, host string, port uint16, secure *stack) (hop, error) {
	ips, err := e.names.addresses(ctx, host, false)
	if err != nil {
		return hop{}, err
	}
	if transport == "tls" && secure == nil {
		if secure, err = e.secureStack(nil, strings.Trim(host, "[]")); err != nil {
			return hop{}, err
		}
	}
	for _, ip := range ips {
		if h, ok := e.hopTo(transport, netip.AddrPortFrom(ip, port), secure); ok {
			return h, nil
		}
	}
	return hop{}, fmt.Errorf("%w: no %s address to send from", ErrUnreachable, transport)
}

// hopTo is the way to an address, if one of our sockets can name us there.
func (e *Endpoint) hopTo(transport string, dest netip.AddrPort, secure *stack) (hop, bool) {
	sock := e.socketFor(transport, dest.Addr())
	if sock == nil {
		return hop{}, false
	}
	h := hop{stack: sock.stack, local: sock.AddrPort, dest: dest}
	switch transport {
	case "tcp":
		h.stack = e.outgoing
	case "tls":
		h.stack = secure
	}
	return h, true
}

// socketFor returns the listening socket that names us towards ip: of its
// family, and on loopback if ip is.
func (e *Endpoint) socketFor(transport string, ip netip.Addr) *socket {
	var second *socket
	for _, s := range e.sockets {
		local := s.AddrPort.Addr()
		if s.Transport != transport || local.Is4() != ip.Is4() {
			continue
		}
		if local.IsLoopback() == ip.IsLoopback() {
			return s
		}
		if second == nil {
			second = s
		}
	}
	return second
}
