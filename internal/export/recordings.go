package export

import (
	"time"

	"consentgw/consent"
)

// recordings is what one row says about all recorders of a call together.
type recordings struct {
	opened, first, last time.Time
	closed              time.Time // zero while one is still open
	caller, agent, lost uint64
	before, after       uint64
}

func sum(all []consent.Recording) recordings {
	var s recordings
	open := false
	for _, r := range all {
		s.opened = earlier(s.opened, r.OpenedAt)
		s.first = earlier(s.first, r.FirstPacketAt)
		s.last = later(s.last, r.LastPacketAt)
		s.closed = later(s.closed, r.ClosedAt)
		open = open || r.ClosedAt.IsZero()
		s.caller += r.Caller.Packets
		s.agent += r.Agent.Packets
		s.lost += r.Caller.Lost + r.Agent.Lost
		s.before += r.BeforeGrant
		s.after += r.AfterStop
	}
	if open {
		s.closed = time.Time{}
	}
	return s
}

// earlier returns the earlier of two times; zero is no time.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
