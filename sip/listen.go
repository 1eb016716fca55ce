package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// Header is one header of a SIP message.
type Header struct{ Name, Value string }

// Config says where an endpoint listens and how it names itself.
type Config struct {
	// Listen holds "udp:ADDRESS:PORT", "tcp:ADDRESS:PORT" and
	// "tls:ADDRESS:PORT". The address is an IP address of this host, IPv6 in brackets; the wildcards are refused,
	// because what we send must name one address. Port 0 takes any.
	Listen []string
	// Advertise is how far ends reach what Listen names, if that is by another
	// name or address: a host or host:port, IPv6 in brackets. Via, Contact and our
	// own From name it. Without a port each listener's own is named. Empty: the
	// address that is bound.
	Advertise string
	// UserAgent goes into the Server and User-Agent headers. Default "consentgw".
	UserAgent string
	// T1 is RFC 3261's estimate of the round-trip time. It governs the
	// repetition of our 2xx and every limit of 64*T1 of the dialogs. The timers
	// of the transactions are sipgo's, process-wide, and stay at their default.
	// Default 500 ms.
	T1 time.Duration
	// SessionTimer is used by every leg that has none of its own, and refuses
	// calls that ask for less than its Min. Default: none.
	SessionTimer SessionTimer
	// Log never sees a number, a name, a body or a message as it came.
	// Default: nowhere.
	Log *slog.Logger
	// TLS is required if Listen names a TLS address.
	TLS *TLS
	Admission
	// KeepAlive is the interval in which a CRLF ping goes out on connections
	// that we opened (RFC 5626 section 4.4.1); 0: none. A connection whose far
	// end has answered pings before and answers no more is closed.
	KeepAlive time.Duration
	// DSCP marks what is sent (RFC 2474), 0 to 63. 0: no mark.
	DSCP int
	// Resolver looks targets up. Default: the host's.
	Resolver Resolver
}

// Addr is one listening address.
type Addr struct {
	Transport string // "udp", "tcp" or "tls"
	AddrPort  netip.AddrPort
}

// defaultT1 is RFC 3261's own default.
const defaultT1 = 500 * time.Millisecond

// t2 caps the interval between repetitions of a 2xx (RFC 3261 section 13.3.1.4).
const t2 = 4 * time.Second

// socket is a bound address and the stack that will read it.
type socket struct {
	Addr
	packets net.PacketConn // udp
	conns   *listener      // tcp and tls
	stack   *stack
	started chan struct{} // closed when requests can leave by the socket
}

// Listen binds every address of cfg, or none: an error names the first address
// that could not be bound. Nothing is read before Serve. An endpoint that is
// never served must be closed.
func Listen(cfg Config) (*Endpoint, error) {
	if len(cfg.Listen) == 0 {
		return nil, errors.New("sip: no address to listen on")
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "consentgw"
	}
	if err := checkValue("User-Agent", cfg.UserAgent); err != nil {
		return nil, err
	}
	if err := cfg.SessionTimer.check(); err != nil {
		return nil, err
	}
	if cfg.T1 <= 0 {
		cfg.T1 = defaultT1
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Resolver == nil {
		cfg.Resolver = net.DefaultResolver
	}
	e, err := newEndpoint(cfg)
	if err != nil {
		return nil, err
	}
	for _, text := range cfg.Listen {
		sock, err := e.bind(text)
		if err != nil {
			_ = e.Close()
			return nil, err
		}
		e.sockets = append(e.sockets, sock)
	}
	return e, nil
}

// bind opens one socket.
func (e *Endpoint) bind(text string) (*socket, error) {
	addr, err := parseListen(text)
	if err != nil {
		return nil, err
	}
	sock := &socket{Addr: addr, started: make(chan struct{})}
	switch addr.Transport {
	case "udp":
		lc := net.ListenConfig{Control: e.marked}
		c, err := lc.ListenPacket(context.Background(), "udp", addr.AddrPort.String())
		if err != nil {
			return nil, fmt.Errorf("sip: listen on %q: %w", text, err)
		}
		sock.packets = c
		sock.AddrPort = c.LocalAddr().(*net.UDPAddr).AddrPort()
	case "tls", "tcp":
		if addr.Transport == "tls" && e.security.server.Load() == nil {
			return nil, fmt.Errorf("sip: listen on %q: no certificate is configured", text)
		}
		lc := net.ListenConfig{Control: e.marked} // what is accepted inherits it
		l, err := lc.Listen(context.Background(), "tcp", addr.AddrPort.String())
		if err != nil {
			return nil, fmt.Errorf("sip: listen on %q: %w", text, err)
		}
		sock.conns = newListener(l, messageTimeout, maxConnsPerSource)
		e.guardConns(addr.Transport, sock.conns)
		sock.AddrPort = l.Addr().(*net.TCPAddr).AddrPort()
	}
	sock.AddrPort = netip.AddrPortFrom(sock.AddrPort.Addr().Unmap(), sock.AddrPort.Port())
	sock.stack = e.newStack(addr.Transport, sock.AddrPort, nil)
	return sock, nil
}

// marked sets the DSCP of a socket. What cannot be marked is used all the same.
func (e *Endpoint) marked(_, _ string, c syscall.RawConn) error {
	if e.dscp == 0 {
		return nil
	}
	return c.Control(func(fd uintptr) {
		if err := mark(fd, e.dscp); err != nil {
			e.log.Warn("sip socket without its DSCP", "error", err)
		}
	})
}

// guardConns lets a listener ask who may connect, and speak TLS.
func (e *Endpoint) guardConns(transport string, l *listener) {
	if e.admission.Admit != nil {
		l.refuses = func(source netip.AddrPort) bool { return e.verdict(source, transport) == Silence }
	}
	if transport != "tls" {
		return
	}
	quiet := newQuietLogger(e.log)
	l.secure = e.security.listening()
	l.broken = func(err error) {
		if why := certificateProblem(err); why != "" {
			quiet.Warn("TLS handshake failed: " + why)
		}
	}
}

// parseListen reads "udp:127.0.0.1:5060".
func parseListen(text string) (Addr, error) {
	transport, rest, ok := strings.Cut(text, ":")
	if !ok || !isTransport(transport) {
		return Addr{}, fmt.Errorf(`sip: listen on %q: want "udp:ADDRESS:PORT", "tcp:ADDRESS:PORT" or "tls:ADDRESS:PORT"`, text)
	}
	ap, err := netip.ParseAddrPort(rest)
	if err != nil {
		return Addr{}, fmt.Errorf("sip: listen on %q: %q is not an IP address and a port", text, rest)
	}
	ip := ap.Addr().Unmap()
	switch {
	case ip.IsUnspecified():
		return Addr{}, fmt.Errorf("sip: listen on %q: name one address of this host, not the wildcard: "+
			"Via and Contact must say where we are", text)
	case ip.IsMulticast():
		return Addr{}, fmt.Errorf("sip: listen on %q: a multicast address", text)
	case ip.Zone() != "":
		return Addr{}, fmt.Errorf("sip: listen on %q: addresses with a zone cannot stand in a SIP URI", text)
	}
	return Addr{Transport: transport, AddrPort: netip.AddrPortFrom(ip, ap.Port())}, nil
}

// isTransport says whether we speak a transport, given in lower case.
func isTransport(s string) bool { return s == "udp" || s == "tcp" || s == "tls" }

// Addrs returns the bound addresses in the order of Config.Listen.
func (e *Endpoint) Addrs() []Addr {
	addrs := make([]Addr, len(e.sockets))
	for i, s := range e.sockets {
		addrs[i] = s.Addr
	}
	return addrs
}

// serve reads the socket until it is closed.
func (s *socket) serve() error {
	if s.packets != nil {
		return s.stack.serveUDP(s.packets, maxSources, s.started)
	}
	close(s.started)
	if s.Transport == "tls" {
		return s.stack.tpl.ServeTLS(s.conns)
	}
	return s.stack.tpl.ServeTCP(s.conns)
}

// close ends serve.
func (s *socket) close() error {
	if s.packets != nil {
		return s.packets.Close()
	}
	return s.conns.Close()
}
