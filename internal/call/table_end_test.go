package call

import (
	"strings"
	"time"

	"consentgw/consent"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// finish lets a call end that has not ended by what happened.
func (c *moment) finish() {
	if c.cell == "on" || c.event == "stop" || c.is("answered") && !strings.HasPrefix(c.cell, "noack") {
		c.acknowledge()
	}
	if c.is("calling") && c.cell == "none" {
		c.press("2", func(r *consent.Record) bool { return r.Outcome == consent.Refused || r.Ended() })
	}
	switch c.cell {
	case "gone":
		require.ErrorIs(c, <-c.obeyed, consent.ErrNoCall)
	case "api":
		require.NoError(c, <-c.obeyed)
	case "on":
		c.waits("the answers to requests", func() bool { return !c.trunk.unanswered() && !c.desk.unanswered() })
		c.leave()
	}
	c.desk.set(func() {
		c.desk.deaf = false
		for _, l := range c.desk.links {
			if l.bye != nil {
				c.desk.respond(l, *l.bye, "200 OK", "")
				l.bye, l.over = nil, true
			}
		}
	})
}

// leave ends a call that went on: by who is asked, or, if nobody has answered, by
// who calls.
func (c *moment) leave() {
	c.left = c.asked() + " hung up"
	if !c.out || c.event == "t:noack" || !c.is("arrived", "dialing", "ringing", "early") {
		c.caller().link(c, 0, "the answer", func(l *link) bool { return l.final == 200 })
		c.trunk.hangUp(c.link(c.trunk))
		return
	}
	c.left = "agent cancelled"
	c.desk.cancel(c.first)
}

// check holds what is left of the call against the law.
func (c *moment) check() {
	var r *consent.Record
	c.waits("the end of the call in the store", func() bool {
		var err error
		r, err = c.house.store.Store.Find(c.ctx, c.name)
		return err == nil && r.Ended()
	})
	cause := causes(c.asked())[c.cell]
	switch c.cell {
	case "on":
		cause = c.left
	case "cancel":
		cause = "caller cancelled"
		if c.out {
			cause = "agent cancelled"
		}
	}
	assert.Equal(c, cause, r.Call.EndCause)
	assert.Equal(c, "ended", r.History[len(r.History)-1].Type)
	assert.Equal(c, r.Outcome.Status(), r.Status)
	page, err := c.house.store.Store.Search(c.ctx, consent.Query{Route: c.name})
	require.NoError(c, err)
	assert.Len(c, page.Records, 1, "one INVITE, one record")
	for name, p := range map[string]*peer{"caller": c.trunk, "platform": c.desk} {
		var owed []string
		if !c.settles(func() bool { owed = p.owed(); return len(owed) == 0 }) {
			assert.Empty(c, owed, "the "+name+" is owed")
		}
	}
	assert.Equal(c, c.outcome(), r.Outcome)
	assert.EqualValues(c, c.tape.packets(), r.RecordedPackets())
	if r.Outcome != consent.Given {
		assert.Nil(c, c.tape.taps[0], "a recorder was asked")
	}
	for _, rec := range r.Recordings {
		assert.Zero(c, rec.BeforeGrant+rec.AfterStop)
		assert.Equal(c, consent.RecordingOff, rec.State)
	}
	c.waits("the end of the call in the gateway", func() bool { return c.call() == nil })
}

// settles waits for ok for as long as a test may take, and reports whether it came.
func (c *moment) settles(ok func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(patience)
	defer end.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end.C:
			return false
		}
	}
	return true
}

// outcome is that of the case.
func (c *moment) outcome() consent.Outcome {
	switch {
	case c.is("connected"):
		return consent.Refused
	case c.out && c.is("arrived", "dialing", "ringing", "early") && c.cell != "noackp" && c.event != "t:noack":
		return consent.NotAsked
	case !c.is("arrived", "dialing", "ringing", "early", "answered", "notice", "calling", "waiting"),
		!c.out && c.is("dialing", "ringing", "early"):
		return consent.Given
	case c.cell == "lost":
		return consent.NoInput
	case c.cell == "lostp", c.cell == "none":
		return consent.Refused
	}
	return consent.Abandoned
}

// again makes another call, by the same peers.
func (c *moment) again() {
	for _, p := range []*peer{c.trunk, c.desk} {
		p.set(func() {
			p.dead, p.deaf, p.noACK, p.loseACK, p.crosses, p.rings = false, false, false, false, false, 200
		})
	}
	p := c.caller()
	n := len(p.links)
	l := p.call(c.called, c.name+"-next", "")
	p.link(c, n, "the answer to the next call", func(l *link) bool { return l.final == 200 })
	p.hangUp(l)
	p.link(c, n, "the end of the next call", func(l *link) bool { return l.over })
}
