package metrics

import "github.com/prometheus/client_golang/prometheus"

type askingMetrics struct {
	asked     *prometheus.CounterVec
	decisions *prometheus.CounterVec
	waiting   prometheus.Histogram
	presses   *prometheus.CounterVec
}

func newAskingMetrics(f factory) askingMetrics {
	return askingMetrics{
		asked:     f.counterVec("consent_prompts_total", "Notices begun, repetitions included.", "notice", "lang"),
		decisions: f.counterVec("consent_decisions_total", "Decisions by outcome.", "trunk", "lang", "outcome"),
		waiting: f.histogram("consent_decision_seconds", "From the end of the notice to the decision.",
			[]float64{0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 30}),
		presses: f.counterVec("dtmf_events_total", "Key presses, each counted once, by how they came.", "method"),
	}
}

// Asked counts one playing of a notice, by its id and language tag.
func (s *Set) Asked(notice, lang string) {
	s.asking.asked.WithLabelValues(label(notice), label(lang)).Inc()
}

// Decided counts a decision. outcome is a consent.Outcome; seconds is the time
// since the end of the notice, negative if the notice did not end before.
func (s *Set) Decided(trunk, lang, outcome string, seconds float64) {
	s.asking.decisions.WithLabelValues(label(trunk), label(lang), label(outcome)).Inc()
	observe(s.asking.waiting, seconds)
}

// Press counts a key press by its method: "rfc4733", "sip-info", "inband".
// Which key it was is nobody's business here.
func (s *Set) Press(method string) { s.asking.presses.WithLabelValues(label(method)).Inc() }

type storeMetrics struct {
	ops   *prometheus.HistogramVec
	up    *prometheus.GaugeVec
	spool prometheus.Gauge
}

func newStoreMetrics(f factory) storeMetrics {
	return storeMetrics{
		ops: f.histogramVec("store_op_seconds", "Time of store operations by result.",
			[]float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}, "op", "result"),
		up:    f.gaugeVec("store_up", "1 if the store answers.", "store"),
		spool: f.gauge("store_spool_depth", "Records kept on this node until the store takes them."),
	}
}

// StoreOp observes one operation of the store. op and result are from fixed
// lists, such as "put" and "ok".
func (s *Set) StoreOp(op, result string, seconds float64) {
	observe(s.store.ops.WithLabelValues(label(op), label(result)), seconds)
}

// StoreUp says whether the store answers: "redis" or "embedded".
func (s *Set) StoreUp(store string, up bool) {
	s.store.up.WithLabelValues(label(store)).Set(number(up))
}

// Spool says how many records wait for the store.
func (s *Set) Spool(depth int) { s.store.spool.Set(float64(depth)) }
