package metrics

import "github.com/prometheus/client_golang/prometheus"

type callMetrics struct {
	invites  *prometheus.CounterVec
	active   *prometheus.GaugeVec
	ended    *prometheus.CounterVec
	duration prometheus.Histogram
	setup    prometheus.Histogram
	silenced prometheus.Counter
}

func newCallMetrics(f factory) callMetrics {
	return callMetrics{
		invites: f.counterVec("invites_total",
			"INVITEs of new calls by the final SIP status they were given and why.", "trunk", "code", "reason"),
		active: f.gaugeVec("calls_active", "Calls admitted and not yet ended.", "trunk"),
		ended:  f.counterVec("calls_total", "Calls ended, by how.", "trunk", "result"),
		duration: f.histogram("call_duration_seconds", "From the INVITE of a call to its end.",
			[]float64{1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200}),
		silenced: f.counter("requests_ignored_total",
			"Requests and connections of senders that no trunk knows, left without an answer after limits.drop_after refusals."),
		setup: f.histogram("call_setup_seconds",
			"From the INVITE of a call to the platform's answer; the notice and the question are part of it.",
			[]float64{0.5, 1, 2, 4, 6, 8, 10, 12, 15, 20, 25, 30, 45, 60, 120}),
	}
}

// Invite counts the INVITE of a new call by the final status it was given,
// such as "200" or "403". trunk is empty if no trunk matched; reason is from a
// fixed list, empty if there is nothing to explain.
func (s *Set) Invite(trunk, code, reason string) {
	s.calls.invites.WithLabelValues(label(trunk), label(code), label(reason)).Inc()
}

// Silenced counts a request that got no answer.
func (s *Set) Silenced() { s.calls.silenced.Inc() }

// CallStarted counts a call as live. CallEnded must follow.
func (s *Set) CallStarted(trunk string) { s.calls.active.WithLabelValues(label(trunk)).Inc() }

// CallEnded ends what CallStarted began. result is from a fixed list; seconds
// is the time since the INVITE.
func (s *Set) CallEnded(trunk, result string, seconds float64) {
	s.calls.active.WithLabelValues(label(trunk)).Dec()
	s.calls.ended.WithLabelValues(label(trunk), label(result)).Inc()
	observe(s.calls.duration, seconds)
}

// Setup observes the seconds from an INVITE to the platform's answer.
func (s *Set) Setup(seconds float64) { observe(s.calls.setup, seconds) }

type targetMetrics struct {
	up        *prometheus.GaugeVec
	failovers *prometheus.CounterVec
}

func newTargetMetrics(f factory) targetMetrics {
	return targetMetrics{
		up: f.gaugeVec("target_up", "1 if a platform target answers, 0 if calls go elsewhere.", "platform", "target"),
		failovers: f.counterVec("target_failovers_total",
			"Calls sent on to the next target of a platform, by why.", "platform", "reason"),
	}
}

// Target says whether calls may be sent to a target; platform and target are
// named as in the configuration.
func (s *Set) Target(platform, target string, up bool) {
	s.targets.up.WithLabelValues(label(platform), label(target)).Set(number(up))
}

// ForgetTargets drops what was said of all targets: a new configuration may have
// others.
func (s *Set) ForgetTargets() { s.targets.up.Reset() }

// Failover counts one call sent on to the next target, because of a reason
// from a fixed list.
func (s *Set) Failover(platform, reason string) {
	s.targets.failovers.WithLabelValues(label(platform), label(reason)).Inc()
}
