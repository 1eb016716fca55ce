package media

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// arrival is one packet as the source sees it.
type arrival struct {
	from    string
	ssrc    uint32
	seq     uint16
	foreign bool // of a payload type that was not agreed
	believe bool
}

const (
	agreedFrom = "192.0.2.10:4000"
	otherPort  = "192.0.2.10:4002"
	behindNAT  = "198.51.100.7:61000"
	natOther   = "198.51.100.7:61002"
	stranger   = "203.0.113.66:4000"
)

func learn(far Far, arrivals []arrival) (got []bool, a *agreement) {
	a = agree(time.Now(), far, nil)
	var s source
	for _, x := range arrivals {
		p := &packet{ssrc: x.ssrc, seq: x.seq}
		got = append(got, s.accept(a, netip.MustParseAddrPort(x.from), p, !x.foreign))
	}
	return got, a
}

func TestOnlyTheAgreedOrLearnedSourceIsBelieved(t *testing.T) {
	far := Far{Addr: netip.MustParseAddrPort(agreedFrom), Signalled: netip.MustParseAddr("198.51.100.7"), Send: true}
	host := Far{Addr: netip.AddrPortFrom(netip.Addr{}, 4000), Signalled: far.Signalled, Send: true}
	held := far
	held.Addr = netip.AddrPortFrom(netip.IPv4Unspecified(), 4000)
	cases := map[string]struct {
		far      Far
		arrivals []arrival
		sendsTo  string // empty: nowhere
	}{
		"the agreed address at once": {far, []arrival{{agreedFrom, 1, 1, false, true}}, agreedFrom},
		"a stranger never": {far, []arrival{
			{stranger, 1, 1, false, false}, {stranger, 1, 2, false, false}, {stranger, 1, 3, false, false}, {stranger, 1, 4, false, false},
		}, agreedFrom},
		"another port of the same host after three in sequence": {far, []arrival{
			{otherPort, 1, 65535, false, false}, {otherPort, 1, 0, false, false}, {otherPort, 1, 1, false, true}, {otherPort, 1, 2, false, true},
		}, otherPort},
		"a NAT where the signalling comes from after three": {far, []arrival{
			{behindNAT, 1, 1, false, false}, {behindNAT, 1, 2, false, false}, {behindNAT, 1, 3, false, true},
		}, behindNAT},
		"not if one of the three is missing": {far, []arrival{
			{behindNAT, 1, 1, false, false}, {behindNAT, 1, 2, false, false}, {behindNAT, 1, 4, false, false}, {behindNAT, 1, 5, false, false}, {behindNAT, 1, 6, false, true},
		}, behindNAT},
		"not if they are of two SSRC": {far, []arrival{
			{behindNAT, 1, 1, false, false}, {behindNAT, 1, 2, false, false}, {behindNAT, 2, 3, false, false},
		}, agreedFrom},
		"not if they are from two ports": {far, []arrival{
			{behindNAT, 1, 1, false, false}, {natOther, 1, 2, false, false}, {behindNAT, 1, 3, false, false},
		}, agreedFrom},
		"not if they are of a type that was not agreed": {far, []arrival{
			{behindNAT, 1, 1, true, false}, {behindNAT, 1, 2, true, false}, {behindNAT, 1, 3, true, false}, {behindNAT, 1, 4, true, false},
		}, agreedFrom},
		"the agreed address ends the probation of another": {far, []arrival{
			{behindNAT, 1, 1, false, false}, {behindNAT, 1, 2, false, false}, {agreedFrom, 2, 1, false, true}, {behindNAT, 1, 3, false, false}, {behindNAT, 1, 4, false, false},
		}, agreedFrom},
		"after the lock the agreed address is a stranger too": {far, []arrival{
			{behindNAT, 1, 1, false, false}, {behindNAT, 1, 2, false, false}, {behindNAT, 1, 3, false, true}, {agreedFrom, 1, 4, false, false}, {behindNAT, 1, 4, false, true},
		}, behindNAT},
		"after the lock the SSRC may change": {far, []arrival{
			{agreedFrom, 1, 1, false, true}, {agreedFrom, 2, 900, false, true}, {behindNAT, 2, 901, false, false},
		}, agreedFrom},
		"a host name in the description: where the signalling comes from": {host, []arrival{
			{agreedFrom, 1, 1, false, false}, {behindNAT, 1, 1, false, false}, {behindNAT, 1, 2, false, false}, {behindNAT, 1, 3, false, true},
		}, behindNAT},
		"held by an unspecified address: heard, but sent nowhere": {held, []arrival{
			{behindNAT, 1, 1, false, false}, {behindNAT, 1, 2, false, false}, {behindNAT, 1, 3, false, true},
		}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, a := learn(c.far, c.arrivals)
			for i, x := range c.arrivals {
				assert.Equal(t, x.believe, got[i], "arrival %d from %s", i, x.from)
			}
			if c.sendsTo != "" {
				require.Equal(t, newTarget(netip.MustParseAddrPort(c.sendsTo)), *a.destination())
				return
			}
			assert.Nil(t, a.destination())
		})
	}
}

func TestALaterAgreementKeepsOrForgetsTheSource(t *testing.T) {
	far := Far{Addr: netip.MustParseAddrPort(agreedFrom), Signalled: netip.MustParseAddr("198.51.100.7"), Send: true, Receive: true}
	nat, seq := netip.MustParseAddrPort(behindNAT), uint16(0)
	var s source
	hear := func(a *agreement, from netip.AddrPort) bool {
		seq++
		return s.accept(a, from, &packet{ssrc: 1, seq: seq}, true)
	}
	first := agree(time.Now(), far, nil)
	hear(first, nat)
	hear(first, nat)
	require.True(t, hear(first, nat))

	assert.Same(t, first, agree(time.Now(), far, first), "the same description again changes nothing")

	hold := far
	hold.Send = false
	held := agree(time.Now(), hold, first)
	assert.Nil(t, held.destination())
	assert.True(t, hear(held, nat), "the same address: the source stays")
	resumed := agree(time.Now(), far, held)
	assert.Equal(t, nat, resumed.destination().addr)

	far.Addr = netip.MustParseAddrPort("192.0.2.99:5000")
	moved := agree(time.Now(), far, resumed)
	assert.Equal(t, far.Addr, moved.destination().addr)
	assert.False(t, hear(moved, nat), "another address: learned anew")
	assert.True(t, hear(moved, far.Addr))
	assert.False(t, hear(moved, netip.MustParseAddrPort(agreedFrom)))
}

func TestARoundLetsTheSourceBeLearnedAnew(t *testing.T) {
	far := Far{Addr: netip.MustParseAddrPort(agreedFrom), Signalled: netip.MustParseAddr("198.51.100.7"), Send: true, Receive: true, Round: 1}
	for name, c := range map[string]struct {
		arrivals []arrival // the last three of the round before are those of the NAT
		sendsTo  string
	}{
		"nothing came yet: where it was":           {nil, behindNAT},
		"the NAT has kept it: believed at once":    {[]arrival{{behindNAT, 1, 4, false, true}, {natOther, 1, 5, false, false}}, behindNAT},
		"the NAT has moved it: after three":        {[]arrival{{natOther, 1, 4, false, false}, {natOther, 1, 5, false, false}, {natOther, 1, 6, false, true}, {behindNAT, 1, 7, false, false}}, natOther},
		"no NAT any more: the agreed one, at once": {[]arrival{{agreedFrom, 1, 4, false, true}, {behindNAT, 1, 5, false, false}}, agreedFrom},
		"a stranger is none the less one":          {[]arrival{{stranger, 1, 4, false, false}, {stranger, 1, 5, false, false}, {stranger, 1, 6, false, false}}, behindNAT},
		"what was not agreed moves nothing":        {[]arrival{{behindNAT, 1, 4, true, true}, {natOther, 1, 4, false, false}, {natOther, 1, 5, false, false}, {natOther, 1, 6, false, true}}, natOther},
	} {
		t.Run(name, func(t *testing.T) {
			var s source
			first := agree(time.Now(), far, nil)
			for seq := range uint16(3) {
				s.accept(first, netip.MustParseAddrPort(behindNAT), &packet{ssrc: 1, seq: seq + 1}, true)
			}
			require.Equal(t, behindNAT, first.destination().addr.String())
			later := far
			later.Round++
			second := agree(time.Now(), later, first)
			for i, x := range c.arrivals {
				got := s.accept(second, netip.MustParseAddrPort(x.from), &packet{ssrc: x.ssrc, seq: x.seq}, !x.foreign)
				assert.Equal(t, x.believe, got, "arrival %d from %s", i, x.from)
			}
			assert.Equal(t, c.sendsTo, second.destination().addr.String())
			assert.Equal(t, behindNAT, first.destination().addr.String(), "the round before is as it was")
		})
	}
}

func TestAddressesThatMediaMustNotGoTo(t *testing.T) {
	lan := netip.MustParseAddr("192.0.2.1")
	cases := map[string]struct {
		addr   string
		bound  netip.Addr
		reason string // empty: usable
	}{
		"a host":                       {"198.51.100.7:4000", lan, ""},
		"an IPv6 host":                 {"[2001:db8::7]:4000", netip.MustParseAddr("2001:db8::1"), ""},
		"IPv4 written as IPv6":         {"[::ffff:198.51.100.7]:4000", lan, ""},
		"loopback when we are on it":   {"127.0.0.1:4000", loopback(), ""},
		"loopback, bound to all":       {"127.0.0.1:4000", netip.IPv4Unspecified(), ""},
		"a host, bound not known":      {"198.51.100.7:4000", netip.Addr{}, ""},
		"port 0":                       {"198.51.100.7:0", lan, "port 0"},
		"unspecified":                  {"0.0.0.0:4000", lan, "unspecified"},
		"multicast":                    {"224.0.0.5:4000", lan, "multicast"},
		"IPv6 multicast":               {"[ff02::1]:4000", netip.IPv6Loopback(), "multicast"},
		"broadcast":                    {"255.255.255.255:4000", lan, "broadcast"},
		"broadcast written as IPv6":    {"[::ffff:255.255.255.255]:4000", lan, "broadcast"},
		"link-local (cloud metadata)":  {"169.254.169.254:80", lan, "link-local"},
		"IPv6 link-local":              {"[fe80::1]:4000", netip.IPv6Loopback(), "link-local"},
		"the other family":             {"[2001:db8::7]:4000", lan, "address family"},
		"loopback when we are not":     {"127.0.0.1:6379", lan, "loopback"},
		"loopback written as IPv6":     {"[::ffff:127.0.0.1]:6379", lan, "loopback"},
		"another loopback host, lan":   {"127.8.8.8:6379", lan, "loopback"},
		"IPv6 loopback when we are no": {"[::1]:6379", netip.MustParseAddr("2001:db8::1"), "loopback"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := UsableFar(netip.MustParseAddrPort(c.addr), c.bound)
			if c.reason == "" {
				assert.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrUnusableFar)
			assert.ErrorContains(t, err, c.reason)
		})
	}
	assert.ErrorContains(t, UsableFar(netip.AddrPort{}, lan), "no address")
}
