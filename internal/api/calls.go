package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"consentgw/consent"
)

// liveCall is one line of the list of live calls: its status and where it goes.
type liveCall struct {
	status
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
	// Legs is how the media does, some seconds ago.
	Legs consent.Legs `json:"legs,omitzero"`
}

func (s *server) listCalls(w http.ResponseWriter, _ *http.Request) error {
	live := s.Calls.Live()
	out := struct {
		Calls []liveCall `json:"calls"`
	}{make([]liveCall, 0, len(live))}
	for _, r := range live {
		r = evidenced(r)
		out.Calls = append(out.Calls, liveCall{
			status: statusOf(r), PlatformCallID: r.Call.PlatformCallID, Node: r.Node, Trunk: r.Call.Trunk,
			Route: r.Call.Route, Platform: r.Call.Platform, Target: r.Call.Target, Subject: r.Subject,
			Called: r.Call.Called, InvitedAt: moments(r.Call.InvitedAt), AnsweredAt: moments(r.Call.AnsweredAt),
			ConnectedAt: moments(r.Call.ConnectedAt), Legs: r.Legs,
		})
	}
	return writeJSON(w, out)
}

// evidenced is a live record as it may be told: a yes that is decided but not
// stored yet is pending still, because it permits nothing (law L2).
func evidenced(r *consent.Record) *consent.Record {
	if r.Outcome != consent.Given || !r.StoredAt.IsZero() {
		return r
	}
	r = r.Clone()
	r.Outcome, r.Status, r.Press, r.DecidedAt = consent.Pending, consent.StatusPending, nil, time.Time{}
	for i := range r.Purposes {
		r.Purposes[i] = consent.Grant{Purpose: r.Purposes[i].Purpose}
	}
	return r
}

// find looks for a call among the live ones, then in the store. The error is
// the store's own.
func (s *server) find(ctx context.Context, call string) (*consent.Record, error) {
	if r, ok := s.Calls.Find(call); ok {
		return evidenced(r), nil
	}
	r, err := s.Store.Find(ctx, call)
	if errors.Is(err, consent.ErrNotFound) {
		// It may have begun, or its record been taken over, in between.
		if r, ok := s.Calls.Find(call); ok {
			return evidenced(r), nil
		}
	}
	return r, err
}

func (s *server) callConsent(w http.ResponseWriter, r *http.Request) error {
	shape := status.nested
	switch v := queryOf(r).Get("shape"); v {
	case "":
	case "flat":
		shape = status.flat
	default:
		return badParameter("shape", `"shape" is flat, or left out.`)
	}
	record, err := s.find(r.Context(), r.PathValue("call"))
	switch {
	case err == nil:
		return writeFitting(w, statusOf(record), shape)
	case errors.Is(err, consent.ErrNotFound):
		return writeFitting(w, unknown(""), shape)
	}
	s.Log.Warn("consent status unknown", "request", w.Header().Get(requestIDHeader), "error", err)
	return writeFitting(w, unknown("store"), shape)
}

// command makes the handler of a verb that only a live call understands.
func command(verb string) func(*server, http.ResponseWriter, *http.Request) error {
	return func(s *server, w http.ResponseWriter, r *http.Request) error {
		record, err := s.Calls.Command(r.Context(), r.PathValue("call"), verb)
		if err != nil {
			return callFault(err)
		}
		return writeFitting(w, statusOf(evidenced(record)), status.nested)
	}
}

// withdrawCall withdraws during the call, or, if that is just over, after it:
// an agent must not be told "no such call" because the caller was faster.
func (s *server) withdrawCall(w http.ResponseWriter, r *http.Request) error {
	record, err := s.withdraw(r.Context(), r.PathValue("call"), some(r), s.Store.Find)
	var p problem
	if errors.As(err, &p) && p.Type == noSuchRecord().Type {
		err = noSuchCall()
	}
	if err != nil {
		return err
	}
	return writeFitting(w, statusOf(record), status.nested)
}
