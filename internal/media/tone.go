package media

import (
	_ "embed"
	"math"
	"sync"

	"consentgw/internal/g711"
	"consentgw/internal/g722"
	"consentgw/internal/oggopus"
)

// Ringback (ITU-T E.180: 425 Hz, one second on, four off, as in most of Europe).
const (
	ringHz   = 425
	ringOn   = 1 // seconds
	ringOff  = 4
	ringDBm0 = -20
	// A sine of full scale is 3.14 dBm0 in A-law, 3.17 in µ-law (ITU-T G.711).
	fullScaleDBm0 = 3.15
)

// ringbackOpus is the same tone, encoded ahead by prompts/build.sh.
//
//go:embed tones/ringback.opus
var ringbackOpus []byte

// tones are what a side plays by itself. G.722 is made when somebody asks for it
// first: it takes some milliseconds.
type tones struct{ narrow, wide func() Clip }

func newTones() tones {
	return tones{sync.OnceValue(ringback), sync.OnceValue(wideRingback)}
}

// ringback in a codec, or in the nearest there is.
func (t tones) ringback(codec Codec) Clip {
	if codec == G722 || codec == Opus {
		return t.wide()
	}
	return t.narrow()
}

// ringback is one period of the tone. It holds a whole number of waves, so it
// starts and ends at zero.
func ringback() Clip {
	pcm := ringbackAt(clockRate)
	c := Clip{PCMU: make([]byte, len(pcm)), PCMA: make([]byte, len(pcm))}
	g711.EncodeMuAll(c.PCMU, pcm)
	g711.EncodeAAll(c.PCMA, pcm)
	return c
}

func wideRingback() Clip {
	pcm := ringbackAt(g722.Rate)
	c := Clip{G722: make([]byte, len(pcm)/2)}
	g722.NewEncoder().Encode(c.G722, pcm)
	if audio, err := oggopus.Read(ringbackOpus); err == nil { // a test reads it
		c.Opus = audio.Packets[:frames(len(c.G722))]
	}
	return c
}

func ringbackAt(rate int) []int16 {
	peak := math.MaxInt16 * math.Pow(10, (ringDBm0-fullScaleDBm0)/20)
	pcm := make([]int16, (ringOn+ringOff)*rate)
	for i := range ringOn * rate {
		pcm[i] = int16(math.Round(peak * math.Sin(2*math.Pi*ringHz*float64(i)/float64(rate))))
	}
	return pcm
}
