package call

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/sdp"

	"github.com/stretchr/testify/require"
)

// speaking makes a description of one codec.
func speaking(codec sdp.Codec) func(*sdp.Session) {
	return func(s *sdp.Session) {
		s.Media[0].Codecs, s.Media[0].Formats = []sdp.Codec{codec}, []string{fmt.Sprint(codec.PT)}
	}
}

// replies answers a request.
func (w *wire) replies(request, status, body string) {
	_, err := w.WriteToUDPAddrPort([]byte(message{request, w.to}.response(status, "", "Contact: <sip:"+w.LocalAddr().String()+">\r\n", body)), w.to)
	require.NoError(w.h.t, err)
}

// offers reads the next re-INVITE of a dialog.
func (p *pbx) offers(first message) message {
	for {
		if m := p.reads("INVITE"); m.header("Call-ID") == first.header("Call-ID") {
			return m
		}
	}
}

// twoOffers begins a call between a caller who records, and an agent who wants to
// be told of that and speaks what the caller does not: two reasons to offer the
// agent something, of which the first has been offered.
func twoOffers(t *testing.T, t1 time.Duration) (h *house, w *wire, p *pbx, first, told message) {
	h = newHouse(t)
	h.t1 = t1
	p = h.pbx()
	h.ring = nil
	h.build()
	w = h.wire(h.callID())
	w.tail, w.called = strings.Replace(w.tail, toNumber, plainNumber, 1), plainNumber
	w.send("INVITE", 1, []byte(describes(udp(h), func(s *sdp.Session) {
		s.Media[0].Codecs = append(s.Media[0].Codecs, sdp.Opus())
		s.Media[0].Formats = append(s.Media[0].Formats, fmt.Sprint(sdp.Opus().PT))
		s.Media[0].Attributes = append(s.Media[0].Attributes, sdp.Attribute{Key: "record", Value: "on"})
	})))
	w.acknowledge(w.reads("SIP/2.0 200", "INVITE"), "")
	first = p.reads("INVITE")
	p.replies(first, "200 OK", "a", "Allow: INVITE, ACK, BYE, CANCEL\r\nSupported: record-aware\r\n", describes(p.media, speaking(sdp.Opus())))
	p.reads("ACK")
	told = p.offers(first)
	require.Contains(t, told.body(), "a=record:on")
	require.Contains(t, told.body(), "opus/48000")
	return h, w, p, first, told
}

// Two offers of ours to one party do not cross: the second is made when the first
// has its answer.
func TestOneOfferAtATimeGoesToAParty(t *testing.T) {
	h, w, p, first, told := twoOffers(t, 0)
	change := w.reads("INVITE ", "INVITE") // the caller shall speak what the agent does
	require.Contains(t, change, "opus/48000")
	w.replies(change, "488 Not Acceptable Here", "")
	w.reads("ACK ", "ACK")
	p.replies(told, "200 OK", "", "", describes(p.media, speaking(sdp.Opus())))
	next := p.offers(first)
	require.NotContains(t, next.body(), "opus", "the agent shall speak what the caller does")
	require.Contains(t, next.body(), "a=record:on")
	require.Equal(t, origin(t, told)+1, origin(t, next), "the version steps by one")
	p.replies(next, "200 OK", "", "", describes(p.media, speaking(sdp.PCMA())))
	h.live("both", func(r *consent.Record) bool {
		return happened(r, "indication_confirmed") && happened(r, "codec_changed")
	})
	require.NoError(t, h.command("hangup"))
	require.Equal(t, errHungUpByAPI.Error(), h.ended().Call.EndCause)
}

func origin(t *testing.T, m message) uint64 {
	s, err := sdp.Parse([]byte(m.body()))
	require.NoError(t, err)
	return s.Version
}

// An offer of ours and one of the agent's that cross are refused by both sides,
// and both are made again: the agent's first, because ours waits for longer.
func TestOffersThatCrossAreMadeAgain(t *testing.T) {
	h, w, p, first, told := twoOffers(t, 200*time.Millisecond)
	change := w.reads("INVITE ", "INVITE")
	hold := describes(p.media, func(s *sdp.Session) { s.Media[0].Direction = sdp.SendOnly })
	p.asks(first, "INVITE", "a", "", hold)
	refused := p.final("INVITE")
	require.Contains(t, refused.text, "SIP/2.0 491 ")
	p.acknowledges(first, refused)
	p.replies(told, "491 Request Pending", "", "", "")
	p.reads("ACK")
	p.asks(first, "INVITE", "a", "", hold)
	answer := p.final("INVITE")
	for strings.Contains(answer.text, "SIP/2.0 491 ") { // the ACK was seen before our offer was over
		p.acknowledges(first, answer)
		p.asks(first, "INVITE", "a", "", hold)
		answer = p.final("INVITE")
	}
	require.Contains(t, answer.text, "SIP/2.0 200 ")
	require.Contains(t, answer.body(), "a=recvonly")
	p.acknowledges(first, answer)
	again := p.offers(first)
	require.Contains(t, again.body(), "a=recvonly", "the hold is the agent's to end")
	require.Contains(t, again.body(), "a=record:on")
	require.Contains(t, again.body(), "PCMA/8000", "what the agent has agreed to meanwhile")
	p.replies(again, "200 OK", "", "", hold)
	w.replies(change, "488 Not Acceptable Here", "")
	r := h.live("our offer", func(r *consent.Record) bool { return happened(r, "indication_confirmed") })
	require.True(t, happened(r, "held"))
	require.NoError(t, h.command("hangup"))
	require.Equal(t, errHungUpByAPI.Error(), h.ended().Call.EndCause)
}

// acknowledges sends the ACK of an answer within the dialog of first.
func (p *pbx) acknowledges(first, answer message) {
	p.seq--
	method := "ACK"
	if !strings.HasPrefix(answer.text, "SIP/2.0 2") {
		method = "INVITE" // of whose transaction it is a part (RFC 3261 section 17.1.1.3)
	}
	p.sends(first, "ACK", method, "a", "", "")
}

// final waits for a final response to a method.
func (p *pbx) final(method string) message {
	for {
		if m := p.reads("SIP/2.0 "); !strings.HasPrefix(m.text, "SIP/2.0 1") && strings.HasSuffix(m.header("CSeq"), method) {
			return m
		}
	}
}
