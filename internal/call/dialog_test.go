package call

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"consentgw/consent"
	"consentgw/internal/phone"
	"consentgw/internal/sdp"
	"consentgw/sip"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const plainNumber = "+31305550123" // a route that asks nobody

func TestACallIsFollowedToHostsOfThePlatformOnly(t *testing.T) {
	h := newHouse(t)
	p := h.pbx()
	h.open()
	desk := h.cfg.Platforms[0].Targets[1].URI
	h.dial(plainNumber)
	invite := p.reads("INVITE")
	p.replies(invite, "302 Moved", "a", fmt.Sprintf("Contact: <sip:x@198.51.100.7>;q=1, <%s>;q=0.5\r\n", strings.Replace(desk, "sip:", "sip:+31205550177@", 1)), "")
	p.reads("ACK")
	agent := h.agent()
	r := h.live("the connection", func(r *consent.Record) bool { return !r.Call.ConnectedAt.IsZero() })
	assert.Equal(t, agent.Leg().CallID(), r.Call.PlatformCallID)
	for _, e := range r.History {
		assert.NotContains(t, e.Text, "5550177", "numbers are not for the history")
	}
	assert.Contains(t, h.log.String(), "redirection not followed")
}

func TestRedirectionsEnd(t *testing.T) {
	h := newHouse(t)
	p := h.pbx()
	h.ring = nil
	h.open()
	line := h.dial(plainNumber)
	n := 0
	for range 1 + maxRedirects {
		invite := p.reads("INVITE")
		n++
		p.replies(invite, "302 Moved", "a", fmt.Sprintf("Contact: <%s>, <%s>\r\n", p.uri(fmt.Sprint("next", n)), p.uri("next1")), "")
		p.reads("ACK")
	}
	<-line.Ended()
	assert.Equal(t, "no target answered", h.ended().Call.EndCause)
}

func TestWhyOnePartyLeftIsToldToTheOther(t *testing.T) {
	h := newHouse(t)
	h.open()
	line := h.dial(plainNumber)
	agent := h.agent()
	require.NoError(t, agent.Leg().ByeFor(h.ctx, `Q.850;cause=17;text="User busy"`))
	<-line.Ended()
	var bye *sip.ByeError
	require.ErrorAs(t, contextCause(line), &bye)
	assert.Equal(t, `Q.850;cause=17;text="User busy"`, bye.Header)
	assert.Equal(t, "agent hung up", h.ended().Call.EndCause)
}

func contextCause(line *phone.Line) error {
	ctx := line.Leg().Context()
	<-ctx.Done()
	return context.Cause(ctx)
}

// Early media may come from several forks; the one that answers is the agent.
func TestOfSeveralForksTheOneThatAnswersIsTheAgent(t *testing.T) {
	h := newHouse(t)
	p := h.pbx()
	h.ring = nil
	h.open()
	line := h.dial(plainNumber)
	invite := p.reads("INVITE")
	other := udp(h)
	p.replies(invite, "183 Session Progress", "a", "", describes(other))
	p.replies(invite, "183 Session Progress", "b", "", describes(p.media))
	p.replies(invite, "200 OK", "b", "", describes(p.media))
	ack := p.reads("ACK")
	require.Contains(t, ack.header("To"), "tag=b")
	h.heard(p.media, "by the fork that answered")
	require.NoError(t, line.Hangup(h.ctx))
	bye := p.reads("BYE")
	require.Contains(t, bye.header("To"), "tag=b")
	p.replies(bye, "200 OK", "", "", "")
	h.ended()
}

func TestAnAnswerOtherThanTheEarlyOneCounts(t *testing.T) {
	h := newHouse(t)
	p := h.pbx()
	h.ring = nil
	h.open()
	line := h.dial(plainNumber)
	invite := p.reads("INVITE")
	announcement := udp(h)
	p.replies(invite, "183 Session Progress", "a", "", describes(announcement, func(s *sdp.Session) {
		s.Media[0].Codecs, s.Media[0].Formats = []sdp.Codec{sdp.PCMU()}, []string{"0"}
	}))
	p.replies(invite, "200 OK", "a", "", describes(p.media))
	p.reads("ACK")
	h.heard(p.media, "where the answer said")
	require.NoError(t, line.Hangup(h.ctx))
	p.replies(p.reads("BYE"), "200 OK", "", "", "")
	h.ended()
}

// A platform with reliable responses (RFC 3262), which changes its early media
// by UPDATE (RFC 3311) and says where it is by another one.
func TestAReliableAnswerAndAnEarlyUpdateCount(t *testing.T) {
	h := newHouse(t)
	p := h.pbx()
	h.ring = nil
	h.open()
	line := h.dial(plainNumber)
	invite := p.reads("INVITE")
	require.Contains(t, invite.header("Supported"), "100rel")
	p.replies(invite, "183 Session Progress", "a", "Require: 100rel\r\nRSeq: 71\r\nAllow: UPDATE\r\n", describes(udp(h)))
	prack := p.reads("PRACK")
	require.Equal(t, "71 1 INVITE", prack.header("RAck"))
	p.replies(prack, "200 OK", "", "", "")
	moved := udp(h)
	h.live("the early media", func(*consent.Record) bool { return true })
	p.asks(invite, "UPDATE", "a", "", describes(moved))
	updated := p.reads("SIP/2.0 200")
	require.Contains(t, updated.header("CSeq"), "UPDATE")
	require.Contains(t, updated.body(), "m=audio ")
	p.replies(invite, "200 OK", "a", "", "")
	p.reads("ACK")
	h.heard(moved, "where the early UPDATE said")
	elsewhere := udp(h) // the next target of the dialog
	p.asks(invite, "UPDATE", "a", fmt.Sprintf("Contact: <sip:pbx@%s>\r\n", elsewhere.LocalAddr()), "")
	p.reads("SIP/2.0 200")
	require.NoError(t, line.Hangup(h.ctx))
	q := &pbx{UDPConn: elsewhere, h: h, seen: map[string]bool{}}
	p.replies(q.reads("BYE"), "200 OK", "", "", "")
	h.ended()
}

// An INVITE without an offer: ours goes out with the 200, the answer comes with
// the ACK.
func TestACallerMayLeaveTheOfferToTheGateway(t *testing.T) {
	h := newHouse(t)
	h.open()
	w, rtp := h.wire(h.callID()), udp(h)
	answered := w.late(plainNumber)
	require.Contains(t, answered, "m=audio ")
	require.Contains(t, answered, "PCMU/8000")
	w.acknowledge(answered, describes(rtp))
	h.agent()
	h.heard(rtp, "by the caller")
	r := h.live("the connection", func(r *consent.Record) bool { return !r.Call.ConnectedAt.IsZero() })
	require.Equal(t, consent.NotAsked, r.Outcome)
	require.NoError(t, h.command("hangup"))
	h.ended()
}

func TestACallerWhoAnswersNoOfferIsHungUp(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":        "",
		"no description": "v=0\r\n",
		"no audio":       "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.open()
			w := h.wire(h.callID())
			w.acknowledge(w.late(plainNumber), answer)
			w.reads("BYE ", "BYE")
			r := h.ended()
			assert.Equal(t, "caller agreed on no media", r.Call.EndCause)
			assert.Empty(t, r.Call.PlatformCallID)
			assert.Equal(t, consent.Abandoned, r.Outcome)
		})
	}
}
