package target

import (
	"net/netip"
	"slices"
	"strings"

	"consentgw/internal/config"
)

// Lead is a place that a platform has asked the gateway to call, by a REFER or
// a redirection, and that it may lead to.
type Lead struct {
	// URI is where to send to, with the user to call.
	URI  string
	User bool // URI has one
	// Place is host and port of it, for logs and records: the user may be a
	// number.
	Place string
	// Target holds what a target of the same host is told: password and
	// certificate. The zero Target: nothing.
	Target config.Target
}

// maxLead is the longest URI that is followed.
const maxLead = 255

// Lead reads a sip or sips URI and reports whether calls may be led there: to a
// host of a target, or one of those in also ("host" or "host:port", in small
// letters). A host that is a target by TLS is not followed to by less. Headers of
// the URI are left out, of its parameters all but the transport.
func (s *Set) Lead(text string, also []string) (Lead, bool) {
	u, ok := parseLead(text)
	if !ok {
		return Lead{}, false
	}
	lead := Lead{URI: u.String(), User: strings.HasSuffix(u.before, "@"), Place: u.address}
	if t, known := s.at(u.host); known {
		if byTLS(splitURI(t)) && !byTLS(u) {
			return Lead{}, false
		}
		lead.Target = t
		return lead, true
	}
	named := func(host string) bool { return plainHost(host) == u.host || host == u.address }
	return lead, slices.ContainsFunc(also, named)
}

func byTLS(u uri) bool { return u.secure || u.transport == "tls" }

// at returns the target of a host, one by TLS before others.
func (s *Set) at(host string) (found config.Target, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		hosts := []string{plainHost(e.uri.host)}
		for _, h := range e.hops {
			if h.Dest != "" {
				hosts = append(hosts, plainHost(hostOf(h.Dest)))
			}
		}
		if slices.Contains(hosts, host) && (!ok || byTLS(e.uri)) {
			found, ok = e.target, true
		}
	}
	return found, ok
}

// parseLead cuts a URI of a far end into what is kept of it.
func parseLead(text string) (uri, bool) {
	scheme, rest, _ := strings.Cut(text, ":")
	scheme = strings.ToLower(scheme)
	if len(text) > maxLead || scheme != "sip" && scheme != "sips" || strings.ContainsAny(text, " <>\"\\") || !printable(text) {
		return uri{}, false
	}
	user, hasUser := "", false
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, rest, hasUser = rest[:i], rest[i+1:], true
	}
	rest, _, _ = strings.Cut(rest, "?")
	cut := splitURI(config.Target{URI: scheme + ":" + rest})
	user, _, _ = strings.Cut(user, ";") // parameters of a number
	if cut.host == "" || hasUser && user == "" || strings.Contains(user, ":") {
		return uri{}, false // a password is not ours to pass on
	}
	u := uri{secure: cut.secure, transport: cut.transport, host: plainHost(cut.host), address: strings.ToLower(cut.address), before: scheme + ":"}
	if user != "" {
		u.before += user + "@"
	}
	switch u.transport {
	case "":
	case "udp", "tcp", "tls":
		u.after = ";transport=" + u.transport
	default:
		return uri{}, false
	}
	return u, true
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// hostOf is the host of host:port.
func hostOf(dest string) string { return splitURI(config.Target{URI: "sip:" + dest}).host }

// plainHost is a host by which two can be compared.
func plainHost(host string) string {
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return ip.Unmap().String()
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// Split returns the user of a sip or sips URI, as it is written, and its host with
// the port if it has one; of a tel URI the number, and no address.
func Split(text string) (user, address string, ok bool) {
	if scheme, number, _ := strings.Cut(text, ":"); strings.EqualFold(scheme, "tel") {
		number, _, _ = strings.Cut(number, ";")
		return number, "", number != "" && len(text) <= maxLead && printable(text)
	}
	u, ok := parseLead(text)
	if !ok {
		return "", "", false
	}
	_, user, _ = strings.Cut(u.before, ":")
	return strings.TrimSuffix(user, "@"), u.address, true
}
