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

// known reports whether any network holds the source.
func (s sources) known(source netip.Addr) bool {
	source = source.Unmap().WithZone("")
	return slices.ContainsFunc(s.lengths, func(bits int) bool {
		network, err := source.Prefix(bits)
		return err == nil && len(s.owners[network]) > 0
	})
}

// owner tells say what it looks at; nil if nobody wants to know.
func (s sources) owner(source netip.Addr, identities []string, say func(string)) (config.Trunk, bool) {
	source = source.Unmap().WithZone("")
	for _, bits := range s.lengths {
		network, err := source.Prefix(bits)
		if err != nil {
			continue // a length of the other family
		}
		for _, t := range s.owners[network] {
			owns := len(t.TLSNames) == 0 || named(t.TLSNames, identities)
			if say != nil {
				say(sentence(t, network, owns))
			}
			if owns {
				return t, true
			}
		}
	}
	if say != nil {
		say("no trunk owns the source")
	}
	return config.Trunk{}, false
}

func sentence(t config.Trunk, network netip.Prefix, owns bool) string {
	text := fmt.Sprintf("trunk %s: the source is in %s", t.Name, network)
	if !owns {
		text += ", but without a certificate for " + strings.Join(t.TLSNames, " or ")
	}
	return text
}

// named compares without regard to case, and without wildcards (RFC 5922
// sections 7.2 and 7.4).
func named(names, identities []string) bool {
	return slices.ContainsFunc(identities, func(identity string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, identity) })
	})
}
