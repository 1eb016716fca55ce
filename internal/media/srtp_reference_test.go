package media

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/sdp"
)

// reference is SRTP written down from RFC 3711 and RFC 7714 with the standard
// library only, to hold the one that we use against.
type reference struct {
	suite           sdp.Suite
	key, salt, auth []byte
}

// derive is the key derivation of RFC 3711 section 4.3.1 without a rate.
func derive(master, salt []byte, label byte, size int) []byte {
	x := make([]byte, 16)
	copy(x, salt)
	x[7] ^= label
	block, err := aes.NewCipher(master)
	if err != nil {
		return nil
	}
	out := make([]byte, size)
	cipher.NewCTR(block, x).XORKeyStream(out, out)
	return out
}

func newReference(suite sdp.Suite, key sdp.Key) *reference {
	_, size := profileOf(suite)
	master, salt := key.Bytes()[:size], key.Bytes()[size:]
	return &reference{suite, derive(master, salt, 0, size), derive(master, salt, 2, len(salt)), derive(master, salt, 1, 20)}
}

// seal protects a packet with a 12 byte header, in the given turn of its number.
func (r *reference) seal(packet []byte, roc uint32) []byte {
	block, err := aes.NewCipher(r.key)
	if err != nil {
		return nil
	}
	iv := make([]byte, 16)
	copy(iv, r.salt)
	turn := binary.BigEndian.AppendUint32(nil, roc)
	mix := func(at int, b []byte) {
		for i := range b {
			iv[at+i] ^= b[i]
		}
	}
	if r.suite == sdp.AEAD128 || r.suite == sdp.AEAD256 { // RFC 7714 section 8.1
		mix(2, packet[8:12])
		mix(6, turn)
		mix(10, packet[2:4])
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			return nil
		}
		return gcm.Seal(append([]byte(nil), packet[:12]...), iv[:12], packet[12:], packet[:12])
	}
	mix(4, packet[8:12]) // RFC 3711 section 4.1.1
	mix(8, turn)
	mix(12, packet[2:4])
	out := append([]byte(nil), packet...)
	cipher.NewCTR(block, iv).XORKeyStream(out[12:], out[12:])
	mac := hmac.New(sha1.New, r.auth)
	mac.Write(out)
	mac.Write(turn)
	tag := 10
	if r.suite == sdp.AESCM32 {
		tag = 4
	}
	return append(out, mac.Sum(nil)[:tag]...)
}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

func TestTheReferenceIsThatOfTheRFCs(t *testing.T) {
	// RFC 3711 appendix B.3.
	key := sdp.NewKey(unhex(t, "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6"))
	r := newReference(sdp.AESCM80, key)
	assert.Equal(t, unhex(t, "C61E7A93744F39EE10734AFE3FF7A087"), r.key)
	assert.Equal(t, unhex(t, "30CBBC08863D8C85D49DB34A9AE1"), r.salt)
	assert.Equal(t, unhex(t, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"), r.auth)
	// RFC 7714 section 16: session keys, packet and result.
	packet := unhex(t, "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573")
	salt := unhex(t, "51756964 2070726f 2071756f")
	for size, want := range map[int]string{
		16: `8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b
			36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce`,
		32: `8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f
			1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13`,
	} {
		session := make([]byte, size)
		for i := range session {
			session[i] = byte(i)
		}
		assert.Equal(t, unhex(t, want), (&reference{suite: sdp.AEAD128, key: session, salt: salt}).seal(packet, 0))
	}
}
