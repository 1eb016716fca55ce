package siprec

import (
	"crypto/rand"

	"consentgw/internal/media"
	"consentgw/internal/sdp"
)

// protection is how a stream is encrypted in the session of now. Guarded by mu of
// its recording.
type protection struct {
	keys []sdp.Crypto  // that we offer; from the first answer on the one that was taken
	seal *media.Sealer // of that one, as long as the session lasts
}

// rekey draws keys that were never used, for a session that begins.
func (r *Recording) rekey() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, st := range r.streams {
		st.protection = protection{}
		if !r.cfg.SRTP {
			continue
		}
		var secrets [][]byte
		for _, s := range sdp.Suites() {
			secret := make([]byte, s.KeyBytes())
			rand.Read(secret) // never fails
			secrets = append(secrets, secret)
		}
		st.keys = sdp.OurKeys(secrets)
	}
}

func (r *Recording) proto() string {
	if r.cfg.SRTP {
		return "RTP/SAVP"
	}
	return "RTP/AVP"
}

// protect reads in an answer under which key a stream goes; nil: in clear, which
// was offered then. From then on we offer no other key: one that was given up and
// came back would begin its key stream once more.
func (r *Recording) protect(st *stream, theirs *sdp.Media) (*media.Sealer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	by, err := sdp.AcceptCrypto(&sdp.Media{Kind: "audio", Proto: r.proto(), Crypto: st.keys}, theirs)
	if err != nil || by == nil || st.seal != nil {
		return st.seal, err
	}
	if st.seal, err = media.NewSealer(by.Suite, by.Ours); err != nil {
		return nil, err
	}
	for _, c := range st.keys {
		if c.Suite == by.Suite {
			st.keys = []sdp.Crypto{c}
			break
		}
	}
	return st.seal, nil
}
