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
)

// prepare gives the case a route, a number and telephones of its own.
func (c *moment) prepare(h *house, i int) {
	c.house, c.tape, c.called = h, newMemory(), fmt.Sprintf("+3140555%04d", i)
	c.name = strings.NewReplacer(" ", "-", ":", "-").Replace(c.name)
	c.signals = signals{make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{}),
		make(chan time.Time), make(chan struct{}), make(chan error, 1)}
	// A platform that calls is known by its address.
	addr := netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)})
	c.trunk, c.desk = newPeer(h, loopback()), newPeer(h, addr)
	policy := h.cfg.Policies[0]
	policy.Name, policy.AnswerTimeout = c.name, 4*patience+time.Duration(i) // which tells who is silent
	if c.state == "telling" {
		policy.Notice = "long"
	}
	if c.state == "calling" || c.state == "waiting" {
		policy.Dial = config.DialDuringNotice
	}
	platform := config.Platform{Name: c.name, Destination: c.destination(c.desk, "p:dies")}
	platform.From = []netip.Prefix{netip.PrefixFrom(addr, 32)}
	platform.Transfers.By = []string{"agent"}
	route := config.Route{Name: c.name, To: number.Pattern(c.called), Platform: c.name, Policy: c.name, Recorders: []string{c.name}}
	if c.out {
		route.Outbound, route.Trunk = true, c.name
		h.cfg.Trunks = append(h.cfg.Trunks, config.Trunk{Name: c.name, Destination: c.destination(c.trunk, "t:dies")})
	}
	h.cfg.Policies = append(h.cfg.Policies, policy)
	h.cfg.Platforms = append(h.cfg.Platforms, platform)
	h.recorders = append(h.recorders, Recorder{Name: c.name, Open: c.tape.open})
	h.cfg.Routes = append(h.cfg.Routes, route)
}

// destination is where a telephone is called. One that dies before it answers is
// given up.
func (c *moment) destination(p *peer, dies string) config.Destination {
	d := config.Destination{AnswerTimeout: 4 * patience,
		Targets: []config.Target{{URI: "sip:" + p.conn.LocalAddr().String(), Priority: 1, Weight: 1}}}
	if c.event == dies && c.is("dialing", "ringing", "early", "calling", "deserted") {
		d.AnswerTimeout = 3 * time.Second
	}
	return d
}

// play carries one case from its INVITE to the next call.
func (c *moment) play(reached *sync.WaitGroup) {
	count := sync.OnceFunc(reached.Done)
	defer count()
	defer c.release()
	c.trunk.set(func() { c.trunk.gateway = c.house.trunk.Addrs()[0].AddrPort })
	c.desk.set(func() { c.desk.gateway = c.house.platform.Addrs()[0].AddrPort })
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
	for _, ch := range []chan struct{}{c.admit, c.keep} {
		select {
		case <-ch:
		default:
			close(ch)
		}
	}
}

// is reports whether the state is one of those.
func (c *moment) is(states ...string) bool { return slices.Contains(states, c.state) }

// asked is who is asked.
func (c *moment) asked() string {
	if c.out {
		return "callee"
	}
	return "caller"
}

// caller and callee are who calls and who is called.
func (c *moment) caller() *peer {
	if c.out {
		return c.desk
	}
	return c.trunk
}

func (c *moment) callee() *peer {
	if c.out {
		return c.trunk
	}
	return c.desk
}

// link is what a side began with; nil if there is none yet.
func (c *moment) link(p *peer) *link {
	if p == c.caller() {
		return c.first
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.links) == 0 {
		return nil
	}
	return p.links[0]
}

// rung is what whoever is called answers in each state.
var rung = map[string]int{"dialing": 100, "ringing": 180, "early": 183, "calling": 180}

// reach brings the call into its state.
func (c *moment) reach() {
	if code, ok := rung[c.state]; ok {
		c.callee().set(func() { c.callee().rings = code })
	}
	c.caller().set(func() { c.caller().noACK = c.is("answered") })
	c.desk.set(func() { c.desk.crosses = c.crosses })
	c.first = c.caller().call(c.called, c.name, "")
	switch {
	case c.is("arrived"):
		<-c.arrived
		return
	case c.out && c.is("dialing", "ringing", "early"):
		c.trunk.link(c, 0, "the INVITE", func(*link) bool { return true })
		if !c.is("dialing") {
			c.desk.link(c, 0, "the ringing", func(l *link) bool { return strings.Contains(l.remote, ";tag=") })
		}
		return
	}
	c.caller().link(c, 0, "the answer", func(l *link) bool { return l.final == 200 })
	if c.is("answered") {
		return
	}
	answered := "answered"
	if c.out {
		answered = "agent_waiting"
	}
	c.record("the ACK", func(r *consent.Record) bool { return happened(r, answered) })
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
	if !c.is("storing", "telling") {
		c.meet()
	}
}

// meet brings a call that is decided into its state.
func (c *moment) meet() {
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
		close(c.keep)
		c.record("the decision", func(r *consent.Record) bool { return r.Outcome == consent.Given })
	}
}

// press presses a key of who is asked until it counts.
func (c *moment) press(key string, ok func(*consent.Record) bool) {
	pressed, asked := time.Time{}, c.link(c.trunk)
	c.record("the key "+key, func(r *consent.Record) bool {
		if time.Since(pressed) > 50*time.Millisecond && !c.trunk.unanswered() {
			pressed = time.Now()
			c.trunk.set(func() { c.trunk.info(asked, key) })
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
			c.desk.speaks(first.far())
		} else {
			c.trunk.speaks(c.link(c.trunk).far())
		}
		return c.tape.packets() > 0
	})
	switch c.state {
	case "held":
		c.trunk.request(c.link(c.trunk), "INVITE", "", c.trunk.describe(sdp.SendOnly))
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
	case "taken":
		c.desk.call("desk", c.name+"-taken", first.replaces())
		c.desk.link(c, 1, "the answer to the other agent", func(l *link) bool { return l.final == 200 })
		c.record("the other agent", func(r *consent.Record) bool { return happened(r, "transferred") })
		c.desk.link(c, 0, "the end of the first agent", func(l *link) bool { return l.over })
	case "ending":
		c.desk.set(func() { c.desk.deaf = true })
		c.trunk.hangUp(c.link(c.trunk))
		c.desk.link(c, 0, "the BYE", func(l *link) bool { return l.bye != nil })
	}
}
