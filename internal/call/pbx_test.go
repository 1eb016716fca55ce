package call

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"consentgw/internal/config"
	"consentgw/internal/sdp"

	"github.com/stretchr/testify/require"
)

// pbx is a target that is written by hand: it answers what a test tells it to,
// and nothing by itself.
type pbx struct {
	*net.UDPConn
	h      *house
	seen   map[string]bool // requests that were read, by branch and method
	unread []message
	media  *net.UDPConn // where it receives
	seq    int
}

func udp(h *house) *net.UDPConn { return udpAt(h, loopback()) }

func udpAt(h *house, addr netip.Addr) *net.UDPConn {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	require.NoError(h.t, err)
	h.t.Cleanup(func() { conn.Close() })
	deadline, _ := h.ctx.Deadline()
	require.NoError(h.t, conn.SetReadDeadline(deadline))
	return conn
}

// pbx adds a target to the house, before it opens: the first to be tried.
func (h *house) pbx() *pbx {
	p := &pbx{UDPConn: udp(h), h: h, seen: map[string]bool{}, media: udp(h)}
	h.byHand = append(h.byHand, p.UDPConn)
	targets := &h.cfg.Platforms[0].Targets
	*targets = append(*targets, config.Target{URI: p.uri(""), Priority: 0, Weight: 1})
	return p
}

func (p *pbx) uri(user string) string {
	if user != "" {
		user += "@"
	}
	return "sip:" + user + p.LocalAddr().String()
}

// message is a request or response as it came.
type message struct {
	text string
	from netip.AddrPort
}

func (m message) header(name string) string {
	for line := range strings.SplitSeq(m.text, "\r\n") {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func (m message) body() string {
	_, body, _ := strings.Cut(m.text, "\r\n\r\n")
	return body
}

// reads waits for the next new message that begins so: a request by its method,
// a response by "SIP/2.0 200".
func (p *pbx) reads(prefix string) message {
	p.h.t.Helper()
	b := make([]byte, 65536)
	for i, m := range p.unread {
		if strings.HasPrefix(m.text, prefix) {
			p.unread = slices.Delete(p.unread, i, i+1)
			return m
		}
	}
	for {
		n, from, err := p.ReadFromUDPAddrPort(b)
		require.NoError(p.h.t, err, "the gateway did not send %s", prefix)
		m := message{string(b[:n]), from}
		key := m.header("Via") + m.header("CSeq") + strings.SplitN(m.text, "\r\n", 2)[0]
		if p.seen[key] {
			continue
		}
		p.seen[key] = true
		if strings.HasPrefix(m.text, prefix) {
			return m
		}
		p.unread = append(p.unread, m)
	}
}

// describes is a description of the pbx with its media at conn.
func describes(conn *net.UDPConn, change ...func(*sdp.Session)) string {
	local := sdp.Local{Addr: loopback(), Port: conn.LocalAddr().(*net.UDPAddr).Port, ID: 1, Version: 1}
	s := sdp.NewOffer(local, []sdp.Codec{sdp.PCMA(), sdp.Event8000()})
	for _, c := range change {
		c(s)
	}
	return string(s.Marshal())
}

// replies answers a request; tag is that of To, headers end in CRLF each.
func (p *pbx) replies(m message, status, tag, headers, body string) {
	if !strings.Contains(headers, "Contact: ") {
		headers += fmt.Sprintf("Contact: <sip:pbx@%s>\r\n", p.LocalAddr())
	}
	_, err := p.WriteToUDPAddrPort([]byte(m.response(status, tag, headers, body)), m.from)
	require.NoError(p.h.t, err)
}

// response is an answer to a request.
func (m message) response(status, tag, headers, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	for line := range strings.SplitSeq(m.text, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch name {
		case "Via", "From", "Call-ID", "CSeq", "Record-Route":
			b.WriteString(line + "\r\n")
		case "To":
			if tag != "" && !strings.Contains(line, ";tag=") {
				line += ";tag=" + tag
			}
			b.WriteString(line + "\r\n")
		}
	}
	if body != "" {
		headers += "Content-Type: application/sdp\r\n"
	}
	fmt.Fprintf(&b, "%sContent-Length: %d\r\n\r\n%s", headers, len(body), body)
	return b.String()
}

// complies answers whatever a peer that is written by hand is asked after its
// test, so that the gateway does not wait for it.
func complies(conn *net.UDPConn) {
	b := make([]byte, 65536)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return // closed, soon after
		}
		m := message{string(b[:n]), from}
		if !strings.HasPrefix(m.text, "SIP/2.0 ") && !strings.HasPrefix(m.text, "ACK ") {
			conn.WriteToUDPAddrPort([]byte(m.response("200 OK", "", "", "")), from)
		}
	}
}

// asks sends a request within the dialog that invite made with tag.
func (p *pbx) asks(invite message, method, tag, headers, body string) {
	p.sends(invite, method, method, tag, headers, body)
}

// sends sends a request of the next number; branch tells its transaction apart.
func (p *pbx) sends(invite message, method, branch, tag, headers, body string) {
	p.seq++
	if !strings.Contains(headers, "Contact: ") {
		headers += fmt.Sprintf("Contact: <sip:pbx@%s>\r\n", p.LocalAddr())
	}
	if body != "" {
		headers += "Content-Type: application/sdp\r\n"
	}
	target := strings.Trim(invite.header("Contact"), "<>")
	text := fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-pbx-%s-%d\r\nMax-Forwards: 70\r\nFrom: %s;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n%sContent-Length: %d\r\n\r\n%s",
		method, target, p.LocalAddr(), branch, p.seq, invite.header("To"), tag, invite.header("From"), invite.header("Call-ID"), p.seq, method, headers, len(body), body)
	_, err := p.WriteToUDPAddrPort([]byte(text), invite.from)
	require.NoError(p.h.t, err)
}

// invites sends an INVITE of its own to the platform's side of the gateway, and
// returns the final response, acknowledged.
func (p *pbx) invites(headers, body string) message {
	return p.calls("gw", fmt.Sprintf("own-%d@pbx", p.seq+1), headers, body)
}

// calls does so with a number and a Call-ID.
func (p *pbx) calls(number, callID, headers, body string) message {
	p.seq++
	to := p.h.svc.Platform.Addrs()[0].AddrPort
	send := func(method, tag, body string) {
		kind := ""
		if body != "" {
			kind = "Content-Type: application/sdp\r\n"
		}
		text := fmt.Sprintf("%s sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-own-%d%s\r\nMax-Forwards: 70\r\nFrom: <sip:b@%s>;tag=own%d\r\nTo: <sip:%s@%s>%s\r\nCall-ID: %s\r\nCSeq: 1 %s\r\nContact: <sip:b@%s>\r\n%s%sContent-Length: %d\r\n\r\n%s",
			method, number, to, p.LocalAddr(), p.seq, tag, p.LocalAddr(), p.seq, number, to, tag, callID, method, p.LocalAddr(), headers, kind, len(body), body)
		_, err := p.WriteToUDPAddrPort([]byte(text), to)
		require.NoError(p.h.t, err)
	}
	send("INVITE", "", body)
	for {
		m := p.reads("SIP/2.0 ")
		if !strings.HasPrefix(m.text, "SIP/2.0 1") {
			_, tag, _ := strings.Cut(m.header("To"), ";tag=")
			send("ACK", ";tag="+tag, "")
			return m
		}
	}
}

// heard waits for a packet of audio at conn.
func (h *house) heard(conn *net.UDPConn, what string) {
	h.t.Helper()
	_, _, err := conn.ReadFromUDPAddrPort(make([]byte, 2048))
	require.NoError(h.t, err, "nothing was heard %s", what)
}
