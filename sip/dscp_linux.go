package sip

import (
	"errors"
	"syscall"
)

// mark makes a socket send with a DSCP, 0 to 63 (RFC 2474), over IPv4 and IPv6.
func mark(fd uintptr, dscp int) error {
	v4 := syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TOS, dscp<<2)
	v6 := syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_TCLASS, dscp<<2)
	if v4 != nil && v6 != nil { // a socket is of one family, or of both
		return errors.Join(v4, v6)
	}
	return nil
}
