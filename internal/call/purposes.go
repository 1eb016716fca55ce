package call

import (
	"strings"

	"consentgw/consent"
)

// purposesTold are the granted purposes, for a platform; empty where all share one
// answer, which it is told anyway.
func (c *Call) purposesTold() string {
	if c.route.policy == nil || !c.several() || !c.tape.permit.Valid() {
		return ""
	}
	var granted []string
	for _, g := range c.rec.Purposes {
		if g.Granted {
			granted = append(granted, g.Purpose)
		}
	}
	return strings.Join(granted, ",")
}

// stopFor shuts the gates of the recorders for which nothing but these purposes
// was granted. When it returns no copy is on its way to them; the others go on.
func (c *Call) stopFor(purposes []string) {
	for _, o := range c.tape.open {
		if !o.permit.ValidWithout(purposes) {
			o.gate.Shut()
		}
	}
	c.tape.permit.RevokeFor(purposes)
	c.closeUnpermitted()
	c.pass(c.tape.passing) // it may have been the last that was on
}

// closeUnpermitted gives up the openings that have no permit any more, and closes
// in the evidence what is open without one. The recordings stay open in the process
// until close, so that a copy that should not be would still be counted.
func (c *Call) closeUnpermitted() {
	for _, a := range c.tape.trying {
		if !a.permit.Valid() {
			a.giveUp()
		}
	}
	at := consent.Stamp(c.now())
	for i := range c.tape.open {
		o := &c.tape.open[i]
		if o.over || o.permit.Valid() {
			continue
		}
		o.over = true
		o.atStop = o.Caller().Counts().Sent + o.Agent().Counts().Sent
		r := &c.rec.Recordings[o.index]
		r.State, r.ClosedAt = consent.RecordingOff, at
		r.EndPause(at)
		c.count(*o, r)
	}
}

// withdrawSome takes the consent back for some purposes: close, then store.
func (c *Call) withdrawSome(method string, purposes []string) bool {
	c.stopFor(purposes)
	if !c.rec.Withdraw(c.now(), method, purposes...) {
		return false
	}
	if c.rec.Outcome == consent.Withdrawn {
		c.stopTape()
	}
	c.tellRecorders()
	c.log.Info("consent withdrawn for some purposes", "method", method)
	c.publish()
	c.confirm()
	return true
}
