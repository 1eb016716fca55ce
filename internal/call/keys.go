package call

import (
	"consentgw/consent"
	"consentgw/internal/dtmf"
	"consentgw/internal/media"
)

// Why a key sequence puts the brake on.
const (
	stopWithdrawn media.Stop = 1 << iota
	stopPausedByAsked
	stopPausedByAgent
)

// heedKeys lets the packet path look for the sequences of the policy in a party's
// keys: it shuts the gates at the packet that completes one (close, then store),
// and keeps these keys from the other party. Without a consent there is nothing
// to look for.
func (c *Call) heedKeys(p *party) {
	if c.tape.brake == nil {
		return
	}
	keys := c.route.policy.Keys
	var list []media.Sequence
	add := func(keys string, stop media.Stop) {
		if keys != "" {
			list = append(list, media.Sequence{Keys: keys, Stop: stop})
		}
	}
	if p == c.asked {
		add(keys.Withdraw, stopWithdrawn)
		add(keys.Pause, stopPausedByAsked)
	} else {
		add(keys.Pause, stopPausedByAgent)
	}
	add(keys.Resume, 0)
	if len(list) > 0 {
		p.stream.Watch(media.Watch{Permit: c.tape.permit, Brake: c.tape.brake, Sequences: list, Hold: c.route.holdBack})
	}
}

// stops has a token when the packet path has shut the gates.
func (t *tape) stops() <-chan struct{} {
	if t.brake == nil {
		return nil
	}
	return t.brake.News()
}

// stopped does what the keys meant at whose last packet the gates were shut. What a
// withdrawal has stopped is never opened again.
func (c *Call) stopped() {
	why := c.tape.brake.On()
	if why&stopWithdrawn != 0 {
		c.withdraw(byKey) // does nothing if that was done by other means
	}
	for _, pause := range []struct {
		stop media.Stop
		by   *party
	}{{stopPausedByAsked, c.asked}, {stopPausedByAgent, c.agent}} {
		if why&pause.stop == 0 {
			continue
		}
		c.effect(pause.by, c.pauseBy(byKey, pause.by))
		c.tape.brake.Heed(pause.stop)
	}
}

// The places of the sequences of a policy in that order.
const (
	withdrawKeys = iota
	pauseKeys
	resumeKeys
)

func sequencesOf(k consent.Keys) *dtmf.Sequences {
	return dtmf.NewSequences(k.Withdraw, k.Pause, k.Resume)
}

// pressed looks for the sequences of the policy in a party's keys, whatever way
// they come. The asked party's count at any time after the decision; the agent's
// pause and resume, and decide nothing.
func (c *Call) pressed(p *party, d dtmf.Press) {
	if !p.fresh(d) {
		return
	}
	if p == c.asked {
		c.svc.Metrics.Press(string(d.Method))
	}
	if c.route.policy == nil {
		return
	}
	if c.tape.brake != nil && c.tape.brake.On()&^stopWithdrawn != 0 {
		c.stopped() // before what was pressed after it
	}
	if p.pressed.sequence == nil {
		p.pressed.sequence = sequencesOf(c.route.policy.Keys)
	}
	switch p.pressed.sequence.Push(d) {
	case withdrawKeys:
		if p == c.asked {
			c.withdraw(byKey)
		}
	case pauseKeys:
		c.effect(p, c.pauseBy(byKey, p))
	case resumeKeys:
		c.effect(p, c.resumeBy(byKey, p))
	}
}

// effect says in the log why a sequence had none.
func (c *Call) effect(p *party, err error) {
	if err != nil {
		c.log.Debug("key sequence without effect", "party", p.name, "error", err)
	}
}
