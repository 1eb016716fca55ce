package sip

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestARefusedTCPConnectionIsUnreachable(t *testing.T) {
	e := start(t, Handler{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	_, err = e.Dial(t.Context(), Invite{Target: "sip:" + addr + ";transport=tcp", Called: "+31205550123", Offer: []byte(testOffer)})
	require.ErrorIs(t, err, ErrUnreachable)
	assert.NotContains(t, err.Error(), "+3120")
	assert.Contains(t, err.Error(), "refused")
}

func TestATargetThatClosesItsConnectionIsUnreachable(t *testing.T) {
	e := start(t, Handler{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	got := dial(t.Context(), e, Invite{Target: "sip:" + l.Addr().String() + ";transport=tcp"})
	c, err := l.Accept()
	require.NoError(t, err)
	p := tcpPeer(t, c)
	p.expect("INVITE")
	require.NoError(t, c.Close())
	require.ErrorIs(t, receive(t, got).err, ErrUnreachable)
}

func TestASilentTargetIsGivenUpAfterFirstResponse(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target(), FirstResponse: 3 * testT1})
	p.expect("INVITE")
	require.ErrorIs(t, receive(t, got).err, ErrSilent)
	p.silent() // no CANCEL, and no repetition of the INVITE
}

func TestATargetThatOnlyRingsIsCancelledAfterAnswer(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target(), FirstResponse: 3 * testT1, Answer: 6 * testT1})
	inv := p.expect("INVITE")
	p.respond(inv, "100 Trying", reply{}) // is a sign of life
	c := p.expect("CANCEL")
	require.ErrorIs(t, receive(t, got).err, ErrNoAnswer)
	p.respond(c, "200 OK", reply{})
	p.respond(inv, "487 Request Terminated", reply{tag: "callee"})
	p.expect("ACK")
}

func TestOptionsAsksForASignOfLife(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	type result struct {
		code int
		err  error
	}
	ask := func() <-chan result {
		ch := make(chan result, 1)
		go func() { code, err := e.Options(t.Context(), p.target()); ch <- result{code, err} }()
		return ch
	}
	got := ask()
	opt := p.expect("OPTIONS sip:" + p.addr.String())
	p.respond(opt, "503 Service Unavailable", reply{tag: "x"})
	assert.Equal(t, result{503, nil}, receive(t, got))
	got = ask()
	p.expect("OPTIONS")
	require.ErrorIs(t, receive(t, got).err, ErrSilent)
	_, err := e.Options(t.Context(), "http://x")
	require.ErrorContains(t, err, "not a SIP URI")
}

func TestANameIsLookedUpOnce(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	got := make(chan error, 1)
	go func() {
		_, err := e.Options(t.Context(), fmt.Sprint("sip:localhost:", p.addr.Port()))
		got <- err
	}()
	opt := p.expect("OPTIONS sip:localhost:")
	p.respond(opt, "200 OK", reply{tag: "x"})
	require.NoError(t, receive(t, got))
}
