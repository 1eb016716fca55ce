package sip

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A prompted handler does what it is told with each call.
func prompted(do func(ctx context.Context, in *Incoming)) (Handler, <-chan struct{}) {
	done := make(chan struct{}, 8)
	return Handler{Invite: func(ctx context.Context, in *Incoming) {
		defer func() { done <- struct{}{} }()
		do(ctx, in)
	}}, done
}

// prack acknowledges a reliable response and returns what the PRACK got.
func (p *peer) prack(e *testEndpoint, res received, seq int, body string) {
	p.t.Helper()
	p.request(e.udp(), request{
		method: "PRACK", seq: seq, toTag: res.tag("To"), body: body,
		headers: []string{"RAck: " + res.get("RSeq") + " 1 INVITE"},
	})
}

func TestAReliableResponseIsRepeatedUntilItsPRACKAndTheAnswerWaitsForIt(t *testing.T) {
	asked, up := make(chan string, 1), make(chan struct{})
	h, done := prompted(func(ctx context.Context, in *Incoming) {
		assert.NoError(t, in.SetEarly(Early{Reliable: ReliableIfSupported}))
		assert.NoError(t, in.Progress(183, "Session Progress", []byte(testAnswer)))
		leg, err := in.Answer(ctx, []byte("v=0 nor this one"), InDialog{Offer: func(sdp []byte) ([]byte, error) {
			asked <- string(sdp)
			return []byte(testAnswer), nil
		}})
		if assert.NoError(t, err) {
			assert.Equal(t, testOffer, string(leg.SDP()))
			close(up)
			<-leg.Context().Done()
		}
	})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer, headers: []string{"k: 100rel"}})
	p.expect("SIP/2.0 100")
	first := p.expect("SIP/2.0 183")
	assert.Equal(t, testAnswer, first.body)
	assert.Equal(t, "100rel", first.get("Require"))
	assert.Equal(t, allowed, first.get("Allow"))
	assert.NotEmpty(t, first.get("Contact"))
	for range 2 { // neither the 180 nor the 200 before the PRACK
		assert.Equal(t, first.raw, p.expect("SIP/2.0 183").raw)
	}
	wrong := first
	wrong.headers = append([][2]string{{"RSeq", "1073741999"}}, wrong.headers...)
	p.prack(e, wrong, 2, "")
	p.until("SIP/2.0 481")
	p.prack(e, first, 3, "")
	ok := p.until("SIP/2.0 200")
	assert.Equal(t, "3 PRACK", ok.get("CSeq"))
	answer := p.until("SIP/2.0 200")
	assert.Equal(t, "1 INVITE", answer.get("CSeq"))
	assert.Empty(t, answer.body, "the answer was sent before")
	p.request(e.udp(), request{method: "ACK", toTag: first.tag("To")})
	receive(t, up)
	p.prack(e, first, 4, "") // a new PRACK for what is acknowledged
	p.until("SIP/2.0 481")
	p.request(e.udp(), request{method: "BYE", seq: 6, toTag: first.tag("To")})
	p.until("SIP/2.0 200")
	receive(t, done)
	assert.Empty(t, asked)
}

func TestOneReliableResponseAfterTheOtherAndTheAnswerWaitsForNoneWithoutSDP(t *testing.T) {
	go200, up := make(chan struct{}), make(chan struct{})
	h, done := prompted(func(ctx context.Context, in *Incoming) {
		assert.NoError(t, in.Progress(183, "Session Progress", []byte(testAnswer)))
		assert.NoError(t, in.Progress(180, "Ringing", []byte("v=0 not this one")))
		<-go200
		leg, err := in.Answer(ctx, []byte("v=0 nor this one"), InDialog{})
		if assert.NoError(t, err) {
			close(up)
			<-leg.Context().Done()
		}
	})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer, headers: []string{"Require: 100rel"}})
	first := p.until("SIP/2.0 183")
	p.prack(e, first, 2, "")
	ringing := p.until("SIP/2.0 180")
	one, err := strconv.Atoi(first.get("RSeq"))
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(one+1), ringing.get("RSeq"))
	assert.Empty(t, ringing.body)
	close(go200)
	p.until("SIP/2.0 200")
	p.request(e.udp(), request{method: "ACK", toTag: first.tag("To")})
	receive(t, up)
	// A PRACK that comes after the 200 is answered all the same.
	p.prack(e, ringing, 3, "")
	for p.until("SIP/2.0 200").get("CSeq") != "3 PRACK" {
	}
	p.request(e.udp(), request{method: "BYE", seq: 4, toTag: first.tag("To")})
	for p.until("SIP/2.0 200").get("CSeq") != "4 BYE" {
	}
	receive(t, done)
}

func TestProgressIsReliableWhenBothSidesWantItTo(t *testing.T) {
	tests := map[string]struct {
		caller   string
		policy   Reliable
		reliable bool
	}{
		"the caller requires it":              {"Require: 100rel", ReliableIfRequired, true},
		"the caller can and we want":          {"Supported: timer, 100rel", ReliableIfSupported, true},
		"the caller can and we do not care":   {"Supported: 100rel", ReliableIfRequired, false},
		"the caller cannot, although we want": {"Supported: timer", ReliableIfSupported, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, causes := waiting(func(in *Incoming) {
				assert.NoError(t, in.SetEarly(Early{Reliable: tt.policy}))
				assert.NoError(t, in.Progress(180, "Ringing", nil))
				assert.ErrorIs(t, in.SetEarly(Early{}), ErrAnswered)
			})
			e := start(t, h)
			p := udpPeer(t)
			p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer, headers: []string{tt.caller}})
			ringing := p.until("SIP/2.0 180")
			assert.Equal(t, tt.reliable, ringing.get("RSeq") != "")
			assert.Equal(t, tt.reliable, ringing.get("Require") == "100rel")
			p.request(e.udp(), request{method: "CANCEL", branch: "z9hG4bKc"})
			p.until("SIP/2.0 487")
			p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKc"})
			require.ErrorIs(t, receive(t, causes), ErrCancelled)
			require.Eventually(t, func() bool { return len(e.registry.allLegs()) == 0 }, soon, testT1)
			p.silent()
		})
	}
}

func TestWithoutAnyPRACKTheCallIsRefused(t *testing.T) {
	h, done := prompted(func(ctx context.Context, in *Incoming) {
		assert.NoError(t, in.Progress(183, "Session Progress", []byte(testAnswer)))
		_, err := in.Answer(ctx, []byte(testAnswer), InDialog{})
		assert.ErrorIs(t, err, ErrNoPRACK)
		assert.ErrorIs(t, context.Cause(in.Context()), ErrNoPRACK)
	})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer, headers: []string{"Require: 100rel"}})
	gone := p.until("SIP/2.0 504")
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKc", toTag: gone.tag("To")})
	receive(t, done)
	require.Eventually(t, func() bool { return len(e.registry.allLegs()) == 0 }, soon, testT1)
}

func TestALateOfferIsMadeInAReliableResponseAndAnsweredInThePRACK(t *testing.T) {
	answered := make(chan string, 2)
	h, done := prompted(func(ctx context.Context, in *Incoming) {
		assert.Nil(t, in.Offer())
		assert.NoError(t, in.SetEarly(Early{InDialog: InDialog{Offered: func(sdp []byte) { answered <- string(sdp) }}}))
		assert.NoError(t, in.Progress(183, "Session Progress", []byte(testOffer)))
		leg, err := in.Answer(ctx, nil, InDialog{})
		if assert.NoError(t, err) {
			answered <- "in force: " + string(leg.SDP())
			<-leg.Context().Done()
		}
	})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", headers: []string{"Require: 100rel"}})
	early := p.until("SIP/2.0 183")
	assert.Equal(t, testOffer, early.body)
	p.request(e.udp(), request{method: "UPDATE", seq: 2, toTag: early.tag("To"), body: testOffer2})
	p.until("SIP/2.0 491")
	p.prack(e, early, 3, testAnswer)
	p.until("SIP/2.0 200")
	assert.Equal(t, testAnswer, receive(t, answered))
	for p.until("SIP/2.0 200").get("CSeq") != "1 INVITE" {
	}
	p.request(e.udp(), request{method: "ACK", toTag: early.tag("To")})
	assert.Equal(t, "in force: "+testAnswer, receive(t, answered))
	p.request(e.udp(), request{method: "BYE", seq: 4, toTag: early.tag("To")})
	p.until("SIP/2.0 200")
	receive(t, done)
}

func TestALateOfferIsMadeInTheAnswerAndAnsweredInTheACK(t *testing.T) {
	h, legs, errs := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE"})
	ok := p.until("SIP/2.0 200")
	assert.Equal(t, testAnswer, ok.body, "our offer")
	p.request(e.udp(), request{method: "UPDATE", seq: 2, toTag: ok.tag("To"), body: testOffer2})
	p.until("SIP/2.0 491")
	p.request(e.udp(), request{method: "ACK", toTag: ok.tag("To"), body: testOffer})
	leg := receive(t, legs)
	assert.Equal(t, testOffer, string(leg.SDP()))
	p.request(e.udp(), request{method: "BYE", seq: 3, toTag: ok.tag("To")})
	p.until("SIP/2.0 200")
	assert.Empty(t, errs)
}

func TestAnOfferInAPRACKIsAnsweredInItsResponse(t *testing.T) {
	h, causes := waiting(func(in *Incoming) {
		assert.NoError(t, in.SetEarly(Early{InDialog: InDialog{Offer: func(sdp []byte) ([]byte, error) {
			if string(sdp) != testOffer2 {
				return nil, errors.New("not that")
			}
			return []byte(testAnswer), nil
		}}}))
		assert.NoError(t, in.Progress(183, "Session Progress", []byte(testAnswer)))
		assert.NoError(t, in.Progress(180, "Ringing", nil))
	})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer, headers: []string{"Require: 100rel"}})
	early := p.until("SIP/2.0 183")
	p.prack(e, early, 2, testOffer2)
	assert.Equal(t, testAnswer, p.until("SIP/2.0 200").body)
	p.prack(e, p.until("SIP/2.0 180"), 3, testOffer)
	p.until("SIP/2.0 488")
	p.request(e.udp(), request{method: "CANCEL", branch: "z9hG4bKc"})
	p.until("SIP/2.0 487")
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKc"})
	receive(t, causes)
}

func TestTooManyReliableResponsesAreRefused(t *testing.T) {
	h, causes := waiting(func(in *Incoming) {
		var err error
		for range maxUnacknowledged + 1 {
			err = errors.Join(err, in.Progress(180, "Ringing", nil))
		}
		assert.ErrorContains(t, err, "too many")
	})
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer, headers: []string{"Require: 100rel"}})
	p.until("SIP/2.0 180")
	p.request(e.udp(), request{method: "CANCEL", branch: "z9hG4bKc"})
	p.until("SIP/2.0 487")
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKc"})
	receive(t, causes)
}

func TestEveryReliableResponseGetsOnePRACKInOrder(t *testing.T) {
	e := start(t, Handler{})
	p, q := udpPeer(t), udpPeer(t)
	progress := make(chan string, 8)
	got := dial(t.Context(), e, Invite{Target: p.target(), Extensions: Extensions{Reliable: ReliableIfSupported}, Progress: func(code int, sdp []byte) {
		progress <- fmt.Sprint(code, " ", len(sdp))
	}})
	inv := p.expect("INVITE")
	assert.Equal(t, "100rel", inv.get("Supported"))
	assert.Empty(t, inv.get("Require"))
	early := func(n int) reply {
		return reply{tag: "callee", headers: []string{"Require: 100rel", fmt.Sprint("RSeq: ", n)}}
	}
	with := early(7)
	with.body = testAnswer
	// The way of the early dialog is that of its responses.
	with.noContact = true
	with.headers = append(with.headers, "Record-Route: <sip:"+q.addr.String()+";lr>", "Contact: <sip:"+p.addr.String()+">")
	p.respond(inv, "183 Session Progress", with)
	prack := q.expect("PRACK")
	assert.Equal(t, "7 1 INVITE", prack.get("RAck"))
	assert.Equal(t, "2 PRACK", prack.get("CSeq"))
	assert.Equal(t, "callee", prack.tag("To"))
	assert.Empty(t, prack.body)
	p.respond(inv, "183 Session Progress", with) // again
	p.respond(inv, "180 Ringing", early(9))      // before its time
	q.respond(prack, "200 OK", reply{})
	p.respond(inv, "180 Ringing", early(8))
	prack = q.expect("PRACK")
	assert.Equal(t, "8 1 INVITE", prack.get("RAck"))
	assert.Equal(t, "3 PRACK", prack.get("CSeq"))
	q.respond(prack, "200 OK", reply{})
	p.respond(inv, "200 OK", reply{tag: "callee"}) // no body, and another way
	ack := p.expect("ACK")
	assert.Equal(t, "1 ACK", ack.get("CSeq"))
	d := receive(t, got)
	require.NoError(t, d.err)
	assert.Equal(t, testAnswer, string(d.leg.SDP()))
	assert.Equal(t, fmt.Sprint("183 ", len(testAnswer)), receive(t, progress))
	assert.Equal(t, "180 0", receive(t, progress))
	assert.Empty(t, progress)
	done := make(chan error, 1)
	go func() { done <- d.leg.Bye(context.Background(), "") }()
	bye := p.expect("BYE")
	assert.Equal(t, "4 BYE", bye.get("CSeq"))
	p.respond(bye, "200 OK", reply{})
	require.NoError(t, receive(t, done))
}

func TestADifferentAnswerAfterAReliableOneIsBelieved(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target(), Extensions: Extensions{Reliable: ReliableAlways}})
	inv := p.expect("INVITE")
	assert.Equal(t, "100rel", inv.get("Require"))
	p.respond(inv, "183 Session Progress", reply{tag: "callee", body: testOffer, headers: []string{"Require: 100rel", "RSeq: 1"}})
	p.respond(p.expect("PRACK"), "200 OK", reply{})
	p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer})
	p.expect("ACK")
	d := receive(t, got)
	require.NoError(t, d.err)
	assert.Equal(t, testAnswer, string(d.leg.SDP()))
	p.respondToBye(d.leg)
}

func TestEveryForkHasPRACKsOfItsOwnAndTheLosersAreReleased(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	got := dial(t.Context(), e, Invite{Target: p.target(), Extensions: Extensions{Reliable: ReliableIfSupported}})
	inv := p.expect("INVITE")
	for _, tag := range []string{"one", "two"} {
		p.respond(inv, "180 Ringing", reply{tag: tag, headers: []string{"Require: 100rel", "RSeq: 5"}})
		prack := p.expect("PRACK")
		assert.Equal(t, tag, prack.tag("To"))
		assert.Equal(t, "2 PRACK", prack.get("CSeq"))
		p.respond(prack, "200 OK", reply{})
	}
	p.respond(inv, "200 OK", reply{tag: "two", body: testAnswer})
	assert.Equal(t, "two", p.expect("ACK").tag("To"))
	d := receive(t, got)
	require.NoError(t, d.err)
	assert.Len(t, e.registry.allLegs(), 1)
	p.respond(inv, "200 OK", reply{tag: "one", body: testAnswer})
	assert.Equal(t, "1 ACK", p.expect("ACK").get("CSeq"))
	bye := p.expect("BYE")
	assert.Equal(t, "3 BYE", bye.get("CSeq"), "beyond the PRACK")
	p.respond(bye, "200 OK", reply{})
	p.respondToBye(d.leg)
}

func TestTwoEndpointsUseReliableResponses(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		h, done := prompted(func(ctx context.Context, in *Incoming) {
			assert.NoError(t, in.SetEarly(Early{Reliable: ReliableIfSupported}))
			for i := range 3 {
				assert.NoError(t, in.Progress(180+i, "Ringing", []byte(testAnswer)))
			}
			leg, err := in.Answer(ctx, []byte(testAnswer), InDialog{})
			var bye *ByeError // it may overtake the ACK
			if err == nil {
				<-leg.Context().Done()
			} else {
				assert.ErrorAs(t, err, &bye)
			}
		})
		b, a := start(t, h), start(t, Handler{})
		d := receive(t, dial(t.Context(), a, Invite{
			Target: "sip:" + b.first(transport).String() + ";transport=" + transport, Extensions: Extensions{Reliable: ReliableAlways},
		}))
		require.NoError(t, d.err)
		assert.Equal(t, testAnswer, string(d.leg.SDP()))
		require.NoError(t, d.leg.Bye(t.Context(), ""))
		receive(t, done)
	})
}

func FuzzRAck(f *testing.F) {
	f.Add("776656 1 INVITE")
	f.Add(" 1\t2 x y")
	f.Fuzz(func(t *testing.T, s string) {
		if r, ok := parseRAck(s); ok && len(strings.Fields(s)) != 3 {
			t.Errorf("%q is %+v", s, r)
		}
	})
}
