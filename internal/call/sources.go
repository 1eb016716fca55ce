package call

import (
	"net/netip"
	"time"

	"consentgw/internal/limit"
)

// limitSources makes the table of the sources, if anything is asked of them.
func (p *Plan) limitSources(c limit.SourcesConfig) {
	p.perSource = c
	if c.PerSecond > 0 || c.DropAfter > 0 {
		p.sources = limit.NewSources(c)
	}
}

// Stranger judges a request of a source that is in no trunk's network: Admit if
// it is in one, else whether the refusal is to be told or kept.
//
// Only a stranger is ever met with silence: the source of a datagram can be
// forged, and what is sent in a trunk's name must not cost it its calls.
func (p *Plan) Stranger(source netip.Addr, now time.Time) limit.Verdict {
	switch {
	case p.table.Knows(source.Unmap()):
		return limit.Admit
	case p.sources == nil:
		return limit.Refuse
	}
	return p.sources.Refused(source.Unmap(), now)
}

// tooFast counts an INVITE against what its source may send.
func (p *Plan) tooFast(source netip.Addr, now time.Time) bool {
	return p.sources != nil && p.sources.Admit(source.Unmap(), now) != limit.Admit
}
