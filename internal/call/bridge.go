package call

import "context"

// bridge relays between the two parties until the call ends, and records while
// the permit holds.
func (c *Call) bridge(ctx context.Context) error {
	c.heedKeys(c.agent)
	c.agent.stream.RelayTo(c.asked.stream)
	c.asked.stream.RelayTo(c.agent.stream)
	c.agent.began() // no ringback any more
	c.align(ctx)
	c.passKeys(c.asked, c.agent)
	c.passKeys(c.agent, c.asked)
	c.record(ctx)
	return c.until(ctx, nil)
}
