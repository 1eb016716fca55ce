package gateway_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentgw/internal/config"
	"consentgw/internal/phone"

	"github.com/stretchr/testify/require"
)

// rereads lets the gateway be reloaded: next is what it finds then.
func (s *stage) rereads(next *config.Config, findings *config.Findings) {
	s.opt.Reread = func(*config.Config) (*config.Config, config.Findings) { return next, *findings }
}

func TestAReloadIsForTheNextCallAndNotForThoseThatAreUp(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	next, findings := *p.cfg, config.Findings(nil)
	p.rereads(&next, &findings)
	p.dials([]string{calledNumber})
	p.hears([]string{"ask"})
	p.presses([]string{"1"})
	p.picksUp(0)
	p.talk()

	next.Platforms = p.cfg.Platforms
	next.Routes = []config.Route{{Name: "plain", Trunk: "carrier", To: "+3130*", Platform: "center"}}
	next.Policies, next.Recorders = nil, nil
	require.NoError(t, p.gateway.Reload())
	_, err := p.caller.Call(p.ctx, phone.Dial{Target: p.trunkURI(), Caller: callerNumber, Called: calledNumber})
	require.ErrorContains(t, err, "404")
	p.talk()
	p.statusIs([]string{"granted", "on"})
	p.presses([]string{"*9"})
	p.hears([]string{"stopped"})
	p.must(p.phone.Hangup(p.ctx))
	p.finish()
	require.Equal(t, "sales", p.final().Call.Route)
	require.Equal(t, "withdrawn", string(p.final().Outcome))
}

func TestAReloadThatIsWrongChangesNothing(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	next, findings := *p.cfg, config.Findings(nil)
	p.rereads(&next, &findings)
	p.aDesk(0)
	p.start(nil)
	good := *p.cfg
	for name, wrong := range map[string]func(){
		"f.yaml:3:7: error: routes: wrong": func() {
			findings = config.Findings{{File: "f.yaml", Line: 3, Column: 7, Path: "routes", Text: "wrong"}}
		},
		"unknown platform": func() { next.Platforms = nil },
		"prompts":          func() { next.Prompts.Dir = filepath.Join(t.TempDir(), "none") },
		"unknown policy":   func() { next.Policies = nil },
		"never changes":    func() { require.NoError(t, os.WriteFile(p.prompt(t), []byte("Another text.\n"), 0o600)) },
	} {
		next, findings = good, nil
		wrong()
		require.ErrorContains(t, p.gateway.Reload(), name)
		_, metrics := p.request(http.MethodGet, "/metrics")
		require.Contains(t, string(metrics), "consentgw_config_last_reload_successful 0")
		require.Contains(t, p.log.String(), "the old one stays in force")
	}
	p.dials([]string{calledNumber})
	p.hears([]string{"ask"})
	p.presses([]string{"2"})
	p.picksUp(0)
	p.must(p.phone.Hangup(p.ctx))
	p.finish()
}

// prompt is the text of a notice that is in force.
func (s *stage) prompt(t *testing.T) string {
	return filepath.Join(s.cfg.Prompts.Dir, "short", "1", "en", "ask.txt")
}

func TestAReloadTellsWhatIsInForce(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	next, findings := *p.cfg, config.Findings(nil)
	p.rereads(&next, &findings)
	p.aDesk(0)
	p.start(nil)
	hash := func() string {
		_, metrics := p.request(http.MethodGet, "/metrics")
		require.Contains(t, string(metrics), "consentgw_config_last_reload_successful 1")
		for line := range strings.Lines(string(metrics)) {
			if strings.HasPrefix(line, "consentgw_config_hash ") {
				return line
			}
		}
		return ""
	}
	before := hash()
	next = *p.cfg
	require.NoError(t, p.gateway.Reload())
	require.Equal(t, before, hash(), "the same configuration")
	next.Limits.MaxCalls = 7
	require.NoError(t, p.gateway.Reload())
	require.NotEqual(t, before, hash())
}

func TestAReloadReadsCertificatesAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ca := newAuthority(t)
	server := ca.issue(t, "gateway.example")
	s.cfg.Listen.Trunk.SIP = []config.SIPAddr{{Transport: "tls", Addr: s.cfg.Listen.Trunk.SIP[0].Addr}}
	s.cfg.Listen.Trunk.TLS = &config.TLS{Cert: server.cert, Key: server.key, ClientAuth: "none"}
	next, findings := *s.cfg, config.Findings(nil)
	s.rereads(&next, &findings)
	s.desks = []*desk{{}}
	s.start(nil)
	next = *s.cfg
	before := s.shows(t)
	ca.issue(t, "gateway.example") // in the same files
	require.NoError(t, s.gateway.Reload())
	after := s.shows(t)
	require.NotEqual(t, before, after)
	require.NoError(t, os.WriteFile(server.cert, []byte("no certificate"), 0o600))
	require.Error(t, s.gateway.Reload())
	require.Equal(t, after, s.shows(t))
}

// shows is the certificate that the trunk's side shows.
func (s *stage) shows(t *testing.T) string {
	var d tls.Dialer
	d.Config = &tls.Config{InsecureSkipVerify: true}
	conn, err := d.DialContext(s.ctx, "tcp", s.gateway.TrunkAddrs()[0].AddrPort.String())
	require.NoError(t, err)
	defer conn.Close()
	return string(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Signature)
}
