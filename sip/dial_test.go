package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A dialed is the result of a Dial.
type dialed struct {
	leg *Leg
	err error
}

// dial dials in the background.
func dial(ctx context.Context, e *testEndpoint, inv Invite) <-chan dialed {
	if inv.Offer == nil {
		inv.Offer = []byte(testOffer)
	}
	if inv.Called == "" {
		inv.Called = "+31205550123"
	}
	ch := make(chan dialed, 1)
	go func() {
		leg, err := e.Dial(ctx, inv)
		ch <- dialed{leg, err}
	}()
	return ch
}

func TestDialMakesACall(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	var progress []string
	got := dial(t.Context(), e, Invite{
		Target: p.target(), Called: "+31 20#1", Caller: "+31205550101", CallID: "mine@gw",
		Headers:  []Header{{"X-CID", "call-1"}, {"X-Consent-Status", "granted"}},
		Progress: func(code int, sdp []byte) { progress = append(progress, fmt.Sprint(code, " ", len(sdp) > 0)) },
	})
	inv := p.expect("INVITE sip:+31%2020%231@" + p.addr.String() + " SIP/2.0")
	assert.Equal(t, "<sip:+31%2020%231@"+p.addr.String()+">", inv.get("To"))
	assert.True(t, strings.HasPrefix(inv.get("From"), "<sip:+31205550101@127.0.0.1>;tag="))
	assert.Equal(t, "mine@gw", inv.get("Call-ID"))
	assert.Equal(t, "call-1", inv.get("X-CID"))
	assert.Equal(t, "granted", inv.get("X-Consent-Status"))
	assert.Equal(t, "70", inv.get("Max-Forwards"))
	assert.Equal(t, "consentgw", inv.get("User-Agent"))
	assert.Equal(t, "<sip:"+e.udp().String()+";transport=udp>", inv.get("Contact"))
	assert.Contains(t, inv.get("Via"), "SIP/2.0/UDP "+e.udp().String()+";branch=z9hG4bK")
	assert.Equal(t, testOffer, inv.body)

	p.respond(inv, "100 Trying", reply{})
	p.respond(inv, "180 Ringing", reply{tag: "callee"})
	p.respond(inv, "183 Session Progress", reply{tag: "callee", body: testAnswer})
	p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer})
	ack := p.expect("ACK sip:" + p.addr.String())
	assert.Equal(t, "1 ACK", ack.get("CSeq"))
	assert.Equal(t, "callee", ack.tag("To"))
	assert.NotEqual(t, inv.branch(), ack.branch())
	d := receive(t, got)
	require.NoError(t, d.err)
	assert.Equal(t, []string{"180 false", "183 true"}, progress)
	assert.Equal(t, "mine@gw", d.leg.CallID())
	assert.Equal(t, testAnswer, string(d.leg.SDP()))
	assert.Equal(t, p.target(), d.leg.Target())

	p.request(e.udp(), request{method: "BYE", callID: "mine@gw", fromTag: "callee", toTag: inv.tag("From")})
	p.expect("SIP/2.0 200")
	var byeErr *ByeError
	require.ErrorAs(t, ended(t, d.leg.Context()), &byeErr)
	p.silent()
}

func TestDialRefusesWhatMustNotBeSent(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	good := Invite{Target: p.target(), Called: "x", Offer: []byte(testOffer)}
	tests := map[string]struct {
		change func(*Invite)
		want   string
	}{
		"trap 14: a line break in a header":  {func(i *Invite) { i.Headers = []Header{{"X", "v\r\nY: z"}} }, "control character"},
		"D3: a bare line feed in a header":   {func(i *Invite) { i.Headers = []Header{{"X", "v\nY: z"}} }, "control character"},
		"D3: a NUL in a header":              {func(i *Invite) { i.Headers = []Header{{"X", "v\x00"}} }, "control character"},
		"D5: a line break in a header name":  {func(i *Invite) { i.Headers = []Header{{"X\r\nY", "v"}} }, "not a header name"},
		"a header that belongs to us":        {func(i *Invite) { i.Headers = []Header{{"v", "SIP/2.0/UDP x"}} }, "written by the dialog"},
		"a control character in the callee":  {func(i *Invite) { i.Called = "a\nb" }, "control character"},
		"a control character in the caller":  {func(i *Invite) { i.Caller = "a\x7f" }, "control character"},
		"a space in the Call-ID":             {func(i *Invite) { i.CallID = "a b" }, "Call-ID"},
		"no offer":                           {func(i *Invite) { i.Offer = nil }, "without an offer"},
		"TLS":                                {func(i *Invite) { i.Target = "sips:127.0.0.1" }, "TLS is not supported"},
		"an IPv6 target without such socket": {func(i *Invite) { i.Target = "sip:[::1]:5060" }, "no udp address to send from"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inv := good
			tt.change(&inv)
			_, err := e.Dial(t.Context(), inv)
			require.ErrorContains(t, err, tt.want)
		})
	}
	p.silent()
}

func TestTrap02AnyNumberOfProvisionalResponsesInOrder(t *testing.T) {
	const n = 60
	e := start(t, Handler{})
	p := udpPeer(t)
	var codes []int
	got := dial(t.Context(), e, Invite{Target: p.target(), Progress: func(code int, _ []byte) { codes = append(codes, code) }})
	inv := p.expect("INVITE")
	var want []int
	for i := range n { // as fast as they go: sipgo alone would see them in any order
		code := 180 + i%4
		want = append(want, code)
		p.respond(inv, fmt.Sprint(code, " Progress"), reply{tag: "callee"})
	}
	p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer})
	p.expect("ACK")
	d := receive(t, got)
	require.NoError(t, d.err)
	assert.Equal(t, want, codes)
	p.respondToBye(d.leg)
}

// respondToBye ends a leg in an orderly way.
func (p *peer) respondToBye(l *Leg) {
	p.t.Helper()
	done := make(chan error, 1)
	go func() { done <- l.Bye(context.Background(), "") }()
	p.respond(p.until("BYE "), "200 OK", reply{})
	require.NoError(p.t, receive(p.t, done))
}

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

func TestDialFailures(t *testing.T) {
	tests := map[string]struct {
		status  string
		headers []string
		want    StatusError
	}{
		"busy":                  {"486 Busy Here", nil, StatusError{Code: 486, Reason: "Busy Here"}},
		"overloaded":            {"503 Service Unavailable", []string{"Retry-After: 7 (soon);duration=1"}, StatusError{503, "Service Unavailable", 7 * time.Second}},
		"moved is not followed": {"302 Moved", nil, StatusError{Code: 302, Reason: "Moved"}},
		"declined":              {"603 Decline", nil, StatusError{Code: 603, Reason: "Decline"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := start(t, Handler{})
			p := udpPeer(t)
			got := dial(t.Context(), e, Invite{Target: p.target()})
			inv := p.expect("INVITE")
			p.respond(inv, tt.status, reply{tag: "callee", headers: tt.headers})
			ack := p.expect("ACK")
			assert.Equal(t, inv.branch(), ack.branch())
			var status *StatusError
			require.ErrorAs(t, receive(t, got).err, &status)
			assert.Equal(t, tt.want, *status)
			assert.NotContains(t, status.Error(), tt.want.Reason)
			assert.Empty(t, e.registry.inboxes)
			p.silent()
		})
	}
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

func TestTrap06ATCPLegDoesNotLeaveByTheCallersConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	var e *testEndpoint
	e = start(t, Handler{Invite: func(ctx context.Context, in *Incoming) {
		caller, err := in.Answer(ctx, []byte(testAnswer), InDialog{})
		if !assert.NoError(t, err) {
			return
		}
		leg, err := e.Dial(ctx, Invite{Target: "sip:" + l.Addr().String() + ";transport=tcp", Called: "x", Offer: []byte(testOffer)})
		if assert.NoError(t, err) {
			<-leg.Context().Done()
		}
		_ = caller.Bye(ctx, "")
	}})
	p := dialTCP(t, e.tcp())
	p.call(e.tcp(), request{})
	c, err := l.Accept()
	require.NoError(t, err)
	q := tcpPeer(t, c)
	inv := q.expect("INVITE sip:x@" + l.Addr().String() + ";transport=tcp")
	assert.Equal(t, "<sip:"+e.tcp().String()+";transport=tcp>", inv.get("Contact"))
	q.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer, noContact: true,
		headers: []string{"Contact: <sip:" + l.Addr().String() + ";transport=tcp>"}})
	q.expect("ACK")
	q.request(e.tcp(), request{method: "BYE", callID: inv.get("Call-ID"), fromTag: "callee", toTag: inv.tag("From")})
	q.expect("SIP/2.0 200")
	// The caller's BYE does go down the caller's connection: it has no port.
	p.respond(p.expect("BYE"), "200 OK", reply{})
}

func TestTrap01MessagesAreLargerThan1300BytesOverUDP(t *testing.T) {
	big := testOffer + strings.Repeat("a=filler:0123456789\r\n", 300)
	e := start(t, Handler{Invite: func(ctx context.Context, in *Incoming) {
		assert.Equal(t, big, string(in.Offer()))
		_, err := in.Answer(ctx, []byte(big), InDialog{})
		assert.NoError(t, err)
	}})
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target(), Offer: []byte(big)})
	inv := p.expect("INVITE")
	assert.Equal(t, big, inv.body)
	p.respond(inv, "486 Busy Here", reply{tag: "x"})
	p.expect("ACK")
	require.Error(t, receive(t, got).err)
	ok := p.call(e.udp(), request{body: big})
	assert.Equal(t, big, ok.body)
	p.respond(p.until("BYE"), "200 OK", reply{})
}

func TestTrap18RequestsLeaveFromTheListeningSocket(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target()})
	inv := p.expect("INVITE")
	assert.Equal(t, e.udp(), inv.from)
	p.respond(inv, "486 Busy Here", reply{tag: "x"})
	assert.Equal(t, e.udp(), p.expect("ACK").from)
	require.Error(t, receive(t, got).err)
}

func TestTrap23EveryMessageHasAContactOfItsOwn(t *testing.T) {
	e := start(t, Handler{})
	a, b := contactOf(e.udp(), "udp"), contactOf(e.udp(), "udp")
	assert.NotSame(t, a, b)
	assert.Positive(t, a.Address.Port)
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

func TestTheLegsOfARequestThatOvertakesTheAnswerAreFound(t *testing.T) {
	e := start(t, Handler{}, func(c *Config) { c.T1 = time.Second })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	codes := make(chan string, 1)
	got := dial(t.Context(), e, Invite{Target: "sip:" + l.Addr().String() + ";transport=tcp", InDialog: InDialog{
		Info: func(_ string, body []byte) int { codes <- string(body); return 200 },
	}})
	c, err := l.Accept()
	require.NoError(t, err)
	p := tcpPeer(t, c)
	inv := p.expect("INVITE")
	// In one write, the INFO behind the 200.
	lines := fmt.Sprintf("SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=callee\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\n"+
		"Contact: <sip:%s;transport=tcp>\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
		inv.get("Via"), inv.get("From"), inv.get("To"), inv.get("Call-ID"), l.Addr(), len(testAnswer), testAnswer)
	info := p.text(request{method: "INFO", callID: inv.get("Call-ID"), fromTag: "callee", toTag: inv.tag("From"),
		contentType: "application/dtmf", body: "5"})
	p.send(e.tcp(), lines+info)
	assert.Equal(t, "5", receive(t, codes))
	d := receive(t, got)
	require.NoError(t, d.err)
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
