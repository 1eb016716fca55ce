package config

import (
	"errors"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

var (
	errURI = errors.New("must be a SIP URI, such as sip:192.0.2.20:5060 or sip:srs@recorder.example.com;transport=tcp")

	// RFC 3261 section 25.1: user, and the name and value of a uri-parameter.
	uriUser  = regexp.MustCompile(`^(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[0-9A-Fa-f]{2})+$`)
	uriParam = regexp.MustCompile(`^(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|%[0-9A-Fa-f]{2})+(?:=(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|%[0-9A-Fa-f]{2})+)?$`)
)

// checkURI accepts what may stand in a request line of ours: RFC 3261 section
// 19.1.1 without a password and without headers.
func checkURI(s string) error {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || len(s) > 255 || !strings.EqualFold(scheme, "sip") && !strings.EqualFold(scheme, "sips") {
		return errURI
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user := rest[:i]
		rest = rest[i+1:]
		if strings.Contains(user, ":") {
			return errors.New("must not have a password: SIP would send it in clear")
		}
		if !uriUser.MatchString(user) {
			return errURI
		}
	}
	if strings.Contains(rest, "?") {
		return errors.New("must not have headers after a ?")
	}
	parts := strings.Split(rest, ";")
	if err := checkHost(parts[0]); err != nil {
		return err
	}
	for _, p := range parts[1:] {
		if !uriParam.MatchString(p) {
			return errURI
		}
		name, value, _ := strings.Cut(strings.ToLower(p), "=")
		if name == "transport" && oneOf("udp", "tcp", "tls")(value) != nil {
			return errors.New("must have udp, tcp or tls as its transport")
		}
	}
	return nil
}

// checkHost accepts host or host:port, an IPv6 address in brackets.
func checkHost(s string) error {
	host, port, hasPort := s, "", false
	if inside, ok := strings.CutPrefix(s, "["); ok {
		v6, after, closed := strings.Cut(inside, "]")
		addr, err := netip.ParseAddr(v6)
		if !closed || err != nil || !addr.Is6() || addr.Zone() != "" || after != "" && after[0] != ':' {
			return errURI
		}
		host = v6
		port, hasPort = strings.CutPrefix(after, ":")
	} else if host, port, hasPort = strings.Cut(s, ":"); !isHost(host) {
		return errURI
	}
	if n, err := strconv.ParseUint(port, 10, 16); hasPort && (err != nil || n == 0) {
		return errors.New("must have a port from 1 to 65535, or none")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		_, err = concrete(addr)
		return err
	}
	return nil
}
