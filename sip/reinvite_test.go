package sip

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAReinviteOfTheFarEndIsAnsweredByOffer(t *testing.T) {
	offers := make(chan string, 4)
	h, legs, _ := answering(InDialog{Offer: func(sdp []byte) ([]byte, error) {
		offers <- string(sdp)
		return []byte(testAnswer), nil
	}})
	e := start(t, h)
	p, q := udpPeer(t), udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	leg := receive(t, legs)
	// The new Contact is where our requests go from now on.
	text := edit(p.text(request{method: "INVITE", seq: 2, toTag: tag, body: testOffer2}), "Contact",
		"Contact: <sip:"+q.addr.String()+">")
	p.send(e.udp(), text)
	ok := p.expect("SIP/2.0 200")
	assert.Equal(t, testAnswer, ok.body)
	assert.Equal(t, testOffer2, receive(t, offers))
	assert.NotEmpty(t, ok.get("Contact"))
	assert.Equal(t, ok.raw, p.expect("SIP/2.0 200").raw, "repeated until the ACK")
	p.request(e.udp(), request{method: "ACK", seq: 2, toTag: tag})
	assert.Equal(t, testOffer2, string(leg.SDP()))
	q.respondToBye(leg)
}

func TestAReinviteWithoutAnOfferGetsOursAndItsAnswerFromTheACK(t *testing.T) {
	offered := make(chan string, 1)
	h, legs, _ := answering(InDialog{
		Offer: func(sdp []byte) ([]byte, error) {
			assert.Nil(t, sdp)
			return []byte(testAnswer), nil
		},
		Offered: func(answer []byte) { offered <- string(answer) },
	})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	leg := receive(t, legs)
	p.request(e.udp(), request{method: "INVITE", seq: 2, toTag: tag})
	assert.Equal(t, testAnswer, p.expect("SIP/2.0 200").body)
	p.request(e.udp(), request{method: "ACK", seq: 2, toTag: tag, body: testOffer2})
	assert.Equal(t, testOffer2, receive(t, offered))
	assert.Equal(t, testOffer2, string(leg.SDP()))
	p.request(e.udp(), request{method: "BYE", seq: 3, toTag: tag})
	p.until("SIP/2.0 200")
}

func TestOffersThatAreRefused(t *testing.T) {
	tests := map[string]struct {
		offer func([]byte) ([]byte, error)
		want  string
	}{
		"by an error":       {func([]byte) ([]byte, error) { return nil, errors.New("no") }, "SIP/2.0 488"},
		"by no function":    {nil, "SIP/2.0 488"},
		"by a panic":        {func([]byte) ([]byte, error) { panic("boom") }, "SIP/2.0 500"},
		"by saying nothing": {func([]byte) ([]byte, error) { return nil, nil }, "SIP/2.0 500"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, legs, _ := answering(InDialog{Offer: tt.offer})
			e := start(t, h)
			p := udpPeer(t)
			tag := p.call(e.udp(), request{}).tag("To")
			leg := receive(t, legs)
			p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKr", seq: 2, toTag: tag, body: testOffer2})
			p.expect(tt.want)
			p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKr", seq: 2, toTag: tag})
			p.request(e.udp(), request{method: "UPDATE", seq: 3, toTag: tag, body: testOffer2})
			p.expect(tt.want)
			assert.Equal(t, testOffer, string(leg.SDP()), "what was agreed stays")
			require.NoError(t, leg.Context().Err())
			// The slot is free again.
			p.request(e.udp(), request{method: "UPDATE", seq: 4, toTag: tag})
			p.expect("SIP/2.0 200")
			p.request(e.udp(), request{method: "BYE", seq: 5, toTag: tag})
			p.until("SIP/2.0 200")
		})
	}
}

func TestUpdateWithAnOfferIsAnswered(t *testing.T) {
	h, legs, _ := answering(InDialog{Offer: func([]byte) ([]byte, error) { return []byte(testAnswer), nil }})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	leg := receive(t, legs)
	p.request(e.udp(), request{method: "UPDATE", seq: 2, toTag: tag, body: testOffer2})
	assert.Equal(t, testAnswer, p.expect("SIP/2.0 200").body)
	assert.Equal(t, testOffer2, string(leg.SDP()))
	p.request(e.udp(), request{method: "BYE", seq: 3, toTag: tag})
	p.until("SIP/2.0 200")
}

func TestAReinviteThatIsNeverAcknowledgedEndsTheLeg(t *testing.T) {
	h, legs, _ := answering(InDialog{Offer: func([]byte) ([]byte, error) { return []byte(testAnswer), nil }})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	leg := receive(t, legs)
	p.request(e.udp(), request{method: "INVITE", seq: 2, toTag: tag, body: testOffer2})
	bye := p.until("BYE")
	p.respond(bye, "200 OK", reply{})
	require.ErrorIs(t, ended(t, leg.Context()), ErrNoACK)
}

func TestASecondReinviteBeforeTheACKOfTheFirstGets500(t *testing.T) {
	h, legs, _ := answering(InDialog{Offer: func([]byte) ([]byte, error) { return []byte(testAnswer), nil }})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	receive(t, legs)
	p.request(e.udp(), request{method: "INVITE", seq: 2, toTag: tag, body: testOffer2})
	p.expect("SIP/2.0 200")
	p.request(e.udp(), request{method: "INVITE", seq: 3, toTag: tag, body: testOffer2})
	assert.NotEmpty(t, p.until("SIP/2.0 500").get("Retry-After"))
	p.request(e.udp(), request{method: "ACK", seq: 2, toTag: tag})
	p.request(e.udp(), request{method: "BYE", seq: 4, toTag: tag})
	for p.until("SIP/2.0 200").get("CSeq") != "4 BYE" {
	}
}

func TestACancelledReinviteOfTheFarEndGets487AndTheLegLives(t *testing.T) {
	inside, hold := make(chan struct{}), make(chan struct{})
	h, legs, _ := answering(InDialog{Offer: func([]byte) ([]byte, error) {
		close(inside)
		<-hold
		return []byte(testAnswer), nil
	}})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	leg := receive(t, legs)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKr", seq: 2, toTag: tag, body: testOffer2})
	receive(t, inside)
	p.request(e.udp(), request{method: "CANCEL", branch: "z9hG4bKr", seq: 2, toTag: tag})
	p.until("SIP/2.0 487")
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKr", seq: 2, toTag: tag})
	close(hold)
	p.silent()
	assert.Equal(t, testOffer, string(leg.SDP()))
	p.respondToBye(leg)
}

// reinvite re-INVITEs in the background.
func reinvite(ctx context.Context, l *Leg) <-chan error {
	ch := make(chan error, 1)
	go func() {
		answer, err := l.Reinvite(ctx, []byte(testOffer2))
		if err == nil && string(answer) != testAnswer {
			err = errors.New("not the answer")
		}
		ch <- err
	}()
	return ch
}

func TestReinviteIsAcknowledgedAlsoWhenTheAnswerComesAgain(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.call(e.udp(), request{})
	leg := receive(t, legs)
	done := reinvite(t.Context(), leg)
	inv := p.expect("INVITE")
	assert.Equal(t, "1 INVITE", inv.get("CSeq"))
	assert.Equal(t, testOffer2, inv.body)
	p.respond(inv, "100 Trying", reply{})
	p.respond(inv, "200 OK", reply{body: testAnswer})
	ack := p.expect("ACK")
	assert.Equal(t, "1 ACK", ack.get("CSeq"))
	require.NoError(t, receive(t, done))
	assert.Equal(t, testAnswer, string(leg.SDP()))
	p.respond(inv, "200 OK", reply{body: testAnswer})
	assert.Equal(t, ack.raw, p.expect("ACK").raw)
	p.respondToBye(leg)
}

func TestReinviteThatIsRefusedChangesNothing(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.call(e.udp(), request{})
	leg := receive(t, legs)
	done := reinvite(t.Context(), leg)
	p.respond(p.expect("INVITE"), "488 Not Acceptable Here", reply{})
	p.expect("ACK")
	require.True(t, isStatus(receive(t, done), 488))
	require.NoError(t, leg.Context().Err())
	assert.Equal(t, testOffer, string(leg.SDP()))
	p.respondToBye(leg)
}

func TestReinviteThatShowsTheDialogIsGoneEndsTheLeg(t *testing.T) {
	for name, status := range map[string]string{"481": "481 Gone", "408": "408 Request Timeout", "silence": ""} {
		t.Run(name, func(t *testing.T) {
			h, legs, _ := answering(InDialog{})
			e := start(t, h)
			p := udpPeer(t)
			p.call(e.udp(), request{})
			leg := receive(t, legs)
			done := reinvite(t.Context(), leg)
			inv := p.expect("INVITE")
			if status != "" {
				p.respond(inv, status, reply{})
			}
			require.Error(t, receive(t, done))
			require.Error(t, ended(t, leg.Context()))
			p.respond(p.until("BYE"), "200 OK", reply{})
		})
	}
}

func TestGlareIsTriedAgainAfterTheBackOff(t *testing.T) {
	h, legs, _ := answering(InDialog{Offer: func([]byte) ([]byte, error) { return []byte(testAnswer), nil }})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	leg := receive(t, legs)
	done := reinvite(t.Context(), leg)
	ours := p.expect("INVITE")
	// The far end's re-INVITE and UPDATE cross ours.
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKr", seq: 2, toTag: tag, body: testOffer})
	p.expect("SIP/2.0 491")
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKr", seq: 2, toTag: tag})
	p.request(e.udp(), request{method: "UPDATE", seq: 3, toTag: tag, body: testOffer})
	p.expect("SIP/2.0 491")
	p.respond(ours, "491 Request Pending", reply{})
	p.expect("ACK")
	again := p.expect("INVITE")
	assert.Equal(t, "2 INVITE", again.get("CSeq"))
	p.respond(again, "200 OK", reply{body: testAnswer})
	p.expect("ACK")
	require.NoError(t, receive(t, done))
	p.respondToBye(leg)
}

func TestTheBackOffIsThatOfRFC3261(t *testing.T) {
	e := start(t, Handler{}, func(c *Config) { c.T1 = 500 * time.Millisecond })
	ours, theirs := newLeg(&dialog{e: e.Endpoint}, "sip:x", InDialog{}), newLeg(&dialog{e: e.Endpoint}, "", InDialog{})
	for range 1000 {
		d := ours.backOff()
		assert.True(t, d >= 2100*time.Millisecond && d <= 4*time.Second, d)
		d = theirs.backOff()
		assert.True(t, d >= 0 && d <= 2*time.Second, d)
		assert.Zero(t, d%(10*time.Millisecond))
	}
}

func TestAReinviteThatIsGivenUpIsCancelled(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.call(e.udp(), request{})
	leg := receive(t, legs)
	ctx, cancel := context.WithCancel(t.Context())
	done := reinvite(ctx, leg)
	inv := p.expect("INVITE")
	p.respond(inv, "100 Trying", reply{})
	p.silent()
	cancel()
	c := p.expect("CANCEL")
	require.ErrorIs(t, receive(t, done), context.Canceled)
	p.respond(c, "200 OK", reply{})
	p.respond(inv, "200 OK", reply{body: testAnswer}) // crossed
	p.expect("ACK")
	require.NoError(t, leg.Context().Err())
	p.respondToBye(leg)
}

func TestReinviteOfALegThatEndedReturnsWhy(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	tag := p.call(e.udp(), request{}).tag("To")
	leg := receive(t, legs)
	p.request(e.udp(), request{method: "BYE", seq: 2, toTag: tag})
	p.until("SIP/2.0 200")
	ended(t, leg.Context())
	var byeErr *ByeError
	_, err := leg.Reinvite(t.Context(), []byte(testOffer))
	require.ErrorAs(t, err, &byeErr)
	_, err = leg.Info(t.Context(), "application/dtmf", []byte("1"))
	require.ErrorAs(t, err, &byeErr)
	p.silent()
}
