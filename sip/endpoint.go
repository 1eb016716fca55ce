package sip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// An Endpoint makes and takes calls on the addresses it is bound to. Its
// methods may be used concurrently.
type Endpoint struct {
	// Constant after Listen.
	log       *slog.Logger
	userAgent string
	t1        time.Duration
	secret    [32]byte // keys the To tags, see tagFor
	sockets   []*socket
	outgoing  *stack // TCP connections that we open

	registry registry

	// handler is set by Serve before anything is read, then constant.
	handler Handler

	work  sync.WaitGroup // every goroutine of the endpoint, see enter
	calls sync.WaitGroup // Handler.Invite, within work
	sends sync.WaitGroup // transactions that should end before the sockets close

	serving  chan struct{} // closed when Serve has begun
	draining chan struct{} // closed when Serve's context ended
	quit     chan struct{} // closed when nothing may wait any longer

	mu    sync.Mutex // guards phase, and every Add to the wait groups
	phase phase
	ctx   context.Context // Serve's; set together with phase serving
}

// phase is what an endpoint may do: each allows less than the one before.
type phase int

const (
	bound    phase = iota // not served yet
	serving               // takes and makes calls
	drains                // ends its calls
	finished              // starts nothing any more
)

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
}

func newEndpoint(cfg Config) *Endpoint {
	e := &Endpoint{
		log: cfg.Log, userAgent: cfg.UserAgent, t1: cfg.T1,
		serving: make(chan struct{}), draining: make(chan struct{}), quit: make(chan struct{}),
	}
	rand.Read(e.secret[:]) // never fails, crypto/rand
	e.registry.init(64 * e.t1)
	e.outgoing = e.newStack("tcp", netip.AddrPort{})
	return e
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
	e.mu.Lock()
	if e.phase != bound {
		e.mu.Unlock()
		return fmt.Errorf("%w: served before, or closed", ErrNotServing)
	}
	e.handler, e.ctx, e.phase = h, ctx, serving
	close(e.serving)
	e.mu.Unlock()

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

// Serving is closed when Serve has begun: from then on calls can be made.
func (e *Endpoint) Serving() <-chan struct{} { return e.serving }

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
	close(e.quit)
	for _, s := range e.sockets {
		_ = s.close()
	}
	readers.Wait()
	for _, s := range e.sockets {
		s.stack.close()
	}
	e.outgoing.close()
	e.work.Wait()
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
	var errs []error
	for _, s := range e.sockets {
		errs = append(errs, s.close())
		s.stack.close()
	}
	e.outgoing.close()
	return errors.Join(errs...)
}

func (e *Endpoint) setPhase(p phase) {
	e.mu.Lock()
	e.phase = p
	e.mu.Unlock()
}

// enter counts a goroutine into the groups unless the endpoint is beyond the
// phase last. Whoever enters must call leave with the same groups.
func (e *Endpoint) enter(last phase, groups ...*sync.WaitGroup) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.phase < serving || e.phase > last {
		return false
	}
	e.work.Add(1)
	for _, g := range groups {
		g.Add(1)
	}
	return true
}

func (e *Endpoint) leave(groups ...*sync.WaitGroup) {
	for _, g := range groups {
		g.Done()
	}
	e.work.Done()
}

// spawn runs f on a goroutine of the endpoint, and reports false if the
// endpoint has finished and f will not run.
func (e *Endpoint) spawn(f func(), groups ...*sync.WaitGroup) bool {
	if !e.enter(drains, groups...) {
		return false
	}
	go func() {
		defer e.leave(groups...)
		f()
	}()
	return true
}

// serveContext returns Serve's context, or ErrNotServing.
func (e *Endpoint) serveContext() (context.Context, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.phase != serving {
		return nil, ErrNotServing
	}
	return e.ctx, nil
}
