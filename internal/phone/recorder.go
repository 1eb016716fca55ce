package phone

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"

	"consentgw/internal/g711"
	"consentgw/internal/wav"
)

// Recorder is a plain RTP recorder: one port for what callers say, one for what
// agents say. It keeps every packet with the time of its arrival.
type Recorder struct {
	caller, agent *track
}

type track struct {
	conn *net.UDPConn
	done chan struct{}

	mu  sync.Mutex // of ear
	ear ear
}

// NewRecorder binds two ports of addr and listens until Close.
func NewRecorder(addr netip.Addr) (*Recorder, error) {
	caller, err := newTrack(addr)
	if err != nil {
		return nil, err
	}
	agent, err := newTrack(addr)
	if err != nil {
		caller.close()
		return nil, err
	}
	return &Recorder{caller: caller, agent: agent}, nil
}

func newTrack(addr netip.Addr) (*track, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		return nil, err
	}
	enlarge(conn)
	t := &track{conn: conn, done: make(chan struct{}), ear: ear{news: make(chan struct{})}}
	go t.run()
	return t, nil
}

func (t *track) run() {
	defer close(t.done)
	b := make([]byte, 2048)
	for {
		n, _, err := t.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if p, ok := parse(b[:n]); ok {
			t.mu.Lock()
			t.ear.take(p)
			t.mu.Unlock()
		}
	}
}

func (t *track) close() {
	t.conn.Close()
	<-t.done
}

// Close ends the recorder.
func (r *Recorder) Close() {
	r.caller.close()
	r.agent.close()
}

// CallerAddr and AgentAddr are where the copies go.
func (r *Recorder) CallerAddr() netip.AddrPort {
	return r.caller.conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// AgentAddr is where copies of what agents say go.
func (r *Recorder) AgentAddr() netip.AddrPort {
	return r.agent.conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// Caller returns the copies of what callers said, of one synchronization source
// or of all if ssrc is 0.
func (r *Recorder) Caller(ssrc uint32) []Packet { return r.caller.of(ssrc) }

// Agent returns the copies of what agents said, as Caller does.
func (r *Recorder) Agent(ssrc uint32) []Packet { return r.agent.of(ssrc) }

func (t *track) of(ssrc uint32) []Packet {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ssrc == 0 {
		return slices.Clone(t.ear.packets)
	}
	var list []Packet
	for _, p := range t.ear.packets {
		if p.SSRC == ssrc {
			list = append(list, p)
		}
	}
	return list
}

// Until waits until done says so of all copies that arrived so far.
func (r *Recorder) Until(ctx context.Context, done func(caller, agent []Packet) bool) error {
	for {
		callerNews, agentNews := r.caller.next(), r.agent.next()
		if done(r.Caller(0), r.Agent(0)) {
			return nil
		}
		select {
		case <-callerNews:
		case <-agentNews:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (t *track) next() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ear.news
}

// WriteWAV writes packets of G.711 as speech at 8 kHz, each at the time that its
// timestamp gives it; gaps are silence. Gaps of more than a minute are cut to
// nothing: they are no speech of one call.
func WriteWAV(w io.Writer, packets []Packet) error {
	var pcm []int16
	var next uint32 // the timestamp behind the packet before
	for _, p := range packets {
		decode := g711.DecodeMu
		if p.Type == 8 {
			decode = g711.DecodeA
		} else if p.Type != 0 {
			continue
		}
		if gap := int(int32(p.Timestamp - next)); len(pcm) > 0 && gap > 0 && gap < 60*8000 {
			pcm = append(pcm, make([]int16, gap)...)
		}
		next = p.Timestamp + uint32(len(p.Payload))
		for _, b := range p.Payload {
			pcm = append(pcm, decode(b))
		}
	}
	return wav.Write(w, 8000, 1, pcm)
}
