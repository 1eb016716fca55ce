package config

import "strings"

// shape is what a value must look like: a block if it has fields, a list if it
// has items, else a single value.
type shape struct {
	fields []field
	items  *shape
}

// field is one key of a block.
type field struct {
	name  string
	shape *shape
	// missing says what to write where a compulsory key is absent; empty if the
	// key may be left out.
	missing string
	// private keeps the value out of findings.
	private bool
}

func (s *shape) kind() kind {
	switch {
	case s.fields != nil:
		return mapping
	case s.items != nil:
		return list
	}
	return scalar
}

func (s *shape) field(name string) (field, bool) {
	for _, f := range s.fields {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func (s *shape) names() []string {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	return names
}

func block(fields ...field) *shape { return &shape{fields: fields} }
func listOf(items *shape) *shape   { return &shape{items: items} }
func single() *shape               { return &shape{} }

func may(name string, s *shape) field           { return field{name: name, shape: s} }
func must(name, missing string, s *shape) field { return field{name: name, shape: s, missing: missing} }

func (f field) unseen() field {
	f.private = true
	return f
}

// knownKeys is every key of the file, in the order of the documentation.
func knownKeys() *shape {
	return block(
		may("node", block(may("id", single()), may("data", single()))),
		may("prompts", block(may("dir", single()))),
		may("listen", listenKeys()),
		must("trunks", "name at least one carrier", listOf(block(
			must("name", "routes refer to it", single()),
			must("from", "list the addresses or networks its requests come from", listOf(single())),
			may("max_calls", single()),
		))),
		must("platforms", "name at least one contact center", listOf(platformKeys())),
		may("recorders", listOf(block(
			must("name", "routes refer to it", single()),
			must("type", "rtp or siprec", single()),
			may("caller", single()), may("agent", single()), may("uri", single()),
		))),
		may("policies", listOf(policyKeys())),
		must("routes", "without one every call is refused", listOf(block(
			must("name", "records refer to it", single()),
			may("trunk", single()), may("to", single()).unseen(),
			must("platform", "name the platform the calls go to", single()),
			may("policy", single()), may("recorders", listOf(single())),
		))),
		may("store", block(may("redis", block(
			must("addrs", "list the servers as host:port", listOf(single())),
			may("username", single()).unseen(), may("password", single()).unseen(),
			may("database", single()), may("tls", single()), may("timeout", single()),
		)))),
		may("log", block(may("level", single()), may("format", single()))),
	)
}

func listenKeys() *shape {
	const media = "give the IP address that RTP uses on this side"
	const sip = "list at least one address, such as udp:192.0.2.10:5060"
	side := func() *shape {
		return block(must("sip", sip, listOf(single())), must("media", media, single()), may("ports", single()))
	}
	return block(
		must("trunk", "say where the carrier reaches the gateway", side()),
		must("platform", "say where the contact center reaches the gateway", side()),
		may("recorder", block(may("sip", listOf(single())), must("media", media, single()), may("ports", single()))),
		may("api", single()),
	)
}

func platformKeys() *shape {
	return block(
		must("name", "routes refer to it", single()),
		must("targets", "list at least one SIP address", listOf(block(
			must("uri", "such as sip:192.0.2.20:5060", single()),
			may("priority", single()), may("weight", single()),
		))),
		may("options", block(may("every", single()), may("down_after", single()), may("up_after", single()))),
		may("answer_timeout", single()),
	)
}

func policyKeys() *shape {
	return block(
		must("name", "routes refer to it", single()),
		must("controller", "say who is responsible for the recordings", block(
			must("name", "give the controller's legal name", single()).unseen(),
			must("contact", "give the address where data subjects reach the controller", single()).unseen(),
			must("address", "give the controller's postal address", single()).unseen(),
			must("country", "give the controller's country, such as NL", single()),
		)),
		must("jurisdiction", "say whose law applies, such as NL or US-CA", single()),
		must("basis", "say on which of the six bases of GDPR article 6(1), such as consent", single()),
		must("purposes", "say what the recordings are for, such as [quality]", listOf(single())),
		may("notice", single()),
		must("language", "say in which language callers are asked, such as nl", single()),
		may("keys", block(
			may("yes", single()), may("no", single()), may("repeat", single()), may("withdraw", single()),
		)),
		may("answer_timeout", single()),
		may("retries", single()),
		must("retention", "say how long the record and the recording are kept", block(
			must("record", "say how long the evidence of a call is kept, such as P7Y", single()),
			must("recording", "say how long the audio is kept, such as P90D", single()),
		)),
	)
}

// variables calls yield with the name of every variable that sets a single
// value, with # for an index.
func (s *shape) variables(name string, yield func(string)) {
	for _, f := range s.fields {
		f.shape.variables(name+"_"+strings.ToUpper(f.name), yield)
	}
	if s.items != nil {
		s.items.variables(name+"_#", yield)
	}
	if s.kind() == scalar || s.items != nil && s.items.kind() == scalar {
		yield(name)
	}
}
