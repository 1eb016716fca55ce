package media

import (
	"encoding/binary"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// account is what an outlet tells of its packets in reports (RFC 3550 section
// 6.4.1). The counters are written by who sends packets.
type account struct {
	rtcp, muxed conn   // the RTCP port, and the RTP port beside who sends there; constant
	name        string // CNAME, of this outlet only; constant

	ssrc, clock     atomic.Uint32 // of the newest packet
	mark            atomic.Uint64 // its time stamp, and the moment when it was sent
	packets, octets atomic.Uint64

	mu   sync.Mutex // guards what follows, and the reporting
	told [2]uint64  // packets we had sent two reports ago, and one
}

func (a *account) start(p *pair) {
	a.rtcp, a.muxed, a.name = p.rtcp, p.rtp.twin(), canonicalName()
}

// sent notes a packet that went out, as it was before it was sealed.
func (a *account) sent(packet []byte, clock int) {
	a.ssrc.Store(binary.BigEndian.Uint32(packet[8:]))
	a.clock.Store(uint32(clock))
	a.mark.Store(uint64(binary.BigEndian.Uint32(packet[4:]))<<32 | uint64(moment(time.Now())))
	a.packets.Add(1)
	a.octets.Add(uint64(len(packet) - headerSize))
}

// Report sends a report of what went out, and with last a goodbye (RFC 3550
// sections 6.4.1 and 6.6), to where the outlet is directed; nothing if it is
// directed nowhere, or has sent nothing yet. Who holds the outlet calls it every
// few seconds. It tries once and never waits for the network.
func (o *Outlet) Report(now time.Time, last bool) {
	a := &o.account
	a.mu.Lock()
	defer a.mu.Unlock()
	for last && o.busy.Load() {
		runtime.Gosched() // a packet that is on its way counts
	}
	to := o.to.Load()
	if o.closed.Load() || to == nil || !to.RTCP.IsValid() || a.packets.Load() == 0 {
		return
	}
	packet, err := compound(now, a.ssrc.Load(), a.name, a.report(now), nil, last)
	if err == nil && to.Seal != nil {
		packet, err = to.Seal.sealReport(packet)
	}
	if err != nil {
		return // the next one comes in a few seconds
	}
	conn, reports := a.rtcp, newTarget(unmap(to.RTCP))
	if to.RTCP == to.Addr {
		conn = a.muxed
	}
	if reports.sa != nil {
		_ = conn.send(packet, &reports) // as above
	}
}

// report tells what was sent, if anything was since the report before last.
func (a *account) report(now time.Time) *sentReport {
	packets, before := a.packets.Load(), a.told[0]
	a.told = [2]uint64{a.told[1], packets}
	if packets == before {
		return nil
	}
	mark := a.mark.Load()
	ago := time.Duration(int32(moment(now)-uint32(mark))) << momentBits
	return &sentReport{clock: uint32(mark>>32) + samples(max(ago, 0), int(a.clock.Load())),
		packets: uint32(packets), octets: uint32(a.octets.Load())}
}

// ReportEvery is a time to wait until the next report of one source: some 5 s, by
// chance, so that reports of many do not fall together (RFC 3550 section 6.3).
func ReportEvery() time.Duration { return reportAfter(reportEvery) }
