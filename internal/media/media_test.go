package media

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"consentgw/consent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engineVariable chooses the engine of the whole suite.
const engineVariable = "CONSENTGW_TEST_ENGINE"

// tested is a new engine of the kind that the suite runs on.
func tested() *Engine { return NewEngine(EngineConfig{Plain: os.Getenv(engineVariable) == "plain"}) }

func loopback() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

// patience is how long a test waits for a packet that must come.
const patience = 5 * time.Second

type keepsAll struct{ consent.Store }

func (keepsAll) Put(context.Context, *consent.Record) error { return nil }

// stored mints a permit the only way there is: by a decision that was stored.
func stored(t testing.TB) consent.Permit {
	t.Helper()
	permit, err := consent.Commit(t.Context(), keepsAll{}, &consent.Record{ID: "test"},
		consent.Decision{Outcome: consent.Given, At: time.Now()}, time.Now)
	require.NoError(t, err)
	require.True(t, permit.Valid())
	return permit
}

// phone is a far end: a socket that speaks RTP as pion builds and reads it.
type phone struct {
	t    testing.TB
	conn *net.UDPConn
	addr netip.AddrPort
	rtp.Header
	seal, open func([]byte) []byte // SRTP; nil: in clear
}

func newPhone(t testing.TB) *phone {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback(), 0)))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return &phone{t: t, conn: conn, addr: localOf(conn), Header: rtp.Header{
		Version: 2, SSRC: NewSSRC(), SequenceNumber: 65530, Timestamp: 4294960000,
	}}
}

// far is the agreement that fits the phone: PCMU, events at 101, both ways.
func (p *phone) far() Far {
	return Far{Addr: p.addr, Codec: PCMU, PayloadType: 0, EventPT: 101, EventRate: 8000, Send: true, Receive: true}
}

// voice builds the next 20 ms of audio.
func (p *phone) voice(payload []byte) []byte {
	data := p.same(payload)
	p.step()
	return data
}

// same builds a packet without moving on.
func (p *phone) same(payload []byte) []byte {
	data, err := (&rtp.Packet{Header: p.Header, Payload: payload}).Marshal()
	require.NoError(p.t, err)
	return data
}

func (p *phone) step() {
	p.SequenceNumber++
	p.Timestamp += frameBytes
}

// event builds a packet of a telephone event that began at ts.
func (p *phone) event(pt uint8, ts uint32, key byte, end bool, duration uint16) []byte {
	h := p.Header
	h.PayloadType, h.Timestamp = pt, ts
	flags := byte(10)
	if end {
		flags |= 0x80
	}
	payload := []byte{key, flags, byte(duration >> 8), byte(duration)}
	data, err := (&rtp.Packet{Header: h, Payload: payload}).Marshal()
	require.NoError(p.t, err)
	p.SequenceNumber++
	return data
}

func (p *phone) send(to netip.AddrPort, data []byte) {
	p.t.Helper()
	if p.seal != nil {
		data = p.seal(data)
	}
	_, err := p.conn.WriteToUDPAddrPort(data, to)
	require.NoError(p.t, err)
}

// next waits for the next packet.
func (p *phone) next() rtp.Packet {
	p.t.Helper()
	buf := make([]byte, 2*maxPacket)
	require.NoError(p.t, p.conn.SetReadDeadline(time.Now().Add(patience)))
	n, err := p.conn.Read(buf)
	require.NoError(p.t, err)
	return p.read(buf[:n])
}

// got takes what has arrived, without waiting: on loopback a packet is there
// when the call that sent it has returned.
func (p *phone) got() []rtp.Packet {
	var packets []rtp.Packet
	for _, data := range p.raw() {
		packets = append(packets, p.read(data))
	}
	return packets
}

// raw is got for datagrams of any kind.
func (p *phone) raw() [][]byte {
	raw, err := p.conn.SyscallConn()
	require.NoError(p.t, err)
	var datagrams [][]byte
	for {
		buf := make([]byte, 2*maxPacket)
		n := -1
		require.NoError(p.t, raw.Control(func(fd uintptr) {
			n, _, err = syscall.Recvfrom(int(fd), buf, syscall.MSG_DONTWAIT)
		}))
		if err != nil {
			require.ErrorIs(p.t, err, syscall.EAGAIN)
			return datagrams
		}
		datagrams = append(datagrams, buf[:n])
	}
}

func (p *phone) read(data []byte) rtp.Packet {
	if p.open != nil {
		data = p.open(data)
	}
	var packet rtp.Packet
	require.NoError(p.t, packet.Unmarshal(data))
	require.EqualValues(p.t, 2, packet.Version)
	return packet
}

// one is got for a test that expects exactly one packet.
func (p *phone) one() rtp.Packet {
	p.t.Helper()
	packets := p.got()
	require.Len(p.t, packets, 1)
	return packets[0]
}

// newStream opens a stream on ports of the system.
func newStream(t testing.TB) *Stream {
	t.Helper()
	ports := NewPorts(PortsConfig{Engine: tested(), Addr: loopback()})
	s, err := ports.Open()
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.NoError(t, ports.Close())
	})
	return s
}

// line is two streams that relay to each other, with a phone at either end. The
// test itself is their packet loop: it hands over packets and tells the time.
type line struct {
	a, b           *Stream
	caller, callee *phone
	now            time.Time
	room           scratch
}

func newLine(t testing.TB) *line {
	l := &line{a: newStream(t), b: newStream(t), caller: newPhone(t), callee: newPhone(t), now: time.Now()}
	l.a.Connect(l.caller.far())
	l.b.Connect(l.callee.far())
	l.a.RelayTo(l.b)
	l.b.RelayTo(l.a)
	return l
}

// hear lets a packet arrive at a stream.
func (l *line) hear(s *Stream, now time.Time, data []byte, from netip.AddrPort) {
	s.handle(now, data, from, &l.room)
}

// says lets the caller's packet arrive, 20 ms after the one before.
func (l *line) says(data []byte) {
	l.now = l.now.Add(frameTime)
	l.hear(l.a, l.now, data, l.caller.addr)
}

func frameOf(b byte) []byte {
	payload := make([]byte, frameBytes)
	for i := range payload {
		payload[i] = b
	}
	return payload
}

// run starts the packet loop of s and returns what ends it and gives its error.
func run(t testing.TB, s *Stream) (stop func(cause error) error) {
	ctx, end := context.WithCancelCause(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = func(cause error) error {
		end(cause)
		err, ok := <-done
		if ok {
			close(done)
		}
		return err
	}
	t.Cleanup(func() { stop(nil) })
	return stop
}

func localOf(c *net.UDPConn) netip.AddrPort {
	return unmap(c.LocalAddr().(*net.UDPAddr).AddrPort())
}

func far0() netip.AddrPort      { return netip.AddrPortFrom(netip.IPv4Unspecified(), 9) }
func broadcast() netip.AddrPort { return netip.MustParseAddrPort("255.255.255.255:9") }
