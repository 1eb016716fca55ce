package sip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A fakeResolver answers from tables, and notes what it was asked.
type fakeResolver struct {
	mu    sync.Mutex
	srv   map[string][]*net.SRV // by "_sip._udp.example"
	hosts map[string][]netip.Addr
	asked []string
	down  bool
}

func (r *fakeResolver) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := "_" + service + "._" + proto + "." + name
	r.asked = append(r.asked, key)
	if records, ok := r.srv[key]; ok && !r.down {
		return key, records, nil
	}
	return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (r *fakeResolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, host)
	if ips, ok := r.hosts[host]; ok && !r.down {
		return ips, nil
	}
	return nil, &net.DNSError{Err: "server misbehaving", Name: host}
}

func (r *fakeResolver) resolve(c *Config) { c.Resolver = r }

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// at is a UDP peer on a loopback address and a port.
func at(t *testing.T, addr netip.Addr, port uint16) *peer {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, port)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &peer{t: t, network: "UDP", addr: c.LocalAddr().(*net.UDPAddr).AddrPort(), packets: c}
}

func TestTargetsAreLookedUpAsServices(t *testing.T) {
	r := &fakeResolver{
		srv: map[string][]*net.SRV{
			"_sip._udp.both.example":  {{Target: "a.example.", Port: 5070}, {Target: "b.example", Port: 5071}, {Target: "bad name.", Port: 1}, {Target: "c.example.", Port: 0}},
			"_sip._tcp.both.example":  {{Target: "a.example.", Port: 5072}},
			"_sip._tcp.tcp.example":   {{Target: "b.example.", Port: 5073}},
			"_sips._tcp.both.example": {{Target: "a.example.", Port: 5074}},
			"_sip._udp.none.example":  {{Target: "."}},
			"_sip._udp.gone.example":  {{Target: "nowhere.example.", Port: 1}, {Target: "b.example.", Port: 2}},
		},
		hosts: map[string][]netip.Addr{
			"a.example": {ip("127.0.0.1"), ip("::1"), ip("127.0.0.2")}, "b.example": {ip("::ffff:127.0.0.3")},
			"plain.example": {ip("127.0.0.4")}, "six.example": {ip("2001:db8::1")}, "empty.example": {},
		},
	}
	checkLeaks(t)
	a := newAuthority(t)
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertNone)), r.resolve)
	for target, want := range map[string]struct {
		transport string
		dests     []string
		failure   string
	}{
		"sip:both.example":               {"udp", []string{"127.0.0.1:5070", "127.0.0.2:5070", "127.0.0.3:5071"}, ""},
		"sip:both.example;transport=tcp": {"tcp", []string{"127.0.0.1:5072", "127.0.0.2:5072"}, ""},
		"sip:both.example;transport=tls": {"tls", []string{"127.0.0.1:5074", "127.0.0.2:5074"}, ""},
		"sips:both.example":              {"tls", []string{"127.0.0.1:5074", "127.0.0.2:5074"}, ""},
		"sip:tcp.example":                {"tcp", []string{"127.0.0.3:5073"}, ""},
		"sip:plain.example":              {"udp", []string{"127.0.0.4:5060"}, ""},
		"sips:plain.example":             {"tls", []string{"127.0.0.4:5061"}, ""},
		"sip:a.example:6000":             {"udp", []string{"127.0.0.1:6000", "127.0.0.2:6000"}, ""},
		"sip:192.0.2.1":                  {"udp", []string{"192.0.2.1:5060"}, ""},
		"sip:gone.example":               {"udp", []string{"127.0.0.3:2"}, ""},
		"sip:none.example":               {"", nil, "no such service"},
		"sip:unknown.example":            {"", nil, "name lookup failed"},
		"sip:six.example":                {"", nil, "no udp address to send from"},
		"sip:empty.example":              {"", nil, "no address"},
	} {
		t.Run(target, func(t *testing.T) {
			parsed, err := parseTarget(target)
			require.NoError(t, err)
			hops, err := e.hops(t.Context(), parsed, nil)
			if want.failure != "" {
				require.ErrorIs(t, err, ErrUnreachable)
				require.ErrorContains(t, err, want.failure)
				return
			}
			require.NoError(t, err)
			var dests []string
			for _, h := range hops {
				assert.Equal(t, want.transport, h.stack.transport)
				dests = append(dests, h.dest.String())
			}
			assert.Equal(t, want.dests, dests)
		})
	}
}

func TestATargetWithAPortIsNoService(t *testing.T) {
	r := &fakeResolver{hosts: map[string][]netip.Addr{"a.example": {ip("127.0.0.1")}}}
	e := start(t, Handler{}, r.resolve)
	parsed, err := parseTarget("sip:a.example:5060")
	require.NoError(t, err)
	_, err = e.hops(t.Context(), parsed, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"a.example"}, r.asked)
}

func TestAtMostEightAddressesAreTried(t *testing.T) {
	r := &fakeResolver{hosts: map[string][]netip.Addr{}}
	for i := range 20 {
		r.hosts["many.example"] = append(r.hosts["many.example"], netip.AddrFrom4([4]byte{127, 0, 0, byte(i + 1)}))
	}
	e := start(t, Handler{}, r.resolve)
	hops, err := e.hops(t.Context(), target{host: "many.example", port: 1, transport: "udp", ported: true}, nil)
	require.NoError(t, err)
	assert.Len(t, hops, maxHops)
}

func TestTheRequestURIOfADomainHasNoPort(t *testing.T) {
	p := udpPeer(t)
	r := &fakeResolver{
		srv:   map[string][]*net.SRV{"_sip._udp.pbx.example": {{Target: "host.example.", Port: p.addr.Port()}}},
		hosts: map[string][]netip.Addr{"host.example": {p.addr.Addr()}},
	}
	e := start(t, Handler{}, r.resolve)
	got := dial(t.Context(), e, Invite{Target: "sip:pbx.example", Called: "agent"})
	inv := p.expect("INVITE sip:agent@pbx.example SIP/2.0")
	p.respond(inv, "486 Busy Here", reply{tag: "x"})
	require.ErrorContains(t, receive(t, got).err, "486")
}

func TestTheNextAddressIsTriedWhereThereIsNobody(t *testing.T) {
	for name, tt := range map[string]struct {
		first func(t *testing.T, p *peer)
		next  bool
	}{
		"who says nothing":      {func(_ *testing.T, p *peer) { p.expect("INVITE") }, true},
		"who is out of service": {func(_ *testing.T, p *peer) { p.respond(p.expect("INVITE"), "503 Service Unavailable", reply{tag: "x"}) }, true},
		"but not who is busy":   {func(_ *testing.T, p *peer) { p.respond(p.expect("INVITE"), "486 Busy Here", reply{tag: "x"}) }, false},
		"but not who only rings": {func(_ *testing.T, p *peer) {
			inv := p.expect("INVITE")
			p.respond(inv, "180 Ringing", reply{tag: "x"})
			p.respond(inv, "503 Service Unavailable", reply{tag: "x"})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := udpPeer(t)
			b := at(t, ip("127.0.0.2"), a.addr.Port())
			r := &fakeResolver{hosts: map[string][]netip.Addr{"two.example": {a.addr.Addr(), b.addr.Addr()}}}
			e := start(t, Handler{}, r.resolve)
			got := dial(t.Context(), e, Invite{Target: "sip:two.example:" + portOf(a), FirstResponse: 3 * testT1})
			tt.first(t, a)
			if !tt.next {
				require.Error(t, receive(t, got).err)
				b.silent()
				return
			}
			inv := b.expect("INVITE")
			b.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer})
			b.expect("ACK")
			leg := receive(t, got).leg
			require.NotNil(t, leg)
			go func() { _ = leg.Bye(context.Background(), "") }()
			b.respond(b.expect("BYE"), "200 OK", reply{})
		})
	}
}

func portOf(p *peer) string {
	_, port, _ := net.SplitHostPort(p.addr.String())
	return port
}

func TestTheNextAddressIsTriedIfAConnectionIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.2:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r := &fakeResolver{hosts: map[string][]netip.Addr{"two.example": {ip("127.0.0.3"), ip("127.0.0.2")}}}
	e := start(t, Handler{}, r.resolve)
	got := dial(t.Context(), e, Invite{Target: "sip:two.example:" + port + ";transport=tcp"})
	c, err := l.Accept()
	require.NoError(t, err)
	p := tcpPeer(t, c)
	p.respond(p.expect("INVITE"), "486 Busy Here", reply{tag: "x"})
	p.expect("ACK")
	require.ErrorContains(t, receive(t, got).err, "486")

	asked := make(chan error, 1)
	go func() { _, err := e.Options(t.Context(), "sip:two.example:"+port+";transport=tcp"); asked <- err }()
	p.respond(p.expect("OPTIONS"), "200 OK", reply{tag: "x"})
	require.NoError(t, receive(t, asked))
}

// A late answer of the first address is acknowledged and released.
func TestALateAnswerOfAnAddressThatWasGivenUpIsReleased(t *testing.T) {
	a := udpPeer(t)
	b := at(t, ip("127.0.0.2"), a.addr.Port())
	r := &fakeResolver{hosts: map[string][]netip.Addr{"two.example": {a.addr.Addr(), b.addr.Addr()}}}
	e := start(t, Handler{}, r.resolve)
	got := dial(t.Context(), e, Invite{Target: "sip:two.example:" + portOf(a), FirstResponse: 2 * testT1})
	late := a.expect("INVITE")
	inv := b.expect("INVITE")
	assert.Equal(t, late.get("Call-ID"), inv.get("Call-ID"))
	assert.NotEqual(t, late.tag("From"), inv.tag("From"), "a dialog of its own")
	a.respond(late, "200 OK", reply{tag: "late", body: testAnswer})
	a.until("ACK")
	a.respond(a.until("BYE"), "200 OK", reply{})
	b.respond(inv, "486 Busy Here", reply{tag: "x"})
	require.ErrorContains(t, receive(t, got).err, "486")
}

func TestFault51ATargetIsCalledWhereItWasWhileTheResolverIsDown(t *testing.T) {
	p := udpPeer(t)
	r := &fakeResolver{hosts: map[string][]netip.Addr{"pbx.example": {p.addr.Addr()}}}
	e := start(t, Handler{}, r.resolve)
	for _, down := range []bool{false, true} {
		r.mu.Lock()
		r.down = down
		r.mu.Unlock()
		got := dial(t.Context(), e, Invite{Target: "sip:PBX.example:" + portOf(p)})
		if !down {
			require.ErrorIs(t, receive(t, got).err, ErrUnreachable, "the fake knows lower case only")
			got = dial(t.Context(), e, Invite{Target: "sip:pbx.example:" + portOf(p)})
		}
		p.respond(p.expect("INVITE"), "486 Busy Here", reply{tag: "x"})
		p.expect("ACK")
		require.ErrorContains(t, receive(t, got).err, "486")
	}
	_, err := e.Dial(t.Context(), Invite{Target: "sip:never.example", Offer: []byte(testOffer)})
	require.ErrorContains(t, err, "name lookup failed")
	assert.NotContains(t, err.Error(), "never.example")
}

func TestWhatIsRememberedOfNamesIsBounded(t *testing.T) {
	var n names
	n.setUp(answersAll{})
	for i := range 2 * maxRemembered {
		_, err := n.addresses(t.Context(), newToken()+string(rune('a'+i%26)), true)
		require.NoError(t, err)
	}
	assert.Len(t, n.last, maxRemembered)
	_, err := n.addresses(t.Context(), "stranger.example", false)
	require.NoError(t, err)
	assert.NotContains(t, n.last, "stranger.example")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	_, err = n.addresses(ctx, "x", true)
	require.ErrorContains(t, err, "enough")
}

type answersAll struct{}

func (answersAll) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", nil, nil
}

func (answersAll) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
}
