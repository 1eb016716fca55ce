package target

import (
	"strings"

	"consentgw/internal/config"
)

// uri is a SIP URI that package config accepted, cut where an address can be put
// in.
type uri struct {
	before    string // scheme and user
	host      string
	address   string // host and port
	after     string // parameters
	secure    bool   // sips
	transport string // udp if neither the URI nor the target says another
}

func splitURI(t config.Target) uri {
	scheme, rest, _ := strings.Cut(t.URI, ":")
	u := uri{secure: strings.EqualFold(scheme, "sips"), before: scheme + ":"}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		u.before += rest[:i+1]
		rest = rest[i+1:]
	}
	u.address = rest
	if i := strings.IndexByte(rest, ';'); i >= 0 {
		u.address, u.after = rest[:i], rest[i:]
	}
	u.host = u.address
	if i := strings.LastIndexByte(u.host, ':'); i > strings.LastIndexByte(u.host, ']') {
		u.host = u.host[:i]
	}
	said := false
	for p := range strings.SplitSeq(strings.ToLower(u.after), ";") {
		if value, ok := strings.CutPrefix(p, "transport="); ok {
			u.transport, said = value, true
		}
	}
	if t.Transport != "" && !said && !u.secure {
		u.transport = t.Transport
		u.after += ";transport=" + t.Transport
	}
	return u
}

// String is the URI itself, with the transport of its target.
func (u uri) String() string { return u.before + u.address + u.after }

// at is the URI with another host and port, if one is given.
func (u uri) at(dest string) string {
	if dest != "" {
		u.address = dest
	}
	return u.String()
}

// service is what to look up, by RFC 3263 section 4.2 and RFC 3261 section
// 26.2.2: what is reached by TLS is _sips._tcp.
func (u uri) service() (service, proto string) {
	switch {
	case u.secure, u.transport == "tls":
		return "sips", "tcp"
	case u.transport == "tcp":
		return "sip", "tcp"
	}
	return "sip", "udp"
}
