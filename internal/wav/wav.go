// Package wav reads and writes RIFF WAVE files of speech: 16-bit linear PCM
// both ways, A-law and µ-law for reading only.
//
// The layout is that of "Multimedia Programming Interface and Data
// Specifications 1.0" (IBM and Microsoft, 1991), with the extensible format
// chunk that newer tools write. RF64 and files without sizes are not read.
package wav

import (
	"errors"
	"time"
)

// ErrNotWAV is wrapped by the error of Read for input that is not a RIFF WAVE
// file at all.
var ErrNotWAV = errors.New("not a RIFF WAVE file")

// MaxBytes is the most that Read keeps, counted as 16-bit PCM: 64 MiB, which is
// more than an hour of telephone speech.
const MaxBytes = 64 << 20

// A Format is the way in which a file held its samples.
type Format uint16

// The values are the format tags of the file (RFC 2361).
const (
	PCM16 Format = 1
	ALaw  Format = 6
	MuLaw Format = 7
)

func (f Format) String() string {
	switch f {
	case PCM16:
		return "16-bit PCM"
	case ALaw:
		return "A-law"
	case MuLaw:
		return "µ-law"
	default:
		return "unknown format"
	}
}

// Audio is the content of a WAVE file.
type Audio struct {
	Rate     int     // frames a second
	Channels int     // samples a frame, at least 1
	Format   Format  // as found in the file; PCM is linear whatever it is
	PCM      []int16 // all channels, interleaved frame by frame
}

// Duration returns how long the audio lasts, rounded down to a nanosecond.
func (a *Audio) Duration() time.Duration {
	return duration(len(a.PCM)/a.Channels, a.Rate)
}

// duration avoids the overflow of frames*1e9 by splitting off whole seconds.
func duration(frames, rate int) time.Duration {
	seconds, rest := frames/rate, frames%rate
	return time.Duration(seconds)*time.Second + time.Duration(rest)*time.Second/time.Duration(rate)
}

const (
	riffHeader  = 12 // "RIFF", size, "WAVE"
	chunkHeader = 8  // id, size
	pcmHeader   = 44 // the header this package writes, up to the first sample

	maxChannels = 8
	maxRate     = 192_000
)
