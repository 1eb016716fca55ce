package phone

import (
	"net"
	"syscall"
)

// receiveBuffer is room for what a recorder of many calls gets while its
// process does not run: 8 MiB are some ten seconds of a hundred streams.
const receiveBuffer = 8 << 20

// enlarge gives a socket that room. Beyond the system's limit it takes the
// privilege to pass it; without, the socket gets what the limit allows.
func enlarge(conn *net.UDPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	forced := false
	raw.Control(func(fd uintptr) {
		forced = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, receiveBuffer) == nil
	})
	if !forced {
		conn.SetReadBuffer(receiveBuffer)
	}
}
