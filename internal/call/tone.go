package call

import (
	"context"
	"strings"
	"sync"
	"time"

	"consentgw/internal/config"
)

// sound lets the parties hear at intervals that they are recorded, from now until
// the gate is shut. It goes on beside the call.
func (c *Call) sound() {
	tone := c.route.tone
	if tone.Every <= 0 {
		return
	}
	if names := c.listeners(); len(names) > 0 {
		c.remark("tone", "every "+tone.Every.String()+" for "+strings.Join(names, " and "))
	}
	ctx, quiet := context.WithCancel(c.asked.running)
	c.tape.quiet = quiet
	c.beside(func() {
		tick := time.NewTicker(tone.Every)
		defer tick.Stop()
		for c.beep(ctx) {
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
}

// beep sounds once. It reports whether the gate is open still.
func (c *Call) beep(ctx context.Context) bool {
	var heard []*party
	if c.do(ctx, func() {
		if ctx.Err() != nil {
			return
		}
		heard = c.hearing()
		if c.route.tone.Recorded {
			c.tape.caller.Beep()
			c.tape.agent.Beep()
		}
	}) != nil {
		return false
	}
	var all sync.WaitGroup
	for _, p := range heard {
		all.Go(func() {
			c.guard(func() {
				if err := p.stream.Beep(ctx); err != nil && ctx.Err() == nil {
					c.log.Debug("tone not heard", "party", p.name, "error", err)
				}
			})
		})
	}
	all.Wait()
	return ctx.Err() == nil
}

// hearing are the parties that the tone is for: not those that are told by
// signalling.
func (c *Call) hearing() (list []*party) {
	by := c.route.tone.HeardBy
	if !c.asked.indication.aware && by != config.HeardByAgent {
		list = append(list, c.asked)
	}
	if !c.agent.indication.aware && by != config.HeardByCaller {
		list = append(list, c.agent)
	}
	return list
}

func (c *Call) listeners() (names []string) {
	for _, p := range c.hearing() {
		names = append(names, p.name)
	}
	return names
}
