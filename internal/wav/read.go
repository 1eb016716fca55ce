package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"consentgw/internal/g711"
)

// Read reads one WAVE file and stops at the end of its RIFF chunk; whatever
// follows is left unread.
//
// Sizes must be true: a chunk that leaves the RIFF chunk, a file that ends
// early, a data chunk that is no whole number of frames and a format chunk that
// contradicts itself are errors, and each names the chunk. Chunks other than
// "fmt " and "data" are skipped. No more than MaxBytes are kept, and memory
// grows with what was read, not with what a header claims.
func Read(r io.Reader) (*Audio, error) {
	p := parser{r: r}
	audio, err := p.file()
	if err != nil {
		return nil, fmt.Errorf("wav: %w", err)
	}
	return audio, nil
}

// parser reads a file from front to back.
type parser struct {
	r     io.Reader
	left  int64 // bytes of the RIFF chunk not yet read
	audio *Audio
	data  bool // the data chunk has been seen
}

func (p *parser) file() (*Audio, error) {
	var head [riffHeader]byte
	if n, err := io.ReadFull(p.r, head[:]); err != nil {
		if !ended(err) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: it ends after %d bytes", ErrNotWAV, n)
	}
	if string(head[0:4]) != "RIFF" || string(head[8:12]) != "WAVE" {
		return nil, fmt.Errorf("%w: it begins with %q", ErrNotWAV, head[:])
	}
	p.left = int64(binary.LittleEndian.Uint32(head[4:])) - 4
	if p.left < 0 {
		return nil, errors.New(`chunk "RIFF": its size has no room for a form type`)
	}
	for p.left > 0 {
		if err := p.chunk(); err != nil {
			return nil, err
		}
	}
	if p.audio == nil {
		return nil, errors.New(`chunk "fmt " is missing`)
	}
	if !p.data {
		return nil, errors.New(`chunk "data" is missing`)
	}
	return p.audio, nil
}

// chunk reads one chunk and its padding.
func (p *parser) chunk() error {
	if p.left < chunkHeader {
		return fmt.Errorf(`chunk "RIFF": %d bytes at its end are no chunk`, p.left)
	}
	var head [chunkHeader]byte
	if err := p.fill(head[:]); err != nil {
		return fmt.Errorf(`chunk "RIFF": %w`, err)
	}
	id, size := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
	if size > p.left {
		return fmt.Errorf(`chunk %q: %d bytes claimed, but the RIFF chunk ends after %d`, id, size, p.left)
	}
	if err := p.body(id, size); err != nil {
		return fmt.Errorf("chunk %q: %w", id, err)
	}
	// A chunk of odd size is followed by a byte that its size does not count.
	// Some writers leave it out after the last chunk.
	if size%2 == 1 && p.left > 0 {
		if err := p.skip(1); err != nil {
			return fmt.Errorf("chunk %q: padding: %w", id, err)
		}
	}
	return nil
}

func (p *parser) body(id string, size int64) error {
	switch id {
	case "fmt ":
		return p.format(size)
	case "data":
		return p.samples(size)
	default:
		return p.skip(size)
	}
}

// The extensible format names the real one by the first two bytes of a GUID
// whose other bytes are these.
const (
	extensible = 0xFFFE
	guidTail   = "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
)

func (p *parser) format(size int64) error {
	if p.audio != nil {
		return errors.New("there is a second one")
	}
	if size != 16 && size != 18 && size != 40 {
		return fmt.Errorf("%d bytes, want 16, 18 or 40", size)
	}
	var b [40]byte
	if err := p.fill(b[:size]); err != nil {
		return err
	}
	tag := binary.LittleEndian.Uint16(b[0:])
	if tag == extensible {
		if size != 40 || string(b[26:40]) != guidTail {
			return errors.New("an extensible format this package does not know")
		}
		tag = binary.LittleEndian.Uint16(b[24:])
	}
	a := &Audio{
		Format:   Format(tag),
		Channels: int(binary.LittleEndian.Uint16(b[2:])),
		Rate:     int(binary.LittleEndian.Uint32(b[4:])),
	}
	bytesPerSecond := int64(binary.LittleEndian.Uint32(b[8:]))
	frame, width := int(binary.LittleEndian.Uint16(b[12:])), int(binary.LittleEndian.Uint16(b[14:]))
	if err := a.validate(width, frame, bytesPerSecond); err != nil {
		return err
	}
	p.audio = a
	return nil
}

// validate holds the fields of a format chunk against each other.
func (a *Audio) validate(width, frame int, bytesPerSecond int64) error {
	switch {
	case a.Format != PCM16 && a.Format != ALaw && a.Format != MuLaw:
		return fmt.Errorf("format tag %#04x, want 1 (PCM), 6 (A-law) or 7 (µ-law)", uint16(a.Format))
	case a.Format == PCM16 && width != 16:
		return fmt.Errorf("%d-bit PCM, want 16-bit", width)
	case a.Format != PCM16 && width != 8:
		return fmt.Errorf("%d-bit %v, want 8-bit", width, a.Format)
	case a.Channels < 1 || a.Channels > maxChannels:
		return fmt.Errorf("%d channels, want 1 to %d", a.Channels, maxChannels)
	case a.Rate < 1 || a.Rate > maxRate:
		return fmt.Errorf("%d frames a second, want 1 to %d", a.Rate, maxRate)
	case frame != a.Channels*width/8:
		return fmt.Errorf("%d bytes a frame, but %d channels of %d bits", frame, a.Channels, width)
	case bytesPerSecond != int64(a.Rate)*int64(frame):
		return fmt.Errorf("%d bytes a second, but %d frames of %d bytes", bytesPerSecond, a.Rate, frame)
	}
	return nil
}

func (p *parser) samples(size int64) error {
	switch {
	case p.audio == nil:
		return errors.New(`it comes before the chunk "fmt "`)
	case p.data:
		return errors.New("there is a second one")
	}
	p.data = true
	width := int64(1)
	if p.audio.Format == PCM16 {
		width = 2
	}
	if frame := width * int64(p.audio.Channels); size%frame != 0 {
		return fmt.Errorf("%d bytes are no whole number of %d-byte frames", size, frame)
	}
	if size/width*2 > MaxBytes {
		return fmt.Errorf("%d bytes of samples, at most %d are read", size, MaxBytes*width/2)
	}
	var block [8192]byte
	for size > 0 {
		before := p.left
		b := block[:min(size, int64(len(block)))]
		err := p.fill(b)
		size -= before - p.left
		if err != nil {
			return fmt.Errorf("%d bytes before its end: %w", size, err)
		}
		p.audio.add(b)
	}
	return nil
}

// add appends the samples of b.
func (a *Audio) add(b []byte) {
	switch a.Format {
	case ALaw:
		for _, c := range b {
			a.PCM = append(a.PCM, g711.DecodeA(c))
		}
	case MuLaw:
		for _, c := range b {
			a.PCM = append(a.PCM, g711.DecodeMu(c))
		}
	default:
		for i := 0; i+1 < len(b); i += 2 {
			a.PCM = append(a.PCM, int16(binary.LittleEndian.Uint16(b[i:])))
		}
	}
}

// fill reads all of b, which lies within the RIFF chunk.
func (p *parser) fill(b []byte) error {
	n, err := io.ReadFull(p.r, b)
	p.left -= int64(n)
	return cutShort(err)
}

func (p *parser) skip(n int64) error {
	done, err := io.CopyN(io.Discard, p.r, n)
	p.left -= done
	return cutShort(err)
}

func cutShort(err error) error {
	if ended(err) {
		return fmt.Errorf("the file ends early: %w", io.ErrUnexpectedEOF)
	}
	return err
}

func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
