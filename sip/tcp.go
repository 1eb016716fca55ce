package sip

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits of the TCP and TLS listeners (D8); sipgo has none of its own.
const (
	// messageTimeout is how long one message may take from its first byte to
	// its last, and how long a new connection may take to finish its first.
	// A byte now and then does not extend it. For TLS the handshake is part of
	// the first message's time.
	messageTimeout = 10 * time.Second
	// idleTimeout is how long a connection may say nothing between messages:
	// a call can be silent for hours. A keep-alive is a sign of life.
	idleTimeout = 4 * time.Hour
	// maxConnsPerSource and maxConns cap the open connections of one listener,
	// per source address and in all. What comes on top is closed at once.
	maxConnsPerSource = 64
	maxConns          = 4096
)

// listener is a TCP or TLS listener with the limits above. It survives a shortage of
// file descriptors, which sipgo's accept loop would end on.
type listener struct {
	net.Listener
	timeout      time.Duration
	idle         time.Duration
	perSource    int
	refuses      func(netip.AddrPort) bool // whose connections are closed at once; may be nil
	secure       *tls.Config               // nil: TCP
	broken       func(error)               // told of handshakes that failed; nil with TCP
	closed       chan struct{}
	closeOnce    sync.Once
	readers      sync.WaitGroup // one for each connection until its reader ends
	mu           sync.Mutex     // guards what follows
	open         map[*conn]struct{}
	fromSource   map[netip.Addr]int
	shuttingDown bool
}

func newListener(l net.Listener, timeout time.Duration, perSource int) *listener {
	return &listener{
		Listener: l, timeout: timeout, idle: idleTimeout, perSource: perSource,
		closed: make(chan struct{}), open: make(map[*conn]struct{}), fromSource: make(map[netip.Addr]int),
	}
}

// Accept returns the next connection within the limits, or net.ErrClosed.
func (l *listener) Accept() (net.Conn, error) {
	pause := 5 * time.Millisecond
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil, net.ErrClosed
			}
			// Out of file descriptors, or a connection that was reset in the
			// queue: the next one may do better.
			select {
			case <-l.closed:
				return nil, net.ErrClosed
			case <-time.After(pause):
			}
			pause = min(2*pause, time.Second)
			continue
		}
		pause = 5 * time.Millisecond
		if c := l.admit(raw); c != nil {
			return c, nil
		}
		_ = raw.Close() // refused: over the limits
	}
}

// admit registers a connection, or returns nil if it is one too many.
func (l *listener) admit(raw net.Conn) *conn {
	from := raw.RemoteAddr().(*net.TCPAddr).AddrPort()
	source := from.Addr().Unmap()
	if l.refuses != nil && l.refuses(netip.AddrPortFrom(source, from.Port())) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shuttingDown || len(l.open) >= maxConns || l.fromSource[source] >= l.perSource {
		return nil
	}
	c := &conn{Conn: raw, raw: raw, owner: l, source: source, partial: true}
	// For writing too: a handshake writes before sipgo, which sets its own.
	if err := raw.SetDeadline(time.Now().Add(l.timeout)); err != nil {
		return nil
	}
	if l.secure != nil {
		c.Conn = tls.Server(raw, l.secure) // shakes hands at the first Read
	}
	l.open[c] = struct{}{}
	l.fromSource[source]++
	l.readers.Add(1)
	return c
}

func (l *listener) forget(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
	if l.fromSource[c.source]--; l.fromSource[c.source] <= 0 {
		delete(l.fromSource, c.source)
	}
}

// Close ends the accept loop and every connection, and waits until no reader
// of theirs reads any more.
func (l *listener) Close() error {
	var err error
	l.closeOnce.Do(func() {
		close(l.closed)
		err = l.Listener.Close()
		l.mu.Lock()
		l.shuttingDown = true
		open := make([]*conn, 0, len(l.open))
		for c := range l.open {
			open = append(open, c)
		}
		l.mu.Unlock()
		for _, c := range open {
			_ = c.raw.Close() // its reader does the rest
		}
		l.readers.Wait()
	})
	return err
}

// conn is an accepted connection. Its reader is the only one to call Read.
type conn struct {
	net.Conn           // what is read and written: raw, or TLS on it
	raw       net.Conn // what is closed, see Close
	owner     *listener
	source    netip.Addr
	closeOnce sync.Once
	readOnce  sync.Once
	// Owned by the reading goroutine.
	frame   framer
	partial bool // a message has begun, or none was complete yet: the deadline runs
}

// Read keeps the deadline on the message that is being read.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.readOnce.Do(func() {
			if c.owner.broken != nil {
				c.owner.broken(err)
			}
			c.owner.readers.Done()
		})
		return n, err
	}
	n, pings, completed, partial := c.frame.strip(p[:n])
	switch {
	case !partial && (completed || !c.partial):
		err = c.SetReadDeadline(time.Now().Add(c.owner.idle))
		c.partial = false
	case partial && (completed || !c.partial):
		// A message began; only its first byte sets the clock.
		err = c.SetReadDeadline(time.Now().Add(c.owner.timeout))
		c.partial = true
	}
	if err != nil {
		c.readOnce.Do(c.owner.readers.Done)
		return 0, err
	}
	c.answerPings(pings)
	return n, nil
}

// maxPongs is how many pings of one read are answered.
const maxPongs = 8

// answerPings writes a pong for each ping. Whoever does not read them blocks
// nothing but its own connection, and not for long.
func (c *conn) answerPings(pings int) {
	if pings == 0 {
		return
	}
	if c.SetWriteDeadline(time.Now().Add(writeTimeout)) == nil {
		// A connection that cannot be written to is noticed at the next read.
		_, _ = c.Write(bytes.Repeat([]byte(pong), min(pings, maxPongs)))
	}
}

// Close closes the connection once. sipgo closes without another Read after a
// message that it could not parse, so this too is the end of the reader. No TLS
// closure alert is sent: sipgo holds the lock of all its connections meanwhile,
// and a far end that does not read would make everybody wait. SIP messages say
// themselves where they end.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.closeOnce.Do(func() {
		c.owner.forget(c)
		err = c.raw.Close()
		c.readOnce.Do(c.owner.readers.Done)
	})
	return err
}
