package route

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"consentgw/internal/config"
)

// sources finds trunks by the networks they call from. It asks once for each
// length of network that there is, longest first, however many networks.
type sources struct {
	lengths []int // of IPv6 and IPv4 networks alike
	owners  map[netip.Prefix][]config.Trunk
}

func newSources(trunks []config.Trunk) sources {
	s := sources{owners: map[netip.Prefix][]config.Trunk{}}
	for _, t := range trunks {
		for _, p := range t.From {
			p = p.Masked()
			s.owners[p] = append(s.owners[p], t)
			s.lengths = append(s.lengths, p.Bits())
		}
	}
	slices.Sort(s.lengths)
	s.lengths = slices.Compact(s.lengths)
	slices.Reverse(s.lengths)
	// Whoever has a name to show is asked for it before the trunk that takes the
	// rest of the network.
	for _, owners := range s.owners {
		slices.SortStableFunc(owners, func(a, b config.Trunk) int {
			return min(1, len(b.TLSNames)) - min(1, len(a.TLSNames))
		})
	}
	return s
}

// owner tells say, if there is one, what it looks at.
func (s sources) owner(source netip.Addr, identities []string, say func(string)) (config.Trunk, bool) {
	if say == nil {
		say = func(string) {}
	}
	source = source.Unmap().WithZone("")
	for _, bits := range s.lengths {
		network, err := source.Prefix(bits)
		if err != nil {
			continue // a length of the other family
		}
		for _, t := range s.owners[network] {
			if len(t.TLSNames) > 0 && !named(t.TLSNames, identities) {
				say(fmt.Sprintf("trunk %s: the source is in %s, but without a certificate for %s", t.Name, network, strings.Join(t.TLSNames, " or ")))
				continue
			}
			say(fmt.Sprintf("trunk %s: the source is in %s", t.Name, network))
			return t, true
		}
	}
	say("no trunk: the source is in none of their networks")
	return config.Trunk{}, false
}

// named compares without regard to case, and without wildcards (RFC 5922
// sections 7.2 and 7.4).
func named(names, identities []string) bool {
	return slices.ContainsFunc(identities, func(identity string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, identity) })
	})
}
