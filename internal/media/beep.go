package media

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"consentgw/internal/g711"
)

// The tone of a telephone recorder, as 47 CFR 64.501 describes it: 1400 Hz for a
// fifth of a second, about as loud as speech.
const (
	beepHertz   = 1400
	beepTime    = 200 * time.Millisecond
	beepSamples = int32(10 * frameBytes)
	beepDBm0    = -20
	// beepWave is how many samples it takes until the tone begins anew: seven waves.
	beepWave = 40
)

func beepTone() cadence {
	return cadence{hertz: beepHertz, on: int(beepSamples), dBm0: beepDBm0, opus: beepOpus}
}

// A beep mixes the tone into speech that passes, without waiting for anybody. One
// goroutine at a time mixes; anyone starts and ends it.
type beep struct{ left atomic.Int32 } // samples that are still to come

func (b *beep) start() { b.left.Store(beepSamples) }

// end ends the tone, and reports whether none of it was heard.
func (b *beep) end() (unheard bool) { return b.left.Swap(0) == beepSamples }

// mix adds the tone to a packet of G.711; one of another codec stays as it is.
func (b *beep) mix(codes []byte, codec Codec) {
	left := b.left.Load()
	if left == 0 || !codec.isLaw() {
		return
	}
	decode, encode := g711.DecodeMu, g711.EncodeMu
	if codec == PCMA {
		decode, encode = g711.DecodeA, g711.EncodeA
	}
	n := min(left, int32(len(codes)))
	for i := range n {
		v := int32(decode(codes[i])) + beepAt(beepSamples-left+i)
		codes[i] = encode(int16(min(max(v, math.MinInt16), math.MaxInt16)))
	}
	b.left.CompareAndSwap(left, left-n) // else it began anew, or has ended
}

// beepAt is the tone at a sample, by symmetry out of a quarter of its 40 steps.
func beepAt(i int32) int32 {
	const peak = 2280 // of 32767, at beepDBm0
	quarter := [...]int32{0, 357, 705, 1035, 1340, 1612, 1845, 2032, 2168, 2252, peak}
	step := i * 7 % beepWave // of the 40 steps of one wave
	switch {
	case step <= 10:
		return quarter[step]
	case step <= 20:
		return quarter[20-step]
	case step <= 30:
		return -quarter[step-20]
	}
	return -quarter[40-step]
}

// Beep lets the far end hear that it is recorded. In G.711 the tone is mixed into
// what is relayed; in another codec, or if nothing is, it takes its place. It
// returns when the tone has been heard, or with the cause of ctx, and then the
// tone has ended as well. The error is [ErrBusy] if something plays.
func (s *Stream) Beep(ctx context.Context) error {
	if far := s.far.Load(); far != nil && far.Codec.isLaw() {
		s.beep.start()
		timer := time.NewTimer(beepTime + beepTime/2)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		if !s.beep.end() || ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	var codec Codec
	if far := s.far.Load(); far != nil {
		codec = far.Codec
	}
	_, err := s.Play(ctx, s.ports.tones.beep.in(codec))
	return err
}

// Beep puts the same tone into the copies, of G.711, of this tap and of those
// behind it.
func (t *Tap) Beep() {
	for ; t != nil; t = t.next {
		t.beep.start()
	}
}
