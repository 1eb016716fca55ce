package config

import (
	"net"
	"net/netip"
	"strconv"
)

// socket is an address that the gateway binds, or a range of them.
type socket struct {
	stream bool // TCP; else UDP
	addr   netip.Addr
	ports  PortRange // Low equals High for a single port
	at     place
	path   string
}

func (s socket) meets(o socket) bool {
	same := s.addr == o.addr || s.addr.IsUnspecified() || o.addr.IsUnspecified()
	return s.stream == o.stream && same && s.ports.Low <= o.ports.High && o.ports.Low <= s.ports.High
}

// sockets refuses addresses that are given out twice.
func (r *reader) sockets(c *Config, listen *node) {
	var signalling, media []socket
	sides := []struct {
		name string
		side Side
	}{{"trunk", c.Listen.Trunk}, {"platform", c.Listen.Platform}, {"recorder", c.Listen.Recorder}}
	for _, s := range sides {
		n := listen.get(s.name)
		if n == nil || n.kind != mapping {
			continue
		}
		for i, item := range n.list("sip") {
			if a := s.side.SIP[i]; a.Addr.IsValid() && a.Addr.Port() != 0 {
				p := a.Addr.Port()
				signalling = append(signalling, socket{a.Transport != "udp", a.Addr.Addr(), PortRange{p, p}, item.at, item.path})
			}
		}
		if s.side.Media.IsValid() && s.side.Ports.Pairs() > 0 {
			media = append(media, socket{false, s.side.Media, s.side.Ports, n.at, n.path})
			if ports := n.get("ports"); ports != nil {
				media[len(media)-1].at = ports.at
			}
		}
	}
	if api, ok := apiSocket(c.Listen.API, listen); ok {
		signalling = append(signalling, api)
	}
	for i, s := range signalling {
		for _, before := range signalling[:i] {
			if s.meets(before) {
				r.failAt(s.at, s.path, "is the same address as %s", before.path)
				break
			}
		}
	}
	r.mediaRanges(media, signalling)
}

func (r *reader) mediaRanges(media, signalling []socket) {
	for i, m := range media {
		for _, before := range media[:i] {
			if m.meets(before) {
				r.failAt(m.at, join(m.path, "ports"), "%d-%d overlaps %d-%d of %s on the same address",
					m.ports.Low, m.ports.High, before.ports.Low, before.ports.High, before.path)
				break
			}
		}
		for _, s := range signalling {
			if m.meets(s) {
				r.warnAt(s.at, s.path, "is inside the media ports of %s", m.path)
			}
		}
	}
}

func apiSocket(api string, listen *node) (socket, bool) {
	host, port, err := net.SplitHostPort(api)
	p, bad := strconv.ParseUint(port, 10, 16)
	if err != nil || bad != nil || p == 0 || listen == nil {
		return socket{}, false
	}
	addr := netip.IPv4Unspecified()
	if a, err := netip.ParseAddr(host); err == nil {
		addr = a.Unmap()
	} else if host == "localhost" {
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	s := socket{true, addr, PortRange{uint16(p), uint16(p)}, listen.at, join(listen.path, "api")}
	if n := listen.get("api"); n != nil {
		s.at = n.at
	}
	return s, true
}
