package sip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// An Endpoint makes and takes calls on the addresses it is bound to. Its
// methods may be used concurrently.
type Endpoint struct {
	// Constant after Listen.
	log       *slog.Logger
	userAgent string
	t1        time.Duration
	secret    [32]byte // keys the To tags, see tagFor
	parser    *siplib.Parser
	sockets   []*socket
	outgoing  *stack // TCP connections that we open
	policy

	registry registry
	security security // TLS
	names    names
	nonces   nonces

	service
	lifecycle
}

// A service is what Serve was given. It is set before anything is read, then
// constant.
type service struct {
	handler Handler
	// What a peer may require, and what we say we support.
	extensions []string
	supported  string
}

// A policy is what the configuration says of far ends: who may talk to us, and
// how it is seen whether they are still there.
type policy struct {
	admission Admission
	keepAlive time.Duration
	dscp      int
	timer     SessionTimer
	public    public
	second    time.Duration // a second of session timers; shorter in tests
}

// Handler is what an endpoint calls. Both functions may run concurrently with
// themselves.
type Handler struct {
	// Invite is the call: it is called on a goroutine of its own for each new
	// INVITE, and what it leaves behind when it returns is cleared away: an
	// INVITE without a final response is answered 500, a leg that lives is sent
	// a BYE. So is it after a panic. ctx ends when the context of Serve ends.
	Invite func(ctx context.Context, in *Incoming)
	// Options answers an OPTIONS outside of a dialog; nil: 200.
	Options func() (code int, reason string)
	// Supported names extensions that Invite takes care of, such as
	// "replaces": a caller may require them.
	Supported []string
}

func newEndpoint(cfg Config) (*Endpoint, error) {
	e := &Endpoint{
		log: cfg.Log, userAgent: cfg.UserAgent, t1: cfg.T1, parser: newParser(),
		policy: policy{admission: cfg.Admission, keepAlive: cfg.KeepAlive, dscp: cfg.DSCP, timer: cfg.SessionTimer, second: time.Second},
	}
	var err error
	if e.public, err = parsePublic(cfg.Advertise); err != nil {
		return nil, err
	}
	e.lifecycle.setUp()
	rand.Read(e.secret[:]) // never fails, crypto/rand
	e.registry.setUp(64 * e.t1)
	e.names.setUp(cfg.Resolver)
	e.nonces.setUp(e.secret[:])
	if err := e.security.setUp(cfg.TLS); err != nil {
		return nil, err
	}
	e.outgoing = e.newStack("tcp", netip.AddrPort{}, nil)
	return e, nil
}

// timeout is 64*T1: after it a transaction has failed (RFC 3261 section 17).
func (e *Endpoint) timeout() time.Duration { return 64 * e.t1 }

// drainGrace is how long the last transactions may take when Serve ends.
const drainGrace = 2 * time.Second

// Serve takes calls until ctx ends or a socket breaks. Then it refuses new
// calls with 503, waits for every Handler.Invite, ends the legs that are left,
// closes the sockets and returns when every goroutine of the endpoint is gone.
// An endpoint can be served once. The error is nil if ctx ended it.
func (e *Endpoint) Serve(ctx context.Context, h Handler) error {
	if h.Invite == nil {
		return errors.New("sip: Serve without Handler.Invite")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := checkTags(h.Supported); err != nil {
		return err
	}
	if err := e.claim(ctx, h); err != nil {
		return err
	}
	var readers sync.WaitGroup
	broken := make(chan error, len(e.sockets))
	for _, s := range e.sockets {
		readers.Go(func() {
			err := s.serve()
			if ctx.Err() == nil {
				broken <- fmt.Errorf("sip: %s %s stopped reading: %w", s.Transport, s.AddrPort, orClosed(err))
			}
		})
	}
	for _, s := range e.sockets {
		<-s.started
	}
	e.setPhase(serving)
	close(e.begun)
	e.spawn(func() { e.keepFlowsAlive(ctx) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-broken:
	}
	cancel()
	e.drain()
	e.shut(&readers)
	return err
}

// claim takes the endpoint for the one Serve there may be.
func (e *Endpoint) claim(ctx context.Context, h Handler) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.phase != bound {
		return fmt.Errorf("%w: served before, or closed", ErrNotServing)
	}
	e.handler, e.ctx, e.phase = h, ctx, starting
	e.extensions = append([]string{"100rel"}, h.Supported...)
	if e.timer.on() {
		e.extensions = append(e.extensions, "timer")
	}
	e.supported = strings.Join(e.extensions, ", ")
	return nil
}

// orClosed names the error of a reader that ended without one.
func orClosed(err error) error {
	if err == nil {
		return net.ErrClosed
	}
	return err
}

// drain ends every call in order: no new ones, then the handlers' own endings,
// then ours for what they left.
func (e *Endpoint) drain() {
	e.setPhase(drains)
	close(e.draining)
	e.calls.Wait()
	for _, l := range e.registry.allLegs() {
		l.hangUp("", ErrEnded)
	}
	sent := make(chan struct{})
	e.work.Go(func() { e.sends.Wait(); close(sent) })
	select {
	case <-sent:
	case <-time.After(min(drainGrace, e.timeout())):
	}
	e.setPhase(finished)
}

// shut closes what is open and waits for every goroutine.
func (e *Endpoint) shut(readers *sync.WaitGroup) {
	e.finish()
	for _, s := range e.sockets {
		_ = s.close()
	}
	readers.Wait()
	for _, s := range e.sockets {
		s.stack.close()
	}
	e.closeOutgoing()
	e.work.Wait()
	// Once more, for a connection that was being opened.
	e.closeOutgoing()
}

func (e *Endpoint) closeOutgoing() {
	e.outgoing.close()
	e.security.closeClients()
}

// Close releases the sockets of an endpoint that was never served. While Serve
// runs it does nothing: end Serve's context instead.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.phase != bound {
		return nil
	}
	e.phase = finished
	e.finish()
	var errs []error
	for _, s := range e.sockets {
		errs = append(errs, s.close())
		s.stack.close()
	}
	e.closeOutgoing()
	return errors.Join(errs...)
}
