package acceptance

import (
	"encoding/binary"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"consentgw/internal/wav"

	"github.com/stretchr/testify/require"
)

// pressed is the tones of a key (ITU-T Q.23) for a fifth of a second, with silence
// around them, and then a voice.
func pressed(key string, hertz float64, rate int) []int16 {
	pcm := make([]int16, rate/5)
	for i, row := range []string{"123A", "456B", "789C", "*0#D"} {
		j := strings.Index(row, key)
		if j < 0 {
			continue
		}
		low, high := []float64{697, 770, 852, 941}[i], []float64{1209, 1336, 1477, 1633}[j]
		for n := range rate / 5 {
			at := 2 * math.Pi * float64(n) / float64(rate)
			pcm = append(pcm, int16(6000*math.Sin(low*at)+6000*math.Sin(high*at)))
		}
	}
	return slices.Concat(pcm, make([]int16, rate/5), steady(hertz, rate))
}

// steady is a tone for longer than any call.
func steady(hertz float64, rate int) []int16 { return tone(hertz*8000/float64(rate), rate*60) }

func sound(t *testing.T, file string, rate int, pcm []int16) string {
	t.Helper()
	f, err := os.Create(file)
	require.NoError(t, err)
	require.NoError(t, wav.Write(f, rate, 1, pcm))
	require.NoError(t, f.Close())
	return file
}

// wavHeader is the size of the header of what softphones write: 16-bit PCM. The
// sizes in it count for nothing: linphone writes one wrong by four.
const wavHeader = 44

// shape is the rate and the channels of a file; 0 while it has no header.
func shape(header []byte) (rate, channels int) {
	if len(header) < wavHeader {
		return 0, 0
	}
	return int(binary.LittleEndian.Uint32(header[24:])), int(binary.LittleEndian.Uint16(header[22:]))
}

// lengthOf is how long a file of sound is so far, taken for mono of a rate while it
// has no header.
func lengthOf(file string, rate int) time.Duration {
	f, err := os.Open(file)
	if err != nil {
		return 0
	}
	defer f.Close()
	header := make([]byte, wavHeader)
	n, _ := io.ReadFull(f, header)
	if r, channels := shape(header[:n]); r > 0 {
		rate = r * channels
	}
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return time.Duration(max(0, info.Size()-wavHeader)) * time.Second / time.Duration(2*rate)
}

// readVoice reads a file at 8 kHz, of several channels the first.
func readVoice(t *testing.T, file string) []int16 {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Greater(t, len(b), wavHeader, file)
	rate, channels := shape(b)
	require.Contains(t, []int{8000, 16000, 32000, 48000}, rate, "samples a second")
	pcm := make([]int16, (len(b)-wavHeader)/2)
	_, err = binary.Decode(b[wavHeader:], binary.LittleEndian, pcm)
	require.NoError(t, err)
	step := channels * rate / 8000 // what is said is all below 4 kHz
	kept := make([]int16, len(pcm)/step)
	for i := range kept {
		kept[i] = pcm[i*step]
	}
	return kept
}

// loud is the energy of a frame of 20 ms that is no silence.
const loud = 160 * 300 * 300

// soundSeconds is for how long there is any sound in a piece of audio at 8 kHz.
func soundSeconds(pcm []int16) float64 {
	frames := 0
	for ; len(pcm) >= 160; pcm = pcm[160:] {
		energy := 0.0
		for _, s := range pcm[:160] {
			energy += float64(s) * float64(s)
		}
		if energy > loud {
			frames++
		}
	}
	return float64(frames) / 50
}

// toneSeconds is for how long a tone is by far the loudest in a piece of audio
// at 8 kHz, counted in frames of 20 ms.
func toneSeconds(pcm []int16, hertz float64) float64 {
	const n = 160
	frames := 0
	for ; len(pcm) >= n; pcm = pcm[n:] {
		var re, im, energy float64
		for i, s := range pcm[:n] {
			v := float64(s)
			angle := 2 * math.Pi * hertz * float64(i) / 8000
			re, im, energy = re+v*math.Cos(angle), im+v*math.Sin(angle), energy+v*v
		}
		// A pure tone has all of the energy in its own bin.
		if energy > loud && (re*re+im*im)*2/n > 0.8*energy {
			frames++
		}
	}
	return float64(frames) / 50
}
