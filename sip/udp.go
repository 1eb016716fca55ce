package sip

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// maxSources is how many UDP source addresses a reader may see before it is
// replaced by a fresh one. sipgo remembers every source for as long as its
// reader lives (trap 12, D9): spoofed sources would fill the memory.
const maxSources = 4096

// settleTime is how long a reader that is full keeps its sources in sipgo's
// table: see bury.
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
	stack *stack
	limit int
	// begun is closed at the first read: by then sipgo has this reader, and
	// not its predecessor, in its table of sockets.
	begun     chan struct{}
	beginOnce sync.Once
	// full is closed when limit was reached, successor when there is one.
	full, successor chan struct{}
	seen            map[string]struct{} // owned by the reading goroutine
}

func newPacketReader(s *stack, c net.PacketConn, limit int) *packetReader {
	return &packetReader{
		PacketConn: c, stack: s, limit: limit,
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
		case <-r.stack.ending.Done():
			r.bury()
		}
		return 0, nil, net.ErrClosed
	}
	for failures := 0; ; {
		n, from, err := r.PacketConn.ReadFrom(p)
		if err != nil {
			// An ICMP error or a lack of buffers concerns one datagram; errors
			// without end mean that the socket is broken.
			if failures++; failures > maxReadFailures || errors.Is(err, net.ErrClosed) {
				r.bury()
				return 0, nil, net.ErrClosed
			}
			continue
		}
		failures = 0
		if !looksLikeSIP(p[:n]) || !r.stack.admits(r.PacketConn, p[:n], from) {
			continue
		}
		r.seen[from.String()] = struct{}{}
		return n, from, nil
	}
}

// bury puts a dead connection in the place of the socket, for every source it
// had, when the socket is closed. A request that was read just before may still
// be on its way to its transaction, on a goroutine of sipgo's that nobody can
// wait for. If that did not find its source, sipgo would open a socket of its
// own to answer from, and never close it.
func (r *packetReader) bury() {
	pool, dead := r.stack.tpl.Pool("udp"), deadConn{r.LocalAddr()}
	pool.Add(r.LocalAddr().String(), dead)
	for source := range r.seen {
		pool.Add(source, dead)
	}
}

// deadConn is a connection that is closed.
type deadConn struct{ local net.Addr }

var _ siplib.Connection = deadConn{}

func (d deadConn) LocalAddr() net.Addr         { return d.local }
func (deadConn) WriteMsg(siplib.Message) error { return net.ErrClosed }
func (deadConn) Ref(int) int                   { return 1 }
func (deadConn) TryClose() (int, error)        { return 1, nil }
func (deadConn) Close() error                  { return nil }

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
// is full. It returns when the last reader is gone. It closes started once
// sipgo has the socket in its table: before, it would try to bind the address
// anew for a request (trap 18).
func (s *stack) serveUDP(conn net.PacketConn, limit int, started chan<- struct{}) error {
	var readers sync.WaitGroup
	defer readers.Wait()
	reader := newPacketReader(s, conn, limit)
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
		// or a request sent between the two would find no socket.
		next := newPacketReader(s, conn, limit)
		readers.Go(func() {
			<-next.begun
			close(r.successor)
		})
		reader = next
	}
}
