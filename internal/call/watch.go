package call

import (
	"consentgw/internal/config"
	"consentgw/internal/target"
	"consentgw/sip"
)

// Watched is a destination whose targets are to be watched.
type Watched struct {
	Name    string // of the platform
	Options config.OptionsPing
	Targets *target.Set
}

// Watched are the destinations of the plan.
func (p *Plan) Watched() (all []Watched) {
	for _, platform := range p.platforms {
		all = append(all, Watched{platform.Name, platform.Options, platform.Targets})
	}
	return all
}

// TLS is what a connection to an address shows and trusts, as for its calls.
func (w Watched) TLS(h *target.Hop) *sip.ClientTLS { return clientTLS(h.Target, h.ServerName()) }
