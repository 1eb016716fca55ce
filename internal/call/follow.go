package call

import (
	"reflect"
	"slices"
)

// Follow puts a plan in force for every call that comes from now on. Calls that
// are up go on with the plan that they began with, to their end.
//
// What the plan before has learned of trunks and targets that stay the same goes
// on in p, so p must be fresh and not in force anywhere.
func (s *Service) Follow(p *Plan) {
	p.inherit(s.inForce.Load())
	s.inForce.Store(p)
}

// InForce is the plan that the next call follows.
func (s *Service) InForce() *Plan { return s.inForce.Load() }

// Overloaded reports whether calls are refused because the processors are busy.
func (s *Service) Overloaded() bool {
	limit := s.InForce().maxCPU
	return limit > 0 && s.CPU() >= float64(limit)
}

// inherit takes over the rates of trunks and sources and the health of targets.
func (p *Plan) inherit(old *Plan) {
	if p.perSource == old.perSource {
		p.sources = old.sources
	}
	for name, bucket := range p.rates {
		if was := old.rates[name]; was != nil && was.Rate() == bucket.Rate() {
			p.rates[name] = was
		}
	}
	for _, carrier := range p.carriers {
		i := slices.IndexFunc(old.carriers, func(was *Carrier) bool { return was.Name == carrier.Name })
		if i >= 0 && reflect.DeepEqual(old.carriers[i].Destination, carrier.Destination) {
			carrier.Targets = old.carriers[i].Targets
		}
	}
	for _, platform := range p.platforms {
		i := slices.IndexFunc(old.platforms, func(was *Platform) bool { return was.Name == platform.Name })
		switch {
		case i < 0:
		case reflect.DeepEqual(old.platforms[i].Platform, platform.Platform):
			platform.Targets = old.platforms[i].Targets
		case platform.Options.Every == 0 && old.platforms[i].Options.Every > 0:
			// Nobody would notice that a target that was down has come back.
		default:
			platform.Targets.Inherit(old.platforms[i].Targets)
		}
	}
}
