package call

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"consentgw/consent"
)

// Live returns the records of the calls that are up, oldest first. They are
// snapshots: nobody changes them.
func (s *Service) Live() []*consent.Record {
	s.mu.Lock()
	records := make([]*consent.Record, 0, len(s.live))
	for _, c := range s.live {
		if r := c.snapshot.Load(); r != nil {
			records = append(records, r)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(records, func(a, b *consent.Record) int { return a.Call.InvitedAt.Compare(b.Call.InvitedAt) })
	return records
}

// Find returns the record of a live call, or of one that ended and is not in
// the store yet, by record id or the Call-ID of either leg
// or of an agent who was there before.
func (s *Service) Find(call string) (*consent.Record, bool) {
	if c := s.find(call); c != nil {
		if r := c.snapshot.Load(); r != nil {
			return r, true
		}
	}
	return s.Journal.Find(call)
}

func (s *Service) find(call string) *Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.live[consent.RecordID(call)]; ok {
		return c
	}
	for _, c := range s.live {
		if r := c.snapshot.Load(); r != nil && r.Call.Has(call) {
			return c
		}
	}
	return nil
}

// Command does what the API asks of a live call: withdraw, pause, resume or
// hangup; withdraw for these purposes only, if there are any. It returns the record
// as it stands after it. consent.ErrNoCall: no such call is up. consent.ErrNotPossible: it is, but this cannot be done.
func (s *Service) Command(ctx context.Context, call, verb string, purposes ...string) (*consent.Record, error) {
	c := s.find(call)
	if c == nil {
		return nil, consent.ErrNoCall
	}
	var refused error
	if err := c.do(ctx, func() { refused = c.obey(verb, purposes) }); err != nil {
		return nil, err
	}
	if refused != nil {
		return nil, refused
	}
	// What was asked for has happened; whoever reads the store next finds it
	// there too, unless the store is away.
	stored, cancel := context.WithTimeout(ctx, s.StoreTimeout+byeWait)
	defer cancel()
	if verb == "hangup" {
		select {
		case <-c.gone:
		case <-stored.Done():
		}
	}
	if err := s.Journal.Await(stored, c.id); err != nil {
		c.log.Warn("command obeyed, not stored yet", "command", verb, "error", err)
	}
	return c.snapshot.Load(), nil
}

// obey runs on the call's goroutine.
func (c *Call) obey(verb string, purposes []string) error {
	switch verb {
	case "hangup":
		c.end(errHungUpByAPI)
		return nil
	case "withdraw":
		return c.obeyWithdraw(purposes)
	case "pause":
		return c.pauseBy(byAPI, nil)
	case "resume":
		return c.resumeBy(byAPI, nil)
	}
	return fmt.Errorf("%w: unknown command %q", consent.ErrNotPossible, verb)
}

func (c *Call) obeyWithdraw(purposes []string) error {
	back := c.rec.TakenBack()
	twice := len(purposes) > 0 && !slices.ContainsFunc(purposes, func(p string) bool { return !slices.Contains(back, p) })
	if c.rec.Outcome == consent.Withdrawn || twice {
		return nil
	}
	if !c.withdraw(byAPI, purposes...) {
		return fmt.Errorf("%w: no consent has been given in this call", consent.ErrNotPossible)
	}
	return nil
}

// merge lets a live call take over what another writer stored, and returns its
// record after it; nil if the call is not live, an error if it is too busy.
func (s *Service) merge(ctx context.Context, other *consent.Record) (*consent.Record, error) {
	c := s.find(string(other.ID))
	if c == nil {
		return nil, nil
	}
	var merged *consent.Record
	err := c.do(ctx, func() {
		if other.Withdrawal != nil {
			c.stopTape() // close, then merge
		} else {
			c.stopFor(other.TakenBack())
		}
		if c.rec.Merge(other) {
			c.tellRecorders()
			c.confirm()
		}
		merged = c.rec.Clone()
		c.publish()
	})
	if errors.Is(err, consent.ErrNoCall) {
		err = nil // just over
	}
	return merged, err
}

// up reports whether a call is live.
func (s *Service) up(id consent.RecordID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.live[id]
	return ok
}
