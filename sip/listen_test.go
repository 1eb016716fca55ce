package sip

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListenRefusesWhatItCannotName(t *testing.T) {
	checkLeaks(t)
	tests := map[string]string{
		"":                       "want \"udp:ADDRESS:PORT\"",
		"127.0.0.1:5060":         "want \"udp:ADDRESS:PORT\"",
		"tls:127.0.0.1:5061":     "no certificate",
		"ws:127.0.0.1:5061":      "want \"udp:ADDRESS:PORT\"",
		"udp:localhost:5060":     "not an IP address",
		"udp:127.0.0.1":          "not an IP address",
		"udp:127.0.0.1:99999":    "not an IP address",
		"udp:0.0.0.0:5060":       "not the wildcard",
		"tcp:[::]:5060":          "not the wildcard",
		"udp:[::ffff:0.0.0.0]:0": "not the wildcard",
		"udp:224.0.0.1:5060":     "multicast",
		"udp:[fe80::1%lo]:5060":  "zone",
		"udp:203.0.113.1:0":      "listen on",
	}
	for addr, want := range tests {
		_, err := Listen(Config{Listen: []string{addr}})
		require.ErrorContains(t, err, want, addr)
		assert.ErrorContains(t, err, addr)
	}
	_, err := Listen(Config{})
	require.ErrorContains(t, err, "no address")
	_, err = Listen(Config{Listen: []string{"udp:127.0.0.1:0"}, UserAgent: "a\nb"})
	require.ErrorContains(t, err, "control character")
}

func TestListenBindsEverythingOrNothing(t *testing.T) {
	checkLeaks(t)
	taken, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer taken.Close()
	free, err := Listen(Config{Listen: []string{"tcp:127.0.0.1:0"}})
	require.NoError(t, err)
	addr := "tcp:" + free.Addrs()[0].AddrPort.String()
	require.NoError(t, free.Close())
	_, err = Listen(Config{Listen: []string{addr, "udp:" + taken.LocalAddr().String()}})
	require.ErrorContains(t, err, taken.LocalAddr().String())
	again, err := Listen(Config{Listen: []string{addr}})
	require.NoError(t, err, "the first address was given back")
	require.NoError(t, again.Close())
	require.NoError(t, again.Close())
}

func TestAddrsAreThoseOfTheConfigInOrder(t *testing.T) {
	checkLeaks(t)
	e, err := Listen(Config{Listen: []string{"tcp:127.0.0.1:0", "udp:127.0.0.1:0", "udp:[::1]:0"}})
	require.NoError(t, err)
	defer e.Close()
	addrs := e.Addrs()
	require.Len(t, addrs, 3)
	assert.Equal(t, "tcp", addrs[0].Transport)
	assert.Equal(t, "udp", addrs[1].Transport)
	assert.Equal(t, netip.MustParseAddr("::1"), addrs[2].AddrPort.Addr())
	for _, a := range addrs {
		assert.Positive(t, a.AddrPort.Port())
	}
}

func TestAnEndpointIsServedOnceAndDialsOnlyMeanwhile(t *testing.T) {
	checkLeaks(t)
	e, err := Listen(Config{Listen: []string{"udp:127.0.0.1:0"}, T1: testT1})
	require.NoError(t, err)
	inv := Invite{Target: "sip:127.0.0.1:9", Offer: []byte(testOffer)}
	_, err = e.Dial(t.Context(), inv)
	require.ErrorIs(t, err, ErrNotServing)
	_, err = e.Options(t.Context(), inv.Target)
	require.ErrorIs(t, err, ErrNotServing)
	require.ErrorContains(t, e.Serve(t.Context(), Handler{}), "without Handler.Invite")

	h := Handler{Invite: func(context.Context, *Incoming) {}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, e.Serve(ctx, h))
	require.ErrorIs(t, e.Serve(t.Context(), h), ErrNotServing)
	_, err = e.Dial(t.Context(), inv)
	require.ErrorIs(t, err, ErrNotServing)
	require.NoError(t, e.Close())
}

func TestASocketThatBreaksEndsServe(t *testing.T) {
	checkLeaks(t)
	e, err := Listen(Config{Listen: []string{"udp:127.0.0.1:0", "tcp:127.0.0.1:0"}, T1: testT1})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- e.Serve(context.Background(), Handler{Invite: func(context.Context, *Incoming) {}}) }()
	receive(t, e.Serving())
	require.NoError(t, e.sockets[1].conns.Listener.Close())
	require.ErrorContains(t, receive(t, served), "tcp "+e.Addrs()[1].AddrPort.String())
}

func TestCallsOverIPv6(t *testing.T) {
	if c, err := net.ListenPacket("udp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 loopback here")
	} else {
		_ = c.Close()
	}
	v6 := func(c *Config) { c.Listen = []string{"udp:[::1]:0", "tcp:[::1]:0"} }
	each(t, func(t *testing.T, transport string) {
		h, legs, _ := answering(InDialog{})
		b, a := start(t, h, v6), start(t, Handler{}, v6)
		d := receive(t, dial(t.Context(), a, Invite{Target: "sip:" + b.first(transport).String() + ";transport=" + transport}))
		require.NoError(t, d.err)
		callee := receive(t, legs)
		require.NoError(t, callee.Bye(t.Context(), ""))
		ended(t, d.leg.Context())
	})
}

func TestOfTwoUDPSocketsEachAnswersForItself(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h, func(c *Config) { c.Listen = []string{"udp:127.0.0.1:0", "udp:127.0.0.1:0"} })
	p := udpPeer(t)
	first, second := e.Addrs()[0].AddrPort, e.Addrs()[1].AddrPort
	for i, to := range []netip.AddrPort{first, second, first, second} {
		p.request(to, request{method: "OPTIONS", callID: newToken()})
		assert.Equal(t, to, p.expect("SIP/2.0 200").from, i)
	}
	ok := p.call(second, request{})
	assert.Equal(t, second, ok.from)
	assert.Contains(t, ok.get("Contact"), second.String())
	leg := receive(t, legs)
	done := make(chan error, 1)
	go func() { done <- leg.Bye(context.Background(), "") }()
	bye := p.until("BYE")
	assert.Equal(t, second, bye.from)
	p.respond(bye, "200 OK", reply{})
	require.NoError(t, receive(t, done))
}
