package call

import (
	"fmt"
	"slices"
	"strings"

	"consentgw/consent"
	"consentgw/internal/config"
)

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
	p, l := c.trunk, c.link(c.trunk)
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
		if p != c.caller() && c.is("answered") {
			c.acknowledge() // that one is not the one that is lost
			p.link(c, 0, "the ACK", func(l *link) bool { return l.acked })
		}
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
	if c.cell == "lost" {
		close(c.silent) // nobody will press a key
	}
	if strings.HasPrefix(c.cell, "lost") && c.is("answered") {
		c.acknowledge()
	}
	if o := c.callee(); o != p && !c.is("moving") {
		o.set(func() {
			o.rings = 200
			for _, l := range o.links {
				if l.final == 0 {
					o.progress(l, 200)
				}
			}
		})
	}
	if strings.HasPrefix(c.cell, "lost") || strings.HasPrefix(c.cell, "hold") {
		c.miss(p)
	}
}

// miss lets the gateway look for a dead peer when the call is connected.
func (c *moment) miss(p *peer) {
	if p == c.desk && (c.is("waiting") || c.out && c.is("notice")) {
		c.press("2", func(r *consent.Record) bool { return r.Outcome == consent.Refused })
	}
	call := c.call()
	c.waits("the end of a call that misses a party", func() bool {
		if p == c.desk {
			c.trunk.speaks(c.link(c.trunk).far())
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

// acknowledge sends the ACK that who calls has kept back.
func (c *moment) acknowledge() {
	p := c.caller()
	p.set(func() {
		p.noACK = false
		if !c.first.acked && c.first.final == 200 {
			p.acknowledge(c.first)
		}
	})
}
