package gateway_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// floodOf is how many datagrams a flood has; CONSENTGW_FLOOD sets it for those
// who have the time.
func floodOf(t *testing.T, ordinary int) int {
	s := os.Getenv("CONSENTGW_FLOOD")
	if s == "" {
		return ordinary
	}
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}

// TestAFloodFromAsManySourcesLeavesTheGatewayAsSmallAsBefore: each datagram comes
// from an address of its own in 127.0.0.0/8, and none of them is a trunk's.
func TestAFloodFromAsManySourcesLeavesTheGatewayAsSmallAsBefore(t *testing.T) {
	for name, flood := range map[string]struct {
		method string // "" is one byte
		count  int
	}{"one byte": {"", 100_000}, "calls": {"INVITE", 20_000}} {
		t.Run(name, func(t *testing.T) { // alone: it measures the process
			p := &actor{stage: newStage(t)}
			p.cfg.Limits.PerSourceCPS, p.cfg.Limits.DropAfter = 5, 2
			p.aDesk(0)
			p.start(nil)
			trunk := p.from("127.0.0.1")
			ask := func() {
				for answer := ""; !strings.HasPrefix(answer, "SIP/2.0 200"); { // the flood may drown a question
					trunk.sends("OPTIONS")
					answer = trunk.reads(patience() / 30)
					require.NoError(t, p.ctx.Err())
				}
			}
			ask()
			before := liveHeap()
			datagram := []byte("x")
			if flood.method != "" {
				datagram = []byte(trunk.text(flood.method))
			}
			count := floodOf(t, flood.count)
			p.pour(trunk.conn.RemoteAddr().String(), datagram, count)
			ask()
			after := liveHeap()
			t.Logf("%d datagrams from as many sources: %d kB on the heap before, %d kB after", count, before>>10, after>>10)
			require.Less(t, int64(after)-int64(before), int64(2<<20))
		})
	}
}

// pour sends a datagram again and again, each from the next address (ip(7),
// IP_PKTINFO).
func (s *stage) pour(to string, datagram []byte, count int) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4zero})
	require.NoError(s.t, err)
	defer c.Close()
	oob := make([]byte, syscall.CmsgSpace(syscall.SizeofInet4Pktinfo))
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&oob[0]))
	h.Level, h.Type = syscall.IPPROTO_IP, syscall.IP_PKTINFO
	h.SetLen(syscall.CmsgLen(syscall.SizeofInet4Pktinfo))
	source := oob[syscall.CmsgLen(0)+4:] // ipi_spec_dst
	const first = 127<<24 + 1<<16
	for i := range count {
		binary.BigEndian.PutUint32(source, uint32(first+i%(1<<24-1<<17)))
		_, _, err := c.WriteMsgUDPAddrPort(datagram, oob, netip.MustParseAddrPort(to))
		require.NoError(s.t, err)
		if i%64 == 63 {
			runtime.Gosched() // so that most of it is read and not lost
		}
	}
}

// liveHeap is what is left on the heap when nobody needs more of it.
func liveHeap() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
