package sip

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"strings"
)

// The algorithms of digest authentication that we know (RFC 7616, RFC 8760),
// the preferred one first.
const (
	SHA256    = "SHA-256"
	SHA512256 = "SHA-512-256"
	MD5       = "MD5"
)

// digestHash returns the hash of an algorithm, nil if we do not know it; "" is
// MD5 (RFC 7616 section 3.3).
func digestHash(algorithm string) func() hash.Hash {
	switch {
	case strings.EqualFold(algorithm, SHA256):
		return sha256.New
	case strings.EqualFold(algorithm, SHA512256):
		return sha512.New512_256
	case algorithm == "", strings.EqualFold(algorithm, MD5):
		return md5.New
	}
	return nil
}

// digestRank orders algorithms: the lower the better.
func digestRank(algorithm string) int {
	for i, known := range []string{SHA256, SHA512256} {
		if strings.EqualFold(algorithm, known) {
			return i
		}
	}
	return 2
}

// A proof is what a digest response is computed from (RFC 7616 section 3.4.1).
type proof struct {
	algorithm                 string
	username, password, realm string
	method, uri               string
	nonce, nc, cnonce, qop    string // qop "": as in RFC 2069
}

// response computes the digest, in hex. The algorithm must be known.
func (p proof) response() string {
	newHash := digestHash(p.algorithm)
	h := func(parts ...string) string {
		sum := newHash()
		sum.Write([]byte(strings.Join(parts, ":"))) // a hash never fails to write
		return hex.EncodeToString(sum.Sum(nil))
	}
	a1, a2 := h(p.username, p.realm, p.password), h(p.method, p.uri)
	if p.qop == "" {
		return h(a1, p.nonce, a2)
	}
	return h(a1, p.nonce, p.nc, p.cnonce, p.qop, a2)
}

// maxDigestParams is how many parameters of a header are looked at.
const maxDigestParams = 24

// parseDigest reads the parameters of a challenge or of credentials; nil if the
// value is not of the Digest scheme or malformed. Names are in lower case. A
// parameter that comes twice makes it malformed.
func parseDigest(value string) map[string]string {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(value), " ")
	if !ok || !strings.EqualFold(scheme, "Digest") {
		return nil
	}
	params := make(map[string]string)
	for _, item := range splitOutsideQuotes(rest, ',') {
		if item == "" {
			continue
		}
		name, v, ok := strings.Cut(item, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := params[name]; !ok || twice || !isToken(name) || len(params) >= maxDigestParams {
			return nil
		}
		params[name] = unquoted(strings.TrimSpace(v))
	}
	return params
}
