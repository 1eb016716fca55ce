package call

import (
	"context"

	"consentgw/consent"
	"consentgw/internal/dtmf"
	"consentgw/internal/sdp"
	"consentgw/sip"
)

// answer accepts the caller's INVITE and starts to listen. It returns when the
// caller has acknowledged, so nothing is asked of a phone that is not there.
func (c *Call) answer(ctx context.Context, in *sip.Incoming) error {
	c.caller.listen(c.guard)
	c.agent.listen(c.guard)
	gone := context.AfterFunc(in.Context(), func() { c.end(context.Cause(in.Context())) })
	c.rec.Call.AnsweredAt = consent.Stamp(c.now()) // keys count from here on, never before
	leg, err := in.Answer(ctx, c.caller.described, c.inDialog(c.caller))
	gone()
	if err != nil {
		return err
	}
	c.follow(c.caller, leg)
	c.rec.Note(c.now(), "answered", "")
	c.publish()
	return nil
}

// inDialog is what a party may ask for inside its dialog. The functions run on
// the leg's goroutine and do their work on the call's.
func (c *Call) inDialog(p *party) sip.InDialog {
	return sip.InDialog{
		Offer: func(body []byte) (answer []byte, err error) {
			if e := c.do(p.running, func() { answer, err = c.renegotiate(p, body) }); e != nil {
				return nil, e
			}
			return answer, err
		},
		Info: func(contentType string, body []byte) int {
			return c.infoFrom(p, contentType, body)
		},
	}
}

// renegotiate answers an offer inside the dialog: another address, another
// law, hold or resume. A hold shuts the gate before it is answered.
func (c *Call) renegotiate(p *party, body []byte) ([]byte, error) {
	if body == nil { // an INVITE without an offer asks for ours
		return p.described, nil
	}
	offer, err := sdp.Parse(body)
	if err != nil {
		return nil, err
	}
	wasHeld := p.held()
	if err := p.accept(offer); err != nil {
		return nil, err
	}
	if p.held() != wasHeld {
		kind := "resumed"
		if p.held() {
			kind = "held"
		}
		c.remark(kind, "by "+p.name)
	}
	c.regate()
	c.publish()
	return p.described, nil
}

// infoFrom takes a key by SIP INFO from the caller. Only the asked party's keys
// mean anything here; every other INFO is passed to the other side as it is.
func (c *Call) infoFrom(p *party, contentType string, body []byte) int {
	press, err := dtmf.ParseInfo(contentType, body, c.now())
	if err != nil || p != c.caller {
		return c.passInfo(p, contentType, body)
	}
	select {
	case p.info <- press:
	default: // nobody reads any more: the call is closing
	}
	return c.passInfo(p, contentType, body)
}

// passInfo hands an INFO to the other leg if there is one.
func (c *Call) passInfo(p *party, contentType string, body []byte) int {
	var other *sip.Leg
	if c.do(p.running, func() { other = c.other(p).leg }) != nil || other == nil {
		return 200
	}
	code, err := other.Info(p.running, contentType, body)
	if err != nil {
		return 200
	}
	return code
}

func (c *Call) other(p *party) *party {
	if p == c.caller {
		return c.agent
	}
	return c.caller
}
