//go:build !386 && !s390x

package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// generator is all telephones and the recorder, on few sockets and two threads,
// so that it takes as little as possible of the machine.
type generator struct {
	sockets [sockets]*udp

	stop     atomic.Bool
	running  sync.WaitGroup
	begin    atomic.Int64 // Unix nanoseconds; 0: not yet
	end      atomic.Int64 // 0: not yet
	sent     atomic.Uint64
	arrivals arrivals
}

func (g *generator) answer(q request) (a answer, err error) {
	switch q.Ask {
	case askWorld:
		a.World, err = g.listen()
	case askSend:
		if q.Spec == nil || len(q.Ends) == 0 || g.sockets[0] == nil {
			return a, errors.New("nowhere to send to")
		}
		g.running.Go(func() { g.send(q.Ends) })
	case askBegin:
		g.begin.Store(time.Now().UnixNano())
	case askEnd:
		a.Heard = g.finish()
	default:
		return a, fmt.Errorf("a generator cannot answer %q", q.Ask)
	}
	return a, err
}

func (g *generator) listen() (*exterior, error) {
	var readers []*stamped
	for i := range g.sockets {
		u, err := openUDP(netip.AddrPort{})
		if err != nil {
			return nil, err
		}
		g.sockets[i] = u
		r, err := newStamped(u.fd)
		if err != nil {
			return nil, err
		}
		readers = append(readers, r)
	}
	g.running.Go(func() { g.read(readers) })
	return &exterior{
		Caller: g.sockets[atCaller].addr, Agent: g.sockets[atAgent].addr,
		CallerCopies: g.sockets[atCallerCopies].addr, AgentCopies: g.sockets[atAgentCopies].addr,
	}, nil
}

const (
	// slot is how often the sender wakes: packets of different calls should come
	// one by one, as from different telephones.
	slot = 250 * time.Microsecond
	// A sender that is later than this leaves packets out, rather than send a
	// burst that no telephone would send.
	tooLate = 5 * time.Millisecond
	// grace is how long the last packets of a measurement may be on their way.
	grace   = 200 * time.Millisecond
	rtpSize = 12 + 160
)

// source is one direction of one call.
type source struct {
	from   int // descriptor
	to     raw
	packet [rtpSize]byte
}

func (g *generator) sources(all []ends) []source {
	var list []source
	for _, e := range all {
		for _, s := range []source{{from: g.sockets[atCaller].fd, to: rawOf(e.Caller)}, {from: g.sockets[atAgent].fd, to: rawOf(e.Agent)}} {
			s.packet[0] = 0x80 // RTP, PCMU
			binary.BigEndian.PutUint32(s.packet[8:], rand.Uint32())
			list = append(list, s)
		}
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// send lets every source speak every 20 ms, one after the other.
func (g *generator) send(all []ends) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	list := g.sources(all)
	spacing := float64(frame) / float64(len(list))
	began, next := time.Now(), 0
	for !g.stop.Load() {
		now := time.Now()
		due := int(float64(now.Sub(began)) / spacing)
		if late := int(float64(tooLate) / spacing); next < due-late {
			next = due
		}
		for ; next < due; next++ {
			g.sendOne(&list[next%len(list)], uint32(next/len(list)))
		}
		pause := syscall.NsecToTimespec(int64(slot))
		syscall.Nanosleep(&pause, nil)
	}
}

func (g *generator) sendOne(s *source, n uint32) {
	binary.BigEndian.PutUint16(s.packet[2:], uint16(n))
	binary.BigEndian.PutUint32(s.packet[4:], n*160)
	now := time.Now().UnixNano()
	binary.BigEndian.PutUint64(s.packet[12:], uint64(now))
	if sendTo(s.from, s.packet[:], &s.to) == 0 && g.counts(now) {
		g.sent.Add(1)
	}
}

// counts reports whether a packet that was sent at a moment is measured.
func (g *generator) counts(at int64) bool {
	begin, end := g.begin.Load(), g.end.Load()
	return begin != 0 && at >= begin && (end == 0 || at < end)
}

// read empties all sockets once a millisecond; the kernel has noted when each
// packet came.
func (g *generator) read(readers []*stamped) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for !g.stop.Load() {
		for i, r := range readers {
			for data, at := r.next(); data != nil; data, at = r.next() {
				if len(data) != rtpSize {
					continue
				}
				if sent := int64(binary.BigEndian.Uint64(data[12:])); g.counts(sent) {
					g.arrivals.add(i, time.Duration(at-sent))
				}
			}
		}
		pause := syscall.NsecToTimespec(int64(time.Millisecond))
		syscall.Nanosleep(&pause, nil)
	}
}

func (g *generator) finish() *heard {
	g.end.Store(time.Now().UnixNano())
	timer := time.NewTimer(grace)
	<-timer.C
	g.stop.Store(true)
	g.running.Wait()
	return &heard{
		Span: time.Duration(g.end.Load() - g.begin.Load()),
		Sent: g.sent.Load(), Arrived: g.arrivals.at,
		Median: g.arrivals.quantile(0.5), P99: g.arrivals.quantile(0.99),
	}
}

func (g *generator) close() error {
	g.stop.Store(true)
	g.running.Wait()
	var problems []error
	for _, u := range g.sockets {
		if u != nil {
			problems = append(problems, u.close())
		}
	}
	return errors.Join(problems...)
}
