// Package demo plays the whole story on loopback with no other software: it
// starts the gateway on the embedded store, a caller, a contact center and a
// recorder, makes three real calls over real SIP and RTP, draws each as a
// ladder and holds every packet against the law.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"consentgw/internal/config"
	"consentgw/internal/gateway"
	"consentgw/internal/phone"
	"consentgw/prompts"
)

// Options of a demonstration.
type Options struct {
	Dir  string // where the store and the WAV files go; created
	Out  io.Writer
	Log  *slog.Logger
	Stay bool // keep running until ctx ends, and say how to call it
}

// ErrBroken says that a law of the house did not hold.
var ErrBroken = errors.New("a law was broken")

// stage is everything that a demonstration has running.
type stage struct {
	Options
	gateway  *gateway.Gateway
	center   *center
	recorder *phone.Recorder
	notice   *prompts.Notice
}

// Run plays the three calls. It returns ErrBroken, with the findings, if any law
// did not hold.
func Run(ctx context.Context, opt Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s, err := newStage(opt)
	if err != nil {
		return err
	}
	defer s.recorder.Close()
	defer s.center.phone.Close()
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		err := s.gateway.Serve(serving)
		served <- err
		cancel(fmt.Errorf("gateway ended: %w", errors.Join(err, context.Canceled)))
	}()
	s.introduce()
	broken := s.play(ctx)
	if opt.Stay && ctx.Err() == nil {
		s.invite()
		<-ctx.Done()
	}
	stop()
	if err := <-served; err != nil {
		return err
	}
	if len(broken) > 0 {
		return fmt.Errorf("%w: %w", ErrBroken, errors.Join(broken...))
	}
	fmt.Fprintln(opt.Out, "Every law held.")
	return nil
}

func newStage(opt Options) (*stage, error) {
	if err := os.MkdirAll(opt.Dir, 0o755); err != nil {
		return nil, err
	}
	library, err := prompts.Open("")
	if err != nil {
		return nil, err
	}
	notice, err := library.Notice("recording", "en")
	if err != nil {
		return nil, err
	}
	recorder, err := phone.NewRecorder(loopback)
	if err != nil {
		return nil, err
	}
	center, err := newCenter(opt.Log)
	if err != nil {
		recorder.Close()
		return nil, err
	}
	data, err := os.MkdirTemp(opt.Dir, "store-")
	if err != nil {
		return nil, err
	}
	cfg := configuration(data, center.phone.URI(), recorder)
	g, err := gateway.Listen(cfg, gateway.Options{Version: "demo", Log: opt.Log, Drain: time.Second})
	if err != nil {
		recorder.Close()
		center.phone.Close()
		return nil, err
	}
	return &stage{Options: opt, gateway: g, center: center, recorder: recorder, notice: notice}, nil
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// configuration is that of a small gateway on ports that the system chooses.
func configuration(data, target string, recorder *phone.Recorder) *config.Config {
	free := netip.AddrPortFrom(loopback, 0)
	side := func(transports ...string) config.Side {
		s := config.Side{Media: loopback}
		for _, t := range transports {
			s.SIP = append(s.SIP, config.SIPAddr{Transport: t, Addr: free})
		}
		return s
	}
	return &config.Config{
		Node:   config.Node{ID: "demo", Data: data},
		Listen: config.Listen{Trunk: side("udp", "tcp"), Platform: side("udp"), Recorder: side(), API: free.String()},
		Trunks: []config.Trunk{{Name: "carrier", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}},
		Platforms: []config.Platform{{Name: "contact-center", AnswerTimeout: 20 * time.Second,
			Targets: []config.Target{{URI: target, Priority: 1, Weight: 1}}}},
		Recorders: []config.Recorder{{Name: "archive", Type: "rtp", Caller: recorder.CallerAddr(), Agent: recorder.AgentAddr()}},
		Policies: []config.Policy{{Name: "ask", Jurisdiction: "NL", Basis: "consent", Purposes: []string{"quality"},
			Controller: config.Controller{Name: "Example B.V.", Contact: "privacy@example.com", Address: "Kade 1, Utrecht", Country: "NL"},
			Notice:     "recording", Language: "en", Keys: config.Keys{Yes: "1", No: "2", Repeat: "0", Withdraw: "*9"},
			AnswerTimeout: 6 * time.Second, Retries: 1, Retention: config.Retention{Record: "P7Y", Recording: "P90D"}}},
		Routes: []config.Route{{Name: "sales", Trunk: "carrier", To: "*", Platform: "contact-center", Policy: "ask", Recorders: []string{"archive"}}},
	}
}

func (s *stage) introduce() {
	fmt.Fprintf(s.Out, `consentgw demonstration: three real calls over loopback, real SIP and RTP.
  gateway         %s (trunk side), API http://%s
  contact center  %s
  recorder        %s (caller), %s (agent)
The notice is heard in full before a yes counts, so this takes some 25 seconds.

`, s.trunkURI(), s.gateway.APIAddr(), s.center.phone.URI(), s.recorder.CallerAddr(), s.recorder.AgentAddr())
}

func (s *stage) trunkURI() string {
	a := s.gateway.TrunkAddrs()[0]
	return fmt.Sprintf("sip:%s;transport=%s", a.AddrPort, a.Transport)
}

func (s *stage) invite() {
	a := s.gateway.TrunkAddrs()[0].AddrPort
	fmt.Fprintf(s.Out, `
The gateway stays up. Call it with a softphone on this machine (G.711, no registration):
  baresip -e '/dial sip:+31205550123@%s'
Press 1 to agree, 2 to refuse, *9 to stop the recording. Then look:
  curl http://%s/v1/consents
  curl http://%s/v1/calls
Ctrl-C ends it.
`, a, s.gateway.APIAddr(), s.gateway.APIAddr())
}

// play makes the three calls side by side, a little apart, and returns what was
// found against the law.
func (s *stage) play(ctx context.Context) []error {
	scenes := scenes()
	results := make([]*scene, len(scenes))
	var wg sync.WaitGroup
	for i := range scenes {
		results[i] = &scenes[i]
		wg.Go(func() {
			select {
			case <-time.After(time.Duration(i) * 400 * time.Millisecond):
			case <-ctx.Done():
				return
			}
			results[i].act(ctx, s)
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return []error{context.Cause(ctx)}
	}
	var broken []error
	for i, sc := range results {
		findings := sc.review(ctx, s)
		sc.draw(s.Out, i+1, len(results), findings)
		if err := sc.save(filepath.Join(s.Dir, sc.file), s.recorder); err != nil {
			findings = append(findings, err)
		}
		broken = append(broken, findings...)
	}
	return append(broken, s.strangers(results)...)
}
