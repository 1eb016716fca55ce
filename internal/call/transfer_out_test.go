package call

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/phone"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newOutOffice is an office whose agent has called out: the callee has answered
// and is being asked, the agent waits.
func newOutOffice(t *testing.T) *office {
	o := &office{house: newHouse(t), tape: newMemory(), rung: make(chan map[string]string, 8), tag: "a"}
	o.pbx = o.house.pbx()
	o.cfg.Platforms[0].Transfers.By = []string{"agent"}
	o.cfg.Policies[0].AnswerTimeout = patience
	o.callsOut(o.pick)
	o.recorders = []Recorder{{Name: "archive", Open: o.tape.open}}
	o.cfg.Routes[2].Recorders = []string{"archive"}
	o.ring = []func(context.Context, *phone.Ring){o.reports}
	o.open()
	answered := o.calls(awayNumber, o.callID(), "", describes(o.media))
	require.Contains(t, answered.text, "SIP/2.0 200 ")
	o.invite = mirrored(answered)
	_, o.tag, _ = strings.Cut(answered.header("From"), ";tag=")
	o.line = o.agent()
	// The one on the trunk's side stays the same when the agent changes.
	o.id = o.live("the record", func(*consent.Record) bool { return true }).Call.TrunkCallID
	return o
}

// mirrored is the request that the gateway would have sent to begin the dialog
// of a response of its own.
func mirrored(m message) message {
	from, _, _ := strings.Cut(m.header("From"), ";tag=")
	return message{fmt.Sprintf("From: %s\r\nTo: %s\r\nContact: %s\r\nCall-ID: %s\r\n", m.header("To"), from, m.header("Contact"), m.header("Call-ID")), m.from}
}

// agrees lets the callee agree, and waits for copies.
func (o *office) agrees() {
	o.hears(o.line, "ask")
	require.Zero(o.t, o.tape.packets(), "a recording before the decision")
	o.line.Press("1")
	o.live("copies", func(*consent.Record) bool { return o.tape.packets() > 0 })
}

func TestAnAgentWhoCalledOutTransfersTheCallAndTheConsentGoesWithIt(t *testing.T) {
	o := newOutOffice(t)
	o.agrees()
	require.Equal(t, "SIP/2.0 202 Accepted", o.refers(o.desk("200")))
	o.told("200")
	o.replies(o.reads("BYE"), "200 OK", "", "", "")
	headers := o.transferred()
	assert.Contains(t, headers["From"], awayNumber, "the next agent talks to the callee")
}

func TestAnotherAgentTakesAnOutboundCallOver(t *testing.T) {
	o := newOutOffice(t)
	o.agrees()
	ear := udp(o.house)
	answered := o.invites(o.replaces(), describes(ear))
	require.Contains(t, answered.text, "SIP/2.0 200 ")
	require.Equal(t, "granted", answered.header("X-Consent-Status"))
	o.replies(o.reads("BYE"), "200 OK", "", "", "")
	o.heard(ear, "by the other agent")
	require.NoError(t, o.line.Hangup(o.ctx))
	o.replies(o.reads("BYE"), "200 OK", "", "", "")
	r := o.ended()
	assert.True(t, happened(r, "transferred"))
	assert.Equal(t, consent.Given, r.Outcome)
	assert.Equal(t, "callee hung up", r.Call.EndCause)
}

// Whoever waits for the decision has nobody to hand over yet.
func TestAnAgentWhoWaitsForTheDecisionCannotTransferTheCall(t *testing.T) {
	for name, begin := range map[string]func(*testing.T) *office{
		"having called out": newOutOffice,
		"rung during the notice": func(t *testing.T) *office {
			o := &office{house: newHouse(t), tape: newMemory(), rung: make(chan map[string]string, 8), tag: "a"}
			o.pbx = o.house.pbx()
			o.cfg.Platforms[0].Transfers.By = []string{"agent"}
			o.cfg.Policies[0].Dial, o.cfg.Policies[0].AnswerTimeout = config.DialDuringNotice, patience
			o.records(Recorder{Name: "archive", Open: o.tape.open})
			o.ring = []func(context.Context, *phone.Ring){o.reports}
			o.open()
			o.line = o.dial(toNumber)
			o.invite = o.reads("INVITE")
			o.replies(o.invite, "200 OK", "a", "", describes(o.media))
			o.reads("ACK")
			return o
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := begin(t)
			o.live("the agent to wait", func(r *consent.Record) bool { return happened(r, "agent_waiting") })
			require.Contains(t, o.refers(o.desk("200")), "SIP/2.0 480 ")
			require.Contains(t, o.invites(o.replaces(), describes(o.media)).text, "SIP/2.0 480 The agent is not connected yet")
			require.Empty(t, o.rung)
			o.agrees()
			require.NoError(t, o.line.Hangup(o.ctx))
			r := o.ended()
			assert.Equal(t, consent.Given, r.Outcome)
			require.Len(t, r.Recordings, 1)
			assert.Zero(t, r.Recordings[0].BeforeGrant)
			assert.False(t, happened(r, "transfer_begun"))
		})
	}
}
