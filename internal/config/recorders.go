package config

import (
	"net/netip"
	"regexp"
)

// Recorder is where copies go.
type Recorder struct {
	Name string
	// Type is "rtp", with Caller and Agent, or "siprec", with URI.
	Type string
	// Purposes are what is recorded here: calls whose parties granted one of
	// them. Empty, the default: every recorded call.
	Purposes []string
	// Keys is strip_dtmf: false. Key presses, which can be card numbers, are copied
	// as well. Default false.
	Keys          bool
	Caller, Agent netip.AddrPort
	URI           string
	SIPREC
}

// SIPREC is what only a recording server (RFC 7866) has.
type SIPREC struct {
	// Backups are tried in order when URI does not accept.
	Backups []string
	// Record is whose voice is recorded: both, the default and the meaning of
	// empty, caller or agent.
	Record string
	// Preset is what the server expects: generic, the default, amazon or loreste.
	Preset string
	// MediaType of the metadata; default application/rs-metadata+xml.
	MediaType string
	// ConsentNamespace of the consent in the metadata; default urn:x-consentgw:consent:1.
	ConsentNamespace string
	// Identities is anonymous, the default, or numbers, which names both parties
	// by their numbers in the metadata.
	Identities string
	// OnWithdrawal is tell, the default, or silent: whether the server learns of a
	// withdrawal before the session ends.
	OnWithdrawal string
	// RetentionHeader names a header that tells how long the recording may be
	// kept, "90d"; default none, and X-Recording-Retention with loreste.
	RetentionHeader string
	// AgentUser and Queue are what Amazon Connect knows the agent by.
	AgentUser, Queue string
	// SRTP is off, the default and the meaning of empty, or required: copies go
	// encrypted or not at all.
	SRTP string
	Auth *Auth
	TLS  *TLS
}

func recorderKeys() *shape {
	return block(
		must("name", "routes refer to it", single()),
		must("type", "rtp or siprec", single()),
		may("purposes", listOf(single())), may("strip_dtmf", single()),
		may("caller", single()), may("agent", single()),
		may("uri", single()), may("backups", listOf(single())),
		may("record", single()), may("preset", single()), may("media_type", single()),
		may("consent_namespace", single()), may("identities", single()), may("on_withdrawal", single()),
		may("retention_header", single()), may("agent_user", single()), may("queue", single()), may("srtp", single()),
		may("auth", block(
			must("username", "digest authentication needs a name", single()),
			must("password", "digest authentication needs a password", single()).unseen(),
		)),
		may("tls", block(may("cert", single()), may("key", single()), may("ca", single()))),
	)
}

// siprecKeys are those that a recorder of type rtp has no use for.
func siprecKeys() []string {
	return []string{"uri", "backups", "record", "preset", "media_type", "consent_namespace", "identities", "on_withdrawal",
		"retention_header", "agent_user", "queue", "srtp", "auth", "tls"}
}

var (
	headerForm    = regexp.MustCompile(`^X-[A-Za-z0-9-]{1,60}$`)
	namespaceForm = regexp.MustCompile(`^(urn:[A-Za-z0-9][A-Za-z0-9-]{1,31}:|https?://)[!-~]{1,200}$`)
)

func (r *reader) recorder(n *node) Recorder {
	rec := Recorder{
		Name:     r.text(n.get("name"), "", checkName),
		Type:     r.text(n.get("type"), "", oneOf("rtp", "siprec")),
		Purposes: r.distinct(n.list("purposes"), someText),
		Keys:     !parsed(r, n.get("strip_dtmf"), true, parseBool),
		Caller:   parsed(r, n.get("caller"), netip.AddrPort{}, parseAddrPort),
		Agent:    parsed(r, n.get("agent"), netip.AddrPort{}, parseAddrPort),
		URI:      r.text(n.get("uri"), "", checkURI),
	}
	if rec.Keys {
		r.warn(n.get("strip_dtmf"), "keys are recorded: callers who type a card number give it to whoever has the recording")
	}
	switch rec.Type {
	case "rtp":
		r.plainRecorder(n, rec)
	case "siprec":
		rec.SIPREC = r.siprec(n)
		r.siprecRecorder(n, rec)
	}
	return rec
}

func (r *reader) siprec(n *node) SIPREC {
	return SIPREC{
		Backups:          r.distinct(n.list("backups"), checkURI),
		Record:           r.text(n.get("record"), "both", oneOf("both", "caller", "agent")),
		Preset:           r.text(n.get("preset"), "generic", oneOf("generic", "amazon", "loreste")),
		MediaType:        r.text(n.get("media_type"), "application/rs-metadata+xml", oneOf("application/rs-metadata+xml", "application/rs-metadata")),
		ConsentNamespace: r.text(n.get("consent_namespace"), "urn:x-consentgw:consent:1", matching(namespaceForm, "must be a URN or an http or https URL")),
		Identities:       r.text(n.get("identities"), "anonymous", oneOf("anonymous", "numbers")),
		OnWithdrawal:     r.text(n.get("on_withdrawal"), "tell", oneOf("tell", "silent")),
		RetentionHeader:  r.text(n.get("retention_header"), "", matching(headerForm, "must be a header name that begins with X-")),
		AgentUser:        r.text(n.get("agent_user"), "", someText),
		Queue:            r.text(n.get("queue"), "", someText),
		SRTP:             r.text(n.get("srtp"), SRTPOff, oneOf(SRTPOff, SRTPRequired)),
		Auth:             r.auth(n.get("auth"), ""),
		TLS:              r.targetTLS(n.get("tls")),
	}
}

func (r *reader) plainRecorder(n *node, rec Recorder) {
	r.needs(n, "caller", "type rtp needs the address that gets the caller's audio")
	r.needs(n, "agent", "type rtp needs the address that gets the agent's audio")
	for _, key := range siprecKeys() {
		r.refuses(n, key, "belongs to type siprec, and this recorder is of type rtp")
	}
	if rec.Caller.IsValid() && rec.Caller == rec.Agent {
		r.fail(n.get("agent"), "must differ from caller: the two directions are told apart by the port")
	}
}

func (r *reader) siprecRecorder(n *node, rec Recorder) {
	r.needs(n, "uri", "type siprec needs the SIP address of the recording server")
	for _, key := range []string{"caller", "agent"} {
		r.refuses(n, key, "belongs to type rtp, and this recorder is of type siprec")
	}
	if rec.Preset == "amazon" {
		r.needs(n, "agent_user", "Amazon Connect records nothing without the user id of an agent")
		return
	}
	for _, key := range []string{"agent_user", "queue"} {
		r.refuses(n, key, "belongs to preset amazon")
	}
}
