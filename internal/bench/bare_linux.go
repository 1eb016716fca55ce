//go:build !386 && !s390x

package bench

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// bare relays with nothing between the system calls but the copies: it believes
// everybody, counts nothing and cannot be told to stop copying.
type bare struct {
	tick  time.Duration
	epoll int
	legs  []*bareLeg
	stop  atomic.Bool
	done  sync.WaitGroup
}

// bareLeg is one direction of one call: what comes in at one socket.
type bareLeg struct {
	in       *udp
	peer     *bareLeg // sends it
	far      raw      // where the peer's packets go
	recorder *udp     // nil: none
	seq      uint16
	out      [2048]byte
	copy     [2048]byte
}

const bareTick = time.Millisecond

func newBare(s Subject) relay {
	b := &bare{epoll: -1}
	if s == Bare {
		b.tick = bareTick
	}
	return b
}

func (b *bare) open(spec Spec) (all []ends, err error) {
	if b.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	for range spec.Calls {
		caller, err := b.leg(spec, true)
		if err != nil {
			return nil, err
		}
		agent, err := b.leg(spec, false)
		if err != nil {
			return nil, err
		}
		caller.peer, agent.peer = agent, caller
		all = append(all, ends{Caller: caller.in.addr, Agent: agent.in.addr})
	}
	b.done.Go(b.run)
	return all, nil
}

func (b *bare) leg(spec Spec, ofCaller bool) (*bareLeg, error) {
	in, err := openUDP(netip.AddrPort{})
	if err != nil {
		return nil, err
	}
	far, copies := spec.World.Agent, spec.World.AgentCopies
	if ofCaller {
		far, copies = spec.World.Caller, spec.World.CallerCopies
	}
	l := &bareLeg{in: in, far: rawOf(far)}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(len(b.legs))}
	b.legs = append(b.legs, l)
	if spec.Recorded {
		if l.recorder, err = openUDP(copies); err != nil {
			return nil, err
		}
	}
	return l, os.NewSyscallError("epoll_ctl", syscall.EpollCtl(b.epoll, syscall.EPOLL_CTL_ADD, in.fd, &event))
}

func (b *bare) run() {
	events := make([]syscall.EpollEvent, 256)
	buf := make([]byte, 2048)
	var from raw
	var yielded time.Time
	for !b.stop.Load() {
		// Else the runtime watches it, at the price of a tenth of the loop.
		if now := time.Now(); now.Sub(yielded) > 4*time.Millisecond {
			yielded = now
			runtime.Gosched()
		}
		n := poll(b.epoll, events)
		if n == 0 && b.tick > 0 {
			pause := syscall.NsecToTimespec(int64(b.tick))
			syscall.Nanosleep(&pause, nil)
			continue
		}
		if n == 0 {
			n, _ = syscall.EpollWait(b.epoll, events, 100)
		}
		for _, e := range events[:max(n, 0)] {
			l := b.legs[e.Fd]
			if size, errno := receive(l.in.fd, buf, &from); errno == 0 && size > 12 {
				l.relay(buf[:size])
			}
		}
	}
}

// relay sends a packet on under another header, and a copy under a third.
func (l *bareLeg) relay(data []byte) {
	l.seq++
	header(l.peer.out[:], data, l.seq, 1)
	n := 12 + copy(l.peer.out[12:], data[12:])
	sendTo(l.peer.in.fd, l.peer.out[:n], &l.peer.far)
	if l.recorder != nil {
		header(l.copy[:], data, binary.BigEndian.Uint16(data[2:]), 2)
		n = 12 + copy(l.copy[12:], data[12:])
		sendTo(l.recorder.fd, l.copy[:n], nil)
	}
}

func header(dst, data []byte, seq uint16, ssrc uint32) {
	copy(dst[:8], data[:8])
	binary.BigEndian.PutUint16(dst[2:], seq)
	binary.BigEndian.PutUint32(dst[8:], ssrc)
}

func (*bare) process() int { return os.Getpid() }

func (b *bare) close() error {
	b.stop.Store(true)
	b.done.Wait()
	var problems []error
	for _, l := range b.legs {
		problems = append(problems, l.in.close())
		if l.recorder != nil {
			problems = append(problems, l.recorder.close())
		}
	}
	if b.epoll >= 0 {
		problems = append(problems, syscall.Close(b.epoll))
	}
	return errors.Join(problems...)
}
