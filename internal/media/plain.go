package media

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// plain is the engine of package net: a goroutine waits for each socket.
type plain struct{}

// plainConn sends on a UDP connection without ever waiting for room.
type plainConn struct {
	// Set by bind, then constant.
	udp  *net.UDPConn
	raw  syscall.RawConn
	try  func(fd uintptr) bool // made once: a closure a packet would be garbage
	addr netip.AddrPort

	// Owned by the sender of the moment: arguments and result of try.
	packet []byte
	to     syscall.Sockaddr
	err    error
}

func (plain) bind(b binding) (conn, error) {
	network := "udp4"
	if b.local.Addr().Is6() {
		network = "udp6"
	}
	var udp *net.UDPConn
	var err error
	if b.to.IsValid() {
		udp, err = net.DialUDP(network, net.UDPAddrFromAddrPort(b.local), net.UDPAddrFromAddrPort(b.to))
	} else {
		udp, err = net.ListenUDP(network, net.UDPAddrFromAddrPort(b.local))
	}
	if err != nil {
		return nil, err
	}
	raw, err := udp.SyscallConn()
	if err == nil {
		var denied error
		err = errors.Join(raw.Control(func(fd uintptr) { denied = b.options(int(fd)) }), denied)
	}
	if err != nil {
		udp.Close()
		return nil, err
	}
	c := &plainConn{udp: udp, raw: raw}
	c.try = c.sendOnce
	if a, ok := udp.LocalAddr().(*net.UDPAddr); ok {
		c.addr = unmap(a.AddrPort())
	}
	return c, nil
}

// options sets what the kernel is to know about a socket.
func (b binding) options(fd int) error {
	level, option := syscall.IPPROTO_IP, syscall.IP_TOS
	if b.local.Addr().Is6() {
		level, option = syscall.IPPROTO_IPV6, syscall.IPV6_TCLASS
	}
	// The code point is the upper six bits of the byte (RFC 2474 section 3).
	err := syscall.SetsockoptInt(fd, level, option, b.dscp<<2)
	if b.deaf {
		err = errors.Join(err, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1))
	}
	// Package net allows broadcasts.
	return errors.Join(err, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_BROADCAST, 0))
}

func (c *plainConn) local() netip.AddrPort { return c.addr }

func (c *plainConn) twin() conn {
	t := &plainConn{udp: c.udp, raw: c.raw, addr: c.addr}
	t.try = t.sendOnce
	return t
}

func (c *plainConn) close() error { return c.udp.Close() }

func (c *plainConn) send(packet []byte, to *target) error {
	c.packet, c.to = packet, nil
	if to != nil {
		c.to = to.sa
	}
	if err := c.raw.Write(c.try); err != nil {
		return err
	}
	return c.err
}

// sendOnce always says that it is done, so the runtime does not wait for the
// socket to become writable and call again.
func (c *plainConn) sendOnce(fd uintptr) bool {
	if c.to == nil {
		_, c.err = syscall.Write(int(fd), c.packet)
	} else {
		c.err = syscall.Sendto(int(fd), c.packet, 0, c.to)
	}
	return true
}

// beside has nothing to do: every goroutine is as far from any other.
func (plain) beside(_, _ *Stream) {}

func (plain) run(ctx context.Context, s *Stream) error {
	rtp, rtcp, err := s.pair.plain()
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	woken := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(woken)
		rtp.SetReadDeadline(time.Unix(1, 0))
		rtcp.SetReadDeadline(time.Unix(1, 0))
	})
	var reports sync.WaitGroup
	defer reports.Wait()
	defer func() { end(); <-woken }()
	reports.Go(func() { readRTCP(ctx, s, rtcp) })
	return readRTP(ctx, s, rtp)
}

func (p *pair) plain() (rtp, rtcp *net.UDPConn, err error) {
	a, ok := p.rtp.(*plainConn)
	b, also := p.rtcp.(*plainConn)
	if !ok || !also {
		return nil, nil, fmt.Errorf("port %d is of another engine", p.port)
	}
	return a.udp, b.udp, nil
}

func readRTP(ctx context.Context, s *Stream, conn *net.UDPConn) error {
	buf := make([]byte, maxPacket+1) // one more, to see that a datagram is longer
	room := new(scratch)
	var armed time.Time
	for broken := 0; broken < maxReadErrors; {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		now := time.Now()
		switch {
		case err == nil:
			broken = 0
			s.handle(now, buf[:n], unmap(from), room)
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.expire(now, room)
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("stream %s: %w", s.local, err)
		default:
			broken++
			s.in.readErrors.Add(1)
		}
		armed = arm(now, conn, s.keys.due, armed)
		// After arm, which may have moved the deadline that ctx set.
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return fmt.Errorf("stream %s: %w", s.local, errBroken)
}

// arm sets a read deadline while there is something to do about a key, so that
// silence cannot put it off. It returns the deadline that is set; zero: none.
func arm(now time.Time, conn *net.UDPConn, due, armed time.Time) time.Time {
	switch {
	case due.IsZero() && armed.IsZero():
		return armed
	case !armed.IsZero() && now.Before(armed) && (due.IsZero() || !due.Before(armed)):
		return armed
	}
	conn.SetReadDeadline(due) // zero: none
	return due
}

func readRTCP(ctx context.Context, s *Stream, conn *net.UDPConn) {
	buf := make([]byte, maxPacket+1) // as for RTP
	for broken := 0; broken < maxReadErrors && ctx.Err() == nil; {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		switch {
		case err == nil:
			broken = 0
			s.report(time.Now(), buf[:n], unmap(from), false)
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
			return
		default:
			broken++
			s.in.readErrors.Add(1)
		}
	}
}
