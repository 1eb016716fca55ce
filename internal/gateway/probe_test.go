package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"consentgw/internal/config"

	"github.com/stretchr/testify/require"
)

// targetIs waits until the metrics say so of the first target.
func (p *actor) targetIs(up string) {
	for {
		_, body := p.request(http.MethodGet, "/metrics")
		for line := range strings.Lines(string(body)) {
			if strings.HasPrefix(line, "consentgw_target_up{") && strings.HasSuffix(strings.TrimSpace(line), " "+up) {
				return
			}
		}
		p.pause(20 * time.Millisecond)
	}
}

// degraded is what /readyz says is missing, while it says ready.
func (p *actor) degraded() []string {
	code, body := p.request(http.MethodGet, "/readyz")
	require.Equal(p.t, http.StatusOK, code)
	var got struct{ Degraded []string }
	require.NoError(p.t, json.Unmarshal(body, &got))
	return got.Degraded
}

// probed is a stage whose targets are probed.
func probed(t *testing.T, o config.OptionsPing) *actor {
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	o.Every = 100 * time.Millisecond
	p.cfg.Platforms[0].Options = o
	return p
}

func TestACallIsRefusedAtOnceWhileNoTargetIsUp(t *testing.T) {
	t.Parallel()
	p := probed(t, config.OptionsPing{DownAfter: 1, UpAfter: 1})
	p.aDesk(0).silent = true
	p.start(nil)
	p.targetIs("0")
	require.Equal(t, []string{"platform center"}, p.degraded())
	p.dials([]string{calledNumber})
	p.isRefused([]string{"480"})
}

func TestATargetThatComesBackGetsCallsAgain(t *testing.T) {
	t.Parallel()
	p := probed(t, config.OptionsPing{DownAfter: 3, UpAfter: 1})
	p.aDesk(0).options.Store(503)
	p.start(nil)
	p.targetIs("0")
	p.desks[0].options.Store(200)
	p.targetIs("1")
	require.Empty(t, p.degraded())
	p.dials([]string{"+31305550123"})
	p.picksUp(0)
	p.talk()
}

func TestATargetThatIsDownIsNotCalledWhileAnotherIsUp(t *testing.T) {
	t.Parallel()
	p := probed(t, config.OptionsPing{DownAfter: 3, UpAfter: 1})
	p.aDesk(0).options.Store(503)
	p.aDesk(1)
	p.start(nil)
	p.targetIs("0")
	require.Equal(t, []string{"target " + p.desks[0].uri()}, p.degraded())
	p.dials([]string{"+31305550123"})
	p.picksUp(1)
	p.talk()
}

// A target need not know OPTIONS: any answer is a sign of life, unless the
// configuration says that it is none.
func TestAnAnswerToOptionsIsASignOfLifeUnlessConfiguredOtherwise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		code   int32
		downOn []string
		up     string
	}{
		{"method not allowed", 405, nil, "1"},
		{"not found", 404, nil, "1"},
		{"not implemented", 501, nil, "1"},
		{"out of service", 503, nil, "0"},
		{"a server error, if configured", 500, []string{"408", "5xx"}, "0"},
		{"out of service, if configured to mean nothing", 503, []string{"408"}, "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := probed(t, config.OptionsPing{DownAfter: 1, UpAfter: 1, DownOn: c.downOn})
			d := p.aDesk(0)
			d.options.Store(c.code)
			p.start(nil)
			for d.asked.Load() < 3 {
				p.pause(20 * time.Millisecond)
			}
			p.targetIs(c.up)
		})
	}
}

func TestAReloadChangesWhoIsProbed(t *testing.T) {
	t.Parallel()
	p := probed(t, config.OptionsPing{DownAfter: 1, UpAfter: 1})
	next, findings := *p.cfg, config.Findings(nil)
	p.rereads(&next, &findings)
	p.aDesk(0).options.Store(503)
	p.start(nil)
	p.targetIs("0")
	next = *p.cfg
	next.Platforms = slices.Clone(next.Platforms)
	next.Platforms[0].Options.Every = 0
	require.NoError(t, p.gateway.Reload())
	p.targetIs("1")
	p.dials([]string{"+31305550123"})
	p.picksUp(0)
}

// The targets of a trunk are where outbound calls go: they are watched like those
// of a platform.
func TestTheTargetsOfATrunkAreProbedAsWell(t *testing.T) {
	t.Parallel()
	p := probed(t, config.OptionsPing{DownAfter: 1, UpAfter: 1})
	p.cfg.Platforms[0].Options.Every = 0
	p.cfg.Trunks[0].Options = config.OptionsPing{Every: 100 * time.Millisecond, DownAfter: 1, UpAfter: 1}
	p.aDesk(0)
	p.home(0).options.Store(503)
	p.start(nil)
	down := []string{"trunk carrier"}
	for !slices.Equal(p.degraded(), down) {
		p.pause(20 * time.Millisecond)
	}
	_, body := p.request(http.MethodGet, "/metrics")
	require.Contains(t, string(body), fmt.Sprintf("consentgw_target_up{platform=\"carrier\",target=%q} 0", p.homes[0].uri()))
	p.agentDials([]string{homeNumber})
	p.isRefused([]string{"480"})
	p.homes[0].options.Store(200)
	for len(p.degraded()) > 0 {
		p.pause(20 * time.Millisecond)
	}
	p.agentDials([]string{homeNumber})
	p.calleeAnswers(0)
}
