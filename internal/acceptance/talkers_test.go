package acceptance

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"strings"
	"testing"

	"consentgw/consent"
	"consentgw/internal/dtmf"
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

// talk is a call between softphones of others: who calls, who answers, what they
// speak, how, and what is pressed. What is left out is the ordinary.
type talk struct {
	name          string
	caller, agent string      // baresip or linphone
	codec         string      // the trunk's, the agent's as well
	key           string      // empty: 1
	method        dtmf.Method // of the press; empty: by RFC 4733
	// srtp is what the trunk and what the platform ask for, phones what the caller
	// and the agent do, each "off" if empty; suites is by what the two sides are
	// encrypted then.
	srtp, phones, suites [2]string
}

func talks() []talk {
	const aes, gcm = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"
	clear := [2]string{}
	mandatory, eager := [2]string{"required", "required"}, [2]string{"optional", "optional"}
	return []talk{
		{name: "A-law", caller: "baresip", agent: "baresip", codec: "PCMA"},
		{name: "A-law of another", caller: "linphone", agent: "linphone", codec: "PCMA"},
		{name: "mu-law", caller: "baresip", agent: "linphone", codec: "PCMU"},
		{name: "G.722", caller: "baresip", agent: "linphone", codec: "G722"},
		{name: "G.722 of another", caller: "linphone", agent: "baresip", codec: "G722"},
		{name: "Opus", caller: "baresip", agent: "linphone", codec: "opus"},
		{name: "Opus of another", caller: "linphone", agent: "baresip", codec: "opus"},
		{name: "refuses", caller: "baresip", agent: "baresip", codec: "PCMA", key: "2"},
		{name: "INFO", caller: "linphone", agent: "baresip", codec: "PCMU", method: dtmf.Info},
		{name: "refuses by INFO", caller: "linphone", agent: "baresip", codec: "PCMA", key: "2", method: dtmf.Info},
		{name: "tones", caller: "baresip", agent: "baresip", codec: "PCMA", method: dtmf.Inband},
		{name: "tones of another", caller: "linphone", agent: "baresip", codec: "PCMU", method: dtmf.Inband},
		{name: "tones in G.722", caller: "baresip", agent: "baresip", codec: "G722", method: dtmf.Inband},
		{"all encrypted", "baresip", "linphone", "PCMA", "", "", mandatory, mandatory, [2]string{aes, aes}},
		{"all encrypted the other way", "linphone", "baresip", "PCMU", "", "", mandatory, mandatory, [2]string{aes, gcm}},
		{"Opus encrypted", "linphone", "linphone", "opus", "", "", mandatory, mandatory, [2]string{aes, aes}},
		{"who can encrypt does", "baresip", "baresip", "PCMA", "", "", eager, eager, [2]string{aes, gcm}},
		{"who cannot encrypt talks in clear", "baresip", "linphone", "PCMA", "", "", eager, clear, clear},
		{"only the trunk is encrypted", "linphone", "baresip", "PCMA", "", dtmf.Info, [2]string{"required", "off"}, [2]string{"optional", "off"}, [2]string{aes, ""}},
		{"only the platform is encrypted", "baresip", "linphone", "G722", "", "", [2]string{"off", "required"}, [2]string{"off", "required"}, [2]string{"", aes}},
	}
}

// TestSoftphonesOfOthers: baresip and linphone as caller and as agent, with real
// speech, in all the codecs, with all the ways to press a key, encrypted and in
// clear. Each hears what it is to hear, and the recorder has what both said
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
			t.Parallel()
			tt.complete()
			s := newSite(t, plan{host: ownAddress, info: true, embedded: true, opus: tt.codec == "opus", edits: tt.edits()})
			s.start()
			tt.run(s)
			s.idle(1e9)
		})
	}
}

// complete puts in what is ordinary.
func (tt *talk) complete() {
	tt.key, tt.method = cmp.Or(tt.key, "1"), cmp.Or(tt.method, dtmf.RFC4733)
	for _, side := range [][]string{tt.srtp[:], tt.phones[:]} {
		for i := range side {
			side[i] = cmp.Or(side[i], "off")
		}
	}
}

// edits are what the configuration says of the two sides.
func (tt *talk) edits() map[string]string {
	return map[string]string{
		"max_calls: 2000": fmt.Sprintf("codecs: [%s]\n    srtp: %q", tt.codec, tt.srtp[0]),
		// A softphone on a busy machine takes its time to press.
		"answer_timeout: 5s ": "answer_timeout: 60s ",
		"answer_timeout: 30s": fmt.Sprintf("srtp: %q", tt.srtp[1]),
	}
}

// run makes the call and holds all that came of it against what was to.
func (tt *talk) run(s *site) {
	t := s.t
	t.Helper()
	agent := s.open(handset{tt.agent, calledNumber, portOf(s.targets[0]), tt.codec, agentTone, dtmf.RFC4733, tt.phones[1]})
	port := portOf(freePort(t))
	caller := s.open(handset{tt.caller, callerNumber, port, tt.codec, callerTone, tt.method, tt.phones[0]})
	gateway := s.trunk
	if tt.method == dtmf.Inband {
		// Both softphones always offer events, which makes tones mere sound.
		near := net.JoinHostPort(ownAddress, port)
		gateway = hide(t, net.JoinHostPort(ownAddress, "0"), near, s.trunk, "telephone-event").near.addr()
	}
	r := s.converse(caller, agent, gateway, tt.key)
	require.NotNil(t, r.Press, r.Outcome)
	require.EqualValues(t, tt.method, r.Press.Method)
	require.Equal(t, tt.key, r.Press.Key)
	require.Equal(t, tt.suites, [2]string{r.Legs.Trunk.SRTP, r.Legs.Platform.SRTP}, "suites of the trunk and of the platform")
	if tt.method == dtmf.RFC4733 {
		require.Equal(t, tt.suites[0], r.Press.SRTP, "the suite of the press")
	}
	s.heardRight(caller.heard(), agent.heard(), tt.codec)
	s.recordedRight(r, tt.key == "1", tt.codec)
}

// converse makes the call of a caller who presses a key, and ends it when both
// have heard each other for a while.
func (s *site) converse(caller, agent softphone, gateway, key string) *consent.Record {
	t := s.t
	t.Helper()
	caller.dial("sip:" + calledNumber + "@" + gateway)
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
	s.poll("both to have heard the other", func() bool {
		tries++ // and not at every turn: it takes some time to listen
		return tries%10 == 0 && toneSeconds(caller.heard(), agentTone) > enough && toneSeconds(agent.heard(), callerTone) > enough
	})
	caller.hangup()
	caller.ended()
	agent.ended()
	var r *consent.Record
	s.poll("the end of the record", func() (ended bool) {
		var err error
		r, err = s.api.Show(s.ctx, id)
		return err == nil && r.Ended()
	})
	require.Equal(t, "caller hung up", r.Call.EndCause)
	return r
}

// enough is for how many seconds the tone of a party is to be heard.
const enough = 1.5

// heardRight holds what both sides wrote down against what was said.
func (s *site) heardRight(caller, agent []int16, codec string) {
	t := s.t
	t.Helper()
	question := toneSeconds(caller, askTone)
	if codec == "opus" { // it is speech there
		question = soundSeconds(caller) - toneSeconds(caller, agentTone)
	}
	t.Logf("the caller heard %.2f s of the question and %.2f s of the agent; the agent %.2f s of the caller",
		question, toneSeconds(caller, agentTone), toneSeconds(agent, callerTone))
	require.Greater(t, question, 0.25, "seconds of the question that the caller heard") // linphone begins late
	require.Zero(t, toneSeconds(agent, askTone), "seconds that the agent heard the question")
}

// recordedRight holds the recorder against the record.
func (s *site) recordedRight(r *consent.Record, agreed bool, codec string) {
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
	require.True(t, strings.HasPrefix(strings.ToLower(rec.Caller.Codec), strings.ToLower(codec)), rec.Caller.Codec)
	if codec == "opus" { // who decoded the same packets heard the tones
		require.Greater(t, len(caller), 60, "packets of the caller of 20 ms")
		require.Greater(t, len(agent), 60, "packets of the agent of 20 ms")
		return
	}
	require.Greater(t, toneSeconds(decoded(t, caller), callerTone), enough, "seconds of the caller at the recorder")
	require.Greater(t, toneSeconds(decoded(t, agent), agentTone), enough, "seconds of the agent at the recorder")
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
