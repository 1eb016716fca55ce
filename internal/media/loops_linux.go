//go:build !386 && !s390x

package media

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// loops is the engine of Linux: a few threads, each of which waits for many
// sockets at once. A stream is read by one loop at a time; what its packets
// need runs there, to the end.
type loops struct {
	room int        // how many streams a loop gets before the next one starts
	mu   sync.Mutex // guards the streams of all, and their start and end
	all  []*loop
}

func newDriver(cfg EngineConfig) driver {
	n := cfg.Loops
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	e := &loops{room: roomy}
	for range n {
		e.all = append(e.all, &loop{pace: pace{tick: cfg.tick()}})
	}
	return e
}

func (*loops) bind(b binding) (conn, error) {
	c, err := openRaw(b)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// seat is the place of a stream on a loop.
type seat struct {
	// Set by take, then constant.
	stream    *Stream
	rtp, rtcp int // descriptors
	// Owned by the loop.
	slot    int
	broken  int
	waiting bool // for a key to end

	gone chan error // set by take: why the loop let go of it by itself, once
	mu   sync.Mutex // held while the stream changes its place, which takes a tick
	// Guarded by mu.
	engine *loops
	closed bool
	// Changed under mu. Nil: on none.
	home atomic.Pointer[loop]
}

// run seats a stream and waits: the loop does the rest.
func (e *loops) run(ctx context.Context, s *Stream) error {
	rtp, ok := s.pair.rtp.(*rawConn)
	rtcp, also := s.pair.rtcp.(*rawConn)
	if !ok || !also {
		return fmt.Errorf("port %d is of another engine", s.pair.port)
	}
	seat := &rtp.seat
	if err := seat.take(e, s, rtp.fd, rtcp.fd); err != nil {
		return fmt.Errorf("stream %s: %w", s.local, err)
	}
	defer seat.leave()
	select {
	case <-ctx.Done():
	case err := <-seat.gone:
		return fmt.Errorf("stream %s: %w", s.local, err)
	}
	select {
	case err := <-seat.gone: // the socket was closed before
		return fmt.Errorf("stream %s: %w", s.local, err)
	default:
		return context.Cause(ctx)
	}
}

// take sits down beside the peer, if that sits already.
func (x *seat) take(e *loops, s *Stream, rtp, rtcp int) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return net.ErrClosed
	}
	x.stream, x.rtp, x.rtcp, x.gone = s, rtp, rtcp, make(chan error, 1)
	l, err := e.hold(homeOf(s.peer.Load()))
	if err != nil {
		return err
	}
	if err := l.add(x); err != nil {
		e.release(l)
		return err
	}
	x.engine = e
	x.home.Store(l)
	return nil
}

// leave returns when no loop touches the stream any more.
func (x *seat) leave() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if l := x.home.Swap(nil); l != nil {
		l.remove(x)
		x.engine.release(l)
	}
}

// close ends the run of the stream, if there is one, and lets none begin.
func (x *seat) close() {
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	x.leave()
	x.end(net.ErrClosed)
}

// end tells run why it is over; the first reason counts.
func (x *seat) end(err error) {
	select {
	case x.gone <- err:
	default: // told already, or nobody runs
	}
}

// homeOf is the loop that reads a stream; nil: none.
func homeOf(s *Stream) *loop {
	if s == nil {
		return nil
	}
	if c, ok := s.pair.rtp.(*rawConn); ok {
		return c.seat.home.Load()
	}
	return nil
}

func (e *loops) beside(s, peer *Stream) {
	to := homeOf(peer)
	mine, ok := s.pair.rtp.(*rawConn)
	if to == nil || !ok || homeOf(s) == nil {
		return // whoever sits down later looks for the other
	}
	mine.seat.move(to)
}

// move changes the loop. What arrives meanwhile waits in the socket.
func (x *seat) move(to *loop) {
	x.mu.Lock()
	defer x.mu.Unlock()
	from := x.home.Load()
	if from == nil || from == to {
		return
	}
	got, err := x.engine.hold(to)
	if err != nil || got == from {
		if err == nil {
			x.engine.release(got)
		}
		return // where it sits is as good
	}
	from.remove(x)
	if err := got.add(x); err != nil {
		x.end(err)
	}
	x.home.Store(got)
	x.engine.release(from)
}

// hold counts a stream in on a loop, which starts if it is the first: on the
// wanted one if that runs and is of this engine, else on the one with the
// most that has room, so that few threads wake for many streams, else on the one
// with the fewest.
func (e *loops) hold(wanted *loop) (*loop, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	best := e.all[0]
	for _, l := range e.all {
		if l == wanted && l.streams > 0 {
			best = l
			break
		}
		if e.better(l, best) {
			best = l
		}
	}
	if best.streams == 0 {
		if err := best.start(); err != nil {
			return nil, err
		}
	}
	best.streams++
	return best, nil
}

// roomy streams, of 512 calls, keep a loop awake for half of the time. A packet
// then waits for few others, and what is gathered in a tick is one thread's to
// serve: two half as busy cost a fifth more.
const roomy = 1024

// better reports whether a stream should rather sit on l than on other.
func (e *loops) better(l, other *loop) bool {
	if l.streams < e.room && other.streams < e.room {
		return l.streams > other.streams
	}
	return l.streams < other.streams
}

// release counts a stream out. With the last one its loop ends.
func (e *loops) release(l *loop) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.streams--; l.streams == 0 {
		l.stop()
	}
}

// pace decides when it pays to let packets gather.
type pace struct {
	tick time.Duration
	// Owned by the loop.
	lively  bool
	packets int // since then
	since   time.Time
}

// rest is how long to let packets gather, when so much of the tick is over: at
// least a quarter, for somebody else may want the processor.
func (p *pace) rest(over time.Duration) time.Duration {
	return max(p.tick-over, p.tick/4)
}

// paceWindow is after how many packets it is decided anew.
const paceWindow = 16

// count takes note of packets. A loop is lively when on average two or more
// come in a tick: fewer would be delayed for nothing.
func (p *pace) count(now time.Time, packets int) {
	if p.packets += packets; p.packets >= paceWindow {
		p.lively = now.Sub(p.since) < time.Duration(p.packets/2)*p.tick
		p.packets, p.since = 0, now
	}
}
