package sip

import (
	"encoding/base64"
	"encoding/json"
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
	// Passports are the Identity headers (RFC 8224).
	Passports []Passport
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

// Passport is one Identity header. Its signature is not checked.
type Passport struct {
	// Raw is the header value as it came, to be passed on and kept.
	Raw string
	// Attest is "A", "B" or "C" for full, partial and gateway attestation
	// (RFC 8588 section 4), "" if the token does not say.
	Attest string
	// OrigID is the opaque origin of RFC 8588 section 5, "" if there is none.
	OrigID string
	// Type is the ppt parameter: "shaken", "div"; "" for a plain one.
	Type string
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
// From.
func (i *Identity) Withheld() bool {
	for _, token := range i.Privacy {
		switch token {
		case "id", "user", "header":
			return true
		}
	}
	return i.Anonymous
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
		if p, ok := parsePassport(value); ok && len(id.Passports) < maxPassports {
			id.Passports = append(id.Passports, p)
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

// parsePassport reads an Identity header: "header.payload.signature;info=<..>"
// (RFC 8224 section 4). Of the compact form, "..signature", only the raw text
// is kept: its claims are elsewhere in the INVITE.
func parsePassport(value string) (Passport, bool) {
	value = strings.ReplaceAll(value, "\t", " ")
	if value == "" || len(value) > maxPassport || hasControl(value) {
		return Passport{}, false
	}
	p := Passport{Raw: value}
	fields := splitParams(value)
	for _, f := range fields[1:] {
		if name, v, _ := strings.Cut(f, "="); strings.EqualFold(strings.TrimSpace(name), "ppt") {
			if v = unquoted(strings.TrimSpace(v)); isToken(v) {
				p.Type = strings.ToLower(v)
			}
		}
	}
	parts := strings.Split(fields[0], ".")
	if len(parts) != 3 || parts[2] == "" {
		return Passport{}, false
	}
	claims := passportClaims(parts[1])
	switch claims.Attest {
	case "A", "B", "C":
		p.Attest = claims.Attest
	}
	if len(claims.OrigID) <= 64 && isToken(claims.OrigID) {
		p.OrigID = claims.OrigID
	}
	return p, true
}

// claims are those of a PASSporT that say how sure its signer is (RFC 8588
// section 3).
type claims struct {
	Attest string `json:"attest"`
	OrigID string `json:"origid"`
}

// passportClaims decodes a payload; what does not decode claims nothing.
func passportClaims(payload string) claims {
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(payload, "="))
	if err != nil {
		return claims{}
	}
	var c claims
	if json.Unmarshal(text, &c) != nil {
		return claims{}
	}
	return c
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
