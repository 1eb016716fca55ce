package call

import (
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/dtmf"
	"consentgw/internal/media"
	"consentgw/internal/sdp"
)

// errDowngrade: a stream that was encrypted shall go on in clear. Within a
// dialog that is refused; the stream goes on as it was.
var errDowngrade = errors.New("encrypted media cannot become clear in one dialog")

// protection is how the media of a party is encrypted in its dialog of now.
type protection struct {
	policy sdp.SRTP     // of its side
	by     *sdp.Secured // what seal and open were made from; nil: in clear
	seal   *media.Sealer
	open   *media.Opener
}

// srtpOf is the policy of the side that has these ports.
func (c *Call) srtpOf(ports *media.Ports) sdp.SRTP {
	if ports == c.svc.TrunkPorts {
		return srtpPolicy(c.route.trunk.SRTP)
	}
	return srtpPolicy(c.route.platform.SRTP)
}

func srtpPolicy(word string) sdp.SRTP {
	switch word {
	case config.SRTPOptional:
		return sdp.SRTPOptional
	case config.SRTPRequired:
		return sdp.SRTPRequired
	}
	return sdp.SRTPOff
}

// secure begins a dialog: with keys of our own that were never used, under the
// policy of the side.
func (p *party) secure(policy sdp.SRTP) {
	p.protection = protection{policy: policy}
	p.local.SRTP = policy
	p.agreed.SRTP = nil
	p.renewKeys("")
}

// renewKeys draws our keys anew, but for the suite that is in use.
func (p *party) renewKeys(inUse sdp.Suite) {
	before := p.local.Crypto
	p.local.Crypto = nil
	if p.policy == sdp.SRTPOff {
		return
	}
	var secrets [][]byte
	for _, s := range sdp.Suites() {
		i := slices.IndexFunc(before, func(c sdp.Crypto) bool { return c.Suite == s })
		if i >= 0 && s == inUse {
			secrets = append(secrets, before[i].Keys[0].Bytes())
			continue
		}
		secret := make([]byte, s.KeyBytes())
		rand.Read(secret) // never fails
		secrets = append(secrets, secret)
	}
	p.local.Crypto = sdp.OurKeys(secrets)
}

// protect takes what was agreed about keys into use. As long as a key is the
// same, so is what seals or opens with it: its counters must go on. From the
// first keys on the dialog stays encrypted.
func (p *party) protect(s *sdp.Secured) error {
	switch {
	case s == nil && p.by == nil:
		return nil
	case s == nil:
		return errDowngrade
	}
	seal, open := p.seal, p.open
	var err error
	if p.by == nil || p.by.Suite != s.Suite || !p.by.Ours.Same(s.Ours) {
		if seal, err = media.NewSealer(s.Suite, s.Ours); err != nil {
			return err
		}
	}
	if p.by == nil || p.by.Suite != s.Suite || !slices.EqualFunc(p.by.Theirs, s.Theirs, sdp.Key.Same) {
		if open, err = media.NewOpener(s.Suite, s.Theirs); err != nil {
			return err
		}
	}
	p.by, p.seal, p.open = s, seal, open
	p.local.SRTP = sdp.SRTPRequired
	// Should another suite be agreed on later and then this one again, its key
	// would begin once more.
	p.renewKeys(s.Suite)
	return nil
}

// suite is the crypto suite in use; empty: in clear.
func (p *party) suite() string {
	if p.by == nil {
		return ""
	}
	return string(p.by.Suite)
}

// evidence is a press with how it was protected on its way (RFC 4733 section 6).
func (p *party) evidence(d dtmf.Press) consent.Press {
	press := consent.Press{Key: string(d.Key.Rune()), Method: string(d.Method), SSRC: d.SSRC, RTPTimestamp: d.Timestamp,
		PayloadType: d.PayloadType, DurationMS: d.Duration.Milliseconds(), At: d.At, EndSeen: d.Released}
	if d.Method == dtmf.RFC4733 {
		press.SRTP = p.suite()
	}
	return press
}

// carried is the evidence of how a party's media was carried; nil: there was none.
func (p *party) carried() *consent.Leg {
	q, s := p.stream.Quality(), p.stream.Stats()
	if q.Expected == 0 && s.Sent == 0 {
		return nil
	}
	return &consent.Leg{SRTP: p.suite(), Received: s.Received, Sent: s.Sent, Lost: q.Lost,
		JitterMS: milliseconds(q.Jitter), RoundTripMS: milliseconds(q.RoundTrip), MOS: float64(int(q.MOS()*100+0.5)) / 100}
}

// milliseconds is a duration to a tenth of one.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(100*time.Microsecond).Microseconds()) / 1000
}
