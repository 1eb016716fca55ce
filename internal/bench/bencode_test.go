package bench

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestARequestIsWrittenWithItsKeysInOrder(t *testing.T) {
	got, err := bencode([]byte("7 "), map[string]any{"sdp": "v=0\r\n", "command": "offer", "flags": []string{"all", ""}, "x": map[string]any{}})
	require.NoError(t, err)
	assert.Equal(t, "7 d7:command5:offer5:flagsl3:all0:e3:sdp5:v=0\r\n1:xdee", string(got))
	_, err = bencode(nil, map[string]any{"x": map[string]any{"y": 1.5}})
	assert.ErrorIs(t, err, errBencode)
}

func TestAnAnswerIsRead(t *testing.T) {
	got, err := bdecode([]byte("d6:result2:ok4:listl0:i-12eli7eee5:emptydee"))
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"result": "ok", "list": []any{"", int64(-12), []any{int64(7)}}, "empty": map[string]any{}}, got)
}

func TestAnAnswerThatIsNoneIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                     "",
		"a word":                      "nonsense",
		"a number without an end":     "i12",
		"a number that is none":       "i1x2e",
		"a number that is too long":   "i" + strings.Repeat("9", 30) + "e",
		"a string that ends early":    "5:abcd",
		"a string of less than none":  "-1:a",
		"a string without its length": ":a",
		"a list without an end":       "l1:a",
		"a list of a broken string":   "l9:ae",
		"a dictionary without an end": "d1:a1:b",
		"a key without a value":       "d1:ae",
		"a key that is no string":     "di1e1:ae",
		"something behind the end":    "dee",
		"nested without end":          strings.Repeat("l", 100000),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := bdecode([]byte(text))
			assert.ErrorIs(t, err, errBencode)
		})
	}
}

func FuzzBencode(f *testing.F) {
	for _, seed := range []string{"d6:result4:ponge", "li1e0:dee", "i-1e", "5:abcde", "llllllllllllllllllee"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := bdecode([]byte(text))
		if err != nil {
			require.ErrorIs(t, err, errBencode)
			return
		}
		if s, ok := v.(string); ok {
			back, err := bencode(nil, s)
			require.NoError(t, err)
			again, err := bdecode(back)
			require.NoError(t, err)
			assert.Equal(t, s, again)
		}
	})
}
