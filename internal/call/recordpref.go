package call

import (
	"slices"
	"strings"

	"consentgw/consent"
	"consentgw/internal/sdp"
)

// recordpref is how a preference in a session description stands in the record.
const recordpref = "sdp-recordpref"

// What a party may prefer (RFC 7866 section 7.1.3). None: it has no preference.
const (
	prefersOff   = "off"
	prefersPause = "pause"
)

// preference reads what a description asks for, for the session or for its audio;
// of several, what records least. A wish to be recorded, which can be said the
// same way, is no consent: it says nothing of what was heard.
func preference(s *sdp.Session, audio int) string {
	attributes := slices.Clone(s.Attributes)
	if audio < len(s.Media) {
		attributes = append(attributes, s.Media[audio].Attributes...)
	}
	for _, word := range []string{prefersOff, prefersPause, "nopreference", "on"} {
		if slices.ContainsFunc(attributes, func(a sdp.Attribute) bool {
			return strings.EqualFold(a.Key, "recordpref") && strings.EqualFold(strings.TrimSpace(a.Value), word)
		}) {
			return word
		}
	}
	return ""
}

// unwilling reports whether the asked party wants no recording: then it is not
// asked, and what it granted before is withdrawn.
func (c *Call) unwilling() bool { return c.asked.prefers == prefersOff }

// prefersPause reports whether a party wants nothing to be recorded for now. The
// agent has no consent to give or to take back: its off is a pause as well.
func (c *Call) prefersPause() bool {
	return c.asked.prefers == prefersPause || c.agent.prefers == prefersPause || c.agent.prefers == prefersOff
}

// preferred notes the preference of p if it is another than before.
func (c *Call) preferred(p *party) {
	if p.prefers == p.preferred {
		return
	}
	p.preferred = p.prefers
	text := p.prefers
	if text == "" {
		text = "nopreference"
	}
	c.remark("recordpref", p.name+": "+text)
}

// heed makes a decision of what the asked party's description says: off is a
// refusal, whatever was pressed while the question was open.
func (c *Call) heed(d consent.Decision) consent.Decision {
	if c.unwilling() {
		refusal := consent.Unwilling(c.now(), recordpref)
		refusal.Grants = d.Grants // what was pressed stays in evidence
		return refusal
	}
	return d
}
