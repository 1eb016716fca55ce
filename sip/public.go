package sip

import (
	"fmt"
	"net/netip"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// public is how an endpoint is called from outside. The zero value is by the
// addresses that it is bound to.
type public struct {
	host string // without brackets
	port int    // 0: the listener's
}

// parsePublic reads Config.Advertise.
func parsePublic(text string) (public, error) {
	if text == "" {
		return public{}, nil
	}
	var u siplib.Uri
	fail := func() (public, error) {
		return public{}, fmt.Errorf("sip: advertise %q: want a host or host:port, IPv6 in brackets", cleaned(text))
	}
	if strings.ContainsAny(text, "@;?/ <>\"") || hasControl(text) || siplib.ParseUri("sip:"+text, &u) != nil {
		return fail()
	}
	host := strings.Trim(u.Host, "[]")
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && (ip.IsUnspecified() || ip.Zone() != "" || ip.Is6() != strings.HasPrefix(u.Host, "[")):
		return fail()
	case err != nil && !isHostname(host), u.Port < 0, u.Port > 65535:
		return fail()
	}
	return public{host, u.Port}, nil
}

// name is what Via and Contact call the listener that is bound to local.
func (p public) name(local netip.AddrPort) (host string, port int) {
	host, port = local.Addr().String(), int(local.Port())
	if p.host != "" {
		host = p.host
	}
	if p.port != 0 {
		port = p.port
	}
	return host, port
}
