package acceptance

import (
	"bytes"
	"testing"

	"consentgw/consent"
	"consentgw/internal/g722"
	"consentgw/internal/phone"
	"consentgw/internal/wav"

	"github.com/stretchr/testify/require"
)

// The tones that the parties say; askTone is that of the question, see
// writeNotice.
const (
	callerTone = 1300
	agentTone  = 700
	askTone    = 350
)

// talk is a call between softphones of others: who calls, who answers, in which
// codec, and what is pressed.
type talk struct {
	name          string
	caller, agent string // baresip or linphone
	codec         string // the trunk's, the agent's as well
	key           string
	method        string // of the press
}

func talks() []talk {
	return []talk{
		{"agrees in A-law", "baresip", "baresip", "PCMA", "1", "rfc4733"},
		{"agrees in mu-law", "baresip", "baresip", "PCMU", "1", "rfc4733"},
		{"agrees in G.722", "baresip", "baresip", "G722", "1", "rfc4733"},
		{"refuses", "baresip", "baresip", "PCMA", "2", "rfc4733"},
		{"agrees by INFO", "linphone", "baresip", "PCMU", "1", "sip-info"},
		{"refuses by INFO", "linphone", "baresip", "PCMA", "2", "sip-info"},
		{"the agent's phone is another", "baresip", "linphone", "PCMA", "1", "rfc4733"},
	}
}

// TestSoftphonesOfOthers: baresip and linphone as caller and as agent, with real
// speech. Each hears what it is to hear, and the recorder has what both said
// from those who agreed, and nothing of those who refused.
func TestSoftphonesOfOthers(t *testing.T) {
	t.Parallel()
	needsReal(t)
	needs(t, "ip", "baresip", "linphonec")
	if !inOwnNetwork(t) {
		return
	}
	raiseNetwork(t)
	for _, tt := range talks() {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, plan{host: ownAddress, info: true, edits: map[string]string{"max_calls: 2000": "codecs: [" + tt.codec + "]"}})
			s.start()
			open := func(kind, user, port string, hertz float64) softphone {
				if kind == "linphone" {
					return s.openLinphone(port, hertz)
				}
				return s.openBaresip(user, port, tt.codec, hertz)
			}
			agent := open(tt.agent, calledNumber, portOf(s.targets[0]), agentTone)
			caller := open(tt.caller, callerNumber, portOf(freePort(t)), callerTone)
			r := s.converse(caller, agent, tt.key)
			require.Equal(t, tt.method, r.Press.Method)
			require.Equal(t, tt.key, r.Press.Key)
			s.heardRight(caller.heard(), agent.heard())
			s.recordedRight(r, tt.key == "1")
			s.idle(1e9)
		})
	}
}

// converse makes the call of a caller who presses a key, and ends it when both
// have heard each other for a while.
func (s *site) converse(caller, agent softphone, key string) *consent.Record {
	t := s.t
	t.Helper()
	caller.dial("sip:" + calledNumber + "@" + s.trunk)
	id := ""
	s.poll("the call at the gateway", func() bool {
		calls, err := s.api.Calls(s.ctx)
		if err == nil && len(calls) == 1 {
			id = string(calls[0].RecordID)
		}
		return id != ""
	})
	// A yes before the end of the question counts for nothing, and a caller who
	// hears no effect presses again.
	tries := 0
	s.poll("the decision", func() bool {
		if tries++; tries%30 == 10 {
			caller.press(key)
		}
		r, err := s.api.Show(s.ctx, id)
		return err == nil && !r.Call.ConnectedAt.IsZero()
	})
	const while = 3 * 8000 * 2 // bytes of three seconds
	atCaller, atAgent := caller.heardBytes(), agent.heardBytes()
	s.poll("both to have heard the other", func() bool {
		return caller.heardBytes() > atCaller+while && agent.heardBytes() > atAgent+while
	})
	caller.hangup()
	var r *consent.Record
	s.poll("the end of the record", func() (ended bool) {
		var err error
		r, err = s.api.Show(s.ctx, id)
		return err == nil && r.Ended()
	})
	require.Equal(t, "caller hung up", r.Call.EndCause)
	return r
}

// heardRight holds what both sides wrote down against what was said.
func (s *site) heardRight(caller, agent []int16) {
	t := s.t
	t.Helper()
	t.Logf("the caller heard %.2f s of the question and %.2f s of the agent; the agent %.2f s of the caller",
		toneSeconds(caller, askTone), toneSeconds(caller, agentTone), toneSeconds(agent, callerTone))
	require.Greater(t, toneSeconds(caller, askTone), 0.25, "seconds of the question of 0.5 s that the caller heard") // linphone begins late
	require.Greater(t, toneSeconds(caller, agentTone), 1.5, "seconds that the caller heard the agent")
	require.Greater(t, toneSeconds(agent, callerTone), 1.5, "seconds that the agent heard the caller")
	require.Zero(t, toneSeconds(agent, askTone), "seconds that the agent heard the question")
}

// recordedRight holds the recorder against the record.
func (s *site) recordedRight(r *consent.Record, agreed bool) {
	t := s.t
	t.Helper()
	copies := len(s.recorder.Caller(0)) + len(s.recorder.Agent(0))
	t.Logf("%s by %s: %d packets at the recorder", r.Outcome, r.Press.Method, copies)
	if !agreed {
		require.Equal(t, consent.Refused, r.Outcome)
		require.Empty(t, r.Recordings)
		require.Zero(t, copies, "packets at the recorder of a caller who refused")
		return
	}
	require.Equal(t, consent.Given, r.Outcome)
	require.Len(t, r.Recordings, 1)
	rec := r.Recordings[0]
	require.EqualValues(t, rec.Caller.Packets+rec.Agent.Packets, copies)
	caller, agent := s.recorder.Caller(rec.Caller.SSRC), s.recorder.Agent(rec.Agent.SSRC)
	require.EqualValues(t, rec.Caller.Packets, len(caller))
	require.EqualValues(t, rec.Agent.Packets, len(agent))
	require.Greater(t, toneSeconds(decoded(t, caller), callerTone), 1.5, "seconds of the caller at the recorder")
	require.Greater(t, toneSeconds(decoded(t, agent), agentTone), 1.5, "seconds of the agent at the recorder")
}

// decoded is what packets of G.711 say, or of the lower band of G.722.
func decoded(t *testing.T, packets []phone.Packet) []int16 {
	t.Helper()
	if len(packets) > 0 && packets[0].Type == 9 {
		var pcm []int16
		low := g722.NewDecoder()
		for _, p := range packets {
			frame := make([]int16, len(p.Payload))
			low.DecodeLow(frame, p.Payload)
			pcm = append(pcm, frame...)
		}
		return pcm
	}
	var file bytes.Buffer
	require.NoError(t, phone.WriteWAV(&file, packets))
	audio, err := wav.Read(&file)
	require.NoError(t, err)
	return audio.PCM
}
