package media

import (
	"context"
	"net/netip"
	"time"
)

// EngineConfig says how packets are moved. The zero value is the best engine
// that the system has.
type EngineConfig struct {
	// Plain: a goroutine for every socket, by package net. It is the reference
	// that other engines are compared with, and what is used on systems other
	// than Linux in any case.
	Plain bool
	// Loops is how many threads read sockets. 0: as many as GOMAXPROCS says.
	Loops int
	// Tick is how long a loop under load lets packets gather before it looks
	// again: one wake-up then serves many of them. It is the most that an engine
	// adds to the way of a packet; without load it adds nothing. 0 means 1 ms,
	// which is also the longest; below 0: never wait.
	Tick time.Duration
}

// Engine moves datagrams between sockets and streams. Sides whose streams relay
// to each other should share one, so that both parties of a call meet on one
// thread.
//
// There is nothing to close: a thread starts with the first [Stream.Run] that
// needs it and has ended when the last one returns.
type Engine struct{ driver }

// NewEngine opens nothing yet.
func NewEngine(cfg EngineConfig) *Engine {
	if cfg.Plain {
		return &Engine{plain{}}
	}
	return &Engine{newDriver(cfg)}
}

// tick is Tick within its bounds; 0: never wait.
func (c EngineConfig) tick() time.Duration {
	if c.Tick == 0 {
		return maxTick
	}
	return min(max(c.Tick, 0), maxTick)
}

// maxTick is what a conversation does not notice: a twentieth of a frame.
const maxTick = time.Millisecond

// driver is one way to read and write sockets.
type driver interface {
	// bind opens a UDP socket. Its error wraps the [syscall.Errno].
	bind(binding) (conn, error)
	// run is Stream.Run, but for the rule that there is one.
	run(context.Context, *Stream) error
	// beside lets the same thread serve s that serves peer, from now on or from
	// the time when both run. It may wait for a tick.
	beside(s, peer *Stream)
}

// conn is one UDP socket.
type conn interface {
	local() netip.AddrPort
	// send is called by one goroutine at a time; who that is, the owner decides.
	// It tries once and never waits for room: a packet that the kernel does not
	// take at once is late anyway. The error is a [syscall.Errno], EAGAIN if the
	// kernel's buffer is full, or [net.ErrClosed]. A nil target is the address
	// that the socket is connected to.
	send(packet []byte, to *target) error
	// twin sends on the same socket beside whoever sends on this one. It is closed
	// with it.
	twin() conn
	// close may overtake a send. It returns when no send is in flight and the loop that read the socket
	// has let go of it.
	close() error
}

// binding says how a socket is opened. It never takes or sends broadcasts: the
// voice of one party is for one host.
type binding struct {
	local netip.AddrPort
	to    netip.AddrPort // connected to; invalid: not connected
	dscp  int            // 0 to 63
	deaf  bool           // nobody reads it: what comes in is to fill as little as possible
}
