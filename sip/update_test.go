package sip

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// updates sends an UPDATE of ours in the background.
func updates(ctx context.Context, l *Leg, offer string) <-chan error {
	ch := make(chan error, 1)
	go func() {
		answer, err := l.Update(ctx, []byte(offer))
		if err == nil && offer != "" && string(answer) != testAnswer {
			err = errors.New("not the answer")
		}
		ch <- err
	}()
	return ch
}

func TestUpdateIsSentOnlyToAFarEndThatTakesIt(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.call(e.udp(), request{headers: []string{"Allow: INVITE, ACK"}})
	leg := receive(t, legs)
	require.ErrorIs(t, receive(t, updates(t.Context(), leg, testOffer)), ErrNotAllowed)
	p.respondToBye(leg)
}

func TestUpdateOffersAndMovesTheRemoteTargetButNotTheRoute(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p, q := udpPeer(t), udpPeer(t)
	p.call(e.udp(), request{headers: []string{"Allow: UPDATE"}})
	leg := receive(t, legs)
	done := updates(t.Context(), leg, testOffer2)
	update := p.expect("UPDATE")
	assert.Equal(t, testOffer2, update.body)
	assert.NotEmpty(t, update.get("Contact"))
	p.respond(update, "200 OK", reply{
		body: testAnswer, noContact: true,
		headers: []string{"Contact: <sip:" + q.addr.String() + ">", "Record-Route: <sip:127.0.0.1:1;lr>"},
	})
	require.NoError(t, receive(t, done))
	assert.Equal(t, testAnswer, string(leg.SDP()))
	done = updates(t.Context(), leg, "")
	update = q.expect("UPDATE")
	assert.Empty(t, update.get("Route"))
	assert.Empty(t, update.body)
	q.respond(update, "200 OK", reply{})
	require.NoError(t, receive(t, done))
	assert.Equal(t, testAnswer, string(leg.SDP()))
	q.respondToBye(leg)
}

func TestUpdateThatIsRefusedForNowIsTriedAgain(t *testing.T) {
	for name, refusal := range map[string]reply{
		"491 Request Pending": {},
		"500 Not Now":         {headers: []string{"Retry-After: 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			h, legs, _ := answering(InDialog{Offer: func([]byte) ([]byte, error) { return []byte(testAnswer), nil }})
			e := start(t, h)
			p := udpPeer(t)
			tag := p.call(e.udp(), request{headers: []string{"Allow: UPDATE"}}).tag("To")
			leg := receive(t, legs)
			done := updates(t.Context(), leg, testOffer2)
			first := p.expect("UPDATE")
			// Both kinds of offers of the far end cross ours.
			p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKr", seq: 2, toTag: tag, body: testOffer})
			p.expect("SIP/2.0 491")
			p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKr", seq: 2, toTag: tag})
			p.request(e.udp(), request{method: "UPDATE", seq: 3, toTag: tag, body: testOffer})
			p.expect("SIP/2.0 491")
			p.respond(first, name, refusal)
			second := p.expect("UPDATE")
			assert.Equal(t, "2 UPDATE", second.get("CSeq"))
			p.respond(second, "200 OK", reply{body: testAnswer})
			require.NoError(t, receive(t, done))
			p.respondToBye(leg)
		})
	}
}

func TestUpdateThatIsRefusedChangesNothingAndOneThatIsUnknownEndsTheLeg(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.call(e.udp(), request{headers: []string{"Allow: UPDATE"}})
	leg := receive(t, legs)
	done := updates(t.Context(), leg, testOffer2)
	p.respond(p.expect("UPDATE"), "488 Not Acceptable Here", reply{})
	require.True(t, isStatus(receive(t, done), 488))
	assert.Equal(t, testOffer, string(leg.SDP()))
	done = updates(t.Context(), leg, "")
	p.respond(p.expect("UPDATE"), "481 Gone", reply{})
	require.True(t, isStatus(receive(t, done), 481))
	p.respond(p.expect("BYE"), "200 OK", reply{})
	require.True(t, isStatus(ended(t, leg.Context()), 481))
}

func TestUpdatesOfTheCallerBeforeTheAnswer(t *testing.T) {
	ready := make(chan struct{})
	h, done := prompted(func(ctx context.Context, in *Incoming) {
		assert.NoError(t, in.SetEarly(Early{InDialog: InDialog{Offer: func([]byte) ([]byte, error) { return []byte(testAnswer), nil }}}))
		assert.NoError(t, in.Progress(183, "Session Progress", []byte(testAnswer)))
		<-ready
		leg, err := in.Answer(ctx, []byte(testAnswer), InDialog{})
		if assert.NoError(t, err) {
			assert.Equal(t, testOffer2, string(leg.SDP()), "what the UPDATE said")
			ready <- struct{}{}
			<-ctx.Done() // the leg is released when the handler returns
		}
	})
	e := start(t, h)
	p, q := udpPeer(t), udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer, headers: []string{"Require: 100rel"}})
	early := p.until("SIP/2.0 183")
	tag := early.tag("To")
	p.prack(e, early, 2, "")
	p.until("SIP/2.0 200")
	p.request(e.udp(), request{method: "UPDATE", seq: 3, toTag: tag, body: testOffer2})
	assert.Equal(t, testAnswer, p.expect("SIP/2.0 200").body)
	p.send(e.udp(), edit(p.text(request{method: "UPDATE", seq: 4, toTag: tag}), "Contact", "Contact: <sip:"+q.addr.String()+">"))
	assert.Empty(t, p.expect("SIP/2.0 200").body)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKr", seq: 5, toTag: tag, body: testOffer})
	assert.NotEmpty(t, p.until("SIP/2.0 500").get("Retry-After"))
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKr", seq: 5, toTag: tag})
	ready <- struct{}{}
	p.until("SIP/2.0 200")
	p.request(e.udp(), request{method: "ACK", toTag: tag})
	receive(t, ready)
	e.stop()
	q.respond(q.until("BYE"), "200 OK", reply{})
	receive(t, done)
}

func TestAnOfferBeforeTheFirstHasItsAnswerGets500(t *testing.T) {
	h, causes := waiting(func(in *Incoming) { assert.NoError(t, in.Progress(180, "Ringing", nil)) })
	e := start(t, h)
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer})
	tag := p.until("SIP/2.0 180").tag("To")
	p.request(e.udp(), request{method: "UPDATE", seq: 2, toTag: tag, body: testOffer2})
	assert.NotEmpty(t, p.expect("SIP/2.0 500").get("Retry-After"))
	p.request(e.udp(), request{method: "UPDATE", seq: 3, toTag: tag})
	p.expect("SIP/2.0 200")
	p.request(e.udp(), request{method: "CANCEL", branch: "z9hG4bKc"})
	p.until("SIP/2.0 487")
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKc"})
	receive(t, causes)
}

func TestUpdatesOfTheCalledSideBeforeItsAnswer(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	offers := make(chan string, 1)
	got := dial(t.Context(), e, Invite{Target: p.target(), Extensions: Extensions{Reliable: ReliableIfSupported}, InDialog: InDialog{Offer: func(sdp []byte) ([]byte, error) {
		offers <- string(sdp)
		return []byte(testOffer), nil
	}}})
	inv := p.expect("INVITE")
	in := func(seq int, body string) request {
		return request{method: "UPDATE", callID: inv.get("Call-ID"), fromTag: "callee", toTag: inv.tag("From"), seq: seq, body: body}
	}
	p.respond(inv, "180 Ringing", reply{tag: "callee"})
	require.Eventually(t, func() bool { return len(e.registry.allLegs()) == 1 }, soon, testT1)
	p.request(e.udp(), in(1, testOffer2))
	p.expect("SIP/2.0 491") // ours has no answer yet
	p.request(e.udp(), in(2, ""))
	p.expect("SIP/2.0 200")
	p.respond(inv, "183 Session Progress", reply{tag: "callee", body: testAnswer, headers: []string{"Require: 100rel", "RSeq: 1"}})
	p.respond(p.expect("PRACK"), "200 OK", reply{})
	p.request(e.udp(), in(3, testOffer2))
	assert.Equal(t, testOffer, p.expect("SIP/2.0 200").body)
	assert.Equal(t, testOffer2, receive(t, offers))
	// A BYE before the answer is none of the called side's business.
	bye := in(4, "")
	bye.method = "BYE"
	p.request(e.udp(), bye)
	p.expect("SIP/2.0 481")
	// The 200 repeats the first answer, which is history.
	p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer})
	p.expect("ACK")
	d := receive(t, got)
	require.NoError(t, d.err)
	assert.Equal(t, testOffer2, string(d.leg.SDP()))
	p.respondToBye(d.leg)
}

func TestAReinviteThatIsToldToWaitIsTriedAgain(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	p.call(e.udp(), request{})
	leg := receive(t, legs)
	done := reinvite(t.Context(), leg)
	p.respond(p.expect("INVITE"), "500 Not Now", reply{headers: []string{"Retry-After: 1"}})
	p.expect("ACK")
	p.respond(p.expect("INVITE"), "200 OK", reply{body: testAnswer})
	p.expect("ACK")
	require.NoError(t, receive(t, done))
	done = reinvite(t.Context(), leg)
	p.respond(p.expect("INVITE"), "500 Never", reply{headers: []string{"Retry-After: 3600"}})
	p.expect("ACK")
	require.True(t, isStatus(receive(t, done), 500))
	p.respondToBye(leg)
}

func TestBodiesTagsAndContactParametersGoOutInTheWholeDialog(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	metadata := Body{"multipart/mixed;boundary=x", []byte("--x\r\nContent-Type: application/sdp\r\n\r\n" + testOffer +
		"\r\n--x\r\nContent-Type: application/rs-metadata+xml\r\n\r\n<recording/>\r\n--x--\r\n")}
	got := dial(t.Context(), e, Invite{
		Target: p.target(), Offer: []byte("v=0 not this"), Body: metadata, Extensions: Extensions{Require: []string{"siprec"}},
		Present:  Presentation{ContactParams: []string{"+sip.src", `+x="y"`}},
		InDialog: InDialog{Offer: func([]byte) ([]byte, error) { return []byte(testOffer), nil }},
	})
	inv := p.expect("INVITE")
	contact := "<sip:" + e.udp().String() + ";transport=udp>;+sip.src;+x=\"y\""
	assert.Equal(t, contact, inv.get("Contact"))
	assert.Equal(t, "siprec", inv.get("Require"))
	assert.Equal(t, metadata.ContentType, inv.get("Content-Type"))
	assert.Equal(t, string(metadata.Bytes), inv.body)
	p.respond(inv, "200 OK", reply{tag: "callee", body: testAnswer, headers: []string{"Allow: INVITE, UPDATE"}})
	p.expect("ACK")
	d := receive(t, got)
	require.NoError(t, d.err)
	assert.Equal(t, testOffer, string(d.leg.local))
	change := Change{Body: metadata, Require: []string{"siprec"}, Headers: []Header{{"X-Why", "hold"}}}
	for method, send := range map[string]func(context.Context, Change) ([]byte, error){"INVITE": d.leg.ReinviteWith, "UPDATE": d.leg.UpdateWith} {
		done := make(chan error, 1)
		go func() {
			answer, err := send(t.Context(), change)
			if string(answer) != testAnswer {
				err = errors.Join(err, errors.New("not the answer"))
			}
			done <- err
		}()
		m := p.expect(method)
		assert.Equal(t, contact, m.get("Contact"))
		assert.Equal(t, "siprec", m.get("Require"))
		assert.Equal(t, "hold", m.get("X-Why"))
		assert.Equal(t, string(metadata.Bytes), m.body)
		p.respond(m, "200 OK", reply{body: testAnswer})
		if method == "INVITE" {
			p.expect("ACK")
		}
		require.NoError(t, receive(t, done))
	}
	p.request(e.udp(), request{method: "UPDATE", callID: inv.get("Call-ID"), fromTag: "callee", toTag: inv.tag("From"), body: testOffer2})
	assert.Equal(t, contact, p.expect("SIP/2.0 200").get("Contact"))
	p.respondToBye(d.leg)
}

func TestWhatMustNotBeSentIsRefusedBeforeAnythingIs(t *testing.T) {
	e := start(t, Handler{})
	p := udpPeer(t)
	for name, inv := range map[string]Invite{
		"a body without a type":         {Body: Body{Bytes: []byte("x")}},
		"a body type with a line break": {Body: Body{"a/b\r\nX: y", []byte("x")}},
		"a tag with a line break":       {Extensions: Extensions{Require: []string{"a\r\nX: y"}}},
		"a contact parameter too many":  {Present: Presentation{ContactParams: []string{"a;b"}}},
		"a contact value with a break":  {Present: Presentation{ContactParams: []string{"a=b\nc"}}},
		"an asserted identity":          {Present: Presentation{Asserted: []string{"sip:a@b>, <sip:c@d"}}},
		"an asserted web page":          {Present: Presentation{Asserted: []string{"http://x"}}},
		"a privacy token":               {Present: Presentation{Privacy: []string{"id\r\nX: y"}}},
		"a session identifier":          {Present: Presentation{SessionID: "x"}},
		"a From host":                   {Present: Presentation{FromHost: "h>;x=\"y"}},
		"a request host":                {Present: Presentation{RequestHost: "h:99999"}},
		"a request host without a name": {Present: Presentation{RequestHost: ":5060"}},
	} {
		inv.Target, inv.Offer = p.target(), []byte(testOffer)
		_, err := e.Dial(t.Context(), inv)
		require.Error(t, err, name)
	}
	p.silent()
}
