package media

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/g711"
)

func TestTheMixedToneIsTheOneThatIsPlayed(t *testing.T) {
	played := beepTone().samples(clockRate)
	require.Len(t, played, int(beepSamples))
	for i, want := range played {
		require.InDelta(t, want, beepAt(int32(i)), 1, "sample %d", i)
	}
}

func TestAToneIsAddedToTheSpeechThatPasses(t *testing.T) {
	for _, c := range []struct {
		codec  Codec
		encode func(int16) byte
		decode func(byte) int16
	}{{PCMU, g711.EncodeMu, g711.DecodeMu}, {PCMA, g711.EncodeA, g711.DecodeA}} {
		for _, said := range []int16{0, 3000, math.MaxInt16, math.MinInt16} {
			var b beep
			b.start()
			for at := int32(0); at < beepSamples; at += 240 { // packets of 30 ms, the last of which is longer than what is left
				codes := make([]byte, 240)
				for i := range codes {
					codes[i] = c.encode(said)
				}
				b.mix(codes, c.codec)
				for i, code := range codes {
					want := int32(c.decode(c.encode(said)))
					if at+int32(i) < beepSamples {
						want = min(max(want+beepAt(at+int32(i)), math.MinInt16), math.MaxInt16)
					}
					require.Equal(t, c.decode(c.encode(int16(want))), c.decode(code), "%s, sample %d", c.codec, at+int32(i))
				}
			}
			require.Zero(t, b.left.Load())
		}
	}
}

func TestAToneThatHasEndedOrCannotBeMixedChangesNothing(t *testing.T) {
	var b beep
	codes := frameOf(0x55)
	b.mix(codes, PCMU)
	b.start()
	b.mix(codes, G722)
	require.True(t, b.end(), "nothing of it was heard")
	b.mix(codes, PCMU)
	require.Equal(t, frameOf(0x55), codes)
	b.start()
	b.mix(codes, PCMU)
	require.False(t, b.end())
	require.Zero(t, testing.AllocsPerRun(10, func() { b.start(); b.mix(codes, PCMA) }))
}

func TestAToneIsHeardWhetherOrNotAnybodySpeaks(t *testing.T) {
	l := newLine(t)
	synctest.Test(t, func(t *testing.T) {
		done := make(chan error, 1)
		go func() { done <- l.b.Beep(t.Context()) }()
		synctest.Wait()
		for range 12 {
			l.hear(l.a, time.Now(), l.caller.voice(frameOf(0xFF)), l.caller.addr)
			time.Sleep(frameTime)
		}
		require.NoError(t, <-done)
		packets := l.callee.got()
		require.Len(t, packets, 12, "nothing was left out for it")
		assert.NotEqual(t, frameOf(0xFF), packets[0].Payload)
		assert.NotEqual(t, frameOf(0xFF), packets[9].Payload)
		assert.Equal(t, frameOf(0xFF), packets[10].Payload)

		require.NoError(t, l.b.Beep(t.Context()))
		require.Len(t, l.callee.got(), 10, "it is played where there is nothing to mix it into")

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, l.b.Beep(ctx), context.Canceled)
		l.hear(l.a, time.Now(), l.caller.voice(frameOf(0xFF)), l.caller.addr)
		assert.Equal(t, frameOf(0xFF), l.callee.one().Payload)
	})
}

func TestAToneInTheCopiesIsInThoseOfEveryRecorder(t *testing.T) {
	l := newLine(t)
	first, second := &kept{}, &kept{}
	gate := openGate(t)
	tap := NewTap(gate, 1, first).Then(NewTap(gate, 2, second))
	l.a.TapTo(tap)
	tap.Beep()
	l.says(l.caller.voice(frameOf(0xFF)))
	for _, sink := range []*kept{first, second} {
		require.Len(t, sink.packets, 1)
		assert.NotEqual(t, frameOf(0xFF), sink.packets[0].Payload)
	}
	assert.Equal(t, frameOf(0xFF), l.callee.one().Payload, "what is heard is another matter")
}
