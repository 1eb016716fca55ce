package config

import (
	"strings"

	"consentgw/internal/number"
)

// order warns of routes that no call reaches, because one before takes all of
// theirs. It does not look into expressions: two of them are the same only if
// they are written so.
func (r *reader) order(c *Config, root *node) {
	type pattern struct {
		trunk string
		to    number.Pattern
	}
	before := map[pattern]string{}
	for i, n := range root.list("routes") {
		route := c.Routes[i]
		if bad := n.get("to"); n.kind != mapping || bad != nil && route.To == "" {
			continue
		}
		for _, to := range covering(route.To) {
			first, taken := before[pattern{"", to}]
			if !taken {
				first, taken = before[pattern{route.Trunk, to}]
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
		if _, taken := before[pattern{route.Trunk, to}]; !taken {
			before[pattern{route.Trunk, to}] = n.path
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
