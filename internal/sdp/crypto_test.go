package sdp

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// key30 is the key and salt of the example in RFC 4568 section 6.1.
const key30 = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"

func keyOf(size int) string { return base64.StdEncoding.EncodeToString(make([]byte, size)) }

func TestACryptoLineIsReadStrictly(t *testing.T) {
	cases := map[string]struct {
		line string
		ok   bool
	}{
		"as in the RFC":               {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|2^20|1:4", true},
		"a key and nothing else":      {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30, true},
		"only an identifier":          {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|1:4", true},
		"only a lifetime":             {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|1048576", true},
		"the longest lifetime":        {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|2^48", true},
		"tag zero":                    {"0 AES_CM_128_HMAC_SHA1_32 inline:" + key30, true},
		"GCM with padding":            {"2 AEAD_AES_128_GCM inline:" + keyOf(28), true},
		"GCM without padding":         {"2 AEAD_AES_128_GCM inline:" + strings.TrimRight(keyOf(28), "="), true},
		"GCM of 256 bits":             {"2 AEAD_AES_256_GCM inline:" + keyOf(44), true},
		"a window hint":               {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + " WSH=128", true},
		"a parameter to be ignored":   {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + " -X=1", true},
		"small letters":               {"1 aes_cm_128_hmac_sha1_80 INLINE:" + key30, true},
		"two keys, two identifiers":   {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|2^20|1:4;inline:" + keyOf(30) + "|2^20|2:4", true},
		"two keys, no identifiers":    {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + ";inline:" + keyOf(30), false},
		"two keys, one identifier":    {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|1:4;inline:" + keyOf(30) + "|1:4", false},
		"identifiers of two lengths":  {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|1:4;inline:" + keyOf(30) + "|2:2", false},
		"an unknown suite":            {"1 F8_128_HMAC_SHA1_80 inline:" + key30, false},
		"a key too short":             {"1 AES_CM_128_HMAC_SHA1_80 inline:" + keyOf(29), false},
		"a key too long":              {"1 AES_CM_128_HMAC_SHA1_80 inline:" + keyOf(31), false},
		"a key of another suite":      {"1 AEAD_AES_256_GCM inline:" + key30, false},
		"no base64":                   {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30[:39] + "!", false},
		"no key":                      {"1 AES_CM_128_HMAC_SHA1_80 inline:", false},
		"no method":                   {"1 AES_CM_128_HMAC_SHA1_80 " + key30, false},
		"another method":              {"1 AES_CM_128_HMAC_SHA1_80 uri:" + key30, false},
		"no parameters":               {"1 AES_CM_128_HMAC_SHA1_80", false},
		"a tag that is no number":     {"x AES_CM_128_HMAC_SHA1_80 inline:" + key30, false},
		"a negative tag":              {"-1 AES_CM_128_HMAC_SHA1_80 inline:" + key30, false},
		"a tag of ten digits":         {"1234567890 AES_CM_128_HMAC_SHA1_80 inline:" + key30, false},
		"a lifetime of nothing":       {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|0", false},
		"a lifetime that is too long": {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|2^49", false},
		"a lifetime that wraps":       {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|2^64", false},
		"a lifetime with a sign":      {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|+5", false},
		"an empty lifetime":           {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|", false},
		"identifier zero":             {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|0:4", false},
		"identifier of no bytes":      {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|1:0", false},
		"identifier of 129 bytes":     {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|1:129", false},
		"identifier does not fit":     {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|256:1", false},
		"identifier and more":         {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|2^20|1:4|1", false},
		"encryption switched off":     {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + " UNENCRYPTED_SRTP", false},
		"authentication switched off": {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + " UNAUTHENTICATED_SRTP", false},
		"RTCP in clear":               {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + " UNENCRYPTED_SRTCP", false},
		"keys derived anew":           {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + " KDR=1", false},
		"an unknown parameter":        {"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + " X=1", false},
		"nothing":                     {"", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := parseCrypto(c.line)
			require.Equal(t, c.ok, ok)
			if ok {
				again, ok := parseCrypto(got.text())
				require.True(t, ok, "what we write can be read")
				assert.Equal(t, got, again)
			}
		})
	}
	got, _ := parseCrypto(cases["as in the RFC"].line)
	key := got.Keys[0]
	assert.Equal(t, Crypto{Tag: 1, Suite: AESCM80, Keys: got.Keys}, got)
	assert.Equal(t, []uint64{1 << 20, 1, 4}, []uint64{key.Lifetime, key.MKI, uint64(key.MKIBytes)})
	assert.Equal(t, key30, base64.StdEncoding.EncodeToString(key.Bytes()))
}

func TestAKeyIsNeverPrinted(t *testing.T) {
	c, ok := parseCrypto("1 AES_CM_128_HMAC_SHA1_80 inline:" + key30)
	require.True(t, ok)
	agreed := Agreed{SRTP: &Secured{c.Suite, c.Keys[0], c.Keys}}
	asJSON, err := json.Marshal([]any{c, agreed})
	require.NoError(t, err)
	printed := string(asJSON)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed += fmt.Sprintf(verb+verb+verb, c, agreed, &Session{Media: []Media{{Crypto: []Crypto{c}}}})
		printed += fmt.Sprintf(verb, struct{ hidden Secured }{*agreed.SRTP})
	}
	raw := string(c.Keys[0].Bytes())
	for _, form := range []string{key30, raw, fmt.Sprintf("%x", raw), fmt.Sprint([]byte(raw)), fmt.Sprintf("%#v", []byte(raw))} {
		assert.NotContains(t, printed, form[:8])
	}
}

func FuzzCrypto(f *testing.F) {
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|2^20|1:4")
	f.Add("1 AEAD_AES_128_GCM inline:" + keyOf(28) + "|1:4;inline:" + keyOf(28) + "|2:4 WSH=64 -A")
	f.Fuzz(func(t *testing.T, line string) {
		c, ok := parseCrypto(line)
		if !ok {
			return
		}
		require.NotEmpty(t, c.Keys)
		for _, k := range c.Keys {
			require.Len(t, k.Bytes(), c.Suite.KeyBytes())
			require.LessOrEqual(t, k.Lifetime, uint64(maxLifetime))
		}
		again, ok := parseCrypto(c.text())
		require.True(t, ok)
		require.Equal(t, c, again)
	})
}
