package sip

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// answerMalformed answers a datagram that sipgo cannot parse, if it is a
// request and says whom to answer, and reports whether it was malformed. sipgo
// itself would drop it, and the sender would repeat it for 32 s without ever
// learning why. Nothing is kept of it.
func (e *Endpoint) answerMalformed(c net.PacketConn, datagram []byte, from *net.UDPAddr) bool {
	if _, err := e.parser.ParseSIP(datagram); err == nil {
		return false
	}
	if res, port := malformedResponse(datagram, from.AddrPort()); res != "" {
		to := net.UDPAddr{IP: from.IP, Port: port, Zone: from.Zone}
		// Lost like any datagram, if it is.
		_, _ = c.WriteTo([]byte(res), &to)
	}
	return true
}

// malformedResponse is the answer to a request of which only the header lines
// that a response repeats can be read (RFC 3261 section 8.2.6.2), and the port
// it goes to; "" if there is none. Repeated are lines that are clean, to their
// sender alone.
func malformedResponse(datagram []byte, from netip.AddrPort) (text string, port int) {
	head, _, _ := bytes.Cut(datagram, []byte("\r\n\r\n"))
	lines := strings.Split(unfold(string(head)), "\r\n")
	start := strings.Fields(lines[0])
	if len(start) < 2 || !isToken(start[0]) || start[0] == string(siplib.ACK) {
		return "", 0
	}
	repeated := make(map[string][]string)
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		switch name = longForm(name); name {
		case "via", "from", "to", "call-id", "cseq":
			if !ok || hasControlButTab(value) {
				return "", 0
			}
			repeated[name] = append(repeated[name], strings.TrimSpace(value))
		}
	}
	if len(repeated["via"]) == 0 {
		return "", 0
	}
	port = answerPort(repeated["via"][0], int(from.Port()))
	repeated["via"][0] = seenAt(repeated["via"][0], from)
	var b strings.Builder
	b.WriteString("SIP/2.0 " + malformedStatus(start[1]) + "\r\n")
	for _, h := range []struct{ name, key string }{
		{"Via", "via"}, {"From", "from"}, {"To", "to"}, {"Call-ID", "call-id"}, {"CSeq", "cseq"},
	} {
		for _, v := range repeated[h.key] {
			if h.key == "to" && !strings.Contains(strings.ToLower(v), "tag=") {
				v += ";tag=malformed" // no dialog will ever be made with it
			}
			fmt.Fprintf(&b, "%s: %s\r\n", h.name, v)
		}
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	return b.String(), port
}

// malformedStatus says what is wrong as far as the request URI tells.
func malformedStatus(uri string) string {
	scheme, _, ok := strings.Cut(uri, ":")
	switch strings.ToLower(scheme) {
	case "sip", "sips", "tel":
	default:
		if ok && isToken(scheme) {
			return "416 Unsupported URI Scheme"
		}
	}
	return "400 Bad Request"
}

// unfold joins continued header lines (RFC 3261 section 7.3.1).
func unfold(s string) string {
	return strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(s)
}

// answerPort reads from a Via where a response goes: see responsePort.
func answerPort(via string, source int) int {
	fields := splitParams(splitList(via)[0])
	for _, f := range fields[1:] {
		if name, _, _ := strings.Cut(f, "="); strings.EqualFold(strings.TrimSpace(name), "rport") {
			return source
		}
	}
	sentBy := fields[0]
	if i := strings.LastIndexByte(sentBy, ':'); i > strings.LastIndexByte(sentBy, ']') {
		if n, err := strconv.ParseUint(strings.TrimSpace(sentBy[i+1:]), 10, 16); err == nil && n > 0 {
			return int(n)
		}
	}
	return defaultPort
}

// seenAt fills in the rport of a Via (RFC 3581 section 4).
func seenAt(via string, from netip.AddrPort) string {
	for _, end := range []string{";", ",", " "} {
		if before, after, ok := strings.Cut(via+end, ";rport"+end); ok {
			return before + fmt.Sprintf(";rport=%d;received=%s", from.Port(), from.Addr().Unmap()) +
				strings.TrimSuffix(end+after, end)
		}
	}
	return via
}
