//go:build !linux

package phone

import "net"

// enlarge asks for room for what a recorder of many calls gets while its
// process does not run.
func enlarge(conn *net.UDPConn) { conn.SetReadBuffer(8 << 20) }
