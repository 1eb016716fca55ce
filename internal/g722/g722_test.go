package g722

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// signal is a second of tone, a second of noise at full scale, a second of
// silence, a second of a square wave at full scale, and a sweep: integers all
// the way, so that it is the same on every machine.
func signal() []int16 {
	pcm := make([]int16, 0, 5*Rate)
	random := uint32(1)
	noise := func() int16 {
		random = random*1664525 + 1013904223
		return int16(random >> 16)
	}
	for i := range Rate {
		v := i % 40 * 800 // a triangle of 400 Hz
		if v > 16000 {
			v = 32000 - v
		}
		pcm = append(pcm, int16(v-8000))
	}
	for range Rate {
		pcm = append(pcm, noise())
	}
	pcm = append(pcm, make([]int16, Rate)...)
	for i := range Rate {
		pcm = append(pcm, int16(math.MaxInt16-65535*(i/7%2)))
	}
	phase := 0
	for i := range Rate {
		phase += i // from 0 to 8 kHz
		v := phase % 32000
		if v > 16000 {
			v = 32000 - v
		}
		pcm = append(pcm, int16(v-8000))
	}
	return pcm
}

// The sums were made of what libspandsp 2 (0.0.6) codes and decodes of the same
// signal, which differs from ours in not one bit. What it decodes is taken at a
// quarter of the level, because it does not limit what overflows.
const (
	codedSum   = "6c03bba29731be77d07562973dad17172eda7c9e0e8aa79f30db5025002c4d72"
	decodedSum = "5a3f75e7487bfe23bd37b55e108ac29d3ad08d7142045c38e1eabd7b0cec7fe4"
)

func TestEveryBitIsThatOfAnotherCoder(t *testing.T) {
	pcm := signal()
	codes := make([]byte, len(pcm)/2)
	require.Equal(t, len(codes), NewEncoder().Encode(codes, pcm))
	sum := sha256.Sum256(codes)
	assert.Equal(t, codedSum, hex.EncodeToString(sum[:]), "coded")

	for i := range pcm {
		pcm[i] /= 4
	}
	NewEncoder().Encode(codes, pcm)
	back := make([]int16, len(pcm))
	require.Equal(t, len(back), NewDecoder().Decode(back, codes))
	raw, err := binary.Append(nil, binary.LittleEndian, back)
	require.NoError(t, err)
	sum = sha256.Sum256(raw)
	assert.Equal(t, decodedSum, hex.EncodeToString(sum[:]), "decoded")
}

func TestSpeechBandTonesComeBackClean(t *testing.T) {
	for _, hz := range []float64{200, 697, 1477, 3000, 5000, 6500} {
		pcm := make([]int16, Rate)
		for i := range pcm {
			pcm[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/Rate))
		}
		codes, back := make([]byte, Rate/2), make([]int16, Rate)
		NewEncoder().Encode(codes, pcm)
		NewDecoder().Decode(back, codes)
		// Both filters together delay by 22 samples (clause 2.6).
		var want, off float64
		for i := Rate / 4; i < Rate-22; i++ {
			v, d := float64(pcm[i]), float64(back[i+22])-float64(pcm[i])
			want, off = want+v*v, off+d*d
		}
		assert.Greaterf(t, 10*math.Log10(want/off), 12.0, "dB of signal above noise at %v Hz", hz)
	}
}

func TestTheLowerBandAloneIsHalfTheLevelAt8kHz(t *testing.T) {
	pcm := make([]int16, Rate)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*770*float64(i)/Rate))
	}
	codes, low := make([]byte, Rate/2), make([]int16, Rate/2)
	NewEncoder().Encode(codes, pcm)
	require.Equal(t, len(low), NewDecoder().DecodeLow(low, codes))
	var energy float64
	for _, v := range low[Rate/8:] {
		energy += float64(v) * float64(v)
	}
	level := math.Sqrt(2 * energy / float64(len(low)-Rate/8))
	assert.InDelta(t, 4000, level, 400)
}

func TestSilenceStaysSilent(t *testing.T) {
	codes := make([]byte, 4000)
	NewEncoder().Encode(codes, make([]int16, 8000))
	back := make([]int16, 8000)
	NewDecoder().Decode(back, codes)
	for _, v := range back[4000:] {
		require.LessOrEqual(t, max(v, -v), int16(4))
	}
}

func TestOddLengthsAndShortRoomLoseNothingElse(t *testing.T) {
	assert.Zero(t, NewEncoder().Encode(nil, make([]int16, 8)))
	assert.Zero(t, NewEncoder().Encode(make([]byte, 8), make([]int16, 1)))
	assert.Equal(t, 2, NewEncoder().Encode(make([]byte, 2), make([]int16, 9)))
	assert.Equal(t, 2, NewDecoder().Decode(make([]int16, 3), make([]byte, 9)))
}

func TestCodingInPiecesIsCodingAtOnce(t *testing.T) {
	pcm := signal()[:4000]
	whole, pieces := make([]byte, 2000), make([]byte, 2000)
	NewEncoder().Encode(whole, pcm)
	e := NewEncoder()
	for i := 0; i < 4000; i += 320 {
		e.Encode(pieces[i/2:], pcm[i:min(i+320, 4000)])
	}
	assert.Equal(t, whole, pieces)
}

// FuzzDecode holds that no bytes whatever lead out of the ranges: a step that
// grew without end would overflow, or index a table beyond its end.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0, 0xFF, 0x55})
	long := make([]byte, 400)
	for i := range long {
		long[i] = byte(rand.IntN(256))
	}
	f.Add(long)
	f.Fuzz(func(t *testing.T, codes []byte) {
		d := NewDecoder()
		pcm := make([]int16, 2*len(codes))
		require.Equal(t, len(pcm), d.Decode(pcm, codes))
		for _, b := range []band{d.low, d.high} {
			require.LessOrEqual(t, magnitude(b.estimate), math.MaxInt16)
			require.LessOrEqual(t, magnitude(b.poles[1]), 12288)
			require.Positive(t, b.step)
		}
		again := make([]byte, len(codes))
		NewEncoder().Encode(again, pcm)
	})
}

func BenchmarkEncode(b *testing.B) {
	pcm, codes := signal()[:320], make([]byte, 160)
	e := NewEncoder()
	b.ReportAllocs()
	for b.Loop() {
		e.Encode(codes, pcm)
	}
}
