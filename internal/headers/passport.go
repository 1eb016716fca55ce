package headers

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Passport is an Identity header (RFC 8224 section 4): a signed statement of
// somebody on the way about who calls. Its signature is not checked here, so it
// proves nothing to us; whoever has the certificates can check it later.
type Passport struct {
	// Value is the header, written anew from its parts, to be passed on. It is
	// empty if the header cannot be used further on: in the compact form its claims
	// are elsewhere in the INVITE, which does not go on.
	Value string
	// Type is the ppt parameter: "shaken", "div"; "" for a plain one.
	Type string
	// Attest is A, B or C for full, partial and gateway attestation (RFC 8588
	// section 4), OrigID the opaque origin (section 5); "" if the token does not
	// say.
	Attest, OrigID string
	// IssuedAt is iat (RFC 8225 section 5.1.1); zero if the token does not say.
	IssuedAt time.Time
	// SHA256 is that of the token, "header.payload.signature", in hexadecimal.
	SHA256 string
	// number is the originating number in its digits.
	number string
}

const (
	maxPassport = 8192
	maxOrigID   = 64
	// maxIssued is the last second of the year 9999, the last that a time in
	// JSON can say.
	maxIssued = 253402300799
)

// ErrPassport says that an Identity header has not the form of RFC 8224.
var ErrPassport = errors.New("headers: not an Identity header")

// ParsePassport reads the value of an Identity header of at most 8 KB. What of
// the claims has not the form that it should have is left out.
func ParsePassport(value string) (Passport, error) {
	if len(value) > maxPassport {
		return Passport{}, ErrPassport
	}
	token, rest, _ := strings.Cut(value, ";")
	token = strings.TrimSpace(token)
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[2] == "" || (parts[0] == "") != (parts[1] == "") {
		return Passport{}, ErrPassport
	}
	for _, part := range parts {
		if !isBase64URL(part) {
			return Passport{}, ErrPassport
		}
	}
	sum := sha256.Sum256([]byte(token))
	p := Passport{SHA256: hex.EncodeToString(sum[:])}
	info, alg := p.parameters(rest)
	if parts[1] != "" && info != "" {
		p.Value = token + ";info=<" + info + ">"
		if alg != "" {
			p.Value += ";alg=" + alg
		}
		if p.Type != "" {
			p.Value += `;ppt="` + p.Type + `"`
		}
	}
	p.claims(parts[1])
	return p, nil
}

// parameters reads info and alg, and the type into p.
func (p *Passport) parameters(rest string) (info, alg string) {
	for rest != "" {
		var field string
		if trimmed := strings.TrimLeft(rest, " \t"); strings.HasPrefix(strings.ToLower(trimmed), "info") && strings.Contains(trimmed, ">") {
			end := strings.IndexByte(trimmed, '>') + 1 // a URI may have semicolons
			field, rest = trimmed[:end], strings.TrimLeft(trimmed[end:], "; \t")
		} else {
			field, rest, _ = strings.Cut(trimmed, ";")
		}
		name, v, _ := strings.Cut(field, "=")
		v = strings.TrimSpace(v)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "info":
			if uri := strings.TrimSuffix(strings.TrimPrefix(v, "<"), ">"); len(uri) == len(v)-2 && isURI(uri) {
				info = uri
			}
		case "alg":
			if isToken(v) && len(v) <= maxName {
				alg = v
			}
		case "ppt":
			if v = strings.Trim(v, `"`); isToken(v) && len(v) <= maxName {
				p.Type = strings.ToLower(v)
			}
		}
	}
	return info, alg
}

// claims reads the payload (RFC 8225 section 5, RFC 8588 section 3).
func (p *Passport) claims(payload string) {
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(payload, "="))
	if err != nil {
		return
	}
	var c struct {
		Attest string `json:"attest"`
		OrigID string `json:"origid"`
		IAT    int64  `json:"iat"`
		Orig   struct {
			TN string `json:"tn"`
		} `json:"orig"`
	}
	if json.Unmarshal(text, &c) != nil {
		return
	}
	switch c.Attest {
	case "A", "B", "C":
		p.Attest = c.Attest
	}
	if len(c.OrigID) <= maxOrigID && isToken(c.OrigID) {
		p.OrigID = c.OrigID
	}
	if c.IAT > 0 && c.IAT <= maxIssued {
		p.IssuedAt = time.Unix(c.IAT, 0).UTC()
	}
	p.number = digits(c.Orig.TN)
}

// Names reports whether the token is about this calling number. Both are
// compared as the digits with country code that RFC 8224 section 8.3 makes of
// them, so a national number is never one.
func (p *Passport) Names(number string) bool {
	return p.number != "" && strings.HasPrefix(number, "+") && digits(number) == p.number
}

// digits is a telephone number without its separators; "" if it is none.
func digits(number string) string {
	number = strings.Map(func(r rune) rune {
		if strings.ContainsRune("-.() ", r) { // RFC 3966 section 5.1.1
			return -1
		}
		return r
	}, strings.TrimPrefix(number, "+"))
	if !isPhone(number) || len(number) > 32 {
		return ""
	}
	return number
}

func isBase64URL(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte("-_=", s[i]) < 0 {
			return false
		}
	}
	return true
}

// isURI says whether s can stand between angle brackets as an absolute URI of
// printable ASCII.
func isURI(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	bad := strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("<>\"\\^`{|}", r) })
	return ok && isToken(scheme) && rest != "" && !bad
}
