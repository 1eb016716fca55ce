package config

import (
	"consentgw/internal/hours"
	"consentgw/internal/number"
)

// The values of a route's direction.
const (
	inbound  = "inbound"
	outbound = "outbound"
)

func (r *reader) route(n *node) Route {
	route := Route{
		Name:      r.text(n.get("name"), "", checkName),
		Outbound:  r.text(n.get("direction"), inbound, oneOf(inbound, outbound)) == outbound,
		Trunk:     r.text(n.get("trunk"), "", checkName),
		From:      number.Pattern(r.text(n.get("from"), "", checkPattern)),
		To:        number.Pattern(r.text(n.get("to"), "", checkPattern)),
		Rewrite:   Rewrite{From: r.rules(n.get("rewrite").list("from")), To: r.rules(n.get("rewrite").list("to"))},
		Platform:  r.text(n.get("platform"), "", checkName),
		Policy:    r.text(n.get("policy"), "", checkName),
		Recorders: texts(r, n.list("recorders"), checkName),
	}
	if route.Outbound {
		r.needs(n, "trunk", "name the trunk that the calls go to")
	}
	for _, w := range n.list("when") {
		route.When = append(route.When, r.window(w))
	}
	if when := n.get("when"); when != nil && when.kind == list && len(when.items) == 0 {
		r.fail(when, "is empty: leave it out for always")
	}
	return route
}

// checkPattern does not accept nothing: whoever means every number writes a star
// or leaves the key out.
func checkPattern(s string) error {
	if s == "" {
		return someText(s)
	}
	_, err := number.Pattern(s).Compile()
	return err
}

func (r *reader) window(n *node) hours.Window {
	w := hours.Window{
		Span: parsed(r, n.get("hours"), hours.Span{}, hours.ParseSpan),
		Zone: parsed(r, n.get("zone"), nil, hours.ParseZone),
	}
	for _, item := range n.list("days") {
		days := parsed(r, item, 0, hours.ParseDays)
		if w.Days&days != 0 {
			r.fail(item, "has a day that is listed already")
		}
		w.Days |= days
	}
	if days := n.get("days"); days != nil && days.kind == list && len(days.items) == 0 {
		r.fail(days, "is empty: leave it out for every day")
	}
	return w
}

func (r *reader) rules(items []*node) []number.Rule {
	var rules []number.Rule
	for _, n := range items {
		rule := number.Rule{
			Match:   number.Pattern(r.text(n.get("match"), "", checkPattern)),
			Replace: r.text(n.get("replace"), "", anyText),
		}
		if m, err := rule.Match.Compile(); err == nil && rule.Match != "" && n.has("replace") && n.get("replace").kind == scalar {
			if _, err := m.Template(rule.Replace); err != nil {
				r.wrong(n.get("replace"), err)
			}
		}
		rules = append(rules, rule)
	}
	return rules
}
