package sip

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestABodyBesidesTheDescriptionReachesWhoTakesIt(t *testing.T) {
	docs := make(chan Document, 1)
	h, legs, _ := answering(InDialog{
		Offer:    func([]byte) ([]byte, error) { return []byte(testAnswer), nil },
		Document: func(d Document) int { docs <- d; return http.StatusOK },
	})
	e := start(t, h)
	p := udpPeer(t)
	ok := p.call(e.udp(), request{headers: []string{"Allow: UPDATE"}})
	leg := receive(t, legs)
	p.request(e.udp(), request{method: "UPDATE", toTag: ok.tag("To"), seq: 7, contentType: "application/rs-metadata+xml",
		body: "<a/>", headers: []string{"Content-Disposition: recording-session"}})
	p.until("SIP/2.0 200")
	d := receive(t, docs)
	assert.Equal(t, "UPDATE", d.Method)
	assert.Equal(t, "application/rs-metadata+xml", d.ContentType)
	assert.Equal(t, "recording-session", d.Disposition)
	assert.Equal(t, "<a/>", string(d.Body))
	p.respondToBye(leg)
}

func TestABodyThatNobodyTakesIsRefused(t *testing.T) {
	h, legs, _ := answering(InDialog{})
	e := start(t, h)
	p := udpPeer(t)
	ok := p.call(e.udp(), request{headers: []string{"Allow: UPDATE"}})
	leg := receive(t, legs)
	p.request(e.udp(), request{method: "UPDATE", toTag: ok.tag("To"), seq: 7, contentType: "application/rs-metadata+xml",
		body: "<a/>"})
	require.NotEmpty(t, p.until("SIP/2.0 415").get("Accept"))
	p.respondToBye(leg)
}
