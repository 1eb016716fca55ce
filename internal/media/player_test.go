package media

import (
	"bytes"
	"context"
	"math"
	"math/cmplx"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/g711"
)

// clipOf makes n bytes that differ in every frame and every law.
func clipOf(n int) Clip {
	c := Clip{PCMU: make([]byte, n), PCMA: make([]byte, n)}
	for i := range n {
		c.PCMU[i], c.PCMA[i] = byte(i/frameBytes), 0x80|byte(i/frameBytes)
	}
	return c
}

func TestANoticeIsHeardToItsEndAtItsPace(t *testing.T) {
	l := newLine(t)
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		c := clipOf(10*frameBytes + 40)
		played, err := l.b.Play(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, 11*frameTime, time.Since(begun), "until the last frame is over")
		got := l.callee.got()
		require.Len(t, got, 11)
		assert.Equal(t, Played{
			Complete: true, Heard: 205 * time.Millisecond, Length: 205 * time.Millisecond, Packets: 11, Codec: PCMU,
			SSRC: l.b.SSRC(), FirstSeq: got[0].SequenceNumber, LastSeq: got[10].SequenceNumber,
			StartedAt: begun, EndedAt: begun.Add(10 * frameTime),
		}, played)
		for i, p := range got[:10] {
			assert.Equal(t, c.PCMU[i*frameBytes:(i+1)*frameBytes], p.Payload)
			assert.Equal(t, i == 0, p.Marker)
			assert.Equal(t, got[0].Timestamp+uint32(i*frameBytes), p.Timestamp)
		}
		last := append(bytes.Clone(c.PCMU[10*frameBytes:]), bytes.Repeat([]byte{g711.SilenceMu}, 120)...)
		assert.Equal(t, last, got[10].Payload, "the last frame is filled up with silence")
	})
}

func TestANoticeEndsWithItsCauseAndSaysHowMuchWasHeard(t *testing.T) {
	l := newLine(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancelCause(t.Context())
		time.AfterFunc(5*frameTime+time.Millisecond, func() { end(errHungUp) })
		played, err := l.b.Play(ctx, clipOf(8000))
		require.ErrorIs(t, err, errHungUp)
		assert.False(t, played.Complete)
		assert.Equal(t, 6, played.Packets)
		assert.Equal(t, 120*time.Millisecond, played.Heard)
		assert.Equal(t, time.Second, played.Length)
		assert.Equal(t, 5*frameTime+time.Millisecond, played.EndedAt.Sub(played.StartedAt))

		played, err = l.b.Play(ctx, clipOf(8000))
		require.ErrorIs(t, err, errHungUp)
		assert.Zero(t, played.Packets, "the context had ended before")
	})
}

func TestWhatIsNotSentIsNotHeard(t *testing.T) {
	cases := map[string]func(l *line) Far{
		"hold":             func(l *line) Far { f := l.callee.far(); f.Send = false; return f },
		"old-style hold":   func(l *line) Far { f := l.callee.far(); f.Addr = far0(); return f },
		"a refusing route": func(l *line) Far { f := l.callee.far(); f.Addr = broadcast(); return f },
	}
	for name, held := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLine(t)
			synctest.Test(t, func(t *testing.T) {
				time.AfterFunc(3*frameTime-1, func() { l.b.Connect(held(l)) })
				time.AfterFunc(7*frameTime-1, func() { l.b.Connect(l.callee.far()) })
				begun := time.Now()
				played, err := l.b.Play(t.Context(), clipOf(10*frameBytes))
				require.NoError(t, err)
				assert.Equal(t, 10*frameTime, time.Since(begun), "the pace stays")
				assert.False(t, played.Complete)
				assert.Equal(t, 6*frameTime, played.Heard)
				got := l.callee.got()
				require.Len(t, got, 6)
				assert.EqualValues(t, 7, got[3].Payload[0], "frames 3 to 6 are gone")
				assert.Equal(t, got[2].SequenceNumber+1, got[3].SequenceNumber)
				assert.Equal(t, got[2].Timestamp+5*frameBytes, got[3].Timestamp)
				assert.True(t, got[3].Marker)
				out := l.b.Stats()
				assert.EqualValues(t, 4, out.Unsent+out.SendErrors)
			})
		})
	}
}

func TestTheLawIsThatOfTheMoment(t *testing.T) {
	mu, a := clipOf(4*frameBytes), clipOf(4*frameBytes)
	mu.PCMA, a.PCMU = nil, nil
	cases := map[string]struct {
		clip   Clip
		second byte // of the second frame in PCMU
		third  byte // of the third frame in PCMA
	}{
		"both laws": {clipOf(4 * frameBytes), 1, 0x82},
		"only mu":   {mu, 1, g711.MuToA(2)},
		"only A":    {a, g711.AToMu(0x81), 0x82},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLine(t)
			synctest.Test(t, func(t *testing.T) {
				far := l.callee.far()
				far.Codec, far.PayloadType = PCMA, 8
				time.AfterFunc(2*frameTime-1, func() { l.b.Connect(far) })
				played, err := l.b.Play(t.Context(), c.clip)
				require.NoError(t, err)
				assert.True(t, played.Complete)
				got := l.callee.got()
				require.Len(t, got, 4)
				assert.Equal(t, frameOf(c.second), got[1].Payload)
				assert.EqualValues(t, 0, got[1].PayloadType)
				assert.Equal(t, frameOf(c.third), got[2].Payload)
				assert.EqualValues(t, 8, got[2].PayloadType)
			})
		})
	}
}

func TestAClipThatCannotBePlayedIsRefused(t *testing.T) {
	s := newStream(t)
	for name, c := range map[string]Clip{"empty": {}, "unequal": {PCMU: frameOf(1), PCMA: frameOf(1)[1:]}} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Play(t.Context(), c)
			assert.ErrorIs(t, err, ErrClip)
		})
	}
}

func TestWhileItPlaysTheRelayIsDisplacedAndNothingElsePlays(t *testing.T) {
	l := newLine(t)
	synctest.Test(t, func(t *testing.T) {
		done := make(chan Played)
		go func() {
			played, err := l.b.Play(t.Context(), clipOf(5*frameBytes))
			assert.NoError(t, err)
			done <- played
		}()
		synctest.Wait()
		_, err := l.b.Play(t.Context(), clipOf(frameBytes))
		assert.ErrorIs(t, err, ErrBusy)
		assert.ErrorIs(t, l.b.Ring(t.Context()), ErrBusy)
		for range 5 {
			l.hear(l.a, time.Now(), l.caller.voice(frameOf(99)), l.caller.addr)
		}
		played := <-done
		assert.True(t, played.Complete)
		got := l.callee.got()
		require.Len(t, got, 5, "the notice alone")
		for i, p := range got {
			assert.EqualValues(t, i, p.Payload[0])
		}
		assert.EqualValues(t, 5, l.b.Stats().Displaced)
		assert.EqualValues(t, 5, l.b.Stats().Sent)
		assert.Zero(t, l.b.Stats().Relayed)
		l.hear(l.a, time.Now(), l.caller.voice(frameOf(99)), l.caller.addr)
		assert.Equal(t, frameOf(99), l.callee.one().Payload, "afterwards the relay goes on")
	})
}

// TestALatePlayerCatchesUpThreeFramesAndNoMore stops the world for a while.
func TestALatePlayerCatchesUpThreeFramesAndNoMore(t *testing.T) {
	cases := map[string]struct {
		stall time.Duration
		burst int // packets at once afterwards
		gap   uint32
	}{
		"three late": {3 * frameTime, 4, 0},
		"a second":   {50*frameTime + 5*time.Millisecond, 1, 50 * frameBytes},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLine(t)
			synctest.Test(t, func(t *testing.T) {
				require.True(t, l.b.out.claimPlay())
				defer l.b.out.release()
				p := l.b.startPlayback(clipOf(10 * frameBytes))
				p.send(time.Now(), 0)
				time.Sleep(frameTime + c.stall)
				burst := 0
				for ; !p.due.After(time.Now()); burst++ {
					p.send(time.Now(), 0)
				}
				assert.Equal(t, c.burst, burst)
				got := l.callee.got()
				assert.Equal(t, got[0].SequenceNumber+1, got[1].SequenceNumber)
				assert.Equal(t, got[0].Timestamp+frameBytes+c.gap, got[1].Timestamp)
				assert.Equal(t, c.gap > 0, got[1].Marker)
			})
		})
	}
}

func TestTheRingbackToneSoundsOneSecondInFive(t *testing.T) {
	for _, law := range []Codec{PCMU, PCMA} {
		t.Run(law.String(), func(t *testing.T) {
			l := newLine(t)
			far := l.callee.far()
			far.Codec, far.PayloadType = law, law.static(0)
			l.b.Connect(far)
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancelCause(t.Context())
				done := make(chan error)
				go func() { done <- l.b.Ring(ctx) }()
				var audio []int16
				for range 300 { // six seconds
					synctest.Wait()
					for _, p := range l.callee.got() {
						audio = append(audio, decode(law, p.Payload)...)
					}
					time.Sleep(frameTime)
				}
				end(errHungUp)
				require.ErrorIs(t, <-done, errHungUp)
				require.Len(t, audio, 6*clockRate)
				second := func(n int) []int16 { return audio[n*clockRate : (n+1)*clockRate] }
				for n, loud := range []bool{true, false, false, false, false, true} {
					if !loud {
						assert.Less(t, dBm0(second(n)), -60.0, "second %d", n)
						continue
					}
					assert.InDelta(t, -20, dBm0(second(n)), 0.5, "second %d", n)
					assert.Greater(t, share(second(n), ringback().hertz), 0.98, "second %d is one tone", n)
				}
			})
		})
	}
}

func TestTheWaitingToneIsAShortToneEveryTwoSeconds(t *testing.T) {
	l := newLine(t)
	l.b.Connect(l.callee.far())
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancelCause(t.Context())
		done := make(chan error)
		go func() { done <- l.b.Wait(ctx) }()
		var audio []int16
		for range 125 {
			synctest.Wait()
			for _, p := range l.callee.got() {
				audio = append(audio, decode(PCMU, p.Payload)...)
			}
			time.Sleep(frameTime)
		}
		end(errHungUp)
		require.ErrorIs(t, <-done, errHungUp)
		require.Len(t, audio, 125*frameBytes)
		period := waiting()
		for _, at := range []int{0, period.on + period.off} {
			assert.InDelta(t, -26, dBm0(audio[at:at+period.on]), 0.5)
			assert.Greater(t, share(audio[at:at+period.on], period.hertz), 0.98)
		}
		assert.Less(t, dBm0(audio[period.on:period.on+period.off]), -60.0)
	})
}

func decode(codec Codec, codes []byte) []int16 {
	pcm := make([]int16, len(codes))
	if codec == PCMA {
		g711.DecodeAAll(pcm, codes)
	} else {
		g711.DecodeMuAll(pcm, codes)
	}
	return pcm
}

// dBm0 is the level: a sine of full scale is 3.15 dBm0.
func dBm0(pcm []int16) float64 {
	var power float64
	for _, v := range pcm {
		power += float64(v) * float64(v)
	}
	return 10*math.Log10(2*power/float64(len(pcm))/math.MaxInt16/math.MaxInt16+1e-12) + fullScaleDBm0
}

// share is how much of the power lies at one frequency.
func share(pcm []int16, hz float64) float64 {
	var sum complex128
	var power float64
	for i, v := range pcm {
		sum += complex(float64(v), 0) * cmplx.Exp(complex(0, -2*math.Pi*hz*float64(i)/clockRate))
		power += float64(v) * float64(v)
	}
	return 2 * math.Pow(cmplx.Abs(sum), 2) / float64(len(pcm)) / power
}
