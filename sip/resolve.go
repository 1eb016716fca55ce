package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Resolver is what targets are looked up with; *net.Resolver is one.
type Resolver interface {
	// LookupSRV returns the records of _service._proto.name in the order in
	// which they are to be tried (RFC 2782).
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
	// LookupNetIP returns the addresses of a host; network is "ip".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

var _ Resolver = (*net.Resolver)(nil)

const (
	// lookupTimeout bounds one question to the resolver.
	lookupTimeout = 2 * time.Second
	// maxHops is how many addresses of one target are tried.
	maxHops = 8
	// maxRemembered is how many names keep their last addresses.
	maxRemembered = 256
)

// names looks names up. It remembers the addresses of targets, for the time in
// which the resolver does not answer: a call is better sent to where the last
// one went than not at all.
type names struct {
	resolver Resolver

	udpOnly udpOnly

	mu   sync.Mutex // guards last
	last map[string][]netip.Addr
}

func (n *names) setUp(r Resolver) {
	n.resolver, n.last = r, make(map[string][]netip.Addr)
}

// hops finds the ways to a target, in the order in which they are to be tried
// (RFC 3263 section 4): every address of every server.
func (e *Endpoint) hops(ctx context.Context, t target, files *ClientTLS) ([]hop, error) {
	var secure *stack
	if t.transport == "tls" {
		var err error
		if secure, err = e.secureStack(files, t.host); err != nil {
			return nil, err
		}
	}
	servers, transport, err := e.servers(ctx, t)
	if err != nil {
		return nil, err
	}
	var hops []hop
	err = fmt.Errorf("%w: no %s address to send from", ErrUnreachable, transport)
	for _, s := range servers {
		ips, lookupErr := e.names.addresses(ctx, s.host, true)
		if lookupErr != nil {
			err = lookupErr
			continue
		}
		for _, ip := range ips {
			if h, ok := e.hopTo(transport, netip.AddrPortFrom(ip, s.port), secure); ok && len(hops) < maxHops {
				h.sips = t.sips
				hops = append(hops, h)
			}
		}
	}
	if len(hops) == 0 {
		return nil, err
	}
	return hops, nil
}

// A server is a host of a target.
type server struct {
	host string
	port uint16
}

// servers finds the hosts of a target and the transport to them. A name
// without a port is looked up as a service first (RFC 3263 sections 4.1 and
// 4.2), without NAPTR records: of the transports that we speak UDP comes before
// TCP, and TLS is used where it is asked for.
func (e *Endpoint) servers(ctx context.Context, t target) ([]server, string, error) {
	itself := []server{{t.host, t.port}}
	if _, err := netip.ParseAddr(t.host); err == nil || t.ported {
		return itself, t.transport, nil
	}
	transports := []string{t.transport}
	if !t.explicit && !t.sips {
		transports = []string{"udp", "tcp"}
	}
	for _, transport := range transports {
		if !e.speaks(transport) {
			continue
		}
		found, err := e.names.services(ctx, transport, t.host)
		if err != nil || len(found) > 0 {
			return found, transport, err
		}
	}
	return itself, t.transport, nil
}

// services asks for the SRV records of a domain; nil if there are none.
func (n *names) services(ctx context.Context, transport, domain string) ([]server, error) {
	service, proto := "sip", transport
	if transport == "tls" {
		service, proto = "sips", "tcp"
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	_, records, err := n.resolver.LookupSRV(ctx, service, proto, domain)
	if err != nil && len(records) == 0 {
		return nil, nil // no such records, or nobody who knows: addresses are asked for next
	}
	var found []server
	for _, r := range records {
		host := strings.TrimSuffix(r.Target, ".")
		if host == "" {
			// RFC 2782: the service is decidedly not available at this domain.
			return nil, fmt.Errorf("%w: the domain offers no such service", ErrUnreachable)
		}
		if isHostname(host) && r.Port != 0 {
			found = append(found, server{host, r.Port})
		}
	}
	return found, nil
}

// addresses resolves a host; an IP address resolves to itself. With remember
// the last good answer stands in for a resolver that fails.
func (n *names) addresses(ctx context.Context, host string, remember bool) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	asking, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, err := n.resolver.LookupNetIP(asking, "ip", host)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	ips := make([]netip.Addr, 0, len(found))
	for _, ip := range found {
		if ip = ip.Unmap(); ip.Zone() == "" {
			ips = append(ips, ip)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	key := strings.ToLower(host)
	known, ok := n.last[key]
	switch {
	case err != nil && ok && remember:
		return known, nil
	case err != nil:
		return nil, unreachable(errors.Join(err, ErrUnreachable))
	case len(ips) == 0:
		return nil, fmt.Errorf("%w: the name has no address", ErrUnreachable)
	}
	if remember && (ok || len(n.last) < maxRemembered) {
		n.last[key] = ips
	}
	return ips, nil
}
