package sip

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestACallIsAnsweredAndEndedByTheCaller(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	ok := p.call(e.udp(), request{headers: []string{"Record-Route: <sip:127.0.0.1:1;lr>"}})
	leg := receive(t, legs)
	assert.Equal(t, "call-1", leg.CallID())
	assert.Equal(t, testOffer, string(leg.SDP()))
	assert.Empty(t, leg.Target())
	assert.Equal(t, testAnswer, ok.body)
	assert.Equal(t, allowed, ok.get("Allow"))
	assert.Equal(t, []string{"100rel"}, ok.all("Supported"))
	assert.Equal(t, "<sip:127.0.0.1:1;lr>", ok.get("Record-Route"))
	assert.Equal(t, "<sip:"+e.udp().String()+";transport=udp>", ok.get("Contact"))

	bye := request{method: "BYE", seq: 2, toTag: ok.tag("To"), headers: []string{`Reason: Q.850;cause=16;text="Normal"`}}
	p.request(e.udp(), bye)
	p.expect("SIP/2.0 200")
	var byeErr *ByeError
	require.ErrorAs(t, ended(t, leg.Context()), &byeErr)
	assert.Equal(t, "Normal", byeErr.Reason)
	assert.NotContains(t, byeErr.Error(), "Normal")
	p.request(e.udp(), bye) // another branch: no dialog any more
	p.expect("SIP/2.0 481")
	require.NoError(t, leg.Bye(t.Context(), ""))
	p.silent()
}

func TestARepeatedByeOfTheSameTransactionGetsTheSameAnswer(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	ok := p.call(e.udp(), request{})
	receive(t, legs)
	text := p.text(request{method: "BYE", seq: 2, toTag: ok.tag("To")})
	p.send(e.udp(), text)
	first := p.expect("SIP/2.0 200")
	p.send(e.udp(), text)
	assert.Equal(t, first.raw, p.expect("SIP/2.0 200").raw)
}

func TestTrap08AnACKWithTheBranchOfItsInviteIsSeen(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKsame", body: testOffer})
	ok := p.until("SIP/2.0 200")
	for range 3 { // repetitions park no goroutines: the leak check is the test
		p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKsame", toTag: ok.tag("To")})
	}
	receive(t, legs)
	p.silent()
}

func TestTrap09A2xxIsRepeatedDoublingAndWithoutACKTheCallEnds(t *testing.T) {
	h, _, errs := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer})
	p.expect("SIP/2.0 100")
	first := p.expect("SIP/2.0 200")
	began := time.Now()
	var at []time.Duration
	for {
		m, ok := p.next(soon)
		require.True(t, ok)
		if m.start[:3] == "BYE" {
			assert.Equal(t, first.tag("To"), m.tag("From"))
			assert.Equal(t, `SIP;text="no ACK"`, m.get("Reason"))
			p.respond(m, "200 OK", reply{})
			break
		}
		assert.Equal(t, first.raw, m.raw)
		at = append(at, time.Since(began)/testT1)
	}
	// T1, 3*T1, 7*T1, ... until 64*T1: the last may come too late.
	require.Contains(t, []int{5, 6}, len(at))
	for i, n := range at {
		assert.InDelta(t, int(1)<<(i+1)-1, int(n), 10)
	}
	assert.InDelta(t, 64, int(time.Since(began)/testT1), 20)
	require.ErrorIs(t, receive(t, errs), ErrNoACK)
}

func TestALostACKIsMadeUpForByTheNext(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer})
	p.until("SIP/2.0 200")
	again := p.until("SIP/2.0 200")
	p.request(e.udp(), request{method: "ACK", toTag: again.tag("To")})
	receive(t, legs)
}

func TestByeBeforeTheACKEndsAnswerWithAByeError(t *testing.T) {
	h, _, errs := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer})
	ok := p.until("SIP/2.0 200")
	p.request(e.udp(), request{method: "BYE", seq: 2, toTag: ok.tag("To")})
	var byeErr *ByeError
	require.ErrorAs(t, receive(t, errs), &byeErr)
}

func TestAnswerThatIsGivenUpReleasesTheCallAfterTheACK(t *testing.T) {
	gaveUp := errors.New("gave up")
	got := make(chan error, 1)
	answer := make(chan context.CancelCauseFunc, 1)
	e := start(t, Handler{Invite: func(ctx context.Context, in *Incoming) {
		actx, cancel := context.WithCancelCause(ctx)
		answer <- cancel
		_, err := in.Answer(actx, []byte(testAnswer), InDialog{})
		got <- err
	}})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer})
	ok := p.until("SIP/2.0 200")
	receive(t, answer)(gaveUp)
	require.ErrorIs(t, receive(t, got), gaveUp)
	again := p.until("SIP/2.0 200") // no BYE before the ACK
	p.request(e.udp(), request{method: "ACK", toTag: again.tag("To")})
	bye := p.until("BYE ")
	assert.Equal(t, ok.tag("To"), bye.tag("From"))
	p.respond(bye, "200 OK", reply{})
}

func TestAnOfferlessInviteTakesItsAnswerFromTheACK(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE"})
	ok := p.until("SIP/2.0 200")
	p.request(e.udp(), request{method: "ACK", toTag: ok.tag("To"), body: testOffer})
	assert.Equal(t, testOffer, string(receive(t, legs).SDP()))
}

func TestByeIsSentOnceHoweverOftenAndFollowsTheRouteSet(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p, proxy := udpPeer(t), udpPeer(t)
	ok := p.call(e.udp(), request{headers: []string{"Record-Route: <sip:" + proxy.addr.String() + ";lr>", "Record-Route: <sip:10.0.0.1;lr>"}})
	leg := receive(t, legs)
	done := make(chan error, 3)
	for range 3 {
		go func() { done <- leg.Bye(context.Background(), `said "no"`) }()
	}
	bye := proxy.expect("BYE sip:" + p.addr.String())
	assert.Equal(t, []string{"<sip:" + proxy.addr.String() + ";lr>", "<sip:10.0.0.1;lr>"}, bye.all("Route"))
	assert.Equal(t, `SIP;text="said \"no\""`, bye.get("Reason"))
	assert.Equal(t, ok.tag("To"), bye.tag("From"))
	assert.Equal(t, "caller-tag", bye.tag("To"))
	assert.Equal(t, "1 BYE", bye.get("CSeq"))
	require.ErrorIs(t, ended(t, leg.Context()), ErrEnded)
	proxy.respond(bye, "200 OK", reply{})
	for range 3 {
		require.NoError(t, receive(t, done))
	}
	proxy.silent()
	p.silent()
}

func TestAStrictRouterGetsItsOwnURIAsTheRequestURI(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p, proxy := udpPeer(t), udpPeer(t)
	p.call(e.udp(), request{headers: []string{"Record-Route: <sip:" + proxy.addr.String() + ">"}})
	leg := receive(t, legs)
	go func() { _ = leg.Bye(context.Background(), "") }()
	bye := proxy.expect("BYE sip:" + proxy.addr.String() + " ")
	assert.Equal(t, []string{"<sip:" + p.addr.String() + ";transport=udp>"}, bye.all("Route"))
	proxy.respond(bye, "200 OK", reply{})
}

func TestTrap11EveryAnswerToByeEndsTheDialog(t *testing.T) {
	tests := map[string]string{
		"200 after 100": "200 OK",
		"481":           "481 Call/Transaction Does Not Exist",
		"408":           "408 Request Timeout",
		"500":           "500 Server Internal Error",
		"no answer":     "",
	}
	for name, status := range tests {
		t.Run(name, func(t *testing.T) {
			h, legs, _ := answering(InDialog{})
			e := start(t, h)
			p := udpPeer(t)
			p.call(e.udp(), request{})
			leg := receive(t, legs)
			done := make(chan error, 1)
			go func() { done <- leg.Bye(context.Background(), "") }()
			bye := p.until("BYE ")
			if status != "" {
				p.respond(bye, "100 Trying", reply{})
				p.respond(bye, status, reply{})
			}
			require.NoError(t, receive(t, done))
			require.ErrorIs(t, context.Cause(leg.Context()), ErrEnded)
			assert.Empty(t, e.registry.allLegs())
		})
	}
}

func TestByeReturnsTheCauseOfItsContextAndIsSentAllTheSame(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.call(e.udp(), request{})
	leg := receive(t, legs)
	hurry := errors.New("hurry")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(hurry)
	require.ErrorIs(t, leg.Bye(ctx, ""), hurry)
	p.respond(p.until("BYE "), "200 OK", reply{})
}

func TestByesThatCrossAreBothAnsweredAndTheLegEndsOnce(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	ok := p.call(e.udp(), request{})
	leg := receive(t, legs)
	done := make(chan error, 1)
	go func() { done <- leg.Bye(context.Background(), "") }()
	ours := p.until("BYE ")
	p.request(e.udp(), request{method: "BYE", seq: 2, toTag: ok.tag("To")})
	p.until("SIP/2.0 200")
	require.NoError(t, receive(t, done))
	require.ErrorIs(t, context.Cause(leg.Context()), ErrEnded, "the first cause stays")
	p.respond(ours, "200 OK", reply{})
}

func TestServeThatEndsSendsByeToWhatIsLeft(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.call(e.udp(), request{})
	leg := receive(t, legs)
	e.stop()
	p.respond(p.until("BYE "), "200 OK", reply{})
	require.ErrorIs(t, ended(t, leg.Context()), ErrEnded)
	e.shutdown()
}

func TestTrap25AnswerOfOneCallDoesNotHoldUpAnother(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p, q := udpPeer(t), udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer})
	p.until("SIP/2.0 200") // and no ACK
	q.call(e.udp(), request{callID: "other"})
	assert.Equal(t, "other", receive(t, legs).CallID())
}

func TestNoByeIsSentAfterTheFarEndsBye(t *testing.T) {
	h, legs, _ := answering(InDialog{}) // hangs up as soon as the leg's context ends
	e := start(t, h)
	p := udpPeer(t)
	for range 100 {
		id := newToken()
		tag := p.call(e.udp(), request{callID: id}).tag("To")
		receive(t, legs)
		p.request(e.udp(), request{method: "BYE", callID: id, seq: 2, toTag: tag})
		p.expect("SIP/2.0 200")
	}
	p.silent()
}
