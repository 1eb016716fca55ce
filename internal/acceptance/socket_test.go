package acceptance

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

// socket is what the kernel knows of a UDP socket on this machine: the bytes
// that wait in it, and how many packets it has thrown away because there was no
// room for them. A busy machine can bring any program to that.
type socket struct{ waiting, dropped int }

// socketAt reads that from /proc/net/udp (proc_pid_net(5)).
func (s *site) socketAt(addr netip.AddrPort) socket {
	s.t.Helper()
	file := "/proc/net/udp"
	if addr.Addr().Is6() {
		file = "/proc/net/udp6"
	}
	want := inKernel(addr)
	for line := range strings.Lines(readFile(s.t, file)) {
		words := strings.Fields(line)
		if len(words) < 13 || words[1] != want {
			continue
		}
		_, queue, _ := strings.Cut(words[4], ":")
		waiting, err := strconv.ParseInt(queue, 16, 64)
		require.NoError(s.t, err, line)
		dropped, err := strconv.Atoi(words[12])
		require.NoError(s.t, err, line)
		return socket{int(waiting), dropped}
	}
	require.FailNow(s.t, "no such socket", addr)
	return socket{}
}

// inKernel is an address as the kernel prints it: words of four bytes, the last
// one first.
func inKernel(addr netip.AddrPort) string {
	var b strings.Builder
	for word := range slices.Chunk(addr.Addr().AsSlice(), 4) {
		slices.Reverse(word)
		fmt.Fprintf(&b, "%X", word)
	}
	return fmt.Sprintf("%s:%04X", b.String(), addr.Port())
}
