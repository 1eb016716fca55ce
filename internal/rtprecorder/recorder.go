// Package rtprecorder copies the voice of a call to a recorder that takes plain
// RTP: one port for what the caller says, one for what the agent says, in G.711
// with the original timing, and no signalling at all.
package rtprecorder

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"

	"consentgw/consent"
	"consentgw/internal/media"
)

// Errors of [Recorder.Open].
var (
	// ErrNoPermit: no stored consent is in force. No socket was opened.
	ErrNoPermit = errors.New("no permit to record")
	// ErrOtherGate: the gate does not stand on the permit that was shown.
	ErrOtherGate = errors.New("gate stands on another permit")
)

// Config describes one recorder.
type Config struct {
	Name          string
	Caller, Agent netip.AddrPort // where the copies of each party go
	Ports         *media.Ports   // the side that copies are sent from
	Keys          bool           // key presses are copied as well
}

// Recorder opens recordings at one recorder. It is constant and may be used
// concurrently.
type Recorder struct{ cfg Config }

// New makes a recorder; it opens nothing and asks nobody whether it is there.
func New(cfg Config) *Recorder { return &Recorder{cfg: cfg} }

// Name is the name in the configuration.
func (r *Recorder) Name() string { return r.cfg.Name }

// Recording is one call at one recorder. The taps are its own: they copy from
// the moment they are attached to a stream, while the gate of the call lets
// them.
type Recording struct {
	caller, agent     *media.Tap
	toCaller, toAgent *media.Sender
	closing           sync.Once
}

// Open takes two port pairs and makes the two taps behind the gate of the call.
// It sends nothing. The error is [ErrNoPermit] for a zero or a revoked permit,
// [ErrOtherGate], context.Cause(ctx), or that of [media.Ports.Sender].
func (r *Recorder) Open(ctx context.Context, permit consent.Permit, gate *media.Gate) (*Recording, error) {
	if !permit.Valid() {
		return nil, fmt.Errorf("recorder %s: %w", r.cfg.Name, ErrNoPermit)
	}
	if gate == nil || !gate.StandsOn(permit) {
		return nil, fmt.Errorf("recorder %s: %w", r.cfg.Name, ErrOtherGate)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	caller, err := r.cfg.Ports.Sender(r.cfg.Caller)
	if err != nil {
		return nil, fmt.Errorf("recorder %s: caller: %w", r.cfg.Name, err)
	}
	agent, err := r.cfg.Ports.Sender(r.cfg.Agent)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("recorder %s: agent: %w", r.cfg.Name, err), caller.Close())
	}
	return &Recording{
		toCaller: caller, toAgent: agent,
		caller: r.tap(gate, caller),
		agent:  r.tap(gate, agent),
	}, nil
}

// Caller is the tap for what the caller sends.
func (r *Recording) Caller() *media.Tap { return r.caller }

// Agent is the tap for what the platform sends.
func (r *Recording) Agent() *media.Tap { return r.agent }

func (r *Recorder) tap(gate *media.Gate, to *media.Sender) *media.Tap {
	t := media.NewTap(gate, media.NewSSRC(), to)
	if r.cfg.Keys {
		return t.KeepKeys()
	}
	return t
}

// Fault says why copies are missing, as far as the network told; empty if it
// did not. It may be asked at any time, after Close too.
func (r *Recording) Fault() string {
	for _, s := range []*media.Sender{r.toCaller, r.toAgent} {
		switch err := s.LastError(); {
		case err == nil:
		case errors.Is(err, syscall.ECONNREFUSED):
			return "recorder refused packets"
		default:
			return "packets could not be sent to the recorder: " + err.Error()
		}
	}
	return ""
}

// Close ends the sending and gives the ports back. It is idempotent. Detach the
// taps first: what they are offered afterwards counts as lost.
func (r *Recording) Close() {
	r.closing.Do(func() {
		// The sockets only send; nothing can be lost in closing them.
		_ = r.toCaller.Close()
		_ = r.toAgent.Close()
	})
}
