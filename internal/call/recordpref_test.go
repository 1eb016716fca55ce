package call

import (
	"testing"

	"consentgw/internal/sdp"

	"github.com/stretchr/testify/require"
)

func TestAPreferenceIsReadFromTheSessionAndItsAudio(t *testing.T) {
	at := func(key, value string) []sdp.Attribute { return []sdp.Attribute{{Key: key, Value: value}} }
	audio := func(a []sdp.Attribute) *sdp.Session { return &sdp.Session{Media: []sdp.Media{{Attributes: a}}} }
	for name, c := range map[string]struct {
		s    *sdp.Session
		want string
	}{
		"none":               {audio(nil), ""},
		"off for the audio":  {audio(at("recordpref", "off")), "off"},
		"off for all":        {&sdp.Session{Attributes: at("recordpref", "OFF"), Media: make([]sdp.Media, 1)}, "off"},
		"on":                 {audio(at("recordpref", "on")), "on"},
		"pause":              {audio(at("recordpref", "pause")), "pause"},
		"nopreference":       {audio(at("recordpref", "nopreference")), "nopreference"},
		"another attribute":  {audio(at("record", "off")), ""},
		"off for the video":  {&sdp.Session{Media: []sdp.Media{{}, {Attributes: at("recordpref", "off")}}}, ""},
		"what records least": {&sdp.Session{Attributes: at("recordpref", "on"), Media: []sdp.Media{{Attributes: at("recordpref", "pause")}}}, "pause"},
		"no media line even": {&sdp.Session{}, ""},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, preference(c.s, 0)) })
	}
}
