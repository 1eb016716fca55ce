package phone

import (
	"crypto/rand"
	"errors"
	"slices"

	"consentgw/internal/sdp"
)

// SRTP lets the media of a phone be encrypted.
type SRTP struct {
	Policy sdp.SRTP
	// Cipher makes what seals and opens the packets of one agreement.
	Cipher func(sdp.Secured) (Cipher, error)
}

// Cipher is SRTP in both directions of one line.
type Cipher interface {
	Seal(packet []byte) ([]byte, error)
	Open(packet []byte) ([]byte, error)
}

// secured is the protection of a line.
type secured struct {
	by     *sdp.Secured
	cipher Cipher
	lines  []sdp.Crypto // our keys
	broken int          // packets that could not be opened
}

// NewKeys gives the line other keys, for its next description.
func (l *Line) NewKeys() {
	var secrets [][]byte
	for _, s := range sdp.Suites() {
		secret := make([]byte, s.KeyBytes())
		rand.Read(secret) // never fails
		secrets = append(secrets, secret)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.secured.lines = sdp.OurKeys(secrets)
}

// Suite is the crypto suite in use; empty: in clear.
func (l *Line) Suite() sdp.Suite {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.secured.by == nil {
		return ""
	}
	return l.secured.by.Suite
}

// Broken is how many packets could not be opened.
func (l *Line) Broken() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.secured.broken
}

// secure describes how the line wants to be encrypted.
func (l *Line) secure(local sdp.Local) sdp.Local {
	if s := l.phone.cfg.SRTP; s != nil {
		local.SRTP, local.Crypto = s.Policy, l.secured.lines
	}
	return local
}

var errNoCipher = errors.New("encrypted media was agreed on, and the phone has no cipher")

// protect takes the agreed keys into use, unless they are in use. l.mu is held.
func (l *Line) protect(s *sdp.Secured) error {
	before := l.secured.by
	switch {
	case s == nil:
		l.secured.by, l.secured.cipher = nil, nil
		return nil
	case before != nil && before.Suite == s.Suite && before.Ours.Same(s.Ours) && slices.EqualFunc(before.Theirs, s.Theirs, sdp.Key.Same):
		return nil
	case l.phone.cfg.SRTP == nil:
		return errNoCipher
	}
	cipher, err := l.phone.cfg.SRTP.Cipher(*s)
	if err != nil {
		return err
	}
	l.secured.by, l.secured.cipher = s, cipher
	return nil
}

// seal protects a packet, if that is agreed. l.mu is held.
func (l *Line) seal(packet []byte) []byte {
	if l.secured.cipher == nil {
		return packet
	}
	sealed, err := l.secured.cipher.Seal(packet)
	if err != nil {
		return nil
	}
	return sealed
}

// open is its reverse. l.mu is held.
func (l *Line) open(packet []byte) []byte {
	if l.secured.cipher == nil {
		return packet
	}
	if len(packet) > 1 && packet[1] >= 192 && packet[1] <= 223 {
		return nil // SRTCP, which it has no use for
	}
	plain, err := l.secured.cipher.Open(packet)
	if err != nil {
		l.secured.broken++
		return nil
	}
	return plain
}
