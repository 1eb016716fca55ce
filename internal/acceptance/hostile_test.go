package acceptance

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestHostileNeighbours: floods of bytes that are no SIP, of broken SIP, of
// half-open connections and of INVITEs from nowhere. A call that is up goes on,
// the next is served, and nothing is left of the rest.
func TestHostileNeighbours(t *testing.T) {
	s := newSite(t, plan{info: true})
	s.start()
	p, c := s.openPhone(), s.openCenter()
	up, err := s.connected(p, c, "up", "1")
	require.NoError(t, err)
	before := s.metrics()
	s.throwDatagrams(s.trunk)
	s.throwConnections(s.trunk)
	s.throwAtMedia(up)
	const flood = 300
	s.runSIPp("flood", s.trunk, "-i", "127.0.0.2", "-bind_local", "-p", portOf(freePort(t)), "-s", calledNumber,
		"-m", strconv.Itoa(flood), "-r", "100").wait(s)
	m := s.metrics()
	require.EqualValues(t, flood, m.sum("consentgw_invites_total", `code="403"`, `reason="unknown_trunk"`)-
		before.sum("consentgw_invites_total", `code="403"`))
	require.EqualValues(t, 1, m.sum("consentgw_calls_active"))
	require.NoError(t, up.talks(25), "the call that was up goes on")
	s.answersOptions(s.trunk)
	next, err := s.connected(p, c, "next", "1")
	require.NoError(t, err)
	for _, v := range []*conversation{up, next} {
		v.hushed()
		status, err := s.api.Status(s.ctx, v.id)
		require.NoError(t, err)
		live, err := s.api.Show(s.ctx, string(status.RecordID))
		require.NoError(t, err)
		v.arrivedAll(live)
		v.checkRecorded(v.hangsUp())
	}
	m = s.idle(before["go_goroutines"])
	require.Zero(t, m.sum("consentgw_fork_violations_total"))
	t.Logf("goroutines: %.0f with one call before the floods, %.0f at the end", before["go_goroutines"], m["go_goroutines"])
}

// throwDatagrams sends what is no SIP, and what almost is.
func (s *site) throwDatagrams(addr string) {
	conn, err := net.Dial("udp", addr)
	require.NoError(s.t, err)
	defer conn.Close()
	for i := range 3000 {
		conn.Write([]byte{byte(i)}) // refused ones are none of ours
	}
	for _, text := range garbage() {
		conn.Write([]byte(text))
	}
	noise := rand.NewChaCha8([32]byte{1})
	for size := 1; size < 8000; size += 40 {
		b := make([]byte, size)
		noise.Read(b)
		conn.Write(b)
	}
}

// garbage is broken SIP.
func garbage() []string {
	invite := "INVITE sip:" + calledNumber + "@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\n" +
		"From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: garbage\r\nCSeq: 1 INVITE\r\n"
	return []string{
		"INVITE  SIP/2.0\r\n\r\n", "SIP/2.0 200\r\n\r\n", "SIP/2.0 999999999999999999999 OK\r\n\r\n", "\r\n\r\n", "\x00\x00\x00\x00",
		strings.Replace(invite, "CSeq: 1 INVITE", "CSeq: 99999999999999999999 INVITE", 1) + "\r\n",
		strings.Replace(invite, "CSeq: 1 INVITE", "CSeq: 1 BYE", 1) + "\r\n",
		strings.Replace(invite, "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\n", "", 1) + "\r\n",
		strings.Replace(invite, "Call-ID: garbage\r\n", "", 1) + "\r\n",
		invite + "Content-Length: -1\r\n\r\n", invite + "Content-Length: 999999\r\n\r\nv=0\r\n",
		invite + "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=1\r\n",
		invite + strings.Repeat("X-Long: "+strings.Repeat("a", 1000)+"\r\n", 50) + "\r\n",
		"BYE sip:x@127.0.0.1 SIP/2.0\r\n" + strings.SplitAfterN(invite, "\r\n", 2)[1] + "\r\n",
	}
}

// throwConnections opens TCP connections that say nothing, or what is no SIP.
func (s *site) throwConnections(addr string) {
	for i := range 50 {
		conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
		require.NoError(s.t, err)
		defer conn.Close()
		switch i % 3 {
		case 0:
			conn.Write([]byte(strings.Repeat("x", 100000))) // an end is an answer, too
		case 1:
			conn.Write([]byte(garbage()[i%len(garbage())]))
		}
	}
}

// throwAtMedia sends to the ports of a call from where none of it comes. It
// waits now and then until the gateway has read it: what a socket has no room for
// is lost before the gateway could tell friend from foe.
func (s *site) throwAtMedia(v *conversation) {
	for _, far := range []netip.AddrPort{v.caller.Far(), v.agent.line.Far()} {
		conn, err := net.Dial("udp", far.String())
		require.NoError(s.t, err)
		defer conn.Close()
		noise := rand.NewChaCha8([32]byte{2})
		for i := range 1000 {
			b := make([]byte, 1+i)
			noise.Read(b)
			conn.Write(b)
			if i%20 == 19 {
				s.poll("the flood to be read", func() bool { return s.socketAt(far).waiting == 0 })
			}
		}
	}
}

// answersOptions asks as a load balancer does.
func (s *site) answersOptions(addr string) {
	s.t.Helper()
	require.Contains(s.t, s.options(addr), "SIP/2.0 200 OK")
}

// options is the answer to OPTIONS, which is sent again and again, because what is
// sent into a flood may be lost.
func (s *site) options(addr string) string {
	s.t.Helper()
	conn, err := net.Dial("udp", addr)
	require.NoError(s.t, err)
	defer conn.Close()
	options := fmt.Sprintf("OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKoptions;rport\r\nFrom: <sip:probe@%s>;tag=1\r\n"+
		"To: <sip:%s>\r\nCall-ID: %d\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
		addr, conn.LocalAddr(), conn.LocalAddr(), addr, time.Now().UnixNano())
	b := make([]byte, 4096)
	n := 0
	s.poll("an answer to OPTIONS", func() bool {
		if _, err := conn.Write([]byte(options)); err != nil {
			return false
		}
		require.NoError(s.t, conn.SetReadDeadline(time.Now().Add(time.Second)))
		n, err = conn.Read(b)
		return err == nil
	})
	return string(b[:n])
}
