package acceptance

import (
	"encoding/binary"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

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

// readVoice reads a file at 8 kHz as far as it goes, of several channels the first.
// While it has no header it is taken for mono of a rate.
func readVoice(file string, rate int) []int16 {
	b, err := os.ReadFile(file)
	if err != nil || len(b) < wavHeader {
		return nil // nothing was heard yet
	}
	channels := 1
	if r, c := shape(b); r > 0 {
		rate, channels = r, c
	}
	pcm := make([]int16, (len(b)-wavHeader)/2)
	binary.Decode(b[wavHeader:], binary.LittleEndian, pcm) // as much as there is
	step := channels * rate / 8000                         // what is said is all below 4 kHz
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
// at 8 kHz, counted in frames of 20 ms (by Goertzel's algorithm).
func toneSeconds(pcm []int16, hertz float64) float64 {
	const n = 160
	turn := 2 * math.Cos(2*math.Pi*hertz/8000)
	frames := 0
	for ; len(pcm) >= n; pcm = pcm[n:] {
		var last, before, energy float64
		for _, s := range pcm[:n] {
			v := float64(s)
			last, before, energy = v+turn*last-before, last, energy+v*v
		}
		power := last*last + before*before - turn*last*before
		// A pure tone has all of the energy in its own bin.
		if energy > loud && power*2/n > 0.8*energy {
			frames++
		}
	}
	return float64(frames) / 50
}
