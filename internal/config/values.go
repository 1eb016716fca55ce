package config

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// parsed gives a value its type: the fallback if the key is absent, the zero
// value if what is there is wrong. The errors of parse begin with "must".
func parsed[T any](r *reader, n *node, fallback T, parse func(string) (T, error)) T {
	var zero T
	switch {
	case n == nil:
		return fallback
	case n.kind != scalar:
		return zero
	}
	v, err := parse(n.text)
	if err != nil {
		r.wrong(n, err)
		return zero
	}
	return v
}

// text is parsed for a string that check accepts.
func (r *reader) text(n *node, fallback string, check func(string) error) string {
	if n != nil && n.kind == scalar && n.boolean {
		r.fail(n, "must be text, is the boolean %s: put it in quotes", n.text)
		return ""
	}
	return parsed(r, n, fallback, func(s string) (string, error) { return s, check(s) })
}

// wrong adds a finding with the value, unless that may be a secret.
func (r *reader) wrong(n *node, err error) {
	if !n.shown() {
		r.fail(n, "%v", err)
		return
	}
	text := []rune(n.text)
	if len(text) > 60 {
		text = append(text[:60], '…')
	}
	r.fail(n, "%v; it is %q", err, string(text))
}

func texts(r *reader, items []*node, check func(string) error) []string {
	var all []string
	for _, n := range items {
		all = append(all, r.text(n, "", check))
	}
	return all
}

// demand pairs a condition with what is said if it does not hold.
func demand(ok bool, text string) error {
	if !ok {
		return errors.New(text)
	}
	return nil
}

func matching(form *regexp.Regexp, text string) func(string) error {
	return func(s string) error { return demand(form.MatchString(s), text) }
}

func anyText(string) error { return nil }

func someText(s string) error {
	return demand(strings.TrimSpace(s) != "", "must not be empty")
}

// Names become metric labels, parts of paths and columns of exports.
var checkName = matching(regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`),
	"must be 1 to 64 letters, digits, dots, dashes or underscores, the first one a letter or a digit")

func oneOf(words ...string) func(string) error {
	return func(s string) error {
		for _, w := range words {
			if s == w {
				return nil
			}
		}
		last := len(words) - 1
		return fmt.Errorf("must be %s or %s", strings.Join(words[:last], ", "), words[last])
	}
}

func whole(low, high int) func(string) (int, error) {
	return func(s string) (int, error) {
		v, err := strconv.Atoi(s)
		if err != nil || v < low || v > high {
			return 0, fmt.Errorf("must be a whole number from %d to %d", low, high)
		}
		return v, nil
	}
}

func parseBool(s string) (bool, error) {
	switch s {
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	return false, errors.New("must be true or false")
}

// duration bounds a time; zero is allowed only if low is zero.
func duration(low, high time.Duration) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		v, err := time.ParseDuration(s)
		if err != nil {
			return 0, errors.New("must be a time with its unit, such as 30s, 500ms or 1m30s")
		}
		if v < low || v > high {
			return 0, fmt.Errorf("must be from %v to %v", low, high)
		}
		return v, nil
	}
}

func parsePeriod(s string) (Period, error) { return Period(s), Period(s).check() }

var (
	errSIPAddr = errors.New("must be udp, tcp or tls, a colon, and an IP address with port, such as udp:192.0.2.10:5060")
	errPorts   = errors.New("must be two ports with a dash between, such as 16384-21999")
)

func parseSIPAddr(s string) (SIPAddr, error) {
	transport, rest, _ := strings.Cut(s, ":")
	if oneOf("udp", "tcp", "tls")(transport) != nil {
		return SIPAddr{}, errSIPAddr
	}
	ap, err := netip.ParseAddrPort(rest)
	if err != nil {
		return SIPAddr{}, errSIPAddr
	}
	addr, err := concrete(ap.Addr())
	return SIPAddr{transport, netip.AddrPortFrom(addr, ap.Port())}, err
}

func parseMedia(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, errors.New("must be an IP address, such as 192.0.2.10")
	}
	return concrete(addr)
}

// concrete refuses addresses that nobody can send to: ours stand in Via and
// Contact (RFC 3261) and in the c= line of SDP (RFC 8866 section 5.7).
func concrete(addr netip.Addr) (netip.Addr, error) {
	switch addr = addr.Unmap(); {
	case addr.IsUnspecified():
		return netip.Addr{}, errors.New("must be the concrete address of one host: " +
			"0.0.0.0 and :: lead nowhere when they stand in SIP and SDP, or as a destination")
	case addr.IsMulticast(), addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return netip.Addr{}, errors.New("must be the address of one host, not of a group")
	case addr.Zone() != "":
		return netip.Addr{}, errors.New("must be an address without a zone: SDP cannot carry one")
	}
	return addr, nil
}

func parseAddrPort(s string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 {
		return netip.AddrPort{}, errors.New("must be an IP address and a port, such as 192.0.2.30:6000")
	}
	addr, err := concrete(ap.Addr())
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addr, ap.Port()), nil
}

func parsePorts(s string) (PortRange, error) {
	from, to, ok := strings.Cut(s, "-")
	low, err1 := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
	high, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
	switch {
	case !ok || err1 != nil || err2 != nil:
		return PortRange{}, errPorts
	case low >= high:
		return PortRange{}, errors.New("must begin below its end")
	case low < 1024:
		return PortRange{}, errors.New("must begin at 1024 or higher: the ports below are reserved")
	case low%2 != 0 || high%2 != 1:
		return PortRange{}, errors.New("must begin at an even port and end at an odd one: RTP takes an even port, RTCP the one above")
	}
	return PortRange{uint16(low), uint16(high)}, nil
}

// parsePrefix takes a network, or a single address as a network of one.
func parsePrefix(s string) (netip.Prefix, error) {
	bad := errors.New("must be an IP address or a network, such as 192.0.2.0/24")
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, bad
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil || p.Addr().Is4In6():
		return netip.Prefix{}, bad
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("must be a network without host bits: did you mean %s", p.Masked())
	}
	return p, nil
}

var errHostPort = errors.New("must be host:port, such as redis.example.com:6379")

var hostForm = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

// isHost accepts an IP address, without brackets, or a host name.
func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || len(s) <= 253 && hostForm.MatchString(s)
}
