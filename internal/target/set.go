// Package target orders the addresses of a contact center for one call, and
// keeps what is known about their health: from OPTIONS, and from the calls.
//
// Nothing here reads a clock, starts a goroutine or sends a packet: the time is
// an argument, results are told, and the resolver is a function.
package target

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"consentgw/internal/config"
)

// shunned is how long an address that failed a call is tried after the others:
// long enough that a dead one does not delay every caller, short enough to come
// back soon.
const shunned = 20 * time.Second

// Set is the targets of one destination. It is safe for concurrent use.
type Set struct {
	downAfter, upAfter int
	lookup             Lookup
	draw               func() float64 // exponentially distributed, mean 1

	mu      sync.Mutex
	entries []*entry
}

// entry is one target of the configuration. Guarded by Set.mu.
type entry struct {
	target config.Target
	uri    uri
	hops   []*Hop
	records
}

// New makes the set of a destination, every target up. Until Resolve was called,
// targets that are to be looked up stand for their own name. A nil lookup is
// that of the system.
func New(d config.Destination, lookup Lookup) *Set {
	if lookup == nil {
		lookup = System
	}
	s := &Set{
		downAfter: max(1, d.Options.DownAfter), upAfter: max(1, d.Options.UpAfter),
		lookup: lookup, draw: rand.ExpFloat64,
	}
	for _, t := range d.Targets {
		e := &entry{target: t, uri: splitURI(t)}
		e.hops = []*Hop{{Target: t, set: s, uri: e.uri.String()}}
		s.entries = append(s.entries, e)
	}
	return s
}

// Inherit takes over the health of the addresses that s has in common with old,
// the set of an earlier configuration, and what was looked up for them. Nobody
// may use s before.
func (s *Set) Inherit(old *Set) {
	old.mu.Lock()
	defer old.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		i := slices.IndexFunc(old.entries, func(was *entry) bool {
			return was.target.URI == e.target.URI && was.target.Transport == e.target.Transport && was.target.SRV == e.target.SRV
		})
		if i < 0 {
			continue
		}
		e.hops, e.records = nil, old.entries[i].records
		for _, h := range old.entries[i].hops {
			same := *h
			same.set, same.Target = s, e.target
			e.hops = append(e.hops, &same)
		}
	}
}

// Hops is every address there is, in the order of the configuration: those to
// send OPTIONS to.
func (s *Set) Hops() []*Hop {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Hop
	for _, e := range s.entries {
		all = append(all, e.hops...)
	}
	return all
}

// AllDown reports whether no address is up, or there is none at all.
func (s *Set) AllDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if slices.ContainsFunc(e.hops, func(h *Hop) bool { return !h.down }) {
			return false
		}
	}
	return true
}

// Order is the addresses as one call tries them: by priority, by weighted chance
// within one priority; among the addresses of one target, by those of its SRV
// records. Those that failed a call lately come after all others, and those that
// are down last: one that came back without being noticed is better than none.
func (s *Set) Order(now time.Time) []*Hop {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []ranked
	for _, e := range s.entries {
		chance := s.chance(e.target.Weight)
		for _, h := range e.hops {
			list = append(list, ranked{h, h.rank(now), e.target.Priority, chance, h.priority, s.chance(h.weight)})
		}
	}
	slices.SortStableFunc(list, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank),
			cmp.Compare(a.priority, b.priority), cmp.Compare(a.chance, b.chance),
			cmp.Compare(a.recordPriority, b.recordPriority), cmp.Compare(a.recordChance, b.recordChance))
	})
	order := make([]*Hop, len(list))
	for i, r := range list {
		order[i] = r.hop
	}
	return order
}

// ranked is what an address is sorted by.
type ranked struct {
	hop            *Hop
	rank           int
	priority       int
	chance         float64
	recordPriority int
	recordChance   float64
}

// chance is an exponential draw per unit of weight: the smallest is first with a
// probability proportional to its weight, and so on for the rest, which is the
// selection of RFC 2782 without the share too many that it gives to its first
// record. Weight 0 comes first hardly ever, as the RFC asks.
func (s *Set) chance(weight int) float64 {
	const hardly = 1e-6
	return s.draw() / max(float64(weight), hardly)
}
