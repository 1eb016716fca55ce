//go:build !386 && !s390x

package media

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// rawConn is a UDP socket that the runtime does not know about: its poller
// would otherwise be woken by every packet as well.
type rawConn struct {
	// Set by bind, then constant.
	fd   int
	addr netip.AddrPort
	// state is a flag and the number of sends in flight: a descriptor may be
	// closed only when there is none, for its number is soon another socket's.
	state atomic.Uint32
	seat  seat // of an RTP socket
}

const connClosed = 1 << 31

func openRaw(b binding) (*rawConn, error) {
	family := syscall.AF_INET
	if b.local.Addr().Is6() {
		family = syscall.AF_INET6
	}
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	c := &rawConn{fd: fd}
	if c.addr, err = b.apply(fd, family); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return c, nil
}

// apply sets a new socket up and returns its address.
func (b binding) apply(fd, family int) (netip.AddrPort, error) {
	var none netip.AddrPort
	if family == syscall.AF_INET6 {
		if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1); err != nil {
			return none, os.NewSyscallError("setsockopt", err)
		}
	}
	if err := b.options(fd); err != nil {
		return none, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, bindable(b.local)); err != nil {
		return none, os.NewSyscallError("bind", err)
	}
	if b.to.IsValid() {
		if err := syscall.Connect(fd, sockaddr(b.to)); err != nil {
			return none, os.NewSyscallError("connect", err)
		}
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return none, os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).WithZone(b.local.Addr().Zone()), uint16(sa.Port)), nil
	}
	return none, errors.New("socket has no IP address")
}

// bindable is sockaddr for a local address: port 0 and the unspecified address
// are good, and a zone says which interface is meant.
func bindable(a netip.AddrPort) syscall.Sockaddr {
	if a.Addr().Is4() {
		return &syscall.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	sa := &syscall.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	if zone := a.Addr().Zone(); zone != "" {
		if i, err := net.InterfaceByName(zone); err == nil {
			sa.ZoneId = uint32(i.Index)
		} else if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
			sa.ZoneId = uint32(n)
		}
	}
	return sa
}

func (c *rawConn) local() netip.AddrPort { return c.addr }

func (c *rawConn) send(packet []byte, to *target) error {
	if c.state.Add(1)&connClosed != 0 {
		c.state.Add(^uint32(0))
		return net.ErrClosed
	}
	errno := transmit(c.fd, packet, to)
	c.state.Add(^uint32(0))
	if errno != 0 {
		return errno
	}
	return nil
}

// twin is the socket itself: nothing of it belongs to who sends.
func (c *rawConn) twin() conn { return c }

func (c *rawConn) close() error {
	c.seat.close()
	if c.state.Or(connClosed)&connClosed != 0 {
		return net.ErrClosed
	}
	for c.state.Load() != connClosed {
		runtime.Gosched() // one system call that never waits
	}
	return os.NewSyscallError("close", syscall.Close(c.fd))
}

// transmit sends one datagram, in a system call that never waits: the runtime
// need not be told of it.
func transmit(fd int, packet []byte, to *target) syscall.Errno {
	const flags = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL
	data, size := unsafe.Pointer(unsafe.SliceData(packet)), uintptr(len(packet))
	if to == nil {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(data), size, flags, 0, 0)
		return errno
	}
	if ip := to.addr.Addr(); ip.Is4() {
		sa := syscall.RawSockaddrInet4{Family: syscall.AF_INET, Port: networkOrder(to.addr.Port()), Addr: ip.As4()}
		_, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(data), size, flags,
			uintptr(unsafe.Pointer(&sa)), syscall.SizeofSockaddrInet4)
		return errno
	}
	sa := syscall.RawSockaddrInet6{Family: syscall.AF_INET6, Port: networkOrder(to.addr.Port()), Addr: to.addr.Addr().As16()}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(data), size, flags,
		uintptr(unsafe.Pointer(&sa)), syscall.SizeofSockaddrInet6)
	return errno
}

// receiver is the memory that one loop receives into.
type receiver struct {
	buf  [maxPacket + 1]byte // one more, to see that a datagram is longer
	from syscall.RawSockaddrAny
	size uint32
}

// receive takes one datagram if there is one, and where it came from, unmapped.
// The datagram is valid until the next one.
func (r *receiver) receive(fd int) (data []byte, from netip.AddrPort, errno syscall.Errno) {
	r.size = syscall.SizeofSockaddrAny
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&r.buf[0])), uintptr(len(r.buf)),
		syscall.MSG_DONTWAIT, uintptr(unsafe.Pointer(&r.from)), uintptr(unsafe.Pointer(&r.size)))
	if errno != 0 {
		return nil, from, errno
	}
	switch r.from.Addr.Family {
	case syscall.AF_INET:
		sa := (*syscall.RawSockaddrInet4)(unsafe.Pointer(&r.from))
		from = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), networkOrder(sa.Port))
	case syscall.AF_INET6:
		sa := (*syscall.RawSockaddrInet6)(unsafe.Pointer(&r.from))
		from = netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), networkOrder(sa.Port))
	}
	return r.buf[:n], from, 0
}

// networkOrder turns a port into big-endian memory, or back.
func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}
