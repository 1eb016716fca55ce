package sip

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatIsAdvertisedStandsInViaContactAndFrom(t *testing.T) {
	for _, c := range []struct{ advertise, host, contact string }{
		{"203.0.113.10", "203.0.113.10", "203.0.113.10:PORT"},
		{"203.0.113.10:5070", "203.0.113.10", "203.0.113.10:5070"},
		{"gw.example.com", "gw.example.com", "gw.example.com:PORT"},
		{"[2001:db8::1]:5070", "[2001:db8::1]", "[2001:db8::1]:5070"},
	} {
		t.Run(c.advertise, func(t *testing.T) {
			h, legs, _ := answering(InDialog{})
			e := start(t, h, func(cfg *Config) { cfg.Advertise = c.advertise })
			where := func(at netip.AddrPort) string {
				return strings.Replace(c.contact, "PORT", at.String()[strings.LastIndexByte(at.String(), ':')+1:], 1)
			}
			p := udpPeer(t)
			ok := p.call(e.udp(), request{callID: "in"})
			assert.Contains(t, ok.get("Contact"), "sip:"+where(e.udp()))
			leg := receive(t, legs)
			done := make(chan error, 1)
			go func() { done <- leg.Bye(t.Context(), "") }()
			bye := p.expect("BYE")
			assert.Contains(t, bye.get("Via"), "SIP/2.0/UDP "+where(e.udp())+";")
			p.respond(bye, "200 OK", reply{})
			require.NoError(t, receive(t, done))

			got := dial(t.Context(), e, Invite{Target: p.target()})
			inv := p.expect("INVITE")
			assert.Contains(t, inv.get("Via"), "SIP/2.0/UDP "+where(e.udp())+";")
			assert.Contains(t, inv.get("Contact"), "sip:"+where(e.udp()))
			assert.Contains(t, inv.get("From"), "@"+c.host+">")
			assert.NotContains(t, inv.raw, e.udp().String()+";", "the address that is bound is nobody's business")
			p.respond(inv, "486 Busy Here", reply{tag: "x"})
			p.expect("ACK")
			require.Error(t, receive(t, got).err)
		})
	}
}

func TestWhatCannotBeAdvertisedIsRefused(t *testing.T) {
	for _, text := range []string{"sip:host", "a b", "0.0.0.0", "[::]", "2001:db8::1", "host:99999", "[1.2.3.4]", "user@host", "host;lr", "fe80::1%eth0", "-x-."} {
		_, err := Listen(Config{Listen: []string{"udp:127.0.0.1:0"}, Advertise: text})
		assert.ErrorContains(t, err, "advertise", text)
	}
}

// A far end behind a NAT names an address of its own network in its Via, with
// rport or without. The answer goes back to where the request came from.
func TestAnswersGoBackToWhereTheRequestCameFrom(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	for _, via := range []string{"10.1.2.3:5060;rport", "10.1.2.3:5060", "10.1.2.3"} {
		t.Run(via, func(t *testing.T) {
			p := udpPeer(t)
			text := strings.Replace(p.text(request{method: "INVITE", callID: newToken(), body: testOffer}), "UDP "+p.addr.String(), "UDP "+via, 1)
			p.send(e.udp(), text)
			ok := p.until("SIP/2.0 200")
			assert.Contains(t, ok.get("Via"), "received=127.0.0.1")
			p.send(e.udp(), edit(strings.Replace(edit(text, "INVITE", "ACK sip:x@127.0.0.1 SIP/2.0"), "To: <sip:+31205550123@127.0.0.1>", "To: "+ok.get("To"), 1), "CSeq", "CSeq: 1 ACK"))
			leg := receive(t, legs)
			go leg.Bye(t.Context(), "")
			p.respond(p.until("BYE"), "200 OK", reply{})
			<-leg.Context().Done()
		})
	}
}
