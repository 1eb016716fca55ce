// Package siprec is a session recording client (RFC 7866): it invites a
// recording server to a call whose recording is permitted, offers it one stream
// for each party, tells it by metadata whose they are and what consent they
// rest on, and keeps at it as long as the call lasts. The call waits for
// nothing of this.
package siprec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/internal/sdp"
	"consentgw/internal/siprecxml"
	"consentgw/sip"
)

// Errors of [Recorder.Open].
var (
	// ErrNoPermit: no stored consent is in force. Nobody was invited.
	ErrNoPermit = errors.New("no permit to record")
	// ErrOtherGate: the gate does not stand on the permit that was shown.
	ErrOtherGate = errors.New("gate stands on another permit")
)

// Config describes one recorder.
type Config struct {
	Name     string
	Endpoint *sip.Endpoint // where invitations are sent from; it is served by others
	Ports    *media.Ports  // the side that copies are sent from
	// Targets are the addresses of the recorder, in the order in which they are
	// tried, every time.
	Targets []Target
	// Caller and Agent say whose voice is recorded.
	Caller, Agent bool
	// Keys offers telephone-events as well, and copies key presses.
	Keys bool
	// SRTP offers nothing but encrypted copies, each stream of each session under
	// keys of its own (RFC 4568).
	SRTP     bool
	Metadata Metadata
	// Taken reports whether a media address is one of the gateway itself; nil:
	// none is.
	Taken func(netip.AddrPort) bool
	// Pace of what repeats; zero values take the defaults.
	Pace Pace
	Log  *slog.Logger
}

// Target is one address of a recorder.
type Target struct {
	URI  string // as in [sip.Invite]
	Auth *sip.Credentials
	TLS  *sip.ClientTLS
}

// Metadata says what a recorder is told.
type Metadata struct {
	MediaType string // "": siprecxml.MediaType
	Namespace string // of the consent element; "": siprecxml.ConsentNamespace
	// Numbers names the parties by their numbers. Otherwise nobody is named.
	Numbers bool
	// Agent is added to what is said of the agent's taking part.
	Agent []siprecxml.Param
	// RetentionHeader also tells in a header for how many days the recording
	// may be kept, "90d"; "": no header.
	RetentionHeader string
	// Silent ends the recording session on a withdrawal without a word.
	Silent bool
}

// Pace says how often things are tried.
type Pace struct {
	// Retry is the pause before a recorder is invited again, doubled with every
	// failure in a row up to 30 s. Default 1 s.
	Retry time.Duration
	// Probe is how often a silent recorder is asked whether it still is there,
	// if it takes UPDATE. Default 10 s.
	Probe time.Duration
	// Answer is how long a recorder may take to answer an invitation or a change.
	// Default 5 s.
	Answer time.Duration
}

const maxRetry = 30 * time.Second

// Recorder opens recordings at one recorder. It is constant and may be used
// concurrently.
type Recorder struct{ cfg Config }

// New makes a recorder. It asks nobody whether it is there.
func New(cfg Config) *Recorder {
	orElse := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	orElse(&cfg.Pace.Retry, time.Second)
	orElse(&cfg.Pace.Probe, 10*time.Second)
	orElse(&cfg.Pace.Answer, 5*time.Second)
	if cfg.Taken == nil {
		cfg.Taken = func(netip.AddrPort) bool { return false }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Recorder{cfg: cfg}
}

// Name is the name in the configuration.
func (r *Recorder) Name() string { return r.cfg.Name }

// Moment is how things stand with a call.
type Moment struct {
	State  consent.RecordingState
	Record *consent.Record // a snapshot; nobody changes it
	// Caller and Agent are the codecs that the copies of the two come in; without a
	// name: G.711.
	Caller, Agent sdp.Codec
	// Transfers are when one agent took the place of another, in order.
	Transfers []time.Time
	// Session is the Session-ID of the two parties (RFC 7989); empty: not known.
	Session string
}

// Call is what there is to record.
type Call struct {
	Moment
	Permit consent.Permit
	Gate   *media.Gate
	// Changed is told when the way to the recorder is lost, or cannot be found,
	// and when it is there again. It may take its time. why is a few words
	// without a number or a name.
	Changed func(up bool, why string)
}

// Open invites the recorder and returns when it has accepted; until then it
// tries again, with growing pauses, and sends no packet. Afterwards the
// recording sees to itself until Close. The error is [ErrNoPermit] for a zero or
// a revoked permit, [ErrOtherGate], that of [media.Ports.Outlet], or
// context.Cause(ctx).
func (r *Recorder) Open(ctx context.Context, call Call) (*Recording, error) {
	if !call.Permit.Valid() {
		return nil, fmt.Errorf("recorder %s: %w", r.cfg.Name, ErrNoPermit)
	}
	if call.Gate == nil || !call.Gate.StandsOn(call.Permit) {
		return nil, fmt.Errorf("recorder %s: %w", r.cfg.Name, ErrOtherGate)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	recording, err := r.newRecording(call)
	if err != nil {
		return nil, fmt.Errorf("recorder %s: %w", r.cfg.Name, err)
	}
	recording.start()
	select {
	case <-recording.accepted:
		return recording, nil
	case <-recording.done: // the consent was taken back first
		recording.Close()
		return nil, fmt.Errorf("recorder %s: %w", r.cfg.Name, ErrNoPermit)
	case <-ctx.Done():
		recording.Close()
		return nil, context.Cause(ctx)
	}
}
