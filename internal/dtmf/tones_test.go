package dtmf

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/wav"
)

// dialed is a key as tones, so many milliseconds of it. Levels in dBm0, detuning
// as a factor.
type dialed struct {
	key        byte
	ms         int
	low, high  float64
	detune     float64
	noise      float64 // dBm0 of white noise; 0: none
	dropout    int     // ms of silence in the middle
	pcmAtStart int     // samples of silence before
}

func amplitude(dBm0 float64) float64 { return 32767 * math.Pow(10, (dBm0-3.15)/20) }

func (d dialed) pcm() []int16 {
	i := 0
	for keypad[i] != d.key {
		i++
	}
	row, column := frequencies[i/4]*(1+d.detune), frequencies[4+i%4]*(1+d.detune)
	pcm := make([]int16, 800+d.pcmAtStart+d.ms*8+800)
	r := rand.New(rand.NewPCG(1, 2))
	for n := range pcm {
		v, at := 0.0, n-800-d.pcmAtStart
		inside := at >= 0 && at < d.ms*8
		if middle := d.ms * 4; d.dropout > 0 && at >= middle && at < middle+d.dropout*8 {
			inside = false
		}
		if inside {
			v = amplitude(d.low)*math.Sin(2*math.Pi*row*float64(n)/8000) + amplitude(d.high)*math.Sin(2*math.Pi*column*float64(n)/8000)
		}
		if d.noise != 0 {
			v += amplitude(d.noise) / math.Sqrt2 * r.NormFloat64()
		}
		pcm[n] = int16(math.Round(max(-32768, min(32767, v))))
	}
	return pcm
}

// found are the keys that a detector finds in packets of 20 ms.
func found(pcm []int16) string {
	t, keys, ts := NewTones(), "", uint32(0)
	for len(pcm) > 0 {
		n := min(160, len(pcm))
		if p, ok := t.Push(time.Unix(1000, 0), 8, 7, ts, pcm[:n]); ok {
			keys += string(p.Key.Rune())
		}
		pcm, ts = pcm[n:], ts+uint32(n)
	}
	return keys
}

// The limits are those of ITU-T Q.24 as administrations use them (annex A).
func TestTonesAreKeysWithinTheToleranceOfTheNetwork(t *testing.T) {
	usual := dialed{ms: 60, low: -12, high: -10}
	for name, c := range map[string]struct {
		change func(d *dialed)
		want   bool
	}{
		"as a telephone sends it":    {func(*dialed) {}, true},
		"40 ms":                      {func(d *dialed) { d.ms = 40 }, true},
		"23 ms":                      {func(d *dialed) { d.ms = 23 }, false},
		"10 ms":                      {func(d *dialed) { d.ms = 10 }, false},
		"two seconds":                {func(d *dialed) { d.ms = 2000 }, true},
		"loud":                       {func(d *dialed) { d.low, d.high = -3, -3 }, true},
		"as quiet as may be":         {func(d *dialed) { d.low, d.high = -27, -27 }, true},
		"too quiet to be meant":      {func(d *dialed) { d.low, d.high = -45, -45 }, false},
		"the high tone 4 dB above":   {func(d *dialed) { d.low, d.high = -14, -10 }, true},
		"the high tone 8 dB above":   {func(d *dialed) { d.low, d.high = -18, -10 }, false},
		"the low tone 8 dB above":    {func(d *dialed) { d.low, d.high = -8, -16 }, true},
		"the low tone 12 dB above":   {func(d *dialed) { d.low, d.high = -6, -18 }, false},
		"1.5% too high":              {func(d *dialed) { d.detune = 0.015 }, true},
		"1.5% too low":               {func(d *dialed) { d.detune = -0.015 }, true},
		"5% too high":                {func(d *dialed) { d.detune = 0.05 }, false},
		"noise 18 dB below":          {func(d *dialed) { d.noise = -28 }, true},
		"more noise than tone":       {func(d *dialed) { d.noise = -8 }, false},
		"a drop-out of 10 ms":        {func(d *dialed) { d.ms, d.dropout = 160, 10 }, true},
		"only the low tone":          {func(d *dialed) { d.high = -80 }, false},
		"only the high tone":         {func(d *dialed) { d.low = -80 }, false},
		"a pause of 40 ms: two keys": {func(d *dialed) { d.ms, d.dropout = 160, 40 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range len(keypad) {
				for _, shift := range []int{0, 17, 90} {
					d := usual
					d.key, d.pcmAtStart = keypad[i], shift
					c.change(&d)
					want := ""
					if c.want {
						want = string(d.key)
					}
					if d.dropout == 40 {
						want += want
					}
					require.Equalf(t, want, found(d.pcm()), "%+v", d)
				}
			}
		})
	}
}

func TestAPressByToneSaysWhenItBegan(t *testing.T) {
	d := NewTones()
	pcm := dialed{key: '5', ms: 80, low: -10, high: -10}.pcm() // begins at sample 800
	now := time.Unix(1000, 0)
	for ts := 0; ts+160 <= len(pcm); ts += 160 {
		p, ok := d.Push(now, 8, 7, uint32(ts)+5000, pcm[ts:ts+160])
		if !ok {
			continue
		}
		assert.Equal(t, '5', p.Key.Rune())
		assert.Equal(t, Inband, p.Method)
		assert.EqualValues(t, 7, p.SSRC)
		assert.EqualValues(t, 8, p.PayloadType)
		assert.InDelta(t, 5800, p.Timestamp, block)
		assert.InDelta(t, 40, p.Duration.Milliseconds(), 15)
		assert.Equal(t, now, p.At)
		assert.False(t, p.Released)
		assert.True(t, d.Sounding())
	}
	assert.False(t, d.Sounding())
}

// TestSpeechIsNoKey plays everything that anybody says in the repository, loud
// and soft, fast and slow, through the detector: a quarter of an hour of speech.
func TestSpeechIsNoKey(t *testing.T) {
	files, err := filepath.Glob("../../prompts/audio/recording/1/*/*.wav")
	require.NoError(t, err)
	more, err := filepath.Glob("../demo/audio/*.wav")
	require.NoError(t, err)
	var seconds float64
	for _, name := range append(files, more...) {
		f, err := os.Open(name)
		require.NoError(t, err)
		audio, err := wav.Read(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		for gain, speed := range map[float64]float64{0.3: 1, 1: 0.8, 1.6: 1.25} {
			pcm := changed(audio.PCM, gain, speed)
			seconds += float64(len(pcm)) / 8000
			assert.Emptyf(t, found(pcm), "%s, level times %v, speed times %v", name, gain, speed)
		}
	}
	assert.Greater(t, seconds, 12*60.0)
	t.Logf("%.0f s of speech", seconds)
}

func changed(pcm []int16, gain, speed float64) []int16 {
	out := make([]int16, int(float64(len(pcm)-1)/speed))
	for i := range out {
		at := float64(i) * speed
		n, part := int(at), at-math.Floor(at)
		v := gain * ((1-part)*float64(pcm[n]) + part*float64(pcm[n+1]))
		out[i] = int16(max(-32768, min(32767, v)))
	}
	return out
}

func TestKeysAreFoundUnderThePromptsOfOthers(t *testing.T) {
	// A whole number, quick and slow.
	for _, ms := range []int{50, 120} {
		var pcm []int16
		for _, k := range "0123456789*#ABCD" {
			d := dialed{key: byte(k), ms: ms, low: -12, high: -10}.pcm()
			pcm = append(pcm, d[400:len(d)-400]...)
		}
		assert.Equal(t, "0123456789*#ABCD", found(pcm), fmt.Sprint(ms, " ms"))
	}
}

func TestFindingTonesDoesNotAllocate(t *testing.T) {
	d, pcm := NewTones(), make([]int16, 160)
	assert.Zero(t, testing.AllocsPerRun(100, func() { d.Push(time.Time{}, 0, 0, 0, pcm) }))
}

func BenchmarkTones(b *testing.B) {
	d, pcm := NewTones(), dialed{key: '5', ms: 80, low: -10, high: -10}.pcm()[800:960]
	b.ReportAllocs()
	for b.Loop() {
		d.Push(time.Time{}, 0, 0, 0, pcm)
	}
}

func FuzzTones(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, uint32(7))
	f.Fuzz(func(t *testing.T, raw []byte, ts uint32) {
		d := NewTones()
		pcm := make([]int16, len(raw)/2)
		for i := range pcm {
			pcm[i] = int16(raw[2*i]) | int16(raw[2*i+1])<<8
		}
		for n := 0; n < len(pcm); n += 160 {
			p, ok := d.Push(time.Time{}, 0, 1, ts+uint32(n), pcm[n:min(n+160, len(pcm))])
			if ok {
				require.Contains(t, keypad, string(p.Key.Rune()))
				require.GreaterOrEqual(t, p.Duration, 30*time.Millisecond)
			}
		}
	})
}
