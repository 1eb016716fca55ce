package media

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
)

// Sender is a [Sink] on a port pair of its own: it sends to one address and
// reads nothing.
type Sender struct {
	// Set by Ports.Sender, then constant.
	ports *Ports
	pair  *pair
	// busy is held while a packet is sent; its holder owns the socket.
	busy   atomic.Bool
	socket *socket
	errno  atomic.Uint32 // last error of the kernel, 0 none
	closed atomic.Bool
}

// Sender opens a pair that is connected to the given address, so that the
// kernel tells when that refuses packets. The errors are those of [Ports.Open],
// or say what is wrong with the address.
func (p *Ports) Sender(to netip.AddrPort) (*Sender, error) {
	to = unmap(to)
	// Any one host that the operator names: this is no address from a description.
	if err := UsableFar(to, netip.Addr{}); err != nil {
		return nil, err
	}
	got, err := p.take(func(local *net.UDPAddr) (*net.UDPConn, error) {
		return net.DialUDP(p.network(), local, net.UDPAddrFromAddrPort(to))
	})
	if err != nil {
		return nil, err
	}
	s, err := newSocket(got.rtp)
	// Nobody reads these sockets: what comes in is to fill as little as possible.
	err = errors.Join(err, got.rtp.SetReadBuffer(1), got.rtcp.SetReadBuffer(1))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open sender: %w", err), p.release(got))
	}
	return &Sender{ports: p, pair: got, socket: s}, nil
}

// Local is the address that packets come from.
func (s *Sender) Local() netip.AddrPort { return localOf(s.pair.rtp) }

// Send tries once and never waits. It says false if the kernel did not take the
// packet: no room, an earlier packet was refused (one error reported for one
// packet), the sender is closed, or another goroutine is sending.
func (s *Sender) Send(packet []byte) bool {
	if s.closed.Load() || !s.busy.CompareAndSwap(false, true) {
		return false
	}
	defer s.busy.Store(false)
	err := s.socket.send(packet, nil)
	if errno, ok := err.(syscall.Errno); ok {
		s.errno.Store(uint32(errno))
	}
	return err == nil
}

// LastError is the last error of the kernel, a [syscall.Errno], or nil.
// ECONNREFUSED: nobody listens at the address.
func (s *Sender) LastError() error {
	if errno := s.errno.Load(); errno != 0 {
		return syscall.Errno(errno)
	}
	return nil
}

// Close ends the sending and lays the ports to rest. It is idempotent.
func (s *Sender) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.ports.release(s.pair)
}
