package sdp

import (
	"errors"
	"slices"
	"strings"
)

// ErrNotSecured says that a stream has to be encrypted and cannot be: it was
// offered or answered in clear, or without a key that we can use.
var ErrNotSecured = errors.New("sdp: no encrypted stream (SRTP) with a key we can use")

// SRTP says whether a stream may or must be encrypted, with keys in the
// description itself (SDES, RFC 4568). The zero value is SRTPOff.
type SRTP uint8

// What our side may want.
const (
	// SRTPOff: RTP/AVP only. Offered SAVP is refused; keys are not looked at.
	SRTPOff SRTP = iota
	// SRTPOptional: SAVP is taken where it is offered, and so are keys under
	// RTP/AVP (RFC 8643, "opportunistic"), which is also what we offer: whoever
	// knows nothing of it answers in clear.
	SRTPOptional
	// SRTPRequired: nothing goes out or comes in that is not encrypted. We offer
	// RTP/SAVP; an offer of RTP/AVP with keys is as good.
	SRTPRequired
)

// Secured is how an encrypted stream is encrypted.
type Secured struct {
	Suite  Suite
	Ours   Key   // of what we send
	Theirs []Key // of what the far end sends
}

// OurKeys turns master keys and salts, one for each of [Suites] in that order,
// into the lines of [Local].
func OurKeys(secrets [][]byte) []Crypto {
	var lines []Crypto
	for i, s := range Suites()[:min(len(secrets), len(Suites()))] {
		lines = append(lines, Crypto{Tag: i + 1, Suite: s, Keys: []Key{NewKey(secrets[i])}})
	}
	return lines
}

// isAudio reports whether m is audio over RTP, in clear or with keys that a
// description can carry. With DTLS it is neither.
func (m *Media) isAudio() bool { return m.isPlainAudio() || m.isSecureAudio() }

// isSecureAudio reports whether m is audio over SRTP (RFC 4568 section 4, RFC
// 5124).
func (m *Media) isSecureAudio() bool {
	return m.Kind == "audio" && (strings.EqualFold(m.Proto, "RTP/SAVP") || strings.EqualFold(m.Proto, "RTP/SAVPF"))
}

// secure answers the encryption of an offered audio line: nil is none. Not ok:
// the line must not be taken.
func (l Local) secure(far *Media) (s *Secured, ok bool) {
	if l.SRTP != SRTPOff {
		s = l.choose(far.Crypto)
	}
	return s, s != nil || far.isPlainAudio() && l.SRTP != SRTPRequired
}

// choose takes the first line, which is what its author likes best (RFC 4568
// section 5.1.2), whose suite we have a key for.
func (l Local) choose(offered []Crypto) *Secured {
	for _, c := range offered {
		i := slices.IndexFunc(l.Crypto, func(o Crypto) bool { return o.Suite == c.Suite })
		if i < 0 {
			continue
		}
		if s := (Secured{c.Suite, l.Crypto[i].Keys[0], c.Keys}); !s.reflected() {
			return &s
		}
	}
	return nil
}

// reflected reports whether the far end sends under the key that we send under.
// The same key stream would then hide two streams, which hides neither (RFC 3711
// section 9.1).
func (s Secured) reflected() bool {
	return slices.ContainsFunc(s.Theirs, func(k Key) bool { return slices.Equal(k.Bytes(), s.Ours.Bytes()) })
}

// line is our a=crypto line in the answer to far: its tag and suite, our key.
func (s *Secured) line(far *Media) []Crypto {
	if s == nil {
		return nil
	}
	i := slices.IndexFunc(far.Crypto, func(c Crypto) bool {
		return c.Suite == s.Suite && slices.EqualFunc(c.Keys, s.Theirs, Key.Same)
	})
	return []Crypto{{far.Crypto[max(i, 0)].Tag, s.Suite, []Key{s.Ours}}}
}

// proto is the transport that we offer.
func (l Local) proto() string {
	if l.SRTP == SRTPRequired {
		return "RTP/SAVP"
	}
	return "RTP/AVP"
}

// offered are the keys that we offer.
func (l Local) offered() []Crypto {
	if l.SRTP == SRTPOff {
		return nil
	}
	return slices.Clone(l.Crypto)
}

// AcceptCrypto takes the keys of an answer to our line; nil: the stream is in
// clear. The error is [ErrNotSecured] or [ErrNoCommonCodec]. It never falls back to
// clear: only an answer without any key, to an offer that was not SAVP, is one
// in clear.
func AcceptCrypto(ours, far *Media) (*Secured, error) {
	if len(ours.Crypto) == 0 && !ours.isSecureAudio() {
		if far.isSecureAudio() {
			return nil, ErrNoCommonCodec // what is answered was not offered
		}
		return nil, nil
	}
	if ours.isSecureAudio() && !far.isSecureAudio() {
		return nil, ErrNotSecured
	}
	for _, c := range far.Crypto {
		i := slices.IndexFunc(ours.Crypto, func(o Crypto) bool { return o.Tag == c.Tag && o.Suite == c.Suite })
		if i < 0 {
			continue
		}
		if s := (Secured{c.Suite, ours.Crypto[i].Keys[0], c.Keys}); !s.reflected() {
			return &s, nil
		}
	}
	if len(far.Crypto) > 0 || far.isSecureAudio() || far.attribute("crypto") != "" {
		return nil, ErrNotSecured
	}
	return nil, nil
}
