package sip

import (
	"slices"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// Identity is who calls, as the INVITE tells it. Nothing in it is proven here:
// what of it counts is for the trust in the sender to say. Not for logs.
type Identity struct {
	// From is the URI of From.
	From Party
	// Asserted are the URIs of P-Asserted-Identity in order, sip, sips and tel
	// (RFC 3325 section 9.1).
	Asserted []Party
	// Privacy are the tokens of the Privacy header in lower case (RFC 3323).
	Privacy []string
	// Anonymous is set if From names nobody (RFC 3323 section 4.1.1.3).
	Anonymous bool
	// Passports are the Identity headers (RFC 8224) as they came, without those
	// with control characters.
	Passports []string
	// History is where the call was before, oldest first as it came:
	// History-Info, then Diversion.
	History []Redirection
	// SessionID is the Session-ID header.
	SessionID SessionID
}

// Party is one address of a header.
type Party struct {
	URI    string // without display name and header parameters
	Scheme string // "sip", "sips" or "tel"
	User   string // unescaped, without parameters of the number; a tel URI's number
	Host   string
}

// Redirection is an entry of History-Info (RFC 7044) or Diversion (RFC 5806).
type Redirection struct {
	Party
	Diversion bool   // else History-Info
	Index     string // "1.1", of History-Info
	Reason    string // "unconditional", "SIP;cause=302"; "" if not said
	Private   bool   // who is named asked for privacy
}

// Bounds of what is kept of one INVITE.
const (
	maxPassports = 8
	maxPassport  = 8192
	maxHistory   = 32
	maxTokens    = 16
	maxReasonOf  = 128
)

// Withheld says whether the caller asked that its identity be told to nobody
// beyond those who must know it: Privacy id, user or header, or an anonymous
// From, unless it said in so many words that no privacy is asked for (RFC 3325
// section 7).
func (i *Identity) Withheld() bool {
	for _, token := range i.Privacy {
		switch token {
		case "id", "user", "header":
			return true
		}
	}
	return i.Anonymous && !slices.Contains(i.Privacy, "none")
}

// Identity reads who calls. What is malformed or beyond the bounds is left out.
func (in *Incoming) Identity() Identity { return identityOf(in.req) }

func identityOf(req *siplib.Request) Identity {
	id := Identity{SessionID: sessionID(headerValue(req, "Session-ID"))}
	if from := req.From(); from != nil {
		id.From, _ = partyOf(&from.Address)
		id.Anonymous = callerUser(&from.Address) == ""
	}
	for _, item := range items(req, "P-Asserted-Identity", maxAsserted) {
		if p, ok := parseParty(item); ok {
			id.Asserted = append(id.Asserted, p)
		}
	}
	id.Privacy = privacyOf(req)
	for _, value := range headerValues(req, "Identity") {
		value = strings.ReplaceAll(value, "\t", " ")
		if value != "" && len(value) <= maxPassport && !hasControl(value) && len(id.Passports) < maxPassports {
			id.Passports = append(id.Passports, value)
		}
	}
	for _, item := range items(req, "History-Info", maxHistory) {
		if r, ok := parseHistory(item); ok {
			id.History = append(id.History, r)
		}
	}
	for _, item := range items(req, "Diversion", maxHistory) {
		if r, ok := parseDiversion(item); ok {
			id.History = append(id.History, r)
		}
	}
	return id
}

// items splits every header of a name, and stops at the limit.
func items(msg messageHeaders, name string, limit int) []string {
	var all []string
	for _, value := range headerValues(msg, name) {
		for _, item := range splitList(value) {
			if len(all) == limit {
				return all
			}
			if item != "" {
				all = append(all, item)
			}
		}
	}
	return all
}

// parseParty reads a name-addr or addr-spec.
func parseParty(item string) (Party, bool) {
	text := addrSpec(item)
	var u siplib.Uri
	if len(text) > maxURI || siplib.ParseUri(text, &u) != nil {
		return Party{}, false
	}
	return partyOf(&u)
}

func partyOf(u *siplib.Uri) (Party, bool) {
	p := Party{URI: u.String(), Scheme: strings.ToLower(u.Scheme), User: userOf(u), Host: u.Host}
	switch p.Scheme {
	case "sip", "sips", "tel":
	default:
		return Party{}, false
	}
	for _, s := range []string{p.URI, p.User, p.Host} {
		if hasControl(s) || len(s) > maxURI {
			return Party{}, false
		}
	}
	return p, true
}

// privacyOf reads the tokens of every Privacy header.
func privacyOf(msg messageHeaders) []string {
	var tokens []string
	for _, value := range headerValues(msg, "Privacy") {
		for token := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ';' || r == ',' || r == ' ' || r == '\t' }) {
			if isToken(token) && len(tokens) < maxTokens {
				tokens = append(tokens, strings.ToLower(token))
			}
		}
	}
	return tokens
}

// parseHistory reads one hi-entry (RFC 7044 section 5). Reason and Privacy are
// headers within its URI.
func parseHistory(item string) (Redirection, bool) {
	uri, headers, _ := strings.Cut(addrSpec(item), "?")
	p, ok := parseParty("<" + uri + ">")
	if !ok {
		return Redirection{}, false
	}
	r := Redirection{Party: p}
	if v, ok := headerParam(item, "index"); ok && isIndex(v) {
		r.Index = v
	}
	for field := range strings.SplitSeq(headers, "&") {
		name, value, _ := strings.Cut(field, "=")
		switch value = unescape(value); strings.ToLower(unescape(name)) {
		case "reason":
			if len(value) <= maxReasonOf && !hasControl(value) {
				r.Reason = value
			}
		case "privacy":
			r.Private = !strings.EqualFold(value, "none")
		}
	}
	return r, true
}

// isIndex says whether s is "1.2.3" (RFC 7044 section 5).
func isIndex(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if s[i] != '.' && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

// parseDiversion reads one entry of Diversion (RFC 5806 section 4).
func parseDiversion(item string) (Redirection, bool) {
	p, ok := parseParty(item)
	if !ok {
		return Redirection{}, false
	}
	r := Redirection{Party: p, Diversion: true}
	if v, ok := headerParam(item, "reason"); ok && len(v) <= maxReasonOf && !hasControl(v) {
		r.Reason = v
	}
	if v, ok := headerParam(item, "privacy"); ok {
		r.Private = !strings.EqualFold(v, "off") && v != ""
	}
	return r, true
}
