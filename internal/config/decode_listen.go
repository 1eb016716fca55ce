package config

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

func (r *reader) listen(n *node) Listen {
	l := Listen{
		Trunk:    r.side(n.get("trunk"), PortRange{16384, 21999}),
		Platform: r.side(n.get("platform"), PortRange{22000, 26999}),
		API:      r.text(n.get("api"), "127.0.0.1:8080", checkAPI),
	}
	if n.has("recorder") {
		l.Recorder = r.side(n.get("recorder"), PortRange{27000, 31999})
	}
	return l
}

func (r *reader) side(n *node, ports PortRange) Side {
	advertise := n.get("advertise")
	s := Side{
		Media: parsed(r, n.get("media"), netip.Addr{}, parseMedia),
		Ports: parsed(r, n.get("ports"), ports, parsePorts),
		TLS:   r.listenTLS(n.get("tls")),
		Advertise: Advertise{
			SIP:   r.text(advertise.get("sip"), "", checkAdvertise),
			Media: parsed(r, advertise.get("media"), netip.Addr{}, parseMedia),
		},
	}
	for _, a := range n.list("sip") {
		s.SIP = append(s.SIP, parsed(r, a, SIPAddr{}, parseSIPAddr))
	}
	for i, a := range n.list("sip") {
		if s.SIP[i].Transport == "tls" && !n.has("tls") {
			r.fail(a, "needs %s.tls with cert and key: nobody trusts a server that cannot say who it is", n.path)
		}
	}
	return s
}

// listenTLS: a client certificate that nobody vouches for says nothing, so
// asking for one needs to know whom to believe.
func (r *reader) listenTLS(n *node) *TLS {
	if n == nil || n.kind != mapping {
		return nil
	}
	t := &TLS{
		Cert:       r.text(n.get("cert"), "", someText),
		Key:        r.text(n.get("key"), "", someText),
		CA:         r.text(n.get("ca"), "", someText),
		ClientAuth: r.text(n.get("client_auth"), "none", oneOf("none", "optional", "required")),
	}
	if t.ClientAuth == "optional" || t.ClientAuth == "required" {
		r.needs(n, "ca", "client_auth "+t.ClientAuth+" needs the authorities whose certificates are believed")
	}
	return t
}

// checkAPI accepts what net.Listen binds without a name server.
func checkAPI(s string) error {
	host, port, err := net.SplitHostPort(s)
	_, bad := strconv.ParseUint(port, 10, 16)
	_, ip := netip.ParseAddr(host)
	ok := err == nil && bad == nil && (ip == nil || host == "localhost" || host == "")
	return demand(ok, "must be an IP address or localhost, a colon and a port, such as 127.0.0.1:8080")
}

// checkAdvertise accepts the sent-by of a Via (RFC 3261 section 25.1) that leads
// to one host.
func checkAdvertise(s string) error {
	scheme, _, _ := strings.Cut(strings.ToLower(s), ":")
	err := checkHost(s)
	if err == errURI || scheme == "sip" || scheme == "sips" {
		return demand(false, "must be a host or host:port, such as 203.0.113.10 or sip.example.com:5060, an IPv6 address in brackets")
	}
	return err
}

func (r *reader) limits(n *node) Limits {
	return Limits{
		MaxCalls:     parsed(r, n.get("max_calls"), 0, whole(0, 1_000_000)),
		PerSourceCPS: parsed(r, n.get("per_source_cps"), 0, parseRate),
		DropAfter:    parsed(r, n.get("drop_after"), 0, whole(0, 1_000_000)),
		MaxCPU:       parsed(r, n.get("max_cpu"), 0, whole(0, 100)),
	}
}

var rateForm = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,6})?$`)

// parseRate is a number of calls per second; zero is no limit.
func parseRate(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	ok := err == nil && rateForm.MatchString(s) && (v == 0 || v >= 0.01) && v <= 100_000
	return v, demand(ok, "must be calls per second from 0.01 to 100000, such as 20 or 0.5, or 0 for no limit")
}
