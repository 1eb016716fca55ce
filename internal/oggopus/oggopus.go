// Package oggopus takes the packets of speech out of an Ogg Opus file (RFC
// 7845), so that they can be played over RTP (RFC 7587) as they are: one mono
// stream, every packet 20 ms, nothing that a player would have to add. It also puts
// the packets of a call into such a file.
package oggopus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

const (
	clock = 48000      // of everything in Opus, in Hz
	frame = clock / 50 // 20 ms, one packet

	// MaxPacket is the largest packet that an encoder makes of 20 ms (RFC 6716
	// section 3.2.1 and 3.4).
	MaxPacket = 1 + 1275
)

// Audio is the content of a file.
type Audio struct {
	Packets  [][]byte // of 20 ms each; they share the memory of the file
	Duration time.Duration
}

// Read reads a whole file. Anything it does not expect is an error that names
// the page: another stream beside the first, a lost page, a wrong checksum, a
// channel too many, a packet of another length, an output gain.
func Read(file []byte) (*Audio, error) {
	s := stream{}
	for n := 0; len(file) > 0; n++ {
		p, rest, err := readPage(file)
		if err == nil {
			err = s.page(p, n)
		}
		if err != nil {
			return nil, fmt.Errorf("ogg opus: page %d: %w", n, err)
		}
		file = rest
	}
	audio, err := s.end()
	if err != nil {
		return nil, fmt.Errorf("ogg opus: %w", err)
	}
	return audio, nil
}

// stream is what was read of the one stream so far.
type stream struct {
	serial  uint32
	headers int    // of two
	preSkip uint64 // samples at the beginning that are not to be heard
	part    []byte // of a packet that goes on on the next page
	partial bool
	packets [][]byte
	end48   uint64 // position behind the last sample that is to be heard
	last    bool
}

func (s *stream) page(p page, n int) error {
	switch {
	case s.last:
		return errors.New("there is one behind the last")
	case n == 0 && p.flags&firstOfAll == 0:
		return errors.New("it is not marked as the first")
	case n > 0 && p.flags&firstOfAll != 0:
		return errors.New("another stream begins")
	case n > 0 && p.serial != s.serial:
		return errors.New("it is of another stream")
	case int64(p.number) != int64(n):
		return fmt.Errorf("its number is %d", p.number)
	case p.flags&continued != 0 != s.partial:
		return errors.New("a packet that goes on from page to page is broken")
	}
	s.serial, s.last = p.serial, p.flags&lastOfAll != 0
	before := len(s.packets)
	if err := s.segments(p, n); err != nil {
		return err
	}
	return s.position(p, before)
}

// segments takes the packets of a page apart: one ends with a segment that is
// not full.
func (s *stream) segments(p page, n int) error {
	data, size, start := p.data, 0, 0
	for i, length := range p.table {
		size += int(length)
		if length == 255 {
			continue
		}
		packet := data[start:size]
		if s.partial {
			packet = append(s.part, packet...)
			s.part, s.partial = nil, false
		}
		start = size
		if err := s.packet(packet, n, i == len(p.table)-1); err != nil {
			return err
		}
	}
	if start < size {
		s.part, s.partial = append(s.part, data[start:size]...), true
	}
	if len(s.part) > maxTags {
		return errors.New("a packet is longer than any may be")
	}
	return nil
}

// maxTags bounds the comment header, which nobody here reads.
const maxTags = 1 << 20

func (s *stream) packet(b []byte, n int, endsPage bool) error {
	switch s.headers {
	case 0:
		s.headers++
		if !endsPage {
			return errors.New("the identification header is not alone on its page")
		}
		return s.identify(b)
	case 1:
		s.headers++
		if n == 0 || !endsPage || !bytes.HasPrefix(b, []byte("OpusTags")) {
			return errors.New("the comment header is missing, or not alone on its pages")
		}
		return nil
	}
	if err := check(b); err != nil {
		return fmt.Errorf("packet %d: %w", len(s.packets), err)
	}
	s.packets = append(s.packets, b)
	return nil
}

// identify reads the identification header (RFC 7845 section 5.1).
func (s *stream) identify(b []byte) error {
	if len(b) < 19 || string(b[:8]) != "OpusHead" {
		return errors.New("no Opus stream")
	}
	s.preSkip = uint64(binary.LittleEndian.Uint16(b[10:]))
	switch gain := int16(binary.LittleEndian.Uint16(b[16:])); {
	case b[8]>>4 != 0:
		return fmt.Errorf("version %d of the mapping, want 0 or 1", b[8]>>4)
	case b[9] != 1:
		return fmt.Errorf("%d channels, want mono", b[9])
	case b[18] != 0:
		return fmt.Errorf("channel mapping family %d, want 0", b[18])
	case gain != 0:
		return fmt.Errorf("an output gain of %d/256 dB, which nobody applies on a call; want 0", gain)
	}
	return nil
}

// position holds the position of a page against the packets that end on it.
func (s *stream) position(p page, before int) error {
	if s.headers < 2 || len(s.packets) == before {
		return nil
	}
	all := uint64(len(s.packets)) * frame
	switch {
	case p.position == nothingEnds:
		return errors.New("packets end on it, but it has no position")
	case s.last && p.position > all-frame && p.position <= all: // RFC 7845 section 4.4
	case p.position != all:
		return fmt.Errorf("its position is %d samples, that of its packets %d", p.position, all)
	}
	s.end48 = p.position
	return nil
}

func (s *stream) end() (*Audio, error) {
	switch {
	case s.headers < 2:
		return nil, errors.New("it ends before any audio")
	case !s.last || s.partial:
		return nil, errors.New("the last page is missing")
	case len(s.packets) == 0 || s.end48 <= s.preSkip:
		return nil, errors.New("there is no audio in it")
	}
	return &Audio{Packets: s.packets, Duration: time.Duration(s.end48-s.preSkip) * time.Second / clock}, nil
}

// check refuses a packet that is not 20 ms of mono.
func check(b []byte) error {
	if len(b) < 1 || len(b) > MaxPacket {
		return fmt.Errorf("%d bytes, want 1 to %d", len(b), MaxPacket)
	}
	if b[0]&4 != 0 {
		return errors.New("stereo, want mono")
	}
	n, err := length(b)
	if err == nil && n != frame {
		err = fmt.Errorf("%v long, want 20ms", time.Duration(n)*time.Second/clock)
	}
	return err
}

// length is how much audio a packet holds, in samples at 48 kHz. Its first byte
// says so (RFC 6716 section 3.1): configuration, stereo flag, and how many frames.
func length(b []byte) (samples int, err error) {
	if len(b) < 1 {
		return 0, errors.New("0 bytes, want 1 or more")
	}
	config := int(b[0] >> 3)
	samples = [4]int{480, 960, 1920, 2880}[config%4] // SILK
	switch {
	case config >= 16: // CELT
		samples = 120 << (config % 4)
	case config >= 12: // both
		samples = 480 << (config % 2)
	}
	frames, code := 1, b[0]&3
	if code == 1 || code == 2 {
		frames = 2
	}
	if code == 3 {
		if len(b) < 2 {
			return 0, errors.New("its number of frames is missing")
		}
		frames = int(b[1] & 0x3F)
	}
	if samples *= frames; samples == 0 || samples > 6*frame {
		return 0, fmt.Errorf("%v long, want 120ms at most", time.Duration(samples)*time.Second/clock)
	}
	return samples, nil
}
