package wav

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// void takes everything, so that the limit can be reached without a disk.
type void struct{}

func (void) Write(b []byte) (int, error)         { return len(b), nil }
func (void) Seek(to int64, _ int) (int64, error) { return to, nil }

func TestAStreamEndsBeforeItsSizesOverflow(t *testing.T) {
	w, err := NewWriter(void{}, 8000, 1)
	require.NoError(t, err)
	w.written = maxData - 5

	require.ErrorIs(t, w.Write(make([]int16, 3)), ErrTooLong)
	require.NoError(t, w.Write(make([]int16, 2)), "what still fits is taken")
	require.ErrorIs(t, w.Write(make([]int16, 1)), ErrTooLong, "buffered samples count")
	require.NoError(t, w.Close())

	head := header(8000, 1, uint32(w.written))
	assert.Equal(t, []byte{0xFE, 0xFF, 0xFF, 0xFF}, head[4:8], "the largest even size that fits")
}
