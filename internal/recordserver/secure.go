package recordserver

import (
	"crypto/rand"
	"slices"

	"consentgw/internal/media"
	"consentgw/internal/sdp"
)

// keyed is how a track is encrypted. Constant but for the opener, which is owned
// by the goroutine that listens.
type keyed struct {
	theirs sdp.Crypto
	ours   sdp.Crypto
	opener *media.Opener
}

// secure takes the first of the offered keys, and answers it with one of our own,
// under which nothing is sent. As long as the offer has that key, so has the track.
func (t *track) secure(offered []sdp.Crypto) ([]sdp.Crypto, error) {
	if len(offered) == 0 {
		return nil, errOffer
	}
	c := offered[0]
	if k := t.keyed.Load(); k != nil && k.theirs.Suite == c.Suite && slices.EqualFunc(k.theirs.Keys, c.Keys, sdp.Key.Same) {
		return []sdp.Crypto{k.ours}, nil
	}
	opener, err := media.NewOpener(c.Suite, c.Keys)
	if err != nil {
		return nil, err
	}
	secret := make([]byte, c.Suite.KeyBytes())
	rand.Read(secret) // never fails
	k := &keyed{c, sdp.Crypto{Tag: c.Tag, Suite: c.Suite, Keys: []sdp.Key{sdp.NewKey(secret)}}, opener}
	t.keyed.Store(k)
	return []sdp.Crypto{k.ours}, nil
}

// open returns a datagram in clear; false if it should be encrypted and is not,
// or not by who has the key.
func (t *track) open(datagram []byte) ([]byte, bool) {
	k := t.keyed.Load()
	if k == nil {
		return datagram, true
	}
	return k.opener.Open(datagram)
}
