package prompts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"consentgw/internal/g711"
	"consentgw/internal/g722"
	"consentgw/internal/oggopus"
	"consentgw/internal/wav"
)

// MaxDuration is the longest that a prompt may last.
const MaxDuration = 120 * time.Second

const (
	rate     = 8000
	wideRate = 16000

	maxSound = 8 << 20 // bytes of a WAV file, twice the longest at 16 kHz
	maxText  = 16 << 10

	// The level under which a whole file counts as silent: -50 dBFS.
	silencePeak = 104
	// That many samples at full scale in a row are not a peak but a clipped one.
	clippedRun = 4
)

// prompt loads one prompt; at is its path without extension. Both files are
// read once: what is hashed is what is played.
func (w *walk) prompt(name, at string) *Prompt {
	p := &Prompt{Name: name}
	if text, err := w.read(at+".txt", maxText); err != nil {
		w.problem(at+".txt", "%w", err)
	} else if err := checkText(text); err != nil {
		w.problem(at+".txt", "%w", err)
	} else {
		p.Text, p.TextSHA256 = string(text), hash(text)
	}
	sound, err := w.read(at+".wav", maxSound)
	if err != nil {
		w.problem(at+".wav", "%w", err)
		return p
	}
	audio, err := decode(sound)
	if err != nil {
		w.problem(at+".wav", "%w", err)
		return p
	}
	pcm := audio.PCM
	if audio.Rate == wideRate {
		pcm = halve(pcm)
	}
	p.AudioSHA256 = hash(sound)
	p.Duration = time.Duration(len(pcm)) * time.Second / rate
	p.PCMU, p.PCMA = make([]byte, len(pcm)), make([]byte, len(pcm))
	g711.EncodeMuAll(p.PCMU, pcm)
	g711.EncodeAAll(p.PCMA, pcm)
	p.g722 = sync.OnceValue(func() []byte { return widen(audio, len(pcm)) })
	return p
}

// widen codes audio of either rate in G.722, size bytes of it.
func widen(audio *wav.Audio, size int) []byte {
	pcm := audio.PCM
	if audio.Rate == rate {
		pcm = double(pcm)
	}
	if len(pcm)%2 == 1 {
		pcm = append(slices.Clip(pcm), 0)
	}
	codes := make([]byte, size)
	g722.NewEncoder().Encode(codes, pcm)
	return codes
}

// opus loads the Opus form of a prompt, which is to be the same recording.
func (w *walk) opus(p *Prompt, file string) {
	sound, err := w.read(file, maxSound)
	if err != nil {
		w.problem(file, "%w", err)
		return
	}
	audio, err := oggopus.Read(sound)
	if err != nil {
		w.problem(file, "%w", err)
		return
	}
	if off := (audio.Duration - p.Duration).Abs(); p.PCMU != nil && off > sameLength {
		w.problem(file, "%v long, and the .wav file %v: they are to be one recording", audio.Duration, p.Duration)
		return
	}
	p.Opus, p.OpusSHA256 = audio.Packets, hash(sound)
}

// sameLength is how much two forms of one recording may differ in length: two
// packets, for an encoder that rounds.
const sameLength = 40 * time.Millisecond

func (w *walk) read(name string, limit int64) ([]byte, error) {
	// Before opening, which would wait for ever on a named pipe.
	info, err := fs.Stat(w.files, name)
	if err != nil {
		return nil, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a file but a %s", kind(info.Mode()))
	}
	f, err := w.files.Open(name)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, reason(err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return b, nil
}

func kind(mode fs.FileMode) string {
	if mode.IsDir() {
		return "directory"
	}
	return "special file"
}

// checkText refuses what cannot stand in a record.
func checkText(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("not UTF-8")
	}
	if strings.TrimSpace(string(text)) == "" {
		return errors.New("empty")
	}
	for _, r := range string(text) {
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return fmt.Errorf("control character %U", r)
		}
	}
	return nil
}

// decode returns the content of a WAV file of speech at 8 or 16 kHz.
func decode(sound []byte) (*wav.Audio, error) {
	audio, err := wav.Read(bytes.NewReader(sound))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(shape(audio), loudness(audio.PCM)); err != nil {
		return nil, err
	}
	return audio, nil
}

// shape refuses what is not a mono telephone prompt.
func shape(a *wav.Audio) error {
	switch {
	case a.Format != wav.PCM16:
		return fmt.Errorf("%v, want 16-bit PCM", a.Format)
	case a.Channels == 2:
		return errors.New("stereo, want mono")
	case a.Channels != 1:
		return fmt.Errorf("%d channels, want mono", a.Channels)
	case a.Rate != rate && a.Rate != wideRate:
		return fmt.Errorf("%d Hz, want %d or %d", a.Rate, rate, wideRate)
	case len(a.PCM) == 0:
		return errors.New("empty: no audio in it")
	case a.Duration() > MaxDuration:
		return fmt.Errorf("%v long, at most %v", a.Duration().Round(time.Millisecond), MaxDuration)
	}
	return nil
}

// loudness refuses audio that nobody hears, or hears only distorted.
func loudness(pcm []int16) error {
	peak, run := 0, 0
	for i, s := range pcm {
		level := max(int(s), -int(s))
		peak = max(peak, level)
		if level < 32767 {
			run = 0
		} else if run++; run == clippedRun {
			return fmt.Errorf("clipped: %d samples at full scale in a row, at sample %d", clippedRun, i-clippedRun+1)
		}
	}
	if len(pcm) > 0 && peak < silencePeak {
		return fmt.Errorf("silent: its peak is %d of 32767", peak)
	}
	return nil
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
