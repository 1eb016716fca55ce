package media

import "time"

// Quality is how well one far end was heard, by what arrived, and what it says
// about us by RTCP. It is as of now, or as of the end.
type Quality struct {
	Expected uint64        // packets that the sequence numbers promise
	Lost     uint64        // of these, those that never came
	Jitter   time.Duration // as RFC 3550 section 6.4.1 defines it
	// RoundTrip is the last one measured by RTCP, without what the far end waited;
	// 0: not known. Few carriers answer.
	RoundTrip time.Duration
	// What the far end reports of what it got from us, if it did.
	Reported    bool
	FarLoss     float64 // of the last interval, 0 to 1
	FarJitter   time.Duration
	ReportsSent uint64
}

// Quality tells how it stands. It may be asked at any time.
func (s *Stream) Quality() Quality {
	expected, lost := s.reception.current()
	clock := s.far.Load().clock()
	q := Quality{
		Expected:    expected + s.reception.earlier.expected.Load(),
		Lost:        lost + s.reception.earlier.lost.Load(),
		Jitter:      units(s.reception.jitter.Load(), clock),
		RoundTrip:   time.Duration(s.control.trip.Load()),
		ReportsSent: s.control.sent.Load(),
	}
	if told := s.control.told.Load(); told != 0 {
		q.Reported = true
		q.FarLoss = float64(told>>32&0xFF) / 256
		q.FarJitter = units(uint32(told), clock)
	}
	return q
}

// units is a number of ticks of a clock as a duration.
func units(n uint32, rate int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(rate)
}

// Loss is the share of packets that never came, 0 to 1.
func (q Quality) Loss() float64 {
	if q.Expected == 0 {
		return 0
	}
	return float64(q.Lost) / float64(q.Expected)
}

// The E-model (ITU-T G.107) with everything that is not measured at its default.
const (
	baseRating = 93.2 // R0 - Is of G.107 with default values
	// Impairment of G.711 with packet loss concealment (ITU-T G.113 appendix I,
	// table I.4): no coding distortion, robustness 25.1. It stands for all codecs
	// here: the figure is about the network, which has no part in a codec.
	robustness  = 25.1
	packetDelay = 20.0 // ms to fill a packet
	// knee is where delay begins to be felt in a conversation, in ms (R. G. Cole
	// and J. H. Rosenbluth, Voice over IP Performance Monitoring, 2001).
	knee = 177.3
)

// MOS is the mean opinion score that the E-model estimates for what was heard
// from the far end: 1, bad, to 4.41, as good as G.711 gets. 0: nothing was heard.
//
//	R   = 93.2 - Id - Ie,eff
//	Id  = 0.024 d + 0.11 (d - 177.3) if d > 177.3 (Cole and Rosenbluth)
//	Ie,eff = 95 Ppl / (Ppl + Bpl), losses at random (G.107 section 3.5)
//	MOS = 1 + 0.035 R + R (R - 60) (100 - R) 7e-6 (G.107 annex B)
//
// d is the delay one way in ms: half the round trip, a packet, and a jitter
// buffer of twice the jitter. Ppl is the loss in percent.
func (q Quality) MOS() float64 {
	if q.Expected == 0 {
		return 0
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	d := ms(q.RoundTrip)/2 + packetDelay + 2*ms(q.Jitter)
	loss := 100 * q.Loss()
	r := baseRating - 0.024*d - 0.11*max(d-knee, 0) - 95*loss/(loss+robustness)
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)
}
