package call

import (
	"net"
	"sync"
	"testing"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/sdp"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The agent before may still take keys while they are thrown away for the next:
// whoever throws them away must not wait for one.
func TestKeysAreThrownAwayWithoutWaitingForOne(t *testing.T) {
	onward := make(chan info, 16)
	for range 20000 {
		for range cap(onward) {
			onward <- info{}
		}
		var before sync.WaitGroup
		before.Go(func() {
			for len(onward) > 0 {
				select {
				case <-onward:
				default:
				}
			}
		})
		discard(onward)
		before.Wait()
		require.Empty(t, onward)
	}
}

// the is the one call of the house.
func (h *house) the() *Call {
	h.svc.mu.Lock()
	defer h.svc.mu.Unlock()
	for _, c := range h.svc.live {
		return c
	}
	return nil
}

// An agent who has left is not to be heard of while the next one's telephone
// rings, however long that takes.
func TestAnAgentWhoLeftDuringATransferIsNotMissed(t *testing.T) {
	o := newOffice(t)
	require.Contains(t, o.refers(o.uri("200")+"?Replaces=abc%40center%3Bto-tag%3D1%3Bfrom-tag%3D2"), "202")
	o.reads("INVITE sip:200@")
	c := o.the()
	require.NoError(t, c.do(o.ctx, func() { assert.True(t, c.agent.expected()) }))
	o.asks(o.invite, "BYE", "a", "", "")
	o.live("the agent's leaving", func(r *consent.Record) bool { return happened(r, "agent_left") })
	require.NoError(t, c.do(o.ctx, func() {
		assert.False(t, c.agent.expected())
		assert.True(t, c.asked.expected())
	}))
}

// The next agent was told of a consent that was taken back while its telephone
// rang.
func TestAnAgentWhoRangDuringAWithdrawalIsToldOfIt(t *testing.T) {
	o := newOffice(t)
	require.Contains(t, o.refers(o.uri("200")+"?Replaces=abc%40center%3Bto-tag%3D1%3Bfrom-tag%3D2"), "202")
	invite := o.reads("INVITE sip:200@")
	require.Equal(t, "granted", invite.header("X-Consent-Status"))
	require.NoError(t, o.command("withdraw"))
	o.replies(invite, "200 OK", "c", "Allow: INVITE, ACK, BYE, UPDATE\r\n", describes(udp(o.house)))
	told := o.reads("UPDATE")
	require.Equal(t, invite.header("Call-ID"), told.header("Call-ID"))
	assert.Equal(t, "withdrawn", told.header("X-Consent-Outcome"))
	assert.Equal(t, "off", told.header("X-Recording"))
}

// Of a caller the platform learns what the configuration lets it learn, and not
// what the caller's REFER says of it.
func TestACallerWhoTransfersIsNotNamedToThePlatform(t *testing.T) {
	h := newHouse(t)
	h.cfg.Platforms[0].Transfers.By = []string{"caller"}
	h.cfg.Routes[0].Policy = ""
	p := h.pbx()
	h.open()
	w := h.wire("refers")
	ok := w.invite()
	w.acknowledge(ok, "")
	p.replies(p.reads("INVITE"), "200 OK", "a", "", describes(p.media))
	p.reads("ACK")
	h.until("the connection", func() (*consent.Record, bool) {
		r, found := h.svc.Find("refers")
		return r, found && happened(r, "connected")
	})
	w.tail += "Refer-To: <" + p.uri("200") + ">\r\nReferred-By: <sip:" + fromNumber + "@hosts.of.the.trunk.example>\r\n"
	w.send("REFER", 2, nil)
	require.Contains(t, w.reads("SIP/2.0 ", "REFER"), "SIP/2.0 202 ")
	invite := p.reads("INVITE sip:200@")
	assert.Empty(t, invite.header("Referred-By"))
	assert.NotContains(t, invite.text, "hosts.of.the.trunk")
	p.replies(invite, "486 Busy Here", "b", "", "")
	_, err := h.svc.Command(h.ctx, "refers", "hangup")
	require.NoError(t, err)
}

// What takes the place of an agent proves who it is like any other INVITE of its
// platform.
func TestAnINVITEThatReplacesAnAgentHasToProveWhoSendsIt(t *testing.T) {
	o := newOffice(t, func(o *office) {
		o.cfg.Platforms[0].Auth = &config.Auth{Username: "center", Password: "secret", Realm: "gw.example"}
	})
	answer := o.invites(o.replaces(), describes(udp(o.house)))
	require.Contains(t, answer.text, "SIP/2.0 407 ")
	require.Equal(t, o.invite.header("Call-ID"), o.live("the call", func(*consent.Record) bool { return true }).Call.PlatformCallID)
}

// What a target says before it fails is not what the next one says.
func TestThePreferenceOfATargetThatFailedIsForgotten(t *testing.T) {
	h, tape := newHouse(t), newMemory()
	h.records(Recorder{Name: "archive", Open: tape.open})
	p := h.pbx()
	h.open()
	line := h.agree()
	invite := p.reads("INVITE")
	p.replies(invite, "183 Session Progress", "a", "", describes(p.media, func(s *sdp.Session) {
		s.Attributes = append(s.Attributes, sdp.Attribute{Key: "recordpref", Value: "off"})
	}))
	p.replies(invite, "503 Service Unavailable", "a", "", "")
	h.agent()
	r := h.live("copies", func(*consent.Record) bool { return tape.packets() > 0 })
	assert.False(t, happened(r, "recordpref"))
	require.NoError(t, line.Hangup(h.ctx))
	require.Empty(t, h.ended().Recordings[0].Pauses)
}

// A preference that comes with the ACK of a late offer is evidence like that of
// an early one.
func TestAPreferenceInTheAnswerToOurOfferIsNoted(t *testing.T) {
	h := newHouse(t)
	h.open()
	w := h.wire(h.callID())
	answer := w.late(toNumber)
	local := sdp.Local{Addr: loopback(), Port: w.LocalAddr().(*net.UDPAddr).Port, ID: 1, Version: 1}
	description := sdp.NewOffer(local, []sdp.Codec{sdp.PCMA(), sdp.Event8000()})
	description.Attributes = append(description.Attributes, sdp.Attribute{Key: "recordpref", Value: "off"})
	w.acknowledge(answer, string(description.Marshal()))
	r := h.live("the refusal", func(r *consent.Record) bool { return r.Outcome == consent.Refused })
	assert.True(t, happened(r, "recordpref"))
	require.NoError(t, h.command("hangup"))
}
