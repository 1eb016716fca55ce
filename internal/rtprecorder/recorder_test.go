package rtprecorder_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/internal/rtprecorder"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 5 * time.Second

type keepsAll struct{ consent.Store }

func (keepsAll) Put(context.Context, *consent.Record) error { return nil }

func stored(t *testing.T) consent.Permit {
	t.Helper()
	permit, err := consent.Commit(t.Context(), keepsAll{}, &consent.Record{ID: "test"},
		consent.Decision{Outcome: consent.Given, At: time.Now()}, time.Now)
	require.NoError(t, err)
	return permit
}

func loopback() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

// socket is a UDP port of the world around the gateway.
type socket struct {
	t *testing.T
	*net.UDPConn
}

func listen(t *testing.T) socket {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback(), 0)))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return socket{t, conn}
}

func (s socket) addr() netip.AddrPort { return s.LocalAddr().(*net.UDPAddr).AddrPort() }

func (s socket) next() []byte {
	s.t.Helper()
	buf := make([]byte, 2000)
	require.NoError(s.t, s.SetReadDeadline(time.Now().Add(patience)))
	n, err := s.Read(buf)
	require.NoError(s.t, err)
	return buf[:n]
}

// packet is 20 ms of voice.
func packet(seq, payload byte) []byte {
	data := make([]byte, 172)
	copy(data, []byte{0x80, 0, 0, seq, 0, 0, 0, seq, 0, 0, 0, 42})
	for i := range data[12:] {
		data[12+i] = payload
	}
	return data
}

// call is one call with two telephones and a recorder.
type call struct {
	trunk, platform, recorder    *media.Ports
	a, b                         *media.Stream
	caller, callee               socket
	callerAtRecorder, agentAtRec socket
	client                       *rtprecorder.Recorder
}

func newCall(t *testing.T) *call {
	t.Helper()
	c := &call{caller: listen(t), callee: listen(t), callerAtRecorder: listen(t), agentAtRec: listen(t)}
	for _, p := range []**media.Ports{&c.trunk, &c.platform, &c.recorder} {
		ports := media.NewPorts(media.PortsConfig{Addr: loopback()})
		*p = ports
		t.Cleanup(func() { assert.NoError(t, ports.Close(), "ports are left open") })
	}
	c.a, c.b = c.start(t, c.trunk, c.caller), c.start(t, c.platform, c.callee)
	c.a.RelayTo(c.b)
	c.b.RelayTo(c.a)
	c.client = rtprecorder.New(rtprecorder.Config{
		Name: "archive", Caller: c.callerAtRecorder.addr(), Agent: c.agentAtRec.addr(), Ports: c.recorder,
	})
	return c
}

func (c *call) start(t *testing.T, ports *media.Ports, far socket) *media.Stream {
	s, err := ports.Open()
	require.NoError(t, err)
	s.Connect(media.Far{Addr: far.addr(), EventPT: -1, Send: true, Receive: true})
	ctx, end := context.WithCancel(context.Background())
	var loop sync.WaitGroup
	loop.Go(func() { _ = s.Run(ctx) })
	t.Cleanup(func() { end(); loop.Wait(); assert.NoError(t, s.Close()) })
	return s
}

// speak lets both parties say a packet and hear the other.
func (c *call) speak(t *testing.T, seq byte) {
	t.Helper()
	_, err := c.caller.WriteToUDPAddrPort(packet(seq, 0xAA), c.a.Local())
	require.NoError(t, err)
	assert.EqualValues(t, 0xAA, c.callee.next()[12])
	_, err = c.callee.WriteToUDPAddrPort(packet(seq, 0xBB), c.b.Local())
	require.NoError(t, err)
	assert.EqualValues(t, 0xBB, c.caller.next()[12])
}

// until waits for what the packet loops bring about: a packet is relayed first
// and offered to the tap after that.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); runtime.Gosched() {
		require.True(t, time.Now().Before(end), what)
	}
}

func TestARecordingNeedsAPermitThatIsInForce(t *testing.T) {
	revoked := stored(t)
	revoked.Revoke()
	ended, end := context.WithCancelCause(t.Context())
	errHungUp := errors.New("caller hung up")
	end(errHungUp)
	cases := map[string]struct {
		ctx    context.Context
		permit consent.Permit
		gate   func(consent.Permit) *media.Gate
		err    error
	}{
		"zero":         {t.Context(), consent.Permit{}, media.NewGate, rtprecorder.ErrNoPermit},
		"revoked":      {t.Context(), revoked, media.NewGate, rtprecorder.ErrNoPermit},
		"no gate":      {t.Context(), stored(t), func(consent.Permit) *media.Gate { return nil }, rtprecorder.ErrOtherGate},
		"another gate": {t.Context(), stored(t), func(consent.Permit) *media.Gate { return media.NewGate(stored(t)) }, rtprecorder.ErrOtherGate},
		"call over":    {ended, stored(t), media.NewGate, errHungUp},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			// Ports without an address: a socket would be an error of its own.
			r := rtprecorder.New(rtprecorder.Config{Name: "archive", Ports: media.NewPorts(media.PortsConfig{})})
			recording, err := r.Open(c.ctx, c.permit, c.gate(c.permit))
			require.ErrorIs(t, err, c.err)
			assert.Nil(t, recording)
		})
	}
}

func TestBothPartiesReachTheirPortsWhileTheGateIsOpen(t *testing.T) {
	c := newCall(t)
	permit := stored(t)
	gate := media.NewGate(permit)
	recording, err := c.client.Open(t.Context(), permit, gate)
	require.NoError(t, err)
	assert.Equal(t, "archive", c.client.Name())
	assert.Equal(t, 2, c.recorder.Counts().Used)
	c.a.TapTo(recording.Caller())
	c.b.TapTo(recording.Agent())

	c.speak(t, 1)
	until(t, "a shut gate blocks", func() bool { return gate.Counts().Blocked == 2 })
	require.True(t, gate.Open())
	for seq := byte(2); seq < 12; seq++ {
		c.speak(t, seq)
		for _, side := range []struct {
			at   socket
			tap  *media.Tap
			says byte
		}{{c.callerAtRecorder, recording.Caller(), 0xAA}, {c.agentAtRec, recording.Agent(), 0xBB}} {
			got := side.at.next()
			want := packet(seq, side.says)
			if seq == 2 {
				want[1] |= 0x80 // the first copy is marked
			}
			ssrc := side.tap.SSRC()
			copy(want[8:12], []byte{byte(ssrc >> 24), byte(ssrc >> 16), byte(ssrc >> 8), byte(ssrc)})
			assert.Equal(t, want, got, "the original in its own SSRC; nothing from before the gate opened")
		}
	}
	assert.NotEqual(t, recording.Caller().SSRC(), recording.Agent().SSRC())

	gate.Shut()
	permit.Revoke()
	c.speak(t, 12)
	until(t, "a shut gate blocks", func() bool { return gate.Counts().Blocked == 4 })
	c.a.TapTo(nil)
	c.b.TapTo(nil)
	recording.Close()
	recording.Close()
	assert.Equal(t, media.GateCounts{Passed: 20, Blocked: 4}, gate.Counts())
	assert.EqualValues(t, 10, recording.Caller().Counts().Sent)
	assert.EqualValues(t, 10, recording.Agent().Counts().Sent)
	assert.Zero(t, recording.Caller().Counts().Lost)
	assert.Empty(t, recording.Fault())
	assert.Equal(t, 2, c.recorder.Counts().Resting)

	// A mark sent by us arrives behind whatever was sent before it.
	for _, at := range []socket{c.callerAtRecorder, c.agentAtRec} {
		_, err := c.caller.WriteToUDPAddrPort([]byte("mark"), at.addr())
		require.NoError(t, err)
		assert.Equal(t, "mark", string(at.next()), "a packet reached the recorder after the stop")
	}
}

func TestARecorderThatIsDownDisturbsNothing(t *testing.T) {
	c := newCall(t)
	permit := stored(t)
	gate := media.NewGate(permit)
	require.NoError(t, c.callerAtRecorder.Close())
	recording, err := c.client.Open(t.Context(), permit, gate)
	require.NoError(t, err, "plain RTP cannot ask whether anybody listens")
	defer recording.Close()
	c.a.TapTo(recording.Caller())
	c.b.TapTo(recording.Agent())
	require.True(t, gate.Open())
	for seq := range byte(20) {
		c.speak(t, seq)
		assert.Equal(t, seq, c.agentAtRec.next()[3], "the other direction is recorded all the same")
	}
	until(t, "all are offered", func() bool { return gate.Counts().Passed == 40 })
	gate.Shut()
	assert.Equal(t, "recorder refused packets", recording.Fault())
	counts := recording.Caller().Counts()
	assert.NotZero(t, counts.Lost)
	assert.EqualValues(t, 20, counts.Sent+counts.Lost)
	assert.Zero(t, recording.Agent().Counts().Lost)
	assert.Zero(t, c.a.Stats().ReadErrors+c.b.Stats().ReadErrors+c.a.Stats().SendErrors+c.b.Stats().SendErrors)
}

func TestWithoutPortsThereIsNoHalfRecording(t *testing.T) {
	c := newCall(t)
	permit := stored(t)
	cases := map[string]struct {
		change func(*rtprecorder.Config)
		err    error
		text   string
	}{
		"no pair":          {func(cfg *rtprecorder.Config) { cfg.Ports = onePair(t, 0) }, media.ErrNoPorts, "recorder archive: caller"},
		"one pair":         {func(cfg *rtprecorder.Config) { cfg.Ports = onePair(t, 1) }, media.ErrNoPorts, "recorder archive: agent"},
		"no agent address": {func(cfg *rtprecorder.Config) { cfg.Agent = netip.AddrPort{} }, media.ErrUnusableFar, "recorder archive: agent"},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := rtprecorder.Config{Name: "archive", Caller: c.callerAtRecorder.addr(), Agent: c.agentAtRec.addr(), Ports: c.recorder}
			x.change(&cfg)
			_, err := rtprecorder.New(cfg).Open(t.Context(), permit, media.NewGate(permit))
			require.ErrorIs(t, err, x.err)
			assert.ErrorContains(t, err, x.text)
			assert.Zero(t, cfg.Ports.Counts().Used, "nothing stays open")
		})
	}
}

// onePair is a range of n pairs, 0 or 1, that are free.
func onePair(t *testing.T, n int) *media.Ports {
	t.Helper()
	if n == 0 {
		return media.NewPorts(media.PortsConfig{Addr: loopback(), Low: 1, High: 1})
	}
	for range 100 {
		probe := media.NewPorts(media.PortsConfig{Addr: loopback()})
		s, err := probe.Open()
		require.NoError(t, err)
		low := s.Local().Port()
		require.NoError(t, s.Close())
		ports := media.NewPorts(media.PortsConfig{Addr: loopback(), Low: low, High: low + 1})
		if ports.Counts().Free == 1 {
			return ports
		}
	}
	t.Fatal("no free pair")
	return nil
}

func TestARecordingThatIsClosedSendsNothing(t *testing.T) {
	c := newCall(t)
	permit := stored(t)
	gate := media.NewGate(permit)
	recording, err := c.client.Open(t.Context(), permit, gate)
	require.NoError(t, err)
	c.a.TapTo(recording.Caller())
	require.True(t, gate.Open())
	recording.Close()
	c.speak(t, 1)
	until(t, "it is offered", func() bool { return gate.Counts().Passed == 1 })
	gate.Shut()
	assert.Equal(t, media.TapCounts{Lost: 1}, recording.Caller().Counts())
	assert.Empty(t, recording.Fault())
}
