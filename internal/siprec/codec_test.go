package siprec_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/oggopus"
	"consentgw/internal/recordserver"
	"consentgw/internal/sdp"
	"consentgw/internal/siprecxml"
	"consentgw/internal/wav"
)

// offered are the codecs of the first line of the nth description.
func offered(s *recordserver.Session, n int) (names []string) {
	for _, c := range s.Offers()[n].Media[0].Codecs {
		names = append(names, c.Name)
	}
	return names
}

func TestTheRecorderFollowsThePartiesFromCodecToCodec(t *testing.T) {
	r := newRig(t)
	recording := r.record(r.config())
	s := r.session(0)
	heard := 0
	for i, c := range []struct {
		codec  sdp.Codec
		offers []string
		told   bool // by a re-INVITE
	}{
		{sdp.PCMA(), []string{"PCMA", "PCMU"}, false},
		{sdp.PCMU(), []string{"PCMA", "PCMU"}, false},
		{sdp.G722(), []string{"G722", "PCMA", "PCMU"}, true},
		{sdp.Opus(), []string{"OPUS"}, true},
		{sdp.PCMU(), []string{"PCMU", "PCMA"}, true},
	} {
		before := len(s.Offers())
		recording.Follow(r.speaks(c.codec))
		if c.told {
			r.until(func() bool { return len(s.Offers()) > before })
		}
		require.Equal(t, c.offers, offered(s, len(s.Offers())-1), i)
		// Nothing is lost but what was said before the recorder had agreed.
		for lost := recording.Caller().Counts().Lost; ; lost = recording.Caller().Counts().Lost {
			r.speak(1)
			if recording.Caller().Counts().Lost == lost {
				break
			}
		}
		r.speak(9)
		r.until(func() bool { return len(s.Packets("1")) >= heard+10 && len(s.Packets("2")) >= heard+10 })
		heard = len(s.Packets("1"))
	}
	recording.Close()
	r.over(s)
	require.Len(t, r.server.Sessions(), 1)
	assert.Equal(t, s.Packets("1")[0].SSRC, s.Packets("1")[heard-1].SSRC)
	assert.Empty(t, recording.Fault())
	for i, name := range []string{"label-1.wav", "label-1-2.wav", "label-1-3.opus", "label-1-4.wav"} {
		file, err := os.Open(filepath.Join(s.Folder(), name))
		require.NoError(t, err)
		if i == 2 {
			bytes, err := os.ReadFile(file.Name())
			require.NoError(t, err)
			audio, err := oggopus.Read(bytes)
			require.NoError(t, err)
			require.GreaterOrEqual(t, audio.Duration, 100*time.Millisecond)
		} else {
			audio, err := wav.Read(file)
			require.NoError(t, err)
			require.GreaterOrEqual(t, audio.Duration(), 100*time.Millisecond)
			require.Equal(t, []int{8000, 16000, 0, 8000}[i], audio.Rate)
		}
		require.NoError(t, file.Close())
	}
}

func TestARecorderThatTakesG711OnlyGetsG722Converted(t *testing.T) {
	r := newRig(t)
	r.answer.Store(&recordserver.Answer{Codecs: []string{"PCMU"}})
	recording := r.record(r.config())
	s := r.session(0)
	recording.Follow(r.speaks(sdp.G722()))
	r.until(func() bool { return len(s.Offers()) == 2 })
	r.speak(10)
	r.until(func() bool { return len(s.Packets("1")) == 10 })
	recording.Close()
	r.over(s)
	require.EqualValues(t, 0, s.Packets("1")[9].Type)
	require.Zero(t, recording.Caller().Counts().Lost)
}

// The gap is known, the call hears nothing of it, and the recorder that refused is
// asked again as soon as there is something that it takes.
func TestARecorderThatRefusesACodecLosesWhatIsSaidInIt(t *testing.T) {
	r := newRig(t)
	r.answer.Store(&recordserver.Answer{Codecs: []string{"PCMA"}})
	cfg := r.config()
	cfg.Pace.Retry = time.Hour
	recording := r.record(cfg)
	first := r.session(0)
	r.speak(5)
	r.until(func() bool { return len(first.Packets("1")) == 5 })
	recording.Follow(r.speaks(sdp.Opus()))
	require.Equal(t, change{false, "refused with 488"}, r.change())
	r.speak(5)
	require.EqualValues(t, 5, recording.Caller().Counts().Lost)
	recording.Follow(r.speaks(sdp.PCMA()))
	require.Equal(t, change{true, ""}, r.change())
	second := r.session(1)
	for len(second.Packets("1")) == 0 {
		r.speak(1)
	}
	recording.Close()
	r.over(first)
	r.over(second)
	require.Len(t, first.Packets("1"), 5)
	require.Equal(t, "recorder refused with 488", recording.Fault())
}

func TestATransferIsToldByACompleteDocument(t *testing.T) {
	r := newRig(t)
	cfg := r.config()
	cfg.Metadata.Agent = []siprecxml.Param{{Name: "AmznConnectAgentUserId", Value: "agent-1"}}
	recording := r.record(cfg)
	s := r.session(0)
	at := time.Now().Truncate(time.Millisecond)
	now := r.speaks(sdp.PCMA())
	now.Transfers, now.Session = []time.Time{at}, "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2"
	recording.Follow(now)
	r.until(func() bool { return len(s.Documents()) == 2 })
	recording.Close()
	r.over(s)
	before, after := s.Documents()[0], s.Documents()[1]
	assert.Equal(t, siprecxml.Complete, after.DataMode)
	assert.Equal(t, []string{now.Session}, after.Sessions[0].SIP)
	assert.Equal(t, before.Streams, after.Streams, "it is the same line, whoever speaks on it")
	require.Len(t, after.Participants, 3)
	assert.Equal(t, before.Participants, after.Participants[:2])
	left, came := after.ParticipantSessions[1], after.ParticipantSessions[2]
	assert.NotEmpty(t, left.Associate)
	assert.Equal(t, left.Disassociate, came.Associate)
	assert.Equal(t, at.UTC().Format("2006-01-02T15:04:05.000Z"), came.Associate)
	assert.Empty(t, left.Params)
	assert.Equal(t, cfg.Metadata.Agent, came.Params)
	sends := map[string][]string{}
	for _, a := range after.ParticipantStreams {
		sends[a.Participant] = a.Send
	}
	assert.Empty(t, sends[left.Participant])
	assert.Equal(t, []string{after.Streams[1].ID}, sends[came.Participant])
}
