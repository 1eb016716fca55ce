package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"consentgw/internal/phone"
	"consentgw/internal/wav"
	"consentgw/prompts"

	"github.com/stretchr/testify/require"
)

// The numbers are reserved for fiction.
const (
	callerNumber = "+31205550100"
	calledNumber = "+31205550123"
)

// patience ends a test whose event never comes; it is no measure of anything.
const patience = 30 * time.Second

// served is a gateway that "consentgw serve" runs, with a contact center and a
// caller around it.
type served struct {
	t        *testing.T
	ctx      context.Context
	dir      string // of the configuration and the notices
	api      string
	trunk    string
	center   *phone.Phone
	caller   *phone.Phone
	recorder *phone.Recorder
	stop     func() int
	log      *journal
}

// writeConfig writes a small configuration on free ports, with short notices
// beside it, and returns its name.
func writeConfig(t *testing.T, dir, api string) string { return writeConfigFor(t, dir, api, nil) }

func writeConfigFor(t *testing.T, dir, api string, s *served) string {
	writeNotice(t, filepath.Join(dir, "prompts"))
	target, caller, agent := "sip:127.0.0.1:5090", "127.0.0.1:6000", "127.0.0.1:6002"
	if s != nil {
		target, caller, agent = s.center.URI(), s.recorder.CallerAddr().String(), s.recorder.AgentAddr().String()
	}
	text := fmt.Sprintf(`node: {id: gw-test, data: %q}
prompts: {dir: %q}
listen:
  trunk: {sip: ["udp:127.0.0.1:0"], media: 127.0.0.1, ports: 36000-36999}
  platform: {sip: ["udp:127.0.0.1:0"], media: 127.0.0.1, ports: 37000-37999}
  recorder: {media: 127.0.0.1, ports: 38000-38999}
  api: %q
trunks: [{name: carrier, from: ["127.0.0.0/8"]}]
platforms: [{name: center, targets: [{uri: %q}], answer_timeout: 10s}]
recorders: [{name: archive, type: rtp, caller: %q, agent: %q}]
policies:
  - name: ask
    controller: {name: "Example B.V.", contact: "privacy@example.com", address: "Kade 1, Utrecht", country: NL}
    jurisdiction: NL
    basis: consent
    purposes: [quality]
    notice: short
    language: en
    keys: {yes: "1", no: "2", repeat: "0", withdraw: "*9"}
    answer_timeout: 2s
    retries: 0
    retention: {record: P7Y, recording: P90D}
routes: [{name: sales, trunk: carrier, to: "*", platform: center, policy: ask, recorders: [archive]}]
log: {level: info, format: json}
`, filepath.Join(dir, "data"), filepath.Join(dir, "prompts"), cmp.Or(api, "127.0.0.1:0"), target, caller, agent)
	file := filepath.Join(dir, "consentgw.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// writeNotice makes a notice of short tones.
func writeNotice(t *testing.T, dir string) {
	at := filepath.Join(dir, "short", "1", "en")
	require.NoError(t, os.MkdirAll(at, 0o755))
	for i, name := range prompts.Names() {
		pcm := make([]int16, 1600)
		for n := range pcm {
			pcm[n] = int16(8000 * math.Sin(2*math.Pi*float64(350+90*i)*float64(n)/8000))
		}
		f, err := os.Create(filepath.Join(at, name+".wav"))
		require.NoError(t, err)
		require.NoError(t, wav.Write(f, 8000, 1, pcm))
		require.NoError(t, f.Close())
		require.NoError(t, os.WriteFile(filepath.Join(at, name+".txt"), []byte("A tone for "+name+".\n"), 0o600))
	}
}

// newServed starts everything but the gateway. The phones repeat their
// signalling after t1.
func newServed(t *testing.T, t1 time.Duration) *served {
	s := &served{t: t, dir: t.TempDir(), log: newJournal()}
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the event that the test waits for did not come"))
	t.Cleanup(cancel)
	s.ctx = ctx
	var err error
	s.recorder, err = phone.NewRecorder(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	require.NoError(t, err)
	t.Cleanup(s.recorder.Close)
	s.center, err = phone.New(phone.Config{Listen: "udp:127.0.0.1:0", T1: t1, Ring: answer})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.center.Close()) })
	s.caller, err = phone.New(phone.Config{Listen: "udp:127.0.0.1:0", T1: t1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.caller.Close()) })
	return s
}

// serve starts the gateway and waits until it says that it is up.
func serve(t *testing.T) *served {
	s := newServed(t, 0)
	file := writeConfigFor(t, s.dir, "", s)
	serving, end := context.WithCancel(context.Background())
	code := make(chan int, 1)
	go func() { code <- run(serving, []string{"serve", "--drain", "0s", "-c", file}, io.Discard, s.log) }()
	s.stop = sync.OnceValue(func() int { end(); return <-code })
	t.Cleanup(func() { require.Equal(t, exitOK, s.stop()) })
	s.up()
	return s
}

// up waits until the log says where the gateway listens.
func (s *served) up() {
	up := s.log.line(s.ctx, s.t, "consentgw is up")
	require.Len(s.t, up.Trunk, 1)
	s.api, s.trunk = up.API, up.Trunk[0]
}

// answer is a contact center that picks up and stays until the call ends.
func answer(ctx context.Context, r *phone.Ring) {
	line, err := r.Pick(ctx)
	if err != nil {
		return
	}
	line.Speak(make([]int16, 800), true)
	select {
	case <-line.Ended():
	case <-ctx.Done():
	}
	line.Hangup(context.WithoutCancel(ctx))
}

// agrees makes a call that is being recorded when it returns.
func (s *served) agrees(callID string) *phone.Line {
	t := s.t
	line, err := s.caller.Call(s.ctx, phone.Dial{Target: "sip:" + s.trunk[len("udp:"):], Caller: callerNumber, Called: calledNumber, CallID: callID})
	require.NoError(t, err)
	line.Speak(make([]int16, 800), true)
	library, err := prompts.Open(filepath.Join(s.dir, "prompts"))
	require.NoError(t, err)
	notice, err := library.Notice("short", "en")
	require.NoError(t, err)
	require.NoError(t, line.Hears(s.ctx, notice.Prompt(prompts.Ask).PCMU, notice.Prompt(prompts.Ask).PCMA))
	line.Press("1")
	before := len(s.recorder.Agent(0))
	require.NoError(t, s.recorder.Until(s.ctx, func(_, agent []phone.Packet) bool { return len(agent) > before }))
	return line
}

// on asks something of this gateway.
func (s *served) on(args ...string) result { return consentgw(s.t, append(args, "--api", s.api)...) }

// journal collects the log and finds lines in it.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
	news chan struct{}
}

func newJournal() *journal { return &journal{news: make(chan struct{})} }

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.news)
	j.news = make(chan struct{})
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// entry is a line of the log.
type entry struct {
	Msg, API string
	Trunk    []string
}

func (j *journal) line(ctx context.Context, t *testing.T, msg string) entry {
	for {
		j.mu.Lock()
		lines, news := strings.Split(j.text.String(), "\n"), j.news
		j.mu.Unlock()
		for _, l := range lines {
			var e entry
			if json.Unmarshal([]byte(l), &e) == nil && e.Msg == msg {
				return e
			}
		}
		select {
		case <-news:
		case <-ctx.Done():
			require.NoError(t, context.Cause(ctx), "%s in %s", msg, j)
		}
	}
}
