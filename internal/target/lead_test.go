package target

import (
	"testing"

	"consentgw/internal/config"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func leading() *Set {
	return New(config.Destination{Targets: []config.Target{
		{URI: "sip:center@192.0.2.20:5060", Auth: &config.Auth{Username: "gateway"}},
		{URI: "sip:secure.example.com;transport=tls"},
		{URI: "sip:[2001:db8::20]:5060", Transport: "tcp"},
	}}, nil)
}

func TestACallIsLedToHostsOfThePlatformAndToNoOther(t *testing.T) {
	s := leading()
	also := []string{"pbx.example.com", "other.example.com:5080"}
	for from, to := range map[string]string{
		"sip:+31205550199@192.0.2.20":                   "sip:+31205550199@192.0.2.20",
		"SIP:200@192.0.2.20:5090;transport=TCP;x=y":     "sip:200@192.0.2.20:5090;transport=tcp",
		"sip:192.0.2.20":                                "sip:192.0.2.20",
		"sip:200@192.0.2.20?Replaces=a":                 "sip:200@192.0.2.20",
		"sip:200;phone-context=x@192.0.2.20":            "sip:200@192.0.2.20",
		"sips:200@Secure.Example.com":                   "sips:200@secure.example.com",
		"sip:200@secure.example.com:5061;transport=tls": "sip:200@secure.example.com:5061;transport=tls",
		"sip:200@[2001:DB8:0::20]:5070":                 "sip:200@[2001:db8:0::20]:5070",
		"sip:200@pbx.example.com:5099":                  "sip:200@pbx.example.com:5099",
		"sip:200@other.example.com:5080":                "sip:200@other.example.com:5080",
		// what is not followed:
		"sip:200@secure.example.com":               "", // less than TLS
		"sip:200@secure.example.com;transport=udp": "",
		"sip:200@other.example.com":                "",
		"sip:200@other.example.com:5081":           "",
		"sip:200@198.51.100.9":                     "",
		"sip:200@evil.example;maddr=192.0.2.20":    "",
		"sip:192.0.2.20@evil.example":              "",
		"sip:a@192.0.2.20@evil.example":            "",
		"sip:user:secret@192.0.2.20":               "",
		"sip:@192.0.2.20":                          "",
		"sip:200@192.0.2.20;transport=sctp":        "",
		"sip:2 0@192.0.2.20":                       "",
		"sip:200@192.0.2.20\r\nX: y":               "",
		"tel:+31205550199":                         "",
		"http://192.0.2.20":                        "",
		"sip:":                                     "",
		"":                                         "",
	} {
		lead, ok := s.Lead(from, also)
		require.Equal(t, to != "", ok, from)
		if ok {
			assert.Equal(t, to, lead.URI, from)
		}
	}
}

func TestOnlyTheTargetsOwnHostGetsItsPassword(t *testing.T) {
	s := leading()
	lead, ok := s.Lead("sip:200@192.0.2.20:5070", nil)
	require.True(t, ok)
	assert.Equal(t, "gateway", lead.Target.Auth.Username)
	assert.Equal(t, "192.0.2.20:5070", lead.Place)
	lead, ok = s.Lead("sip:200@pbx.example.com", []string{"pbx.example.com"})
	require.True(t, ok)
	assert.Nil(t, lead.Target.Auth)
}

func FuzzLead(f *testing.F) {
	f.Add("sip:200@192.0.2.20:5090;transport=tcp")
	f.Add("sips:secure.example.com?a=b")
	f.Add("sip:[2001:db8::20]")
	f.Add("sip:a@b@192.0.2.20")
	s := leading()
	f.Fuzz(func(t *testing.T, text string) {
		lead, ok := s.Lead(text, nil)
		if !ok {
			return
		}
		again, ok := s.Lead(lead.URI, nil)
		require.True(t, ok, "what is led to can be led to again: %q", lead.URI)
		require.Equal(t, lead.URI, again.URI)
		require.True(t, printable(lead.URI))
	})
}
