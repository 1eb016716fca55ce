package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"consentgw/internal/config"

	"github.com/stretchr/testify/require"
)

// targetIs waits until the metrics say so of the only target.
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

func TestACallIsRefusedAtOnceWhileNoTargetIsUp(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	p.cfg.Platforms[0].Options = config.OptionsPing{Every: 100 * time.Millisecond, DownAfter: 2, UpAfter: 1}
	p.aDesk(0).silent = true
	p.start(nil)
	p.targetIs("0")
	p.dials([]string{calledNumber})
	p.isRefused([]string{"480"})
}

func TestATargetThatAnswersOptionsIsUp(t *testing.T) {
	t.Parallel()
	p := &actor{stage: newStage(t)}
	t.Cleanup(p.leave)
	p.cfg.Platforms[0].Options = config.OptionsPing{Every: 100 * time.Millisecond, DownAfter: 1, UpAfter: 1}
	p.aDesk(0)
	p.start(nil)
	p.targetIs("1")
	p.dials([]string{calledNumber})
	require.NotNil(t, p.phone)
}
