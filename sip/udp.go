package sip

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"time"
)

// maxSources is how many UDP source addresses a reader may see before it is
// replaced by a fresh one. sipgo remembers every source for as long as its
// reader lives (trap 12, D9): spoofed sources would fill the memory.
const maxSources = 4096

// settleTime is how long a reader that is done keeps its sources in sipgo's
// table. A request read just before is still on its way to its transaction, on
// a goroutine that nobody can wait for; if it does not find its source, sipgo
// opens a socket of its own to answer from, and never closes it.
const settleTime = time.Second

// maxReadFailures is how many reads in a row may fail on a socket.
const maxReadFailures = 100

// packetReader is a UDP socket as one run of sipgo's reading loop sees it. It
// gives the loop up once it has seen limit sources; the loop then forgets them
// all, while the socket stays open and its successor reads on.
//
// It also keeps datagrams that are no SIP at all from reaching sipgo. A read
// filter of sipgo's could do that too, but not without the risk that an error
// ends the listener (trap 13).
type packetReader struct {
	net.PacketConn
	limit int
	// begun is closed at the first read: by then sipgo has this reader, and
	// not its predecessor, in its table of sockets.
	begun     chan struct{}
	beginOnce sync.Once
	// full is closed when limit was reached, successor when there is one.
	full, successor chan struct{}
	// settled is closed when no goroutine of sipgo can be at work any more on
	// what was read.
	settled <-chan struct{}
	seen    map[string]struct{} // owned by the reading goroutine
}

func newPacketReader(c net.PacketConn, limit int, settled <-chan struct{}) *packetReader {
	return &packetReader{
		PacketConn: c, limit: limit, settled: settled,
		begun: make(chan struct{}), full: make(chan struct{}), successor: make(chan struct{}),
		seen: make(map[string]struct{}),
	}
}

// ReadFrom returns the next datagram that may be SIP.
func (r *packetReader) ReadFrom(p []byte) (int, net.Addr, error) {
	r.beginOnce.Do(func() { close(r.begun) })
	if len(r.seen) >= r.limit {
		close(r.full)
		<-r.successor
		select {
		case <-time.After(settleTime):
		case <-r.settled:
		}
		return 0, nil, net.ErrClosed
	}
	for failures := 0; ; {
		n, from, err := r.PacketConn.ReadFrom(p)
		if err != nil {
			// An ICMP error or a lack of buffers concerns one datagram; errors
			// without end mean that the socket is broken.
			if errors.Is(err, net.ErrClosed) {
				<-r.settled
				return 0, nil, net.ErrClosed
			}
			if failures++; failures > maxReadFailures {
				return 0, nil, err
			}
			continue
		}
		failures = 0
		if !looksLikeSIP(p[:n]) {
			continue
		}
		r.seen[from.String()] = struct{}{}
		return n, from, nil
	}
}

// looksLikeSIP says whether the first line names SIP, any version (another
// than 2.0 is answered 505).
func looksLikeSIP(b []byte) bool {
	line := b
	if i := bytes.IndexByte(b, '\r'); i >= 0 {
		line = b[:i]
	}
	return bytes.Contains(line, []byte("SIP/"))
}

// serveUDP reads conn until it is closed, replacing its reader whenever that
// is full. It returns when the last reader is gone, which is not before settled
// is closed. It closes started once sipgo has the socket in its table: before,
// it would try to bind the address anew for a request (trap 18).
func (s *stack) serveUDP(conn net.PacketConn, limit int, started chan<- struct{}, settled <-chan struct{}) error {
	var readers sync.WaitGroup
	defer readers.Wait()
	reader := newPacketReader(conn, limit, settled)
	begun := reader.begun
	readers.Go(func() {
		<-begun
		close(started)
	})
	for {
		ended := make(chan error, 1)
		r := reader
		readers.Go(func() { ended <- s.tpl.ServeUDP(r) })
		select {
		case err := <-ended:
			return err
		case <-r.full:
		}
		// The successor must be in sipgo's table before the predecessor leaves,
		// or a request sent between the two would try to bind the address anew.
		next := newPacketReader(conn, limit, settled)
		readers.Go(func() {
			<-next.begun
			close(r.successor)
		})
		reader = next
	}
}
