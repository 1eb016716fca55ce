// Package metrics counts what the gateway does, for Prometheus. It is the only
// importer of the client library, has a registry of its own and no global state.
//
// A label value comes from the configuration or from a fixed list, never from
// signalling: a caller's number, name, key or Call-ID would be personal data on
// a dashboard and a series for every call (design 2, L8).
package metrics

import (
	"math"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const namespace = "consentgw"

// maxLabel bounds a label value, in bytes.
const maxLabel = 128

// Set is every metric of one gateway. Its methods are safe for concurrent use
// and cost a map look-up and an atomic addition; none of them blocks.
type Set struct {
	registry *prometheus.Registry
	calls    callMetrics
	asking   askingMetrics
	store    storeMetrics
	tap      tapMetrics
	media    mediaMetrics
	targets  targetMetrics
	config   configMetrics
	draining prometheus.Gauge
}

// New registers all metrics; version is what consentgw_build_info says. A
// metric without labels is exported with 0 from the start, so that an alert on
// it can tell "never happened" from "not measured".
func New(version string) *Set {
	r := prometheus.NewRegistry()
	f := factory{r}
	s := &Set{
		registry: r,
		calls:    newCallMetrics(f),
		asking:   newAskingMetrics(f),
		store:    newStoreMetrics(f),
		tap:      newTapMetrics(f),
		media:    newMediaMetrics(f),
		targets:  newTargetMetrics(f),
		config:   newConfigMetrics(f),
		draining: f.gauge("draining", "1 while the gateway takes no new calls and waits for the others to end."),
	}
	f.gaugeVec("build_info", "The running version; always 1.", "version").WithLabelValues(label(version)).Set(1)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s
}

// Handler serves the metrics in the text and OpenMetrics formats.
func (s *Set) Handler() http.Handler {
	return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError,
		Registry:            s.registry,
		MaxRequestsInFlight: 8,
	})
}

// Draining says whether the gateway refuses new calls.
func (s *Set) Draining(on bool) { s.draining.Set(number(on)) }

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// label makes v fit for a label: the client library panics on invalid UTF-8,
// and an empty value would be the same as no label at all.
func label(v string) string {
	switch {
	case v == "":
		return "none"
	case len(v) > maxLabel || !utf8.ValidString(v) || strings.ContainsFunc(v, control):
		return "invalid"
	}
	return v
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// observe leaves out what is not a duration: a negative value means that the
// beginning was never seen, or that the clock was set.
func observe(o prometheus.Observer, seconds float64) {
	if seconds >= 0 && !math.IsInf(seconds, 1) {
		o.Observe(seconds)
	}
}

// factory makes metrics and registers them. Names are constants of this
// package, so a name taken twice is a mistake that the first test shows.
type factory struct{ registry *prometheus.Registry }

func (f factory) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	f.registry.MustRegister(c)
	return c
}

func (f factory) counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	f.registry.MustRegister(c)
	return c
}

func (f factory) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	f.registry.MustRegister(g)
	return g
}

func (f factory) gaugeVec(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	f.registry.MustRegister(g)
	return g
}

func (f factory) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
	})
	f.registry.MustRegister(h)
	return h
}

func (f factory) histogramVec(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
	}, labels)
	f.registry.MustRegister(h)
	return h
}
