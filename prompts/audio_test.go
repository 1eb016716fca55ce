package prompts

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/g722"
	"consentgw/internal/wav"
)

func TestTheVoltmeterReadsTonesRight(t *testing.T) {
	for _, dBov := range []float64{-12, -22, -40} {
		// A second of tone, a second of pause, and so on: the pauses do not count.
		var pcm []int16
		for range 5 {
			pcm = append(pcm, tone(1000, rate, dBov, rate)...)
			pcm = append(pcm, make([]int16, rate)...)
		}
		level, activity := activeLevel(pcm)
		assert.InDelta(t, dBov, level, 1.5, "the hangover counts a little pause")
		assert.InDelta(t, 0.5, activity, 0.2)
		assert.InDelta(t, dBov+3.01, peakLevel(pcm), 0.01)
	}
	level, _ := activeLevel(tone(1000, rate, -22, 5*rate))
	assert.InDelta(t, -22, level, 0.1)
	assert.Less(t, outside(tone(1000, rate, -22, rate), 300, 3400), -60.0)
	assert.InDelta(t, 0, outside(tone(3800, rate, -22, rate), 300, 3400), 0.01)
}

// sound reads a WAV file and holds it against what every prompt promises.
func sound(t *testing.T, file []byte) []int16 {
	audio, err := wav.Read(bytes.NewReader(file))
	require.NoError(t, err)
	assert.Equal(t, wav.PCM16, audio.Format)
	assert.Equal(t, rate, audio.Rate)
	assert.Equal(t, 1, audio.Channels)
	pcm := audio.PCM

	level, activity := activeLevel(pcm)
	assert.InDelta(t, -22, level, 2, "active speech in dBov")
	assert.LessOrEqual(t, peakLevel(pcm), -6.0, "peak in dBFS")
	assert.Greater(t, activity, 0.5, "share of speech")
	assert.Less(t, outside(pcm, 200, 3600), -30.0, "power outside the telephone band in dB")

	head, tail := quiet(pcm)
	const fifth = rate / 5
	assert.InDelta(t, fifth, head, 0.05*rate, "silence before")
	assert.GreaterOrEqual(t, head, fifth)
	assert.InDelta(t, fifth, tail, 0.05*rate, "silence after")
	assert.GreaterOrEqual(t, tail, fifth)
	assert.Zero(t, len(pcm)%160, "whole packets of 20 ms")
	return pcm
}

func TestBuiltInAudioIsLevelledForTheTelephone(t *testing.T) {
	library, err := openBuiltIn()
	require.NoError(t, err)
	for _, n := range library.Notices() {
		for _, p := range n.Prompts() {
			t.Run(n.ID+" "+n.Language+" "+p.Name, func(t *testing.T) {
				t.Parallel()
				file, err := fs.ReadFile(builtIn, fmt.Sprintf("audio/%s/%s/%s/%s.wav", n.ID, n.Version, n.Language, p.Name))
				require.NoError(t, err)
				assert.Equal(t, hash(file), p.AudioSHA256)
				assert.Equal(t, time.Duration(len(sound(t, file)))*time.Second/rate, p.Duration)

				longest := 5 * time.Second
				switch {
				case p.Name == Ask:
					longest = 15 * time.Second
				case p.Name == About:
					longest = 16 * time.Second
				case p.Name == More:
					longest = 40 * time.Second
				case strings.HasPrefix(p.Name, AskFor("")), p.Name == Chosen:
					longest = 10 * time.Second
				}
				assert.LessOrEqual(t, p.Duration, longest)
				assert.GreaterOrEqual(t, p.Duration, time.Second)
			})
		}
	}
}

func TestTheDemoSpeaksAtTheSameLevel(t *testing.T) {
	for _, who := range []string{"caller", "agent"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			file, err := os.ReadFile("../internal/demo/audio/" + who + ".wav")
			require.NoError(t, err)
			seconds := float64(len(sound(t, file))) / rate
			assert.InDelta(t, 5, seconds, 1.5)
		})
	}
}

func TestHalvingKeepsSpeechAndDropsWhatWouldFold(t *testing.T) {
	middle := func(pcm []int16) []int16 { return pcm[len(pcm)/4 : len(pcm)*3/4] }
	for _, hz := range []float64{300, 1000, 2000, 3200} {
		got := middle(halve(tone(hz, wideRate, -20, wideRate)))
		level, _ := activeLevel(got)
		assert.InDeltaf(t, -20, level, 0.3, "%v Hz passes", hz)
	}
	for _, hz := range []float64{4100, 5000, 7000} {
		got := halve(tone(hz, wideRate, -10, wideRate))
		assert.Lessf(t, peakLevel(middle(got)), -60.0, "%v Hz is gone", hz)
	}
}

func TestDoublingKeepsSpeechAndAddsNothingAbove(t *testing.T) {
	for _, hz := range []float64{300, 1000, 3200} {
		wide := double(tone(hz, rate, -20, rate))
		require.Len(t, wide, 2*rate)
		middle := wide[rate/2 : rate*3/2]
		level, _ := activeLevel(middle)
		assert.InDeltaf(t, -20, level, 0.3, "%v Hz passes", hz)
		back := halve(wide)
		for i, want := range tone(hz, rate, -20, rate)[200 : rate-200] {
			require.InDelta(t, want, back[i+200], 60, "neither louder nor later")
		}
	}
	assert.Empty(t, double(nil))
}

func TestEveryPromptIsTheSameSpeechInG722(t *testing.T) {
	library, err := openBuiltIn()
	require.NoError(t, err)
	n, err := library.Notice("recording", "en")
	require.NoError(t, err)
	p := n.Prompt(Agreed)
	codes := p.G722()
	require.Len(t, codes, len(p.PCMU))
	assert.Same(t, &codes[0], &p.G722()[0], "made once")
	wide := make([]int16, 2*len(codes))
	g722.NewDecoder().Decode(wide, codes)
	level, _ := activeLevel(halve(wide))
	assert.InDelta(t, -22, level, 2, "active speech in dBov")
}

func TestHalvingNeitherDelaysNorOverflows(t *testing.T) {
	impulse := make([]int16, 1000)
	impulse[400] = 20000
	half := halve(impulse)
	require.Len(t, half, 500)
	best := 0
	for i := range half {
		if half[i] > half[best] {
			best = i
		}
	}
	assert.Equal(t, 200, best)

	// A square wave at full scale rings beyond it.
	square := make([]int16, 1601)
	for i := range square {
		square[i] = math.MaxInt16
		if i/40%2 == 1 {
			square[i] = math.MinInt16
		}
	}
	half = halve(square)
	require.Len(t, half, 801)
	for i := 10; i < 790; i++ {
		if at := i % 40; at > 2 && at < 18 {
			require.Greaterf(t, half[i], int16(20000), "sample %d", i)
		}
	}
	assert.Empty(t, halve(nil))
	assert.Len(t, halve([]int16{5}), 1)
}

func FuzzDecode(f *testing.F) {
	for _, sampleRate := range []int{rate, wideRate, 44100} {
		var b bytes.Buffer
		require.NoError(f, wav.Write(&b, sampleRate, 1, tone(440, float64(sampleRate), -20, 400)))
		f.Add(b.Bytes())
	}
	f.Add([]byte("RIFF"))
	f.Fuzz(func(t *testing.T, file []byte) {
		audio, err := decode(file)
		if err != nil {
			require.Nil(t, audio)
			return
		}
		require.NotEmpty(t, audio.PCM)
		require.LessOrEqual(t, audio.Duration(), MaxDuration)
	})
}
