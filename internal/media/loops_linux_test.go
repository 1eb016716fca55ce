//go:build !386 && !s390x

package media

import (
	"context"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// crowded is an engine of two loops that fill up with one stream, so that a call
// begins on both.
func crowded() (*Engine, *loops) {
	e := newDriver(EngineConfig{Loops: 2}).(*loops)
	e.room = 1
	return &Engine{e}, e
}

// seated opens a stream and runs it until it sits.
func seated(t *testing.T, ports *Ports, far *phone) (*Stream, func(error) error) {
	s := opened(t, ports)
	s.Connect(far.far())
	stop := run(t, s)
	until(t, "it sits", func() bool { return homeOf(s) != nil })
	return s, stop
}

func TestBothStreamsOfACallMeetOnOneLoop(t *testing.T) {
	engine, e := crowded()
	ports := NewPorts(PortsConfig{Addr: loopback(), Engine: engine})
	caller, callee := newPhone(t), newPhone(t)
	a, _ := seated(t, ports, caller)
	b, _ := seated(t, ports, callee)
	require.NotSame(t, homeOf(a), homeOf(b))
	a.RelayTo(b)
	b.RelayTo(a)
	assert.Same(t, homeOf(a), homeOf(b))
	for i := range byte(10) {
		caller.send(a.Local(), caller.voice(frameOf(i)))
		assert.Equal(t, frameOf(i), callee.next().Payload)
		callee.send(b.Local(), callee.voice(frameOf(i)))
		assert.Equal(t, frameOf(i), caller.next().Payload)
	}
	assert.ElementsMatch(t, []int{0, 2}, []int{e.all[0].streams, e.all[1].streams})

	c := opened(t, ports)
	c.RelayTo(a)
	run(t, c)
	until(t, "it sits", func() bool { return homeOf(c) != nil })
	assert.Same(t, homeOf(a), homeOf(c), "who sits down later looks for the other")
}

func TestNoPacketIsLostWhenAStreamChangesItsLoop(t *testing.T) {
	engine, _ := crowded()
	ports := NewPorts(PortsConfig{Addr: loopback(), Engine: engine})
	caller, callee, third := newPhone(t), newPhone(t), newPhone(t)
	b, _ := seated(t, ports, callee)
	c, _ := seated(t, ports, third)
	a, _ := seated(t, ports, caller)
	require.NotSame(t, homeOf(b), homeOf(c))
	var sender sync.WaitGroup
	const packets = 1000
	var received atomic.Uint64
	sender.Go(func() {
		for range packets {
			before := a.Stats().Received
			caller.send(a.Local(), caller.voice(frameOf(1)))
			until(t, "it is received", func() bool { return a.Stats().Received > before })
			received.Add(1)
		}
	})
	homes := map[*loop]int{}
	for received.Load() < packets {
		for _, peer := range []*Stream{b, c} {
			a.RelayTo(peer)
			homes[homeOf(a)]++
		}
	}
	sender.Wait()
	assert.Len(t, homes, 2)
	assert.EqualValues(t, packets, a.Stats().Received)
	out := func(s *Stream) uint64 { return s.Stats().Sent + s.Stats().Late }
	until(t, "all are relayed but what came before the first turn", func() bool { return out(b)+out(c) >= packets-1 })
	assert.Zero(t, a.Stats().ReadErrors)
}

func TestALoopLivesAsLongAsItsStreams(t *testing.T) {
	engine, e := crowded()
	ports := NewPorts(PortsConfig{Addr: loopback(), Engine: engine})
	for range 3 {
		_, stopA := seated(t, ports, newPhone(t))
		_, stopB := seated(t, ports, newPhone(t))
		assert.NotNil(t, e.all[0].memory)
		assert.NotNil(t, e.all[1].memory)
		stopA(errHungUp)
		stopB(errHungUp)
		for _, l := range e.all {
			assert.Zero(t, l.streams)
			assert.Nil(t, l.memory, "its thread has ended")
		}
	}
}

func TestALoopThatCannotStartSaysWhy(t *testing.T) {
	s := newStream(t)
	if _, ok := s.pair.rtp.(*rawConn); !ok {
		t.Skip("another engine is under test")
	}
	next, err := syscall.Dup(0) // the lowest number that is free
	require.NoError(t, err)
	require.NoError(t, syscall.Close(next))
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	for _, free := range []uint64{0, 1} { // none for epoll, then none for the bell
		lowered := syscall.Rlimit{Cur: uint64(next) + free, Max: limit.Max}
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lowered))
		other := &Stream{ports: s.ports, pair: s.pair, local: s.local}
		err = other.Run(t.Context())
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
		require.ErrorIs(t, err, syscall.EMFILE)
	}
	stop := run(t, s)
	until(t, "later it can", func() bool { return homeOf(s) != nil })
	assert.ErrorIs(t, stop(errHungUp), errHungUp)
}

// TestASocketThatIsBrokenEndsItsStreamOnly: a descriptor that is no socket.
func TestASocketThatIsBrokenEndsItsStreamOnly(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	s := newStream(t)
	l := &loop{epoll: -1, memory: &roundMemory{}}
	x := &seat{stream: s, rtp: int(r.Fd()), rtcp: -1, gone: make(chan error, 1)}
	other := &seat{slot: 1}
	l.seats = []*seat{x, other}
	for range maxReadErrors {
		require.Empty(t, x.gone)
		l.serve(time.Now(), &syscall.EpollEvent{Fd: 0, Pad: rtpEvent})
	}
	assert.ErrorIs(t, <-x.gone, errBroken)
	assert.Equal(t, []*seat{nil, other}, l.seats)
	assert.EqualValues(t, maxReadErrors, s.Stats().ReadErrors)
	l.serve(time.Now(), &syscall.EpollEvent{Fd: 0, Pad: rtpEvent}) // of the same round
	assert.EqualValues(t, maxReadErrors, s.Stats().ReadErrors)
}

// TestAClosedSocketNeverSendsForAnother closes descriptors while others send on
// them, and looks whether the next owner of the number sends anything.
func TestAClosedSocketNeverSendsForAnother(t *testing.T) {
	right, wrong := newPhone(t), newPhone(t)
	data := right.voice(frameOf(1))
	reused := 0
	for range 100 {
		first, err := openRaw(binding{local: netip.AddrPortFrom(loopback(), 0), to: right.addr})
		require.NoError(t, err)
		var senders sync.WaitGroup
		var sent atomic.Uint64
		senders.Go(func() {
			for first.send(data, nil) != net.ErrClosed {
				sent.Add(1)
			}
		})
		for sent.Load() == 0 {
			runtime.Gosched()
		}
		require.NoError(t, first.close())
		second, err := openRaw(binding{local: netip.AddrPortFrom(loopback(), 0), to: wrong.addr})
		require.NoError(t, err)
		if second.fd == first.fd {
			reused++
		}
		senders.Wait()
		require.Equal(t, net.ErrClosed, first.close())
		require.NoError(t, second.close())
		right.got()
	}
	assert.Empty(t, wrong.got())
	assert.NotZero(t, reused, "the test tests nothing")
}

func TestARunningLoopDoesNotAllocate(t *testing.T) {
	caller, callee, recorder := newPhone(t), newPhone(t), newPhone(t)
	engine := NewEngine(EngineConfig{Tick: -1})
	ports := NewPorts(PortsConfig{Addr: loopback(), Engine: engine})
	a, b := opened(t, ports), opened(t, ports)
	a.Connect(caller.far())
	b.Connect(callee.far())
	a.RelayTo(b)
	sender, err := ports.Sender(recorder.addr)
	require.NoError(t, err)
	defer sender.Close()
	a.TapTo(NewTap(openGate(t), 1, sender))
	run(t, a)
	data := caller.voice(frameOf(1))
	n := uint64(0)
	packet := func() {
		data[3]++
		if data[3] == 0 {
			data[2]++
		}
		caller.conn.WriteToUDPAddrPort(data, a.Local())
		for n++; a.tap.Load().sent.Load() < n; {
			runtime.Gosched()
		}
	}
	packet()
	assert.Zero(t, testing.AllocsPerRun(100, packet))
}

func TestALoopWaitsForMorePacketsOnlyIfTheyAreMany(t *testing.T) {
	cases := map[string]struct {
		packets int // of a round
		every   time.Duration
		lively  bool
	}{
		"one call":         {1, 10 * time.Millisecond, false},
		"ten calls":        {1, time.Millisecond, false},
		"two in a tick":    {1, 500 * time.Microsecond, false},
		"three in a tick":  {1, 333 * time.Microsecond, true},
		"hundred a tick":   {100, time.Millisecond, true},
		"bursts, but rare": {10, 20 * time.Millisecond, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, now := pace{tick: time.Millisecond}, time.Now()
			for range 2 * paceWindow {
				now = now.Add(c.every)
				p.count(now, c.packets)
			}
			assert.Equal(t, c.lively, p.lively)
		})
	}
	never, now := pace{}, time.Now()
	for range 100 {
		never.count(now, 100)
	}
	assert.False(t, never.lively, "without a tick")
	p := pace{tick: time.Millisecond}
	assert.Equal(t, 700*time.Microsecond, p.rest(300*time.Microsecond))
	assert.Equal(t, 250*time.Microsecond, p.rest(time.Second))
}

func TestLoopsFillUpOneAfterTheOther(t *testing.T) {
	e := &loops{room: 10}
	best := func(streams ...int) int {
		var all []*loop
		for _, n := range streams {
			all = append(all, &loop{streams: n})
		}
		chosen := all[0]
		for _, l := range all {
			if e.better(l, chosen) {
				chosen = l
			}
		}
		return slices.Index(all, chosen)
	}
	assert.Equal(t, 0, best(0, 0, 0))
	assert.Equal(t, 0, best(9, 0, 0))
	assert.Equal(t, 1, best(10, 0, 0))
	assert.Equal(t, 1, best(10, 9, 0))
	assert.Equal(t, 2, best(10, 10, 0))
	assert.Equal(t, 1, best(12, 11, 13))
}

func TestEveryPacketIsMarkedForItsPriority(t *testing.T) {
	for _, engine := range []EngineConfig{{}, {Plain: true}} {
		for given, mark := range map[int]byte{0: 46 << 2, 10: 10 << 2, -1: 0} {
			ports := NewPorts(PortsConfig{Addr: loopback(), DSCP: given, Engine: NewEngine(engine)})
			far := newPhone(t)
			sender, err := ports.Sender(far.addr)
			require.NoError(t, err)
			defer sender.Close()
			s := opened(t, ports)
			s.Connect(far.far())
			assert.Equal(t, mark, far.markOf(func() { sender.Send(far.voice(frameOf(1)), PCMU) }), "a copy, DSCP %d", given)
			assert.Equal(t, mark, far.markOf(func() {
				_, err := s.Play(context.Background(), Clip{PCMU: frameOf(1)})
				require.NoError(t, err)
			}), "a notice, DSCP %d", given)
		}
	}
}

// markOf is the type of service of the packet that do sends.
func (p *phone) markOf(do func()) byte {
	raw, err := p.conn.SyscallConn()
	require.NoError(p.t, err)
	require.NoError(p.t, raw.Control(func(fd uintptr) {
		require.NoError(p.t, syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_RECVTOS, 1))
	}))
	do()
	require.NoError(p.t, p.conn.SetReadDeadline(time.Now().Add(patience)))
	oob := make([]byte, 64)
	_, n, _, _, err := p.conn.ReadMsgUDPAddrPort(make([]byte, maxPacket), oob)
	require.NoError(p.t, err)
	messages, err := syscall.ParseSocketControlMessage(oob[:n])
	require.NoError(p.t, err)
	require.Len(p.t, messages, 1)
	return messages[0].Data[0]
}
