package media

import (
	"errors"
	"fmt"
	"math"
	"time"

	"consentgw/internal/g711"
)

// ErrClip: a clip that cannot be played.
var ErrClip = errors.New("clip cannot be played")

// Clip is audio in both laws, 8000 bytes a second. It is constant: nobody
// changes its bytes. If one law is empty it is converted from the other.
type Clip struct{ PCMU, PCMA []byte }

func (c Clip) check() error {
	switch {
	case len(c.PCMU) == 0 && len(c.PCMA) == 0:
		return fmt.Errorf("%w: it has no audio", ErrClip)
	case len(c.PCMU) != 0 && len(c.PCMA) != 0 && len(c.PCMU) != len(c.PCMA):
		return fmt.Errorf("%w: %d bytes of PCMU, %d of PCMA", ErrClip, len(c.PCMU), len(c.PCMA))
	}
	return nil
}

// size is the length in bytes, which are samples.
func (c Clip) size() int { return max(len(c.PCMU), len(c.PCMA)) }

// Length is how long the clip plays.
func (c Clip) Length() time.Duration { return duration(c.size()) }

// frame writes the frame at a byte offset, in a law, filled up with silence.
func (c Clip) frame(dst []byte, offset int, law Law) {
	codes, from := c.PCMU, PCMU
	if law == PCMA && len(c.PCMA) > 0 || len(c.PCMU) == 0 {
		codes, from = c.PCMA, PCMA
	}
	codes = codes[offset:min(offset+frameBytes, len(codes))]
	convert(dst[:len(codes)], codes, from, law)
	for i := len(codes); i < frameBytes; i++ {
		dst[i] = law.silence()
	}
}

// duration is how long n samples last.
func duration(n int) time.Duration { return time.Duration(n) * time.Second / clockRate }

// A cadence is a tone that comes and goes.
type cadence struct {
	hertz   float64
	on, off int // samples, whole frames; on holds a whole number of waves
	dBm0    float64
}

// ringback is that of most of Europe (ITU-T E.180).
func ringback() cadence { return cadence{hertz: 425, on: clockRate, off: 4 * clockRate, dBm0: -20} }

// waiting is softer than ringback and of another pitch, so that nobody who waits
// takes it for a telephone that rings.
func waiting() cadence {
	return cadence{hertz: 600, on: 12 * frameBytes, off: 2 * clockRate, dBm0: -26}
}

// A sine of full scale is 3.14 dBm0 in A-law, 3.17 in µ-law (ITU-T G.711).
const fullScaleDBm0 = 3.15

// clip is one period. The tone starts and ends at zero.
func (t cadence) clip() Clip {
	peak := math.MaxInt16 * math.Pow(10, (t.dBm0-fullScaleDBm0)/20)
	c := Clip{PCMU: make([]byte, t.on+t.off), PCMA: make([]byte, t.on+t.off)}
	for i := range c.PCMU {
		c.PCMU[i], c.PCMA[i] = g711.SilenceMu, g711.SilenceA
		if i < t.on {
			sample := int16(math.Round(peak * math.Sin(2*math.Pi*t.hertz*float64(i)/clockRate)))
			c.PCMU[i], c.PCMA[i] = g711.EncodeMu(sample), g711.EncodeA(sample)
		}
	}
	return c
}
