package media

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// socket sends on a UDP connection without ever waiting for room: a packet that
// the kernel does not take at once is late anyway. One goroutine sends at a
// time; who that is, the owner decides.
type socket struct {
	// Set by newSocket, then constant.
	conn *net.UDPConn
	raw  syscall.RawConn
	try  func(fd uintptr) bool // made once: a closure a packet would be garbage
	// Owned by the sender of the moment.
	packet []byte
	to     syscall.Sockaddr
	err    error
}

func newSocket(conn *net.UDPConn) (*socket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	// Package net allows broadcasts; the voice of one party is for one host.
	var denied error
	err = raw.Control(func(fd uintptr) {
		denied = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 0)
	})
	if err := errors.Join(err, denied); err != nil {
		return nil, err
	}
	s := &socket{conn: conn, raw: raw}
	s.try = s.sendOnce
	return s, nil
}

// send tries once; nil is the peer that the connection is connected to. The
// error is EAGAIN if the kernel's buffer is full.
func (s *socket) send(packet []byte, to syscall.Sockaddr) error {
	s.packet, s.to = packet, to
	if err := s.raw.Write(s.try); err != nil {
		return err
	}
	return s.err
}

// sendOnce always says that it is done, so the runtime does not wait for the
// socket to become writable and call again.
func (s *socket) sendOnce(fd uintptr) bool {
	if s.to == nil {
		_, s.err = syscall.Write(int(fd), s.packet)
	} else {
		s.err = syscall.Sendto(int(fd), s.packet, 0, s.to)
	}
	return true
}

// sockaddr is the address in the form of the system call; nil if it cannot be
// sent to: no address, or port 0.
func sockaddr(a netip.AddrPort) syscall.Sockaddr {
	switch {
	case !a.IsValid() || a.Port() == 0 || a.Addr().IsUnspecified():
		return nil
	case a.Addr().Is4():
		return &syscall.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &syscall.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

func localOf(c *net.UDPConn) netip.AddrPort {
	if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
		return unmap(a.AddrPort())
	}
	return netip.AddrPort{}
}
