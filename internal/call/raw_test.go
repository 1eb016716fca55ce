package call

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/sdp"

	"github.com/stretchr/testify/require"
)

// wire is a caller that sends what it likes and answers nothing but a BYE.
type wire struct {
	*net.UDPConn
	h      *house
	to     netip.AddrPort
	id     string
	called string
	tail   string // the dialog's headers of the INVITE
}

func (h *house) wire(callID string) *wire {
	conn := udp(h)
	h.byHand = append(h.byHand, conn)
	w := &wire{UDPConn: conn, h: h, to: h.trunk.Addrs()[0].AddrPort, id: callID, called: toNumber}
	w.tail = fmt.Sprintf("From: <sip:%s@caller.example>;tag=wire\r\nTo: <sip:%s@gw.example>\r\nCall-ID: %s\r\n"+
		"Max-Forwards: 70\r\nContact: <sip:%s>\r\n", fromNumber, toNumber, callID, conn.LocalAddr())
	return w
}

// send sends a request of the INVITE's branch.
func (w *wire) send(method string, seq int, body []byte) {
	content := ""
	if body != nil {
		content = "Content-Type: application/sdp\r\n"
	}
	_, err := w.WriteToUDPAddrPort([]byte(fmt.Sprintf("%s sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-wire\r\n%sCSeq: %d %s\r\n%sContent-Length: %d\r\n\r\n%s",
		method, w.called, w.to, w.LocalAddr(), w.tail, seq, method, content, len(body), body)), w.to)
	require.NoError(w.h.t, err)
}

// invite sends an INVITE and returns the first final response to it.
func (w *wire) invite() string {
	local := sdp.Local{Addr: loopback(), Port: int(w.LocalAddr().(*net.UDPAddr).Port), ID: 1, Version: 1}
	w.send("INVITE", 1, sdp.NewOffer(local, []sdp.Codec{sdp.PCMA(), sdp.Event8000()}).Marshal())
	return w.reads("SIP/2.0 ", "INVITE")
}

// late sends an INVITE without an offer to a number, and returns the answer.
func (w *wire) late(called string) string {
	w.tail = strings.Replace(w.tail, toNumber, called, 1)
	w.called = called
	w.send("INVITE", 1, nil)
	return w.reads("SIP/2.0 ", "INVITE")
}

// acknowledge sends the ACK of an answer, with a description if it is not empty.
func (w *wire) acknowledge(answer, description string) {
	_, tag, _ := strings.Cut(answer[strings.Index(answer, "\r\nTo: "):], ";tag=")
	tag, _, _ = strings.Cut(tag, "\r\n")
	w.tail = strings.Replace(w.tail, "@gw.example>\r\n", "@gw.example>;tag="+tag+"\r\n", 1)
	var body []byte
	if description != "" {
		body = []byte(description)
	}
	w.send("ACK", 1, body)
}

// reads waits for a final response to a method, or a request, that begins so.
func (w *wire) reads(prefix, method string) string {
	b := make([]byte, 65536)
	for {
		n, err := w.Read(b)
		require.NoError(w.h.t, err, "the gateway did not send %s%s", prefix, method)
		text := string(b[:n])
		if strings.HasPrefix(text, "BYE ") {
			_, err := w.WriteToUDPAddrPort([]byte(message{text, w.to}.response("200 OK", "", "", "")), w.to)
			require.NoError(w.h.t, err)
		}
		if strings.HasPrefix(text, prefix) && strings.Contains(text, " "+method+"\r\n") && !strings.HasPrefix(text, "SIP/2.0 1") {
			return text
		}
	}
}

// A caller that never acknowledges holds a call open for 32 s; whoever asks for
// something meanwhile is not kept waiting for that.
func TestACallWithoutItsACKCanBeHungUp(t *testing.T) {
	h := newHouse(t)
	h.open()
	w := h.wire(h.callID())
	require.Contains(t, w.invite(), "SIP/2.0 200 ")
	h.live("the call", func(*consent.Record) bool { return true })
	require.ErrorIs(t, h.command("withdraw"), consent.ErrNotPossible)
	asked := time.Now()
	require.NoError(t, h.command("hangup"))
	require.Less(t, time.Since(asked), 5*time.Second)
	r := h.ended()
	require.Equal(t, "hung up by the api", r.Call.EndCause)
	require.Equal(t, consent.Abandoned, r.Outcome)
}

// A Call-ID goes on to the platform as X-CID: one that no header may hold is
// refused, and is no failure of the platform's targets.
func TestACallIDThatNoHeaderMayHoldIsRefused(t *testing.T) {
	h := newHouse(t)
	h.open()
	require.Contains(t, h.wire("tab\tin@caller.example").invite(), "SIP/2.0 400 ")
	require.Empty(t, h.svc.Live())
}
