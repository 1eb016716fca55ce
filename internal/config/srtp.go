package config

import "slices"

// keysInClear warns of SRTP whose keys others can read: they travel in SIP
// (RFC 4568 section 7), which only TLS encrypts.
func (r *reader) keysInClear(c *Config, root *node) {
	const why = "its keys travel in SIP, where everybody on the way can read them"
	clear := func(a SIPAddr) bool { return a.Transport == "udp" || a.Transport == "tcp" }
	for i, n := range root.list("trunks") {
		if srtp := c.Trunks[i].SRTP; srtp != "" && srtp != SRTPOff && slices.ContainsFunc(c.Listen.Trunk.SIP, clear) {
			r.warn(n.get("srtp"), "protects less than it seems while listen.trunk.sip has udp: or tcp: addresses: "+why)
		}
	}
	for i, n := range root.list("platforms") {
		if srtp := c.Platforms[i].SRTP; srtp == "" || srtp == SRTPOff {
			continue
		}
		for j, t := range n.list("targets") {
			target := c.Platforms[i].Targets[j]
			if u := splitURI(target.URI); target.URI != "" && !u.secure && u.transport != "tls" && target.Transport != "tls" {
				r.warn(t.get("uri"), "is not reached by TLS, but srtp is on: "+why)
			}
		}
	}
	for i, n := range root.list("recorders") {
		rec := c.Recorders[i]
		if u := splitURI(rec.URI); rec.SRTP == SRTPRequired && rec.URI != "" && !u.secure && u.transport != "tls" {
			r.warn(n.get("uri"), "is not reached by TLS, but srtp is on: "+why)
		}
	}
}
