package sip

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
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A flood sends datagrams, each from an address of its own in 127.0.0.0/8.
type flood struct {
	t    *testing.T
	conn *net.UDPConn
	oob  []byte
	next uint32
}

func newFlood(t *testing.T) *flood {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4zero})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	f := &flood{t: t, conn: c, next: 127<<24 + 1<<16}
	f.oob = make([]byte, syscall.CmsgSpace(syscall.SizeofInet4Pktinfo))
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&f.oob[0]))
	h.Level, h.Type = syscall.IPPROTO_IP, syscall.IP_PKTINFO
	h.SetLen(syscall.CmsgLen(syscall.SizeofInet4Pktinfo))
	return f
}

// send sends one datagram from the next address (ip(7), IP_PKTINFO).
func (f *flood) send(to netip.AddrPort, datagram []byte) {
	f.next++
	source := f.oob[syscall.CmsgLen(0)+4:] // ipi_spec_dst
	binary.BigEndian.PutUint32(source, f.next)
	_, _, err := f.conn.WriteMsgUDPAddrPort(datagram, f.oob, to)
	require.NoError(f.t, err)
}

// Trap 12 and D9: as many sources as there are datagrams leave nothing behind,
// whatever becomes of them. CONSENTGW_FLOOD sets how many; 3,000,000 take some
// 30 s each.
func TestTrap12AFloodFromAsManySourcesLeavesNothingBehind(t *testing.T) {
	count := 20_000
	if s := os.Getenv("CONSENTGW_FLOOD"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		count = n
	}
	d := &doorman{}
	p := udpPeer(t)
	e := start(t, Handler{}, func(c *Config) { c.Listen = []string{"udp:127.0.0.1:0"} }, d.admit, func(c *Config) {
		others := c.Admit
		c.Admit = func(src netip.AddrPort, transport string) Verdict {
			if src == p.addr {
				return Serve
			}
			return others(src, transport)
		}
	})
	options := strings.Replace(p.text(request{method: "OPTIONS"}), "branch=", "rport;branch=", 1)
	for name, tt := range map[string]struct {
		datagram string
		verdict  Verdict
	}{
		"one byte":           {"x", Serve},
		"requests, refused":  {options, Refuse},
		"requests, silenced": {options, Silence},
		"malformed requests": {strings.Replace(options, "OPTIONS sip", "OPTIONS  sip", 1), Serve},
	} {
		t.Run(name, func(t *testing.T) {
			p.request(e.udp(), request{method: "OPTIONS", callID: newToken()})
			p.expect("SIP/2.0 200")
			heap, routines := footprint()
			d.set(tt.verdict)
			d.asked.Store(0)
			f := newFlood(t)
			began := time.Now()
			for i := range count {
				f.send(e.udp(), []byte(tt.datagram))
				if i%64 == 63 {
					runtime.Gosched() // so that most of it is read and not lost
				}
			}
			// Again and again: the socket's buffer may be full of the flood.
			answered := func() bool {
				p.request(e.udp(), request{method: "OPTIONS", callID: newToken()})
				m, ok := p.next(quietFor)
				return ok && strings.HasPrefix(m.start, "SIP/2.0 200")
			}
			require.Eventually(t, answered, soon, quietFor)
			after, now := footprint()
			t.Logf("%d datagrams in %v, %d of them judged, heap %d -> %d kB, goroutines %d -> %d",
				count, time.Since(began).Round(time.Millisecond), d.asked.Load(), heap>>10, after>>10, routines, now)
			assert.Less(t, int64(after)-int64(heap), int64(1<<20))
			assert.LessOrEqual(t, now, routines+2)
			assert.LessOrEqual(t, e.sockets[0].stack.tpl.Pool("udp").Size(), 4)
		})
	}
}

// footprint is what is on the heap, and how many goroutines there are.
func footprint() (heap uint64, routines int) {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, runtime.NumGoroutine()
}
