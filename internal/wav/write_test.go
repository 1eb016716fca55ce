package wav_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/wav"
)

func ramp(n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(i * 7)
	}
	return pcm
}

func TestWhatIsWrittenReadsTheSame(t *testing.T) {
	for _, channels := range []int{1, 2} {
		for _, frames := range []int{0, 1, 4096, 10_001} {
			pcm := ramp(frames * channels)
			var b bytes.Buffer
			require.NoError(t, wav.Write(&b, 8000, channels, pcm))
			assert.Equal(t, 44+2*len(pcm), b.Len())
			got, err := wav.Read(&b)
			require.NoError(t, err)
			assert.Equal(t, channels, got.Channels)
			assert.Equal(t, 8000, got.Rate)
			assert.Equal(t, len(pcm), len(got.PCM))
			assert.True(t, frames == 0 || assert.ObjectsAreEqual(pcm, got.PCM))
		}
	}
}

func TestTheHeaderIsTheClassicOne(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, wav.Write(&b, 8000, 1, []int16{-2}))
	assert.Equal(t, riff(mono(), chunk("data", "\xfe\xff")), b.String())
}

func TestWriteRefusesWhatNoHeaderCanSay(t *testing.T) {
	tests := map[string]struct {
		rate, channels, samples int
		want                    string
	}{
		"no rate":        {0, 1, 0, "0 frames a second"},
		"negative rate":  {-1, 1, 0, "-1 frames a second"},
		"rate too high":  {192001, 1, 0, "192001 frames a second"},
		"no channel":     {8000, 0, 0, "0 channels"},
		"many channels":  {8000, 9, 0, "9 channels"},
		"half a frame":   {8000, 2, 3, "3 samples are no whole number of frames of 2"},
		"less than none": {8000, -1, 1, "-1 channels"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			err := wav.Write(&b, tt.rate, tt.channels, make([]int16, tt.samples))
			require.ErrorContains(t, err, tt.want)
			assert.Zero(t, b.Len(), "nothing is written")
		})
	}
}

// create returns a file and a writer on it.
func create(t *testing.T, channels int) (*os.File, *wav.Writer) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out.wav"))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	w, err := wav.NewWriter(f, 8000, channels)
	require.NoError(t, err)
	return f, w
}

// stored reads the file through a second handle, as someone else would.
func stored(t *testing.T, f *os.File) []int16 {
	r, err := os.Open(f.Name())
	require.NoError(t, err)
	defer r.Close()
	audio, err := wav.Read(r)
	require.NoError(t, err)
	assert.Equal(t, 8000, audio.Rate)
	return audio.PCM
}

func TestAStreamedFileEqualsOneWrittenAtOnce(t *testing.T) {
	f, w := create(t, 1)
	pcm := ramp(20_000)
	for rest := pcm; len(rest) > 0; {
		n := min(len(rest), 161)
		require.NoError(t, w.Write(rest[:n]))
		rest = rest[n:]
	}
	assert.Equal(t, 2500*time.Millisecond, w.Duration())
	require.NoError(t, w.Close())
	require.NoError(t, w.Close(), "a second time")

	var want bytes.Buffer
	require.NoError(t, wav.Write(&want, 8000, 1, pcm))
	got, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	assert.True(t, bytes.Equal(want.Bytes(), got))
}

func TestACrashKeepsEverythingUpToTheLastFlush(t *testing.T) {
	f, w := create(t, 1)
	assert.Empty(t, stored(t, f), "readable before the first sample")

	require.NoError(t, w.Write(ramp(5000)))
	assert.Empty(t, stored(t, f), "samples without a flush are not promised")
	require.NoError(t, w.Flush())
	assert.Equal(t, ramp(5000), stored(t, f))

	require.NoError(t, w.Write(ramp(9000)))
	assert.Equal(t, ramp(5000), stored(t, f), "the samples after the flush do no harm")
	require.NoError(t, w.Flush())
	assert.Equal(t, append(ramp(5000), ramp(9000)...), stored(t, f))
}

func TestAStreamMayBeginInsideAFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteString("before")
	require.NoError(t, err)
	w, err := wav.NewWriter(f, 8000, 2)
	require.NoError(t, err)
	require.NoError(t, w.Write(ramp(4)))
	require.NoError(t, w.Close())

	_, err = f.Seek(6, io.SeekStart)
	require.NoError(t, err)
	audio, err := wav.Read(f)
	require.NoError(t, err)
	assert.Equal(t, ramp(4), audio.PCM)
}

func TestAStreamTakesWholeFramesOnly(t *testing.T) {
	f, w := create(t, 2)
	require.ErrorContains(t, w.Write(ramp(3)), "no whole number of frames of 2")
	require.NoError(t, w.Write(ramp(2)), "the mistake did no harm")
	require.NoError(t, w.Close())
	assert.Equal(t, ramp(2), stored(t, f))
}

func TestAStreamOfImpossibleShapeIsRefused(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out.wav"))
	require.NoError(t, err)
	defer f.Close()
	_, err = wav.NewWriter(f, 8000, 0)
	require.ErrorContains(t, err, "0 channels")
}

// disk is a WriteSeeker whose n-th operation fails.
type disk struct{ left int }

var errDisk = errors.New("no space left")

func (d *disk) step() error {
	if d.left--; d.left < 0 {
		return errDisk
	}
	return nil
}

func (d *disk) Write(b []byte) (int, error) { return len(b), d.step() }

func (d *disk) Seek(to int64, _ int) (int64, error) {
	return to, d.step()
}

func TestAFailedWriteIsReportedFromThenOn(t *testing.T) {
	// NewWriter: seek, write. Flush: write, seek, write, seek.
	for good := range 6 {
		d := &disk{left: good}
		w, err := wav.NewWriter(d, 8000, 1)
		if good < 2 {
			require.ErrorIsf(t, err, errDisk, "%d good operations", good)
			continue
		}
		require.NoError(t, err)
		require.NoError(t, w.Write(ramp(10)), "only buffered")
		require.ErrorIsf(t, w.Flush(), errDisk, "%d good operations", good)
		d.left = 100
		assert.ErrorIs(t, w.Write(ramp(1)), errDisk)
		assert.ErrorIs(t, w.Flush(), errDisk)
		assert.ErrorIs(t, w.Close(), errDisk)
	}
	full, err := wav.NewWriter(&disk{left: 2}, 8000, 1)
	require.NoError(t, err)
	require.ErrorIs(t, full.Write(ramp(4096)), errDisk, "a full buffer is written at once")
}

func TestWriteReportsAFailedDisk(t *testing.T) {
	for good := range 3 {
		err := wav.Write(&disk{left: good}, 8000, 1, ramp(5000))
		require.ErrorIsf(t, err, errDisk, "%d good operations", good)
	}
}
