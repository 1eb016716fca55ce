package config

import (
	"net"
	"net/netip"
	"slices"
)

// relate checks the values against each other: names, references, addresses
// and the order of the routes.
func (r *reader) relate(c *Config, root *node) {
	trunks := r.named(root.list("trunks"))
	platforms := r.named(root.list("platforms"))
	recorders := r.named(root.list("recorders"))
	policies := r.named(root.list("policies"))
	r.named(root.list("routes"))
	for i, n := range root.list("routes") {
		route := c.Routes[i]
		r.refers(n.get("trunk"), route.Trunk, "trunk", trunks)
		r.refers(n.get("platform"), route.Platform, "platform", platforms)
		r.refers(n.get("policy"), route.Policy, "policy", policies)
		for j, item := range n.list("recorders") {
			r.refers(item, route.Recorders[j], "recorder", recorders)
		}
		r.recordable(c, n, route)
		if route.Outbound {
			r.callsOut(c, n, route)
		}
	}
	r.purposes(c, root)
	r.sources(c, root)
	r.certificates(c, root)
	r.order(c, root)
	r.sockets(c, root.get("listen"))
	r.siprecAddress(c, root)
	r.exposed(c, root)
	r.keysInClear(c, root)
	r.advertised(c, root)
}

// named collects the names of a list and refuses the second of two equal ones.
func (r *reader) named(items []*node) []string {
	var names []string
	first := map[string]string{}
	for _, item := range items {
		n := item.get("name")
		if n == nil || n.kind != scalar || checkName(n.text) != nil {
			continue
		}
		if before, twice := first[n.text]; twice {
			r.fail(n, "is the name of %s already", before)
			continue
		}
		first[n.text] = item.path
		names = append(names, n.text)
	}
	return names
}

func (r *reader) refers(n *node, name, what string, names []string) {
	if n == nil || name == "" {
		return
	}
	for _, known := range names {
		if known == name {
			return
		}
	}
	if !n.shown() {
		r.fail(n, "no %s has this name", what)
		return
	}
	r.fail(n, "no %s is named %q%s", what, name, suggest(name, names))
}

// recordable: a recorder is reached through a granted consent only, so a route
// with recorders needs a policy that asks for one.
func (r *reader) recordable(c *Config, n *node, route Route) {
	recorders := n.get("recorders")
	if recorders == nil || recorders.kind != list || len(recorders.items) == 0 {
		return
	}
	r.distinct(recorders.items, anyText)
	if !n.has("policy") {
		r.fail(recorders, "need a policy: without one nobody is asked, and nothing is recorded without consent")
		return
	}
	for _, p := range c.Policies {
		if p.Name == route.Policy && p.Name != "" && p.Basis != "" && p.Basis != consentBasis {
			r.fail(recorders, "are not possible with policy %q: its basis is %s, and the gateway records on consent only", p.Name, p.Basis)
			return
		}
	}
}

// sources refuses a network that two trunks or two platforms claim, unless
// certificates tell the two apart.
func (r *reader) sources(c *Config, root *node) {
	carriers, centers := claims{}, claims{}
	for i, n := range root.list("trunks") {
		t := c.Trunks[i]
		r.claim(carriers, n, Origin{t.From, t.TLSNames, t.Auth}, "trunk")
	}
	for i, n := range root.list("platforms") {
		r.claim(centers, n, c.Platforms[i].Origin, "platform")
	}
}

// claims is who has said that a network is his.
type claims map[netip.Prefix][]claim

type claim struct {
	names []string
	path  string
}

func (r *reader) claim(owners claims, n *node, o Origin, what string) {
	for j, item := range n.list("from") {
		prefix := o.From[j]
		if !prefix.IsValid() {
			continue
		}
		for _, before := range owners[prefix] {
			if !apart(o.TLSNames, before.names) {
				r.fail(item, "is listed at %s already: a request must belong to one %s", before.path, what)
				break
			}
		}
		owners[prefix] = append(owners[prefix], claim{o.TLSNames, item.path})
		if prefix.Bits() == 0 && len(o.TLSNames) == 0 && o.Auth == nil {
			r.warn(item, "lets every host place calls through this %s", what)
		}
	}
}

// apart reports whether two trunks of one network differ in the certificates
// they have; one that has none gets what the other does not take.
func apart(a, b []string) bool {
	if len(a) == 0 && len(b) == 0 {
		return false
	}
	return !slices.ContainsFunc(a, func(name string) bool { return slices.Contains(b, name) })
}

// certificates: a client shows one only if it comes by TLS and is asked for it.
func (r *reader) certificates(c *Config, root *node) {
	r.shown(root, "trunk", c.Listen.Trunk, "no carrier shows its certificate")
	r.shown(root, "platform", c.Listen.Platform, "no platform shows its certificate")
}

func (r *reader) shown(root *node, what string, s Side, otherwise string) {
	side := root.get("listen").get(what)
	for _, n := range []*node{side, side.get("tls"), side.get("sip")} {
		if side == nil || n != nil && n.kind == broken {
			return
		}
	}
	byTLS := slices.ContainsFunc(s.SIP, func(a SIPAddr) bool { return a.Transport == "tls" || a.Transport == "" })
	if byTLS && s.TLS != nil && s.TLS.ClientAuth != "none" {
		return
	}
	for _, n := range root.list(what + "s") {
		if names := n.get("tls").get("names"); names != nil && names.kind == list {
			r.fail(names, "needs a tls: address in listen.%s.sip and listen.%s.tls.client_auth, optional or required: otherwise %s",
				what, what, otherwise)
		}
	}
}

// siprecAddress: the gateway is a SIP client of a recording server, and needs
// an address of its own for that.
func (r *reader) siprecAddress(c *Config, root *node) {
	listen := root.get("listen")
	side := listen.get("recorder")
	sip := side.get("sip")
	for _, n := range []*node{listen, side, sip} {
		if n != nil && n.kind == broken || len(side.list("sip")) > 0 {
			return
		}
	}
	for i, n := range root.list("recorders") {
		if c.Recorders[i].Type == "siprec" {
			r.fail(n.get("type"), "needs listen.recorder.sip: the recording server answers to that address")
		}
	}
}

// exposed warns of what is readable to others.
func (r *reader) exposed(c *Config, root *node) {
	api := root.get("listen").get("api")
	if host, _, err := net.SplitHostPort(c.Listen.API); api != nil && err == nil && !isLoopback(host) {
		r.warn(api, "is reachable from other hosts, and the API asks nobody who they are: "+
			"whoever reaches it reads consent records and ends calls")
	}
	redis := root.get("store").get("redis")
	if c.Store.Redis == nil {
		return
	}
	for i, n := range redis.list("addrs") {
		host, _, err := net.SplitHostPort(c.Store.Redis.Addrs[i])
		if err == nil && !isLoopback(host) && !c.Store.Redis.TLS {
			r.warn(n, "is on another host and tls is off: consent records and the password cross the network in clear")
		}
	}
	r.inClear(redis.get("password"))
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}
