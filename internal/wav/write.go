package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// ErrTooLong says that the samples do not fit a WAVE file, whose sizes are
// 32-bit: 4 GiB, about three days of mono telephone speech.
var ErrTooLong = errors.New("wav: more samples than the 4 GiB of a WAVE file")

const maxData = math.MaxUint32 - (pcmHeader - chunkHeader)

// Write writes pcm, interleaved frame by frame, as a WAVE file of 16-bit PCM.
// The same samples give the same bytes.
func Write(w io.Writer, rate, channels int, pcm []int16) error {
	if err := shape(rate, channels, len(pcm)); err != nil {
		return err
	}
	if int64(len(pcm))*2 > maxData {
		return ErrTooLong
	}
	head := header(rate, channels, uint32(len(pcm)*2))
	if _, err := w.Write(head[:]); err != nil {
		return fmt.Errorf("wav: header: %w", err)
	}
	var block [8192]byte
	for len(pcm) > 0 {
		n := min(len(pcm), len(block)/2)
		encode(block[:n*2], pcm[:n])
		if _, err := w.Write(block[:n*2]); err != nil {
			return fmt.Errorf("wav: samples: %w", err)
		}
		pcm = pcm[n:]
	}
	return nil
}

// shape refuses what no header can say.
func shape(rate, channels, samples int) error {
	switch {
	case rate < 1 || rate > maxRate:
		return fmt.Errorf("wav: %d frames a second, want 1 to %d", rate, maxRate)
	case channels < 1 || channels > maxChannels:
		return fmt.Errorf("wav: %d channels, want 1 to %d", channels, maxChannels)
	case samples%channels != 0:
		return fmt.Errorf("wav: %d samples are no whole number of frames of %d", samples, channels)
	}
	return nil
}

// header returns everything up to the first of data bytes.
func header(rate, channels int, data uint32) [pcmHeader]byte {
	var b [pcmHeader]byte
	copy(b[0:], "RIFF")
	binary.LittleEndian.PutUint32(b[4:], data+pcmHeader-chunkHeader)
	copy(b[8:], "WAVEfmt ")
	binary.LittleEndian.PutUint32(b[16:], 16)
	binary.LittleEndian.PutUint16(b[20:], uint16(PCM16))
	binary.LittleEndian.PutUint16(b[22:], uint16(channels))
	binary.LittleEndian.PutUint32(b[24:], uint32(rate))
	binary.LittleEndian.PutUint32(b[28:], uint32(rate*channels*2))
	binary.LittleEndian.PutUint16(b[32:], uint16(channels*2))
	binary.LittleEndian.PutUint16(b[34:], 16)
	copy(b[36:], "data")
	binary.LittleEndian.PutUint32(b[40:], data)
	return b
}

// encode writes pcm to b, which is twice as long.
func encode(b []byte, pcm []int16) {
	for i, s := range pcm {
		binary.LittleEndian.PutUint16(b[i*2:], uint16(s))
	}
}
