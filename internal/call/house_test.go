package call

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/boltstore"
	"consentgw/internal/config"
	"consentgw/internal/media"
	"consentgw/internal/metrics"
	"consentgw/internal/phone"
	"consentgw/internal/sdp"
	"consentgw/internal/storetest"
	"consentgw/internal/wav"
	"consentgw/prompts"
	"consentgw/sip"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain fails if a goroutine of any call is left after the last test. A house
// waits most of the time, so more of them are open at once than there are processors.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "12"); err != nil { // the command line may say otherwise
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patience ends a test whose event never comes; it is no measure of anything.
const patience = 30 * time.Second

// The numbers are reserved for fiction.
const (
	fromNumber = "+31205550100"
	toNumber   = "+31205550123"
)

// house is a [Service] with real sockets and real phones on both sides. Its
// recorders and its store are whatever a test puts there before it opens.
type house struct {
	t         *testing.T
	ctx       context.Context
	dir       string
	cfg       *config.Config
	recorders []Recorder
	store     *storetest.Faulty
	t1        time.Duration                              // of the signalling; 0: its default
	after     func(time.Duration) <-chan time.Time       // ends the wait for a choice; nil: time
	arrives   func(*sip.Incoming)                        // sees each INVITE before the gateway does; nil: nobody
	storeFor  time.Duration                              // how long a caller waits for the disk of a busy machine
	codecs    []sdp.Codec                                // of the caller
	desks     []sdp.Codec                                // of the desks
	ring      []func(ctx context.Context, r *phone.Ring) // of each target in turn; nil: nobody listens

	svc      *Service
	journal  *Journal
	library  *prompts.Library
	notice   *prompts.Notice
	offer    func(*sdp.Session) // changes what a wire offers; nil: nothing
	caller   *phone.Phone
	trunk    *sip.Endpoint
	platform *sip.Endpoint
	log      *lockedBuffer
	lines    chan *phone.Line // what desks picked up
	halt     func()           // ends every call, as the end of the gateway does
	byHand   []*net.UDPConn   // peers that do nothing by themselves
	id       string           // a Call-ID of the call; empty: made of the test's name
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func loopback() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

func newHouse(t *testing.T) *house {
	t.Parallel() // a house waits most of the time
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, errors.New("the event that the test waits for did not come"))
	t.Cleanup(cancel)
	h := &house{t: t, ctx: ctx, dir: t.TempDir(), storeFor: 10 * time.Second, log: &lockedBuffer{}, lines: make(chan *phone.Line, 256)}
	inner, err := boltstore.Open(filepath.Join(h.dir, "records.db"))
	require.NoError(t, err)
	h.store = storetest.NewFaulty(inner)
	t.Cleanup(func() { require.NoError(t, h.store.Close()) })
	h.cfg = &config.Config{
		Trunks:    []config.Trunk{{Name: "carrier", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}},
		Platforms: []config.Platform{{Name: "center", Destination: config.Destination{AnswerTimeout: 10 * time.Second}}},
		Policies: []config.Policy{{Name: "ask", Purposes: []string{"quality"}, Notice: "short", Language: "en",
			Keys: config.Keys{Yes: "1", No: "2", Repeat: "0", Withdraw: "*9"}, AnswerTimeout: 600 * time.Millisecond}},
		Routes: []config.Route{
			{Name: "sales", To: "+3120*", Platform: "center", Policy: "ask"},
			{Name: "plain", To: "+3130*", Platform: "center"},
		},
	}
	h.ring = []func(context.Context, *phone.Ring){h.pick}
	return h
}

// pick is a desk that answers at once and talks until the call ends.
func (h *house) pick(ctx context.Context, r *phone.Ring) {
	line, err := r.Pick(ctx)
	if err != nil {
		return
	}
	line.Speak(tone(700), true)
	h.lines <- line
	select {
	case <-line.Ended():
	case <-ctx.Done():
	}
	line.Hangup(context.WithoutCancel(ctx))
}

// records adds a recorder to the route that asks.
func (h *house) records(r Recorder) {
	h.recorders = append(h.recorders, r)
	h.cfg.Routes[0].Recorders = append(h.cfg.Routes[0].Recorders, r.Name)
}

// open builds everything and serves it until the test ends.
func (h *house) open() {
	t := h.t
	for i, ring := range h.ring {
		uri := "sip:" + closedAddr(t).String()
		if ring != nil {
			desk, err := phone.New(phone.Config{Listen: "udp:127.0.0.1:0", Ring: ring, Codecs: h.desks})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, desk.Close()) })
			uri = desk.URI()
		}
		h.cfg.Platforms[0].Targets = append(h.cfg.Platforms[0].Targets, config.Target{URI: uri, Priority: i + 1, Weight: 1})
	}
	var err error
	h.caller, err = phone.New(phone.Config{Listen: "udp:127.0.0.1:0", Codecs: h.codecs})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.caller.Close()) })
	h.build()
}

func (h *house) build() {
	t := h.t
	writeTones(t, filepath.Join(h.dir, "prompts"))
	writeNotice(t, filepath.Join(h.dir, "prompts", "long", "1", "en"), 8000*3)
	library, err := prompts.Open(filepath.Join(h.dir, "prompts"))
	require.NoError(t, err)
	h.library = library
	h.notice, err = library.Notice("short", "en")
	require.NoError(t, err)
	plan, err := NewPlan(h.cfg, library, h.recorders)
	require.NoError(t, err)
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	set := metrics.New("test")
	h.journal = NewJournal(JournalConfig{Store: h.store, Name: "gw-test/run", Timeout: h.storeFor, Metrics: set, Log: log})
	trunk, platform := h.endpoint(log), h.endpoint(log)
	h.trunk, h.platform = trunk, platform
	ports := [2]*media.Ports{}
	for i := range ports {
		ports[i] = media.NewPorts(media.PortsConfig{Addr: loopback(), Rest: time.Millisecond})
	}
	h.svc = New(Config{Node: "gw-test", Plan: plan, Platform: platform, Trunk: trunk, TrunkPorts: ports[0], PlatformPorts: ports[1],
		Store: h.store, Journal: h.journal, StoreTimeout: h.storeFor, Metrics: set, Log: log, Now: time.Now})
	if h.after != nil {
		h.svc.pace = pace{h.after, 4 * patience}
	}
	t.Cleanup(func() { // after the last call
		for _, p := range ports {
			require.NoError(t, p.Close(), "media ports are left")
		}
		require.NotContains(t, h.log.String(), fromNumber[1:], "a caller's number is in the log")
	})
	h.serve(trunk, platform)
}

func (h *house) endpoint(log *slog.Logger) *sip.Endpoint {
	e, err := sip.Listen(sip.Config{Listen: []string{"udp:127.0.0.1:0"}, T1: h.t1, Log: log})
	require.NoError(h.t, err)
	return e
}

// serve runs the two sides and the journal, and ends them in that order.
func (h *house) serve(trunk, platform *sip.Endpoint) {
	sides, endSides := context.WithCancel(context.Background())
	writing, endWriting := context.WithCancel(context.Background())
	calls, endCalls := context.WithCancel(context.Background())
	var faces, journal sync.WaitGroup
	journal.Go(func() { h.journal.Run(writing) })
	face := func(e *sip.Endpoint, invite func(context.Context, *sip.Incoming)) {
		faces.Go(func() {
			if err := e.Serve(sides, sip.Handler{Invite: invite, Supported: []string{"replaces"}}); err != nil && sides.Err() == nil {
				h.t.Error(err)
			}
		})
		<-e.Serving()
	}
	h.halt = endCalls
	face(platform, func(_ context.Context, in *sip.Incoming) {
		if h.arrives != nil {
			h.arrives(in)
		}
		if !h.svc.Replace(calls, in) {
			h.svc.ServeOutbound(calls, in)
		}
	})
	face(trunk, func(_ context.Context, in *sip.Incoming) {
		if h.arrives != nil {
			h.arrives(in)
		}
		h.svc.Serve(calls, in)
	})
	h.t.Cleanup(func() {
		for _, conn := range h.byHand {
			go complies(conn)
		}
		endCalls()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(h.t, h.svc.Drain(ctx), "a call did not end")
		endSides()
		faces.Wait()
		endWriting()
		journal.Wait()
	})
}

func (h *house) trunkURI() string { return fmt.Sprintf("sip:%s", h.trunk.Addrs()[0].AddrPort) }

// dial calls the gateway and speaks.
func (h *house) dial(called string) *phone.Line {
	line, err := h.caller.Call(h.ctx, phone.Dial{Target: h.trunkURI(), Caller: fromNumber, Called: called, CallID: h.callID()})
	require.NoError(h.t, err)
	line.Speak(tone(500), true)
	h.t.Cleanup(func() { line.Hangup(context.Background()) })
	return line
}

func (h *house) callID() string { return cmp.Or(h.id, h.t.Name()+"@caller.example") }

// agree dials, hears the notice and presses the yes.
func (h *house) agree() *phone.Line {
	line := h.dial(toNumber)
	h.hears(line, prompts.Ask)
	line.Press("1")
	return line
}

func (h *house) hears(line *phone.Line, name string) {
	p := h.notice.Prompt(name)
	require.NoError(h.t, line.Hears(h.ctx, p.PCMU, p.PCMA), "the caller did not hear %q", name)
}

// agent is the line of the next desk that picked up.
func (h *house) agent() *phone.Line {
	select {
	case line := <-h.lines:
		return line
	case <-h.ctx.Done():
		require.NoError(h.t, context.Cause(h.ctx))
		return nil
	}
}

// live waits until the record of the call that is up is as ok wants it.
func (h *house) live(what string, ok func(*consent.Record) bool) *consent.Record {
	h.t.Helper()
	return h.until(what, func() (*consent.Record, bool) {
		r, found := h.svc.Find(h.callID())
		return r, found && ok(r)
	})
}

// stored waits until the stored record of the call is as ok wants it.
func (h *house) stored(what string, ok func(*consent.Record) bool) *consent.Record {
	h.t.Helper()
	return h.until(what, func() (*consent.Record, bool) {
		r, err := h.store.Store.Find(h.ctx, h.callID())
		return r, err == nil && ok(r)
	})
}

// ended waits for the complete record of the call.
func (h *house) ended() *consent.Record {
	h.t.Helper()
	return h.stored("the end of the call in the store", (*consent.Record).Ended)
}

func (h *house) until(what string, look func() (*consent.Record, bool)) *consent.Record {
	h.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if r, ok := look(); ok {
			return r
		}
		select {
		case <-tick.C:
		case <-h.ctx.Done():
			require.FailNow(h.t, "did not come: "+what, h.log.String())
		}
	}
}

// command does what the API does.
func (h *house) command(verb string) error {
	_, err := h.svc.Command(h.ctx, h.callID(), verb)
	return err
}

// memory is a recorder that keeps what it gets in memory.
type memory struct {
	taps   [2]*media.Tap
	closed chan struct{}

	mu   sync.Mutex
	sent []time.Time
	// onSend is called with every copy before it is kept; nil: nothing.
	onSend func()
}

func (m *memory) Send([]byte, media.Codec) bool {
	if m.onSend != nil {
		m.onSend()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = append(m.sent, time.Now())
	return true
}

func (m *memory) packets() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sent)
}

func (m *memory) Caller() *media.Tap { return m.taps[0] }
func (m *memory) Agent() *media.Tap  { return m.taps[1] }
func (m *memory) Fault() string      { return "" }
func (m *memory) Close()             { close(m.closed) }

func newMemory() *memory { return &memory{closed: make(chan struct{})} }

// open is what a recorder does that takes the call at once.
func (m *memory) open(_ context.Context, take Take) (Recording, error) {
	for i := range m.taps {
		m.taps[i] = media.NewTap(take.Gate, media.NewSSRC(), m)
	}
	return m, nil
}

// opens is open for many calls at once: each gets a memory of its own.
func (m *memory) opens(ctx context.Context, take Take) (Recording, error) {
	return newMemory().open(ctx, take)
}

// writeTones makes a notice of short tones, each prompt another one.
func writeTones(t *testing.T, dir string) {
	writeNotice(t, filepath.Join(dir, "short", "1", "en"), 8000/5)
}

// writeNotice makes a notice of which all but the question last for a number of samples.
func writeNotice(t *testing.T, at string, samples int) {
	require.NoError(t, os.MkdirAll(at, 0o755))
	for i, name := range prompts.Names() {
		pcm := make([]int16, samples)
		if name == prompts.Ask {
			pcm = pcm[:8000/5]
		}
		for n := range pcm {
			pcm[n] = int16(8000 * math.Sin(2*math.Pi*float64(350+90*i)*float64(n)/8000))
		}
		var b bytes.Buffer
		require.NoError(t, wav.Write(&b, 8000, 1, pcm))
		require.NoError(t, os.WriteFile(filepath.Join(at, name+".wav"), b.Bytes(), 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(at, name+".txt"), []byte("A tone for "+name+".\n"), 0o644))
	}
}

func tone(hertz float64) []int16 {
	pcm := make([]int16, 8000)
	for n := range pcm {
		pcm[n] = int16(6000 * math.Sin(2*math.Pi*hertz*float64(n)/8000))
	}
	return pcm
}

// closedAddr is a UDP address that nobody listens on.
func closedAddr(t *testing.T) netip.AddrPort {
	p := media.NewPorts(media.PortsConfig{Addr: loopback()})
	s, err := p.Open()
	require.NoError(t, err)
	defer s.Close()
	return s.Local()
}

var _ io.Writer = (*lockedBuffer)(nil)
