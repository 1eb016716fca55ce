package gateway_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stranger is a socket that speaks a little SIP.
type stranger struct {
	*stage
	conn   net.Conn
	called string
	asked  int
}

// from opens a stranger's socket on an address of loopback.
func (s *stage) from(ip string) *stranger {
	a := s.gateway.TrunkAddrs()[0]
	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)}, net.UDPAddrFromAddrPort(a.AddrPort))
	require.NoError(s.t, err)
	s.t.Cleanup(func() { conn.Close() })
	return &stranger{stage: s, conn: conn, called: calledNumber}
}

// sends sends one request without a body, each time another one.
func (s *stranger) sends(method string) {
	s.asked++
	_, err := fmt.Fprint(s.conn, s.text(method))
	require.NoError(s.t, err)
}

func (s *stranger) text(method string) string {
	us, them := s.conn.LocalAddr(), s.conn.RemoteAddr()
	return fmt.Sprintf("%s sip:%s@%s SIP/2.0\r\n", method, s.called, them) +
		fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bK%d;rport\r\n", us, s.asked) +
		fmt.Sprintf("From: <sip:stranger@%s>;tag=1\r\nTo: <sip:x@%s>\r\n", us, them) +
		fmt.Sprintf("Call-ID: %s-%d\r\nCSeq: 1 %s\r\n", s.t.Name(), s.asked, method) +
		fmt.Sprintf("Contact: <sip:stranger@%s>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", us)
}

// reads is the final response to the last request, not an earlier one that comes
// again; "" if none comes for the time.
func (s *stranger) reads(within time.Duration) string {
	last := fmt.Sprintf("\r\nCall-ID: %s-%d\r\n", s.t.Name(), s.asked)
	b := make([]byte, 65536)
	for {
		require.NoError(s.t, s.conn.SetReadDeadline(time.Now().Add(within)))
		n, err := s.conn.Read(b)
		if err != nil {
			return ""
		}
		if !strings.HasPrefix(string(b[:n]), "SIP/2.0 1") && strings.Contains(string(b[:n]), last) {
			return string(b[:n])
		}
	}
}

func TestAStrangerIsRefusedAndThenMetWithSilence(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	p.cfg.Limits.DropAfter = 3
	p.aDesk(0)
	p.start(nil)
	s := p.from("127.0.0.9")
	for _, method := range []string{"INVITE", "OPTIONS", "INVITE"} {
		s.sends(method)
		answer := s.reads(patience())
		require.Contains(t, answer, "SIP/2.0 403 Unknown trunk\r\n")
		require.Contains(t, answer, "\r\nReason: SIP;cause=403;text=\"Unknown trunk\"\r\n")
	}
	s.sends("INVITE")
	s.sends("OPTIONS")
	other := p.from("127.0.0.10") // whose answer comes after those that do not
	other.sends("OPTIONS")
	require.Contains(t, other.reads(patience()), " 403 ")
	require.Empty(t, s.reads(50*time.Millisecond))
	trunk := p.from("127.0.0.1")
	for range 20 {
		trunk.sends("OPTIONS")
		require.Contains(t, trunk.reads(patience()), "SIP/2.0 200 OK", "what is in a trunk's network is never ignored")
	}
	_, metrics := p.request(http.MethodGet, "/metrics")
	require.Contains(t, string(metrics), `consentgw_invites_total{code="403",reason="unknown_trunk",trunk="none"} 2`)
	require.Contains(t, string(metrics), "consentgw_requests_ignored_total 2\n")
}

func TestASourceThatCallsTooFastIsAskedToWait(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	p.cfg.Limits.PerSourceCPS, p.cfg.Limits.DropAfter = 0.01, 1
	p.aDesk(0)
	p.start(nil)
	trunk := p.from("127.0.0.1")
	trunk.called = "nobody"
	trunk.sends("INVITE")
	require.Contains(t, trunk.reads(patience()), "SIP/2.0 404")
	for range 3 { // and never silence
		trunk.sends("INVITE")
		answer := trunk.reads(patience())
		require.Contains(t, answer, "SIP/2.0 503 Calls per second of the source reached\r\n")
		require.Contains(t, answer, "\r\nRetry-After: 1\r\n")
		trunk.sends("OPTIONS")
		require.Contains(t, trunk.reads(patience()), "SIP/2.0 200", "only calls are counted")
	}
}
