package gateway_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"consentgw/internal/config"

	"github.com/stretchr/testify/require"
)

// reusePort lets a listener and a connection have one address. The number is that
// of SO_REUSEPORT, which package syscall does not have everywhere.
func reusePort(_, _ string, c syscall.RawConn) error {
	const soReusePort = 15
	var err error
	if e := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1) }); e != nil {
		return e
	}
	return err
}

// TestAPlatformLegNeverGoesOutOnTheCallersConnection: the platform listens at the
// very address that the caller's connection comes from.
func TestAPlatformLegNeverGoesOutOnTheCallersConnection(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			lc := net.ListenConfig{Control: reusePort}
			platform, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer platform.Close()
			s.plan().Targets = []config.Target{{URI: fmt.Sprintf("sip:%s;transport=%s", platform.Addr(), transport), Priority: 1, Weight: 1}}
			client, server := s.overConnections(t, transport)
			s.serve()

			d := net.Dialer{LocalAddr: platform.Addr(), Control: reusePort}
			conn, err := d.DialContext(s.ctx, "tcp", s.gateway.TrunkAddrs()[0].AddrPort.String())
			require.NoError(t, err)
			caller := &talker{t: t, transport: strings.ToUpper(transport), conn: client(conn)}
			defer conn.Close()
			tag := caller.calls("+31305550123")
			require.NotEmpty(t, tag)
			arrived, err := platform.Accept()
			require.NoError(t, err)
			defer arrived.Close()
			agent := &talker{t: t, conn: server(arrived)}
			require.Contains(t, agent.until("\r\n\r\n"), "INVITE sip:+31305550123@")
			require.NotContains(t, caller.said.String(), "\nINVITE ", "nothing but answers came back to the caller")
		})
	}
}

// overConnections makes both sides speak a transport, and returns how their far
// ends do.
func (s *stage) overConnections(t *testing.T, transport string) (client, server func(net.Conn) net.Conn) {
	same := func(c net.Conn) net.Conn { return c }
	for _, side := range []*config.Side{&s.cfg.Listen.Trunk, &s.cfg.Listen.Platform} {
		side.SIP = []config.SIPAddr{{Transport: transport, Addr: side.SIP[0].Addr}}
	}
	if transport == "tcp" {
		return same, same
	}
	ca := newAuthority(t)
	ours, theirs := ca.issue(t, "gateway.example"), ca.issue(t, "center.example")
	for _, side := range []*config.Side{&s.cfg.Listen.Trunk, &s.cfg.Listen.Platform} {
		side.TLS = &config.TLS{Cert: ours.cert, Key: ours.key, CA: ca.file, ClientAuth: "none"}
	}
	pem, err := os.ReadFile(ca.file)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	pair, err := tls.LoadX509KeyPair(theirs.cert, theirs.key)
	require.NoError(t, err)
	return func(c net.Conn) net.Conn {
			return tls.Client(c, &tls.Config{RootCAs: roots, ServerName: "gateway.example"})
		},
		func(c net.Conn) net.Conn { return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}}) }
}

// talker speaks SIP byte for byte over a connection.
type talker struct {
	t         *testing.T
	transport string
	conn      net.Conn
	said      strings.Builder // by the far end
}

// until reads until the far end has said something, and returns all it said.
func (c *talker) until(text string) string {
	b := make([]byte, 4096)
	for !strings.Contains(c.said.String(), text) {
		require.NoError(c.t, c.conn.SetReadDeadline(time.Now().Add(patience())))
		n, err := c.conn.Read(b)
		c.said.Write(b[:n])
		require.NoError(c.t, err, "no %q in %q", text, c.said.String())
	}
	return c.said.String()
}

// calls makes a call and acknowledges its answer, whose tag it returns.
func (c *talker) calls(number string) (tag string) {
	us := c.conn.LocalAddr()
	write := func(method, to, body string) {
		_, err := io.WriteString(c.conn, fmt.Sprintf("%s sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK%s\r\n", method, number, c.conn.RemoteAddr(), c.transport, us, method)+
			fmt.Sprintf("From: <sip:%s@%s>;tag=1\r\nTo: <sip:x@gateway>%s\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n", callerNumber, us, to, c.t.Name(), method)+
			fmt.Sprintf("Contact: <sip:caller@%s;transport=%s>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", us, strings.ToLower(c.transport), len(body), body))
		require.NoError(c.t, err)
	}
	write("INVITE", "", "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n")
	_, answer, _ := strings.Cut(c.until("SIP/2.0 200"), "SIP/2.0 200")
	if !strings.Contains(answer, "\r\n\r\n") {
		_, answer, _ = strings.Cut(c.until("m=audio"), "SIP/2.0 200")
	}
	_, tag, _ = strings.Cut(answer, "To: <sip:x@gateway>;tag=")
	tag, _, _ = strings.Cut(tag, "\r\n")
	write("ACK", ";tag="+tag, "")
	return tag
}
