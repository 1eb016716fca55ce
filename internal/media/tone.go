package media

import (
	_ "embed"
	"math"
	"sync"

	"consentgw/internal/g711"
	"consentgw/internal/g722"
	"consentgw/internal/oggopus"
)

// A cadence is a tone that comes and goes.
type cadence struct {
	hertz   float64
	on, off int // samples at 8 kHz, whole frames; on holds a whole number of waves
	dBm0    float64
	opus    []byte // one period of it as Ogg Opus, made by prompts/build.sh
}

// ringback is that of most of Europe (ITU-T E.180).
func ringback() cadence {
	return cadence{hertz: 425, on: clockRate, off: 4 * clockRate, dBm0: -20, opus: ringbackOpus}
}

// waiting is softer than ringback and of another pitch, so that nobody who waits
// takes it for a telephone that rings.
func waiting() cadence {
	return cadence{hertz: 600, on: 12 * frameBytes, off: 2 * clockRate, dBm0: -26, opus: waitingOpus}
}

var (
	//go:embed tones/ringback.opus
	ringbackOpus []byte
	//go:embed tones/waiting.opus
	waitingOpus []byte
	//go:embed tones/beep.opus
	beepOpus []byte
)

// A sine of full scale is 3.14 dBm0 in A-law, 3.17 in µ-law (ITU-T G.711).
const fullScaleDBm0 = 3.15

// narrow is one period in both laws. The tone starts and ends at zero.
func (t cadence) narrow() Clip {
	pcm := t.samples(clockRate)
	c := Clip{PCMU: make([]byte, len(pcm)), PCMA: make([]byte, len(pcm))}
	g711.EncodeMuAll(c.PCMU, pcm)
	g711.EncodeAAll(c.PCMA, pcm)
	return c
}

// wide is one period in the other codecs.
func (t cadence) wide() Clip {
	pcm := t.samples(g722.Rate)
	c := Clip{G722: make([]byte, len(pcm)/2)}
	g722.NewEncoder().Encode(c.G722, pcm)
	if audio, err := oggopus.Read(t.opus); err == nil { // a test reads it
		c.Opus = audio.Packets[:frames(len(c.G722))]
	}
	return c
}

func (t cadence) samples(rate int) []int16 {
	peak := math.MaxInt16 * math.Pow(10, (t.dBm0-fullScaleDBm0)/20)
	pcm := make([]int16, (t.on+t.off)*(rate/clockRate))
	for i := range t.on * (rate / clockRate) {
		pcm[i] = int16(math.Round(peak * math.Sin(2*math.Pi*t.hertz*float64(i)/float64(rate))))
	}
	return pcm
}

// tone is a cadence that is made when somebody asks for it first: that takes some
// milliseconds.
type tone struct{ narrow, wide func() Clip }

func (t cadence) tone() tone { return tone{sync.OnceValue(t.narrow), sync.OnceValue(t.wide)} }

// in is the tone in a codec, or in the laws if it is not there in that one.
func (t tone) in(codec Codec) Clip {
	if codec == G722 || codec == Opus {
		return t.wide()
	}
	return t.narrow()
}

// tones are what a side plays by itself.
type tones struct{ ringback, waiting, beep tone }

func newTones() tones { return tones{ringback().tone(), waiting().tone(), beepTone().tone()} }
