package acceptance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/api/client"
	"consentgw/internal/phone"
	"consentgw/internal/storetest"
	"consentgw/internal/wav"
	"consentgw/prompts"

	"github.com/stretchr/testify/require"
)

// site is a place where a gateway runs: its configuration, its data, its Redis,
// a recorder, and ports that nobody else uses.
type site struct {
	t        *testing.T
	ctx      context.Context
	dir      string
	file     string // the configuration
	notice   *prompts.Notice
	redis    *storetest.RedisServer // nil: the embedded store
	recorder *phone.Recorder
	trunk    string    // host and port that carriers send to
	platform string    // host and port that the gateway calls the platform from
	targets  [2]string // host and port of each target of the platform
	apiURL   string
	api      *client.Client
	gateway  *process
}

// The numbers are reserved for fiction.
const (
	callerNumber = "+31205550100"
	calledNumber = "+31205550123"
)

// patience ends a test whose event never comes; it is no measure of anything.
const patience = 4 * time.Minute

// The media ports of a site are below those that the system hands out, so that
// no socket of a test comes to lie on one. SIPp's are besides them.
const (
	trunkPorts    = "10000-12999"
	platformPorts = "13000-15999"
	recorderPorts = "16000-17999"
	callerMedia   = 18000 // and 4 ports up for each call of a run
	platformMedia = 9500
)

// plan is what a test wants of its site besides the ordinary.
type plan struct {
	embedded bool              // the embedded store instead of Redis
	info     bool              // log level info instead of debug
	opus     bool              // the notice in Opus as well; it is speech then
	host     string            // address of both sides; empty: 127.0.0.1
	trunk    string            // host and port that carriers send to; empty: on host
	patience time.Duration     // for the whole test; 0: patience
	store    time.Duration     // how long one command to Redis may take; 0: long, on a busy machine, too
	beside   *site             // whose Redis, recorder and targets it shares; nil: none
	edits    map[string]string // what of the configuration is replaced by what, at last
}

// newSite prepares a site; start runs the gateway.
func newSite(t *testing.T, p plan) *site {
	needsReal(t)
	ctx, cancel := context.WithTimeoutCause(context.Background(), cmp.Or(p.patience, patience), errors.New("the event that the test waits for did not come"))
	t.Cleanup(cancel)
	s := &site{t: t, ctx: ctx, dir: t.TempDir()}
	s.writeNotice(p.opus)
	if p.beside == nil {
		var err error
		s.recorder, err = phone.NewRecorder(netip.MustParseAddr("127.0.0.1"))
		require.NoError(t, err)
		t.Cleanup(s.recorder.Close)
	}
	p.host = cmp.Or(p.host, "127.0.0.1")
	free := func() string { return net.JoinHostPort(p.host, portOf(freePort(t))) }
	s.trunk = cmp.Or(p.trunk, free())
	s.platform = free()
	s.targets = [2]string{free(), free()}
	if p.beside != nil {
		s.recorder, s.redis, s.targets = p.beside.recorder, p.beside.redis, p.beside.targets
	}
	apiAddr := freePort(t)
	s.apiURL, s.api = "http://"+apiAddr, client.New("http://"+apiAddr)
	s.file = filepath.Join(s.dir, "consentgw.yaml")
	s.configure(p, apiAddr)
	return s
}

// configure derives the configuration from the complete example.
func (s *site) configure(p plan, apiAddr string) {
	text, err := os.ReadFile("../../testdata/config/consentgw.yaml")
	require.NoError(s.t, err)
	replace := func(old, new string) string {
		return replaced(s.t, string(text), old, new)
	}
	both := func(addr string) string { return fmt.Sprintf(`["udp:%s", "tcp:%s"]`, addr, addr) }
	for old, new := range map[string]string{
		"./consentgw-data": filepath.Join(s.dir, "data"),
		`dir: ""`:          "dir: " + filepath.Join(s.dir, "prompts"),
		`["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]`:  both(s.trunk),
		`["udp:127.0.0.1:5070", "tcp:127.0.0.1:5070"]`:  both(s.platform),
		`["tcp:127.0.0.1:5080"]`:                        fmt.Sprintf(`["tcp:%s"]`, freePort(s.t)),
		"ports: 16384-21999":                            "ports: " + trunkPorts,
		"ports: 27000-31999":                            "ports: " + recorderPorts,
		`api: "127.0.0.1:8080"`:                         fmt.Sprintf("api: %q", apiAddr),
		`["127.0.0.0/8"]`:                               fmt.Sprintf("[%q]", p.host+"/32"),
		"media: 127.0.0.1                # address our": "media: " + p.host + " # address our",
		"media: 127.0.0.1\n    ports: 22000-26999":      "media: " + p.host + "\n    ports: " + platformPorts,
		"sip:127.0.0.1:5090":                            "sip:" + s.targets[0],
		"sip:127.0.0.1:5092":                            "sip:" + s.targets[1],
		"caller: 127.0.0.1:6000":                        "caller: " + s.recorder.CallerAddr().String(),
		"agent: 127.0.0.1:6002":                         "agent: " + s.recorder.AgentAddr().String(),
		"notice: recording":                             "notice: short",
		"answer_timeout: 6s ":                           "answer_timeout: 5s ",
		"retries: 1":                                    "retries: 0",
		"timeout: 500ms":                                "timeout: " + cmp.Or(p.store, 10*time.Second).String(),
	} {
		text = []byte(replace(old, new))
	}
	if !p.info {
		text = []byte(replace("level: info", "level: debug"))
	}
	if p.embedded {
		text = []byte(string(text)[:strings.Index(string(text), "store:\n")])
	} else {
		if s.redis == nil {
			_, s.redis = storetest.Redis(s.t)
		}
		text = []byte(replace("127.0.0.1:6379", s.redis.Addr()))
	}
	for old, new := range p.edits {
		text = []byte(replace(old, new))
	}
	require.NoError(s.t, os.WriteFile(s.file, text, 0o600))
}

// replaced puts new for old, which stands in text exactly once.
func replaced(t *testing.T, text, old, new string) string {
	t.Helper()
	require.Equal(t, 1, strings.Count(text, old), "the example configuration has %q once", old)
	return strings.Replace(text, old, new, 1)
}

// freePort is an address of loopback whose port was free for UDP on every address
// and for TCP a moment ago, and is given to nobody else until the test has ended:
// tests run beside each other, and take some time to bind what they were given.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		taken, err := net.Listen("tcp", "127.0.0.99:0") // as a sign for the others, where nobody else is
		require.NoError(t, err)
		t.Cleanup(func() { taken.Close() })
		addr := fmt.Sprint("127.0.0.1:", taken.Addr().(*net.TCPAddr).Port)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		l.Close()
		c, err := net.ListenPacket("udp", ":"+portOf(addr))
		if err == nil {
			c.Close()
			return addr
		}
	}
	require.FailNow(t, "no port is free for both UDP and TCP")
	return ""
}

// writeNotice makes a notice of short tones, half a second of question, so that
// many calls fit into a test.
func (s *site) writeNotice(opus bool) {
	at := filepath.Join(s.dir, "prompts", "short", "1", "nl")
	require.NoError(s.t, os.MkdirAll(at, 0o755))
	for i, name := range prompts.Names() {
		samples := 8000 * 2 / 10
		if name == prompts.Ask {
			samples = 8000 * 5 / 10
		}
		if opus {
			samples = speechSamples
			speech := readFile(s.t, "../oggopus/testdata/speech.opus")
			require.NoError(s.t, os.WriteFile(filepath.Join(at, name+".opus"), []byte(speech), 0o644))
		}
		f, err := os.Create(filepath.Join(at, name+".wav"))
		require.NoError(s.t, err)
		require.NoError(s.t, wav.Write(f, 8000, 1, tone(float64(350+90*i), samples)))
		require.NoError(s.t, f.Close())
		require.NoError(s.t, os.WriteFile(filepath.Join(at, name+".txt"), []byte("Een toon: "+name+".\n"), 0o644))
	}
	library, err := prompts.Open(filepath.Join(s.dir, "prompts"))
	require.NoError(s.t, err)
	s.notice, err = library.Notice("short", "nl")
	require.NoError(s.t, err)
}

// speechSamples is how long the speech in Opus is, at 8 kHz.
const speechSamples = 8000 * 3 / 2

func tone(hertz float64, samples int) []int16 {
	pcm := make([]int16, samples)
	for n := range pcm {
		pcm[n] = int16(8000 * math.Sin(2*math.Pi*hertz*float64(n)/8000))
	}
	return pcm
}

// start runs the gateway and waits until it serves. It is ended with the test,
// in good order.
func (s *site) start() {
	s.t.Helper()
	s.startDraining("1s")
}

// startDraining does so with a time that calls are given at the end.
func (s *site) startDraining(drain string) {
	s.t.Helper()
	s.gateway = launch(s.t, s.dir, "serve", "-c", s.file, "--drain", drain)
	s.gateway.ready(s.ctx)
	s.t.Cleanup(s.stop)
}

// stop ends the gateway as an operator does, if it runs, and holds its log
// against the law.
func (s *site) stop() {
	s.t.Helper()
	p := s.gateway
	if p == nil {
		return
	}
	s.gateway = nil
	p.signal(syscall.SIGTERM)
	// A context of its own: the test may have ended because its own did.
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Minute, errors.New("a minute after SIGTERM"))
	defer cancel()
	require.Zero(s.t, p.ended(ctx), "exit code after SIGTERM")
	s.readLog(p)
}

// crash kills the gateway.
func (s *site) crash() {
	p := s.gateway
	s.gateway = nil
	p.kill()
	s.readLog(p)
}

// readLog checks that no number is in the log, and no panic.
func (s *site) readLog(p *process) {
	s.t.Helper()
	for _, line := range p.lines() {
		for _, word := range []string{callerNumber[1:], calledNumber[1:], "panic", "DATA RACE"} {
			require.NotContains(s.t, line, word)
		}
	}
}

// poll asks ok again and again until it says yes. state says how things stood
// when it never did.
func (s *site) poll(what string, ok func() bool, state ...func() string) {
	s.t.Helper()
	for !ok() {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-s.ctx.Done():
			for _, f := range state {
				what += ": " + f()
			}
			require.FailNow(s.t, "waited in vain", what)
		}
	}
}

// finished waits until the record of a call has its end, as the API tells it.
func (s *site) finished(callID string) *consent.Record {
	s.t.Helper()
	var r *consent.Record
	s.poll("the end of the record of "+callID, func() bool {
		status, err := s.api.Status(s.ctx, callID)
		if err != nil || status.RecordID == "" {
			return false
		}
		r, err = s.api.Show(s.ctx, string(status.RecordID))
		return err == nil && r.Ended()
	})
	return r
}
