package sip

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func refer(seq int, tag string, headers ...string) request {
	return request{method: "REFER", seq: seq, toTag: tag, headers: headers}
}

func TestReferIsAcceptedAndItsOutcomeTold(t *testing.T) {
	asked := make(chan Refer, 2)
	h, legs, _ := answering(InDialog{Refer: func(r Refer) int { asked <- r; return 200 }})
	e := start(t, h)
	p := udpPeer(t)
	ok := p.call(e.udp(), request{})
	tag := ok.tag("To")
	assert.Contains(t, ok.get("Allow"), "REFER")
	leg := receive(t, legs)
	p.request(e.udp(), refer(2, tag,
		"r: \"Sales\" <sip:sales@127.0.0.1;transport=tcp?Replaces=a%40b%3Bto-tag%3Dt1%3Bfrom-tag%3Df1%3Bearly-only&Subject=x>",
		"b: <sip:boss@127.0.0.1>;cid=1"))
	accepted := p.expect("SIP/2.0 202")
	assert.NotEmpty(t, accepted.get("Contact"))
	assert.Empty(t, accepted.get("Refer-Sub"))
	got := receive(t, asked)
	assert.Equal(t, Refer{
		ID: 2, To: "sip:sales@127.0.0.1;transport=tcp", ReferredBy: "sip:boss@127.0.0.1",
		Replaces: &Replaces{CallID: "a@b", ToTag: "t1", FromTag: "f1", EarlyOnly: true},
	}, got)
	tell := func(code int, reason string) <-chan error {
		done := make(chan error, 1)
		go func() { done <- leg.NotifyRefer(t.Context(), got.ID, code, reason) }()
		return done
	}
	done := tell(100, "Trying")
	notify := p.expect("NOTIFY")
	assert.Equal(t, "refer", notify.get("Event"))
	assert.Equal(t, "active;expires=60", notify.get("Subscription-State"))
	assert.Equal(t, "message/sipfrag;version=2.0", notify.get("Content-Type"))
	assert.Equal(t, "SIP/2.0 100 Trying\r\n", notify.body)
	assert.NotEmpty(t, notify.get("Contact"))
	p.respond(notify, "200 OK", reply{})
	require.NoError(t, receive(t, done))
	// Who transfers a call is free to leave at once.
	p.request(e.udp(), request{method: "BYE", seq: 3, toTag: tag})
	p.expect("SIP/2.0 200")
	ended(t, leg.Context())
	done = tell(486, "Busy\r\nHere")
	notify = p.expect("NOTIFY")
	assert.Equal(t, "terminated;reason=noresource", notify.get("Subscription-State"))
	assert.Equal(t, "SIP/2.0 486 Busy  Here\r\n", notify.body)
	p.respond(notify, "200 OK", reply{})
	require.NoError(t, receive(t, done))
	require.ErrorIs(t, receive(t, tell(200, "OK")), ErrNoReferral)
}

func TestTheSecondReferIsToldApartAndOneWithoutSubscriptionIsNotTold(t *testing.T) {
	h, legs, _ := answering(InDialog{Refer: func(Refer) int { return 202 }})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	leg := receive(t, legs)
	p.request(e.udp(), refer(2, tag, "Refer-To: sip:a@127.0.0.1", "Refer-Sub: false"))
	assert.Equal(t, "false", p.expect("SIP/2.0 202").get("Refer-Sub"))
	require.NoError(t, leg.NotifyRefer(t.Context(), 2, 200, "OK"))
	p.request(e.udp(), refer(3, tag, "Refer-To: <tel:+31205550177>"))
	p.expect("SIP/2.0 202")
	done := make(chan error, 1)
	go func() { done <- leg.NotifyRefer(t.Context(), 3, 100, "Trying") }()
	notify := p.expect("NOTIFY")
	assert.Equal(t, "refer;id=3", notify.get("Event"))
	p.respond(notify, "481 Do Not Care", reply{})
	require.True(t, isStatus(receive(t, done), 481))
	require.ErrorIs(t, leg.NotifyRefer(t.Context(), 3, 200, "OK"), ErrNoReferral)
	require.Error(t, leg.NotifyRefer(t.Context(), 3, 99, ""))
	p.respondToBye(leg)
}

func TestRefersThatAreRefused(t *testing.T) {
	to := "Refer-To: <sip:a@127.0.0.1>"
	accept := func(Refer) int { return 202 }
	tests := map[string]struct {
		handle  func(Refer) int
		headers []string
		want    string
	}{
		"nobody takes it":          {nil, []string{to}, "SIP/2.0 405"},
		"declined":                 {func(Refer) int { return 603 }, []string{to}, "SIP/2.0 603 Decline"},
		"forbidden":                {func(Refer) int { return 403 }, []string{to}, "SIP/2.0 403 Forbidden"},
		"no status":                {func(Refer) int { return 0 }, []string{to}, "SIP/2.0 500"},
		"a panic":                  {func(Refer) int { panic("boom") }, []string{to}, "SIP/2.0 500"},
		"no Refer-To":              {accept, nil, "SIP/2.0 400"},
		"two Refer-To":             {accept, []string{to, "r: <sip:b@127.0.0.1>"}, "SIP/2.0 400"},
		"a list of Refer-To":       {accept, []string{"r: <sip:b@127.0.0.1>, <sip:a@127.0.0.1>"}, "SIP/2.0 400"},
		"an empty Refer-To":        {accept, []string{"r: <>"}, "SIP/2.0 400"},
		"a line break in Refer-To": {accept, []string{"r: <sip:a%0d%0a@127.0.0.1>"}, "SIP/2.0 400"},
		"another method":           {accept, []string{"r: <sip:a@127.0.0.1;method=BYE>"}, "SIP/2.0 603"},
		"a Replaces without tags":  {accept, []string{"r: <sip:a@127.0.0.1?Replaces=x>"}, "SIP/2.0 400"},
		"a Replaces that breaks":   {accept, []string{"r: <sip:a@127.0.0.1?Replaces=x%0a%3Bto-tag%3D1%3Bfrom-tag%3D2>"}, "SIP/2.0 400"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, legs, _ := answering(InDialog{Refer: tt.handle})
			e := start(t, h)
			p := udpPeer(t)
			tag := p.call(e.udp(), request{}).tag("To")
			leg := receive(t, legs)
			p.request(e.udp(), refer(2, tag, tt.headers...))
			got := p.until(tt.want)
			if tt.handle == nil {
				assert.Equal(t, allowed, got.get("Allow"))
			}
			require.ErrorIs(t, leg.NotifyRefer(t.Context(), 2, 200, "OK"), ErrNoReferral)
			p.respondToBye(leg)
		})
	}
}

func TestOpenReferralsAreBounded(t *testing.T) {
	h, legs, _ := answering(InDialog{Refer: func(Refer) int { return 202 }})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	leg := receive(t, legs)
	for i := range maxReferrals {
		p.request(e.udp(), refer(2+i, tag, "Refer-To: <sip:a@127.0.0.1>"))
		p.expect("SIP/2.0 202")
	}
	p.request(e.udp(), refer(20, tag, "Refer-To: <sip:a@127.0.0.1>"))
	p.expect("SIP/2.0 500")
	p.respondToBye(leg)
}

func TestNotifyReferWaitsForThe202(t *testing.T) {
	var leg *Leg
	sent := make(chan error, 1)
	ready := make(chan struct{})
	h, legs, _ := answering(InDialog{Refer: func(r Refer) int {
		<-ready
		ctx, cancel := context.WithTimeout(context.Background(), testT1)
		defer cancel()
		assert.ErrorIs(t, leg.NotifyRefer(ctx, r.ID, 100, "Trying"), context.DeadlineExceeded)
		go func() { sent <- leg.NotifyRefer(context.Background(), r.ID, 200, "OK") }()
		return 202
	}})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	leg = receive(t, legs)
	close(ready)
	p.request(e.udp(), refer(2, tag, "Refer-To: <sip:a@127.0.0.1>"))
	p.expect("SIP/2.0 202")
	p.respond(p.expect("NOTIFY"), "200 OK", reply{})
	require.NoError(t, receive(t, sent))
	p.respondToBye(leg)
}

func TestReplacesOfAnINVITENamesALegOfOurs(t *testing.T) {
	type seen struct {
		re  *Replaces
		err error
		leg *Leg
	}
	got := make(chan seen, 1)
	legs := make(chan *Leg, 1)
	var e *testEndpoint
	started := make(chan struct{}) // e is set
	e = start(t, Handler{Supported: []string{"replaces"}, Invite: func(ctx context.Context, in *Incoming) {
		<-started
		re, err := in.Replaces()
		if re == nil && err == nil {
			leg, err := in.Answer(ctx, []byte(testAnswer), InDialog{})
			if assert.NoError(t, err) {
				legs <- leg
				<-leg.Context().Done()
			}
			return
		}
		s := seen{re: re, err: err}
		if re != nil {
			s.leg = e.Leg(re.CallID, re.ToTag, re.FromTag)
		}
		got <- s
		_ = in.Reject(486, "Busy Here")
	}})
	close(started)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	leg := receive(t, legs)
	local, remote := leg.Tags()
	assert.Equal(t, tag, local)
	assert.Equal(t, "caller-tag", remote)
	for name, tt := range map[string]struct {
		headers []string
		want    bool
		wrong   bool
	}{
		"ours":             {[]string{"Require: replaces", "Replaces: call-1;from-tag=caller-tag;to-tag=" + tag}, true, false},
		"unknown":          {[]string{"Replaces: call-1;from-tag=caller-tag;to-tag=x"}, false, false},
		"the wrong way":    {[]string{"Replaces: call-1;to-tag=caller-tag;from-tag=" + tag}, false, false},
		"without tags":     {[]string{"Replaces: call-1"}, false, true},
		"two of a tag":     {[]string{"Replaces: c;to-tag=1;to-tag=2;from-tag=3"}, false, true},
		"two headers":      {[]string{"Replaces: c;to-tag=1;from-tag=3", "Replaces: c;to-tag=1;from-tag=3"}, false, true},
		"longer than sane": {[]string{"Replaces: c;to-tag=1;from-tag=" + strings.Repeat("x", maxReplaces)}, false, true},
	} {
		id := newToken()
		p.request(e.udp(), request{method: "INVITE", callID: id, branch: "z9hG4bK" + id, body: testOffer, headers: tt.headers})
		p.until("SIP/2.0 486")
		p.request(e.udp(), request{method: "ACK", callID: id, branch: "z9hG4bK" + id})
		s := receive(t, got)
		assert.Equal(t, tt.want, s.leg == leg, name)
		assert.Equal(t, tt.wrong, s.err != nil, name)
	}
	p.respondToBye(leg)
	require.Eventually(t, func() bool { return e.Leg("call-1", tag, "caller-tag") == nil }, soon, time.Millisecond)
}

func TestAReasonIsPassedOnFromOneLegToTheOther(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	p.call(e.udp(), request{callID: "call-2"})
	first, second := receive(t, legs), receive(t, legs)
	const reason = `Q.850;cause=17;text="User \"busy\""`
	p.request(e.udp(), request{method: "BYE", seq: 2, toTag: tag, headers: []string{"Reason: " + reason}})
	p.expect("SIP/2.0 200")
	if first.CallID() != "call-1" {
		first, second = second, first
	}
	var bye *ByeError
	require.ErrorAs(t, ended(t, first.Context()), &bye)
	assert.Equal(t, reason, bye.Header)
	assert.Equal(t, `User "busy"`, bye.Reason)
	require.Error(t, second.ByeFor(t.Context(), "SIP\r\nX: y"))
	require.NoError(t, second.Context().Err())
	done := make(chan error, 1)
	go func() { done <- second.ByeFor(context.Background(), bye.Header) }()
	m := p.expect("BYE")
	assert.Equal(t, reason, m.get("Reason"))
	p.respond(m, "200 OK", reply{})
	require.NoError(t, receive(t, done))
}

func TestARedirectionTellsWhereToAndIsNotFollowed(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target()})
	p.respond(p.expect("INVITE"), "302 Moved", reply{tag: "x", noContact: true, headers: []string{
		`Contact: "a, b" <sip:a@127.0.0.1;transport=tcp>;q=0.2, <sip:b@127.0.0.1>;q=0.9`, "m: <tel:+31205550177>", "Contact: *",
	}})
	p.expect("ACK")
	var status *StatusError
	require.ErrorAs(t, receive(t, got).err, &status)
	assert.Equal(t, []string{"tel:+31205550177", "sip:b@127.0.0.1", "sip:a@127.0.0.1;transport=tcp"}, status.Contacts)
	assert.NotContains(t, status.Error(), "127.0.0.1")
	p.silent()
}

func FuzzRefer(f *testing.F) {
	f.Add(`"x" <sip:a@b;method=INVITE?Replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2&a=b>`, "c;to-tag=1;from-tag=2;early-only", "<sip:x>")
	f.Add("<;?=&", ";;", "")
	f.Fuzz(func(t *testing.T, to, replaces, by string) {
		req := (&peer{network: "UDP"}).text(request{method: "REFER", headers: []string{"Refer-To: " + to, "Referred-By: " + by}})
		msg, ok := fuzzed(req)
		if !ok {
			return
		}
		if got, ref := parseRefer(msg); ref == nil && (hasControl(got.To+got.ReferredBy) || got.To == "") {
			t.Errorf("%q is %+v", to, got)
		}
		if re, ok := parseReplaces(replaces); ok && (re.ToTag == "" || re.FromTag == "" || hasControl(re.CallID+re.ToTag+re.FromTag)) {
			t.Errorf("%q is %+v", replaces, re)
		}
	})
}
