//go:build !386 && !s390x

package media

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// loop is one thread that reads the sockets of its streams.
type loop struct {
	streams int // guarded by loops.mu: those that sit here or are about to

	// Set by start, before the thread.
	epoll, bell int // descriptors
	done        chan struct{}

	mu    sync.Mutex // guards inbox
	inbox []func()

	// Owned by the thread.
	pace    pace
	seats   []*seat // by slot; nil: free
	free    []int   // slots
	waiting []*seat // for a key; holds as many as there are seats
	ended   bool
	rung    bool
	served  int // events of this round
	clocks
	memory *roundMemory
}

// clocks are when the thread did what, and how long it is to pause.
type clocks struct {
	woken, yielded time.Time
	pause          syscall.Timespec
}

// roundMemory is what packets pass through, shared by all streams.
type roundMemory struct {
	receiver
	scratch
	events [256]syscall.EpollEvent
	warmth uint64 // means nothing: what ahead reads must go somewhere
}

// theBell stands in an event where the slot of a stream stands otherwise.
const theBell = -1

// start starts the thread, under loops.mu.
func (l *loop) start() (err error) {
	if l.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	bell, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		syscall.Close(l.epoll)
		return os.NewSyscallError("eventfd2", errno)
	}
	l.bell = int(bell)
	if err := l.watch(l.bell, theBell, 0); err != nil {
		return errors.Join(err, syscall.Close(l.bell), syscall.Close(l.epoll))
	}
	l.done, l.ended, l.memory = make(chan struct{}), false, &roundMemory{}
	go l.run()
	return nil
}

// stop ends the thread and waits for it. Nobody sits here any more.
func (l *loop) stop() {
	l.ask(func() { l.ended = true })
	<-l.done
	syscall.Close(l.bell)
	syscall.Close(l.epoll)
	l.seats, l.free, l.waiting, l.memory = nil, nil, nil, nil
}

// ask lets the thread run f between two rounds, and waits for that: a tick, and
// what is left of a round.
func (l *loop) ask(f func()) {
	answered := make(chan struct{})
	l.mu.Lock()
	l.inbox = append(l.inbox, func() { f(); close(answered) })
	l.mu.Unlock()
	one := [8]byte{1} // eventfd(2): a counter in native order, not 0
	syscall.Write(l.bell, one[:])
	<-answered
}

// add seats a stream. The error is that of epoll_ctl(2): out of memory or of
// the system's limit of watches.
func (l *loop) add(x *seat) (err error) {
	l.ask(func() {
		if n := len(l.free); n > 0 {
			x.slot, l.free = l.free[n-1], l.free[:n-1]
		} else {
			x.slot, l.seats = len(l.seats), append(l.seats, nil)
		}
		l.seats[x.slot], x.broken = x, 0
		// Before the packets come, which may not allocate.
		l.waiting = slices.Grow(l.waiting, len(l.seats)-len(l.waiting))
		if err = errors.Join(l.watch(x.rtp, x.slot, rtpEvent), l.watch(x.rtcp, x.slot, rtcpEvent)); err != nil {
			l.vacate(x)
			return
		}
		l.await(x) // it may have moved here with a key held
	})
	return err
}

// remove unseats a stream, if it sits here.
func (l *loop) remove(x *seat) {
	l.ask(func() { l.vacate(x) })
}

// vacate ends the reading of a stream.
func (l *loop) vacate(x *seat) {
	if x.slot >= len(l.seats) || l.seats[x.slot] != x {
		return
	}
	// What is not watched cannot be removed, which is as good.
	syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_DEL, x.rtp, nil)
	syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_DEL, x.rtcp, nil)
	l.seats[x.slot] = nil
	l.free = append(l.free, x.slot)
	l.waiting = slices.DeleteFunc(l.waiting, func(w *seat) bool { return w == x })
	x.waiting = false
}

// The two sockets of a seat, as its events tell them apart.
const (
	rtpEvent = iota
	rtcpEvent
)

func (l *loop) watch(fd, slot, which int) error {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(slot), Pad: int32(which)}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &event))
}

// run is the thread. It is not locked to its goroutine: that made every turn
// cost two switches more and nothing faster. A stream is read once a round, so that nobody who floods
// one can keep the others waiting; whoever has more is read in the next round.
func (l *loop) run() {
	defer close(l.done)
	for now := time.Now(); !l.ended; {
		n := l.wait(now)
		now = l.turn()
		l.pace.count(now, n)
		l.ahead(l.memory.events[:n])
		for l.served = 0; l.served < n; {
			l.serveSome(now, l.memory.events[:n])
		}
		l.expire(now)
		l.attend()
	}
}

// serveSome serves what is left of a round. A panic ends the run of the stream
// whose packet it was, and no other.
func (l *loop) serveSome(now time.Time, events []syscall.EpollEvent) {
	defer func() {
		if v := recover(); v != nil {
			l.drop(&events[l.served-1], newPanicError(v))
		}
	}()
	for l.served < len(events) {
		l.served++
		l.serve(now, &events[l.served-1])
	}
}

// drop ends the run of the stream that an event is about.
func (l *loop) drop(event *syscall.EpollEvent, why error) {
	if event.Fd == theBell {
		return
	}
	if x := l.seats[event.Fd]; x != nil {
		l.vacate(x)
		x.end(why)
	}
}

// wait returns how many sockets have something. If none has at first, a lively
// loop lets packets gather for a tick; any other waits for the next one.
func (l *loop) wait(now time.Time) int {
	n := l.poll()
	if n > 0 {
		return n
	}
	if l.pace.lively {
		l.pause = syscall.NsecToTimespec(int64(l.pace.rest(time.Since(l.woken))))
		syscall.Nanosleep(&l.pause, nil)
		l.woken = time.Now()
		if n = l.poll(); n == 0 {
			l.pace.lively = false
		}
		return n
	}
	// An error is an interruption by a signal.
	n, _ = syscall.EpollWait(l.epoll, l.memory.events[:], l.patience(now))
	return max(n, 0)
}

// turn returns the time, and lets the scheduler have its turn in time: of a
// goroutine that never yields the runtime takes the processor away every 10 ms,
// and watches it so closely that this cost a tenth of the loop.
func (l *loop) turn() time.Time {
	now := time.Now()
	if now.Sub(l.yielded) >= turnEvery {
		l.yielded = now
		runtime.Gosched()
	}
	return now
}

// turnEvery is well below what the runtime calls hogging.
const turnEvery = 4 * time.Millisecond

// poll asks without waiting, so the runtime need not be told of it.
func (l *loop) poll() int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(l.epoll),
		uintptr(unsafe.Pointer(&l.memory.events[0])), uintptr(len(l.memory.events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// serve reads one packet of one socket.
func (l *loop) serve(now time.Time, event *syscall.EpollEvent) {
	if event.Fd == theBell {
		l.rung = true
		return
	}
	x := l.seats[event.Fd]
	if x == nil {
		return // broke in this round
	}
	fd := x.rtp
	if event.Pad == rtcpEvent {
		fd = x.rtcp
	}
	data, from, errno := l.memory.receive(fd)
	switch errno {
	case 0:
		x.broken = 0
		if event.Pad == rtcpEvent {
			x.stream.report(now, data, from, false)
			return
		}
		x.stream.handle(now, data, from, &l.memory.scratch)
		l.await(x)
	case syscall.EAGAIN, syscall.EINTR:
	default:
		x.stream.in.readErrors.Add(1)
		if x.broken++; x.broken >= maxReadErrors {
			l.vacate(x)
			x.end(errBroken)
		}
	}
}

// attend runs what others asked for.
func (l *loop) attend() {
	if !l.rung {
		return
	}
	l.rung = false
	var count [8]byte
	syscall.Read(l.bell, count[:]) // before the inbox: what comes later rings again
	l.mu.Lock()
	inbox := l.inbox
	l.inbox = nil
	l.mu.Unlock()
	for _, f := range inbox {
		f()
	}
}

// await remembers a stream with a key that has no end yet, or is to be pressed
// anew.
func (l *loop) await(x *seat) {
	if !x.waiting && !x.stream.keys.due.IsZero() {
		x.waiting = true
		l.waiting = append(l.waiting, x)
	}
}

// expire sees to the keys that are due, however silent their stream is.
func (l *loop) expire(now time.Time) {
	if len(l.waiting) == 0 {
		return
	}
	l.waiting = slices.DeleteFunc(l.waiting, func(x *seat) bool {
		if !now.Before(x.stream.keys.due) {
			x.stream.expire(now, &l.memory.scratch)
		}
		x.waiting = !x.stream.keys.due.IsZero()
		return !x.waiting
	})
}

// patience is how long to wait for a packet, in milliseconds: until the first
// key is due, rounded up; -1: for ever.
func (l *loop) patience(now time.Time) int {
	if len(l.waiting) == 0 {
		return -1
	}
	first := l.waiting[0].stream.keys.due
	for _, x := range l.waiting[1:] {
		if due := x.stream.keys.due; due.Before(first) {
			first = due
		}
	}
	return max(int((first.Sub(now)+time.Millisecond-1)/time.Millisecond), 0)
}
