package media

import (
	"sync/atomic"
	"time"
)

// Stats are what a stream did so far, in packets unless it says otherwise.
type Stats struct {
	Inbound
	Outbound
}

// Inbound is what came from the network. Received is what was used; every other
// RTP datagram is in one of the Dropped fields.
type Inbound struct {
	Received         uint64 // from the locked source, of a known payload type
	Events           uint64 // of these, telephone events
	PressesLost      uint64 // key presses that found the channel full
	RTCP             uint64 // reports, on either port
	DroppedRTCP      uint64 // of these, not from the far end, not authentic or malformed
	ReadErrors       uint64 // of the sockets
	DroppedSource    uint64 // not from the agreed or learned source, or nothing is agreed
	DroppedMalformed uint64
	DroppedNotRTP    uint64
	DroppedPayload   uint64 // of a payload type that was not agreed, or without a payload
	DroppedHeld      uint64 // came while nothing was to be received
	DroppedSRTP      uint64 // not authentic, in clear, or for the second time
}

// Outbound is what went to the far end.
type Outbound struct {
	Sent       uint64 // taken by the network: relayed and played
	Relayed    uint64 // of these, from the other stream
	Converted  uint64 // of the relayed, from one law to the other
	Displaced  uint64 // not relayed because a notice or a tone was playing
	Unsent     uint64 // held, or no address known
	Unmapped   uint64 // what the far end did not agree to: telephone events, or another codec
	Late       uint64 // from before the moment the relay turned to their source
	SendErrors uint64 // the network did not take them
}

type inCounters struct {
	events, pressesLost, rtcp, readErrors atomic.Uint64
	// Dropped, by why.
	source, malformed, notRTP, payload, held, sealed, rtcpDropped atomic.Uint64
	// Of every packet.
	received atomic.Uint64
	// lastAt is when a packet was last used, in Unix nanoseconds; 0: never.
	lastAt atomic.Int64
}

type outCounters struct {
	sent, relayed, converted, displaced, unsent, unmapped, late, errors atomic.Uint64
}

// Stats returns the counters; each is exact, together they are not one moment.
func (s *Stream) Stats() Stats {
	in, out := &s.in, &s.counts
	return Stats{
		Inbound: Inbound{
			Received: in.received.Load(), Events: in.events.Load(), PressesLost: in.pressesLost.Load(),
			RTCP: in.rtcp.Load(), ReadErrors: in.readErrors.Load(),
			DroppedSource: in.source.Load(), DroppedMalformed: in.malformed.Load(),
			DroppedNotRTP: in.notRTP.Load(), DroppedPayload: in.payload.Load(), DroppedHeld: in.held.Load(),
			DroppedSRTP: in.sealed.Load(), DroppedRTCP: in.rtcpDropped.Load(),
		},
		Outbound: Outbound{
			Sent: out.sent.Load(), Relayed: out.relayed.Load(), Converted: out.converted.Load(),
			Displaced: out.displaced.Load(), Unsent: out.unsent.Load(), Unmapped: out.unmapped.Load(),
			Late: out.late.Load(), SendErrors: out.errors.Load(),
		},
	}
}

// Silence is how quiet a far end is. What follows from it, the caller decides.
type Silence struct {
	Ever bool // a packet of it was used, under whatever agreement
	// Held: nothing is agreed, or nothing is to be received, so that silence is
	// what was agreed.
	Held bool
	// For is how long ago the last packet was used, or packets became due if that
	// is later: by the first agreement, after a hold, from another address.
	For time.Duration
}

// Silence tells it as of now. It does not tell a far end that sends nothing
// from a network that lets nothing through.
func (s *Stream) Silence(now time.Time) Silence {
	far, last := s.far.Load(), instant(s.in.lastAt.Load())
	q := Silence{Ever: !last.IsZero()}
	if far == nil || !far.Receive {
		q.Held = true
		return q
	}
	since := far.due
	if last.After(since) {
		since = last
	}
	q.For = max(now.Sub(since), 0)
	return q
}
