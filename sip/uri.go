package sip

import (
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// userOf returns the user part of a sip, sips or tel URI: unescaped, without
// password and without parameters of the number, "" if there is none. sipgo
// leaves User empty for tel URIs (D6).
func userOf(u *siplib.Uri) string {
	var user string
	switch strings.ToLower(u.Scheme) {
	case "sip", "sips", "":
		user = u.User
	case "tel":
		user = u.Raw()
	}
	user, _, _ = strings.Cut(user, ";") // RFC 3261 section 19.1.6
	return unescape(user)
}

// unescape resolves %XX; what is no escape stays as it is.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, okHi := unhex(s[i+1])
			lo, okLo := unhex(s[i+2])
			if okHi && okLo {
				b.WriteByte(hi<<4 | lo)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// escapeUser writes a user part so that it cannot be taken for anything else:
// all but the unreserved characters and those RFC 3261 section 25.1 allows in
// a user part become %XX. A ';' is escaped as well: what we call is a user,
// not a number with parameters.
func escapeUser(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if alnum || strings.IndexByte("-_.!~*'()&=+$,", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// callerOf returns the caller's number: the user part of the first
// P-Asserted-Identity that has one (RFC 3325), else of From. "" if the caller
// is anonymous.
func callerOf(req *siplib.Request) string {
	for _, value := range headerValues(req, "P-Asserted-Identity") {
		for _, addr := range splitList(value) {
			var u siplib.Uri
			if siplib.ParseUri(addrSpec(addr), &u) != nil {
				continue
			}
			if user := callerUser(&u); user != "" {
				return user
			}
		}
	}
	if from := req.From(); from != nil {
		return callerUser(&from.Address)
	}
	return ""
}

// callerUser is userOf, but "" for the ways to be anonymous of RFC 3261
// section 8.1.1.3 and RFC 3323 section 4.1.1.3, and for users that hold
// control characters.
func callerUser(u *siplib.Uri) string {
	user := userOf(u)
	if strings.EqualFold(user, "anonymous") || strings.EqualFold(u.Host, "anonymous.invalid") || hasControl(user) {
		return ""
	}
	return user
}
