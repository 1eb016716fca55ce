package media

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"consentgw/internal/dtmf"
	"consentgw/internal/g711"
	"consentgw/internal/g722"
)

// sounds is n frames of one key as tones, or of silence, in a codec.
type sounds struct {
	codec Codec
	wide  *g722.Encoder
	at    int
}

func (s *sounds) frame(tones ...float64) []byte {
	rate := clockRate
	if s.codec == G722 {
		rate = g722.Rate
	}
	pcm := make([]int16, rate/50)
	for i := range pcm {
		s.at++
		for _, hz := range tones {
			pcm[i] += int16(6000 * math.Sin(2*math.Pi*hz*float64(s.at)/float64(rate)))
		}
	}
	payload := make([]byte, frameBytes)
	switch s.codec {
	case G722:
		s.wide.Encode(payload, pcm)
	case PCMA:
		g711.EncodeAAll(payload, pcm)
	default:
		g711.EncodeMuAll(payload, pcm)
	}
	return payload
}

func TestKeysAreHeardInTheSpeechOfThoseWhoSendNoEvents(t *testing.T) {
	for codec, pt := range map[Codec]uint8{PCMU: 0, PCMA: 8, G722: 9} {
		t.Run(codec.String(), func(t *testing.T) {
			l, sink := newLine(t), &kept{}
			far := l.caller.far()
			far.Codec, far.PayloadType, far.EventPT = codec, pt, -1
			l.a.Connect(far)
			far.Addr = l.callee.addr
			l.b.Connect(far)
			l.a.TapTo(NewTap(openGate(t), 1, sink))
			l.caller.PayloadType = pt
			say := &sounds{codec: codec, wide: g722.NewEncoder()}
			for range 10 {
				l.says(l.caller.voice(say.frame(440)))
			}
			assert.Len(t, sink.packets, 10, "speech is copied")
			for range 6 {
				l.says(l.caller.voice(say.frame(697, 1209)))
			}
			for range 10 {
				l.says(l.caller.voice(say.frame()))
			}
			got := pressed(t, l.a)
			if assert.Len(t, got, 1) {
				assert.Equal(t, '1', got[0].Key.Rune())
				assert.Equal(t, dtmf.Inband, got[0].Method)
				assert.Equal(t, l.caller.SSRC, got[0].SSRC)
			}
			assert.Len(t, l.callee.got(), 26, "the far end hears all of it")
			copies := len(sink.packets)
			assert.LessOrEqual(t, copies, 22, "of a tone of 120 ms at most two packets are copied")
			assert.GreaterOrEqual(t, copies, 16)
			for i := 1; i < copies; i++ {
				assert.Equal(t, sink.packets[i-1].SequenceNumber+1, sink.packets[i].SequenceNumber)
			}
		})
	}
}

func TestTonesAreNoKeysWhereEventsWereAgreed(t *testing.T) {
	l := newLine(t)
	say := &sounds{codec: PCMU}
	for range 10 {
		l.says(l.caller.voice(say.frame(697, 1209)))
	}
	assert.Empty(t, pressed(t, l.a))
}
