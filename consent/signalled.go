package consent

import (
	"slices"
	"time"
)

// Signalled is what the INVITE said about who calls, kept as evidence. Nothing in
// it is proven: it is what the trunk said.
type Signalled struct {
	// Source says where the number of the subject comes from, one of the Source
	// constants; empty if there was none.
	Source string `json:"source,omitempty"`
	// Withheld says that the caller asked for its number to be told to nobody
	// (RFC 3323, RFC 3325). The record has no subject then, and the number is in
	// no index. Privacy are the words in which that was asked.
	Withheld bool     `json:"withheld,omitempty"`
	Privacy  []string `json:"privacy,omitempty"`
	// DivertedFrom is the number that was dialed first, if the call was
	// diverted and whoever diverted it did not ask for privacy.
	DivertedFrom string        `json:"diverted_from,omitempty"`
	Attestations []Attestation `json:"attestations,omitempty"`
	Sessions     Sessions      `json:"sessions,omitzero"`
}

// The values of Signalled.Source.
const (
	SourceAsserted = "p-asserted-identity" // of a trunk that is trusted with it
	SourceFrom     = "from"
)

// Attestation is one signed statement about who calls (RFC 8224, RFC 8588), as
// it came.
type Attestation struct {
	Type     string    `json:"type,omitempty"`   // "shaken", "div"
	Attest   string    `json:"attest,omitempty"` // A full, B partial, C gateway
	OrigID   string    `json:"origid,omitempty"`
	IssuedAt time.Time `json:"issued_at,omitzero"`
	// NumberMatches says that it is about the number that the call came with.
	NumberMatches bool   `json:"number_matches"`
	TokenSHA256   string `json:"token_sha256"`
	// Verified says that the signature was checked. The gateway does not do that
	// yet: it is always false.
	Verified bool `json:"verified"`
}

// Sessions are the halves of the Session-ID (RFC 7989), each a UUID of 32
// digits: of the caller, if it sent one; of the gateway, which stands for the
// platform until that has answered; and of the platform, if it sent one.
type Sessions struct {
	Caller   string `json:"caller,omitempty"`
	Gateway  string `json:"gateway,omitempty"`
	Platform string `json:"platform,omitempty"`
}

func (s *Signalled) clone() Signalled {
	c := *s
	c.Privacy = slices.Clone(s.Privacy)
	c.Attestations = slices.Clone(s.Attestations)
	return c
}
