package call

import (
	"cmp"
	"net/netip"
	"slices"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/headers"
	"consentgw/sip"
)

// nobody is the host of a caller who is not told (RFC 3323 section 4.1.1.3).
const nobody = "anonymous.invalid"

// presented is an INVITE to a target, as far as it tells who calls.
type presented struct {
	caller  string // the user part of From; empty: anonymous
	present sip.Presentation
	headers []sip.Header
}

// present says to a target of the platform who calls and what was decided, as
// things stand now: the consent may have been withdrawn. What a caller withholds
// goes to no platform but one that is trusted with it, and then along with that
// wish (RFC 3325 section 7). Nothing names the hosts of the trunk, except
// X-CID.
func (c *Call) present(t config.Target) presented {
	who, number, platform := c.remote()
	p := presented{present: sip.Presentation{FromHost: t.FromHost, RequestHost: t.Host,
		SessionID: cmp.Or(who.session, c.rec.Call.Signalled.Sessions.Gateway)}}
	host := cmp.Or(t.FromHost, hostOf(c.agent.local.Addr))
	trusted := platform.Identity == config.IdentityTrusted
	if who.withheld {
		p.present.FromHost = cmp.Or(t.FromHost, nobody)
	} else {
		p.caller = number
	}
	if told := !who.withheld || trusted; told {
		if who.source == consent.SourceAsserted && number != "" {
			p.present.Asserted = []string{headers.URI(number, host)}
		}
		for _, passport := range who.passports {
			if passport.Value != "" {
				p.headers = append(p.headers, sip.Header{Name: "Identity", Value: passport.Value})
			}
		}
	}
	if who.withheld && trusted {
		p.present.Privacy = wish(who.privacy)
	}
	p.headers = append(p.headers, c.consentHeaders()...)
	p.headers = append(p.headers, written(c.route.passed)...)
	p.headers = append(p.headers, written(headers.History(platform.PassHeaders, who.turns, host))...)
	return p
}

// remote is who is on the trunk and how the platform knows the number, and the
// platform. Of an outbound call that is the callee: a platform learns of it when
// the call is transferred.
func (c *Call) remote() (*identity, string, config.Platform) {
	platform := c.route.platform.Platform
	if c.route.carrier == nil {
		return &c.route.caller, c.route.from, platform
	}
	who := identity{number: c.rec.Call.Called}
	if c.asked.leg != nil {
		who.session = c.asked.leg.SessionID()
	}
	return &who, who.number, platform
}

// presentToTrunk says to a target of the trunk who calls, and nothing else: a
// number that is withheld only to a trunk that is trusted with identities, along
// with that wish.
func (c *Call) presentToTrunk(t config.Target) presented {
	who, number := &c.route.caller, c.route.from
	p := presented{present: sip.Presentation{FromHost: t.FromHost, RequestHost: t.Host,
		SessionID: cmp.Or(who.session, c.rec.Call.Signalled.Sessions.Gateway)}}
	trusted := c.route.trunk.Identity != config.IdentityUntrusted
	if trusted && number != "" {
		p.present.Asserted = []string{headers.URI(number, cmp.Or(t.FromHost, hostOf(c.asked.local.Addr)))}
	}
	switch {
	case !who.withheld:
		p.caller = number
	case trusted:
		p.present.FromHost, p.present.Privacy = cmp.Or(t.FromHost, nobody), wish(who.privacy)
	default:
		p.present.FromHost = cmp.Or(t.FromHost, nobody)
	}
	return p
}

func written(fields []headers.Field) []sip.Header {
	list := make([]sip.Header, len(fields))
	for i, f := range fields {
		list[i] = sip.Header(f)
	}
	return list
}

// wish are the words of a caller who withholds its number; one who is only
// anonymous in From has not used any.
func wish(privacy []string) []string {
	if slices.Contains(privacy, "id") {
		return privacy
	}
	return append([]string{"id"}, privacy...)
}

// consentHeaders tell the platform what was decided (design 5.3), in the way
// that it reads. They never carry a number.
func (c *Call) consentHeaders() []sip.Header {
	outcome, recording := c.rec.Outcome, "off"
	if outcome == consent.Pending {
		outcome = consent.Outcome(consent.StatusPending) // dialed during the notice
	}
	if c.tape.permit.Valid() && len(c.wanted()) > 0 {
		recording = "on"
	}
	platform := c.route.platform.Platform
	preset, _ := headers.PresetOf(platform.Headers) // known: the configuration was checked
	return written(preset.Fields(headers.Consent{
		Status: string(c.rec.Outcome.Header()), RecordID: string(c.id), Outcome: string(outcome),
		Language: c.rec.Notice.Language, Recording: recording, CallID: c.rec.Call.TrunkCallID,
		Purposes: c.purposesTold(),
	}, platform.UserToUser))
}

// hostOf is an address as the host of a URI.
func hostOf(a netip.Addr) string {
	if a.Is6() && !a.Is4In6() {
		return "[" + a.String() + "]"
	}
	return a.Unmap().String()
}

// joinSessions tells each side of the other's half of the Session-ID, now that
// both are known: what comes from the gateway on the trunk leg names the platform
// from here on (RFC 7989 section 7).
func (c *Call) joinSessions(leg *sip.Leg) {
	theirs := leg.SessionID()
	if theirs == "" || c.asked.leg == nil {
		return // the gateway goes on standing for it
	}
	c.rec.Call.Signalled.Sessions.Platform = theirs
	if err := c.asked.leg.SetSessionID(theirs); err != nil {
		c.log.Debug("session identifier not taken over", "error", err)
	}
}
