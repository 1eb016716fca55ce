package sip

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// both is a far end that has the same port on UDP and TCP.
func both(t *testing.T) (*peer, net.Listener) {
	t.Helper()
	for range 20 {
		p := udpPeer(t)
		if l, err := net.Listen("tcp", p.addr.String()); err == nil {
			t.Cleanup(func() { _ = l.Close() })
			return p, l
		}
	}
	t.Fatal("no port is free on both")
	return nil, nil
}

func large() []byte { return []byte(testOffer + strings.Repeat("a=x-filler:0123456789\r\n", 60)) }

func TestALargeINVITEGoesOverTCPIfTheFarEndTakesIt(t *testing.T) {
	checkLeaks(t)
	e := start(t, Handler{})
	p, l := both(t)
	got := dial(t.Context(), e, Invite{Target: "sip:" + p.addr.String(), Offer: large()})
	c, err := l.Accept()
	require.NoError(t, err)
	far := tcpPeer(t, c)
	inv := far.expect("INVITE")
	assert.Contains(t, inv.get("Via"), "SIP/2.0/TCP "+e.tcp().String())
	assert.Contains(t, inv.get("Contact"), "transport=tcp")
	far.respond(inv, "486 Busy Here", reply{tag: "x"})
	far.expect("ACK")
	require.Error(t, receive(t, got).err)
	p.silent()
}

func TestALargeINVITEGoesOverUDPIfThereIsNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		param string
		tcp   bool // the far end takes connections, but closes them
	}{
		"nobody listens on TCP":        {"", false},
		"it is closed at once":         {"", true},
		"the target says so, and that": {";transport=udp", false},
	} {
		t.Run(name, func(t *testing.T) {
			checkLeaks(t)
			e := start(t, Handler{})
			p := udpPeer(t)
			if c.tcp {
				var l net.Listener
				p, l = both(t)
				closed := make(chan struct{})
				go func() {
					defer close(closed)
					for {
						conn, err := l.Accept()
						if err != nil {
							return
						}
						conn.(*net.TCPConn).SetLinger(0)
						conn.Close()
					}
				}()
				defer func() { l.Close(); <-closed }()
			}
			for range 2 { // the second time it is known
				got := dial(t.Context(), e, Invite{Target: "sip:" + p.addr.String() + c.param, Offer: large()})
				inv := p.expect("INVITE")
				assert.Greater(t, len(inv.raw), maxOverUDP)
				assert.Contains(t, inv.get("Via"), "SIP/2.0/UDP")
				p.respond(inv, "486 Busy Here", reply{tag: "x"})
				p.expect("ACK")
				require.Error(t, receive(t, got).err)
			}
			assert.Equal(t, c.param == "", e.names.udpOnly.has(p.addr, time.Now()))
		})
	}
}

func TestASmallINVITEStaysOnUDP(t *testing.T) {
	e := start(t, Handler{})
	p, _ := both(t)
	got := dial(t.Context(), e, Invite{Target: "sip:" + p.addr.String()})
	inv := p.expect("INVITE")
	p.respond(inv, "486 Busy Here", reply{tag: "x"})
	p.expect("ACK")
	require.Error(t, receive(t, got).err)
}

func TestFarEndsThatKnowUDPOnlyAreForgottenInTheEnd(t *testing.T) {
	var u udpOnly
	now := time.Now()
	one := netip.MustParseAddrPort("192.0.2.1:5060")
	assert.False(t, u.has(one, now))
	u.add(one, now)
	assert.True(t, u.has(one, now.Add(udpOnlyFor-1)))
	assert.False(t, u.has(one, now.Add(udpOnlyFor)))
	for i := range 3 * maxUDPOnly {
		u.add(netip.AddrPortFrom(one.Addr(), uint16(i+1)), now)
	}
	assert.LessOrEqual(t, len(u.until), maxUDPOnly)
}
