package sip

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A doorman is an admission that can be changed, and counts.
type doorman struct {
	verdict atomic.Int32
	asked   atomic.Int32
}

func (d *doorman) set(v Verdict) { d.verdict.Store(int32(v)) }

func (d *doorman) admit(c *Config) {
	c.Admit = func(src netip.AddrPort, _ string) Verdict {
		d.asked.Add(1)
		if !src.Addr().Is4() || src.Port() == 0 {
			panic("no source")
		}
		return Verdict(d.verdict.Load())
	}
}

func TestARefusedSenderGets403AndNothingIsKept(t *testing.T) {
	d := &doorman{}
	d.set(Refuse)
	e := start(t, Handler{}, d.admit)
	p := udpPeer(t)
	text := p.text(request{method: "INVITE", body: testOffer})
	p.send(e.udp(), text)
	first := p.expect("SIP/2.0 403 Forbidden")
	assert.NotEmpty(t, first.tag("To"))
	assert.Equal(t, "call-1", first.get("Call-ID"))
	p.send(e.udp(), text)
	assert.Equal(t, first.raw, p.expect("SIP/2.0 403").raw)
	p.silent() // no transaction repeats it
	p.request(e.udp(), request{method: "ACK", toTag: first.tag("To")})
	p.send(e.udp(), "INVITE nonsense SIP/2.0\r\n\r\n")
	p.silent()
	assert.LessOrEqual(t, e.sockets[0].stack.tpl.Pool("udp").Size(), 1, "its source is not remembered")
	assert.EqualValues(t, 4, d.asked.Load())
}

func TestARefusalGoesWhereTheViaAsksFor(t *testing.T) {
	d := &doorman{}
	d.set(Refuse)
	e := start(t, Handler{}, d.admit)
	p, other := udpPeer(t), udpPeer(t)
	text := p.text(request{method: "OPTIONS"})
	p.send(e.udp(), strings.Replace(text, p.addr.String(), other.addr.String(), 1))
	other.expect("SIP/2.0 403")
	p.send(e.udp(), strings.Replace(text, p.addr.String(), "192.0.2.1;rport", 1))
	m := p.expect("SIP/2.0 403")
	assert.Contains(t, m.get("Via"), "received=127.0.0.1")
}

func TestASilencedSenderGetsNothing(t *testing.T) {
	d := &doorman{}
	d.set(Silence)
	e := start(t, Handler{}, d.admit)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer})
	p.silent()
	assert.True(t, dialTCP(t, e.tcp()).closes(soon), "no connection either")
	d.set(Serve)
	p.request(e.udp(), request{method: "OPTIONS"})
	p.expect("SIP/2.0 200")
}

func TestASilencedTLSClientIsTurnedAwayBeforeTheHandshake(t *testing.T) {
	checkLeaks(t)
	a := newAuthority(t)
	d := &doorman{}
	d.set(Silence)
	e := start(t, Handler{}, overTLS(a.gateway(ClientCertNone)), d.admit)
	_, err := tryTLS(t, e.tls(), a.config("", named{}))
	require.Error(t, err)
	d.set(Refuse)
	p := dialTLS(t, e.tls(), a.config("", named{}))
	p.request(e.tls(), request{method: "INVITE", body: testOffer})
	p.expect("SIP/2.0 403")
}

func TestAConnectionIsJudgedByEachRequest(t *testing.T) {
	d := &doorman{}
	e := start(t, Handler{}, d.admit)
	p := dialTCP(t, e.tcp())
	p.request(e.tcp(), request{method: "OPTIONS", callID: "a"})
	p.expect("SIP/2.0 200")
	d.set(Refuse)
	p.request(e.tcp(), request{method: "OPTIONS", callID: "b"})
	p.expect("SIP/2.0 403")
	p.request(e.tcp(), request{method: "ACK", callID: "b"})
	d.set(Silence)
	p.request(e.tcp(), request{method: "OPTIONS", callID: "c"})
	assert.True(t, p.closes(soon))
}

func TestADialogIsServedWhoeverItsRequestsComeFrom(t *testing.T) {
	for name, connect := range map[string]func(*testing.T, *testEndpoint) (*peer, netip.AddrPort){
		"udp": func(t *testing.T, e *testEndpoint) (*peer, netip.AddrPort) { return udpPeer(t), e.udp() },
		"tcp": func(t *testing.T, e *testEndpoint) (*peer, netip.AddrPort) { return dialTCP(t, e.tcp()), e.tcp() },
	} {
		t.Run(name, func(t *testing.T) {
			d := &doorman{}
			h, legs, _ := answering(InDialog{})
			e := start(t, h, d.admit)
			p, to := connect(t, e)
			tag := p.call(to, request{}).tag("To")
			leg := receive(t, legs)
			d.set(Refuse)
			elsewhere, _ := connect(t, e)
			elsewhere.request(to, request{method: "BYE", seq: 2, toTag: tag, fromTag: "guessed"})
			elsewhere.expect("SIP/2.0 403")
			require.NoError(t, leg.Context().Err())
			elsewhere.request(to, request{method: "BYE", seq: 2, toTag: tag})
			elsewhere.expect("SIP/2.0 200")
			var bye *ByeError
			require.ErrorAs(t, ended(t, leg.Context()), &bye)
		})
	}
}

func TestResponsesAreNotAskedAbout(t *testing.T) {
	d := &doorman{}
	d.set(Silence)
	e := start(t, Handler{}, d.admit)
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target()})
	p.respond(p.expect("INVITE"), "486 Busy Here", reply{tag: "x"})
	require.ErrorContains(t, receive(t, got).err, "486")
	assert.Zero(t, d.asked.Load())
}

func TestAPanicInAdmissionSilencesTheSender(t *testing.T) {
	var calm atomic.Bool
	e := start(t, Handler{}, func(c *Config) {
		c.Admit = func(netip.AddrPort, string) Verdict {
			if calm.Load() {
				return Serve
			}
			panic("boom")
		}
	})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "OPTIONS"})
	p.silent()
	calm.Store(true)
	p.request(e.udp(), request{method: "OPTIONS"})
	p.expect("SIP/2.0 200")
}

func TestMalformedRequestsAreAnsweredAsFarAsTheyCanBeRead(t *testing.T) {
	from := netip.MustParseAddrPort("192.0.2.1:4000")
	base := "Via: SIP/2.0/UDP h:5070;branch=z\r\nFrom: x\r\nTo: y\r\nCall-ID: c\r\nCSeq: 1 FOO\r\n\r\n"
	for name, tt := range map[string]struct {
		text, status string
		port         int
	}{
		"as it is":             {"FOO  sip:x SIP/2.0\r\n" + base, "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h:5070;branch=z\r\nFrom: x\r\nTo: y;tag=malformed\r\nCall-ID: c\r\nCSeq: 1 FOO\r\nContent-Length: 0\r\n\r\n", 5070},
		"an unknown scheme":    {"FOO beep:x SIP/2.0\r\n" + base, "SIP/2.0 416", 5070},
		"rport":                {"FOO sip:x SIP/2.0\r\nv: SIP/2.0/UDP h:5070;rport;branch=z, SIP/2.0/UDP i\r\n\r\n", "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h:5070;rport=4000;received=192.0.2.1;branch=z, SIP/2.0/UDP i\r\n", 4000},
		"rport at the end":     {"FOO sip:x SIP/2.0\r\nv: SIP/2.0/UDP h;rport\r\n\r\n", "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h;rport=4000;received=192.0.2.1\r\n", 4000},
		"no port":              {"FOO sip:x SIP/2.0\r\nVia: SIP/2.0/UDP [::1]\r\n\r\n", "SIP/2.0 400", 5060},
		"a port that is none":  {"FOO sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h:99999\r\n\r\n", "SIP/2.0 400", 5060},
		"a folded Via":         {"FOO sip:x SIP/2.0\r\nVia: SIP/2.0/UDP\r\n h:5070\r\n\r\n", "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h:5070\r\n", 5070},
		"an ACK":               {"ACK sip:x SIP/2.0\r\n" + base, "", 0},
		"no Via":               {"FOO sip:x SIP/2.0\r\nFrom: x\r\n\r\n", "", 0},
		"a control character":  {"FOO sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h:5070\nX: y\r\n\r\n", "", 0},
		"no start line":        {"\r\n\r\n", "", 0},
		"one word":             {"FOO\r\nVia: x\r\n\r\n", "", 0},
		"a method that isn't":  {"F@O sip:x\r\nVia: x\r\n\r\n", "", 0},
		"a header without end": {"FOO sip:x SIP/2.0\r\nVia", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			text, port := malformedResponse([]byte(tt.text), from)
			assert.True(t, strings.HasPrefix(text, tt.status), "got %q", text)
			assert.Equal(t, tt.status == "", text == "")
			assert.Equal(t, tt.port, port)
		})
	}
}

func FuzzMalformed(f *testing.F) {
	from := netip.MustParseAddrPort("192.0.2.1:4000")
	f.Add([]byte("FOO sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h:5070;rport;branch=z\r\nTo: x\r\n\r\n"))
	f.Add([]byte("FOO sip:x SIP/2.0\r\nv: ,;rport,\r\n ;\r\nTo:\ty\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, port := malformedResponse(data, from)
		if text == "" {
			return
		}
		if port <= 0 || port > 65535 {
			t.Errorf("port %d", port)
		}
		if hasControl(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", ""), "\t", "")) {
			t.Errorf("control characters in %q", text)
		}
		if !strings.HasPrefix(text, "SIP/2.0 4") || strings.Count(text, "\r\n\r\n") != 1 {
			t.Errorf("not one response: %q", text)
		}
	})
}
