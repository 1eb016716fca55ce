package call

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/phone"
	"consentgw/sip"

	"github.com/stretchr/testify/require"
)

// counter is a desk that shows what arrives byte for byte: it answers the first
// INVITE at once, and every later request with 200.
type counter struct {
	*net.UDPConn
	h     *house
	allow string
}

func (h *house) counter(allow string) *counter {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback(), 0)))
	require.NoError(h.t, err)
	h.t.Cleanup(func() { conn.Close() })
	deadline, _ := h.ctx.Deadline()
	require.NoError(h.t, conn.SetReadDeadline(deadline))
	h.ring = nil
	h.cfg.Platforms[0].Targets = []config.Target{{URI: "sip:" + conn.LocalAddr().String(), Priority: 1, Weight: 1}}
	return &counter{conn, h, allow}
}

// next waits for a request of a method, and answers all that come before it too.
func (c *counter) next(method string) string {
	b := make([]byte, 65536)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		require.NoError(c.h.t, err, "the gateway did not send %s", method)
		request := string(b[:n])
		if !strings.HasPrefix(request, "ACK ") {
			c.answer(request, from)
		}
		if strings.HasPrefix(request, method+" ") {
			return request
		}
	}
}

func (c *counter) answer(request string, to netip.AddrPort) {
	head, body, _ := strings.Cut(request, "\r\n\r\n")
	response := "SIP/2.0 200 OK\r\n"
	for line := range strings.SplitSeq(head, "\r\n") {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "To":
			if !strings.Contains(line, "tag=") {
				line += ";tag=counter"
			}
			response += line + "\r\n"
		case "Via", "From", "Call-ID", "CSeq":
			response += line + "\r\n"
		}
	}
	var answer []byte
	if body != "" {
		answer = answerTo([]byte(body), c.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	response += fmt.Sprintf("Contact: <sip:%s>\r\nAllow: %s\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
		c.LocalAddr(), c.allow, len(answer), answer)
	_, err := c.WriteToUDPAddrPort([]byte(response), to)
	require.NoError(c.h.t, err)
}

// A platform that was dialed during the notice cannot know the decision from its
// INVITE. It is told by whatever it takes.
func TestAPlatformDialedDuringTheNoticeIsToldTheDecision(t *testing.T) {
	for name, c := range map[string]struct{ allow, method string }{
		"by UPDATE":                          {"INVITE, ACK, BYE, CANCEL, UPDATE", "UPDATE"},
		"by re-INVITE if it takes no UPDATE": {"INVITE, ACK, BYE, CANCEL", "INVITE"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.cfg.Policies[0].Dial = config.DialDuringNotice
			desk := h.counter(c.allow)
			h.records(Recorder{Name: "archive", Open: newMemory().opens})
			h.open()
			line := h.dial(toNumber)
			first := desk.next("INVITE")
			require.Contains(t, first, "X-Consent-Status: unknown\r\n")
			require.Contains(t, first, "X-Consent-Outcome: pending\r\n")
			require.Contains(t, first, "X-Recording: off\r\n")
			h.hears(line, "ask")
			line.Press("1")
			told := desk.next(c.method)
			require.Contains(t, told, "X-Consent-Status: granted\r\n")
			require.Contains(t, told, "X-Consent-Outcome: given\r\n")
			require.Contains(t, told, "X-Recording: on\r\n")
			require.Equal(t, c.method == "INVITE", strings.Contains(told, "application/sdp"), "an UPDATE changes no media")
			require.NoError(t, line.Hangup(h.ctx))
			desk.next("BYE")
			require.Equal(t, consent.Given, h.ended().Outcome)
		})
	}
}

// Whoever waits for the decision can be told nothing by the other party, not by
// SIP INFO either.
func TestNoInfoPassesBetweenPartiesThatAreNotConnected(t *testing.T) {
	h := newHouse(t)
	h.cfg.Policies[0].Dial = config.DialDuringNotice
	var got []string
	answered := make(chan *sip.Leg, 1)
	h.ring = []func(context.Context, *phone.Ring){func(ctx context.Context, r *phone.Ring) {
		leg, err := r.Answer(ctx, answerTo(r.Offer(), closedAddr(t)), sip.InDialog{Info: func(_ string, body []byte) int {
			got = append(got, string(body))
			return 200
		}})
		if err == nil {
			answered <- leg
			<-leg.Context().Done()
		}
	}}
	h.open()
	line := h.dial(toNumber)
	agent := <-answered
	h.live("the agent to wait", func(r *consent.Record) bool { return happened(r, "agent_waiting") })
	for _, leg := range []*sip.Leg{line.Leg(), agent} {
		code, err := leg.Info(h.ctx, "text/plain", []byte("hello"))
		require.NoError(t, err)
		require.Equal(t, 200, code)
	}
	require.NoError(t, line.Hangup(h.ctx))
	<-agent.Context().Done()
	require.Empty(t, got)
}
