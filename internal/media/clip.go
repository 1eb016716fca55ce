package media

import (
	"errors"
	"fmt"
	"time"
)

// ErrClip: a clip that cannot be played.
var ErrClip = errors.New("clip cannot be played")

// Clip is one piece of audio, encoded ahead. It is constant: nobody changes its
// bytes. If one law is empty it is converted from the other; a codec that is
// empty otherwise cannot be played.
type Clip struct {
	PCMU, PCMA []byte   // 8000 bytes a second
	G722       []byte   // 8000 bytes a second
	Opus       [][]byte // packets of 20 ms each; the last may be silence behind the end
}

func (c Clip) check() error {
	size := c.size()
	if size == 0 {
		return fmt.Errorf("%w: it has no audio", ErrClip)
	}
	for name, n := range map[string]int{"PCMU": len(c.PCMU), "PCMA": len(c.PCMA), "G722": len(c.G722)} {
		if n != 0 && n != size {
			return fmt.Errorf("%w: %d bytes of %s of %d", ErrClip, n, name, size)
		}
	}
	if n := len(c.Opus); n != 0 && n < frames(size) {
		return fmt.Errorf("%w: %d packets of Opus, its length is %d", ErrClip, n, frames(size))
	}
	return nil
}

// size is the length in samples at 8 kHz.
func (c Clip) size() int {
	n := max(len(c.PCMU), len(c.PCMA), len(c.G722))
	if n == 0 {
		n = len(c.Opus) * frameBytes
	}
	return n
}

// frames is how many packets n samples take.
func frames(n int) int { return (n + frameBytes - 1) / frameBytes }

// In reports whether the clip can be played in a codec.
func (c Clip) In(codec Codec) bool { return c.count(codec) > 0 }

// count is how many packets the clip has in a codec; 0 if it is not there.
func (c Clip) count(codec Codec) int {
	switch {
	case codec.isLaw():
		return frames(max(len(c.PCMU), len(c.PCMA)))
	case codec == G722:
		return frames(len(c.G722))
	case codec == Opus:
		return len(c.Opus)
	}
	return 0
}

// Length is how long the clip plays.
func (c Clip) Length() time.Duration { return duration(c.size()) }

// frame writes the i-th packet in a codec, filled up with silence, and returns
// its size; 0 if there is none. dst holds what one datagram may.
func (c Clip) frame(dst []byte, i int, codec Codec) int {
	if i >= c.count(codec) {
		return 0
	}
	switch codec {
	case Opus:
		return copy(dst, c.Opus[i])
	case G722:
		n := copy(dst, c.G722[i*frameBytes:min((i+1)*frameBytes, len(c.G722))])
		for ; n < frameBytes; n++ {
			dst[n] = g722Silence
		}
		return frameBytes
	}
	codes, from := c.PCMU, PCMU
	if codec == PCMA && len(c.PCMA) > 0 || len(c.PCMU) == 0 {
		codes, from = c.PCMA, PCMA
	}
	codes = codes[i*frameBytes : min((i+1)*frameBytes, len(codes))]
	convert(dst[:len(codes)], codes, from, codec)
	for n := len(codes); n < frameBytes; n++ {
		dst[n] = codec.silence()
	}
	return frameBytes
}

// g722Silence is the smallest step in both bands: what fills up a last packet,
// less than 20 ms of it.
const g722Silence = 0xFF

// duration is how long n samples at 8 kHz last.
func duration(n int) time.Duration { return time.Duration(n) * time.Second / clockRate }
