package config

// knownKeys is every key of the file, in the order of the documentation.
func knownKeys() *shape {
	return block(
		may("node", block(may("id", single()), may("data", single()), may("drain", single()))),
		may("prompts", block(may("dir", single()))),
		may("listen", listenKeys()),
		may("limits", block(
			may("max_calls", single()), may("per_source_cps", single()), may("drop_after", single()), may("max_cpu", single()),
		)),
		may("network", block(
			may("keepalive", single()),
			may("dscp", block(may("signalling", single()), may("media", single()))),
		)),
		may("dialogs", block(
			may("session_timer", block(may("interval", single()), may("min", single()))),
			may("media_timeout", block(may("first", single()), may("silence", single()), may("hold", single()))),
		)),
		must("trunks", "name at least one carrier", listOf(trunkKeys())),
		must("platforms", "name at least one contact center", listOf(platformKeys())),
		may("recorders", listOf(recorderKeys())),
		may("policies", listOf(policyKeys())),
		must("routes", "without one every call is refused", listOf(routeKeys())),
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
	side := func(sip field) *shape {
		return block(
			sip, must("media", media, single()), may("ports", single()),
			may("tls", block(
				must("cert", "name the file with our certificate", single()),
				must("key", "name the file with our private key", single()),
				may("ca", single()), may("client_auth", single()),
			)),
			may("advertise", block(may("sip", single()), may("media", single()))),
		)
	}
	return block(
		must("trunk", "say where the carrier reaches the gateway", side(must("sip", sip, listOf(single())))),
		must("platform", "say where the contact center reaches the gateway", side(must("sip", sip, listOf(single())))),
		may("recorder", side(may("sip", listOf(single())))),
		may("api", single()),
	)
}

func trunkKeys() *shape {
	return block(
		must("name", "routes refer to it", single()),
		must("from", "list the addresses or networks its requests come from", listOf(single())),
		may("tls", identityKeys()), may("auth", signatureKeys("the carrier")),
		may("targets", listOf(targetKeys())), may("options", optionsKeys()),
		may("answer_timeout", single()), may("failover_on", listOf(single())),
		may("max_calls", single()), may("max_cps", single()),
		may("codecs", listOf(single())), may("srtp", single()), may("nat", single()), may("identity", single()),
		may("country", single()), may("normalize", single()),
	)
}

func platformKeys() *shape {
	return block(
		must("name", "routes refer to it", single()),
		may("from", listOf(single())),
		may("tls", identityKeys()), may("auth", signatureKeys("the platform")),
		must("targets", "list at least one SIP address", listOf(targetKeys())),
		may("options", optionsKeys()),
		may("answer_timeout", single()),
		may("failover_on", listOf(single())),
		may("headers", single()), may("user_to_user", single()), may("pass_headers", listOf(single())),
		may("identity", single()), may("srtp", single()),
		may("transfers", block(may("by", listOf(single())), may("to", listOf(single())))),
	)
}

// identityKeys and signatureKeys are those of whoever places calls.
func identityKeys() *shape {
	return block(must("names", "list the host names that its certificate may have", listOf(single())))
}

func signatureKeys(who string) *shape {
	return block(
		must("username", "give the name that "+who+" signs its calls with", single()).unseen(),
		must("password", "give the password that "+who+" signs its calls with", single()).unseen(),
		may("realm", single()),
	)
}

func optionsKeys() *shape {
	return block(may("every", single()), may("down_after", single()), may("up_after", single()), may("down_on", listOf(single())))
}

func targetKeys() *shape {
	return block(
		must("uri", "such as sip:192.0.2.20:5060", single()),
		may("priority", single()), may("weight", single()),
		may("transport", single()), may("srv", single()),
		may("auth", block(
			must("username", "give the name that the target knows the gateway by", single()).unseen(),
			must("password", "give the password that the target asks for", single()).unseen(),
		)),
		may("from_host", single()), may("host", single()),
		may("tls", block(may("cert", single()), may("key", single()), may("ca", single()))),
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
		may("ask", single()),
		may("notice", single()),
		must("language", "say in which language callers are asked, such as nl", single()),
		may("keys", block(
			may("yes", single()), may("no", single()), may("repeat", single()), may("choose", single()), may("withdraw", single()),
			may("pause", single()), may("resume", single()),
		)),
		may("answer_timeout", single()),
		may("retries", single()),
		must("retention", "say how long the record and the recording are kept", block(
			must("record", "say how long the evidence of a call is kept, such as P7Y", single()),
			must("recording", "say how long the audio is kept, such as P90D", single()),
		)),
		may("dial", single()), may("max_pause", single()), may("hold_back", single()),
		may("tone", block(
			must("every", "say how often it sounds, such as 15s", single()),
			may("heard_by", single()), may("recorded", single()),
		)),
	)
}

func routeKeys() *shape {
	rules := func() *shape {
		return listOf(block(
			must("match", "say which numbers are rewritten, such as 00*", single()).unseen(),
			must("replace", "say what they become, such as +${1}", single()).unseen().withGroups(),
		))
	}
	return block(
		must("name", "records refer to it", single()),
		may("direction", single()),
		may("trunk", single()), may("from", single()).unseen(), may("to", single()).unseen(),
		may("when", oneOrMore(block(
			may("days", listOf(single())),
			may("hours", single()),
			must("zone", "say on whose clock, such as Europe/Amsterdam", single()),
		))),
		may("rewrite", block(may("from", rules()), may("to", rules()))),
		must("platform", "name the platform the calls go to, or come from if they are outbound", single()),
		may("policy", single()), may("recorders", listOf(single())),
	)
}
