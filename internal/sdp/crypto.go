package sdp

import (
	"encoding/base64"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// Suite is an SRTP crypto suite of SDES by its registered name.
type Suite string

// The suites that are understood.
const (
	AESCM80 Suite = "AES_CM_128_HMAC_SHA1_80" // RFC 4568 section 6.2.1
	AESCM32 Suite = "AES_CM_128_HMAC_SHA1_32" // RFC 4568 section 6.2.2
	AEAD128 Suite = "AEAD_AES_128_GCM"        // RFC 7714 section 14.2
	AEAD256 Suite = "AEAD_AES_256_GCM"
)

// Suites are all of them, in the order in which we offer them.
func Suites() []Suite { return []Suite{AEAD256, AEAD128, AESCM80, AESCM32} }

// KeyBytes is the length of a master key and its salt together; 0 for a suite
// that is not understood.
func (s Suite) KeyBytes() int {
	switch s {
	case AESCM80, AESCM32:
		return 16 + 14
	case AEAD128:
		return 16 + 12
	case AEAD256:
		return 32 + 12
	}
	return 0
}

// Key is a master key with its salt. However it is printed, the key itself is
// not shown (law L8).
type Key struct {
	secret *hidden
	// Lifetime is after how many packets its owner will use it no more, 1 to
	// 2^48; 0: not said, which means 2^48 (RFC 3711 section 9.2). It is the owner's
	// to keep: a call does not last so long that it would have to be enforced.
	Lifetime uint64
	// MKI is the number that packets under this key bear, in MKIBytes bytes,
	// 0 to 128; 0 bytes: they bear none (RFC 3711 section 3.1).
	MKI      uint64
	MKIBytes int
}

// hidden stands behind two pointers, because package fmt follows one of them when
// it prints a structure around a key with a verb that does not fit.
type hidden struct{ bytes *[]byte }

// NewKey is a key without an identifier. b is master key and salt, and is not
// modified afterwards.
func NewKey(b []byte) Key { return Key{secret: &hidden{&b}} }

// Bytes are master key and salt, not to be modified; nil for the zero Key.
func (k Key) Bytes() []byte {
	if k.secret == nil {
		return nil
	}
	return *k.secret.bytes
}

// Same reports whether two keys are one, with the same identifier.
func (k Key) Same(o Key) bool {
	return k.MKI == o.MKI && k.MKIBytes == o.MKIBytes && slices.Equal(k.Bytes(), o.Bytes())
}

// Format writes that there is a key, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { f.Write([]byte("(key)")) }

// Crypto is one a=crypto line (RFC 4568 section 9.1) that can be used. One that
// cannot stays among the other attributes of its media.
type Crypto struct {
	Tag   int // 0 to 999999999
	Suite Suite
	Keys  []Key // of its author; several are told apart by their MKI
}

// maxKeys is how many keys of one line are taken.
const maxKeys = 8

// parseCrypto reads the value of a=crypto:
//
//	1 AES_CM_128_HMAC_SHA1_80 inline:<base64>|2^20|1:4;inline:... WSH=64
//
// It refuses what RFC 4568 section 6 does not allow, suites that are not
// understood, and session parameters that would change or weaken the protection.
func parseCrypto(value string) (c Crypto, ok bool) {
	f := fields(value)
	if len(f) < 3 || len(f[0]) > 9 {
		return c, false
	}
	tag, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil {
		return c, false
	}
	c.Tag, c.Suite = int(tag), Suite(strings.ToUpper(f[1]))
	size := c.Suite.KeyBytes()
	if size == 0 || slices.ContainsFunc(f[3:], harmful) {
		return c, false
	}
	for param := range strings.SplitSeq(f[2], ";") {
		key, ok := parseKey(param, size)
		if !ok || len(c.Keys) == maxKeys {
			return c, false
		}
		c.Keys = append(c.Keys, key)
	}
	return c, toldApart(c.Keys)
}

// harmful reports whether a session parameter must not be passed over. The
// window size is a hint; what begins with a dash may be ignored (section 6.3.8);
// all others change keys or switch a protection off, or are unknown.
func harmful(param string) bool {
	return !strings.HasPrefix(param, "-") && !strings.HasPrefix(strings.ToUpper(param), "WSH=")
}

// toldApart: several keys need identifiers, all different and of one length
// (section 6.1).
func toldApart(keys []Key) bool {
	for i, k := range keys {
		same := func(o Key) bool { return o.MKI == k.MKI }
		if len(keys) > 1 && (k.MKIBytes == 0 || k.MKIBytes != keys[0].MKIBytes || slices.ContainsFunc(keys[:i], same)) {
			return false
		}
	}
	return true
}

// parseKey reads "inline:<key and salt> [|lifetime] [|MKI:length]".
func parseKey(param string, size int) (k Key, ok bool) {
	method, info, _ := strings.Cut(param, ":")
	if !strings.EqualFold(method, "inline") {
		return k, false
	}
	part := strings.Split(info, "|")
	// The padding is discarded (section 6.1), and some leave it out.
	secret, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(part[0], "="))
	if err != nil || len(secret) != size {
		return k, false
	}
	k = NewKey(secret)
	rest := part[1:]
	if len(rest) > 0 && !strings.Contains(rest[0], ":") {
		if k.Lifetime, ok = parseLifetime(rest[0]); !ok {
			return k, false
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		if k.MKI, k.MKIBytes, ok = parseMKI(rest[0]); !ok {
			return k, false
		}
		rest = rest[1:]
	}
	return k, len(rest) == 0
}

// maxLifetime is that of an SRTP master key (RFC 3711 section 9.2).
const maxLifetime = 1 << 48

// parseLifetime reads a number of packets, "2^20" or "1048576".
func parseLifetime(s string) (uint64, bool) {
	power, isPower := strings.CutPrefix(s, "2^")
	n, ok := decimal(power)
	if isPower {
		return 1 << min(n, 63), ok && n <= 48
	}
	return n, ok && n >= 1 && n <= maxLifetime
}

// parseMKI reads "1:4". An identifier is positive and fits into its bytes.
func parseMKI(s string) (value uint64, length int, ok bool) {
	first, second, _ := strings.Cut(s, ":")
	value, ok = decimal(first)
	n, also := decimal(second)
	if !ok || !also || value == 0 || n < 1 || n > 128 || bits.Len64(value) > 8*int(n) {
		return 0, 0, false
	}
	return value, int(n), true
}

// decimal reads digits only: no sign.
func decimal(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && s[0] != '+'
}

// text is the value of the a=crypto line.
func (c Crypto) text() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(c.Tag) + " " + string(c.Suite) + " ")
	for i, k := range c.Keys {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString("inline:" + base64.StdEncoding.EncodeToString(k.Bytes()))
		if k.Lifetime > 0 {
			b.WriteString("|" + strconv.FormatUint(k.Lifetime, 10))
		}
		if k.MKIBytes > 0 {
			b.WriteString("|" + strconv.FormatUint(k.MKI, 10) + ":" + strconv.Itoa(k.MKIBytes))
		}
	}
	return b.String()
}
