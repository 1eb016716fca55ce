package wav_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/g711"
	"consentgw/internal/wav"
)

// le joins numbers and strings as they stand in a file.
func le(parts ...any) string {
	var b bytes.Buffer
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			b.WriteString(v)
		default:
			if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
				panic(err)
			}
		}
	}
	return b.String()
}

func chunk(id, body string) string {
	return le(id, uint32(len(body)), body, strings.Repeat("\x00", len(body)%2))
}

func riff(chunks ...string) string {
	body := "WAVE" + strings.Join(chunks, "")
	return le("RIFF", uint32(len(body)), body)
}

func format(tag, channels uint16, rate uint32, width uint16) string {
	frame := channels * width / 8
	return chunk("fmt ", le(tag, channels, rate, rate*uint32(frame), frame, width))
}

const guid = "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"

func extensible(tag uint16, guid string) string {
	return chunk("fmt ", le(uint16(0xFFFE), uint16(1), uint32(8000), uint32(16000), uint16(2), uint16(16),
		uint16(22), uint16(16), uint32(4), tag, guid))
}

func mono() string { return format(1, 1, 8000, 16) }

func TestReadFindsTheSamples(t *testing.T) {
	samples := le(int16(1), int16(-2), int16(32767), int16(-32768))
	pcm := []int16{1, -2, 32767, -32768}
	tests := map[string]struct {
		file string
		want wav.Audio
	}{
		"mono":                        {riff(mono(), chunk("data", samples)), wav.Audio{Rate: 8000, Channels: 1, Format: wav.PCM16, PCM: pcm}},
		"stereo":                      {riff(format(1, 2, 16000, 16), chunk("data", samples)), wav.Audio{Rate: 16000, Channels: 2, Format: wav.PCM16, PCM: pcm}},
		"extensible format":           {riff(extensible(1, guid), chunk("data", samples)), wav.Audio{Rate: 8000, Channels: 1, Format: wav.PCM16, PCM: pcm}},
		"other chunks are skipped":    {riff(chunk("LIST", "odd"), mono(), chunk("fact", le(uint32(4))), chunk("data", samples), chunk("id3 ", "x")), wav.Audio{Rate: 8000, Channels: 1, Format: wav.PCM16, PCM: pcm}},
		"18-byte format":              {riff(chunk("fmt ", le(uint16(1), uint16(1), uint32(8000), uint32(16000), uint16(2), uint16(16), uint16(0))), chunk("data", samples)), wav.Audio{Rate: 8000, Channels: 1, Format: wav.PCM16, PCM: pcm}},
		"nothing in it":               {riff(mono(), chunk("data", "")), wav.Audio{Rate: 8000, Channels: 1, Format: wav.PCM16}},
		"bytes after the end":         {riff(mono(), chunk("data", samples)) + "tail", wav.Audio{Rate: 8000, Channels: 1, Format: wav.PCM16, PCM: pcm}},
		"A-law":                       {riff(format(6, 1, 8000, 8), chunk("data", "\xd5\x2a")), wav.Audio{Rate: 8000, Channels: 1, Format: wav.ALaw, PCM: []int16{8, -32256}}},
		"mu-law, odd, padded":         {riff(format(7, 1, 8000, 8), chunk("data", "\xff\x00\x80")), wav.Audio{Rate: 8000, Channels: 1, Format: wav.MuLaw, PCM: []int16{0, -32124, 32124}}},
		"mu-law, odd, padding absent": {riff(format(7, 1, 8000, 8), le("data", uint32(1), "\x80")), wav.Audio{Rate: 8000, Channels: 1, Format: wav.MuLaw, PCM: []int16{32124}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := wav.Read(iotest.OneByteReader(strings.NewReader(tt.file)))
			require.NoError(t, err)
			assert.Equal(t, &tt.want, got)
		})
	}
}

func TestReadSaysWhichChunkIsWrong(t *testing.T) {
	good := riff(mono(), chunk("data", le(int16(1), int16(2))))
	broken := func(at int, with any) string {
		b := []byte(good)
		copy(b[at:], le(with))
		return string(b)
	}
	tests := map[string]struct{ file, want string }{
		"no file at all":          {"", "not a RIFF WAVE file: it ends after 0 bytes"},
		"only a beginning":        {good[:11], "not a RIFF WAVE file: it ends after 11 bytes"},
		"an MP3":                  {"ID3\x04" + good[4:], "not a RIFF WAVE file: it begins with"},
		"RIFF but not WAVE":       {broken(8, "AVI "), "not a RIFF WAVE file"},
		"RIFF smaller than WAVE":  {broken(4, uint32(3)), `chunk "RIFF": its size has no room`},
		"RIFF of unknown length":  {broken(4, uint32(math.MaxUint32)), `chunk "RIFF": the file ends early`},
		"a rest that is no chunk": {broken(4, uint32(4+3)), `chunk "RIFF": 3 bytes at its end are no chunk`},
		"a chunk beyond RIFF":     {broken(40, uint32(6)), `chunk "data": 6 bytes claimed, but the RIFF chunk ends after 4`},
		"a chunk cut short":       {good[:len(good)-1], `chunk "data": 1 bytes before its end: the file ends early`},
		"a header cut short":      {good[:38], `chunk "RIFF": the file ends early`},
		"a skipped chunk cut":     {riff(chunk("LIST", "long text"))[:24], `chunk "LIST": the file ends early`},
		"padding cut":             {riff(chunk("LIST", "odd"))[:23], `chunk "LIST": padding: the file ends early`},
		"format cut short":        {good[:30], `chunk "fmt ": the file ends early`},
		"format of odd length":    {riff(chunk("fmt ", "too short")), `chunk "fmt ": 9 bytes, want 16, 18 or 40`},
		"two formats":             {riff(mono(), mono()), `chunk "fmt ": there is a second one`},
		"MP3 inside":              {riff(format(0x55, 1, 8000, 16)), `chunk "fmt ": format tag 0x0055`},
		"unknown extension":       {riff(extensible(1, strings.Repeat("x", 14))), `chunk "fmt ": an extensible format`},
		"float in the extension":  {riff(extensible(3, guid)), `chunk "fmt ": format tag 0x0003`},
		"8-bit PCM":               {riff(format(1, 1, 8000, 8)), `chunk "fmt ": 8-bit PCM, want 16-bit`},
		"24-bit PCM":              {riff(format(1, 1, 8000, 24)), `chunk "fmt ": 24-bit PCM, want 16-bit`},
		"16-bit A-law":            {riff(format(6, 1, 8000, 16)), `chunk "fmt ": 16-bit A-law, want 8-bit`},
		"no channel":              {riff(format(1, 0, 8000, 16)), `chunk "fmt ": 0 channels`},
		"nine channels":           {riff(format(1, 9, 8000, 16)), `chunk "fmt ": 9 channels`},
		"no rate":                 {riff(format(1, 1, 0, 16)), `chunk "fmt ": 0 frames a second`},
		"a rate without sense":    {riff(format(1, 1, 192001, 16)), `chunk "fmt ": 192001 frames a second`},
		"wrong frame size":        {broken(32, uint16(4)), `chunk "fmt ": 4 bytes a frame, but 1 channels of 16 bits`},
		"wrong byte rate":         {broken(28, uint32(8000)), `chunk "fmt ": 8000 bytes a second, but 8000 frames of 2 bytes`},
		"no format":               {riff(chunk("LIST", "")), `chunk "fmt " is missing`},
		"no data":                 {riff(mono()), `chunk "data" is missing`},
		"data before format":      {riff(chunk("data", ""), mono()), `chunk "data": it comes before the chunk "fmt "`},
		"two data chunks":         {riff(mono(), chunk("data", ""), chunk("data", "")), `chunk "data": there is a second one`},
		"half a sample":           {riff(mono(), chunk("data", "abc")), `chunk "data": 3 bytes are no whole number of 2-byte frames`},
		"more than is kept":       {le("RIFF", uint32(1<<30), "WAVE", mono(), "data", uint32(wav.MaxBytes+2)), `chunk "data": 67108866 bytes of samples, at most 67108864`},
		"more A-law than is kept": {le("RIFF", uint32(1<<30), "WAVE", format(6, 1, 8000, 8), "data", uint32(wav.MaxBytes/2+1)), `chunk "data": 33554433 bytes of samples, at most 33554432`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := wav.Read(strings.NewReader(tt.file))
			require.Error(t, err)
			assert.Nil(t, got)
			assert.Contains(t, err.Error(), tt.want)
			assert.True(t, strings.HasPrefix(err.Error(), "wav: "), err.Error())
			assert.Equal(t, strings.Contains(tt.want, "not a RIFF"), errors.Is(err, wav.ErrNotWAV))
		})
	}
}

func TestReadPassesOnWhatItsSourceReports(t *testing.T) {
	good := riff(mono(), chunk("LIST", "text"), chunk("data", le(int16(1))))
	disk := errors.New("disk on fire")
	for cut := range len(good) {
		_, err := wav.Read(io.MultiReader(strings.NewReader(good[:cut]), iotest.ErrReader(disk)))
		require.ErrorIsf(t, err, disk, "after %d bytes", cut)
		require.NotErrorIs(t, err, wav.ErrNotWAV)
	}
}

func TestAHeaderThatClaimsMuchCostsLittle(t *testing.T) {
	file := le("RIFF", uint32(1<<30), "WAVE", mono(), "data", uint32(wav.MaxBytes), "four")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := wav.Read(strings.NewReader(file))
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "67108860 bytes before its end: the file ends early")
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

func TestDurationCountsFramesNotSamples(t *testing.T) {
	stereo := wav.Audio{Rate: 8000, Channels: 2, PCM: make([]int16, 24000)}
	assert.Equal(t, 1500*time.Millisecond, stereo.Duration())
}

func TestFormatsHaveNames(t *testing.T) {
	names := []string{wav.PCM16.String(), wav.ALaw.String(), wav.MuLaw.String(), wav.Format(3).String()}
	assert.Equal(t, []string{"16-bit PCM", "A-law", "µ-law", "unknown format"}, names)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(riff(mono(), chunk("data", le(int16(1), int16(-1))))))
	f.Add([]byte(riff(chunk("LIST", "odd"), format(6, 2, 8000, 8), chunk("data", "\xd5\x2a"))))
	f.Add([]byte(riff(format(7, 1, 8000, 8), chunk("data", "\xff"), chunk("id3 ", ""))))
	f.Add([]byte(riff(extensible(1, guid), chunk("data", "ab"))))
	f.Add([]byte("RIFF\xff\xff\xff\xffWAVEdata"))
	f.Fuzz(func(t *testing.T, file []byte) {
		audio, err := wav.Read(bytes.NewReader(file))
		if err != nil {
			require.Nil(t, audio)
			return
		}
		require.Zero(t, len(audio.PCM)%audio.Channels)
		require.LessOrEqual(t, len(audio.PCM), len(file))
		require.GreaterOrEqual(t, audio.Duration(), time.Duration(0))

		// What was read can be written, and reads the same.
		var b bytes.Buffer
		require.NoError(t, wav.Write(&b, audio.Rate, audio.Channels, audio.PCM))
		again, err := wav.Read(&b)
		require.NoError(t, err)
		audio.Format = wav.PCM16
		require.Equal(t, audio, again)
	})
}

func TestLawsAreDecodedAsG711Says(t *testing.T) {
	var codes strings.Builder
	for i := range 256 {
		codes.WriteByte(byte(i))
	}
	mu, err := wav.Read(strings.NewReader(riff(format(7, 1, 8000, 8), chunk("data", codes.String()))))
	require.NoError(t, err)
	a, err := wav.Read(strings.NewReader(riff(format(6, 1, 8000, 8), chunk("data", codes.String()))))
	require.NoError(t, err)
	for i := range 256 {
		assert.Equal(t, g711.DecodeMu(byte(i)), mu.PCM[i])
		assert.Equal(t, g711.DecodeA(byte(i)), a.PCM[i])
	}
}
