package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// defaultPort of SIP over UDP and TCP (RFC 3261 section 19.1.2).
const defaultPort = 5060

// A target is a parsed place to send requests to.
type target struct {
	user      string // unescaped
	host      string // an IP address without brackets, or a name
	port      uint16
	transport string // "udp" or "tcp"
	explicit  bool   // the transport was given
}

// parseTarget reads "sip:host:port;transport=tcp"; scheme, port (5060) and
// transport (udp) may be missing. IPv6 addresses stand in brackets.
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
			return fail("TLS is not supported")
		case "tel", "urn", "http", "https":
			return fail("not a SIP URI")
		}
		uri = "sip:" + text
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
	if t.port == 0 {
		t.port = defaultPort
	}
	if tr := param(u.UriParams, "transport"); tr != "" {
		t.transport, t.explicit = strings.ToLower(tr), true
		if t.transport != "udp" && t.transport != "tcp" {
			return fail("the transport is neither udp nor tcp")
		}
	}
	return t, nil
}

// uri is the request URI for a user at the target.
func (t target) uri(user string) siplib.Uri {
	u := siplib.Uri{Scheme: "sip", User: escapeUser(user), Host: t.host, Port: int(t.port)}
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

// hop finds the way to host:port. Names are looked up once, here, so that
// CANCEL and ACK go where their INVITE went. The first address that one of our
// sockets can reach is taken.
func (e *Endpoint) hop(ctx context.Context, transport, host string, port uint16) (hop, error) {
	ips, err := lookup(ctx, host)
	if err != nil {
		return hop{}, err
	}
	for _, ip := range ips {
		if sock := e.socketFor(transport, ip); sock != nil {
			h := hop{stack: sock.stack, local: sock.AddrPort, dest: netip.AddrPortFrom(ip, port)}
			if transport == "tcp" {
				h.stack = e.outgoing
			}
			return h, nil
		}
	}
	return hop{}, fmt.Errorf("%w: no %s address to send from", ErrUnreachable, transport)
}

// lookup resolves a host name; an IP address resolves to itself.
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, unreachable(errors.Join(err, ErrUnreachable))
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	return ips, nil
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
