package recordserver

import (
	"errors"
	"fmt"
	"os"

	"consentgw/internal/g711"
	"consentgw/internal/g722"
	"consentgw/internal/oggopus"
	"consentgw/internal/sdp"
	"consentgw/internal/wav"
)

// codecs are what a server takes: both laws of G.711 and G.722 as WAVE, Opus as Ogg
// Opus.
func codecs() []sdp.Codec { return []sdp.Codec{sdp.PCMA(), sdp.PCMU(), sdp.G722(), sdp.Opus()} }

// longestGap is the longest silence that is written for audio that did not come.
const longestGap = 30 * 60 // seconds

// audio is what a track has heard, in a file for each kind of codec that it came in,
// one after the other. The zero value with a path is ready; without one nothing is
// written.
type audio struct {
	path  string // without an extension
	files int
	kind  kind
	file  *os.File
	coder coder  // nil: no file is open
	next  uint32 // time stamp that continues the file
	begun bool
	err   error // the first
}

// coder writes the payloads of one kind of codec. Audio is counted in ticks of its
// RTP clock.
type coder interface {
	write(payload []byte, codec sdp.Codec) (ticks int, err error)
	silence(ticks int) (written int, err error)
	close() error
}

// take writes a packet where its time stamp says, with silence for what is missing.
// What comes late is left out.
func (a *audio) take(p Packet, codec sdp.Codec) {
	if a.path == "" || a.err != nil {
		return
	}
	if a.coder == nil || kindOf(codec) != a.kind {
		a.keep(a.open(codec))
	}
	if a.err != nil {
		return
	}
	if a.begun {
		gap := int32(p.Timestamp - a.next)
		if gap < 0 {
			return
		}
		if int(gap) <= longestGap*codec.Rate {
			_, err := a.coder.silence(int(gap))
			a.keep(err)
		}
	}
	n, err := a.coder.write(p.Payload, codec)
	a.keep(err)
	a.next, a.begun = p.Timestamp+uint32(n), true
}

// kind is what goes into one file.
type kind uint8

const (
	narrow kind = iota // WAVE, 8 kHz
	wide               // WAVE, 16 kHz
	opus               // Ogg Opus
)

func kindOf(c sdp.Codec) kind {
	switch {
	case c.Same(sdp.Opus()):
		return opus
	case c.Same(sdp.G722()):
		return wide
	}
	return narrow
}

// open ends the file of another kind and begins one: label-1.wav, label-1-2.opus.
func (a *audio) open(codec sdp.Codec) error {
	if err := a.close(); err != nil {
		return err
	}
	a.files++
	name := a.path
	if a.files > 1 {
		name += fmt.Sprintf("-%d", a.files)
	}
	a.kind, a.begun = kindOf(codec), false
	name += map[kind]string{narrow: ".wav", wide: ".wav", opus: ".opus"}[a.kind]
	var err error
	if a.file, err = os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err != nil {
		return err
	}
	switch a.kind {
	case opus:
		a.coder = opusCoder{oggopus.NewWriter(a.file)}
	case wide:
		a.coder, err = newWave(a.file, 2)
	default:
		a.coder, err = newWave(a.file, 1)
	}
	return err
}

func (a *audio) keep(err error) {
	if a.err == nil {
		a.err = err
	}
}

// close completes the file that is open.
func (a *audio) close() error {
	if a.file == nil {
		return nil
	}
	var err error
	if a.coder != nil {
		err = a.coder.close()
	}
	err = errors.Join(err, a.file.Close())
	a.file, a.coder = nil, nil
	return err
}

// waveCoder writes PCM. Of all its codecs a byte is a tick of 8 kHz.
type waveCoder struct {
	wave *wav.Writer
	wide *g722.Decoder
	each int // samples a tick: 2 for G.722
}

func newWave(file *os.File, each int) (coder, error) {
	wave, err := wav.NewWriter(file, 8000*each, 1)
	if err != nil {
		return nil, err
	}
	return waveCoder{wave, g722.NewDecoder(), each}, nil
}

func (w waveCoder) write(payload []byte, codec sdp.Codec) (int, error) {
	pcm := make([]int16, w.each*len(payload))
	switch {
	case w.each == 2:
		w.wide.Decode(pcm, payload)
	case codec.Same(sdp.PCMA()):
		g711.DecodeAAll(pcm, payload)
	default:
		g711.DecodeMuAll(pcm, payload)
	}
	return len(payload), w.wave.Write(pcm)
}

func (w waveCoder) silence(ticks int) (int, error) {
	var err error
	quiet := make([]int16, 8000)
	for left := ticks * w.each; left > 0 && err == nil; left -= len(quiet) {
		err = w.wave.Write(quiet[:min(left, len(quiet))])
	}
	return ticks, err
}

func (w waveCoder) close() error { return w.wave.Close() }

// opusCoder writes packets as they are.
type opusCoder struct{ *oggopus.Writer }

// write leaves out what is no packet of Opus.
func (o opusCoder) write(payload []byte, _ sdp.Codec) (int, error) {
	if !oggopus.Valid(payload) {
		return 0, nil
	}
	return o.Writer.Write(payload)
}

func (o opusCoder) silence(ticks int) (int, error) { return o.Writer.Silence(ticks) }

func (o opusCoder) close() error { return o.Writer.Close() }
