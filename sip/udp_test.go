package sip

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTrap12SourcesAreForgotten(t *testing.T) {
	checkLeaks(t)
	const limit = 10
	ep, err := Listen(Config{Listen: []string{"udp:127.0.0.1:0"}, T1: testT1})
	require.NoError(t, err)
	ep.handler = Handler{Invite: func(context.Context, *Incoming) {}}
	ep.ctx = t.Context()
	ep.setPhase(serving)
	close(ep.begun)
	st, conn := ep.sockets[0].stack, ep.sockets[0].packets
	to := ep.Addrs()[0].AddrPort
	served := make(chan error, 1)
	go func() { served <- st.serveUDP(conn, limit, ep.sockets[0].started) }()
	receive(t, ep.sockets[0].started)
	for range 5 * limit {
		p := udpPeer(t)
		p.request(to, request{method: "OPTIONS", callID: newToken()})
		assert.Equal(t, to, p.expect("SIP/2.0 200").from, "answered whichever reader took it")
	}
	pool := st.tpl.Pool("udp")
	require.Eventually(t, func() bool { return pool.Size() <= 2*limit+1 }, soon, settleTime/20)
	p := udpPeer(t)
	p.request(to, request{method: "OPTIONS", callID: newToken()})
	p.expect("SIP/2.0 200")
	ep.setPhase(finished)
	ep.finish()
	require.NoError(t, conn.Close())
	_ = receive(t, served)
	ep.outgoing.close()
	st.close()
	ep.work.Wait()
}

func TestTrap12WhatIsNoSIPIsNotRemembered(t *testing.T) {
	e := start(t, Handler{})
	for range 20 {
		udpPeer(t).send(e.udp(), "x")
		udpPeer(t).send(e.udp(), "\r\n\r\n")
		udpPeer(t).send(e.udp(), "GET / HTTP/1.1\r\n\r\n")
	}
	p := udpPeer(t)
	p.request(e.udp(), request{method: "OPTIONS"})
	p.expect("SIP/2.0 200")
	assert.LessOrEqual(t, e.sockets[0].stack.tpl.Pool("udp").Size(), 2)
}

func TestTrap13OneBadPacketDoesNotEndTheListener(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	for _, bad := range []string{"\x00", "SIP/", "INVITE SIP/2.0\r\n\r\n", "SIP/2.0 x y\r\n\r\n"} {
		p.send(e.udp(), bad)
	}
	p.request(e.udp(), request{method: "OPTIONS"})
	p.expect("SIP/2.0 200")
}

func TestD09OptionsLeaveNoTransactionBehind(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	text := p.text(request{method: "OPTIONS", branch: "z9hG4bKsame"})
	p.send(e.udp(), text)
	first := p.expect("SIP/2.0 200")
	p.send(e.udp(), text)
	assert.Equal(t, first.raw, p.expect("SIP/2.0 200").raw)
	// A transaction that had been kept would be found by the response.
	// Dismissing it is not part of answering, so it may take a moment.
	require.Eventually(t, func() bool {
		_, err := e.sockets[0].stack.txl.Respond(responseTo(t, text))
		return err != nil && strings.Contains(err.Error(), "does not exist")
	}, soon, time.Millisecond)
}

func TestTrap24NoRawDatagramReachesTheLog(t *testing.T) {
	log := &logged{}
	e := start(t, Handler{}, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	p := udpPeer(t)
	for range 50 {
		p.send(e.udp(), "SIP/2.0 200 OK\r\nSecret +31205550199\r\n\r\n")
		p.send(e.udp(), "INVITE sip:+31205550199@127.0.0.1 SIP/2.0\r\nSecret +31205550199\r\n\r\n")
	}
	p.request(e.udp(), request{method: "OPTIONS"})
	p.expect("SIP/2.0 200")
	assert.Contains(t, log.String(), "sip transport: failed to parse")
	assert.NotContains(t, log.String(), "5550199")
	assert.LessOrEqual(t, strings.Count(log.String(), "failed to parse"), 2*logBurst)
}

func TestTheQuietLogKeepsOnlyWhatIsHarmless(t *testing.T) {
	var buf bytes.Buffer
	l := newQuietLogger(slog.New(slog.NewTextHandler(&buf, nil)))
	l.With("caller", "Transport<UDP>", "data", "secret1").WithGroup("g").Error("failed", "data", "secret2", "laddr", "127.0.0.1:5060")
	l.Info("not wanted")
	assert.Contains(t, buf.String(), `level=WARN msg="sip transport: failed" caller=Transport<UDP> laddr=127.0.0.1:5060`)
	assert.NotContains(t, buf.String(), "secret")
	assert.NotContains(t, buf.String(), "not wanted")
}

func TestTheLogMeterSaysHowMuchItHeldBack(t *testing.T) {
	var m logMeter
	now := time.Unix(1000, 0)
	for i := range 12 {
		suppressed, ok := m.admit(now)
		assert.Equal(t, i < logBurst, ok)
		assert.Zero(t, suppressed)
	}
	suppressed, ok := m.admit(now.Add(time.Second))
	assert.True(t, ok)
	assert.Equal(t, 12-logBurst, suppressed)
}

// errConn is a socket on which every read fails.
type errConn struct{ net.PacketConn }

func (errConn) ReadFrom([]byte) (int, net.Addr, error) { return 0, nil, assert.AnError }

func TestASocketThatOnlyFailsIsGivenUp(t *testing.T) {
	e, err := Listen(Config{Listen: []string{"udp:127.0.0.1:0"}})
	require.NoError(t, err)
	defer e.Close()
	r := newPacketReader(e.sockets[0].stack, errConn{e.sockets[0].packets}, 1)
	_, _, err = r.ReadFrom(nil)
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestUnreachableKeepsTheSystemsWordsOnly(t *testing.T) {
	op := &net.OpError{Op: "dial", Err: assert.AnError}
	err := unreachable(errJoin("INVITE sip:+31205550101@x", op))
	require.ErrorIs(t, err, ErrUnreachable)
	assert.Contains(t, err.Error(), assert.AnError.Error())
	assert.NotContains(t, err.Error(), "+3120")
	assert.Equal(t, ErrUnreachable, unreachable(assert.AnError))
	assert.ErrorIs(t, unreachable(&net.DNSError{Name: "+31205550101"}), ErrUnreachable)
	assert.NotContains(t, unreachable(&net.DNSError{Name: "+31205550101"}).Error(), "+3120")
}

func TestTheSocketOfAFamilyIsFound(t *testing.T) {
	sock := func(s string) *socket { return &socket{Addr: Addr{"udp", netip.MustParseAddrPort(s)}} }
	lo, lan, six := sock("127.0.0.1:1"), sock("192.0.2.1:1"), sock("[2001:db8::1]:1")
	e := &Endpoint{sockets: []*socket{lo, lan, six}}
	assert.Same(t, lo, e.socketFor("udp", netip.MustParseAddr("127.0.0.9")))
	assert.Same(t, lan, e.socketFor("udp", netip.MustParseAddr("198.51.100.1")))
	assert.Same(t, six, e.socketFor("udp", netip.MustParseAddr("::1")))
	assert.Nil(t, e.socketFor("tcp", netip.MustParseAddr("127.0.0.1")))
}
