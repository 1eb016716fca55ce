// Package headers decides which SIP headers go to a platform and what stands in
// them: the consent headers in the form that each kind of platform reads, those
// of the caller's that the configuration lets through, and where the call was
// before. It also reads the Identity header of the caller.
//
// Nothing of the caller's goes on as it came. A value is taken apart and written
// anew, or it is checked character by character and bounded; what does not pass
// is left out. Everything here is a pure function of its arguments.
package headers

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Field is one header.
type Field struct{ Name, Value string }

// Bounds of what is passed on of one INVITE, in bytes. All headers to a platform
// together are to stay below some 4 KB, which is what the smaller ones take.
const (
	maxName   = 64
	maxValue  = 512
	maxPassed = 2048
)

// clean is a value of the caller's as it may be written: without blanks around
// it and without tabs. It reports false for one with control characters, broken
// UTF-8, or beyond the bound.
func clean(value string) (string, bool) {
	value = strings.TrimSpace(strings.ReplaceAll(value, "\t", " "))
	bad := strings.ContainsFunc(value, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' // separators of lines and paragraphs
	})
	return value, value != "" && len(value) <= maxValue && utf8.ValidString(value) && !bad
}

// isToken says whether s is a token (RFC 3261 section 25.1).
func isToken(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte("-.!%*_+`'~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// escape writes every byte as %XX that is neither a letter, a digit nor one of
// safe.
func escape(s, safe string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isAlnum(c) || strings.IndexByte(safe, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// URI is the SIP URI of a number or a user at host, a host name or an IP
// address, IPv6 in brackets (RFC 3261 section 19.1). A telephone number is marked
// as one.
func URI(user, host string) string {
	uri := "sip:" + escape(user, "-_.!~*'()&=+$,") + "@" + host
	if isPhone(user) {
		uri += ";user=phone"
	}
	return uri
}

// isPhone says whether s is a telephone number without any separators.
func isPhone(s string) bool {
	digits := strings.TrimPrefix(s, "+")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}
