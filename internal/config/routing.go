package config

import (
	"consentgw/internal/hours"
	"consentgw/internal/number"
)

// Route sends the calls of a trunk to a platform, or those of a platform to a
// trunk. The first route that matches is taken.
type Route struct {
	Name string
	// Outbound: the calls come from Platform and go to Trunk, which has targets.
	Outbound bool
	// Trunk is the name of a trunk; empty, of a route that is not outbound, is any.
	Trunk string
	// From selects calling numbers, To called ones, both as they are after the
	// trunk's Normalize unless the route is outbound. Empty is any. A caller who is anonymous has the number "".
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
