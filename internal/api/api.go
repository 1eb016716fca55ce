// Package api is the gateway's HTTP face: the status of a call for platforms,
// search, proof and export for compliance officers, health and metrics for
// operators. It speaks JSON, describes itself in OpenAPI 3.1, and reports every
// error as an RFC 9457 problem.
//
// There is no authentication yet. Therefore [Listen] and [Serve] refuse every
// address that is not a loopback one, and /v1 answers only requests that name a
// loopback host, so that a web page in a browser on the same machine cannot
// read it through a DNS name of its own.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"consentgw/consent"
)

// Calls are the live calls of this gateway. All methods may be called
// concurrently; the records they return are the callee's no more.
type Calls interface {
	// Live returns a snapshot of every live call, oldest first.
	Live() []*consent.Record
	// Find returns a snapshot of the call with this record id, or this Call-ID
	// on either leg; also of a call that has just ended and is not stored yet.
	Find(call string) (*consent.Record, bool)
	// Command does verb ("withdraw", "pause", "resume", "hangup") to a live call
	// and returns the call as it is afterwards. The error is or wraps
	// consent.ErrNoCall, or consent.ErrNotPossible with the reason; the client
	// is told that text, so nothing personal stands in it. purposes restrict a
	// withdrawal; without any it is of all.
	Command(ctx context.Context, call string, verb string, purposes ...string) (*consent.Record, error)
}

// Health says whether the gateway can take calls, and what it does without just
// now: "store", "recorder archive", "draining".
type Health interface {
	Ready() (ready bool, degraded []string)
}

// Config is what the API is built from. Node, Calls, Store, Health and Metrics
// are required.
type Config struct {
	Node    string           // who withdraws after a call: the writer is "api:<Node>"
	Calls   Calls            // the live calls of this node
	Store   consent.Store    // every call that was ever stored
	Health  Health           // behind /healthz and /readyz
	Metrics http.Handler     // behind /metrics
	Now     func() time.Time // the time of a withdrawal; nil: time.Now
	Log     *slog.Logger     // requests and faults, without what they are about; nil: none
}

// server is constant once built; every request has its own goroutine.
type server struct {
	Config
}

// New builds the API. Serve it with [Serve]; it starts no goroutine itself.
func New(cfg Config) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{Config: cfg}
	return s.guard(s.mux())
}
