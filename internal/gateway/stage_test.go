package gateway_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/gateway"
	"consentgw/internal/phone"
	"consentgw/internal/sdp"
	"consentgw/internal/wav"
	"consentgw/prompts"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// stage is a gateway with everything around it, all of it real: phones, a
// contact center with two targets, a recorder.
type stage struct {
	t         *testing.T
	ctx       context.Context
	cfg       *config.Config
	opt       gateway.Options
	gateway   *gateway.Gateway
	notice    *prompts.Notice
	caller    *phone.Phone
	srtp      *phone.SRTP // of the caller; nil: in clear
	desks     []*desk     // the targets, in order
	homes     []*desk     // those of the trunk, where callees are
	agent     *phone.Phone
	recorder  copies
	towers    []*tower // recording servers
	plain     *phone.Recorder
	log       *lockedLog
	stop      context.CancelFunc
	served    chan error
	aware     bool // the caller wants to be told of recordings
	nextAware bool // and so does who takes over
}

// The numbers are reserved for fiction.
const (
	callerNumber = "+31205550100"
	calledNumber = "+31205550123"
	homeNumber   = "+442079460123" // of a callee
)

// The pitches of the two voices, in hertz.
const (
	callerVoice = 500.0
	agentVoice  = 700.0
)

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// patience ends a test whose event never comes; it is no measure of anything.
// With -short it ends soon, for those who expect the event not to come.
func patience() time.Duration {
	if testing.Short() {
		return 10 * time.Second
	}
	return 30 * time.Second
}

// TestMain fails if a goroutine of any call is left after the last test. The
// scripts mostly wait for their events, so more of them run at once than there
// are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "8")
	goleak.VerifyTestMain(m)
}

func newStage(t *testing.T) *stage {
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience(), errors.New("the event that the test waits for did not come"))
	t.Cleanup(cancel)
	s := &stage{t: t, ctx: ctx, log: &lockedLog{}}
	dir := t.TempDir()
	writeNotice(t, filepath.Join(dir, "prompts"), "short", 350, prompts.Names())
	library, err := prompts.Open(filepath.Join(dir, "prompts"))
	require.NoError(t, err)
	s.notice, err = library.Notice("short", "en")
	require.NoError(t, err)
	s.plain, err = phone.NewRecorder(loopback)
	require.NoError(t, err)
	t.Cleanup(s.plain.Close)
	s.recorder = s.plain
	s.cfg = s.configuration(dir)
	s.opt = gateway.Options{Version: "test", Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	return s
}

// start opens the curtain: it serves the gateway until the test ends.
func (s *stage) start(codecs []sdp.Codec) {
	t := s.t
	var err error
	s.caller, err = phone.New(phone.Config{Listen: "udp:127.0.0.1:0", Codecs: codecs, SRTP: s.srtp, RecordAware: s.aware})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.caller.Close()) })
	for i, d := range s.desks {
		require.NoError(t, d.open())
		t.Cleanup(func() { require.NoError(t, d.close()) })
		s.cfg.Platforms[0].Targets = append(s.cfg.Platforms[0].Targets, config.Target{URI: d.uri(), Priority: i + 1, Weight: 1})
	}
	if len(s.homes) > 0 {
		s.callOut()
	}
	s.serve()
}

// callOut lets the platform place calls.
func (s *stage) callOut() {
	t := s.t
	var err error
	s.agent, err = phone.New(phone.Config{Listen: "udp:127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.agent.Close()) })
	for i, d := range s.homes {
		require.NoError(t, d.open())
		t.Cleanup(func() { require.NoError(t, d.close()) })
		s.cfg.Trunks[0].Targets = append(s.cfg.Trunks[0].Targets, config.Target{URI: d.uri(), Priority: i + 1, Weight: 1})
	}
	s.cfg.Trunks[0].AnswerTimeout = 10 * time.Second
	s.cfg.Platforms[0].From = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	s.cfg.Routes = append(s.cfg.Routes, config.Route{Name: "back", Outbound: true, Platform: "center", Trunk: "carrier",
		To: "+4420*", Policy: "ask", Recorders: []string{"archive"}})
}

func (s *stage) serve() {
	t := s.t
	g, err := gateway.Listen(s.cfg, s.opt)
	require.NoError(t, err)
	s.gateway = g
	ctx, stop := context.WithCancel(context.Background())
	s.served = make(chan error, 1)
	s.stop = stop
	go func() { s.served <- g.Serve(ctx) }()
	t.Cleanup(s.halt)
}

// halt ends the gateway and checks that it left nothing behind.
func (s *stage) halt() {
	if s.stop == nil {
		return
	}
	s.stop()
	s.stop = nil
	require.NoError(s.t, <-s.served)
	for side, c := range s.gateway.Ports() {
		require.Zero(s.t, c.Used, "ports in use on the %s side after the end", side)
	}
	for _, number := range []string{callerNumber, homeNumber} {
		require.NotContains(s.t, s.log.String(), number[1:], "a number is in the log")
	}
}

func (s *stage) trunkURI() string {
	a := s.gateway.TrunkAddrs()[0]
	return fmt.Sprintf("sip:%s;transport=%s", a.AddrPort, a.Transport)
}

func (s *stage) configuration(dir string) *config.Config {
	free := netip.AddrPortFrom(loopback, 0)
	udp := config.Side{SIP: []config.SIPAddr{{Transport: "udp", Addr: free}}, Media: loopback}
	return &config.Config{
		Node:      config.Node{ID: "gw-test", Data: filepath.Join(dir, "data")},
		Prompts:   config.Prompts{Dir: filepath.Join(dir, "prompts")},
		Listen:    config.Listen{Trunk: udp, Platform: udp, Recorder: config.Side{Media: loopback}, API: free.String()},
		Trunks:    []config.Trunk{{Name: "carrier", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}},
		Platforms: []config.Platform{{Name: "center", Destination: config.Destination{AnswerTimeout: 10 * time.Second}}},
		Recorders: []config.Recorder{{Name: "archive", Type: "rtp", Caller: s.plain.CallerAddr(), Agent: s.plain.AgentAddr()}},
		Policies: []config.Policy{{Name: "ask", Jurisdiction: "NL", Basis: "consent", Purposes: []string{"quality"},
			Controller: config.Controller{Name: "Example B.V.", Contact: "privacy@example.com", Address: "Kade 1, Utrecht", Country: "NL"},
			Notice:     "short", Language: "en", Keys: config.Keys{Yes: "1", No: "2", Repeat: "0", Withdraw: "*9"},
			Waits: config.Waits{HoldBack: time.Minute}, AnswerTimeout: 600 * time.Millisecond, Retries: 1, Retention: config.Retention{Record: "P7Y", Recording: "P90D"}}},
		Routes: []config.Route{
			{Name: "sales", Trunk: "carrier", To: "+3120*", Platform: "center", Policy: "ask", Recorders: []string{"archive"}},
			{Name: "plain", Trunk: "carrier", To: "+3130*", Platform: "center"},
		},
	}
}

// writeNotice makes a notice of short tones, each prompt another one, so that a
// test knows by the bytes which of them was heard.
func writeNotice(t *testing.T, dir, id string, lowest int, names []string) {
	at := filepath.Join(dir, id, "1", "en")
	require.NoError(t, os.MkdirAll(at, 0o755))
	for i, name := range names {
		pcm := make([]int16, 8000*3/10)
		if name == prompts.Ask {
			pcm = make([]int16, 8000*5/10)
		}
		for n := range pcm {
			pcm[n] = int16(8000 * math.Sin(2*math.Pi*float64(lowest+90*i)*float64(n)/8000))
		}
		f, err := os.Create(filepath.Join(at, name+".wav"))
		require.NoError(t, err)
		require.NoError(t, wav.Write(f, 8000, 1, pcm))
		require.NoError(t, f.Close())
		require.NoError(t, os.WriteFile(filepath.Join(at, name+".txt"), []byte("A tone for "+name+".\n"), 0o644))
	}
}

// speech is noise-like speech of its own for each speaker, loud enough to hear.
func speech(hertz float64) []int16 {
	pcm := make([]int16, 8000)
	for n := range pcm {
		pcm[n] = int16(6000 * math.Sin(2*math.Pi*hertz*float64(n)/8000) * math.Sin(2*math.Pi*3*float64(n)/8000))
	}
	return pcm
}

// record waits until the record of the call is complete in the store.
func (s *stage) record(callID string) *consent.Record {
	for {
		r, err := s.gateway.Records().Find(s.ctx, callID)
		if err == nil && r.Ended() {
			return r
		}
		if err != nil && !errors.Is(err, consent.ErrNotFound) {
			require.NoError(s.t, err)
		}
		s.pause(10 * time.Millisecond)
	}
}

func (s *stage) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.ctx.Done():
		require.NoError(s.t, context.Cause(s.ctx))
	}
}

// freeAddr is a UDP address that nobody listens on.
func freeAddr(t *testing.T) netip.AddrPort {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	require.NoError(t, err)
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// scripts lists the call scripts.
func scripts(t *testing.T) []string {
	files, err := filepath.Glob("../../testdata/calls/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	slices.Sort(files)
	return files
}
