//go:build !386 && !s390x

package bench

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"syscall"
	"unsafe"
)

// udp is a non-blocking IPv4 socket on loopback.
type udp struct {
	fd   int
	addr netip.AddrPort
}

// openUDP opens a socket on a port of the system's choice; a valid to connects
// it.
func openUDP(to netip.AddrPort) (*udp, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: localhost().As4()})
	if err == nil && to.IsValid() {
		err = syscall.Connect(fd, &syscall.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	}
	var sa syscall.Sockaddr
	if err == nil {
		sa, err = syscall.Getsockname(fd)
	}
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("open UDP socket", err), syscall.Close(fd))
	}
	port := sa.(*syscall.SockaddrInet4).Port
	return &udp{fd: fd, addr: netip.AddrPortFrom(localhost(), uint16(port))}, nil
}

func (u *udp) close() error { return syscall.Close(u.fd) }

// raw is an address as the kernel takes it.
type raw = syscall.RawSockaddrInet4

func rawOf(a netip.AddrPort) raw {
	var port [2]byte
	binary.BigEndian.PutUint16(port[:], a.Port())
	return raw{Family: syscall.AF_INET, Port: binary.NativeEndian.Uint16(port[:]), Addr: a.Addr().As4()}
}

// sendTo sends to an address, or where the socket is connected to if it is nil.
func sendTo(fd int, packet []byte, to *raw) syscall.Errno {
	var size uintptr
	if to != nil {
		size = syscall.SizeofSockaddrInet4
	}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&packet[0])), uintptr(len(packet)),
		syscall.MSG_DONTWAIT, uintptr(unsafe.Pointer(to)), size)
	return errno
}

// receive takes a datagram and where it came from.
func receive(fd int, buf []byte, from *raw) (int, syscall.Errno) {
	size := uint32(syscall.SizeofSockaddrInet4)
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)),
		syscall.MSG_DONTWAIT, uintptr(unsafe.Pointer(from)), uintptr(unsafe.Pointer(&size)))
	return int(n), errno
}

// poll asks for events without waiting.
func poll(epoll int, events []syscall.EpollEvent) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// stamped receives datagrams with the time at which the kernel got them.
type stamped struct {
	fd      int
	buf     [2048]byte
	control [64]byte
	iov     syscall.Iovec
	msg     syscall.Msghdr
}

func newStamped(fd int) (*stamped, error) {
	err := errors.Join(
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1),
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<20))
	if err != nil {
		return nil, os.NewSyscallError("setsockopt", err)
	}
	s := &stamped{fd: fd}
	s.iov.Base = &s.buf[0]
	s.iov.SetLen(len(s.buf))
	s.msg.Iov, s.msg.Iovlen = &s.iov, 1
	return s, nil
}

// next returns a datagram and when it arrived, in Unix nanoseconds; nil: none
// is there.
func (s *stamped) next() (data []byte, at int64) {
	s.msg.Control = &s.control[0]
	s.msg.SetControllen(len(s.control))
	n, _, errno := syscall.RawSyscall(syscall.SYS_RECVMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.msg)), syscall.MSG_DONTWAIT)
	if errno != 0 {
		return nil, 0
	}
	head := (*syscall.Cmsghdr)(unsafe.Pointer(&s.control[0]))
	if s.msg.Controllen >= syscall.SizeofCmsghdr && head.Level == syscall.SOL_SOCKET && head.Type == syscall.SCM_TIMESTAMPNS {
		at = (*syscall.Timespec)(unsafe.Pointer(&s.control[syscall.CmsgLen(0)])).Nano()
	}
	return s.buf[:n], at
}
