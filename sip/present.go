package sip

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// Presentation says who calls beyond From, and how URIs are written. Nothing of
// it changes where the INVITE goes. From never has a display name.
type Presentation struct {
	// Asserted are the URIs of P-Asserted-Identity (RFC 3325 section 9.1): sip,
	// sips and tel.
	Asserted []string
	// Privacy are the tokens of the Privacy header (RFC 3323 section 4.2):
	// "id", "header", "session", "user", "none", "critical", "history".
	Privacy []string
	// SessionID is our half of the Session-ID (RFC 7989), see NewSessionID;
	// "": none is sent.
	SessionID string
	// FromHost stands in From in place of our address: a host name or an IP
	// address, IPv6 in brackets. Anonymous callers have "anonymous.invalid"
	// (RFC 3323 section 4.1.1.3).
	FromHost string
	// RequestHost stands in the request URI and in To in place of the target's
	// host and port: "host" or "host:port".
	RequestHost string
	// ContactParams are what our Contact says about us in the whole dialog, as
	// header parameters: "+sip.src".
	ContactParams []string
}

const maxAsserted = 8

func (p *Presentation) check() error {
	if len(p.Asserted) > maxAsserted {
		return errors.New("sip: too many asserted identities")
	}
	for _, uri := range p.Asserted {
		if !isIdentityURI(uri) {
			return errors.New("sip: an asserted identity is not a sip, sips or tel URI")
		}
	}
	if err := checkParams(p.ContactParams); err != nil {
		return err
	}
	if err := checkTags(p.Privacy); err != nil {
		return errors.New("sip: a privacy value is not a token")
	}
	if p.SessionID != "" && !isSessionUUID(p.SessionID) {
		return errSessionID
	}
	if p.FromHost != "" && !isHost(p.FromHost) {
		return errors.New("sip: FromHost is not a host")
	}
	if host, port, ok := cutPort(p.RequestHost); p.RequestHost != "" && (!ok || !isHost(host) || port < 0) {
		return errors.New("sip: RequestHost is not a host with or without a port")
	}
	return nil
}

// isIdentityURI says whether s can stand in angle brackets in an identity
// header.
func isIdentityURI(s string) bool {
	scheme, rest, _ := strings.Cut(s, ":")
	switch strings.ToLower(scheme) {
	case "sip", "sips", "tel":
	default:
		return false
	}
	return rest != "" && len(s) <= maxURI && !hasControl(s) && !strings.ContainsAny(s, " <>\",")
}

// isHost says whether s is a host name or an IP address as a URI has it.
func isHost(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		return ok && err == nil && ip.Is6() && ip.Zone() == ""
	}
	return isHostname(s)
}

// cutPort splits "host:port"; the port is 0 if there is none.
func cutPort(s string) (host string, port int, ok bool) {
	end := strings.LastIndexByte(s, ']')
	i := strings.LastIndexByte(s, ':')
	if i <= end {
		return s, 0, true
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	return s[:i], int(n), err == nil && n > 0
}

// place writes RequestHost into a request URI.
func (p *Presentation) place(uri *siplib.Uri) {
	if host, port, _ := cutPort(p.RequestHost); host != "" {
		uri.Host, uri.Port = host, port
	}
}

func (p *Presentation) headers() []Header {
	var headers []Header
	for _, uri := range p.Asserted {
		headers = append(headers, Header{"P-Asserted-Identity", "<" + uri + ">"})
	}
	if len(p.Privacy) > 0 {
		headers = append(headers, Header{"Privacy", strings.Join(p.Privacy, ";")})
	}
	if s := sessionHeader(p.SessionID, ""); s != "" {
		headers = append(headers, Header{"Session-ID", s})
	}
	return headers
}
