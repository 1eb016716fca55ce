package route

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// sources finds trunks, or platforms, by the networks they call from. It asks
// once for each length of network that there is, longest first, however many
// networks.
type sources[T any] struct {
	kind    string // "trunk" or "platform"
	lengths []int  // of IPv6 and IPv4 networks alike
	owners  map[netip.Prefix][]owner[T]
}

type owner[T any] struct {
	name     string
	tlsNames []string
	peer     T
}

func newSources[T any](kind string, peers []T, origin func(T) (name string, from []netip.Prefix, tlsNames []string)) sources[T] {
	s := sources[T]{kind: kind, owners: map[netip.Prefix][]owner[T]{}}
	for _, peer := range peers {
		name, from, tlsNames := origin(peer)
		for _, p := range from {
			p = p.Masked()
			s.owners[p] = append(s.owners[p], owner[T]{name, tlsNames, peer})
			s.lengths = append(s.lengths, p.Bits())
		}
	}
	slices.Sort(s.lengths)
	s.lengths = slices.Compact(s.lengths)
	slices.Reverse(s.lengths)
	// Whoever has a name to show is asked for it before the one that takes the
	// rest of the network.
	for _, owners := range s.owners {
		slices.SortStableFunc(owners, func(a, b owner[T]) int {
			return min(1, len(b.tlsNames)) - min(1, len(a.tlsNames))
		})
	}
	return s
}

// known reports whether any network holds the source.
func (s sources[T]) known(source netip.Addr) bool {
	source = source.Unmap().WithZone("")
	return slices.ContainsFunc(s.lengths, func(bits int) bool {
		network, err := source.Prefix(bits)
		return err == nil && len(s.owners[network]) > 0
	})
}

// owner tells say what it looks at; nil if nobody wants to know.
func (s sources[T]) owner(source netip.Addr, identities []string, say func(string)) (peer T, ok bool) {
	source = source.Unmap().WithZone("")
	for _, bits := range s.lengths {
		network, err := source.Prefix(bits)
		if err != nil {
			continue // a length of the other family
		}
		for _, o := range s.owners[network] {
			owns := len(o.tlsNames) == 0 || named(o.tlsNames, identities)
			if say != nil {
				say(s.sentence(o, network, owns))
			}
			if owns {
				return o.peer, true
			}
		}
	}
	if say != nil {
		say("no " + s.kind + " owns the source")
	}
	return peer, false
}

func (s sources[T]) sentence(o owner[T], network netip.Prefix, owns bool) string {
	text := fmt.Sprintf("%s %s: the source is in %s", s.kind, o.name, network)
	if !owns {
		text += ", but without a certificate for " + strings.Join(o.tlsNames, " or ")
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
