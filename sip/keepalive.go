package sip

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// ping and pong of RFC 5626 section 4.4.1.
const ping, pong = "\r\n\r\n", "\r\n"

// flows are the connections that a stack opened, by their far end; nil map: the
// stack opens none.
type flows struct {
	mu   sync.Mutex // guards open
	open map[netip.AddrPort]*flow
}

// A flow is a connection that we opened.
type flow struct {
	local   string // our end: another one is another connection
	frame   framer
	ponged  bool // the far end has answered a ping: it speaks RFC 5626
	waiting bool // nothing has come since the last ping
}

// opened notes that there is a connection to an address.
func (f *flows) opened(to netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open != nil && f.open[to] == nil {
		f.open[to] = &flow{}
	}
}

// heard takes what comes by a connection that we opened, and returns it without
// what is between messages; sipgo calls it for each read. It also says how many
// pings there were.
func (f *flows) heard(local string, from netip.AddrPort, data []byte) (kept []byte, pings int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl := f.open[from]
	if fl == nil || fl.local != local {
		fl = &flow{local: local, waiting: fl != nil && fl.waiting}
		f.open[from] = fl
	}
	fl.ponged = fl.ponged || fl.waiting && bytes.Equal(data, []byte(pong))
	fl.waiting = false
	n, pings, _, _ := fl.frame.strip(data)
	return data[:n], pings
}

// filter is sipgo's read filter for the connections that the stack opened. An
// error would close the connection.
func (s *stack) filter(from siplib.TransportReadProps, data []byte) ([]byte, error) {
	addr, err := netip.ParseAddrPort(from.RemoteAddr.String())
	if err != nil {
		return data, nil
	}
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	kept, pings := s.flows.heard(from.LocalAddr.String(), addr, data)
	if pings > 0 {
		s.write(addr, strings.Repeat(pong, min(pings, maxPongs)))
	}
	return kept, nil
}

// write writes to an open connection. One that cannot be written to is noticed
// by its reader.
func (s *stack) write(to netip.AddrPort, text string) {
	c, err := s.tpl.GetConnection(s.transport, to.String())
	if err != nil {
		return
	}
	defer c.TryClose() // gives back the reference GetConnection took
	if stream, ok := c.(*siplib.TCPConnection); ok {
		_, _ = stream.Write([]byte(text))
	}
}

// keepFlowsAlive pings what is open on the connections that we opened, and more
// often who is behind a NAT, until ctx ends.
func (e *Endpoint) keepFlowsAlive(ctx context.Context) {
	if e.keepAlive <= 0 {
		return
	}
	tick := time.NewTicker(e.keepAlive)
	defer tick.Stop()
	often := time.NewTicker(min(e.keepAlive, natKeepAlive))
	defer often.Stop()
	for {
		select {
		case <-tick.C:
		case <-often.C:
			e.pingNATs()
			continue
		case <-ctx.Done():
			return
		}
		for _, st := range append(e.security.stacks(), e.outgoing) {
			st.pingAll()
		}
	}
}

// pingAll sends a ping on every connection of the stack. One that did not
// answer the last is closed, if it has ever answered any: many a far end knows
// nothing of pings.
func (s *stack) pingAll() {
	s.flows.mu.Lock()
	targets := make([]netip.AddrPort, 0, len(s.flows.open))
	for to := range s.flows.open {
		targets = append(targets, to)
	}
	s.flows.mu.Unlock()
	for _, to := range targets {
		s.ping(to)
	}
}

func (s *stack) ping(to netip.AddrPort) {
	c, err := s.tpl.GetConnection(s.transport, to.String())
	if err != nil {
		s.flows.mu.Lock()
		delete(s.flows.open, to)
		s.flows.mu.Unlock()
		return
	}
	defer c.TryClose() // gives back the reference GetConnection took
	s.flows.mu.Lock()
	dead := false
	if fl := s.flows.open[to]; fl != nil {
		dead = fl.waiting && fl.ponged
		fl.waiting = true
	}
	s.flows.mu.Unlock()
	if dead {
		_ = c.Close() // its reader does the rest
		return
	}
	s.write(to, ping)
}
