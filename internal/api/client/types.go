package client

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"consentgw/consent"
)

// Status is the short answer about one call.
type Status struct {
	RecordID  consent.RecordID       `json:"record_id"` // empty if the call is unknown
	CallID    string                 `json:"call_id"`   // of the trunk leg
	Status    consent.Status         `json:"status"`
	Outcome   consent.Outcome        `json:"outcome"`
	Recording consent.RecordingState `json:"recording"`
	Purposes  []consent.Grant        `json:"purposes"`
	Notice    Notice                 `json:"notice"`
	Method    string                 `json:"method"`
	DecidedAt *time.Time             `json:"decided_at"` // nil while undecided
	UpdatedAt *time.Time             `json:"updated_at"` // nil if the call is unknown
	Degraded  string                 `json:"degraded,omitempty"`
}

// Notice is which notice was played.
type Notice struct {
	ID       string `json:"id"`
	Version  string `json:"version"`
	Language string `json:"language"`
}

// Call is a live call.
type Call struct {
	Status
	PlatformCallID string     `json:"platform_call_id"`
	Node           string     `json:"node"`
	Trunk          string     `json:"trunk"`
	Route          string     `json:"route"`
	Platform       string     `json:"platform"`
	Target         string     `json:"target"`
	Subject        string     `json:"subject"`
	Called         string     `json:"called"`
	InvitedAt      *time.Time `json:"invited_at"`
	AnsweredAt     *time.Time `json:"answered_at"`
	ConnectedAt    *time.Time `json:"connected_at"`
}

// Problem is an error that the API reported (RFC 9457).
type Problem struct {
	Type      string `json:"type"` // "/problems/<kind>"; empty if the answer was no problem document
	Title     string `json:"title"`
	Status    int    `json:"status"` // the HTTP status
	Detail    string `json:"detail"`
	Parameter string `json:"parameter"`
	RequestID string `json:"request_id"`
}

func (p *Problem) Error() string {
	if p.Type == "" {
		return fmt.Sprintf("the API answered %d %s", p.Status, http.StatusText(p.Status))
	}
	return fmt.Sprintf("%s: %s (request %s)", p.Title, p.Detail, p.RequestID)
}

// maxProblem bounds a problem document, in bytes.
const maxProblem = 16 << 10

func problemOf(resp *http.Response) error {
	p := &Problem{}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil && kind == "application/problem+json" {
		if err := json.NewDecoder(io.LimitReader(resp.Body, maxProblem)).Decode(p); err != nil {
			p = &Problem{}
		}
	}
	p.Status = resp.StatusCode
	return p
}
