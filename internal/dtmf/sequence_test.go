package dtmf_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/dtmf"
)

func TestSequencesAreFoundWhereverTheyStand(t *testing.T) {
	wanted := []string{"*9", "*7", "#118"}
	for name, c := range map[string]struct {
		keys      string
		completed []int // by each key
		begins    []int // before each key
	}{
		"a sequence":                       {"*9", []int{-1, 0}, []int{1, 2}},
		"another one":                      {"*7", []int{-1, 1}, []int{1, 2}},
		"two in a row":                     {"*9*9", []int{-1, 0, -1, 0}, []int{1, 2, 1, 2}},
		"the first key twice":              {"**9", []int{-1, -1, 0}, []int{1, 1, 2}},
		"a key between":                    {"*59", []int{-1, -1, -1}, []int{1, 0, 0}},
		"one that no sequence begins with": {"5", []int{-1}, []int{0}},
		"one begun inside another":         {"#11*9", []int{-1, -1, -1, -1, 0}, []int{1, 2, 3, 1, 2}},
		"a longer one":                     {"##118", []int{-1, -1, -1, -1, 2}, []int{1, 1, 2, 3, 4}},
		"after more keys than are kept":    {"123456789012*9", []int{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0}, []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			s := dtmf.NewSequences(wanted...)
			for i, key := range []byte(c.keys) {
				at := start.Add(time.Duration(i) * dtmf.SequenceGap)
				assert.Equal(t, c.begins[i], s.Begins(dtmf.Key(key), at), "before key %d", i)
				assert.Equal(t, c.completed[i], s.Push(dtmf.Press{Key: dtmf.Key(key), At: at}), "key %d", i)
			}
		})
	}
}

func TestASequenceThatRestsTooLongBeginsAnew(t *testing.T) {
	s := dtmf.NewSequences("*9")
	late := start.Add(dtmf.SequenceGap + 1)
	s.Push(dtmf.Press{Key: '*', At: start})
	assert.Zero(t, s.Begins('9', late))
	assert.Equal(t, -1, s.Push(dtmf.Press{Key: '9', At: late}))
}

func TestSequencesOfNoUseAreNeverFound(t *testing.T) {
	s := dtmf.NewSequences("", "123456789")
	for i, key := range []byte("123456789") {
		assert.Equal(t, -1, s.Push(dtmf.Press{Key: dtmf.Key(key), At: start}), i)
	}
}

// FuzzSequences holds the finder against the plainest one: what the whole row of
// keys ends with.
func FuzzSequences(f *testing.F) {
	f.Add("*9", "*7", "1*9")
	f.Add("119", "11", "1119")
	f.Add("", "12345678", "12345678")
	f.Fuzz(func(t *testing.T, one, two, keys string) {
		s, row := dtmf.NewSequences(one, two), ""
		for _, key := range []byte(keys) {
			begins := s.Begins(dtmf.Key(key), start)
			row += string([]byte{key})
			if begins > 0 {
				tail := row[len(row)-begins:]
				require.True(t, strings.HasPrefix(one, tail) || strings.HasPrefix(two, tail))
			}
			want := -1
			for i, w := range []string{one, two} {
				if w != "" && len(w) <= dtmf.MaxSequence && want < 0 && strings.HasSuffix(row, w) {
					want = i
				}
			}
			got := s.Push(dtmf.Press{Key: dtmf.Key(key), At: start})
			require.Equal(t, want, got)
			if got >= 0 {
				require.Positive(t, begins, "what completes a sequence was one's beginning")
				row = ""
			}
		}
	})
}
