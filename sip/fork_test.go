package sip

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTrap03CancelCrossing200IsAckedAndReleased(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	hurry := errors.New("the caller hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	got := dial(ctx, e, Invite{Target: p.target()})
	inv := p.expect("INVITE")
	p.respond(inv, "180 Ringing", reply{tag: "callee"})
	cancelReq := make(chan struct{})
	go func() { defer close(cancelReq); cancel(hurry) }()
	c := p.expect("CANCEL")
	require.ErrorIs(t, receive(t, got).err, hurry)
	p.respond(c, "200 OK", reply{tag: "callee"})
	p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer}) // crossed
	ack := p.expect("ACK")
	assert.Equal(t, "callee", ack.tag("To"))
	bye := p.expect("BYE")
	assert.Equal(t, "2 BYE", bye.get("CSeq"))
	p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer})
	assert.Equal(t, ack.raw, p.expect("ACK").raw, "and again for each repetition")
	p.respond(bye, "200 OK", reply{})
	p.silent()
	<-cancelReq
}

func TestTrap04CancelIsBuiltFromTheInviteAlone(t *testing.T) {
	e := start(t, Handler{})
	p, hostile := udpPeer(t), udpPeer(t)
	ctx, cancel := context.WithCancel(t.Context())
	got := dial(ctx, e, Invite{Target: p.target()})
	inv := p.expect("INVITE")
	p.respond(inv, "180 Ringing", reply{tag: "callee", headers: []string{"Record-Route: <sip:" + hostile.addr.String() + ";lr>"}})
	p.silent() // the 180 is there before the cancel
	cancel()
	c := p.expect("CANCEL")
	require.ErrorIs(t, receive(t, got).err, context.Canceled)
	_, uri, _ := strings.Cut(inv.start, " ")
	assert.Equal(t, "CANCEL "+uri, c.start)
	assert.Equal(t, inv.get("Via"), c.get("Via"))
	assert.Equal(t, inv.get("From"), c.get("From"))
	assert.Equal(t, inv.get("To"), c.get("To"))
	assert.Equal(t, "1 CANCEL", c.get("CSeq"))
	assert.Empty(t, c.all("Route"))
	p.respond(c, "200 OK", reply{tag: "callee"})
	p.respond(inv, "487 Request Terminated", reply{tag: "callee"})
	ack := p.expect("ACK")
	assert.Equal(t, inv.branch(), ack.branch())
	hostile.silent()
}

func TestNoCancelBeforeAProvisionalResponse(t *testing.T) {
	tests := map[string]func(p *peer, inv received){
		"a late 180 is cancelled": func(p *peer, inv received) {
			p.respond(inv, "180 Ringing", reply{tag: "callee"})
			c := p.expect("CANCEL")
			p.respond(c, "200 OK", reply{})
			p.respond(inv, "487 Request Terminated", reply{tag: "callee"})
			assert.Equal(p.t, inv.branch(), p.expect("ACK").branch())
		},
		"a late 200 is acknowledged and released": func(p *peer, inv received) {
			p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer})
			p.expect("ACK")
			p.respond(p.expect("BYE"), "200 OK", reply{})
		},
		"a late refusal is acknowledged": func(p *peer, inv received) {
			p.respond(inv, "486 Busy Here", reply{tag: "callee"})
			ack := p.expect("ACK")
			assert.Equal(p.t, inv.branch(), ack.branch())
			assert.Equal(p.t, "callee", ack.tag("To"))
			p.respond(inv, "486 Busy Here", reply{tag: "callee"})
			p.expect("ACK")
		},
		"nothing comes": func(*peer, received) {},
	}
	for name, after := range tests {
		t.Run(name, func(t *testing.T) {
			e := start(t, Handler{})
			p := udpPeer(t)
			ctx, cancel := context.WithCancel(t.Context())
			got := dial(ctx, e, Invite{Target: p.target()})
			inv := p.expect("INVITE")
			cancel()
			require.ErrorIs(t, receive(t, got).err, context.Canceled)
			p.silent()
			after(p, inv)
			p.silent()
		})
	}
}

func TestTrap10EveryOtherForkIsAckedAndReleased(t *testing.T) {
	e := start(t, Handler{})
	p, q := udpPeer(t), udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target()})
	inv := p.expect("INVITE")
	p.respond(inv, "200 OK", reply{tag: "f1", body: testAnswer})
	first := p.expect("ACK")
	p.respond(inv, "200 OK", reply{tag: "f1", body: testAnswer})
	assert.Equal(t, first.raw, p.expect("ACK").raw, "a repeated 2xx gets the same ACK")
	d := receive(t, got)
	require.NoError(t, d.err)

	// The second fork has a Contact and a route of its own.
	other := reply{tag: "f2", body: testAnswer, noContact: true,
		headers: []string{"Contact: <sip:10.0.0.9>", "Record-Route: <sip:" + q.addr.String() + ";lr>"}}
	p.respond(inv, "200 OK", other)
	ack := q.expect("ACK sip:10.0.0.9")
	assert.Equal(t, "f2", ack.tag("To"))
	assert.Equal(t, "1 ACK", ack.get("CSeq"))
	bye := q.expect("BYE sip:10.0.0.9")
	assert.Equal(t, "f2", bye.tag("To"))
	p.respond(inv, "200 OK", other)
	assert.Equal(t, ack.raw, q.expect("ACK").raw)
	q.respond(bye, "200 OK", reply{})
	q.silent()
	p.silent()
	require.NoError(t, d.leg.Context().Err())
	p.respondToBye(d.leg)
}

func TestTrap05TheACKKeepsTheCSeqOfItsInvite(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target(), InDialog: InDialog{}})
	inv := p.expect("INVITE")
	p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer})
	p.expect("ACK")
	d := receive(t, got)
	go func() { _, _ = d.leg.Info(context.Background(), "application/dtmf", []byte("1")) }()
	info := p.expect("INFO")
	assert.Equal(t, "2 INFO", info.get("CSeq"))
	p.respond(info, "200 OK", reply{})
	p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer})
	assert.Equal(t, "1 ACK", p.expect("ACK").get("CSeq"))
	p.respondToBye(d.leg)
}

func TestServeThatEndsCancelsWhatRings(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target()})
	inv := p.expect("INVITE")
	p.respond(inv, "180 Ringing", reply{tag: "callee"})
	p.silent()
	e.stop()
	c := p.expect("CANCEL")
	require.ErrorIs(t, receive(t, got).err, ErrNotServing)
	p.respond(c, "200 OK", reply{})
	p.respond(inv, "487 Request Terminated", reply{tag: "callee"})
	p.expect("ACK")
}

func TestTrap16AFailedDialLeavesNoTransactionThatBlocks(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target(), FirstResponse: testT1})
	inv := p.expect("INVITE")
	require.ErrorIs(t, receive(t, got).err, ErrSilent)
	for range 5 { // nobody reads these from the transaction: the leak check is the test
		p.respond(inv, "503 Service Unavailable", reply{tag: "x"})
		p.expect("ACK")
	}
}
