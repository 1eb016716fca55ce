package call

import (
	"slices"
	"strings"

	"consentgw/consent"
	"consentgw/internal/sdp"
)

// recordpref is how a preference in a session description stands in the record.
const recordpref = "sdp-recordpref"

// prefersNone reports whether a description asks for no recording (RFC 7866
// section 7.1.3), for the session or for its audio. A wish to be recorded, which
// can be said the same way, is no consent: it says nothing of what was heard.
func prefersNone(s *sdp.Session, audio int) bool {
	attributes := slices.Clone(s.Attributes)
	if audio < len(s.Media) {
		attributes = append(attributes, s.Media[audio].Attributes...)
	}
	return slices.ContainsFunc(attributes, func(a sdp.Attribute) bool {
		return strings.EqualFold(a.Key, "recordpref") && strings.EqualFold(strings.TrimSpace(a.Value), "off")
	})
}

// heed makes a decision of what the asked party's description says: off is a
// refusal, whatever was pressed while the question was open.
func (c *Call) heed(d consent.Decision) consent.Decision {
	if c.asked.unwilling {
		return consent.Unwilling(c.now(), recordpref)
	}
	return d
}
