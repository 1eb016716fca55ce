package call

import (
	"context"
	"slices"
	"strings"
	"time"

	"consentgw/consent"
	"consentgw/internal/sdp"
	"consentgw/sip"
)

// recordAware is the option tag of a user agent that shows its user whether the
// call is recorded (RFC 7866 section 6.3). The gateway does not claim it for
// itself: whoever is not told by us is to hear the tone of the far side's recorder.
const recordAware = "record-aware"

const (
	// indicateEvery is how soon after one indication a party gets the next; what
	// changed meanwhile is told as it stands then.
	indicateEvery = time.Second
	// indicateWait is how long a party may take to confirm. It is less than what
	// would end a dialog.
	indicateWait = 10 * time.Second
)

// indication is what a party has been told of the recording.
type indication struct {
	aware bool                   // it wants to be told
	told  consent.RecordingState // last; empty: nothing, which is as good as off
	busy  bool                   // it is being told
}

// recorded is whether the call is recorded as far as p is concerned: by us, or by
// the other side, if that says so (RFC 7866 section 7.3.1).
func (c *Call) recorded(p *party) consent.RecordingState {
	ours, theirs := c.rec.Recording(), c.other(p).records
	for _, state := range []consent.RecordingState{consent.RecordingOn, consent.RecordingPaused} {
		if ours == state || theirs == state {
			return state
		}
	}
	return consent.RecordingOff
}

// outdated reports whether p is to be told something new.
func (c *Call) outdated(p *party) bool {
	state := c.recorded(p)
	return p.leg != nil && p.indication.aware && (p == c.asked || p == c.agent) && state != p.indication.told &&
		(p.indication.told != "" || state != consent.RecordingOff)
}

// indicate tells every party that wants to know how the recording stands, beside
// the call. The gate has been opened or shut before and waits for nobody.
func (c *Call) indicate() {
	for _, p := range []*party{c.asked, c.agent} {
		if c.outdated(p) && !p.indication.busy {
			p.indication.busy = true
			c.beside(func() { c.keepTelling(p) })
		}
	}
}

// keepTelling tells p what is new until nothing is.
func (c *Call) keepTelling(p *party) {
	for {
		more := false
		if c.do(p.running, func() {
			more = c.outdated(p)
			p.indication.busy = more
		}) != nil || !more {
			return
		}
		c.tellParty(p)
		select {
		case <-time.After(indicateEvery):
		case <-p.running.Done():
			return
		}
	}
}

// tellParty tells p once. What p does not confirm is not repeated; the next change
// is.
func (c *Call) tellParty(p *party) {
	ctx, cancel := context.WithTimeout(p.running, indicateWait)
	defer cancel()
	err := c.propose(ctx, p, sip.Change{}, byUpdate, func() ([]byte, error) {
		c.told(p, c.recorded(p), "")
		c.publish()
		return p.restate()
	})
	// Its only error: the call is over.
	_ = c.do(p.running, func() {
		state := string(p.indication.told)
		if err == nil {
			c.remark("indication_confirmed", p.name+": "+state)
		} else {
			c.remark("indication_unconfirmed", p.name+": "+state+", "+failureWord(err))
		}
		c.publish()
	})
}

// told notes that p is told now.
func (c *Call) told(p *party, state consent.RecordingState, how string) {
	if p.indication.told != state {
		c.remark("indicated", p.name+": "+string(state)+how)
	}
	p.indication.told = state
}

// annotate says in an answer of ours how the recording stands, if p is to know.
func (c *Call) annotate(p *party) {
	if !p.indication.aware {
		return
	}
	state := c.recorded(p)
	answer, err := sdp.Parse(p.described)
	if err != nil || state == p.indication.told { // it has been written already
		return
	}
	c.told(p, state, ", in an answer")
	p.mark(answer)
	answer.Version++
	p.described = answer.Marshal()
}

// mark writes a=record into a description of ours (RFC 7866 section 7.1.2).
func (p *party) mark(s *sdp.Session) {
	if p.indication.told == "" || p.agreed.Index >= len(s.Media) {
		return
	}
	m := &s.Media[p.agreed.Index]
	m.Attributes = slices.DeleteFunc(slices.Clone(m.Attributes), func(a sdp.Attribute) bool { return a.Key == "record" })
	m.Attributes = append(m.Attributes, sdp.Attribute{Key: "record", Value: string(p.indication.told)})
}

// restate offers what is in force once more, a hold included: that is for whoever
// holds to end.
func (p *party) restate() ([]byte, error) {
	wish := p.local.Direction
	defer func() { p.local.Direction = wish }()
	switch {
	case p.agreed.Send && !p.agreed.Receive:
		p.local.Direction = sdp.SendOnly
	case p.agreed.Receive && !p.agreed.Send:
		p.local.Direction = sdp.RecvOnly
	case !p.agreed.Send:
		p.local.Direction = sdp.Inactive
	}
	return p.describe(p.agreed.Audio)
}

// indicated reads a=record of a far side that records the call as well; empty if
// it says nothing, and then it goes on as it said last.
func indicated(s *sdp.Session, audio int) (state consent.RecordingState) {
	attributes := slices.Clone(s.Attributes)
	if audio < len(s.Media) {
		attributes = append(attributes, s.Media[audio].Attributes...) // overrides the session's
	}
	for _, a := range attributes {
		switch word := consent.RecordingState(strings.ToLower(strings.TrimSpace(a.Value))); {
		case !strings.EqualFold(a.Key, "record"):
		case word == consent.RecordingOn, word == consent.RecordingPaused, word == consent.RecordingOff:
			state = word
		}
	}
	return state
}
