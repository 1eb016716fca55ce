package config

import (
	"strings"

	"consentgw/internal/number"
)

// callsOut: an outbound route needs somebody who calls, and somewhere to go.
func (r *reader) callsOut(c *Config, n *node, route Route) {
	for _, p := range c.Platforms {
		if p.Name == route.Platform && len(p.From) == 0 {
			r.fail(n.get("platform"), "has no from: say which networks its outbound calls come from")
		}
	}
	for _, t := range c.Trunks {
		if t.Name == route.Trunk && len(t.Targets) == 0 {
			r.fail(n.get("trunk"), "has no targets: say where its outbound calls are to be sent")
		}
	}
}

// order warns of routes that no call reaches, because one before takes all of
// theirs. It does not look into expressions: two of them are the same only if
// they are written so.
func (r *reader) order(c *Config, root *node) {
	type pattern struct {
		from string // a trunk, or the platform of an outbound route
		to   number.Pattern
	}
	before := map[pattern]string{}
	for i, n := range root.list("routes") {
		route := c.Routes[i]
		if bad := n.get("to"); n.kind != mapping || bad != nil && route.To == "" {
			continue
		}
		from := route.Trunk
		if route.Outbound {
			from = outbound + " " + route.Platform
		}
		for _, to := range covering(route.To) {
			first, taken := before[pattern{from, to}]
			if !taken && !route.Outbound {
				first, taken = before[pattern{"", to}]
			}
			if taken {
				r.warn(n, "is never reached: %s before it takes all of its calls", first)
				break
			}
		}
		if n.has("from") && route.From != "*" || n.has("when") {
			continue // it leaves calls over
		}
		to := route.To
		if to == "" {
			to = "*"
		}
		if _, taken := before[pattern{from, to}]; !taken {
			before[pattern{from, to}] = n.path
		}
	}
}

// covering lists the patterns that match every number this one matches, the
// widest first.
func covering(to number.Pattern) []number.Pattern {
	switch {
	case to == "":
		return []number.Pattern{"*"}
	case to[0] == '/':
		return []number.Pattern{"*", to}
	}
	prefix, _ := strings.CutSuffix(string(to), "*")
	var all []number.Pattern
	for i := range len(prefix) + 1 {
		all = append(all, number.Pattern(prefix[:i]+"*"))
	}
	if string(to) == prefix {
		all = append(all, to)
	}
	return all
}
