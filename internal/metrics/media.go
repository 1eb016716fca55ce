package metrics

import "github.com/prometheus/client_golang/prometheus"

type tapMetrics struct {
	sent       *prometheus.CounterVec
	lost       *prometheus.CounterVec
	blocked    *prometheus.CounterVec
	violations prometheus.Counter
	open       prometheus.Gauge
}

func newTapMetrics(f factory) tapMetrics {
	states := f.gaugeVec("gate_state", "Gates by state.", "state")
	return tapMetrics{
		sent: f.counterVec("fork_packets_total", "Packets copied to a recorder under a stored consent.", "recorder"),
		lost: f.counterVec("fork_lost_packets_total",
			"Packets permitted for a recorder that the network did not take.", "recorder"),
		blocked: f.counterVec("fork_blocked_packets_total", "Packets that a gate kept from a recorder.", "reason"),
		violations: f.counter("fork_violations_total",
			"Packets that reached a recorder without a stored consent in force. Must stay 0: alert on any increase."),
		open: states.WithLabelValues("open"),
	}
}

// Forked adds the packets handed to the network for a recorder, and those that
// the network did not take.
func (s *Set) Forked(recorder string, sent, lost uint64) {
	s.tap.sent.WithLabelValues(label(recorder)).Add(float64(sent))
	s.tap.lost.WithLabelValues(label(recorder)).Add(float64(lost))
}

// Blocked adds n packets that a gate kept back, because of a reason from a
// fixed list.
func (s *Set) Blocked(reason string, n uint64) {
	s.tap.blocked.WithLabelValues(label(reason)).Add(float64(n))
}

// Violations adds n packets that were recorded against the law.
func (s *Set) Violations(n uint64) { s.tap.violations.Add(float64(n)) }

// GateOpened counts a gate as open. GateShut must follow.
func (s *Set) GateOpened() { s.tap.open.Inc() }

// GateShut ends what GateOpened began.
func (s *Set) GateShut() { s.tap.open.Dec() }

type mediaMetrics struct {
	packets *prometheus.CounterVec
	dropped *prometheus.CounterVec
	ports   *prometheus.GaugeVec
	quality qualityMetrics
}

type qualityMetrics struct{ loss, jitter, trip, mos *prometheus.HistogramVec }

func newMediaMetrics(f factory) mediaMetrics {
	return mediaMetrics{
		packets: f.counterVec("rtp_packets_total", "RTP packets received and sent.", "leg", "dir"),
		dropped: f.counterVec("rtp_dropped_packets_total", "Datagrams received and not used, by why.", "leg", "reason"),
		ports:   f.gaugeVec("rtp_ports", "RTP port pairs by state.", "side", "state"),
		quality: qualityMetrics{
			loss: f.histogramVec("rtp_loss_ratio", "Share of packets of a leg that never came, a call each.",
				[]float64{0, .001, .005, .01, .02, .05, .1, .2}, "leg"),
			jitter: f.histogramVec("rtp_jitter_seconds", "Jitter of a leg at the end of a call (RFC 3550).",
				[]float64{.001, .002, .005, .01, .02, .03, .05, .1}, "leg"),
			trip: f.histogramVec("rtp_round_trip_seconds", "Last round trip of a leg by RTCP, of calls where it was measured.",
				[]float64{.005, .01, .02, .05, .1, .2, .3, .5, 1}, "leg"),
			mos: f.histogramVec("rtp_mos", "Mean opinion score of a leg, a call each, estimated from received RTP (ITU-T G.107).",
				[]float64{1, 2, 2.6, 3.1, 3.6, 4, 4.3, 4.5}, "leg"),
		},
	}
}

// RTP adds packets of a leg ("trunk", "platform") in a direction ("in", "out").
func (s *Set) RTP(leg, dir string, packets uint64) {
	s.media.packets.WithLabelValues(label(leg), label(dir)).Add(float64(packets))
}

// RTPDropped adds datagrams that came on a leg's port and were not used,
// because of a reason from a fixed list.
func (s *Set) RTPDropped(leg, reason string, packets uint64) {
	s.media.dropped.WithLabelValues(label(leg), label(reason)).Add(float64(packets))
}

// Quality adds how well one leg of a call was heard. A round trip of 0 was not
// measured.
func (s *Set) Quality(leg string, loss, jitter, roundTrip, mos float64) {
	q, leg := s.media.quality, label(leg)
	observe(q.loss.WithLabelValues(leg), loss)
	observe(q.jitter.WithLabelValues(leg), jitter)
	observe(q.mos.WithLabelValues(leg), mos)
	if roundTrip > 0 {
		observe(q.trip.WithLabelValues(leg), roundTrip)
	}
}

// Ports says how many port pairs of a side ("trunk", "platform", "recorder")
// are in use, resting after use, and free.
func (s *Set) Ports(side string, used, resting, free int) {
	side = label(side)
	s.media.ports.WithLabelValues(side, "used").Set(float64(used))
	s.media.ports.WithLabelValues(side, "resting").Set(float64(resting))
	s.media.ports.WithLabelValues(side, "free").Set(float64(free))
}
