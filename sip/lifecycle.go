package sip

import (
	"context"
	"sync"
)

// phase is what an endpoint may do: each allows less than the one before.
type phase int

const (
	bound    phase = iota // not served yet
	starting              // its sockets are about to be read
	serving               // takes and makes calls
	drains                // ends its calls
	finished              // starts nothing any more
)

// A lifecycle knows what an endpoint may still do, and every goroutine of it.
type lifecycle struct {
	work  sync.WaitGroup // every goroutine, see enter
	calls sync.WaitGroup // Handler.Invite, within work
	sends tally          // transactions that should end before the sockets close, within work

	begun    chan struct{}   // closed when Serve has begun
	draining chan struct{}   // closed when Serve's context ended
	ending   context.Context // ends when nothing may wait any longer
	finish   context.CancelFunc
	quit     <-chan struct{} // ending's

	mu    sync.Mutex // guards phase and ctx, and every Add to the wait groups
	phase phase
	ctx   context.Context // Serve's, from phase serving on
}

// group counts goroutines of one kind: a [sync.WaitGroup] or a [tally].
type group interface {
	Add(delta int)
	Done()
}

// tally is a wait group that may be added to while somebody waits for it to be
// empty: the goodbyes of calls begin while an endpoint drains. The zero value is
// empty.
type tally struct {
	mu    sync.Mutex
	n     int
	empty chan struct{} // closed when n is 0 again
}

func (t *tally) Add(delta int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == 0 {
		t.empty = make(chan struct{})
	}
	if t.n += delta; t.n == 0 {
		close(t.empty)
	}
}

func (t *tally) Done() { t.Add(-1) }

// Wait returns at a moment at which nothing was counted.
func (t *tally) Wait() {
	for {
		t.mu.Lock()
		n, empty := t.n, t.empty
		t.mu.Unlock()
		if n == 0 {
			return
		}
		<-empty
	}
}

func (c *lifecycle) setUp() {
	c.begun, c.draining = make(chan struct{}), make(chan struct{})
	c.ending, c.finish = context.WithCancel(context.Background())
	c.quit = c.ending.Done()
}

// Serving is closed when Serve has begun: from then on calls can be made.
func (c *lifecycle) Serving() <-chan struct{} { return c.begun }

func (c *lifecycle) setPhase(p phase) {
	c.mu.Lock()
	c.phase = p
	c.mu.Unlock()
}

// enter counts a goroutine into the groups unless the endpoint is beyond the
// phase last. Whoever enters must call leave with the same groups.
func (c *lifecycle) enter(last phase, groups ...group) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase < serving || c.phase > last {
		return false
	}
	c.work.Add(1)
	for _, g := range groups {
		g.Add(1)
	}
	return true
}

func (c *lifecycle) leave(groups ...group) {
	for _, g := range groups {
		g.Done()
	}
	c.work.Done()
}

// spawn runs f on a goroutine of the endpoint, and reports false if the
// endpoint has finished and f will not run.
func (c *lifecycle) spawn(f func(), groups ...group) bool {
	if !c.enter(drains, groups...) {
		return false
	}
	go func() {
		defer c.leave(groups...)
		f()
	}()
	return true
}

// serveContext returns Serve's context, or ErrNotServing.
func (c *lifecycle) serveContext() (context.Context, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != serving {
		return nil, ErrNotServing
	}
	return c.ctx, nil
}
