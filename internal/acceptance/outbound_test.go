package acceptance

import (
	"context"
	"fmt"
	"testing"

	"consentgw/consent"
	"consentgw/internal/phone"

	"github.com/stretchr/testify/require"
)

// calleeNumber is reserved for fiction.
const calleeNumber = "+442079460123"

// keyed is how many calls of a test agree, and how many refuse.
const keyed = 4

// TestTheCalleeOfAnOutboundCallIsAsked: four callees agree and four refuse, while
// agents wait. Of the four every packet sent after the tap opened is at the
// recorder and none before; of those who refused none at all.
func TestTheCalleeOfAnOutboundCallIsAsked(t *testing.T) {
	t.Parallel()
	needsReal(t)
	at := freePort(t)
	s := newSite(t, plan{edits: map[string]string{
		"    max_calls: 2000\n":      "    max_calls: 2000\n    targets: [{uri: \"sip:" + at + "\"}]\n",
		"  - name: contact-center\n": "  - name: contact-center\n    from: [\"127.0.0.1/32\"]\n",
		"routes:\n":                  "routes:\n  - {name: back, direction: outbound, platform: contact-center, trunk: carrier-a, to: \"+4420*\", policy: nl, recorders: [archive]}\n",
	}})
	s.start()
	lines := s.openCallees(at)
	agents := s.openPhone()
	talks := make([]*conversation, 2*keyed)
	for i := range talks {
		v := &conversation{site: s, id: fmt.Sprintf("outbound-%d", i)}
		agent, err := agents.Call(s.ctx, phone.Dial{Target: "sip:" + s.platform, Caller: calledNumber, Called: calleeNumber, CallID: v.id})
		require.NoError(t, err)
		agent.Speak(tone(700, 8000), true)
		v.caller, v.agent, talks[i] = <-lines, &arrival{line: agent}, v
		v.choosesWhileTheAgentWaits(i < keyed)
	}
	for i, r := range s.endKeyed(talks) {
		require.Equal(t, "outbound", r.Call.Direction)
		require.Equal(t, calleeNumber, r.Subject)
		require.Equal(t, talks[i].id, r.Call.PlatformCallID)
	}
}

// openCallees answers the calls that the gateway makes on the trunk.
func (s *site) openCallees(at string) <-chan *phone.Line {
	lines := make(chan *phone.Line, 1)
	home, err := phone.New(phone.Config{Listen: "udp:" + at, Ring: func(ctx context.Context, r *phone.Ring) {
		for _, name := range []string{"X-Consent-Status", "X-Consent-Id", "X-CID"} {
			if len(r.Header(name)) > 0 {
				r.Reject(500, "The trunk is told of the consent")
				return
			}
		}
		line, err := r.Pick(ctx)
		if err != nil {
			return
		}
		line.Speak(tone(500, 8000), true)
		lines <- line
		select {
		case <-line.Ended():
		case <-ctx.Done():
		}
		line.Hangup(context.WithoutCancel(ctx))
	}})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, home.Close()) })
	return lines
}

// TestTheAgentIsRungDuringTheNotice: the same for callers whose agents have
// answered before the decision.
func TestTheAgentIsRungDuringTheNotice(t *testing.T) {
	t.Parallel()
	s := newSite(t, plan{edits: map[string]string{"    basis: consent\n": "    basis: consent\n    dial: during_notice\n"}})
	s.start()
	p, c := s.openPhone(), s.openCenter()
	talks := make([]*conversation, 2*keyed)
	for i := range talks {
		v, err := s.call(p, fmt.Sprintf("early-%d", i))
		require.NoError(t, err)
		v.agent, err = c.await(s.ctx, v.id, true)
		require.NoError(t, err)
		require.Equal(t, "unknown", v.agent.headers["X-Consent-Status"])
		require.Equal(t, "pending", v.agent.headers["X-Consent-Outcome"])
		require.Equal(t, "off", v.agent.headers["X-Recording"])
		talks[i] = v
		v.choosesWhileTheAgentWaits(i < keyed)
	}
	for _, r := range s.endKeyed(talks) {
		require.Equal(t, "inbound", r.Call.Direction)
	}
}

// choosesWhileTheAgentWaits hears the question, presses a key, and waits until the
// two are connected. Until the key nothing is decided or recorded.
func (v *conversation) choosesWhileTheAgentWaits(agrees bool) {
	t, ask := v.t, v.notice.Prompt("ask")
	t.Helper()
	require.NoError(t, v.caller.Hears(v.ctx, ask.PCMU, ask.PCMA))
	status, err := v.api.Status(v.ctx, v.id)
	require.NoError(t, err)
	require.EqualValues(t, "pending", status.Status)
	require.Equal(t, consent.RecordingOff, status.Recording)
	key, want := "2", consent.RecordingOff
	if agrees {
		key, want = "1", consent.RecordingOn
	}
	v.caller.Press(key)
	v.poll("the two to be connected", func() bool {
		status, err := v.api.Status(v.ctx, v.id)
		if err != nil || status.Status == "pending" || status.Recording != want {
			return false
		}
		r, err := v.api.Show(v.ctx, string(status.RecordID))
		return err == nil && !r.Call.ConnectedAt.IsZero()
	})
	require.NoError(t, v.talks(20))
}

// endKeyed ends the calls, of which the first half agreed, and compares what was
// sent with what was recorded.
func (s *site) endKeyed(talks []*conversation) []*consent.Record {
	s.t.Helper()
	records := s.endAll(talks, keyed)
	copies := 0
	for i, r := range records {
		if i < keyed {
			require.Equal(s.t, consent.Given, r.Outcome)
			talks[i].checkRecorded(r)
			copies += int(r.RecordedPackets())
			continue
		}
		require.Equal(s.t, consent.Refused, r.Outcome)
		require.Empty(s.t, r.Recordings)
	}
	all := len(s.recorder.Caller(0)) + len(s.recorder.Agent(0))
	require.Equal(s.t, copies, all, "packets at the recorder that belong to no recording")
	require.Zero(s.t, s.idle(1e9).sum("consentgw_fork_violations_total"))
	s.t.Logf("%d calls agreed: %d packets at the recorder, none missing, none before the decision; %d refused: 0 packets", keyed, all, len(talks)-keyed)
	return records
}
