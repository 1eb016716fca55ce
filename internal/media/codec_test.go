package media

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/g722"
	"consentgw/internal/oggopus"
)

func TestACodecSaysItsNameAndItsClock(t *testing.T) {
	for codec, want := range map[Codec]struct {
		name  string
		clock int
	}{
		PCMU: {"PCMU", 8000}, PCMA: {"PCMA", 8000}, G722: {"G722", 8000}, Opus: {"OPUS", 48000},
		"AMR-WB/16000": {"AMR-WB", 16000}, "G729": {"G729", 8000}, "X/0": {"X", 8000}, "X/many": {"X", 8000},
	} {
		assert.Equal(t, want.name, codec.String())
		assert.Equal(t, want.clock, codec.Clock())
	}
}

// agree puts one codec in force on both sides, events beside it.
func (l *line) agree(codec Codec, pt uint8) {
	for s, p := range map[*Stream]*phone{l.a: l.caller, l.b: l.callee} {
		far := p.far()
		far.Codec, far.PayloadType, far.EventRate = codec, pt, codec.Clock()
		s.Connect(far)
	}
}

func TestAnyCodecIsRelayedAsItIs(t *testing.T) {
	for codec, pt := range map[Codec]uint8{G722: 9, Opus: 111, "AMR-WB/16000": 96, "G729/8000": 18} {
		t.Run(codec.String(), func(t *testing.T) {
			l := newLine(t)
			l.agree(codec, pt)
			far := l.callee.far()
			far.Codec, far.PayloadType, far.LocalPT = codec, pt+1, pt
			l.b.Connect(far)
			l.caller.PayloadType = pt
			for n := range 5 {
				payload := make([]byte, 20+n)
				payload[0] = byte(n)
				l.says(l.caller.voice(payload))
				got := l.callee.one()
				assert.Equal(t, payload, got.Payload)
				assert.Equal(t, pt+1, got.PayloadType, "the number that the far end wants to receive")
			}
			l.caller.PayloadType = 0
			l.says(l.caller.voice(frameOf(1)))
			assert.Empty(t, l.callee.got(), "no law was agreed")
			assert.EqualValues(t, 1, l.a.Stats().DroppedPayload)
		})
	}
}

func TestWhatCannotBeConvertedIsCountedAndNotSent(t *testing.T) {
	l := newLine(t)
	far := l.callee.far()
	far.Codec, far.PayloadType = Opus, 111
	l.b.Connect(far)
	l.says(l.caller.voice(frameOf(1)))
	assert.Empty(t, l.callee.got())
	assert.EqualValues(t, 1, l.b.Stats().Unmapped)
}

func TestEachDirectionHasItsOwnNumbers(t *testing.T) {
	l := newLine(t)
	far := l.caller.far()
	far.Codec, far.PayloadType, far.LocalPT, far.EventPT, far.LocalEventPT, far.EventRate = Opus, 107, 111, 101, 107, 48000
	l.a.Connect(far)
	l.says(l.caller.event(107, 7, 1, true, 4800))
	select {
	case p := <-l.a.Presses():
		assert.Equal(t, '1', p.Key.Rune())
		assert.Equal(t, 100*time.Millisecond, p.Duration)
	default:
		t.Fatal("107 is a key on the way in, whatever it is on the way out")
	}
}

func TestTheDurationOfAKeyIsToldOnTheClockOfTheFarEnd(t *testing.T) {
	for name, c := range map[string]struct {
		from, to  int
		said, got uint16
	}{
		"as it is": {8000, 8000, 800, 800}, "up": {8000, 48000, 800, 4800}, "down": {48000, 8000, 4800, 800},
		"wideband": {16000, 8000, 1600, 800}, "beyond the field": {8000, 48000, 60000, 0xFFFF},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLine(t)
			near, far := l.caller.far(), l.callee.far()
			near.EventRate, far.EventRate = c.from, c.to
			l.a.Connect(near)
			l.b.Connect(far)
			l.says(l.caller.event(101, 5, 1, true, c.said))
			got := l.callee.one()
			assert.Equal(t, c.got, uint16(got.Payload[2])<<8|uint16(got.Payload[3]))
		})
	}
}

// wide is a clip of n frames in all four codecs; no two frames are alike.
func wide(n int) Clip {
	c := clipOf(n * frameBytes)
	c.G722 = append([]byte(nil), c.PCMU...)
	for i := range n + 1 {
		c.Opus = append(c.Opus, []byte{9 << 3, byte(i), byte(i)})
	}
	return c
}

func TestAClipIsPlayedInTheCodecThatWasAgreed(t *testing.T) {
	const n = 5
	c := wide(n)
	for codec, want := range map[Codec]struct {
		packets int
		pt      uint8
		step    uint32
		first   []byte
	}{
		G722: {n, 9, frameBytes, c.G722[:frameBytes]},
		Opus: {n + 1, 111, 960, c.Opus[0]},
		PCMA: {n, 8, frameBytes, c.PCMA[:frameBytes]},
	} {
		t.Run(codec.String(), func(t *testing.T) {
			l := newLine(t)
			l.agree(codec, want.pt)
			synctest.Test(t, func(t *testing.T) {
				played, err := l.b.Play(t.Context(), c)
				require.NoError(t, err)
				assert.True(t, played.Complete)
				assert.Equal(t, c.Length(), played.Heard)
				assert.Equal(t, want.packets, played.Packets)
				got := l.callee.got()
				require.Len(t, got, want.packets)
				assert.Equal(t, want.first, got[0].Payload)
				for i := 1; i < len(got); i++ {
					assert.Equal(t, want.pt, got[i].PayloadType)
					assert.Equal(t, want.step, got[i].Timestamp-got[i-1].Timestamp)
				}
			})
		})
	}
}

func TestAClipThatIsNotThereInTheCodecIsNotHeard(t *testing.T) {
	l := newLine(t)
	l.agree(Opus, 111)
	synctest.Test(t, func(t *testing.T) {
		played, err := l.b.Play(t.Context(), clipOf(5*frameBytes))
		require.NoError(t, err)
		assert.False(t, played.Complete)
		assert.Zero(t, played.Heard)
		assert.Empty(t, l.callee.got())
		assert.EqualValues(t, 5, l.b.Stats().Unsent)
	})
}

func TestTheTonesAreThereInEveryCodec(t *testing.T) {
	for _, cadence := range []cadence{ringback(), waiting()} {
		tone := cadence.tone()
		length := duration(cadence.on + cadence.off)
		for _, codec := range []Codec{PCMU, PCMA, G722, Opus} {
			c := tone.in(codec)
			require.NoError(t, c.check())
			assert.True(t, c.In(codec), codec)
			assert.Equal(t, length, c.Length())
			assert.Equal(t, int(length/frameTime), c.count(codec))
		}
		audio, err := oggopus.Read(cadence.opus)
		require.NoError(t, err)
		assert.Equal(t, length, audio.Duration)

		pcm := make([]int16, 2*(cadence.on+cadence.off))
		g722.NewDecoder().Decode(pcm, tone.wide().G722)
		assert.InDelta(t, cadence.dBm0, dBm0(pcm[400:2*cadence.on]), 0.5)
		assert.Less(t, dBm0(pcm[2*cadence.on+400:]), -60.0)
	}
}
