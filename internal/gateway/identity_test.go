package gateway_test

import (
	"bytes"
	"strings"

	"consentgw/internal/config"
	"consentgw/sip"

	"github.com/stretchr/testify/require"
)

// signalling is what a caller's INVITE says beside From.
type signalling struct {
	headers []sip.Header
	present sip.Presentation
	subject string // whose number the record is to have; empty with withheld
	hidden  bool   // the number is to be nowhere
}

// identities are the sentences about who calls.
func (p *actor) identities() map[string]func([]string) {
	platform := func() *config.Platform { return &p.cfg.Platforms[0] }
	return map[string]func([]string){
		"platform is PRESET":               func(a []string) { platform().Headers = a[0] },
		"platform is told by user-to-user": func([]string) { platform().UserToUser = true },
		"platform is given HEADER":         func(a []string) { platform().PassHeaders = append(platform().PassHeaders, a[0]) },
		"platform is trusted with numbers": func([]string) { platform().Identity = config.IdentityTrusted },
		"trunk is not trusted":             func([]string) { p.cfg.Trunks[0].Identity = config.IdentityUntrusted },
		"trunk asserts NUMBER":             p.asserts,
		"caller withholds the number":      func([]string) { p.said.present.Privacy, p.said.hidden = []string{"id"}, true },
		"caller sends HEADER REST": func(a []string) {
			p.said.headers = append(p.said.headers, sip.Header{Name: a[0], Value: a[1]})
		},
		"expect agent sees HEADER REST":     func(a []string) { require.Equal(p.t, []string{a[1]}, p.arrival.header(a[0]), p.line) },
		"expect agent sees no HEADER":       func(a []string) { require.Empty(p.t, p.arrival.header(a[0]), p.line) },
		"expect agent sees number NUMBER":   func(a []string) { require.Contains(p.t, p.arrival.headers["From"], "<sip:"+a[0]+"@", p.line) },
		"expect subject NUMBER":             func(a []string) { require.Equal(p.t, a[0], p.final().Subject) },
		"expect the number nowhere":         p.expectNowhere,
		"expect nothing found under NUMBER": p.expectNotFound,
	}
}

func (p *actor) asserts(args []string) {
	p.said.present.Asserted = []string{"sip:" + args[0] + "@carrier.example"}
	if p.cfg.Trunks[0].Identity != config.IdentityUntrusted {
		p.said.subject = args[0]
	}
}

// expectNowhere looks for the caller's numbers in all that leaves the gateway:
// the record, the export, the log, the metrics, the INVITE to the platform.
func (p *actor) expectNowhere([]string) {
	r := p.final()
	require.True(p.t, r.Call.Signalled.Withheld)
	for _, number := range []string{callerNumber, p.said.subject} {
		if number == "" {
			continue
		}
		p.expectNotFound([]string{number})
		for _, path := range []string{"/v1/consents/" + string(r.ID), "/v1/consents", "/v1/export?format=csv", "/v1/export?format=jsonl", "/metrics"} {
			code, body := p.request("GET", path)
			require.Equal(p.t, 200, code, path)
			require.False(p.t, bytes.Contains(body, []byte(number)), "%s: %s", path, p.line)
		}
		for _, name := range []string{"From", "P-Asserted-Identity", "Identity", "Contact", "Remote-Party-ID"} {
			require.NotContains(p.t, strings.Join(p.arrival.header(name), " "), number, name)
		}
	}
}

func (p *actor) expectNotFound(args []string) {
	code, body := p.request("GET", "/v1/consents?subject="+strings.Replace(args[0], "+", "%2B", 1))
	require.Equal(p.t, 200, code)
	require.NotContains(p.t, string(body), "record_id", p.line)
}

// subject is the number that the record of the call is to have.
func (p *actor) subject() string {
	switch {
	case p.said.hidden:
		return ""
	case p.said.subject != "":
		return p.said.subject
	}
	return callerNumber
}
