package oggopus

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatIsWrittenReadsBackPacketByPacket(t *testing.T) {
	var file bytes.Buffer
	w := NewWriter(&file)
	var want [][]byte
	for i := range 400 { // several pages, packets of one and of several segments
		p := packet(1 + i*3)
		if i%40 == 39 {
			_, err := w.Silence(3*frame + 100)
			require.NoError(t, err)
			want = append(want, []byte{nothing}, []byte{nothing}, []byte{nothing})
		}
		n, err := w.Write(p)
		require.NoError(t, err)
		require.Equal(t, frame, n)
		want = append(want, p)
	}
	require.EqualValues(t, len(want)*frame, w.Position())
	require.NoError(t, w.Close())
	audio, err := Read(file.Bytes())
	require.NoError(t, err)
	assert.Equal(t, want, audio.Packets)
	assert.Equal(t, time.Duration(len(want))*20*time.Millisecond, audio.Duration)
}

func TestPacketsOfEveryLengthAreCounted(t *testing.T) {
	w := NewWriter(&bytes.Buffer{})
	for _, c := range []struct {
		packet []byte
		want   int
	}{{[]byte{0 << 3}, 480}, {[]byte{3<<3 | 4, 1}, 2880}, {[]byte{9<<3 | 1, 1, 1}, 2 * 960}, {[]byte{9<<3 | 3, 6, 1}, 6 * 960}, {[]byte{16 << 3, 1}, 120}} {
		n, err := w.Write(c.packet)
		require.NoError(t, err)
		require.Equal(t, c.want, n)
	}
	for _, bad := range [][]byte{nil, {9<<3 | 3}, {9<<3 | 3, 0}, {9<<3 | 3, 7}} {
		before := w.Position()
		_, err := w.Write(bad)
		require.Error(t, err)
		require.Equal(t, before, w.Position())
	}
}

type fullDisk struct{ left int }

var errFull = errors.New("no space left")

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.left -= len(b); d.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestAFullDiskIsReportedFromThenOn(t *testing.T) {
	w := NewWriter(&fullDisk{left: 500})
	var err error
	for range 200 {
		if _, err = w.Write(packet(200)); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, errFull)
	_, err = w.Write(packet(1))
	require.ErrorIs(t, err, errFull)
	require.ErrorIs(t, w.Close(), errFull)
}

func TestWhatWasWrittenBeforeACrashCanBePlayed(t *testing.T) {
	var file bytes.Buffer
	w := NewWriter(&file)
	for range 120 {
		_, err := w.Write(packet(50))
		require.NoError(t, err)
	}
	require.Equal(t, 4, bytes.Count(file.Bytes(), []byte("OggS")), "two headers, and every whole second")
}
