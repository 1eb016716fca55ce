package demo

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"consentgw/internal/api/client"
	"consentgw/internal/config"
	"consentgw/internal/gateway"
	"consentgw/prompts"
)

// stage is everything that a demonstration has running.
type stage struct {
	Options
	data     string // of the gateway; removed at the end
	gateway  *gateway.Gateway
	center   *center
	recorder *archive
	notice   *prompts.Notice
	begun    time.Time
	telling  sync.Mutex // the scenes write to Out side by side
}

// open starts everything but the calls. Whatever it returns, clear must follow.
func (s *stage) open() error {
	library, err := prompts.Open("")
	if err != nil {
		return err
	}
	if s.notice, err = library.Notice("recording", "en"); err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return err
	}
	if s.data, err = os.MkdirTemp(s.Dir, "store-"); err != nil {
		return err
	}
	if s.recorder, err = newArchive(s.Log); err != nil {
		return err
	}
	if s.center, err = newCenter(s.Log); err != nil {
		return err
	}
	cfg := configuration(s.data, s.center.phone.URI(), s.recorder.URI())
	s.gateway, err = gateway.Listen(cfg, gateway.Options{Version: "demo", Log: s.Log, Drain: time.Second})
	return err
}

// clear ends what open started, besides the gateway, which ends itself.
func (s *stage) clear() error {
	var problems []error
	if s.center != nil {
		problems = append(problems, s.center.phone.Close())
	}
	if s.recorder != nil {
		problems = append(problems, s.recorder.Close())
	}
	if s.data != "" {
		problems = append(problems, os.RemoveAll(s.data))
	}
	return errors.Join(problems...)
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// configuration is that of a small gateway on ports that the system chooses.
func configuration(data, target, recorder string) *config.Config {
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
		Listen: config.Listen{Trunk: side("udp", "tcp"), Platform: side("udp"), Recorder: side("tcp"), API: free.String()},
		Trunks: []config.Trunk{{Name: "carrier", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}},
		Platforms: []config.Platform{{Name: "contact-center", Destination: config.Destination{AnswerTimeout: 20 * time.Second,
			Targets: []config.Target{{URI: target, Priority: 1, Weight: 1}}}}},
		Recorders: []config.Recorder{{Name: "archive", Type: "siprec", URI: recorder}},
		Policies: []config.Policy{{Name: "ask", Jurisdiction: "NL", Basis: "consent", Purposes: []string{"quality"},
			Controller: config.Controller{Name: "Example B.V.", Contact: "privacy@example.com", Address: "Kade 1, Utrecht", Country: "NL"},
			Notice:     "recording", Language: "en", Keys: config.Keys{Yes: "1", No: "2", Repeat: "0", Withdraw: "*9"},
			AnswerTimeout: 6 * time.Second, Retries: 1, Retention: config.Retention{Record: "P7Y", Recording: "P90D"}}},
		Routes: []config.Route{{Name: "sales", Trunk: "carrier", To: "*", Platform: "contact-center", Policy: "ask", Recorders: []string{"archive"}}},
	}
}

func (s *stage) trunkURI() string {
	a := s.gateway.TrunkAddrs()[0]
	return fmt.Sprintf("sip:%s;transport=%s", a.AddrPort, a.Transport)
}

// api is what a contact center asks during a call and a compliance officer
// after it.
func (s *stage) api() *client.Client { return client.New(s.gateway.APIAddr().String()) }

// tell says at once what happens in a call.
func (s *stage) tell(format string, args ...any) {
	s.telling.Lock()
	defer s.telling.Unlock()
	fmt.Fprintf(s.Out, "  %4.1f s  %s\n", time.Since(s.begun).Seconds(), fmt.Sprintf(format, args...))
}
