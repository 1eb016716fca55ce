package oggopus

import (
	"encoding/binary"
	"io"
)

const (
	// pageFor is how much audio goes on one page, in samples: what a crash loses.
	pageFor = clock
	// maxSegments is how many fit on a page (RFC 3533 section 6).
	maxSegments = 255
	// nothing is a packet of 20 ms in which an encoder had nothing to say, or that
	// was lost (RFC 6716 section 3.1, RFC 7845 section 4.1).
	nothing = 9 << 3
)

// A Writer writes an Ogg Opus file (RFC 7845) of the packets of a call as they are:
// of any length, mono or stereo. What it has written is a whole file up to its last
// page; a process that dies loses a second. After an error every further call
// returns that error. A Writer is for one goroutine.
type Writer struct {
	w        io.Writer
	number   uint32 // of the next page
	position uint64 // in samples at 48 kHz, behind the last packet
	from     uint64 // where the page that is being filled begins
	table    []byte // of that page
	data     []byte
	err      error
}

// NewWriter begins a file; nothing is written before the first packet.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Position is how much audio was written, in samples at 48 kHz.
func (w *Writer) Position() uint64 { return w.position }

// Write adds one packet and returns how much audio that is, in samples at 48 kHz. A
// packet that is none (RFC 6716 section 3) is refused, and nothing else changes.
func (w *Writer) Write(packet []byte) (samples int, err error) {
	n, err := length(packet)
	if err == nil {
		err = w.err
	}
	if err != nil {
		return 0, err
	}
	if w.number == 0 {
		w.head(1 + packet[0]>>2&1)
	}
	segments := len(packet)/255 + 1
	if w.position-w.from >= pageFor || len(w.table)+segments > maxSegments {
		w.page(0)
	}
	for size := len(packet); segments > 0; segments, size = segments-1, size-255 {
		w.table = append(w.table, byte(min(size, 255)))
	}
	w.data = append(w.data, packet...)
	w.position += uint64(n)
	return n, w.err
}

// Valid reports whether Write would take a packet.
func Valid(packet []byte) bool {
	_, err := length(packet)
	return err == nil
}

// Silence fills a gap, in whole frames of 20 ms, and returns how much that was.
func (w *Writer) Silence(samples int) (written int, err error) {
	for ; written+frame <= samples && err == nil; written += frame {
		_, err = w.Write([]byte{nothing})
	}
	return written, err
}

// Close writes the last page. It does not close the underlying writer.
func (w *Writer) Close() error {
	if w.number == 0 {
		w.head(1)
	}
	w.page(lastOfAll)
	return w.err
}

// head writes the two headers, each on a page of its own (RFC 7845 section 3).
func (w *Writer) head(channels byte) {
	id := append([]byte("OpusHead\x01"), channels, 0, 0)
	id = binary.LittleEndian.AppendUint32(id, clock)
	w.table, w.data = append(w.table, byte(len(id)+3)), append(id, 0, 0, 0) // no gain, one stream
	w.page(firstOfAll)
	tags := append([]byte("OpusTags"), make([]byte, 8)...)
	w.table, w.data = append(w.table, byte(len(tags))), append(w.data, tags...)
	w.page(0)
}

// page writes what was gathered.
func (w *Writer) page(flags byte) {
	if w.err != nil {
		return
	}
	p := append([]byte("OggS\x00"), flags)
	p = binary.LittleEndian.AppendUint64(p, w.position)
	p = binary.LittleEndian.AppendUint32(p, 1) // one stream
	p = binary.LittleEndian.AppendUint32(p, w.number)
	p = append(p, 0, 0, 0, 0, byte(len(w.table)))
	p = append(append(p, w.table...), w.data...)
	binary.LittleEndian.PutUint32(p[22:], checksum(p))
	_, w.err = w.w.Write(p)
	w.number++
	w.from, w.table, w.data = w.position, w.table[:0], w.data[:0]
}
