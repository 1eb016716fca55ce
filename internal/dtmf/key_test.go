package dtmf_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/dtmf"
)

func TestAKeyShowsItselfToNobodyButRune(t *testing.T) {
	key := dtmf.Key('7')
	press := dtmf.Press{Key: key, Method: dtmf.Info}
	assert.Equal(t, '7', key.Rune())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%c", "%U", "%5d"} {
		assert.Equal(t, "•", fmt.Sprintf(verb, key), verb)
	}
	encoded, err := json.Marshal(press)
	require.NoError(t, err)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key, "press", press)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", key, "press", press)
	for _, text := range []string{fmt.Sprintf("%+v %#v", press, press), string(encoded), log.String(), key.String()} {
		assert.Contains(t, text, "•")
	}
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", press, press, press), "55", "not by its code either")
	assert.Contains(t, string(encoded), `"Key":"•"`)
	assert.Contains(t, log.String(), "key=•")
	assert.Contains(t, log.String(), `"key":"•"`)
	assert.NotContains(t, log.String(), `"Key":55`)
	assert.NotContains(t, log.String(), "Key:7")
}
