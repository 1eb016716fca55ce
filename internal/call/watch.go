package call

import (
	"consentgw/internal/config"
	"consentgw/internal/target"
	"consentgw/sip"
)

// Watched is a destination whose targets are to be watched.
type Watched struct {
	Name    string // of the platform, or of the trunk
	Trunk   bool   // it is a trunk, on whose side it is to be asked
	Options config.OptionsPing
	Targets *target.Set
}

// Watched are the destinations of the plan.
func (p *Plan) Watched() (all []Watched) {
	for _, platform := range p.platforms {
		all = append(all, Watched{platform.Name, false, platform.Options, platform.Targets})
	}
	for _, carrier := range p.carriers {
		if len(carrier.Destination.Targets) > 0 {
			all = append(all, Watched{carrier.Name, true, carrier.Options, carrier.Targets})
		}
	}
	return all
}

// Kind is "platform" or "trunk".
func (w Watched) Kind() string {
	if w.Trunk {
		return "trunk"
	}
	return "platform"
}

// TLS is what a connection to an address shows and trusts, as for its calls.
func (w Watched) TLS(h *target.Hop) *sip.ClientTLS { return clientTLS(h.Target, h.ServerName()) }
