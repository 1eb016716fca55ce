package sip

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAReasonIsPassedOnWithoutWhatItTellsOfOthers(t *testing.T) {
	for from, to := range map[string]string{
		`Q.850;cause=16;text="Terminated"`:                     `Q.850;cause=16;text="Terminated"`,
		`Q.850 ;cause=16 ;text="Normal call clearing"`:         `Q.850;cause=16;text="Normal call clearing"`,
		`SIP;cause=200;text="Call completed elsewhere"`:        `SIP;cause=200;text="Call completed elsewhere"`,
		`SIP;cause=480, Q.850;cause=19`:                        `SIP;cause=480, Q.850;cause=19`,
		`Q.850;cause=16;text="+31205550100 hung up"`:           `Q.850;cause=16`,
		`X.int;text="pbx1.example.com";cause=0x03;add=1.2.3.4`: ``,
		`SIP;cause=0200`:              `SIP;cause=200`,
		`SIP;cause=1e9;text=released`: `SIP;text="released"`,
		`SIP;cause=4294967312`:        ``,
		`SIP;text="a\"b"`:             ``,
		`not a token;cause=16`:        ``,
		"SIP;cause=16\r\nX: y":        ``,
		``:                            ``,
		`;;;`:                         ``,
	} {
		assert.Equal(t, to, PlainReason(from), from)
	}
}

func FuzzPlainReason(f *testing.F) {
	f.Add(`Q.850;cause=16;text="Terminated"`)
	f.Add(`SIP;cause=480;text="a \"b\"", Q.850;cause=19`)
	f.Fuzz(func(t *testing.T, value string) {
		plain := PlainReason(value)
		require.Equal(t, plain, PlainReason(plain), "what is plain stays as it is")
		require.NoError(t, checkValue("Reason", plain))
	})
}
