package sip

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	testT1   = 20 * time.Millisecond
	soon     = 5 * time.Second // what a test waits for at most
	quietFor = 80 * time.Millisecond

	testOffer  = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
	testAnswer = "v=0\r\no=- 2 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8\r\n"
	testOffer2 = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4002 RTP/AVP 8\r\n"
)

// A peer is a far end that speaks SIP byte for byte over one UDP socket or TCP
// connection.
type peer struct {
	t       *testing.T
	network string
	addr    netip.AddrPort
	packets *net.UDPConn
	stream  net.Conn
	buf     []byte
}

func udpPeer(t *testing.T) *peer {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &peer{t: t, network: "UDP", addr: c.LocalAddr().(*net.UDPAddr).AddrPort(), packets: c}
}

// tcpPeer speaks over a connection that exists.
func tcpPeer(t *testing.T, c net.Conn) *peer {
	t.Helper()
	t.Cleanup(func() { _ = c.Close() })
	return &peer{t: t, network: "TCP", addr: c.LocalAddr().(*net.TCPAddr).AddrPort(), stream: c}
}

func dialTCP(t *testing.T, to netip.AddrPort) *peer {
	t.Helper()
	c, err := net.Dial("tcp", to.String())
	require.NoError(t, err)
	return tcpPeer(t, c)
}

// target is the peer as Dial is told of it.
func (p *peer) target() string { return "sip:" + p.addr.String() }

func (p *peer) send(to netip.AddrPort, text string) {
	p.t.Helper()
	var err error
	if p.packets != nil {
		_, err = p.packets.WriteToUDPAddrPort([]byte(text), to)
	} else {
		_, err = p.stream.Write([]byte(text))
	}
	require.NoError(p.t, err)
}

// A received is a message as it came off the wire.
type received struct {
	raw, start, body string
	headers          [][2]string
	from             netip.AddrPort
}

func (m received) all(name string) []string {
	var values []string
	for _, h := range m.headers {
		if strings.EqualFold(h[0], name) {
			values = append(values, h[1])
		}
	}
	return values
}

func (m received) get(name string) string {
	if v := m.all(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

func (m received) tag(name string) string {
	_, tag, _ := strings.Cut(m.get(name), ";tag=")
	tag, _, _ = strings.Cut(tag, ";")
	return tag
}

func (m received) branch() string {
	_, b, _ := strings.Cut(m.get("Via"), "branch=")
	b, _, _ = strings.Cut(b, ";")
	return b
}

func parseReceived(raw string) received {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	m := received{raw: raw, start: lines[0], body: body}
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ":")
		m.headers = append(m.headers, [2]string{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	return m
}

// next returns the next message, or false if none comes within d.
func (p *peer) next(d time.Duration) (received, bool) {
	p.t.Helper()
	deadline := time.Now().Add(d)
	if p.packets != nil {
		require.NoError(p.t, p.packets.SetReadDeadline(deadline))
		buf := make([]byte, 65536)
		n, from, err := p.packets.ReadFromUDPAddrPort(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return received{}, false
		}
		require.NoError(p.t, err)
		m := parseReceived(string(buf[:n]))
		m.from = from
		return m, true
	}
	require.NoError(p.t, p.stream.SetReadDeadline(deadline))
	for {
		if m, ok := p.cut(); ok {
			return m, true
		}
		buf := make([]byte, 4096)
		n, err := p.stream.Read(buf)
		p.buf = append(p.buf, buf[:n]...)
		if n == 0 && err != nil {
			return received{}, false
		}
	}
}

// cut takes one whole message off the stream's buffer.
func (p *peer) cut() (received, bool) {
	i := bytes.Index(p.buf, []byte("\r\n\r\n"))
	if i < 0 {
		return received{}, false
	}
	m := parseReceived(string(p.buf[:i+4]))
	length := 0
	_, _ = fmt.Sscanf(m.get("Content-Length"), "%d", &length)
	if len(p.buf) < i+4+length {
		return received{}, false
	}
	m = parseReceived(string(p.buf[:i+4+length]))
	p.buf = p.buf[i+4+length:]
	m.from = p.stream.RemoteAddr().(*net.TCPAddr).AddrPort()
	return m, true
}

// expect returns the next message, which must begin with start.
func (p *peer) expect(start string) received {
	p.t.Helper()
	m, ok := p.next(soon)
	require.True(p.t, ok, "nothing came, want %q", start)
	require.True(p.t, strings.HasPrefix(m.start, start), "got %q, want %q", m.start, start)
	return m
}

// until skips messages until one begins with start.
func (p *peer) until(start string) received {
	p.t.Helper()
	deadline := time.Now().Add(soon)
	for {
		m, ok := p.next(time.Until(deadline))
		require.True(p.t, ok, "%q did not come", start)
		if strings.HasPrefix(m.start, start) {
			return m
		}
	}
}

// silent fails if a message comes for a while.
func (p *peer) silent() {
	p.t.Helper()
	m, ok := p.next(quietFor)
	require.False(p.t, ok, "unexpected %q", m.start)
}

// A request is what a peer sends; zero fields take what makes it valid.
type request struct {
	method, uri, callID, from, to, toTag, branch string
	fromTag                                      string
	seq                                          int
	headers                                      []string
	body                                         string
	contentType                                  string
}

func (p *peer) text(r request) string {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&r.uri, "sip:+31205550123@127.0.0.1")
	def(&r.callID, "call-1")
	def(&r.fromTag, "caller-tag")
	def(&r.from, "<sip:+31205550101@127.0.0.1>")
	def(&r.to, "<"+r.uri+">")
	def(&r.branch, newBranch())
	def(&r.contentType, "application/sdp")
	if r.seq == 0 {
		r.seq = 1
	}
	if r.toTag != "" {
		r.to += ";tag=" + r.toTag
	}
	lines := []string{
		r.method + " " + r.uri + " SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/%s %s;branch=%s", p.network, p.addr, r.branch),
		"Max-Forwards: 70",
		"From: " + r.from + ";tag=" + r.fromTag,
		"To: " + r.to,
		"Call-ID: " + r.callID,
		fmt.Sprintf("CSeq: %d %s", r.seq, r.method),
		fmt.Sprintf("Contact: <sip:%s;transport=%s>", p.addr, strings.ToLower(p.network)),
	}
	lines = append(lines, r.headers...)
	if r.body != "" {
		lines = append(lines, "Content-Type: "+r.contentType)
	}
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(r.body)), "", "")
	return strings.Join(lines, "\r\n") + r.body
}

func (p *peer) request(to netip.AddrPort, r request) {
	p.t.Helper()
	p.send(to, p.text(r))
}

// A reply is how a peer answers a request.
type reply struct {
	tag       string
	headers   []string
	body      string
	noContact bool
}

func (p *peer) respond(req received, status string, r reply) {
	p.t.Helper()
	lines := []string{"SIP/2.0 " + status}
	for _, v := range req.all("Via") {
		lines = append(lines, "Via: "+v)
	}
	to := req.get("To")
	if r.tag != "" && !strings.Contains(to, ";tag=") {
		to += ";tag=" + r.tag
	}
	lines = append(lines, "From: "+req.get("From"), "To: "+to, "Call-ID: "+req.get("Call-ID"), "CSeq: "+req.get("CSeq"))
	if !r.noContact {
		lines = append(lines, fmt.Sprintf("Contact: <sip:%s;transport=%s>", p.addr, strings.ToLower(p.network)))
	}
	lines = append(lines, r.headers...)
	if r.body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(r.body)), "", "")
	p.send(req.from, strings.Join(lines, "\r\n")+r.body)
}

// call sets up a leg between a peer as caller and the endpoint, and returns
// the 200 as the peer got it.
func (p *peer) call(to netip.AddrPort, r request) received {
	p.t.Helper()
	r.method = "INVITE"
	if r.body == "" {
		r.body = testOffer
	}
	p.request(to, r)
	ok := p.until("SIP/2.0 200")
	p.request(to, request{method: "ACK", callID: r.callID, toTag: ok.tag("To")})
	return ok
}
