package call

import (
	"bytes"
	"slices"
	"testing"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/internal/phone"
	"consentgw/internal/sdp"
	"consentgw/prompts"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func g729() sdp.Codec { return sdp.Codec{PT: 18, Name: "G729", Rate: 8000, Channels: 1} }

// received is what a line heard in one payload type, one packet after the other.
func received(packets []phone.Packet, pt uint8) []byte {
	var all []byte
	for _, p := range packets {
		if p.Type == pt {
			all = append(all, p.Payload...)
		}
	}
	return all
}

// hearsIn waits for n packets of a payload type, and returns them.
func (h *house) hearsIn(line *phone.Line, pt uint8, n int) (got []phone.Packet) {
	h.t.Helper()
	require.NoError(h.t, line.Until(h.ctx, func(packets []phone.Packet, _ []byte) bool {
		got = slices.DeleteFunc(slices.Clone(packets), func(p phone.Packet) bool { return p.Type != pt })
		return len(got) >= n
	}))
	return got
}

func TestTheNoticeIsPlayedAndTheCallIsRecordedInG722(t *testing.T) {
	h := newHouse(t)
	h.codecs = []sdp.Codec{sdp.G722(), sdp.Event8000()}
	h.desks = []sdp.Codec{sdp.G722(), sdp.Event8000()}
	m := newMemory()
	h.records(Recorder{Name: "rec", Open: m.open})
	h.open()
	line := h.dial(toNumber)
	ask := h.notice.Prompt(prompts.Ask).G722()
	require.NoError(t, line.Until(h.ctx, func(packets []phone.Packet, _ []byte) bool {
		return bytes.Contains(received(packets, 9), ask)
	}))
	line.Press("1")
	agent := h.agent()
	h.hearsIn(agent, 9, 10)
	h.live("copies", func(r *consent.Record) bool { return m.packets() > 10 })
	require.NoError(t, line.Hangup(h.ctx))
	r := h.ended()
	assert.Equal(t, consent.Given, r.Outcome)
	assert.Equal(t, "G722", r.Notice.Codec)
	assert.Equal(t, h.notice.Prompt(prompts.Ask).AudioSHA256, r.Notice.AudioSHA256)
	assert.Equal(t, "G722", r.Recordings[0].Caller.Codec)
	assert.EqualValues(t, 9, r.Recordings[0].Caller.PayloadType)
}

func TestACallerWhoCannotHearTheNoticeIsConnectedUnrecorded(t *testing.T) {
	for name, c := range map[string]struct {
		codec sdp.Codec
		word  string
	}{
		"a codec of nobody's":         {g729(), "G729"},
		"Opus, which is not supplied": {sdp.Opus(), "OPUS"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.codecs, h.desks = []sdp.Codec{c.codec}, []sdp.Codec{c.codec}
			m := newMemory()
			h.records(Recorder{Name: "rec", Open: m.open})
			h.open()
			line := h.dial(toNumber)
			agent := h.agent()
			h.hearsIn(agent, c.codec.PT, 5)
			h.hearsIn(line, c.codec.PT, 5)
			require.NoError(t, line.Hangup(h.ctx))
			r := h.ended()
			assert.Equal(t, consent.PromptFailed, r.Outcome)
			assert.Empty(t, r.Recordings)
			assert.Zero(t, m.packets())
			i := slices.IndexFunc(r.History, func(e consent.Event) bool { return e.Type == "notice_not_in_codec" })
			require.GreaterOrEqual(t, i, 0)
			assert.Equal(t, c.word, r.History[i].Text)
		})
	}
}

func TestAPartyIsAskedToChangeWhenTheTwoSettledOnDifferentCodecs(t *testing.T) {
	h := newHouse(t)
	h.codecs = []sdp.Codec{sdp.PCMA(), sdp.G722(), sdp.Event8000()}
	h.desks = []sdp.Codec{sdp.G722(), sdp.Event8000()}
	h.open()
	line := h.dial("+31305550123") // nobody is asked
	agent := h.agent()
	h.hearsIn(line, 9, 5)
	h.hearsIn(agent, 9, 5)
	require.NoError(t, line.Hangup(h.ctx))
	r := h.ended()
	assert.True(t, slices.ContainsFunc(r.History, func(e consent.Event) bool {
		return e.Type == "codec_changed" && e.Text == "caller to G722"
	}))
}

func TestWhatThePartiesMayAgreeTo(t *testing.T) {
	names := func(tiers [][]sdp.Codec) (all []string) {
		for _, tier := range tiers {
			s := ""
			for _, c := range tier {
				s += c.Name + " "
			}
			all = append(all, s)
		}
		return all
	}
	offered := []sdp.Codec{sdp.Opus(), g729(), sdp.PCMU(), sdp.Event8000()}
	c := &Call{}
	c.route.path = &path{}
	assert.Equal(t, []string{"PCMA PCMU ", "G722 ", "OPUS ", "OPUS G729 PCMU "}, names(c.firstChoices(offered)))
	c.route.notice = &prompts.Notice{}
	c.route.trunk.Codecs = []string{"G722", "PCMU"}
	assert.Equal(t, []string{"G722 ", "PCMU "}, names(c.firstChoices(offered))[:2])

	c.asked, c.agent = &party{name: "caller"}, &party{name: "agent"}
	c.agent.agreed.Audio = sdp.Opus()
	c.asked.agreed.Audio = sdp.Opus()
	assert.Equal(t, []string{"OPUS ", "OPUS "}, names(c.choices(c.asked, offered)), "what nobody could convert is not agreed to")
	c.agent.agreed.Audio, c.asked.agreed.Audio = sdp.PCMU(), sdp.PCMA()
	assert.Equal(t, []string{"PCMA ", "PCMU ", "PCMA PCMU "}, names(c.choices(c.asked, offered)))
}

func TestACodecOfADescriptionIsOneOfTheMedia(t *testing.T) {
	for want, c := range map[media.Codec]sdp.Codec{
		media.PCMU: sdp.PCMU(), media.PCMA: sdp.PCMA(), media.G722: sdp.G722(), media.Opus: sdp.Opus(), "AMR-WB/16000": {Name: "amr-wb", Rate: 16000},
	} {
		assert.Equal(t, want, codecOf(c))
	}
}
