package wav

import (
	"fmt"
	"io"
	"time"
)

// A Writer writes a WAVE file of 16-bit PCM whose length is not known
// beforehand.
//
// The header tells the truth after NewWriter, after every Flush and after
// Close. Samples reach the file before the header that counts them, and the
// header is replaced by a single write: a process that dies leaves a file that
// Read accepts and that holds everything up to the last Flush. Samples written
// after it may follow the end that the header states. Against a power cut the
// caller syncs the file after Flush.
//
// After an error every further call returns that error. A Writer is for one
// goroutine.
type Writer struct {
	w        io.WriteSeeker
	rate     int
	channels int
	start    int64  // where the header lies
	written  int64  // bytes of samples in w
	counted  int64  // bytes of samples the header in w speaks of
	buf      []byte // samples not yet in w
	err      error
}

// NewWriter begins a file at the current position of w and writes the header
// of an empty one.
func NewWriter(w io.WriteSeeker, rate, channels int) (*Writer, error) {
	if err := shape(rate, channels, 0); err != nil {
		return nil, err
	}
	start, err := w.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("wav: position: %w", err)
	}
	head := header(rate, channels, 0)
	if _, err := w.Write(head[:]); err != nil {
		return nil, fmt.Errorf("wav: header: %w", err)
	}
	return &Writer{
		w: w, rate: rate, channels: channels, start: start,
		buf: make([]byte, 0, 8192),
	}, nil
}

// Write adds whole frames, interleaved. They are buffered; pcm is not kept.
// ErrTooLong if the file could not hold them, and then none was added.
func (w *Writer) Write(pcm []int16) error {
	if w.err != nil {
		return w.err
	}
	if err := shape(w.rate, w.channels, len(pcm)); err != nil {
		return err
	}
	if w.written+int64(len(w.buf))+int64(len(pcm))*2 > maxData {
		return ErrTooLong
	}
	for len(pcm) > 0 {
		n := min(len(pcm), (cap(w.buf)-len(w.buf))/2)
		at := len(w.buf)
		w.buf = w.buf[:at+n*2]
		encode(w.buf[at:], pcm[:n])
		pcm = pcm[n:]
		if len(w.buf) == cap(w.buf) {
			if w.err = w.drain(); w.err != nil {
				return w.err
			}
		}
	}
	return nil
}

// Flush brings all samples and then the header that counts them to the
// underlying writer.
func (w *Writer) Flush() error {
	if w.err != nil {
		return w.err
	}
	if w.err = w.drain(); w.err == nil && w.written != w.counted {
		w.err = w.rewrite()
	}
	return w.err
}

// Close flushes. It does not close the underlying writer, which belongs to the
// caller. Closing twice is no error.
func (w *Writer) Close() error { return w.Flush() }

// Duration returns how much audio was added.
func (w *Writer) Duration() time.Duration {
	bytes := w.written + int64(len(w.buf))
	return duration(int(bytes)/(2*w.channels), w.rate)
}

// drain brings the buffered samples to the end of the file.
func (w *Writer) drain() error {
	n, err := w.w.Write(w.buf)
	w.written += int64(n)
	w.buf = w.buf[:0]
	if err != nil {
		return fmt.Errorf("wav: samples: %w", err)
	}
	return nil
}

// rewrite replaces the header and returns to the end of the samples.
func (w *Writer) rewrite() error {
	if _, err := w.w.Seek(w.start, io.SeekStart); err != nil {
		return fmt.Errorf("wav: back to the header: %w", err)
	}
	head := header(w.rate, w.channels, uint32(w.written))
	if _, err := w.w.Write(head[:]); err != nil {
		return fmt.Errorf("wav: header: %w", err)
	}
	if _, err := w.w.Seek(w.start+pcmHeader+w.written, io.SeekStart); err != nil {
		return fmt.Errorf("wav: back to the end: %w", err)
	}
	w.counted = w.written
	return nil
}
