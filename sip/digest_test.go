package sip

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The examples of RFC 7616 section 3.9.1 and RFC 2617 section 3.5.
func TestDigestsAreThoseOfTheStandards(t *testing.T) {
	p := proof{
		username: "Mufasa", password: "Circle of Life", realm: "http-auth@example.org", method: "GET", uri: "/dir/index.html",
		nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc: "00000001",
		cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop: "auth",
	}
	p.algorithm = SHA256
	assert.Equal(t, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", p.response())
	p.algorithm = MD5
	assert.Equal(t, "8ca523f5e9506fed4657c9700eebdbec", p.response())
	assert.Nil(t, digestHash("SHA-1"))
	assert.NotNil(t, digestHash(SHA512256))
}

func TestDigestHeadersAreReadStrictly(t *testing.T) {
	assert.Equal(t, map[string]string{"realm": `a, "b"`, "nonce": "n", "qop": "auth,auth-int", "stale": "true"},
		parseDigest(`digest Realm="a, \"b\"" , nonce = "n",qop="auth,auth-int", stale=true,`))
	for _, bad := range []string{"", "Digest", `Basic realm="x"`, `Digest realm="a", realm="b"`, "Digest realm", `Digest a b="c"`,
		"Digest " + strings.Repeat("x1=y,", 1) + manyParams(maxDigestParams+1)} {
		assert.Nil(t, parseDigest(bad), bad)
	}
}

func manyParams(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "p%d=v,", i)
	}
	return b.String()
}

func FuzzDigest(f *testing.F) {
	f.Add(`Digest realm="a", nonce="b", algorithm=MD5, qop="auth"`)
	f.Add(`Digest realm="\"", nonce="\\", opaque="`)
	f.Fuzz(func(t *testing.T, s string) {
		if hasControl(s) {
			return // refused before, see admit and wellFormed
		}
		d, ok := readDemand(s)
		if !ok {
			return
		}
		p := parseDigest(d.answer(Credentials{"u", "p"}, "INVITE", "sip:x", 1))
		if p == nil || p["realm"] != d.realm || p["nonce"] != d.nonce || p["opaque"] != d.opaque {
			t.Errorf("%q is answered %q", s, p)
		}
	})
}
