package sip

import (
	"context"
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
		"TLS":                                {func(i *Invite) { i.Target = "sips:127.0.0.1" }, "no tls address to send from"},
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

func TestDialFailures(t *testing.T) {
	tests := map[string]struct {
		status  string
		headers []string
		want    StatusError
	}{
		"busy":                  {"486 Busy Here", nil, StatusError{Code: 486, Reason: "Busy Here"}},
		"overloaded":            {"503 Service Unavailable", []string{"Retry-After: 7 (soon);duration=1"}, StatusError{Code: 503, Reason: "Service Unavailable", RetryAfter: 7 * time.Second}},
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
			if tt.want.Code < 400 {
				tt.want.Contacts = []string{p.target() + ";transport=udp"}
			}
			assert.Equal(t, tt.want, *status)
			assert.NotContains(t, status.Error(), tt.want.Reason)
			assert.Empty(t, e.registry.inboxes)
			p.silent()
		})
	}
}

func TestTrap06ATCPLegDoesNotLeaveByTheCallersConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	var e *testEndpoint
	started := make(chan struct{}) // e is set
	e = start(t, Handler{Invite: func(ctx context.Context, in *Incoming) {
		<-started
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
	close(started)
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
	st := e.sockets[0].stack
	a, b := st.contactOf(e.udp(), false), st.contactOf(e.udp(), false)
	assert.NotSame(t, a, b)
	assert.Positive(t, a.Address.Port)
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
