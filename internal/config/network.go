package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Network is how the gateway behaves toward the network on all its sides.
type Network struct {
	// KeepAlive is the time between two CRLF pings on TCP and TLS connections that
	// the gateway opened (RFC 5626 section 4.4.1); 0: none. Default 100 s.
	KeepAlive time.Duration
	DSCP      DSCP
}

// DSCP marks what is sent, 0 to 63 (RFC 2474). The defaults are those of RFC 4594:
// CS5, 40, for signalling and EF, 46, for media.
type DSCP struct{ Signalling, Media int }

func (r *reader) network(n *node) Network {
	dscp := n.get("dscp")
	return Network{
		KeepAlive: parsed(r, n.get("keepalive"), 100*time.Second, keepAlive),
		DSCP: DSCP{
			Signalling: parsed(r, dscp.get("signalling"), 40, parseDSCP),
			Media:      parsed(r, dscp.get("media"), 46, parseDSCP),
		},
	}
}

// keepAlive is a duration, or zero for none.
func keepAlive(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil && d == 0 {
		return 0, nil
	}
	return duration(time.Second, time.Hour)(s)
}

// parseDSCP reads a number, or one of the names of RFC 2474, 2597 and 3246.
func parseDSCP(s string) (int, error) {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n <= 63 && s == strconv.Itoa(n) {
		return n, nil
	}
	var class, drop int
	upper := strings.ToUpper(s)
	switch {
	case upper == "EF":
		return 46, nil
	case len(s) == 3 && scan(upper, "CS%1d", &class) && class <= 7:
		return 8 * class, nil
	case len(s) == 4 && scan(upper, "AF%1d%1d", &class, &drop) && class >= 1 && class <= 4 && drop >= 1 && drop <= 3:
		return 8*class + 2*drop, nil
	}
	return 0, demand(false, "must be from 0 to 63, or a name such as EF, CS5 or AF31")
}

func scan(s, format string, into ...any) bool {
	n, err := fmt.Sscanf(s, format, into...)
	return err == nil && n == len(into)
}
