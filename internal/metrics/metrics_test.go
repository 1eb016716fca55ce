package metrics

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// useAll calls every method once or more.
func useAll(s *Set) {
	s.Invite("carrier-a", "200", "")
	s.Invite("", "403", "unknown_trunk")
	s.Silenced()
	s.CallStarted("carrier-a")
	s.CallStarted("carrier-a")
	s.CallEnded("carrier-a", "completed", 61)
	s.Setup(7)
	s.Asked("recording", "nl")
	s.Decided("carrier-a", "nl", "given", 1.2)
	s.Decided("carrier-a", "nl", "refused", -1)
	s.Press("rfc4733")
	s.StoreOp("put", "ok", 0.002)
	s.StoreUp("redis", true)
	s.Spool(3)
	s.Forked("archive", 100, 2)
	s.Blocked("no_permit", 40)
	s.Violations(0)
	s.GateOpened()
	s.GateOpened()
	s.GateShut()
	s.RTP("trunk", "in", 50)
	s.RTPDropped("trunk", "foreign_source", 1)
	s.Ports("trunk", 2, 1, 97)
	s.Target("contact-center", "sip:127.0.0.1:5090", false)
	s.Failover("contact-center", "timeout")
	s.Draining(true)
	s.ForgetTargets()
	s.Target("contact-center", "sip:127.0.0.1:5090", false)
	s.Configured(1<<48-1, time.UnixMilli(1_500))
	s.Reloaded(true)
	s.Reloaded(false)
}

// scrape returns the sample lines of the gateway's own metrics.
func scrape(t *testing.T, s *Set) []string {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	var lines []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "consentgw_") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestEveryMetricPassesThePrometheusLinter(t *testing.T) {
	s := New("1.2.3")
	useAll(s)
	problems, err := testutil.GatherAndLint(s.registry)
	require.NoError(t, err)
	assert.Empty(t, problems)
}

func TestEveryMethodIsSeenUnderItsName(t *testing.T) {
	s := New("1.2.3")
	useAll(s)
	lines := scrape(t, s)
	for _, want := range []string{
		`consentgw_build_info{version="1.2.3"} 1`,
		`consentgw_config_hash 2.81474976710655e+14`,
		`consentgw_config_last_reload_success_timestamp_seconds 1.5`,
		`consentgw_config_last_reload_successful 0`,
		`consentgw_config_reloads_total{result="ok"} 1`,
		`consentgw_config_reloads_total{result="refused"} 1`,
		`consentgw_invites_total{code="200",reason="none",trunk="carrier-a"} 1`,
		`consentgw_invites_total{code="403",reason="unknown_trunk",trunk="none"} 1`,
		`consentgw_calls_active{trunk="carrier-a"} 1`,
		`consentgw_calls_total{result="completed",trunk="carrier-a"} 1`,
		`consentgw_call_duration_seconds_sum 61`,
		`consentgw_call_setup_seconds_sum 7`,
		`consentgw_consent_prompts_total{lang="nl",notice="recording"} 1`,
		`consentgw_consent_decisions_total{lang="nl",outcome="given",trunk="carrier-a"} 1`,
		`consentgw_consent_decisions_total{lang="nl",outcome="refused",trunk="carrier-a"} 1`,
		`consentgw_consent_decision_seconds_sum 1.2`,
		`consentgw_consent_decision_seconds_count 1`,
		`consentgw_dtmf_events_total{method="rfc4733"} 1`,
		`consentgw_store_op_seconds_count{op="put",result="ok"} 1`,
		`consentgw_store_up{store="redis"} 1`,
		`consentgw_store_spool_depth 3`,
		`consentgw_fork_packets_total{recorder="archive"} 100`,
		`consentgw_fork_lost_packets_total{recorder="archive"} 2`,
		`consentgw_fork_blocked_packets_total{reason="no_permit"} 40`,
		`consentgw_fork_violations_total 0`,
		`consentgw_gate_state{state="open"} 1`,
		`consentgw_rtp_packets_total{dir="in",leg="trunk"} 50`,
		`consentgw_rtp_dropped_packets_total{leg="trunk",reason="foreign_source"} 1`,
		`consentgw_rtp_ports{side="trunk",state="used"} 2`,
		`consentgw_rtp_ports{side="trunk",state="resting"} 1`,
		`consentgw_rtp_ports{side="trunk",state="free"} 97`,
		`consentgw_target_up{platform="contact-center",target="sip:127.0.0.1:5090"} 0`,
		`consentgw_target_failovers_total{platform="contact-center",reason="timeout"} 1`,
		`consentgw_draining 1`,
	} {
		assert.Contains(t, lines, want)
	}
}

func TestAFreshGatewayAlreadyShowsWhatAlertsWatch(t *testing.T) {
	lines := scrape(t, New("dev"))
	assert.Contains(t, lines, `consentgw_fork_violations_total 0`)
	assert.Contains(t, lines, `consentgw_gate_state{state="open"} 0`)
	assert.Contains(t, lines, `consentgw_store_spool_depth 0`)
	assert.Contains(t, lines, `consentgw_draining 0`)
}

func TestAViolationIsCounted(t *testing.T) {
	s := New("dev")
	s.Violations(3)
	assert.Contains(t, scrape(t, s), `consentgw_fork_violations_total 3`)
}

func TestABadLabelNeitherPanicsNorMakesASeriesOfItsOwn(t *testing.T) {
	s := New("dev")
	assert.NotPanics(t, func() {
		s.Press("\xff\xfe")
		s.Press(strings.Repeat("x", maxLabel+1))
		s.Press("rfc4733\n")
	})
	assert.Contains(t, scrape(t, s), `consentgw_dtmf_events_total{method="invalid"} 3`)
}

func TestATimeThatIsNoDurationIsNotObserved(t *testing.T) {
	s := New("dev")
	for _, seconds := range []float64{-0.1, math.NaN(), math.Inf(1)} {
		s.Setup(seconds)
	}
	assert.Contains(t, scrape(t, s), `consentgw_call_setup_seconds_count 0`)
}

func TestTwoGatewaysInOneProcessCountForThemselves(t *testing.T) {
	a, b := New("dev"), New("dev")
	a.Violations(1)
	assert.Contains(t, scrape(t, a), `consentgw_fork_violations_total 1`)
	assert.Contains(t, scrape(t, b), `consentgw_fork_violations_total 0`)
}

func TestManyGoroutinesLoseNoCount(t *testing.T) {
	s := New("dev")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				s.CallStarted("carrier-a")
				s.Forked("archive", 2, 1)
				s.CallEnded("carrier-a", "completed", 1)
			}
		})
	}
	wg.Wait()
	lines := scrape(t, s)
	assert.Contains(t, lines, `consentgw_calls_active{trunk="carrier-a"} 0`)
	assert.Contains(t, lines, `consentgw_calls_total{result="completed",trunk="carrier-a"} 800`)
	assert.Contains(t, lines, `consentgw_fork_packets_total{recorder="archive"} 1600`)
}

func BenchmarkForked(b *testing.B) {
	s := New("dev")
	b.ReportAllocs()
	for b.Loop() {
		s.Forked("archive", 1, 0)
	}
}
