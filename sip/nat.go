package sip

import (
	"net"
	"net/netip"
	"strings"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// natKeepAlive is how often a far end behind a NAT gets a ping at most: its NAT
// may forget it after 30 s (RFC 5626 section 4.4.2 has the same bound).
const natKeepAlive = 25 * time.Second

// A reach is how to get to the far end of a dialog.
type reach struct {
	target siplib.Uri     // its Contact
	flow   netip.AddrPort // where to send instead, if it is behind a NAT over UDP; else none
}

// behindNAT returns the source of a request over UDP if its sender is behind a
// NAT: it names another IP address than that as its own, and the same one in Via
// and in Contact, where nothing from outside ever reaches it. What comes by a proxy
// has the Via of that and the Contact of another. Where there is no NAT the
// result is none.
func behindNAT(st *stack, req *siplib.Request) netip.AddrPort {
	via, contact := req.Via(), req.Contact()
	if st.transport != "udp" || via == nil || contact == nil {
		return netip.AddrPort{}
	}
	named, err := netip.ParseAddr(strings.Trim(via.Host, "[]"))
	reached, err2 := netip.ParseAddr(strings.Trim(contact.Address.Host, "[]"))
	source, err3 := netip.ParseAddrPort(req.Source())
	if err != nil || err2 != nil || err3 != nil || named != reached || named.Unmap() == source.Addr().Unmap() {
		return netip.AddrPort{}
	}
	return source
}

// natFlow is where requests go to a far end behind a NAT.
func (d *dialog) natFlow() netip.AddrPort {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.flow
}

// pingNATs keeps the NATs of all far ends behind one from forgetting them: a ping
// that is lost, or that a NAT does not count, is one like any other datagram.
func (e *Endpoint) pingNATs() {
	for _, l := range e.registry.allLegs() {
		flow := l.dialog.natFlow()
		if !flow.IsValid() {
			continue
		}
		for _, s := range e.sockets {
			if s.stack == l.dialog.stack {
				_, _ = s.packets.WriteTo([]byte(ping), net.UDPAddrFromAddrPort(flow))
			}
		}
	}
}
