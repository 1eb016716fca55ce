package media

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	mrand "math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
)

// control is the RTCP of one stream (RFC 3550 section 6). We send reports of our
// own and read those of the far end; nothing is passed from one party to the
// other.
type control struct {
	// Set by Open, then constant.
	rtcp, muxed conn   // the RTCP port, and the RTP port beside who sends there
	name        string // CNAME, of this stream only

	// Owned by who sends the reports.
	reported  struct{ expected, lost uint64 } // by the report before
	reportOn  uint32                          // SSRC that it was about
	sentSoFar [2]uint64                       // packets we had sent two reports ago, and one

	// busy is held while a report is read: the far end may use both ports, which
	// are two goroutines on plain sockets. The later one loses.
	busy atomic.Bool
	// Read by anyone.
	echo atomic.Uint64 // the far end's clock in its last report, and ours then
	trip atomic.Int64  // last round trip in ns; 0: not known
	told atomic.Uint64 // 1, fraction lost, jitter, of the last block about us
	sent atomic.Uint64 // reports
}

const (
	// reportEvery is the mean time between two reports: the minimum of RFC 3550
	// section 6.2, which rules for any telephone codec.
	reportEvery = 5 * time.Second
	// compensation makes up for what the random factor does to the mean (section
	// 6.3.1): e - 3/2.
	compensation = 1.21828
)

func newControl(p *pair) control {
	return control{rtcp: p.rtcp, muxed: p.rtp.twin(), name: canonicalName()}
}

// canonicalName is a CNAME of one stream, by chance (RFC 7022 section 4.2).
func canonicalName() string {
	name := make([]byte, 12)
	rand.Read(name)
	return base64.StdEncoding.EncodeToString(name)
}

// reportAfter is a time to wait for the next report, for this mean time.
func reportAfter(mean time.Duration) time.Duration {
	return time.Duration(float64(mean) * (0.5 + mrand.Float64()) / compensation)
}

// reportUntil sends reports until ctx ends, and says goodbye then.
func (s *Stream) reportUntil(ctx context.Context) {
	every := s.ports.reportEvery
	timer := time.NewTimer(reportAfter(every / 2)) // the first comes sooner (section 6.2)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			s.sendReport(time.Now(), false)
			timer.Reset(reportAfter(every))
		case <-ctx.Done():
			// Who never sent anything says nothing (section 6.3.7).
			if s.control.sent.Load() > 0 || s.counts.sent.Load() > 0 {
				s.sendReport(time.Now(), true)
			}
			return
		}
	}
}

// sendReport sends one compound packet, if it is known where to.
func (s *Stream) sendReport(now time.Time, last bool) {
	far, c := s.far.Load(), &s.control
	to := far.reportsTo()
	if to == nil {
		return
	}
	packet, err := compound(now, s.ssrc, c.name, s.sentReport(now, far.clock()), s.receivedReport(now), last)
	if err == nil && far.Seal != nil {
		packet, err = far.Seal.sealReport(packet)
	}
	if err != nil {
		s.counts.errors.Add(1)
		return
	}
	conn := c.rtcp
	if far.Mux {
		conn = c.muxed
	}
	if conn.send(packet, to) != nil {
		s.counts.errors.Add(1)
		return
	}
	c.sent.Add(1)
}

// sentReport tells what we sent, if we did since the report before last
// (RFC 3550 section 6.4).
func (s *Stream) sentReport(now time.Time, clock int) *sentReport {
	c, sent := &s.control, s.counts.sent.Load()
	before := c.sentSoFar[0]
	c.sentSoFar = [2]uint64{c.sentSoFar[1], sent}
	if sent == before {
		return nil
	}
	mark := s.out.mark.Load()
	ago := time.Duration(int32(moment(now)-uint32(mark))) << momentBits
	return &sentReport{clock: uint32(mark>>32) + samples(max(ago, 0), clock), packets: uint32(sent), octets: uint32(s.out.octets.Load())}
}

// receivedReport tells what we got from the source of now, if there is one.
func (s *Stream) receivedReport(now time.Time) []rtcp.ReceptionReport {
	c, r := &s.control, &s.reception
	expected, lost := r.current()
	if expected == 0 {
		return nil
	}
	ssrc := uint32(r.source.Load() >> 32)
	if ssrc != c.reportOn {
		c.reportOn, c.reported.expected, c.reported.lost = ssrc, 0, 0
	}
	block := rtcp.ReceptionReport{SSRC: ssrc, TotalLost: uint32(min(lost, 0x7FFFFF)),
		LastSequenceNumber: uint32(r.reached.Load()>>32) - 1<<16, Jitter: r.jitter.Load()}
	// More lost than before of more expected; a late packet may make it less.
	news, gone := int64(expected-c.reported.expected), int64(lost-c.reported.lost)
	if news > 0 && gone > 0 {
		block.FractionLost = uint8(min(gone*256/news, 255))
	}
	c.reported.expected, c.reported.lost = expected, lost
	if echo := c.echo.Load(); echo != 0 {
		block.LastSenderReport, block.Delay = uint32(echo>>32), middle(now)-uint32(echo)
	}
	return []rtcp.ReceptionReport{block}
}

// report takes one datagram that is RTCP by its port or its type. What it says
// is taken down; nothing in it moves media or ends anything.
func (s *Stream) report(now time.Time, data []byte, from netip.AddrPort, muxed bool) {
	s.in.rtcp.Add(1)
	far, c := s.far.Load(), &s.control
	if far == nil || far.Mux != muxed || !far.reportsFrom(from) || len(data) > maxPacket || !c.busy.CompareAndSwap(false, true) {
		s.in.rtcpDropped.Add(1)
		return
	}
	defer c.busy.Store(false)
	ok := true
	if far.Open != nil {
		data, ok = far.Open.openReport(data)
	}
	f := feedback{}
	if ok {
		f, ok = parseReports(data, s.ssrc)
	}
	if !ok {
		s.in.rtcpDropped.Add(1)
		return
	}
	far.route.learnReports(from, muxed)
	if f.sender {
		c.echo.Store(uint64(f.clock)<<32 | uint64(middle(now)))
	}
	if f.about {
		c.told.Store(1<<63 | uint64(f.fraction)<<32 | uint64(f.jitter))
	}
	if trip, ok := f.roundTrip(now); ok {
		c.trip.Store(int64(trip))
	}
}

// reportsFrom reports whether a report from there may be the far end's: from the
// host that its media comes from, and by one port also from the same port.
func (a *agreement) reportsFrom(from netip.AddrPort) bool {
	locked := a.route.locked.Load()
	switch {
	case locked != nil && a.Mux:
		return from == locked.addr
	case locked != nil && from.Addr() == locked.addr.Addr(), from == a.RTCP:
		return true
	}
	return locked == nil && from.Addr() == a.Addr.Addr()
}

// learnReports remembers where the first good report on this route came from:
// behind a NAT it is not where the description says.
func (r *route) learnReports(from netip.AddrPort, muxed bool) {
	if !muxed && r.reports.Load() == nil {
		r.reports.Store(&from)
	}
}

// reportsTo is where a report goes now; nil: nowhere. A hold does not end the
// reports (RFC 3264 section 8.4).
func (a *agreement) reportsTo() *target {
	if a == nil || a.nowhere {
		return nil
	}
	to, locked := a.RTCP, a.route.locked.Load()
	switch learned := a.route.reports.Load(); {
	case a.Mux && locked != nil:
		to = locked.addr
	case a.Mux:
		to = a.Addr
	case learned != nil:
		to = *learned
	case locked != nil && locked.addr.Addr() != a.Addr.Addr():
		return nil // behind a NAT, and not heard from yet
	}
	if t := newTarget(to); t.sa != nil {
		return &t
	}
	return nil
}
