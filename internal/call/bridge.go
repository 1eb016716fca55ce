package call

import "context"

// bridge records while the permit holds, until the call ends. The parties have
// been connected, see join.
func (c *Call) bridge(ctx context.Context) error {
	c.record(ctx)
	return c.until(ctx, nil)
}
