package sip

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rejecting passes every call to look and refuses it.
func rejecting(look func(in *Incoming)) Handler {
	return Handler{Invite: func(_ context.Context, in *Incoming) {
		look(in)
		_ = in.Reject(603, "Decline")
	}}
}

func TestIncomingShowsWhatTheCallerSent(t *testing.T) {
	type seen struct {
		called, caller, offer, transport, callID string
		subject, supported                       []string
	}
	got := make(chan seen, 1)
	e := start(t, rejecting(func(in *Incoming) {
		assert.True(t, in.Source().IsValid())
		got <- seen{in.Called(), in.Caller(), string(in.Offer()), in.Transport(), in.CallID(),
			in.Header("subject"), in.Header("SUPPORTED")}
	}))
	multipart := "--b\r\nContent-Type: application/isup\r\n\r\nxx\r\n--b\r\nContent-Type: application/sdp\r\n\r\n" +
		testOffer + "\r\n--b--\r\n"
	tests := map[string]struct {
		req  request
		want seen
	}{
		"numbers, compact headers": {
			request{headers: []string{"s: hello", "k: timer, 100rel", "Subject: again"}, body: testOffer},
			seen{"+31205550123", "+31205550101", testOffer, "udp", "c", []string{"hello", "again"}, []string{"timer, 100rel"}},
		},
		"an escaped user with parameters, no offer": {
			request{uri: "sip:%2b31205550123;phone-context=x@127.0.0.1;user=phone"},
			seen{"+31205550123", "+31205550101", "", "udp", "c", nil, nil},
		},
		"tel URIs, D6": {
			request{uri: "tel:+31205550123;ext=1", from: "<tel:+31205550102>", body: testOffer},
			seen{"+31205550123", "+31205550102", testOffer, "udp", "c", nil, nil},
		},
		"an asserted identity before From": {
			request{headers: []string{`P-Asserted-Identity: "a, <b>" <sip:proxy.example>, <tel:+31205550103>`}, body: testOffer},
			seen{"+31205550123", "+31205550103", testOffer, "udp", "c", nil, nil},
		},
		"an anonymous caller": {
			request{from: `"Anonymous" <sip:anonymous@anonymous.invalid>`, body: testOffer},
			seen{"+31205550123", "", testOffer, "udp", "c", nil, nil},
		},
		"the SDP part of a multipart body": {
			request{contentType: `multipart/mixed; boundary="b"`, body: multipart},
			seen{"+31205550123", "+31205550101", testOffer, "udp", "c", nil, nil},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := udpPeer(t)
			tt.req.method, tt.req.callID, tt.req.fromTag = "INVITE", "c", newToken()
			p.request(e.udp(), tt.req)
			assert.Equal(t, tt.want, receive(t, got))
			p.until("SIP/2.0 603")
		})
	}
}

func TestResponsesCarryOneToTagContactAndReason(t *testing.T) {
	proceed := make(chan struct{})
	e := start(t, Handler{Invite: func(_ context.Context, in *Incoming) {
		assert.NoError(t, in.Progress(180, "Ringing", nil))
		assert.NoError(t, in.Progress(183, "Session Progress", []byte(testAnswer)))
		<-proceed
		assert.ErrorContains(t, in.Progress(200, "OK", nil), "provisional")
		assert.ErrorContains(t, in.Reject(200, "OK"), "refuses nothing")
		assert.ErrorContains(t, in.Reject(486, "Busy", Header{"X", "a\r\nY: b"}), "control character")
		assert.ErrorContains(t, in.Reject(486, "Busy", Header{"Via", "b"}), "written by the dialog")
		assert.NoError(t, in.Reject(486, `Busy "here"`, Header{"Retry-After", "5"}))
		assert.ErrorIs(t, in.Reject(500, "Again"), ErrAnswered)
		assert.ErrorIs(t, in.Progress(180, "Ringing", nil), ErrAnswered)
		_, err := in.Answer(context.Background(), nil, InDialog{})
		assert.ErrorIs(t, err, ErrAnswered)
	}})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKa", body: testOffer})
	p.expect("SIP/2.0 100")
	ringing := p.expect("SIP/2.0 180 Ringing")
	early := p.expect("SIP/2.0 183")
	close(proceed)
	busy := p.expect("SIP/2.0 486")
	p.request(e.udp(), request{method: "ACK", branch: "z9hG4bKa", toTag: busy.tag("To")})
	assert.NotEmpty(t, ringing.tag("To"))
	assert.Equal(t, ringing.tag("To"), early.tag("To"))
	assert.Equal(t, ringing.tag("To"), busy.tag("To"))
	assert.Equal(t, "<sip:"+e.udp().String()+";transport=udp>", ringing.get("Contact"))
	assert.Equal(t, testAnswer, early.body)
	assert.Equal(t, "application/sdp", early.get("Content-Type"))
	assert.Empty(t, ringing.body)
	assert.Equal(t, `SIP;cause=486;text="Busy \"here\""`, busy.get("Reason"))
	assert.Equal(t, "5", busy.get("Retry-After"))
	assert.Equal(t, "consentgw", busy.get("Server"))
	p.silent()
}

func TestAHandlerThatReturnsWithoutAnAnswerSends500(t *testing.T) {
	e := start(t, Handler{Invite: func(context.Context, *Incoming) {}})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer})
	p.until("SIP/2.0 500")
}

func TestTrap15APanicBeforeTheAnswerSends500AndOthersLive(t *testing.T) {
	calls := 0
	e := start(t, Handler{Invite: func(_ context.Context, in *Incoming) {
		if calls++; calls == 1 {
			panic("the number +31205550101 must not be logged")
		}
		_ = in.Reject(486, "Busy Here")
	}})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer})
	p.until("SIP/2.0 500")
	q := udpPeer(t)
	q.request(e.udp(), request{method: "INVITE", callID: "other", body: testOffer})
	q.until("SIP/2.0 486")
}

func TestTrap15APanicAfterTheAnswerSendsBye(t *testing.T) {
	e := start(t, Handler{Invite: func(ctx context.Context, in *Incoming) {
		_, err := in.Answer(ctx, []byte(testAnswer), InDialog{})
		assert.NoError(t, err)
		panic("boom")
	}})
	p := udpPeer(t)
	p.call(e.udp(), request{})
	bye := p.until("BYE ")
	p.respond(bye, "200 OK", reply{})
}

func TestARetransmittedInviteGetsTheSameResponseAndOneCall(t *testing.T) {
	calls := make(chan struct{}, 8)
	hold := make(chan struct{})
	e := start(t, Handler{Invite: func(_ context.Context, in *Incoming) {
		calls <- struct{}{}
		_ = in.Progress(180, "Ringing", nil)
		<-hold
		_ = in.Reject(486, "Busy Here")
	}})
	p := udpPeer(t)
	text := p.text(request{method: "INVITE", body: testOffer})
	p.send(e.udp(), text)
	first := p.until("SIP/2.0 180")
	p.send(e.udp(), text)
	assert.Equal(t, first.raw, p.until("SIP/2.0 180").raw)
	close(hold)
	p.until("SIP/2.0 486")
	assert.Len(t, calls, 1)
}

func TestAMergedInviteIsRefused482(t *testing.T) {
	hold := make(chan struct{})
	calls := make(chan struct{}, 8)
	e := start(t, Handler{Invite: func(_ context.Context, in *Incoming) {
		calls <- struct{}{}
		<-hold
		_ = in.Reject(486, "Busy Here")
	}})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKa", body: testOffer})
	p.until("SIP/2.0 100")
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKb", body: testOffer})
	p.until("SIP/2.0 482")
	close(hold)
	p.until("SIP/2.0 486")
	// Also after the call is over, for a copy that took a longer way.
	p.request(e.udp(), request{method: "INVITE", branch: "z9hG4bKc", body: testOffer})
	p.until("SIP/2.0 482")
	assert.Len(t, calls, 1)
}

func TestServeRefusesNewCallsWhileItDrains(t *testing.T) {
	running, hold := make(chan struct{}), make(chan struct{})
	e := start(t, Handler{Invite: func(ctx context.Context, in *Incoming) {
		close(running)
		<-ctx.Done()
		<-hold
	}})
	p := udpPeer(t)
	p.request(e.udp(), request{method: "INVITE", body: testOffer})
	receive(t, running)
	e.stop()
	receive(t, e.draining)
	q := udpPeer(t)
	q.request(e.udp(), request{method: "INVITE", callID: "late", body: testOffer})
	refused := q.expect("SIP/2.0 503")
	assert.NotEmpty(t, refused.get("Retry-After"))
	_, err := e.Dial(context.Background(), Invite{Target: q.target(), Offer: []byte(testOffer)})
	require.ErrorIs(t, err, ErrNotServing)
	close(hold)
	p.until("SIP/2.0 500")
}
