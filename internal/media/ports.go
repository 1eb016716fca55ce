package media

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Errors of [Ports].
var (
	// ErrNoPorts: every pair of the range is in use, by us or by another process.
	ErrNoPorts = errors.New("no RTP port pair is free")
	// ErrPortsClosed: Open after Close.
	ErrPortsClosed = errors.New("RTP ports are closed")
)

const (
	defaultRest = 30 * time.Second
	// systemTries bounds how often the system is asked for another port when
	// the neighbour of the one it gave is taken or still resting.
	systemTries = 64
	expedited   = 46 // RFC 3246 section 2.7
)

// PortsConfig says which ports a side uses.
type PortsConfig struct {
	Addr netip.Addr // local address that the sockets bind to
	// Public is the address at which far ends reach Addr, the same ports: that of
	// a NAT. The zero Addr: Addr itself.
	Public netip.Addr
	// Low and High bound the range, both inclusive. Both 0: ephemeral ports of
	// the system, still in even and odd pairs.
	Low, High uint16
	// Rest is how long a pair is not used again after a call, so that late
	// packets of one call never reach the next. 0 means 30 seconds.
	Rest time.Duration
	// DSCP marks what is sent (RFC 2474), 1 to 63. 0 means 46, expedited
	// forwarding, as for voice (RFC 4594 section 4.1); below 0: no mark.
	DSCP int
	// Engine moves the packets. Nil: one of its own. Sides whose streams relay to
	// each other should share one.
	Engine *Engine
}

// Ports hands out the RTP and RTCP socket pairs of one side: an even port and
// the odd one above it (RFC 3550 section 11), drawn by chance so that a guess
// is of no use. Safe for concurrent use.
type Ports struct {
	cfg   PortsConfig
	now   func() time.Time
	tones tones
	// reportEvery is the mean time between two RTCP reports of a stream.
	reportEvery time.Duration

	mu      sync.Mutex // guards everything below
	free    []uint16   // even ports of the range, in no order; nil without a range
	used    map[uint16]bool
	resting []rested // in the order of release
	hurried uint64
	closed  bool
}

type rested struct {
	port  uint16
	since time.Time
}

// PortCounts are the pairs of a side by state.
type PortCounts struct {
	Used, Resting, Free int    // Free is -1 without a range
	Hurried             uint64 // taken before their rest was over, ever
}

// NewPorts opens nothing yet.
func NewPorts(cfg PortsConfig) *Ports {
	if cfg.Rest == 0 {
		cfg.Rest = defaultRest
	}
	switch {
	case cfg.DSCP == 0:
		cfg.DSCP = expedited
	case cfg.DSCP < 0:
		cfg.DSCP = 0
	}
	if cfg.Engine == nil {
		cfg.Engine = NewEngine(EngineConfig{})
	}
	cfg.Addr, cfg.Public = cfg.Addr.Unmap(), cfg.Public.Unmap()
	if !cfg.Public.IsValid() {
		cfg.Public = cfg.Addr
	}
	p := &Ports{cfg: cfg, now: time.Now, tones: newTones(), reportEvery: reportEvery, used: map[uint16]bool{}}
	for port := max(int(cfg.Low)+int(cfg.Low)%2, 2); port+1 <= int(cfg.High); port += 2 {
		p.free = append(p.free, uint16(port))
	}
	return p
}

// Counts returns the pairs by state at this moment.
func (p *Ports) Counts() PortCounts {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wake()
	c := PortCounts{Used: len(p.used), Resting: len(p.resting), Free: len(p.free), Hurried: p.hurried}
	if p.system() {
		c.Free = -1
	}
	return c
}

// Holds reports whether addr is one of the pairs in use: a far end that names
// one of our own sockets wants packets to run in a circle.
func (p *Ports) Holds(addr netip.AddrPort) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ip := addr.Addr().Unmap()
	return (ip == p.cfg.Addr || ip == p.cfg.Public) && p.used[addr.Port()&^1]
}

// Public is the address to tell a far end for a local one.
func (p *Ports) Public(local netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(p.cfg.Public, local.Port())
}

// Close ends the handing out. Every stream and sender must be closed before:
// the error says how many are not.
func (p *Ports) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if n := len(p.used); n > 0 {
		return fmt.Errorf("%d RTP port pairs at %s are still in use", n, p.cfg.Addr)
	}
	return nil
}

// pair is the two sockets of a port pair in use.
type pair struct {
	port      uint16
	rtp, rtcp conn
}

// take opens a pair: a rested one by chance, else the longest-rested. It binds
// under the lock, which takes microseconds and is never on the packet path.
func (p *Ports) take(how binding) (*pair, error) {
	if !p.cfg.Addr.IsValid() {
		return nil, errors.New("RTP ports have no local address")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrPortsClosed
	}
	p.wake()
	if p.system() {
		return p.takeSystem(how)
	}
	return p.takeRange(how)
}

func (p *Ports) takeRange(how binding) (*pair, error) {
	var foreign []uint16 // held by another process at this moment
	defer func() { p.free = append(p.free, foreign...) }()
	for len(p.free) > 0 {
		i, last := rand.IntN(len(p.free)), len(p.free)-1
		port := p.free[i]
		p.free[i], p.free = p.free[last], p.free[:last]
		got, err := p.bind(port, how)
		if err == nil {
			return got, nil
		}
		foreign = append(foreign, port)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
	}
	for i, r := range p.resting {
		got, err := p.bind(r.port, how)
		if err == nil {
			p.resting = slices.Delete(p.resting, i, i+1)
			p.hurried++
			return got, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: %s ports %d-%d: %d pairs in use, %d resting, %d held by other processes",
		ErrNoPorts, p.cfg.Addr, p.cfg.Low, p.cfg.High, len(p.used), len(p.resting), len(foreign))
}

// takeSystem lets the system choose. It asks again for a pair that still rests,
// but takes it rather than give up.
func (p *Ports) takeSystem(how binding) (*pair, error) {
	var err error
	for try := range systemTries {
		var probe conn
		if probe, err = p.cfg.Engine.bind(p.at(0, binding{})); err != nil {
			return nil, fmt.Errorf("open RTP port: %w", err)
		}
		port := probe.local().Port() &^ 1
		probe.close()
		i := slices.IndexFunc(p.resting, func(r rested) bool { return r.port == port })
		if i >= 0 && try < systemTries/2 {
			continue
		}
		var got *pair
		if got, err = p.bind(port, how); err == nil {
			if i >= 0 {
				p.resting = slices.Delete(p.resting, i, i+1)
				p.hurried++
			}
			return got, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: %s, ports of the system: %d tries, %d pairs in use", ErrNoPorts, p.cfg.Addr, systemTries, len(p.used))
}

// at completes a binding.
func (p *Ports) at(port uint16, how binding) binding {
	how.local, how.dscp = netip.AddrPortFrom(p.cfg.Addr, port), p.cfg.DSCP
	return how
}

// bind opens both sockets of a pair or none.
func (p *Ports) bind(port uint16, how binding) (*pair, error) {
	rtp, err := p.cfg.Engine.bind(p.at(port, how))
	if err != nil {
		return nil, fmt.Errorf("open RTP port: %w", err)
	}
	rtcp, err := p.cfg.Engine.bind(p.at(port+1, binding{deaf: how.deaf}))
	if err != nil {
		rtp.close()
		return nil, fmt.Errorf("open RTCP port: %w", err)
	}
	p.used[port] = true
	return &pair{port: port, rtp: rtp, rtcp: rtcp}, nil
}

// release closes a pair and lays its ports to rest.
func (p *Ports) release(got *pair) error {
	err := errors.Join(got.rtp.close(), got.rtcp.close())
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.used, got.port)
	p.resting = append(p.resting, rested{port: got.port, since: p.now()})
	return err
}

// wake frees the pairs whose rest is over. Rest is a time stamp that is looked
// at here: no timer, no goroutine.
func (p *Ports) wake() {
	now, n := p.now(), 0
	for n < len(p.resting) && now.Sub(p.resting[n].since) >= p.cfg.Rest {
		if !p.system() {
			p.free = append(p.free, p.resting[n].port)
		}
		n++
	}
	p.resting = slices.Delete(p.resting, 0, n)
}

func (p *Ports) system() bool { return p.cfg.Low == 0 && p.cfg.High == 0 }
