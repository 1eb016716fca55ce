package call

import (
	"context"
	"errors"
	"time"

	"consentgw/consent"
	"consentgw/internal/sdp"
	"consentgw/sip"
)

// answer accepts the caller's INVITE and starts to listen. It returns when the
// caller has acknowledged, so nothing is asked of a phone that is not there.
func (c *Call) answer(ctx context.Context, in *sip.Incoming) error {
	c.listen(c.asked)
	c.listen(c.agent)
	c.rec.Call.AnsweredAt = consent.Stamp(c.now())
	in.SetEarly(sip.Early{SessionID: c.rec.Call.Signalled.Sessions.Gateway}) // if it is too late, Answer says why
	leg, err := c.pickUp(ctx, in, c.asked)
	if errors.Is(err, sip.ErrCancelled) || errors.Is(err, sip.ErrUnreachable) {
		c.rec.Call.AnsweredAt = time.Time{} // it was too late for an answer
	}
	if err != nil {
		return err
	}
	c.follow(c.asked, leg)
	c.rec.Note(c.now(), "answered", "")
	c.publish()
	if in.Offer() == nil {
		return c.agreeLate(leg)
	}
	return nil
}

// pickUp answers the INVITE of p and serves the inbox until that is acknowledged:
// it may take as long as packets get lost, and the API does not wait for it.
func (c *Call) pickUp(ctx context.Context, in *sip.Incoming, p *party, headers ...sip.Header) (leg *sip.Leg, err error) {
	p.indication.aware = in.Supports(recordAware)
	c.annotate(p)
	described, dialog := p.described, c.inDialog(p, in.CallID())
	p.dialog = in.CallID()
	done := make(chan struct{})
	err = errPanic // unless Answer returns
	c.beside(func() {
		defer close(done)
		leg, err = in.Answer(ctx, described, dialog, headers...)
	})
	for {
		select {
		case <-done: // with ctx at the latest
			return leg, err
		case f := <-c.inbox:
			f()
		}
	}
}

// errNotUp: the dialog is not the party's, not yet or not any more.
var errNotUp = errors.New("the dialog is not up")

// inDialog is what a party may ask for inside its dialog; for one that is dialed
// there may be several, of which one becomes its own. The functions run on the
// leg's goroutine and do their work on the call's.
func (c *Call) inDialog(p *party, callID string) sip.InDialog {
	up := func() bool { return p.dialog == callID }
	return sip.InDialog{
		Offer: func(body []byte) (answer []byte, err error) {
			err = errNotUp
			e := c.do(p.running, func() {
				if up() {
					answer, err = c.renegotiate(p, body)
				}
			})
			return answer, errors.Join(e, err)
		},
		Offered: func(body []byte) {
			c.do(p.running, func() {
				if !up() {
					return
				}
				if err := c.change(p, func() error { return p.answered(body) }); err != nil {
					c.log.Warn("answer to our offer not usable: nothing changes", "party", p.name)
				}
			})
		},
		Info: func(contentType string, body []byte) int {
			if len(body) == 0 {
				return 200 // what it had to say stands in its headers
			}
			return c.infoFrom(p, contentType, body)
		},
		Heed: func(header func(string) []string) {
			if values := header(recordingHeader); len(values) > 0 {
				c.do(p.running, func() {
					if up() {
						c.heedHeader(p, values)
					}
				})
			}
		},
		Refer: func(r sip.Refer) (code int) {
			code = 480
			c.do(p.running, func() {
				if up() {
					code = c.refer(p, r)
				}
			})
			return code
		},
	}
}

// renegotiate answers an offer inside the dialog: another address, another
// law, hold or resume. A hold shuts the gate before it is answered.
func (c *Call) renegotiate(p *party, body []byte) ([]byte, error) {
	if body == nil { // an INVITE without an offer asks for ours
		return p.offerAnew()
	}
	offer, err := sdp.Parse(body)
	if err != nil {
		return nil, err
	}
	if err := c.change(p, func() error { return p.accept(offer) }); err != nil {
		return nil, err
	}
	c.annotate(p)
	return p.described, nil
}

// change applies what p has agreed to anew, and sees to the gate.
func (c *Call) change(p *party, apply func() error) error {
	wasHeld, spoke := p.held(), p.agreed.Audio
	if err := apply(); err != nil {
		return err
	}
	if p.held() != wasHeld {
		kind := "resumed"
		if p.held() {
			kind = "held"
		}
		c.remark(kind, "by "+p.name)
	}
	c.preferred(p)
	if c.unwilling() {
		c.withdraw(recordpref) // does nothing if there is no consent
	}
	c.regate()
	if !p.agreed.Audio.Same(spoke) {
		c.tellRecorders()
	}
	c.indicate()
	c.publish()
	return nil
}

// infoWait bounds how long one party waits for the other's answer to an INFO.
// Whatever it sends behind that waits as well.
const infoWait = time.Second

// passInfo hands an INFO to the other leg once the two are connected.
func (c *Call) passInfo(p *party, contentType string, body []byte) int {
	var other *sip.Leg
	if c.do(p.running, func() {
		if c.connected() && (p == c.asked || p == c.agent) {
			other = c.other(p).leg
		}
	}) != nil || other == nil {
		return 200
	}
	ctx, cancel := context.WithTimeout(p.running, infoWait)
	defer cancel()
	code, err := other.Info(ctx, contentType, body)
	if err != nil {
		return 200
	}
	return code
}

func (c *Call) other(p *party) *party {
	if p == c.asked {
		return c.agent
	}
	return c.asked
}
