package call

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/number"
	"consentgw/internal/sdp"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// prepare gives the case a route, a platform and a number of its own.
func (c *moment) prepare(h *house, i int) {
	c.house, c.tape, c.called = h, newMemory(), fmt.Sprintf("+3140555%04d", i)
	c.name = strings.NewReplacer(" ", "-", ":", "-").Replace(c.name)
	for _, ch := range []*chan struct{}{&c.arrived, &c.admit, &c.storing, &c.store, &c.stopped} {
		*ch = make(chan struct{})
	}
	c.obeyed = make(chan error, 1)
	c.desk = newPeer(h, netip.AddrPort{})
	policy := h.cfg.Policies[0]
	policy.Name, policy.AnswerTimeout = c.name, 4*patience
	if c.state == "telling" {
		policy.Notice = "long"
	}
	if c.event == "t:dies" && c.is("notice", "calling", "waiting") {
		policy.AnswerTimeout = 6 * time.Second // nobody will press a key
	}
	if c.state == "calling" || c.state == "waiting" {
		policy.Dial = config.DialDuringNotice
	}
	platform := config.Platform{Name: c.name, Destination: config.Destination{AnswerTimeout: 4 * patience,
		Targets: []config.Target{{URI: "sip:" + c.desk.conn.LocalAddr().String(), Priority: 1, Weight: 1}}}}
	platform.Transfers.By = []string{"agent"}
	if c.event == "p:dies" {
		platform.AnswerTimeout = 3 * time.Second
	}
	h.cfg.Policies = append(h.cfg.Policies, policy)
	h.cfg.Platforms = append(h.cfg.Platforms, platform)
	h.recorders = append(h.recorders, Recorder{Name: c.name, Open: c.tape.open})
	h.cfg.Routes = append(h.cfg.Routes, config.Route{Name: c.name, To: number.Pattern(c.called), Platform: c.name, Policy: c.name, Recorders: []string{c.name}})
}

// play carries one case from its INVITE to the next call.
func (c *moment) play(reached *sync.WaitGroup) {
	count := sync.OnceFunc(reached.Done)
	defer count()
	defer c.release()
	c.trunk = newPeer(c.house, c.house.trunk.Addrs()[0].AddrPort)
	c.desk.set(func() { c.desk.gateway = c.svc.Platform.Addrs()[0].AddrPort })
	c.reach()
	count()
	c.happen()
	c.release()
	c.finish()
	c.check()
	if c.event != "stop" {
		c.again()
	}
}

// release lets everything go on that waits for the test.
func (c *moment) release() {
	for _, ch := range []chan struct{}{c.admit, c.store} {
		select {
		case <-ch:
		default:
			close(ch)
		}
	}
}

// is reports whether the state is one of those.
func (c *moment) is(states ...string) bool { return slices.Contains(states, c.state) }

// rung is what the platform answers in each state.
var rung = map[string]int{"dialing": 100, "ringing": 180, "early": 183, "calling": 180}

// reach brings the call into its state.
func (c *moment) reach() {
	if code, ok := rung[c.state]; ok {
		c.desk.set(func() { c.desk.rings = code })
	}
	c.trunk.set(func() { c.trunk.noACK = c.is("answered") })
	c.desk.set(func() { c.desk.crosses = c.crosses })
	c.caller = c.trunk.call(c.called, c.name)
	if c.is("arrived") {
		<-c.arrived
		return
	}
	c.trunk.link(c, 0, "the answer", func(l *link) bool { return l.final == 200 })
	if c.is("answered") {
		return
	}
	c.record("the ACK", func(r *consent.Record) bool { return happened(r, "answered") })
	switch c.state {
	case "notice":
		return
	case "calling":
		c.desk.link(c, 0, "the INVITE", func(*link) bool { return true })
		return
	case "waiting":
		c.record("the agent", func(r *consent.Record) bool { return happened(r, "agent_waiting") })
		c.desk.link(c, 0, "the ACK", func(l *link) bool { return l.acked })
		return
	case "connected":
		c.press("2", func(r *consent.Record) bool { return r.Outcome == consent.Refused })
	default:
		c.agrees()
	}
	if c.is("storing", "telling") {
		return
	}
	c.desk.link(c, 0, "the INVITE", func(*link) bool { return true })
	switch c.state {
	case "dialing", "ringing":
		return
	case "early":
		c.waits("the early media", func() (early bool) {
			call := c.call()
			return call != nil && call.do(c.ctx, func() { early = call.search != nil && call.search.early }) == nil && early
		})
		return
	}
	c.record("the connection", func(r *consent.Record) bool { return !r.Call.ConnectedAt.IsZero() })
	c.talk()
}

// agrees presses the yes, and lets it be stored unless the state is that it is not.
func (c *moment) agrees() {
	c.press("1", func(r *consent.Record) bool {
		select {
		case <-c.storing:
			return true
		default:
			return false
		}
	})
	if !c.is("storing") {
		close(c.store)
		c.record("the decision", func(r *consent.Record) bool { return r.Outcome == consent.Given })
	}
}

// press presses a key until it counts.
func (c *moment) press(key string, ok func(*consent.Record) bool) {
	pressed := time.Time{}
	c.record("the key "+key, func(r *consent.Record) bool {
		if time.Since(pressed) > 50*time.Millisecond && !c.trunk.unanswered() {
			pressed = time.Now()
			c.trunk.set(func() { c.trunk.info(c.caller, key) })
		}
		return ok(r)
	})
}

// talk brings a call that is connected into its state.
func (c *moment) talk() {
	first := c.desk.link(c, 0, "the agent", func(l *link) bool { return l.acked })
	if c.is("connected") {
		return
	}
	c.record("the recording", func(*consent.Record) bool {
		if c.event == "t:dies" {
			c.desk.speaks(first.invite.body())
		} else {
			c.trunk.speaks(c.caller.answer.body())
		}
		return c.tape.packets() > 0
	})
	switch c.state {
	case "held":
		c.trunk.request(c.caller, "INVITE", "", c.trunk.describe(sdp.SendOnly))
		c.record("the hold", func(r *consent.Record) bool { return happened(r, "held") })
	case "parked":
		c.desk.request(first, "INVITE", "", c.desk.describe(sdp.SendOnly))
		c.record("the hold", func(r *consent.Record) bool { return happened(r, "held") })
	case "moving", "deserted":
		c.desk.set(func() { c.desk.rings = 180 })
		c.desk.request(first, "REFER", "Refer-To: <"+c.desk.uri("200")+">\r\n", "")
		c.desk.link(c, 1, "the INVITE of the transfer", func(*link) bool { return true })
		if c.is("deserted") {
			c.desk.hangUp(first)
			c.record("the agent's end", func(r *consent.Record) bool { return happened(r, "agent_left") })
		}
	case "ending":
		c.desk.set(func() { c.desk.deaf = true })
		c.trunk.hangUp(c.caller)
		c.desk.link(c, 0, "the BYE", func(l *link) bool { return l.bye != nil })
	}
}

// happen is the event of the case.
func (c *moment) happen() {
	side, what, _ := strings.Cut(c.event, ":")
	switch c.event {
	case "api":
		go func() {
			_, err := c.svc.Command(c.ctx, c.name, "hangup")
			c.obeyed <- err
		}()
		return
	case "stop":
		<-c.stopped
		return
	}
	p, l := c.trunk, c.caller
	if side == "p" {
		p, l = c.desk, c.lastLink()
	}
	switch what {
	case "cancel":
		p.cancel(l)
		if c.cell == "cancel" { // before anybody answers
			p.link(c, 0, "the end of the INVITE", func(l *link) bool { return l.final == 487 })
		}
	case "bye":
		p.request(l, "BYE", "", "")
	case "reinvite":
		p.request(l, "INVITE", "", p.describe())
	case "update":
		p.request(l, "UPDATE", "", "")
	case "refer":
		p.request(l, "REFER", "Refer-To: <"+c.desk.uri("300")+">\r\n", "")
	case "noack":
		c.loseACK(p, l)
	case "dies":
		c.die(p)
	default: // a late answer, of whatever INVITE was the last
		p.set(func() {
			late := 0
			fmt.Sscan(what, &late)
			was := l.final
			p.progress(l, late)
			if was != 0 {
				l.final = was // it is no answer any more
			}
		})
	}
}

// lastLink is the INVITE that the platform got last; while it is called by a
// transfer, the one there still is for everything but an answer.
func (c *moment) lastLink() *link {
	c.desk.mu.Lock()
	defer c.desk.mu.Unlock()
	links := c.desk.links
	if c.is("moving") && !slices.Contains([]string{"p:486", "p:503", "p:603"}, c.event) {
		return links[0]
	}
	return links[len(links)-1]
}

// loseACK keeps back the ACK of the peer, or makes as if that of the gateway had
// been lost.
func (c *moment) loseACK(p *peer, l *link) {
	n := 0
	p.set(func() {
		n = slices.Index(p.links, l)
		if !l.calls && l.final == 0 {
			p.loseACK = true
			p.progress(l, 200)
			return
		}
		p.noACK = true
		if l.acked {
			p.ask(l, "INVITE", "", p.describe())
		}
	})
	if c.cell == "on" {
		p.link(c, n, "the end of the lost ACK", func(l *link) bool { return l.over || l.lost && l.acked })
	}
}

// die makes a peer dead, and lets the gateway miss it.
func (c *moment) die(p *peer) {
	p.set(func() { p.dead = true })
	c.release()
	if !strings.HasPrefix(c.cell, "lost") && !strings.HasPrefix(c.cell, "hold") {
		return
	}
	if p == c.trunk {
		c.desk.set(func() {
			c.desk.rings = 200
			for _, l := range c.desk.links {
				if l.final == 0 && !c.is("moving") {
					c.desk.progress(l, 200)
				}
			}
		})
	} else if c.is("waiting") {
		c.press("2", func(r *consent.Record) bool { return r.Outcome == consent.Refused })
	}
	call := c.call()
	c.waits("the end of a call that misses a party", func() bool {
		if p == c.desk {
			c.trunk.speaks(c.caller.answer.body())
		}
		return call.do(c.ctx, func() {
			limit := config.MediaTimeout{First: 1}
			if strings.HasPrefix(c.cell, "hold") {
				limit = config.MediaTimeout{Hold: 1}
			}
			call.route.plan = &Plan{copies: call.route.plan.copies, silence: limit}
			if call.connected() && (p == c.trunk || call.asked.stream.Stats().Received > 0) {
				call.watch()
			}
		}) != nil
	})
}

// finish lets a call end that has not ended by what happened.
func (c *moment) finish() {
	c.trunk.set(func() {
		if c.cell == "on" {
			c.trunk.noACK = false
			if !c.caller.acked && c.caller.final == 200 {
				c.trunk.acknowledge(c.caller)
			}
		}
		if c.event == "stop" && c.caller.final == 200 && !c.caller.acked {
			c.trunk.noACK = false
			c.trunk.acknowledge(c.caller)
		}
	})
	if c.cell == "api" && c.is("answered") {
		c.trunk.set(func() { c.trunk.acknowledge(c.caller) })
	}
	if c.is("calling") && c.cell == "none" {
		c.press("2", func(r *consent.Record) bool { return r.Outcome == consent.Refused || r.Ended() })
	}
	switch c.cell {
	case "gone":
		require.ErrorIs(c, <-c.obeyed, consent.ErrNoCall)
	case "api":
		require.NoError(c, <-c.obeyed)
	}
	if c.cell == "on" {
		c.waits("the answers to requests", func() bool { return !c.trunk.unanswered() && !c.desk.unanswered() })
		c.trunk.hangUp(c.caller)
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

// check holds what is left of the call against the law.
func (c *moment) check() {
	var r *consent.Record
	c.waits("the end of the call in the store", func() bool {
		var err error
		r, err = c.house.store.Store.Find(c.ctx, c.name)
		return err == nil && r.Ended()
	})
	assert.Equal(c, causes()[c.cell], r.Call.EndCause)
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
	assert.Contains(c, c.outcomes(), r.Outcome)
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

// outcomes are those that fit the case.
func (c *moment) outcomes() []consent.Outcome {
	switch {
	case c.is("connected"):
		return []consent.Outcome{consent.Refused}
	case !c.is("arrived", "answered", "notice", "calling", "waiting"):
		return []consent.Outcome{consent.Given}
	case c.cell == "lost":
		return []consent.Outcome{consent.NoInput}
	case c.cell == "lostp", c.cell == "none":
		return []consent.Outcome{consent.Refused}
	}
	return []consent.Outcome{consent.Abandoned}
}

// again makes another call, by the same peers.
func (c *moment) again() {
	for _, p := range []*peer{c.trunk, c.desk} {
		p.set(func() {
			p.dead, p.deaf, p.noACK, p.loseACK, p.crosses, p.rings = false, false, false, false, false, 200
		})
	}
	n := len(c.trunk.links)
	l := c.trunk.call(c.called, c.name+"-next")
	c.trunk.link(c, n, "the answer to the next call", func(l *link) bool { return l.final == 200 })
	c.trunk.hangUp(l)
	c.trunk.link(c, n, "the end of the next call", func(l *link) bool { return l.over })
}
