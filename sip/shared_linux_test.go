//go:build linux

package sip

import (
	"crypto/tls"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// reusePort lets a listener and a connection share a local address.
func reusePort(_, _ string, c syscall.RawConn) error {
	const soReusePort = 15 // SO_REUSEPORT; package syscall does not name it everywhere
	var failed error
	err := c.Control(func(fd uintptr) {
		if failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); failed == nil {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1)
		}
	})
	if err != nil {
		return err
	}
	return failed
}

// tlsClientOn shakes hands on a connection that exists.
func tlsClientOn(t *testing.T, c net.Conn, cfg *tls.Config) *tls.Conn {
	t.Helper()
	cfg.ServerName = "127.0.0.1"
	secured := tls.Client(c, cfg)
	require.NoError(t, secured.Handshake())
	return secured
}

func tlsServerOn(c net.Conn, cfg *tls.Config) *tls.Conn { return tls.Server(c, cfg) }
