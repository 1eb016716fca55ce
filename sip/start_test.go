package sip

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// A testEndpoint is an endpoint that serves.
type testEndpoint struct {
	*Endpoint
	t      *testing.T
	stop   context.CancelFunc
	served chan error
}

// udp is the address of the first UDP socket, tcp of the first TCP one.
func (e *testEndpoint) udp() netip.AddrPort { return e.first("udp") }
func (e *testEndpoint) tcp() netip.AddrPort { return e.first("tcp") }

func (e *testEndpoint) first(transport string) netip.AddrPort {
	for _, a := range e.Addrs() {
		if a.Transport == transport {
			return a.AddrPort
		}
	}
	e.t.Fatalf("no %s address", transport)
	return netip.AddrPort{}
}

// shutdown ends Serve and checks that it returns without an error.
func (e *testEndpoint) shutdown() {
	e.t.Helper()
	e.stop()
	select {
	case err := <-e.served:
		assert.NoError(e.t, err)
		e.served <- nil
	case <-time.After(2 * soon):
		e.t.Fatal("Serve does not return")
	}
}

// checked holds the tests that checkLeaks was called for.
var checked sync.Map

// checkLeaks fails the test if goroutines are left after all its other
// cleanups. It must be called first; calls after the first do nothing.
func checkLeaks(t *testing.T) {
	t.Helper()
	if _, again := checked.LoadOrStore(t, true); !again {
		t.Cleanup(func() { goleak.VerifyNone(t) })
	}
}

// logged collects what an endpoint logs.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// start serves an endpoint on UDP and TCP of 127.0.0.1 with a short T1 until
// the test ends. Whatever it logs must not hold a number.
func start(t *testing.T, h Handler, change ...func(*Config)) *testEndpoint {
	t.Helper()
	return startWith(t, h, func(*Endpoint) {}, change...)
}

// startWith is start with a change to the endpoint before it serves.
func startWith(t *testing.T, h Handler, prepare func(*Endpoint), change ...func(*Config)) *testEndpoint {
	t.Helper()
	checkLeaks(t)
	log := &logged{}
	cfg := Config{
		Listen: []string{"udp:127.0.0.1:0", "tcp:127.0.0.1:0"}, T1: testT1,
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&cfg)
	}
	ep, err := Listen(cfg)
	require.NoError(t, err)
	prepare(ep)
	if h.Invite == nil {
		h.Invite = func(_ context.Context, in *Incoming) { _ = in.Reject(480, "Nobody Home") }
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &testEndpoint{Endpoint: ep, t: t, stop: cancel, served: make(chan error, 1)}
	go func() { e.served <- ep.Serve(ctx, h) }()
	t.Cleanup(func() {
		e.shutdown()
		assert.NotContains(t, log.String(), "+3120", "a number in the log")
		assert.NotContains(t, log.String(), "m=audio", "a body in the log")
	})
	receive(t, ep.Serving())
	return e
}

// answering is a handler that answers every call, passes the leg on and stays
// until the leg ends.
func answering(d InDialog) (Handler, <-chan *Leg, <-chan error) {
	// With room for every call of a test that looks only at its end.
	legs, errs := make(chan *Leg, 64), make(chan error, 64)
	return Handler{Invite: func(ctx context.Context, in *Incoming) {
		leg, err := in.Answer(ctx, []byte(testAnswer), d)
		if err != nil {
			errs <- err
			return
		}
		legs <- leg
		select {
		case <-leg.Context().Done():
		case <-ctx.Done():
		}
	}}, legs, errs
}

// receive returns what comes from a channel soon.
func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(soon):
		var zero T
		require.Fail(t, "nothing came", "%T", zero)
		return zero
	}
}

// ended waits for the end of a context and returns its cause.
func ended(t *testing.T, ctx context.Context) error {
	t.Helper()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(soon):
		require.Fail(t, "the context does not end")
		return nil
	}
}
