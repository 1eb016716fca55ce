package headers_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/headers"
)

const (
	origin = "de305d54-75b4-431b-adb2-eb6b9e546014"
	claims = `{"attest":"A","dest":{"tn":["31205550123"]},"iat":1785585600,"orig":{"tn":"31205550100"},"origid":"` + origin + `"}`
	params = `;info=<https://cert.example/a;b.cer>;alg=ES256;ppt="shaken"`
)

// token is a PASSporT with a payload; its signature is noise.
func token(payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"ES256","ppt":"shaken","typ":"passport"}`)) + "." + encode([]byte(payload)) + ".c2lnbmF0dXJl"
}

func TestAPassportIsReadAndWrittenAnew(t *testing.T) {
	sum := sha256.Sum256([]byte(token(claims)))
	for name, value := range map[string]string{
		"as in the RFC":        token(claims) + params,
		"with blanks":          " " + token(claims) + ` ; info = <https://cert.example/a;b.cer> ; alg=ES256 ; ppt=shaken `,
		"in another order":     token(claims) + `;ppt=SHAKEN;alg=ES256;info=<https://cert.example/a;b.cer>`,
		"with more parameters": token(claims) + `;x=y;info=<https://cert.example/a;b.cer>;alg=ES256;ppt=shaken;z`,
	} {
		t.Run(name, func(t *testing.T) {
			p, err := headers.ParsePassport(value)
			require.NoError(t, err)
			assert.Equal(t, token(claims)+params, p.Value)
			assert.Equal(t, "shaken", p.Type)
			assert.Equal(t, "A", p.Attest)
			assert.Equal(t, origin, p.OrigID)
			assert.Equal(t, time.Unix(1785585600, 0).UTC(), p.IssuedAt)
			assert.Equal(t, hex.EncodeToString(sum[:]), p.SHA256)
		})
	}
}

func TestAPassportIsAboutOneNumber(t *testing.T) {
	for number, want := range map[string]bool{
		"+31205550100": true, "+31 20 555-0100": true, "+31205550101": false,
		"31205550100": false, "0205550100": false, "": false, "anonymous": false,
	} {
		p, err := headers.ParsePassport(token(claims) + params)
		require.NoError(t, err)
		assert.Equal(t, want, p.Names(number), number)
	}
	nobody, err := headers.ParsePassport(token(`{"attest":"A"}`) + params)
	require.NoError(t, err)
	assert.False(t, nobody.Names(""))
	assert.False(t, nobody.Names("+"))
}

func TestOfAPassportOnlyWhatHasItsFormIsBelieved(t *testing.T) {
	for name, c := range map[string]struct {
		payload, attest, origid string
		issued                  bool
	}{
		"another attestation":   {`{"attest":"D","iat":1}`, "", "", true},
		"a small letter":        {`{"attest":"a"}`, "", "", false},
		"an origin that breaks": {`{"attest":"B","origid":"a\r\nb"}`, "B", "", false},
		"a long origin":         {`{"attest":"C","origid":"` + strings.Repeat("a", 65) + `"}`, "C", "", false},
		"a number for a word":   {`{"attest":1}`, "", "", false},
		"a time before time":    {`{"iat":-1}`, "", "", false},
		"a time beyond time":    {`{"iat":253402300800}`, "", "", false},
		"a fraction":            {`{"iat":1.5}`, "", "", false},
		"no JSON":               {`attest`, "", "", false},
		"nothing":               {``, "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			value := token(c.payload)
			if c.payload == "" {
				value = "e30.e30.c2ln"
			}
			p, err := headers.ParsePassport(value + params)
			require.NoError(t, err)
			assert.Equal(t, c.attest, p.Attest)
			assert.Equal(t, c.origid, p.OrigID)
			assert.Equal(t, c.issued, !p.IssuedAt.IsZero())
			assert.False(t, p.Names("+31205550100"))
		})
	}
}

func TestAPassportThatCannotGoOnIsOnlyEvidence(t *testing.T) {
	for name, value := range map[string]string{
		"the compact form":       "..c2lnbmF0dXJl;info=<https://cert.example/a>;alg=ES256",
		"without info":           token(claims) + ";alg=ES256",
		"info without brackets":  token(claims) + ";info=https://cert.example/a",
		"info that is no URI":    token(claims) + ";info=<nowhere>",
		"info with a line break": token(claims) + ";info=<https://cert.example/\r\nVia: x>",
		"info with blanks":       token(claims) + ";info=<https://cert.example/ a>",
		"no parameters":          token(claims),
	} {
		t.Run(name, func(t *testing.T) {
			p, err := headers.ParsePassport(value)
			require.NoError(t, err)
			assert.Empty(t, p.Value)
			assert.Len(t, p.SHA256, 64)
		})
	}
}

func TestWhatIsNoPassportIsRefused(t *testing.T) {
	for name, value := range map[string]string{
		"nothing": "", "one part": "a", "two parts": "a.b", "four parts": "a.b.c.d", "no signature": "a.b.",
		"half of the compact form": ".b.c", "other letters": "a.b!.c", "a line break": "a.b.c\r\nX: y", "a NUL": "a.b\x00.c",
		"longer than sane": "a.b." + strings.Repeat("c", 8192), "of the older RFC 4474": `"ZYNBbHC00VMZr2kZt6VmCvPonWJMGvQTBDqghoWeLxJfzB2a1pxAr3VgrB0SsSAa"`,
	} {
		_, err := headers.ParsePassport(value)
		assert.ErrorIs(t, err, headers.ErrPassport, name)
	}
}

func FuzzPassport(f *testing.F) {
	for _, s := range []string{token(claims) + params, "..c2ln;info=<https://a>", "a.b.c;info=<x:y>;ppt=\"\"", "a.b.c;info=>;;=;ppt", "a.b.c;info<a>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		p, err := headers.ParsePassport(value)
		if err != nil {
			return
		}
		for _, s := range []string{p.Value, p.Type, p.OrigID, p.SHA256} {
			if strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("%q", s)
			}
		}
		if p.Value == "" {
			return
		}
		again, err := headers.ParsePassport(p.Value)
		require.NoError(t, err)
		require.Equal(t, p, again, "what is written anew reads the same")
	})
}
