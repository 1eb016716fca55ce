package media

import (
	"net/netip"
	"sync/atomic"
	"syscall"
)

// Sender is a [Sink] on a port pair of its own: it sends to one address and
// reads nothing.
type Sender struct {
	// Set by Ports.Sender, then constant.
	ports  *Ports
	pair   *pair
	rtp    conn          // of pair
	busy   atomic.Bool   // held while a packet is sent
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
	got, err := p.take(binding{to: to, deaf: true})
	if err != nil {
		return nil, err
	}
	return &Sender{ports: p, pair: got, rtp: got.rtp}, nil
}

// Local is the address that packets come from.
func (s *Sender) Local() netip.AddrPort { return s.pair.rtp.local() }

// Send tries once and never waits. It says false if the kernel did not take the
// packet: no room, an earlier packet was refused (one error reported for one
// packet), the sender is closed, or another goroutine is sending.
func (s *Sender) Send(packet []byte, _ Codec) bool {
	if s.closed.Load() || !s.busy.CompareAndSwap(false, true) {
		return false
	}
	defer s.busy.Store(false)
	err := s.rtp.send(packet, nil)
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
