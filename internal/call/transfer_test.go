package call

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"consentgw/consent"
	"consentgw/internal/phone"
	"consentgw/prompts"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// office is a house whose agent is a pbx, with a desk that calls can be
// transferred to.
type office struct {
	*house
	*pbx
	tape   *memory
	says   string      // the caller's choice
	line   *phone.Line // the caller's
	invite message     // of the agent
	tag    string      // of the agent in that dialog
	rung   chan map[string]string
}

func newOffice(t *testing.T, prepare ...func(*office)) *office {
	o := &office{house: newHouse(t), says: "1", tape: newMemory(), rung: make(chan map[string]string, 8), tag: "a"}
	o.pbx = o.house.pbx()
	o.cfg.Platforms[0].Transfers.By = []string{"agent"}
	o.records(Recorder{Name: "archive", Open: o.tape.open})
	o.ring = []func(context.Context, *phone.Ring){o.reports}
	for _, f := range prepare {
		f(o)
	}
	o.open()
	o.line = o.dial(toNumber)
	o.hears(o.line, prompts.Ask)
	o.line.Press(o.says)
	o.invite = o.reads("INVITE")
	o.replies(o.invite, "200 OK", "a", "", describes(o.media))
	o.reads("ACK")
	if o.says == "1" {
		o.live("copies", func(*consent.Record) bool { return o.tape.packets() > 0 })
	}
	o.live("the connection", func(r *consent.Record) bool { return !r.Call.ConnectedAt.IsZero() })
	return o
}

// reports is a desk that tells what its INVITE said and picks up.
func (o *office) reports(ctx context.Context, r *phone.Ring) {
	headers := map[string]string{"called": r.Called()}
	for _, name := range []string{"X-Consent-Status", "X-Consent-Id", "X-Recording", "Replaces", "Require", "Referred-By", "From"} {
		headers[name] = strings.Join(r.Header(name), ",")
	}
	o.rung <- headers
	o.pick(ctx, r)
}

// desk is the place to transfer to.
func (o *office) desk(user string) string {
	targets := o.cfg.Platforms[0].Targets
	uri := targets[len(targets)-1].URI
	uri, _, _ = strings.Cut(uri, ";")
	return strings.Replace(uri, "sip:", "sip:"+user+"@", 1)
}

// refers sends a REFER and returns the status line of the answer.
func (o *office) refers(to string) string {
	o.asks(o.invite, "REFER", o.tag, "Refer-To: <"+to+">\r\nReferred-By: <sip:agent@center.example>\r\n", "")
	status, _, _ := strings.Cut(o.reads("SIP/2.0 ").text, "\r\n")
	return status
}

// told reads NOTIFYs up to one with the status, and answers them.
func (o *office) told(status string) {
	o.t.Helper()
	for {
		m := o.reads("NOTIFY")
		o.replies(m, "200 OK", "", "", "")
		require.Equal(o.t, "message/sipfrag;version=2.0", m.header("Content-Type"))
		final := !strings.HasPrefix(m.body(), "SIP/2.0 1")
		require.Equal(o.t, final, strings.HasPrefix(m.header("Subscription-State"), "terminated"), m.text)
		if strings.HasPrefix(m.body(), "SIP/2.0 "+status) {
			return
		}
		require.False(o.t, final, "another end of the transfer: %s", m.body())
	}
}

// transferred checks the call after its transfer to the desk, and returns what
// the desk was told.
func (o *office) transferred() map[string]string {
	t := o.t
	headers, agent := <-o.rung, o.agent()
	assert.Equal(t, "granted", headers["X-Consent-Status"])
	assert.Equal(t, "on", headers["X-Recording"])
	r := o.live("the transfer", func(r *consent.Record) bool { return r.Call.PlatformCallID == agent.Leg().CallID() })
	assert.Equal(t, string(r.ID), headers["X-Consent-Id"])
	byNew, ok := o.svc.Find(agent.Leg().CallID())
	require.True(t, ok)
	assert.Equal(t, r.ID, byNew.ID)
	assert.True(t, happened(r, "transferred"))
	former, ok := o.svc.Find(o.invite.header("Call-ID"))
	require.True(t, ok, "the call by a leg that was replaced")
	assert.Equal(t, r.ID, former.ID)
	o.hearsMore(o.line, 25)
	o.hearsMore(agent, 25)
	before := o.tape.packets()
	o.live("copies of the new agent", func(*consent.Record) bool { return o.tape.packets() > before+20 })
	require.NoError(t, o.line.Hangup(o.ctx))
	end := o.ended()
	<-o.tape.closed
	assert.Equal(t, agent.Leg().CallID(), end.Call.PlatformCallID)
	byFormer, err := o.store.Store.Find(o.ctx, o.invite.header("Call-ID"))
	require.NoError(t, err)
	assert.Equal(t, end.ID, byFormer.ID)
	assert.Equal(t, consent.Given, end.Outcome)
	require.Len(t, end.Recordings, 1, "one recording, under one permit")
	assert.EqualValues(t, o.tape.packets(), end.RecordedPackets())
	assert.Zero(t, end.Recordings[0].BeforeGrant+end.Recordings[0].AfterStop)
	for _, e := range end.History {
		assert.NotContains(t, e.Text, "5550", "numbers are not for the history")
	}
	return headers
}

func TestAnAgentTransfersTheCallAndTheConsentGoesWithIt(t *testing.T) {
	o := newOffice(t)
	require.Contains(t, o.invite.header("Allow"), "REFER")
	require.Equal(t, "SIP/2.0 202 Accepted", o.refers(o.desk("200")))
	o.told("200")
	bye := o.reads("BYE")
	require.Contains(t, bye.header("Reason"), "transferred")
	o.replies(bye, "200 OK", "", "", "")
	o.transferred()
}

func TestARefusalGoesWithATransferAndNobodyIsAskedAgain(t *testing.T) {
	o := newOffice(t, func(o *office) {
		o.says = "2"
		o.records(Recorder{Name: "other", Open: func(context.Context, Take) (Recording, error) {
			t.Error("a recorder was asked")
			return nil, errors.New("not asked for")
		}})
	})
	require.Contains(t, o.refers(o.desk("200")), "202")
	o.told("200")
	o.replies(o.reads("BYE"), "200 OK", "", "", "")
	headers, agent := <-o.rung, o.agent()
	assert.Equal(t, "denied", headers["X-Consent-Status"])
	assert.Equal(t, "off", headers["X-Recording"])
	o.live("the transfer", func(r *consent.Record) bool { return r.Call.PlatformCallID == agent.Leg().CallID() })
	ask := o.notice.Prompt(prompts.Ask)
	o.hearsMore(o.line, len(ask.PCMU)/160+50) // longer than the question
	require.NoError(t, o.line.Until(o.ctx, func(_ []phone.Packet, audio []byte) bool {
		assert.Equal(t, 1, bytes.Count(audio, ask.PCMU)+bytes.Count(audio, ask.PCMA), "asked again")
		return true
	}))
	require.NoError(t, o.line.Hangup(o.ctx))
	end := o.ended()
	assert.Equal(t, consent.Refused, end.Outcome)
	assert.EqualValues(t, 1, end.Notice.Plays)
	assert.Empty(t, end.Recordings)
}

func TestAnAgentMayLeaveAsSoonAsTheTransferIsAccepted(t *testing.T) {
	release := make(chan struct{})
	o := newOffice(t, func(o *office) {
		ring := o.ring[0]
		o.ring[0] = func(ctx context.Context, r *phone.Ring) {
			r.Progress(180, "Ringing", nil)
			select {
			case <-release:
				ring(ctx, r)
			case <-ctx.Done(): // of a test that has failed
			}
		}
	})
	require.Contains(t, o.refers(o.desk("200")), "202")
	o.asks(o.invite, "BYE", "a", "", "")
	o.reads("SIP/2.0 200")
	r := o.live("the pause", func(r *consent.Record) bool { return r.Recording() == consent.RecordingPaused })
	assert.Equal(t, "transfer", r.Recordings[0].Pauses[0].Reason)
	n := o.tape.packets()
	o.hearsMore(o.line, 25) // a ringback tone
	assert.Equal(t, n, o.tape.packets(), "nobody is recorded who talks to nobody")
	close(release)
	o.transferred()
}

func TestAnAttendedTransferReplacesTheCallOfTheAgents(t *testing.T) {
	o := newOffice(t)
	require.Contains(t, o.refers(o.uri("200")+"?Replaces=abc%40center%3Bto-tag%3D1%3Bfrom-tag%3D2"), "202")
	invite := o.reads("INVITE sip:200@")
	assert.Equal(t, "abc@center;to-tag=1;from-tag=2", invite.header("Replaces"))
	assert.Equal(t, "replaces", invite.header("Require"))
	assert.Equal(t, "<sip:agent@center.example>", invite.header("Referred-By"))
	assert.Equal(t, "granted", invite.header("X-Consent-Status"))
	moved := udp(o.house)
	o.replies(invite, "200 OK", "c", "", describes(moved))
	o.heard(moved, "by the other agent")
	o.asks(o.invite, "BYE", "a", "", "") // as its own phone does, replaced
	o.told("200")
	r := o.live("the transfer", func(r *consent.Record) bool { return happened(r, "transferred") })
	assert.Equal(t, invite.header("Call-ID"), r.Call.PlatformCallID)
	require.NoError(t, o.line.Hangup(o.ctx))
	for {
		if bye := o.reads("BYE"); bye.header("Call-ID") == r.Call.PlatformCallID {
			o.replies(bye, "200 OK", "", "", "")
			break
		}
	}
	o.ended()
}

func TestANumberAtTheGatewayIsCalledAtThePlatform(t *testing.T) {
	for name, form := range map[string]string{"sip": "sip:+31205550188@%s", "tel": "tel:+31205550188;phone-context=x%.0s"} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			require.Contains(t, o.refers(fmt.Sprintf(form, o.svc.Platform.Addrs()[0].AddrPort)), "202")
			invite := o.reads("INVITE sip:+31205550188@")
			o.replies(invite, "486 Busy Here", "b", "", "")
			o.told("486")
			assert.False(t, happened(o.live("the failure", func(r *consent.Record) bool { return happened(r, "transfer_failed") }), "transferred"))
		})
	}
}

func TestAFailedTransferKeepsTheAgent(t *testing.T) {
	o := newOffice(t, func(o *office) {
		o.ring[0] = func(_ context.Context, r *phone.Ring) { r.Reject(486, "Busy Here") }
	})
	require.Contains(t, o.refers(o.desk("200")), "202")
	o.told("486")
	r := o.live("the failure", func(r *consent.Record) bool { return happened(r, "transfer_failed") })
	assert.Equal(t, o.invite.header("Call-ID"), r.Call.PlatformCallID)
	n := o.tape.packets()
	o.live("copies", func(*consent.Record) bool { return o.tape.packets() > n+20 })
	require.Contains(t, o.refers(o.desk("201")), "202", "another try is welcome")
	o.told("486")
	require.NoError(t, o.line.Hangup(o.ctx))
	o.replies(o.reads("BYE"), "200 OK", "", "", "")
	assert.Equal(t, "caller hung up", o.ended().Call.EndCause)
}

func TestAnotherTransferMayFollowTheEndOfOneAtOnce(t *testing.T) {
	o := newOffice(t, func(o *office) {
		o.ring[0] = func(_ context.Context, r *phone.Ring) { r.Reject(486, "Busy Here") }
	})
	for range 5 {
		require.Contains(t, o.refers(o.desk("200")), "202")
		o.told("486")
	}
	require.NoError(t, o.line.Hangup(o.ctx))
	o.ended()
}

// Whoever waits for the next agent hears the place that is called now, not the
// silence of one that has failed.
func TestTheCallerHearsRingbackAfterTheEarlyMediaOfATransferThatFailed(t *testing.T) {
	ringing, pick := make(chan struct{}), make(chan struct{})
	o := newOffice(t, func(o *office) {
		ring := o.ring[0]
		o.ring[0] = func(ctx context.Context, r *phone.Ring) {
			r.Progress(180, "Ringing", nil)
			close(ringing)
			<-pick
			ring(ctx, r)
		}
	})
	require.Contains(t, o.refers(fmt.Sprintf("sip:+31205550188@%s", o.svc.Platform.Addrs()[0].AddrPort)), "202")
	invite := o.reads("INVITE sip:+31205550188@")
	o.asks(o.invite, "BYE", "a", "", "")
	o.reads("SIP/2.0 200")
	o.replies(invite, "183 Session Progress", "b", "", describes(o.media))
	o.until("the early media", func() (_ *consent.Record, early bool) {
		c := o.svc.find(o.callID())
		require.NoError(t, c.do(o.ctx, func() { early = c.transfer.early }))
		return nil, early
	})
	o.replies(invite, "503 Service Unavailable", "b", "", "")
	<-ringing
	o.hearsMore(o.line, 50)
	close(pick)
	o.transferred()
}

func TestACallWithoutAnAgentAfterAFailedTransferEnds(t *testing.T) {
	release := make(chan struct{})
	o := newOffice(t, func(o *office) {
		o.ring[0] = func(_ context.Context, r *phone.Ring) {
			<-release
			r.Reject(603, "Decline")
		}
	})
	require.Contains(t, o.refers(o.desk("200")), "202")
	o.asks(o.invite, "BYE", "a", "", "")
	o.reads("SIP/2.0 200")
	o.live("the pause", func(r *consent.Record) bool { return r.Recording() == consent.RecordingPaused })
	close(release)
	<-o.line.Ended()
	assert.Equal(t, errNoTransfer.Error(), o.ended().Call.EndCause)
}

func TestACallerWhoLeavesDuringATransferLeavesNothingBehind(t *testing.T) {
	gone := make(chan struct{})
	o := newOffice(t, func(o *office) {
		o.ring[0] = func(_ context.Context, r *phone.Ring) {
			r.Progress(180, "Ringing", nil)
			<-r.Context().Done()
			close(gone)
		}
	})
	require.Contains(t, o.refers(o.desk("200")), "202")
	o.told("180")
	require.NoError(t, o.line.Hangup(o.ctx))
	<-gone
	assert.Equal(t, "caller hung up", o.ended().Call.EndCause)
}

func TestATransferLeadsNowhereButToThePlatform(t *testing.T) {
	o := newOffice(t)
	for _, to := range []string{
		"sip:200@198.51.100.9", "sip:+31205550188@evil.example", "sip:200@evil.example;maddr=127.0.0.1",
		"sip:" + o.svc.Platform.Addrs()[0].AddrPort.String() + "?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2", "http://127.0.0.1/",
	} {
		assert.Equal(t, "SIP/2.0 403 Forbidden", o.refers(to), to)
	}
	assert.Equal(t, "SIP/2.0 603 Only INVITE Is Referred", o.refers(o.desk("200")+";method=BYE"))
	assert.Empty(t, o.rung)
}

func TestTransfersCanBeForbidden(t *testing.T) {
	o := newOffice(t, func(o *office) { o.cfg.Platforms[0].Transfers.By = []string{} })
	assert.Equal(t, "SIP/2.0 603 Decline", o.refers(o.desk("200")))
}

func TestOneTransferAtATime(t *testing.T) {
	release := make(chan struct{})
	o := newOffice(t, func(o *office) {
		o.ring[0] = func(_ context.Context, r *phone.Ring) {
			<-release
			r.Reject(486, "Busy Here")
		}
	})
	require.Contains(t, o.refers(o.desk("200")), "202")
	assert.Equal(t, "SIP/2.0 491 Request Pending", o.refers(o.desk("201")))
	close(release)
	o.told("486")
}
