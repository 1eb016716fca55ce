package gateway_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"consentgw/internal/config"
	"consentgw/internal/sdp"

	"github.com/stretchr/testify/require"
)

// invites sends one INVITE by hand and returns the final response.
func (s *stage) invites(headers string) string {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	require.NoError(s.t, err)
	defer conn.Close()
	deadline, _ := s.ctx.Deadline()
	require.NoError(s.t, conn.SetReadDeadline(deadline))
	here := conn.LocalAddr().(*net.UDPAddr)
	to := s.gateway.TrunkAddrs()[0].AddrPort
	offer := sdp.NewOffer(sdp.Local{Addr: loopback, Port: here.Port, ID: 1, Version: 1}, []sdp.Codec{sdp.PCMA()}).Marshal()
	id := fmt.Sprintf("%d@timer.example", time.Now().UnixNano())
	send := func(method, via, tag string, body []byte) {
		_, err := fmt.Fprintf(writerTo{conn, to}, "%s sip:+31305550123@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s\r\n"+
			"From: <sip:%s@caller.example>;tag=t\r\nTo: <sip:+31305550123@gw.example>%s\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n"+
			"Max-Forwards: 70\r\nContact: <sip:%s>\r\n%sContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
			method, to, here, via, id[:19], callerNumber, tag, id, method, here, headers, len(body), body)
		require.NoError(s.t, err)
	}
	send("INVITE", "i", "", offer)
	b := make([]byte, 65536)
	for {
		n, err := conn.Read(b)
		require.NoError(s.t, err, "no final response")
		if text := string(b[:n]); strings.HasPrefix(text, "SIP/2.0 ") && !strings.HasPrefix(text, "SIP/2.0 1") {
			_, tag, _ := strings.Cut(text[strings.Index(text, "To: "):], ";tag=")
			tag, _, _ = strings.Cut(tag, "\r\n")
			send("ACK", "i", ";tag="+tag, nil)
			return text
		}
	}
}

type writerTo struct {
	conn *net.UDPConn
	to   netip.AddrPort
}

func (w writerTo) Write(b []byte) (int, error) { return w.conn.WriteToUDPAddrPort(b, w.to) }

// RFC 4028 in both roles, on both sides.
func TestSessionsHaveATimerOnBothLegs(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	p.cfg.Dialogs.SessionTimer = config.SessionTimer{Interval: 30 * time.Minute, Min: 2 * time.Minute}
	p.dials([]string{"+31305550123"})
	p.picksUp(0)
	require.Equal(t, "1800", p.arrival.headers["Session-Expires"], "asked of the platform")
	require.Equal(t, "120", p.arrival.headers["Min-SE"])
	const supports = "Supported: timer\r\nSession-Expires: "
	short := p.invites(supports + "90\r\n")
	require.True(t, strings.HasPrefix(short, "SIP/2.0 422 "), short)
	require.Contains(t, short, "Min-SE: 120\r\n")
	agreed := p.invites(supports + "600;refresher=uac\r\n")
	require.True(t, strings.HasPrefix(agreed, "SIP/2.0 200 "), agreed)
	require.Contains(t, agreed, "Session-Expires: 600;refresher=uac\r\n")
	require.Contains(t, agreed, "Require: timer\r\n")
	without := p.invites("")
	require.Contains(t, without, "Session-Expires: 1800;refresher=uas\r\n", "a caller without timers is kept alive by us")
	require.NotContains(t, without, "Require: timer")
}

func TestWithoutAnIntervalThereIsNoSessionTimer(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	p.cfg.Dialogs.SessionTimer = config.SessionTimer{Min: 90 * time.Second}
	p.dials([]string{"+31305550123"})
	p.picksUp(0)
	require.Empty(t, p.arrival.headers["Session-Expires"])
	require.NotContains(t, p.invites(""), "Session-Expires")
}
