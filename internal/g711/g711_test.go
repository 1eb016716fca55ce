package g711_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/g711"
)

// law is one of the two laws, so that every property is held against both.
type law struct {
	name    string
	encode  func(int16) byte
	decode  func(byte) int16
	silence byte
	largest int16
}

func laws() []law {
	return []law{
		{"mu", g711.EncodeMu, g711.DecodeMu, 0xFF, 32124},
		{"A", g711.EncodeA, g711.DecodeA, 0xD5, 32256},
	}
}

func eachLaw(t *testing.T, check func(t *testing.T, l law)) {
	for _, l := range laws() {
		t.Run(l.name, func(t *testing.T) { check(t, l) })
	}
}

func TestEveryCodeSurvivesDecodingAndEncoding(t *testing.T) {
	eachLaw(t, func(t *testing.T, l law) {
		for i := range 256 {
			code := byte(i)
			want := code
			if l.name == "mu" && code == 0x7F {
				want = 0xFF // negative zero has no sample of its own
			}
			assert.Equalf(t, want, l.encode(l.decode(code)), "code %#02x", code)
		}
	})
}

func TestTheCodesTheStandardNames(t *testing.T) {
	eachLaw(t, func(t *testing.T, l law) {
		assert.Equal(t, l.silence, l.encode(0), "silence")
		assert.Equal(t, l.largest, l.decode(l.encode(math.MaxInt16)), "largest positive")
		assert.Equal(t, -l.largest, l.decode(l.encode(math.MinInt16)), "largest negative")
	})
	assert.Equal(t, byte(0x80), g711.EncodeMu(math.MaxInt16))
	assert.Equal(t, byte(0x00), g711.EncodeMu(math.MinInt16))
	assert.Equal(t, byte(0xAA), g711.EncodeA(math.MaxInt16))
	assert.Equal(t, byte(0x2A), g711.EncodeA(math.MinInt16))
	assert.Zero(t, g711.DecodeMu(0xFF))
	assert.Zero(t, g711.DecodeMu(0x7F))
	assert.EqualValues(t, 8, g711.DecodeA(0xD5))
	assert.EqualValues(t, -8, g711.DecodeA(0x55))
	assert.Equal(t, byte(0xFF), g711.SilenceMu)
	assert.Equal(t, byte(0xD5), g711.SilenceA)
}

// TestADigitalMilliwattHasItsCodes holds the coders against the periodic
// sequences of G.711 tables 5 and 6: a 1 kHz sine at 0 dBm0.
func TestADigitalMilliwattHasItsCodes(t *testing.T) {
	sequences := map[string][]byte{
		"mu": {0x1E, 0x0B, 0x0B, 0x1E, 0x9E, 0x8B, 0x8B, 0x9E},
		"A":  {0x34, 0x21, 0x21, 0x34, 0xB4, 0xA1, 0xA1, 0xB4},
	}
	eachLaw(t, func(t *testing.T, l law) {
		sequence := sequences[l.name]
		var power float64
		for i, code := range sequence {
			v := l.decode(code)
			power += float64(v) * float64(v)
			assert.Equalf(t, code, l.encode(v), "sample %d", i)
			assert.InDelta(t, 0, int(v)+int(l.decode(sequence[(i+4)%8])), 0.5, "the halves mirror each other")
		}
		// 0 dBm0 lies 3.17 dB (mu) or 3.14 dB (A) below a full-scale sine.
		rms := math.Sqrt(power / 8)
		assert.InDelta(t, -6.17, 20*math.Log10(rms/32768), 0.1)
	})
}

func TestLouderSamplesNeverGetQuieterCodes(t *testing.T) {
	eachLaw(t, func(t *testing.T, l law) {
		before := l.decode(l.encode(math.MinInt16))
		for v := math.MinInt16 + 1; v <= math.MaxInt16; v++ {
			now := l.decode(l.encode(int16(v)))
			if now < before {
				t.Fatalf("sample %d became %d, the one below it %d", v, now, before)
			}
			before = now
		}
	})
}

func TestQuantisationStaysWithinHalfAStep(t *testing.T) {
	eachLaw(t, func(t *testing.T, l law) {
		for v := -32000; v <= 32000; v++ {
			got := int(l.decode(l.encode(int16(v))))
			// The step is 1/16 of the segment's start at the most, never below 16.
			half := max(float64(abs(v)+132)/32, 8)
			if float64(abs(got-v)) > half+1 {
				t.Fatalf("sample %d became %d", v, got)
			}
		}
	})
}

func TestTheSignIsTheTopBit(t *testing.T) {
	eachLaw(t, func(t *testing.T, l law) {
		for v := 0; v <= math.MaxInt16; v++ {
			up, down := l.encode(int16(v)), l.encode(int16(-v-1))
			if up^0x80 != down {
				t.Fatalf("samples %d and %d became %#02x and %#02x", v, -v-1, up, down)
			}
		}
	})
}

// nearest searches all codes of the law for the one a conversion must give:
// same sign, nearest magnitude, the larger of two equally near.
func nearest(sample int16, negative bool, to law) byte {
	best, least, size := byte(0), math.MaxInt, 0
	for i := range 256 {
		code := byte(i)
		if negative == (code&0x80 != 0) {
			continue
		}
		m := abs(int(to.decode(code)))
		d := abs(m - abs(int(sample)))
		if d < least || d == least && m > size {
			best, least, size = code, d, m
		}
	}
	return best
}

func TestConversionGivesTheNearestCodeOfTheOtherLaw(t *testing.T) {
	mu, a := laws()[0], laws()[1]
	for i := range 256 {
		code := byte(i)
		negative := code&0x80 == 0
		assert.Equalf(t, nearest(mu.decode(code), negative, a), g711.MuToA(code), "mu %#02x", code)
		assert.Equalf(t, nearest(a.decode(code), negative, mu), g711.AToMu(code), "A %#02x", code)
	}
}

func TestThereAndBackStaysWithinOneStep(t *testing.T) {
	for i := range 256 {
		code := byte(i)
		// Without the inversions the low seven bits count steps of magnitude.
		mu := g711.AToMu(g711.MuToA(code))
		assert.Equal(t, code&0x80, mu&0x80)
		assert.LessOrEqualf(t, abs(int(^mu&0x7F)-int(^code&0x7F)), 1, "mu %#02x came back as %#02x", code, mu)
		a := g711.MuToA(g711.AToMu(code))
		assert.Equal(t, code&0x80, a&0x80)
		assert.LessOrEqualf(t, abs(int(a^0x55)&0x7F-int(code^0x55)&0x7F), 1, "A %#02x came back as %#02x", code, a)
	}
	assert.Equal(t, g711.SilenceA, g711.MuToA(g711.SilenceMu))
	assert.LessOrEqual(t, abs(int(g711.DecodeMu(g711.AToMu(g711.SilenceA)))), 8)
}

func TestSlicesAreCodedLikeTheirBytes(t *testing.T) {
	pcm := []int16{0, 1, -1, 1000, -1000, math.MaxInt16, math.MinInt16}
	codes, back := make([]byte, len(pcm)), make([]int16, len(pcm))

	require.Equal(t, len(pcm), g711.EncodeMuAll(codes, pcm))
	require.Equal(t, len(pcm), g711.DecodeMuAll(back, codes))
	for i, s := range pcm {
		assert.Equal(t, g711.EncodeMu(s), codes[i])
		assert.Equal(t, g711.DecodeMu(codes[i]), back[i])
	}
	other := append([]byte(nil), codes...)
	require.Equal(t, len(pcm), g711.MuToAAll(other, other))
	for i := range codes {
		assert.Equal(t, g711.MuToA(codes[i]), other[i])
	}

	require.Equal(t, len(pcm), g711.EncodeAAll(codes, pcm))
	require.Equal(t, len(pcm), g711.DecodeAAll(back, codes))
	for i, s := range pcm {
		assert.Equal(t, g711.EncodeA(s), codes[i])
		assert.Equal(t, g711.DecodeA(codes[i]), back[i])
	}
	require.Equal(t, len(pcm), g711.AToMuAll(other, codes))
	for i := range codes {
		assert.Equal(t, g711.AToMu(codes[i]), other[i])
	}
}

func TestTheShorterSliceDecides(t *testing.T) {
	pcm, codes := make([]int16, 3), make([]byte, 2)
	assert.Equal(t, 2, g711.EncodeMuAll(codes, pcm))
	assert.Equal(t, 2, g711.EncodeAAll(codes, pcm))
	assert.Equal(t, 2, g711.DecodeMuAll(pcm, codes))
	assert.Equal(t, 2, g711.DecodeAAll(pcm, codes))
	assert.Equal(t, 1, g711.MuToAAll(codes[:1], codes))
	assert.Equal(t, 1, g711.AToMuAll(codes, codes[:1]))
	assert.Zero(t, g711.EncodeMuAll(nil, pcm))
	assert.Zero(t, g711.DecodeAAll(pcm, nil))
}

func TestNothingIsAllocated(t *testing.T) {
	pcm, codes := make([]int16, 160), make([]byte, 160)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		g711.EncodeMuAll(codes, pcm)
		g711.DecodeMuAll(pcm, codes)
		g711.EncodeAAll(codes, pcm)
		g711.DecodeAAll(pcm, codes)
		g711.MuToAAll(codes, codes)
		g711.AToMuAll(codes, codes)
	}))
}

func abs(v int) int { return max(v, -v) }

// The benchmarks work on one packet: 20 ms, 160 samples.
func BenchmarkEncodeMu(b *testing.B) {
	pcm, codes := ramp(), make([]byte, 160)
	b.SetBytes(160)
	for b.Loop() {
		g711.EncodeMuAll(codes, pcm)
	}
}

func BenchmarkEncodeA(b *testing.B) {
	pcm, codes := ramp(), make([]byte, 160)
	b.SetBytes(160)
	for b.Loop() {
		g711.EncodeAAll(codes, pcm)
	}
}

func BenchmarkDecodeMu(b *testing.B) {
	pcm, codes := make([]int16, 160), make([]byte, 160)
	b.SetBytes(160)
	for b.Loop() {
		g711.DecodeMuAll(pcm, codes)
	}
}

func BenchmarkMuToA(b *testing.B) {
	codes := make([]byte, 160)
	b.SetBytes(160)
	for b.Loop() {
		g711.MuToAAll(codes, codes)
	}
}

func ramp() []int16 {
	pcm := make([]int16, 160)
	for i := range pcm {
		pcm[i] = int16(i*400 - 32000)
	}
	return pcm
}
