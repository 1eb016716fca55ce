package config

import (
	"strings"

	"consentgw/internal/hours"
	"consentgw/internal/number"
)

// Route sends calls to a platform. The first route that matches is taken.
type Route struct {
	Name string
	// Trunk is the name of a trunk; empty is any.
	Trunk string
	// From selects calling numbers, To called ones, both as they are after the
	// trunk's Normalize. Empty is any. A caller who is anonymous has the number "".
	From, To number.Pattern
	// When lists windows, one of which the call must come in; empty is always.
	When     []hours.Window
	Rewrite  Rewrite
	Platform string
	// Policy is empty on a plain relay: nobody is asked, nothing is recorded.
	Policy    string
	Recorders []string
}

// Rewrite changes the numbers of a call that a route has matched, by the first
// rule that fits each.
type Rewrite struct{ From, To []number.Rule }

// Matches reports whether the called number, as it stands in the request URI,
// is one of this route's. The trunk is not looked at.
func (r Route) Matches(called string) bool {
	if r.To == "" {
		return true
	}
	if prefix, ok := strings.CutSuffix(string(r.To), "*"); ok {
		return strings.HasPrefix(called, prefix)
	}
	return called == string(r.To)
}

// Route returns the first route that matches the trunk and the called number.
func (c *Config) Route(trunk, called string) (Route, bool) {
	for _, r := range c.Routes {
		if (r.Trunk == "" || r.Trunk == trunk) && r.Matches(called) {
			return r, true
		}
	}
	return Route{}, false
}
