package config

import (
	"net"
	"net/netip"
	"strings"
)

// advertised checks how each side is reached from outside.
func (r *reader) advertised(c *Config, root *node) {
	listen := root.get("listen")
	var carriers, targets []netip.Prefix
	for _, t := range c.Trunks {
		carriers = append(carriers, t.From...)
	}
	for _, p := range c.Platforms {
		for _, t := range p.Targets {
			if ip, err := netip.ParseAddr(strings.Trim(splitURI(t.URI).host, "[]")); err == nil {
				targets = append(targets, netip.PrefixFrom(ip, ip.BitLen()))
			}
		}
	}
	for _, s := range []struct {
		name  string
		side  Side
		peers []netip.Prefix
	}{{"trunk", c.Listen.Trunk, carriers}, {"platform", c.Listen.Platform, targets}, {"recorder", c.Listen.Recorder, nil}} {
		n := listen.get(s.name)
		if n == nil || n.kind != mapping {
			continue
		}
		r.onePort(s.side, n)
		if peer, ok := publicOf(s.peers); ok {
			r.toldInVain(s.side, n, peer)
		}
	}
}

// onePort refuses one advertised port for listeners that have several.
func (r *reader) onePort(s Side, n *node) {
	_, port, err := net.SplitHostPort(s.Advertise.SIP)
	if err != nil || port == "" {
		return
	}
	for _, a := range s.SIP {
		if a.Addr.Port() != s.SIP[0].Addr.Port() {
			r.fail(n.get("advertise").get("sip"), "names one port, and %s.sip has several: leave the port out", n.path)
			return
		}
	}
}

// toldInVain warns of addresses that a far end on the public network is told and
// cannot reach.
func (r *reader) toldInVain(s Side, n *node, peer netip.Prefix) {
	const text = "tells %s a private address, which cannot be reached from there: say what it sees by %s.advertise.%s"
	media, at := s.Media, n.get("media")
	if s.Advertise.Media.IsValid() {
		media, at = s.Advertise.Media, n.get("advertise").get("media")
	}
	if at != nil && isPrivate(media) {
		r.warn(at, text, peer, n.path, "media")
	}
	if s.Advertise.SIP != "" {
		host := s.Advertise.SIP
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && isPrivate(ip) {
			r.warn(n.get("advertise").get("sip"), text, peer, n.path, "sip")
		}
		return
	}
	for i, item := range n.list("sip") {
		if isPrivate(s.SIP[i].Addr.Addr()) {
			r.warn(item, text, peer, n.path, "sip")
			return
		}
	}
}

// publicOf is a network that is no private one.
func publicOf(peers []netip.Prefix) (netip.Prefix, bool) {
	for _, p := range peers {
		if p.IsValid() && !isPrivate(p.Addr()) && !p.Addr().IsLoopback() {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// isPrivate reports whether an address means nothing outside of a network: those
// of RFC 1918, RFC 6598, RFC 4193 and link-local ones. Loopback is not among them:
// whoever uses it means it.
func isPrivate(a netip.Addr) bool {
	a = a.Unmap()
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)
	return a.IsValid() && (a.IsPrivate() || a.IsLinkLocalUnicast() || shared.Contains(a))
}
