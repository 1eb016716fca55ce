package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type configMetrics struct {
	reloads    *prometheus.CounterVec
	successful prometheus.Gauge
	at         prometheus.Gauge
	hash       prometheus.Gauge
}

func newConfigMetrics(f factory) configMetrics {
	return configMetrics{
		reloads:    f.counterVec("config_reloads_total", "Reloads of the configuration, by how they ended.", "result"),
		successful: f.gauge("config_last_reload_successful", "1 if the last reload, or the start, put its configuration in force."),
		at:         f.gauge("config_last_reload_success_timestamp_seconds", "When the configuration in force was put there, in Unix time."),
		hash: f.gauge("config_hash",
			"A number that is the same where the configurations in force are the same but for their passwords."),
	}
}

// Configured says that a configuration is in force since a time. hash is the
// first 48 bits of a hash of it, which a float64 holds exactly.
func (s *Set) Configured(hash uint64, at time.Time) {
	s.config.successful.Set(1)
	s.config.at.Set(float64(at.UnixMilli()) / 1000)
	s.config.hash.Set(float64(hash))
}

// Reloaded counts a reload. One that failed left the configuration as it was.
func (s *Set) Reloaded(ok bool) {
	result := "ok"
	if !ok {
		result = "refused"
	}
	s.config.reloads.WithLabelValues(result).Inc()
	s.config.successful.Set(number(ok))
}
