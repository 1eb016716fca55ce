package gateway_test

import (
	"slices"

	"consentgw/internal/config"
	"consentgw/internal/recordserver"
	"consentgw/internal/sdp"
	"consentgw/sip"

	"github.com/stretchr/testify/require"
)

// speaksTLS puts a recording server in the place of the plain recorder that is
// reached by TLS only, and whose certificate is checked.
func (p *actor) speaksTLS() {
	ca := newAuthority(p.t)
	own := ca.issue(p.t, "recorder.example")
	p.serveTower(recordserver.Config{Listen: []string{"tls:127.0.0.1:0"}, TLS: &sip.TLS{CertFile: own.cert, KeyFile: own.key}}, false)
	p.cfg.Recorders[0].TLS = &config.TLS{CA: ca.file}
	gateway, listen := ca.issue(p.t, "gateway.example"), &p.cfg.Listen.Recorder
	listen.SIP[0].Transport, listen.TLS = "tls", &config.TLS{Cert: gateway.cert, Key: gateway.key}
}

// expectSRTP: every line of every session was offered as SRTP, and under keys
// that no other line, session or recorder has. That what came was authentic, the
// server checks.
func (p *actor) expectSRTP() {
	var used []sdp.Key
	for _, w := range p.towers {
		for _, s := range w.Sessions() {
			var ours []sdp.Key
			for _, offer := range s.Offers() {
				for _, m := range offer.Media {
					require.Equal(p.t, "RTP/SAVP", m.Proto)
					require.NotEmpty(p.t, m.Crypto)
					ours = append(ours, m.Crypto[0].Keys[0])
				}
			}
			require.False(p.t, ours[0].Same(ours[1]), "one key for both parties")
			for _, k := range ours {
				require.False(p.t, slices.ContainsFunc(used, k.Same), "a key of an earlier session")
			}
			used = append(used, ours...)
		}
	}
	require.NotEmpty(p.t, used)
}
