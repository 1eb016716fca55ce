package siprec_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"consentgw/consent"
	"consentgw/internal/media"
	"consentgw/internal/recordserver"
	"consentgw/internal/sdp"
	"consentgw/internal/siprec"
	"consentgw/sip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds a hang and measures nothing.
const patience = 30 * time.Second

func loopback() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

type keepsAll struct{ consent.Store }

func (keepsAll) Put(context.Context, *consent.Record) error { return nil }

const recordID = "6f1d7a0e-5a55-4d86-9a0f-0f3f6a2f7c11"

func record() *consent.Record {
	at := consent.Stamp(time.Now())
	return &consent.Record{
		ID: recordID, Subject: "+31205550100",
		Call:  consent.Call{Called: "+31205550123", AnsweredAt: at, ConnectedAt: at},
		Terms: consent.Terms{Basis: "consent", Retention: consent.Retention{Recording: "P90D"}},
		Standing: consent.Standing{Outcome: consent.Given, DecidedAt: at,
			Purposes: []consent.Grant{{Purpose: "quality", Granted: true}}},
	}
}

// rig is a recording client, a server, and a call whose parties speak when told.
type rig struct {
	t       *testing.T
	ctx     context.Context
	server  *recordserver.Server
	answer  atomic.Pointer[recordserver.Answer]
	client  *sip.Endpoint
	ports   *media.Ports
	permit  consent.Permit
	gate    *media.Gate
	caller  *media.Stream
	agent   *media.Stream
	voices  [2]*net.UDPConn
	seq     byte
	speech  sdp.Codec // of both
	tapped  uint64    // of the two parties
	changes chan change
}

type change struct {
	up  bool
	why string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	r := &rig{t: t, ctx: ctx, changes: make(chan change, 100), speech: sdp.PCMA()}
	r.answer.Store(&recordserver.Answer{})
	r.server = r.serve(t.TempDir())
	client, err := sip.Listen(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}})
	require.NoError(t, err)
	r.client = client
	r.running(func(ctx context.Context) error {
		return client.Serve(ctx, sip.Handler{Supported: []string{"siprec"},
			Invite: func(_ context.Context, in *sip.Incoming) { _ = in.Reject(403, "No") }})
	})
	for errors.Is(r.ping(), sip.ErrNotServing) {
		require.NoError(t, ctx.Err())
		runtime.Gosched()
	}
	r.permit, err = consent.Commit(t.Context(), keepsAll{}, record(), consent.Decision{Outcome: consent.Given, At: time.Now()}, time.Now)
	require.NoError(t, err)
	r.gate = media.NewGate(r.permit)
	engine := media.NewEngine(media.EngineConfig{})
	r.ports = media.NewPorts(media.PortsConfig{Addr: loopback(), Engine: engine})
	t.Cleanup(func() { require.NoError(t, r.ports.Close(), "ports are left open") })
	r.caller, r.voices[0] = r.party(engine)
	r.agent, r.voices[1] = r.party(engine)
	r.caller.RelayTo(r.agent)
	r.agent.RelayTo(r.caller)
	return r
}

// ping says ErrNotServing until the client's endpoint serves.
func (r *rig) ping() error {
	_, err := r.client.Options(r.ctx, r.server.URI())
	return err
}

func (r *rig) serve(dir string) *recordserver.Server {
	server, err := recordserver.Listen(recordserver.Config{Listen: []string{"tcp:127.0.0.1:0"}, Media: loopback(), Dir: dir,
		Answer: func() recordserver.Answer { return *r.answer.Load() }})
	require.NoError(r.t, err)
	r.running(server.Serve)
	return server
}

// running serves until the test ends.
func (r *rig) running(serve func(context.Context) error) {
	ctx, end := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { serve(ctx) })
	r.t.Cleanup(func() { end(); wg.Wait() })
}

func (r *rig) party(engine *media.Engine) (*media.Stream, *net.UDPConn) {
	far, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback(), 0)))
	require.NoError(r.t, err)
	ports := media.NewPorts(media.PortsConfig{Addr: loopback(), Engine: engine})
	s, err := ports.Open()
	require.NoError(r.t, err)
	s.Connect(spoken(far, sdp.PCMA()))
	ctx, end := context.WithCancel(context.Background())
	var loop sync.WaitGroup
	loop.Go(func() { _ = s.Run(ctx) })
	r.t.Cleanup(func() { end(); loop.Wait(); s.Close(); far.Close() })
	return s, far
}

func spoken(far *net.UDPConn, c sdp.Codec) media.Far {
	return media.Far{Addr: far.LocalAddr().(*net.UDPAddr).AddrPort(), Codec: media.CodecOf(c), PayloadType: c.PT, EventPT: -1, Send: true, Receive: true}
}

// speaks lets both go on in another codec.
func (r *rig) speaks(c sdp.Codec) siprec.Moment {
	r.speech = c
	r.caller.Connect(spoken(r.voices[0], c))
	r.agent.Connect(spoken(r.voices[1], c))
	return siprec.Moment{State: consent.RecordingOn, Record: record(), Caller: c, Agent: c}
}

// speak lets each party say n packets, and waits until the other has heard
// every one: a packet is offered to the tap after it was relayed, so the last
// one is followed by waiting for the gate to have seen it.
func (r *rig) speak(n int) {
	r.t.Helper()
	seen := func() uint64 { c := r.gate.Counts(); return c.Passed + c.Blocked }
	before := seen()
	streams := []*media.Stream{r.caller, r.agent}
	for range n {
		r.seq++
		for i, s := range streams {
			packet := make([]byte, 172)
			packet[0], packet[1], packet[3] = 0x80, r.speech.PT, r.seq
			packet[12] = 9 << 3 // 20 ms, if it is Opus
			binary.BigEndian.PutUint32(packet[4:], uint32(r.seq)*uint32(r.speech.Rate/50))
			packet[11] = byte(40 + i)
			_, err := r.voices[i].WriteToUDPAddrPort(packet, s.Local())
			require.NoError(r.t, err)
			buf := make([]byte, 2000)
			require.NoError(r.t, r.voices[1-i].SetReadDeadline(time.Now().Add(patience)))
			_, err = r.voices[1-i].Read(buf)
			require.NoError(r.t, err, "the call goes on whatever the recorder does")
		}
	}
	for want := before + r.tapped*uint64(n); seen() < want; runtime.Gosched() {
		require.NoError(r.t, r.ctx.Err())
	}
}

func (r *rig) config() siprec.Config {
	return siprec.Config{Name: "compliance", Endpoint: r.client, Ports: r.ports, Caller: true, Agent: true,
		Targets: []siprec.Target{{URI: r.server.URI()}},
		Pace:    siprec.Pace{Retry: time.Millisecond, Probe: time.Hour, Answer: 20 * time.Second}}
}

func (r *rig) story() siprec.Call {
	return siprec.Call{Moment: siprec.Moment{State: consent.RecordingOn, Record: record()}, Permit: r.permit, Gate: r.gate,
		Changed: func(up bool, why string) { r.changes <- change{up, why} }}
}

// record opens a recording, with the gate open and both parties tapped.
func (r *rig) record(cfg siprec.Config) *siprec.Recording {
	r.t.Helper()
	recording, err := siprec.New(cfg).Open(r.ctx, r.story())
	require.NoError(r.t, err)
	r.t.Cleanup(recording.Close)
	r.caller.TapTo(recording.Caller())
	r.agent.TapTo(recording.Agent())
	require.True(r.t, r.gate.Open())
	for _, recorded := range []bool{cfg.Caller, cfg.Agent} {
		if recorded {
			r.tapped++
		}
	}
	return recording
}

// session waits for the nth session of the server to be up and returns it.
func (r *rig) session(n int) *recordserver.Session {
	r.t.Helper()
	require.NoError(r.t, r.server.Until(r.ctx, func(all []*recordserver.Session) bool { return len(all) > n && len(all[n].Offers()) > 0 }))
	return r.server.Sessions()[n]
}

// until waits for something to be true of the session.
func (r *rig) until(ok func() bool) {
	r.t.Helper()
	require.NoError(r.t, r.server.Until(r.ctx, func([]*recordserver.Session) bool { return ok() }))
}

// over waits for the end of a session; it must have broken no standard.
func (r *rig) over(s *recordserver.Session) {
	r.t.Helper()
	select {
	case <-s.Over():
	case <-r.ctx.Done():
		require.NoError(r.t, context.Cause(r.ctx))
	}
	require.Empty(r.t, s.Disliked())
}

func (r *rig) change() change {
	r.t.Helper()
	select {
	case c := <-r.changes:
		return c
	case <-r.ctx.Done():
		require.NoError(r.t, context.Cause(r.ctx))
		return change{}
	}
}
