package sip

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A far is a far end on one transport: a caller's socket, and where calls to it
// arrive.
type far struct {
	caller *peer
	to     netip.AddrPort // the endpoint
	target string
	accept func() *peer
}

// farEnds makes a far end for each transport on an IP address.
func farEnds(t *testing.T, e *testEndpoint, a *authority, ip string) map[string]far {
	t.Helper()
	bare := netip.MustParseAddr(ip)
	addr := func(transport string) netip.AddrPort {
		for _, s := range e.Addrs() {
			if s.Transport == transport && s.AddrPort.Addr() == bare {
				return s.AddrPort
			}
		}
		t.Fatalf("no %s address", transport)
		return netip.AddrPort{}
	}
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(bare, 0)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	udp := &peer{t: t, network: "UDP", addr: c.LocalAddr().(*net.UDPAddr).AddrPort(), packets: c}
	plain, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = plain.Close() })
	secure := listenTLS(t, a.config("far", named{ips: []string{ip}}), net.JoinHostPort(ip, "0"))
	return map[string]far{
		"udp": {udp, addr("udp"), "sip:" + udp.addr.String(), func() *peer { return udp }},
		"tcp": {dialTCP(t, addr("tcp")), addr("tcp"), "sip:" + plain.Addr().String() + ";transport=tcp", func() *peer {
			c, err := plain.Accept()
			require.NoError(t, err)
			return tcpPeer(t, c)
		}},
		"tls": {dialTLS(t, addr("tls"), a.config("", named{})), addr("tls"), secure.target(), secure.accept},
	}
}

func everyTransport(files *TLS) func(*Config) {
	return func(c *Config) {
		c.TLS = files
		c.Listen = nil
		for _, ip := range []string{"127.0.0.1", "[::1]"} {
			for _, transport := range []string{"udp", "tcp", "tls"} {
				c.Listen = append(c.Listen, transport+":"+ip+":0")
			}
		}
	}
}

// Trap 1 and D7: 1300 bytes are no limit, in neither direction, on no transport
// of either family.
func TestLongMessagesGoBothWaysOnEveryTransport(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	long := testOffer + strings.Repeat("a=x-filler:0123456789012345678901234567890123456789\r\n", 400) // 20 kB
	legs := make(chan *Leg, 1)
	e := start(t, Handler{Invite: func(ctx context.Context, in *Incoming) {
		assert.Equal(t, long, string(in.Offer()))
		leg, err := in.Answer(ctx, []byte(long), InDialog{})
		if assert.NoError(t, err) {
			legs <- leg
			<-leg.Context().Done()
		}
	}}, everyTransport(a.gateway(ClientCertNone)))
	for _, ip := range []string{"127.0.0.1", "::1"} {
		for name, f := range farEnds(t, e, a, ip) {
			t.Run(name+" "+ip, func(t *testing.T) {
				ok := f.caller.call(f.to, request{callID: name + ip, body: long})
				assert.Equal(t, long, ok.body)
				receive(t, legs)
				f.caller.request(f.to, request{method: "BYE", callID: name + ip, seq: 2, toTag: ok.tag("To")})
				f.caller.expect("SIP/2.0 200")

				got := dial(t.Context(), e, Invite{Target: f.target, Offer: []byte(long)})
				p := f.accept()
				inv := p.expect("INVITE")
				assert.Equal(t, long, inv.body)
				assert.Contains(t, inv.get("Via"), netip.AddrPortFrom(f.to.Addr(), f.to.Port()).String())
				assert.Contains(t, inv.get("Contact"), f.to.String())
				p.respond(inv, "200 OK", reply{tag: "callee", body: long})
				p.expect("ACK")
				leg := receive(t, got).leg
				require.NotNil(t, leg)
				assert.Equal(t, long, string(leg.SDP()))
				done := make(chan error, 1)
				go func() { done <- leg.Bye(t.Context(), "") }()
				p.respond(p.expect("BYE"), "200 OK", reply{}) // on the same connection
				require.NoError(t, receive(t, done))
			})
		}
	}
}

// Trap 6: the platform's leg has a connection of its own even if the platform
// listens at the very address that the caller's connection comes from.
func TestTrap06APlatformLegNeverGoesOutOnTheCallersConnection(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	h, legs, _ := answering(InDialog{})
	e := start(t, h, overTLS(a.gateway(ClientCertNone)))
	for name, transport := range map[string]struct {
		to      netip.AddrPort
		connect func(net.Conn) *peer
		serve   func(net.Conn) *peer
	}{
		"tcp": {e.tcp(), func(c net.Conn) *peer { return tcpPeer(t, c) }, func(c net.Conn) *peer { return tcpPeer(t, c) }},
		"tls": {
			e.tls(),
			func(c net.Conn) *peer { return tlsPeer(t, tlsClientOn(t, c, a.config("", named{}))) },
			func(c net.Conn) *peer {
				return tlsPeer(t, tlsServerOn(c, a.config("platform", named{ips: []string{"127.0.0.1"}})))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var shared net.ListenConfig
			shared.Control = reusePort
			l, err := shared.Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer l.Close()
			d := net.Dialer{LocalAddr: l.Addr(), Control: reusePort}
			c, err := d.DialContext(t.Context(), "tcp", transport.to.String())
			require.NoError(t, err)
			caller := transport.connect(c)
			ok := caller.call(transport.to, request{callID: name})
			receive(t, legs)
			got := dial(t.Context(), e, Invite{Target: "sip:" + l.Addr().String() + ";transport=" + name})
			accepted, err := l.Accept()
			require.NoError(t, err)
			platform := transport.serve(accepted)
			inv := platform.expect("INVITE")
			caller.silent()
			platform.respond(inv, "486 Busy Here", reply{tag: "callee"})
			platform.expect("ACK")
			require.Error(t, receive(t, got).err)
			caller.request(transport.to, request{method: "BYE", callID: name, seq: 2, toTag: ok.tag("To")})
			caller.expect("SIP/2.0 200")
		})
	}
}

func TestBlanksBetweenMessagesAreNoMessage(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertNone)))
	for name, p := range map[string]*peer{"tcp": dialTCP(t, e.tcp()), "tls": dialTLS(t, e.tls(), a.config("", named{}))} {
		t.Run(name, func(t *testing.T) {
			to := map[string]netip.AddrPort{"tcp": e.tcp(), "tls": e.tls()}[name]
			one := p.text(request{method: "OPTIONS", callID: "one"})
			two := p.text(request{method: "OPTIONS", callID: "two"})
			p.send(to, "\r\n"+one+"\r\n\r\n"+two+"\r\n") // in one segment
			var got []string
			for range 2 {
				m := p.expectAfterPong("SIP/2.0 200")
				got = append(got, m.get("Call-ID"))
			}
			assert.ElementsMatch(t, []string{"one", "two"}, got)
		})
	}
}

// expectAfterPong is expect, and passes over CRLFs before the message.
func (p *peer) expectAfterPong(start string) received {
	p.t.Helper()
	m, ok := p.next(soon)
	require.True(p.t, ok)
	m = parseReceived(strings.TrimLeft(m.raw, "\r\n"))
	require.True(p.t, strings.HasPrefix(m.start, start), "got %q", m.start)
	return m
}

// readExactly returns the next n bytes of a stream.
func (p *peer) readExactly(n int) string {
	p.t.Helper()
	for len(p.buf) < n {
		require.NoError(p.t, p.stream.SetReadDeadline(time.Now().Add(soon)))
		buf := make([]byte, 4096)
		m, err := p.stream.Read(buf)
		require.NoError(p.t, err)
		p.buf = append(p.buf, buf[:m]...)
	}
	got := string(p.buf[:n])
	p.buf = p.buf[n:]
	return got
}

func TestAPingIsAnsweredHoweverItIsCut(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertNone)))
	for name, p := range map[string]*peer{"tcp": dialTCP(t, e.tcp()), "tls": dialTLS(t, e.tls(), a.config("", named{}))} {
		t.Run(name, func(t *testing.T) {
			to := map[string]netip.AddrPort{"tcp": e.tcp(), "tls": e.tls()}[name]
			p.send(to, ping)
			assert.Equal(t, pong, p.readExactly(2))
			for _, part := range []string{"\r", "\n\r", "\n"} {
				p.send(to, part)
			}
			assert.Equal(t, pong, p.readExactly(2))
			p.request(to, request{method: "OPTIONS"})
			p.expect("SIP/2.0 200")
		})
	}
}

func TestConnectionsThatWeOpenedAreKeptAlive(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertNone)), func(c *Config) { c.KeepAlive = 100 * time.Millisecond })
	for name, f := range farEnds(t, e, a, "127.0.0.1") {
		if name == "udp" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			got := make(chan error, 1)
			ask := func() { _, err := e.Options(t.Context(), f.target); got <- err }
			go ask()
			p := f.accept()
			opt := p.expect("OPTIONS")
			// Without pongs nothing is closed: the far end may not know of them.
			assert.Equal(t, ping+ping+ping, p.readExactly(12))
			p.respond(opt, "200 OK", reply{tag: "x"})
			require.NoError(t, receive(t, got))
			// The first may have been on its way before the 200 was heard: an answer
			// to it answers nothing. Two pongs in a row look like a ping, which gets
			// a pong: so half a ping is read at a time.
			for !p.ponged(e.Endpoint) {
				require.Equal(t, pong, p.readExactly(2))
				p.send(e.tcp(), pong)
			}
			// A ping of the far end's is answered as well, also next to a message.
			go ask()
			for first := p.readExactly(2); first != "OP"; first = p.readExactly(2) {
				require.Equal(t, pong, first)
				p.send(e.tcp(), pong)
			}
			p.buf = append([]byte("OP"), p.buf...)
			opt = p.expect("OPTIONS")
			p.send(e.tcp(), ping)
			p.respond(opt, "200 OK", reply{tag: "x"})
			require.NoError(t, receive(t, got))
			// Now the pongs stop.
			assert.True(t, p.ends())
		})
	}
}

// ponged says whether the peer, at the far end of a connection that the endpoint
// opened, is known to have answered a ping.
func (p *peer) ponged(e *Endpoint) bool {
	at := p.stream.LocalAddr().(*net.TCPAddr).AddrPort()
	for _, st := range append(e.security.stacks(), e.outgoing) {
		st.flows.mu.Lock()
		fl := st.flows.open[at]
		known := fl != nil && fl.ponged
		st.flows.mu.Unlock()
		if known {
			return true
		}
	}
	return false
}

func TestAFrameIsTheSameHoweverItIsStripped(t *testing.T) {
	msg := "OPTIONS sip:x SIP/2.0\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
	for name, tt := range map[string]struct {
		in, want string
		pings    int
	}{
		"nothing":              {"", "", 0},
		"a ping":               {ping, "", 1},
		"a pong":               {pong, "", 0},
		"three pings":          {ping + ping + ping, "", 3},
		"a body of blanks":     {msg, msg, 0},
		"a ping after a body":  {msg + ping + msg, msg + msg, 1},
		"bare line feeds":      {"\n\n\n\n" + msg, msg, 0},
		"a ping out of step":   {"\n" + ping, "", 1},
		"two carriage returns": {"\r\r\n\r\n", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var f framer
			p := []byte(tt.in)
			n, pings, _, _ := f.strip(p)
			assert.Equal(t, tt.want, string(p[:n]))
			assert.Equal(t, tt.pings, pings)
			var bytewise framer
			var kept []byte
			total := 0
			for i := range len(tt.in) {
				b := []byte{tt.in[i]}
				n, pings, _, _ := bytewise.strip(b)
				kept, total = append(kept, b[:n]...), total+pings
			}
			assert.Equal(t, tt.want, string(kept))
			assert.Equal(t, tt.pings, total)
		})
	}
}

func FuzzStrip(f *testing.F) {
	f.Add([]byte("\r\n\r\nOPTIONS sip:x SIP/2.0\r\nContent-Length: 4\r\n\r\nbody\r\n\r\n"), 7)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		var whole, parts, fed framer
		_, want := fed.feed(data)
		cut = max(0, min(cut, len(data)))
		a, b, c := append([]byte(nil), data...), append([]byte(nil), data[:cut]...), append([]byte(nil), data[cut:]...)
		n, pings, _, partial := whole.strip(a)
		i, first, _, _ := parts.strip(b)
		j, second, _, again := parts.strip(c)
		if string(a[:n]) != string(b[:i])+string(c[:j]) || pings != first+second || partial != again || partial != want {
			t.Errorf("%q depends on how the bytes come in", data)
		}
	})
}
