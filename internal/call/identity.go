package call

import (
	"slices"
	"strings"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/headers"
	"consentgw/sip"
)

// identity is who calls, as far as the trunk is believed, and what else of the
// INVITE concerns the platform. It is constant. Not for logs.
type identity struct {
	// number is what routes are matched with; empty if nobody says it. It is
	// withheld from all others if the caller asked for that.
	number    string
	source    string // of number, as in [consent.Signalled]
	withheld  bool
	privacy   []string // the caller's own words for that
	passports []headers.Passport
	turns     []headers.Turn // where the call was before, without those that are private
	session   string         // the caller's half of the Session-ID
}

// maxAttestations bounds what of them is kept and passed on.
const maxAttestations = 4

// identify reads who calls. The number is that of P-Asserted-Identity if the
// trunk is trusted with it (RFC 3325 section 5), else that of From.
func identify(said sip.Identity, t config.Trunk) identity {
	id := identity{withheld: said.Withheld(), privacy: said.Privacy, session: said.SessionID.Local}
	if t.Identity != config.IdentityUntrusted {
		for _, p := range said.Asserted {
			if nameable(p) {
				id.number, id.source = p.User, consent.SourceAsserted
				break
			}
		}
	}
	if id.number == "" && !said.Anonymous && nameable(said.From) {
		id.number, id.source = said.From.User, consent.SourceFrom
	}
	for _, value := range said.Passports {
		if p, err := headers.ParsePassport(value); err == nil && len(id.passports) < maxAttestations {
			id.passports = append(id.passports, p)
		}
	}
	for _, r := range said.History {
		if !r.Private && nameable(r.Party) && !hidesHistory(said.Privacy) {
			id.turns = append(id.turns, headers.Turn{User: r.User, Diversion: r.Diversion, Index: r.Index, Reason: r.Reason})
		}
	}
	return id
}

// nameable reports whether a party of a header is somebody.
func nameable(p sip.Party) bool {
	return p.User != "" && !strings.EqualFold(p.User, "anonymous") && !strings.EqualFold(p.Host, "anonymous.invalid")
}

// hidesHistory reports whether the caller asked that nobody be told where the
// call was (RFC 7044 section 10.1.2).
func hidesHistory(privacy []string) bool {
	return slices.ContainsFunc(privacy, func(word string) bool {
		return word == "history" || word == "header" || word == "session"
	})
}

// subject is the number under which the record is kept and found; empty if it is
// withheld.
func (id *identity) subject() string {
	if id.withheld {
		return ""
	}
	return id.number
}

// evidence is what the record keeps of id.
func (id *identity) evidence() consent.Signalled {
	e := consent.Signalled{Source: id.source, Withheld: id.withheld, Privacy: id.privacy, DivertedFrom: id.dialedFirst(),
		Sessions: consent.Sessions{Caller: id.session, Gateway: sip.NewSessionID()}}
	for _, p := range id.passports {
		e.Attestations = append(e.Attestations, consent.Attestation{Type: p.Type, Attest: p.Attest, OrigID: p.OrigID,
			IssuedAt: p.IssuedAt, NumberMatches: p.Names(id.number), TokenSHA256: p.SHA256})
	}
	return e
}

// dialedFirst is the number that the caller dialed, if the call was diverted
// since. History-Info begins with it; of Diversion headers, whose newest is the
// topmost, it is the last (RFC 5806 section 5).
func (id *identity) dialedFirst() string {
	dialed, diverted := "", ""
	for _, t := range id.turns {
		switch {
		case t.Diversion:
			diverted = t.User
		case dialed == "":
			dialed = t.User
		}
	}
	if diverted != "" {
		return diverted
	}
	return dialed
}
