package call

import (
	"testing"

	"consentgw/internal/sdp"

	"github.com/stretchr/testify/require"
)

func TestOnlyOffIsAPreferenceThatCounts(t *testing.T) {
	at := func(key, value string) []sdp.Attribute { return []sdp.Attribute{{Key: key, Value: value}} }
	audio := func(a []sdp.Attribute) *sdp.Session { return &sdp.Session{Media: []sdp.Media{{Attributes: a}}} }
	for name, c := range map[string]struct {
		s    *sdp.Session
		want bool
	}{
		"none":               {audio(nil), false},
		"off for the audio":  {audio(at("recordpref", "off")), true},
		"off for all":        {&sdp.Session{Attributes: at("recordpref", "OFF"), Media: make([]sdp.Media, 1)}, true},
		"on is no consent":   {audio(at("recordpref", "on")), false},
		"pause is no off":    {audio(at("recordpref", "pause")), false},
		"nopreference":       {audio(at("recordpref", "nopreference")), false},
		"another attribute":  {audio(at("record", "off")), false},
		"off for the video":  {&sdp.Session{Media: []sdp.Media{{}, {Attributes: at("recordpref", "off")}}}, false},
		"no media line even": {&sdp.Session{}, false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, prefersNone(c.s, 0)) })
	}
}
