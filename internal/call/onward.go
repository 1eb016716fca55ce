package call

import (
	"time"

	"consentgw/consent"
	"consentgw/internal/dtmf"
)

// info is one SIP INFO with a key on its way to the other party.
type info struct {
	contentType string
	body        []byte
	press       dtmf.Press
}

// infoFrom takes a SIP INFO of a party. One with a key is answered at once and
// passed on later, if at all: the next key may be the last of the withdraw
// sequence, and waits behind this one. Every other INFO is passed to the other
// side as it is.
func (c *Call) infoFrom(p *party, contentType string, body []byte) int {
	press, err := dtmf.ParseInfo(contentType, body, c.now())
	if err != nil {
		return c.passInfo(p, contentType, body)
	}
	select {
	case p.info <- press:
	default: // nobody reads: the call is closing, or an agent has not been put through
	}
	select {
	case p.pressed.onward <- info{contentType, body, press}:
	default: // the other side does not keep up
	}
	return 200
}

// passKeys hands the keys that one party presses by INFO from now on to the
// other, in order, until the agent of the two leaves or the call ends. Those that
// a sequence may begin with wait until that is decided, as in [media.Watch].
func (c *Call) passKeys(from, to *party) {
	onward, leg, running := from.pressed.onward, to.leg, c.agent.running
	discard(onward) // pressed before the two were connected
	w := c.newWaiting(from)
	c.beside(func() {
		for {
			var ready []info
			select {
			case i := <-onward:
				ready = w.take(i)
			case <-w.due:
				ready = w.release(len(w.keys))
			case <-running.Done():
				return
			}
			for _, i := range ready {
				leg.Info(running, i.contentType, i.body) // whatever the answer
			}
		}
	})
}

// waiting are keys by INFO that may be the beginning of a sequence. Owned by the
// goroutine that passes keys on.
type waiting struct {
	permit consent.Permit
	found  *dtmf.Sequences // nil: there are none
	hold   time.Duration
	keys   []info
	due    <-chan time.Time // when they are let go; nil: there are none
}

func (c *Call) newWaiting(from *party) *waiting {
	w := &waiting{permit: c.tape.permit, hold: c.route.holdBack}
	if c.route.policy == nil {
		return w
	}
	keys := c.route.policy.Keys
	if from != c.asked {
		keys.Withdraw = "" // is none of an agent's
	}
	w.found = sequencesOf(keys)
	return w
}

// take returns what is to be passed on now that a key has come.
func (w *waiting) take(i info) []info {
	begins := 0
	if w.found != nil && (len(w.keys) > 0 || w.permit.Valid()) {
		begins = w.found.Begins(i.press.Key, i.press.At)
		if w.found.Push(i.press) >= 0 {
			w.keys, w.due = nil, nil
			return nil
		}
	}
	w.keys = append(w.keys, i)
	ready := w.release(max(len(w.keys)-begins, 0))
	if len(w.keys) > 0 {
		w.due = time.After(w.hold)
	}
	return ready
}

// release lets the first n keys go.
func (w *waiting) release(n int) (ready []info) {
	ready, w.keys = w.keys[:n:n], w.keys[n:]
	if len(w.keys) == 0 {
		w.due = nil
	}
	return ready
}

// discard empties a channel without ever waiting: the goroutine that takes from it
// for the agent before may do so as well, until it has seen that it is to end.
func discard(onward <-chan info) {
	for {
		select {
		case <-onward:
		default:
			return
		}
	}
}
