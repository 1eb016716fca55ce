// Package route finds the trunk that a request belongs to and the route that
// its call takes, and says why.
//
// A call goes three steps: the trunk, or the platform of an outbound call, is known
// by the source address and the client certificate; the numbers are normalised as
// the trunk says; the first route that matches source, numbers and time is taken,
// and rewrites them.
package route

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"consentgw/internal/config"
	"consentgw/internal/number"
)

// Table is the trunks and routes of one configuration, ready to be asked. It
// does not change, and may be shared.
type Table struct {
	sources   sources[config.Trunk]
	platforms sources[config.Platform]
	plans     map[string]number.Plan // by trunk; none for one that is not normalised
	routes    []entry
}

// entry is one route, compiled.
type entry struct {
	config.Route
	from, to               *number.Matcher
	rewriteFrom, rewriteTo number.Rewriter
}

// Choice is the route of one call.
type Choice struct {
	Route config.Route
	// From and To are the calling and the called number as the far side shall see
	// them.
	From, To string
	// Why explains the choice, a sentence a line; only Explain fills it. It holds
	// numbers: show it to whoever asked, and log it nowhere.
	Why []string
}

// New compiles the trunks and routes of a configuration. One that Load accepted
// has no errors here; of any other all are reported.
func New(cfg *config.Config) (*Table, error) {
	t := &Table{plans: map[string]number.Plan{}}
	t.sources = newSources("trunk", cfg.Trunks, func(t config.Trunk) (string, []netip.Prefix, []string) {
		return t.Name, t.From, t.TLSNames
	})
	t.platforms = newSources("platform", cfg.Platforms, func(p config.Platform) (string, []netip.Prefix, []string) {
		return p.Name, p.From, p.TLSNames
	})
	var problems []error
	for _, trunk := range cfg.Trunks {
		if trunk.Normalize != config.NormalizeE164 {
			continue
		}
		plan, ok := number.PlanOf(trunk.Country)
		if !ok {
			problems = append(problems, fmt.Errorf("trunk %q: the numbering plan of country %q is not known", trunk.Name, trunk.Country))
		}
		t.plans[trunk.Name] = plan
	}
	for _, route := range cfg.Routes {
		e, err := compile(route)
		if err != nil {
			problems = append(problems, fmt.Errorf("route %q: %w", route.Name, err))
		}
		t.routes = append(t.routes, e)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return t, nil
}

func compile(r config.Route) (entry, error) {
	from, err1 := r.From.Compile()
	to, err2 := r.To.Compile()
	rewriteFrom, err3 := number.Compile(r.Rewrite.From)
	rewriteTo, err4 := number.Compile(r.Rewrite.To)
	e := entry{Route: r, from: from, to: to, rewriteFrom: rewriteFrom, rewriteTo: rewriteTo}
	return e, errors.Join(about("from", err1), about("to", err2), about("rewrite.from", err3), about("rewrite.to", err4))
}

func about(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %w", key, err)
}

// Trunk returns the trunk that owns a source: the one with the longest network
// that contains it. A trunk that demands a certificate owns a source only
// together with one of its names; identities are those that the client has
// proved, as Identities gives them.
func (t *Table) Trunk(source netip.Addr, identities []string) (config.Trunk, bool) {
	return t.sources.owner(source, identities, nil)
}

// Platform is Trunk for a source on the platforms' side.
func (t *Table) Platform(source netip.Addr, identities []string) (config.Platform, bool) {
	return t.platforms.owner(source, identities, nil)
}

// Knows reports whether an address is in a network of some trunk, with whatever
// certificate.
func (t *Table) Knows(source netip.Addr) bool { return t.sources.known(source) }

// Match returns the first route for a call of a trunk, with its numbers
// rewritten. Trunk is a name; from is "" for a caller who is anonymous.
func (t *Table) Match(trunk, from, to string, at time.Time) (Choice, bool) {
	return t.match(source{name: trunk}, t.normalise(trunk, from), t.normalise(trunk, to), at)
}

// MatchOutbound is Match for a call of a platform. Its numbers are taken as they
// are.
func (t *Table) MatchOutbound(platform, from, to string, at time.Time) (Choice, bool) {
	return t.match(source{platform, true}, from, to, at)
}

// source is who places a call.
type source struct {
	name     string // of a trunk, or of a platform
	outbound bool
}

func (t *Table) match(s source, from, to string, at time.Time) (Choice, bool) {
	for i := range t.routes {
		if e := &t.routes[i]; e.takes(s, from, to, at) {
			c := Choice{Route: e.Route}
			c.From, _ = e.rewriteFrom.Rewrite(from)
			c.To, _ = e.rewriteTo.Rewrite(to)
			return c, true
		}
	}
	return Choice{}, false
}

func (t *Table) normalise(trunk, n string) string { return t.plans[trunk].E164(n) }

func (e *entry) takes(s source, from, to string, at time.Time) bool {
	return e.isFor(s) && e.to.Match(to) && e.from.Match(from) && e.open(at)
}

func (e *entry) isFor(s source) bool {
	switch {
	case e.Outbound != s.outbound:
		return false
	case s.outbound:
		return e.Platform == s.name
	}
	return e.Trunk == "" || e.Trunk == s.name
}

// open reports whether the route is taken at a time.
func (e *entry) open(at time.Time) bool {
	for _, w := range e.When {
		if w.Contains(at) {
			return true
		}
	}
	return len(e.When) == 0
}
