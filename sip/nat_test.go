package sip

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// behind makes a message of a peer say that its sender is at another address: in
// Via, in Contact or in both.
func (p *peer) behind(text, via, contact string) string {
	text = strings.Replace(text, "SIP/2.0/UDP "+p.addr.String(), "SIP/2.0/UDP "+via, 1)
	return edit(text, "Contact", "Contact: <sip:caller@"+contact+">")
}

// natted calls from behind a NAT and returns the answer.
func (p *peer) natted(to netip.AddrPort, text string) received {
	p.send(to, text)
	ok := p.until("SIP/2.0 200")
	p.send(to, edit(strings.Replace(edit(text, "INVITE", "ACK sip:x@127.0.0.1 SIP/2.0"), "To: <sip:+31205550123@127.0.0.1>", "To: "+ok.get("To"), 1), "CSeq", "CSeq: 1 ACK"))
	return ok
}

func TestRequestsFindWhoIsBehindANAT(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	ok := p.natted(e.udp(), p.behind(p.text(request{method: "INVITE", callID: newToken(), body: testOffer}), "10.1.2.3:5060;rport", "10.1.2.3:5060"))
	leg := receive(t, legs)
	go leg.Bye(t.Context(), "")
	bye := p.until("BYE")
	assert.Contains(t, bye.raw, "BYE sip:caller@10.1.2.3:5060 SIP/2.0", "the caller knows itself by its own address")
	assert.Equal(t, ok.get("Call-ID"), bye.get("Call-ID"))
	p.respond(bye, "200 OK", reply{})
	<-leg.Context().Done()
}

func TestWhoMovesBehindItsNATIsFoundAgain(t *testing.T) {
	h, legs, _ := answering(InDialog{Offer: func([]byte) ([]byte, error) { return []byte(testAnswer), nil }})
	e := start(t, h)
	p, moved := udpPeer(t), udpPeer(t)
	ok := p.natted(e.udp(), p.behind(p.text(request{method: "INVITE", callID: "moves", body: testOffer}), "10.1.2.3:5060;rport", "10.1.2.3:5060"))
	leg := receive(t, legs)
	text := moved.behind(moved.text(request{method: "UPDATE", callID: "moves", seq: 2, toTag: ok.tag("To")}), "10.1.2.3:5060;rport", "10.1.2.3:5060")
	moved.send(e.udp(), text)
	moved.until("SIP/2.0 200")
	go leg.Bye(t.Context(), "")
	moved.respond(moved.until("BYE"), "200 OK", reply{})
	<-leg.Context().Done()
}

func TestWhoIsBehindANATIsPinged(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h, func(c *Config) { c.KeepAlive = 10 * time.Millisecond })
	p := udpPeer(t)
	p.natted(e.udp(), p.behind(p.text(request{method: "INVITE", callID: newToken(), body: testOffer}), "10.1.2.3:5060;rport", "10.1.2.3:5060"))
	leg := receive(t, legs)
	m, came := p.next(10 * time.Second)
	require.True(t, came)
	assert.Equal(t, ping, m.raw)
	assert.NoError(t, leg.Context().Err())
}
