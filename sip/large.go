package sip

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

const (
	// maxOverUDP is the largest INVITE, in bytes, that goes over UDP while TCP is
	// possible: the path to the far end is not known, and fragments get lost
	// (RFC 3261 section 18.1.1).
	maxOverUDP = 1300
	// switchTimeout bounds the attempt to connect to a far end that may know UDP
	// only: a caller waits meanwhile.
	switchTimeout = time.Second
	// udpOnlyFor is how long a far end that could not be connected to is believed
	// to know UDP only, and maxUDPOnly how many of them are remembered.
	udpOnlyFor = 5 * time.Minute
	maxUDPOnly = 256
)

// udpOnly are the far ends that take no connection. The zero value is empty.
type udpOnly struct {
	mu    sync.Mutex // guards until
	until map[netip.AddrPort]time.Time
}

func (u *udpOnly) has(dest netip.AddrPort, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now.Before(u.until[dest])
}

func (u *udpOnly) add(dest netip.AddrPort, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.until == nil || len(u.until) >= maxUDPOnly {
		u.until = make(map[netip.AddrPort]time.Time)
	}
	u.until[dest] = now.Add(udpOnlyFor)
}

// switched is the way over TCP for an INVITE that is too large for UDP, if there
// is one. Whoever names a transport in the target has decided: there is no other
// then. Requests within the dialog go where the far end's Contact says.
func (e *Endpoint) switched(ctx context.Context, t target, h hop, req *siplib.Request) (hop, bool) {
	if h.stack.transport != "udp" || t.explicit || len(req.String()) <= maxOverUDP || e.names.udpOnly.has(h.dest, time.Now()) {
		return hop{}, false
	}
	over, ok := e.hopTo("tcp", h.dest, nil)
	if !ok {
		return hop{}, false // no listener that could name us there
	}
	over.auth, over.sips = h.auth, h.sips
	probe := req.Clone()
	over.aim(probe)
	ctx, cancel := context.WithTimeout(ctx, switchTimeout)
	defer cancel()
	defer context.AfterFunc(over.stack.ending, cancel)()
	c, err := over.stack.tpl.ClientRequestConnection(ctx, probe)
	if err != nil {
		e.names.udpOnly.add(h.dest, time.Now())
		return hop{}, false
	}
	_, _ = c.TryClose() // gives back the reference; the INVITE finds it again
	return over, true
}

// dial makes one attempt at a call, over TCP in place of UDP if the INVITE is too
// large for that and the far end takes the connection.
func (e *Endpoint) dial(ctx context.Context, t target, inv Invite, a attempt) (*Leg, error) {
	req := e.compose(t, inv, a)
	over, ok := e.switched(ctx, t, a.hop, req)
	if !ok {
		return e.dialWith(ctx, a, inv, req)
	}
	by := a
	by.hop = over
	leg, err := e.dialWith(ctx, by, inv, e.compose(t, inv, by))
	if !errors.Is(err, ErrUnreachable) || errors.Is(err, errAnswered) || ctx.Err() != nil {
		return leg, err
	}
	e.names.udpOnly.add(a.hop.dest, time.Now())
	return e.dialWith(ctx, a, inv, req)
}
