package sdp_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/sdp"
)

func seed(f *testing.F) {
	for _, file := range corpus(f) {
		body, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(body)
	}
}

func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := sdp.Parse(body)
		if err != nil {
			return
		}
		written := s.Marshal()
		again, err := sdp.Parse(written)
		if len(written) > 64<<10 {
			return // written out, a short text can pass the bound
		}
		require.NoError(t, err, "what Marshal writes can be read")
		require.Equal(t, s, again)
	})
}

func FuzzAnswer(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		offer, err := sdp.Parse(body)
		if err != nil {
			return
		}
		answer, agreed, err := sdp.NewAnswer(offer, local(), g711())
		if err != nil {
			require.Nil(t, answer)
			return
		}
		checkAnswer(t, offer, answer, agreed)
		if reanswer, again, err := sdp.ReAnswer(offer, local(), g711(), sdp.PCMA()); assert.NoError(t, err) {
			checkAnswer(t, offer, reanswer, again)
		}
	})
}

// checkAnswer holds an answer against RFC 3264 6.
func checkAnswer(t *testing.T, offer, answer *sdp.Session, agreed sdp.Agreed) {
	t.Helper()
	read, err := sdp.Parse(answer.Marshal())
	require.NoError(t, err)
	require.Len(t, read.Media, len(offer.Media))
	for i, m := range read.Media {
		require.Equal(t, offer.Media[i].Kind, m.Kind)
		require.Equal(t, offer.Media[i].Proto, m.Proto)
		require.NotEmpty(t, m.Formats)
		if i != agreed.Index {
			require.Zero(t, m.Port)
		}
	}
	taken := read.Media[agreed.Index]
	require.Equal(t, local().Port, taken.Port)
	require.Contains(t, offer.Media[agreed.Index].Codecs, agreed.Audio)
	require.LessOrEqual(t, len(taken.Codecs), 2)
	require.Equal(t, agreed.Event != nil, len(taken.Codecs) == 2)
	require.GreaterOrEqual(t, agreed.Ptime, 10)
	require.LessOrEqual(t, agreed.Ptime, 100)

	accepted, err := sdp.Accept(offer, read)
	require.NoError(t, err, "the far end can accept what we answer")
	require.Equal(t, agreed.Audio.PT, accepted.Audio.PT)
}
