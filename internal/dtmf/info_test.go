package dtmf_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/dtmf"
)

func TestParseInfoReadsWhatPhonesSend(t *testing.T) {
	const relay, plain = "application/dtmf-relay", "application/dtmf"
	for name, c := range map[string]struct {
		contentType, body string
		key               rune
		duration          time.Duration
	}{
		"relay":                          {relay, "Signal=1\r\nDuration=160\r\n", '1', 160 * ms},
		"relay with blanks":              {relay, "Signal= 2 \r\nDuration= 250 \r\n", '2', 250 * ms},
		"relay, LF only, no last end":    {relay, "Signal=3\nDuration=100", '3', 100 * ms},
		"relay in other cases":           {relay, "SIGNAL=a\r\nduration=90", 'A', 90 * ms},
		"relay, duration first":          {relay, "Duration=70\r\nSignal=#", '#', 70 * ms},
		"relay without duration":         {relay, "Signal=*", '*', 0},
		"relay with an odd duration":     {relay, "Signal=4\r\nDuration=soon", '4', 0},
		"relay with a negative duration": {relay, "Signal=4\r\nDuration=-5", '4', 0},
		"relay with an endless duration": {relay, "Signal=4\r\nDuration=99999999999", '4', 0},
		"relay, star by its code":        {relay, "Signal=10\r\nDuration=160", '*', 160 * ms},
		"relay, hash by its code":        {relay, "Signal=11\r\nDuration=160", '#', 160 * ms},
		"relay, D by its code":           {relay, "Signal=15", 'D', 0},
		"relay with unknown lines":       {relay, "X=9\r\nSignal=5\r\nnonsense\r\n", '5', 0},
		"relay with a parameter":         {relay + "; charset=utf-8", "Signal=6", '6', 0},
		"plain":                          {plain, "1", '1', 0},
		"plain with a line end":          {plain, " 0\r\n", '0', 0},
		"plain with a NUL behind":        {plain, "7\x00", '7', 0},
		"plain, lower case letter":       {plain, "d", 'D', 0},
		"plain that is a relay":          {plain, "Signal=8\r\nDuration=160", '8', 160 * ms},
		"type in other cases":            {" Application/DTMF ; x=y", "9", '9', 0},
	} {
		t.Run(name, func(t *testing.T) {
			press, err := dtmf.ParseInfo(c.contentType, []byte(c.body), start)
			require.NoError(t, err)
			assert.Equal(t, string(c.key), string(press.Key.Rune()))
			press.Key = 0
			assert.Equal(t, dtmf.Press{Method: dtmf.Info, Duration: c.duration, At: start, Released: true}, press)
		})
	}
}

func TestParseInfoLeavesOtherTypesToOthers(t *testing.T) {
	for _, contentType := range []string{"", "application/sdp", "application/dtmf-relayed", "text/plain", ";", "application/media_control+xml"} {
		_, err := dtmf.ParseInfo(contentType, []byte("Signal=1"), start)
		assert.ErrorIs(t, err, dtmf.ErrNotDTMF, contentType)
	}
}

func TestParseInfoRefusesABodyWithoutOneKeyAndDoesNotRepeatIt(t *testing.T) {
	const relay, plain = "application/dtmf-relay", "application/dtmf"
	for name, c := range map[string]struct{ contentType, body, why string }{
		"empty":                 {relay, "", "has no Signal"},
		"only a duration":       {relay, "Duration=160", "has no Signal"},
		"empty signal":          {relay, "Signal=\r\nDuration=160", "has no Signal"},
		"signal without a sign": {relay, "Signal 1", "has no Signal"},
		"two signals":           {relay, "Signal=1\r\nSignal=2", "more than one Signal"},
		"one signal twice":      {relay, "Signal=1\r\nSignal=1", "more than one Signal"},
		"two keys":              {relay, "Signal=12345", "none of 0-9"},
		"event code 16":         {relay, "Signal=16", "none of 0-9"},
		"code with a zero":      {relay, "Signal=01", "none of 0-9"},
		"code with a sign":      {relay, "Signal=+1", "none of 0-9"},
		"letter beyond D":       {relay, "Signal=E", "none of 0-9"},
		"hook flash":            {plain, "!", "none of 0-9"},
		"plain empty":           {plain, " \r\n", "has no Signal"},
		"plain with two lines":  {plain, "1\r\n2", "none of 0-9"},
		"multi-byte digit":      {plain, "１", "none of 0-9"},
		"too long":              {relay, strings.Repeat(" ", 1020) + "Signal=1", "longer than 1024"},
	} {
		t.Run(name, func(t *testing.T) {
			press, err := dtmf.ParseInfo(c.contentType, []byte(c.body), start)
			require.ErrorContains(t, err, c.why)
			assert.NotErrorIs(t, err, dtmf.ErrNotDTMF)
			assert.NotContains(t, err.Error(), "12345")
			assert.Zero(t, press)
		})
	}
}
