package oggopus

import (
	"encoding/binary"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sample is a file of opusenc: a second and a half of speech.
func sample(t testing.TB) []byte {
	b, err := os.ReadFile("testdata/speech.opus")
	require.NoError(t, err)
	return b
}

func TestAFileOfOpusencIsRead(t *testing.T) {
	audio, err := Read(sample(t))
	require.NoError(t, err)
	assert.Equal(t, 1500*time.Millisecond, audio.Duration)
	assert.Len(t, audio.Packets, 76, "75 frames, and one more for what the decoder skips at first")
	for _, p := range audio.Packets {
		assert.NotEmpty(t, p)
		assert.LessOrEqual(t, len(p), 200, "16 kbit/s")
	}
}

// pages makes a file of pages; head is the first, then come tags.
type builder struct {
	file   []byte
	number uint32
}

func (b *builder) page(flags byte, position uint64, packets ...[]byte) *builder {
	var table, data []byte
	for _, p := range packets {
		for n := len(p); ; n -= 255 {
			table = append(table, byte(min(n, 255)))
			if n < 255 {
				break
			}
		}
		data = append(data, p...)
	}
	return b.raw(flags, position, 7, table, data)
}

func (b *builder) raw(flags byte, position uint64, serial uint32, table, data []byte) *builder {
	p := append([]byte("OggS\x00"), flags)
	p = binary.LittleEndian.AppendUint64(p, position)
	p = binary.LittleEndian.AppendUint32(p, serial)
	p = binary.LittleEndian.AppendUint32(p, b.number)
	p = append(p, 0, 0, 0, 0, byte(len(table)))
	p = append(append(p, table...), data...)
	binary.LittleEndian.PutUint32(p[22:], checksum(p))
	b.file = append(b.file, p...)
	b.number++
	return b
}

func head(change func(b []byte)) []byte {
	b := append([]byte("OpusHead\x01\x01\x38\x01"), 0x80, 0xbb, 0, 0, 0, 0, 0)
	if change != nil {
		change(b)
	}
	return b
}

func tags() []byte { return append([]byte("OpusTags"), make([]byte, 8)...) }

// packet is 20 ms of SILK, wide band, mono.
func packet(size int) []byte {
	p := make([]byte, size)
	p[0] = 9 << 3
	return p
}

func begun() *builder {
	return new(builder).page(firstOfAll, 0, head(nil)).page(0, 0, tags())
}

func TestPacketsOfAnySizeAreTakenFromAnyPages(t *testing.T) {
	long := packet(1000)
	b := begun().page(0, 2*frame, packet(1), packet(255))
	// The long one begins on one page and ends on the next.
	b.raw(0, nothingEnds, 7, []byte{255}, long[:255])
	b.raw(continued|lastOfAll, 3*frame-100, 7, []byte{255, 255, 235}, long[255:])
	audio, err := Read(b.file)
	require.NoError(t, err)
	assert.Equal(t, [][]byte{packet(1), packet(255), long}, audio.Packets)
	assert.Equal(t, time.Duration(3*frame-100-312)*time.Second/clock, audio.Duration)
}

func TestWhatIsNoMonoSpeechOf20msIsRefused(t *testing.T) {
	audio := func(p ...[]byte) []byte {
		return begun().page(lastOfAll, uint64(len(p))*frame, p...).file
	}
	identified := func(change func(b []byte)) []byte {
		return new(builder).page(firstOfAll, 0, head(change)).page(0, 0, tags()).page(lastOfAll, frame, packet(9)).file
	}
	good := audio(packet(9))
	_, err := Read(good)
	require.NoError(t, err)
	wrong := map[string]struct {
		file []byte
		want string
	}{
		"nothing":             {nil, "before any audio"},
		"a WAVE file":         {[]byte("RIFF....WAVEfmt ...................."), "page 0: no page begins"},
		"a torn page":         {good[:len(good)-1], "page 2: it is cut off"},
		"bytes behind":        {append(good[:len(good):len(good)], 1, 2, 3), "page 3: 3 bytes are no page"},
		"a flipped bit":       {flip(good, len(good)-1), "checksum"},
		"stereo":              {identified(func(b []byte) { b[9] = 2 }), "2 channels, want mono"},
		"a gain":              {identified(func(b []byte) { b[16] = 1 }), "output gain of 1/256 dB"},
		"a mapping":           {identified(func(b []byte) { b[18] = 1 }), "mapping family 1"},
		"a new version":       {identified(func(b []byte) { b[8] = 0x10 }), "version 1 of the mapping"},
		"no Opus":             {identified(func(b []byte) { b[0] = 'X' }), "no Opus stream"},
		"no comment header":   {new(builder).page(firstOfAll, 0, head(nil)).page(lastOfAll, frame, packet(9)).file, "comment header"},
		"60 ms":               {audio([]byte{11 << 3, 0}), "packet 0: 60ms long, want 20ms"},
		"10 ms":               {audio([]byte{8 << 3, 0}), "10ms long"},
		"2.5 ms":              {audio([]byte{16 << 3, 0}), "2.5ms long"},
		"two frames of 20 ms": {audio([]byte{9<<3 | 1, 0}), "40ms long"},
		"no number of frames": {audio([]byte{9<<3 | 3}), "number of frames"},
		"a stereo packet":     {audio([]byte{9<<3 | 4, 0}), "stereo"},
		"an empty packet":     {audio([]byte{}), "0 bytes"},
		"a giant packet":      {audio(packet(MaxPacket + 1)), "1277 bytes"},
		"no audio":            {begun().file, "last page is missing"},
		"all of it skipped":   {begun().page(lastOfAll, 312, packet(9)).file, "no audio"},
		"a wrong position":    {begun().page(0, 5, packet(9)).file, "position is 5"},
		"no position":         {begun().page(0, nothingEnds, packet(9)).file, "has no position"},
		"no last page":        {begun().page(0, frame, packet(9)).file, "last page is missing"},
		"a page behind":       {append(good[:len(good):len(good)], good[:47]...), "page 3: there is one behind the last"},
		"not the first":       {new(builder).page(0, 0, head(nil)).file, "not marked as the first"},
		"another stream":      {begun().raw(lastOfAll, frame, 8, []byte{9}, packet(9)).file, "of another stream"},
		"a second stream":     {begun().page(firstOfAll, 0, head(nil)).file, "another stream begins"},
		"a lost page":         {(&builder{file: begun().file, number: 3}).page(lastOfAll, frame, packet(9)).file, "its number is 3"},
		"a lost half":         {begun().raw(continued|lastOfAll, frame, 7, []byte{9}, packet(9)).file, "is broken"},
	}
	for name, w := range wrong {
		t.Run(name, func(t *testing.T) {
			_, err := Read(w.file)
			require.ErrorContains(t, err, w.want)
			assert.ErrorContains(t, err, "ogg opus: ")
		})
	}
}

func flip(b []byte, i int) []byte {
	c := append([]byte(nil), b...)
	c[i] ^= 1
	return c
}

func TestFramesOfEveryKindAreMeasured(t *testing.T) {
	for _, p := range [][]byte{{1 << 3}, {9 << 3}, {13 << 3}, {15 << 3}, {19 << 3}, {31 << 3}, {8<<3 | 1}, {18<<3 | 2}, {16<<3 | 3, 8}} {
		assert.NoErrorf(t, check(p), "%x", p)
	}
}

// FuzzRead holds that whatever is read can be played.
func FuzzRead(f *testing.F) {
	f.Add(sample(f))
	f.Add(begun().page(lastOfAll, frame, packet(9)).file)
	f.Add([]byte("OggS"))
	f.Fuzz(func(t *testing.T, file []byte) {
		audio, err := Read(repaired(file))
		if err != nil {
			require.Nil(t, audio)
			return
		}
		require.NotEmpty(t, audio.Packets)
		require.Positive(t, audio.Duration)
		require.LessOrEqual(t, audio.Duration, time.Duration(len(audio.Packets))*20*time.Millisecond)
		for _, p := range audio.Packets {
			require.NoError(t, check(p))
		}
	})
}

// repaired makes the checksums right, or nothing would get past them.
func repaired(file []byte) []byte {
	file = append([]byte(nil), file...)
	for rest := file; len(rest) >= pageHeader; {
		size := pageHeader + int(rest[26])
		if size > len(rest) {
			break
		}
		for _, n := range rest[pageHeader:size] {
			size += int(n)
		}
		if size > len(rest) {
			break
		}
		binary.LittleEndian.PutUint32(rest[22:], checksum(rest[:size]))
		rest = rest[size:]
	}
	return file
}
