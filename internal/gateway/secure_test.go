package gateway_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/phone"
	"consentgw/internal/sdp"
	"consentgw/sip"

	"github.com/pion/srtp/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pionCipher is SRTP for a phone of a test, by its own use of the cipher.
type pionCipher struct{ out, in *srtp.Context }

func (c pionCipher) Seal(packet []byte) ([]byte, error) { return c.out.EncryptRTP(nil, packet, nil) }
func (c pionCipher) Open(packet []byte) ([]byte, error) { return c.in.DecryptRTP(nil, packet, nil) }

func newCipher(s sdp.Secured) (phone.Cipher, error) {
	profile, size := srtp.ProtectionProfileAes128CmHmacSha1_80, 16
	switch s.Suite {
	case sdp.AESCM32:
		profile = srtp.ProtectionProfileAes128CmHmacSha1_32
	case sdp.AEAD128:
		profile = srtp.ProtectionProfileAeadAes128Gcm
	case sdp.AEAD256:
		profile, size = srtp.ProtectionProfileAeadAes256Gcm, 32
	}
	ours, theirs := s.Ours.Bytes(), s.Theirs[0].Bytes()
	out, err := srtp.CreateContext(ours[:size], ours[size:], profile)
	if err != nil {
		return nil, err
	}
	in, err := srtp.CreateContext(theirs[:size], theirs[size:], profile, srtp.SRTPReplayProtection(64))
	return pionCipher{out, in}, err
}

// srtpOf is how a phone encrypts under a policy by its name.
func srtpOf(policy string) *phone.SRTP {
	return &phone.SRTP{Policy: map[string]sdp.SRTP{"optional": sdp.SRTPOptional, "required": sdp.SRTPRequired}[policy], Cipher: newCipher}
}

// secureVerbs are the sentences about encrypted media.
func (p *actor) secureVerbs() map[string]func([]string) {
	return map[string]func([]string){
		"trunk srtp POLICY":    func(a []string) { p.cfg.Trunks[0].SRTP = a[0] },
		"platform srtp POLICY": func(a []string) { p.cfg.Platforms[0].SRTP = a[0] },
		"caller srtp POLICY":   func(a []string) { p.srtp = srtpOf(a[0]) },
		"agent srtp POLICY":    func(a []string) { p.aDesk(0).srtp = srtpOf(a[0]) },
		"caller offers only SUITE": func(a []string) {
			p.tamper = func(offer *sdp.Session) { onlySuite(offer, sdp.Suite(a[0])) }
		},
		"caller changes its keys": func([]string) {
			p.phone.NewKeys()
			p.must(p.phone.Resume(p.ctx))
		},
		"caller cannot go on in clear": func([]string) {
			err := p.phone.Change(p.ctx, false, func(s *sdp.Session) { s.Media[0].Proto, s.Media[0].Crypto = "RTP/AVP", nil })
			require.Equal(p.t, 488, statusOf(p.t, err))
		},
		"expect caller encrypted by SUITE": func(a []string) { p.expectLeg("caller", p.final().Legs.Trunk, a[0]) },
		"expect caller in clear":           func([]string) { p.expectLeg("caller", p.final().Legs.Trunk, "") },
		"expect agent encrypted by SUITE":  func(a []string) { p.expectLeg("agent", p.final().Legs.Platform, a[0]) },
		"expect agent in clear":            func([]string) { p.expectLeg("agent", p.final().Legs.Platform, "") },
		"expect key protected by SUITE":    func(a []string) { require.Equal(p.t, a[0], p.final().Press.SRTP) },
		"expect nothing arrived unreadable": func([]string) {
			assert.Zero(p.t, p.phone.Broken())
			assert.Zero(p.t, p.arrival.line.Broken())
		},
	}
}

func onlySuite(offer *sdp.Session, suite sdp.Suite) {
	for _, c := range offer.Media[0].Crypto {
		if c.Suite == suite {
			offer.Media[0].Crypto = []sdp.Crypto{c}
			return
		}
	}
}

// expectLeg holds the evidence of one leg against what can be known of it.
func (p *actor) expectLeg(name string, leg *consent.Leg, suite string) {
	require.NotNil(p.t, leg, name)
	require.Equal(p.t, suite, leg.SRTP, name)
	require.NotZero(p.t, leg.Received, name)
	require.NotZero(p.t, leg.Sent, name)
	require.Greater(p.t, leg.MOS, 1.0, name)
}

func TestASideThatRequiresSRTPTakesNoCallInClear(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	p.cfg.Trunks[0].SRTP = config.SRTPRequired
	p.aDesk(0)
	p.start(nil)
	_, err := p.caller.Call(p.ctx, phone.Dial{Target: p.trunkURI(), Caller: callerNumber, Called: calledNumber})
	require.Equal(t, 488, statusOf(t, err))
	_, metrics := p.request("GET", "/metrics")
	require.Contains(t, string(metrics), `reason="not_secured"`)
}

func TestATargetThatAnswersInClearWhereSRTPIsRequiredIsNotTalkedTo(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	broken, err := phone.New(phone.Config{Listen: "udp:127.0.0.1:0", Ring: func(ctx context.Context, r *phone.Ring) {
		offer, err := sdp.Parse(r.Offer())
		if assert.NoError(t, err) && assert.NotEmpty(t, offer.Media[0].Crypto) {
			offer.Media[0].Crypto = nil
			offer.Media[0].Port = int(freeAddr(p.t).Port()) // not our own, which is refused anyway
			r.Answer(ctx, offer.Marshal(), sip.InDialog{})
		}
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broken.Close()) })
	p.start(nil)
	p.cfg.Platforms[0].SRTP = config.SRTPRequired
	p.cfg.Platforms[0].Targets = []config.Target{{URI: broken.URI(), Priority: 1, Weight: 1}}
	p.halt()
	p.serve()
	p.dials([]string{"+31305550123"}) // a plain relay: nobody is asked
	r := p.final()
	require.Equal(t, "no target answered", r.Call.EndCause)
	require.Zero(t, r.Call.ConnectedAt)
}

func TestNoKeyOfACallIsWrittenAnywhere(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	for _, side := range []string{"trunk", "platform", "caller", "agent"} {
		p.secureVerbs()[side+" srtp POLICY"]([]string{"required"})
	}
	var keys []string
	p.tamper = func(offer *sdp.Session) {
		for _, part := range strings.Split(string(offer.Marshal()), "inline:")[1:] {
			keys = append(keys, part[:30])
		}
	}
	p.dials([]string{"+31305550123"})
	p.picksUp(0)
	p.talk()
	p.must(p.phone.Hangup(p.ctx))
	record, err := json.Marshal(p.final())
	require.NoError(t, err)
	require.Len(t, keys, len(sdp.Suites()))
	p.halt()
	for _, key := range append(keys, "inline:") {
		require.NotContains(t, p.log.String(), key)
		require.NotContains(t, string(record), key)
	}
}
