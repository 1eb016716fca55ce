package call

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"consentgw/consent"
	"consentgw/internal/target"
	"consentgw/sip"

	"github.com/google/uuid"
)

// A transfer puts another agent in the place of the one there is, by a REFER
// that the gateway carries out itself, or by an INVITE that replaces the agent's
// dialog. The asked party, its decision and its permit stay what they are. Owned
// by the call's goroutine.
type transfer struct {
	next  *party          // who is to be the agent
	said  consent.Outcome // what the last INVITE, or the answer to one, said of the consent
	left  error           // the agent has hung up meanwhile: the end of its dialog
	early bool            // next sends media before its answer
	stop  context.CancelFunc
}

// errNoTransfer: nobody is left to talk to.
var errNoTransfer = errors.New("transfer failed after the agent had left")

// referral is a REFER that was accepted. Constant.
type referral struct {
	sip.Refer
	leg     *sip.Leg // it came by
	byAgent bool     // who may be named: what a caller says of itself goes through present alone
	ways    []way
}

// maxTransfers is how often one call may get another agent: the media ports of
// each are kept until its end.
const maxTransfers = 20

// refer judges a REFER of p and begins to carry it out. It returns the status to
// answer it with (RFC 3515 section 2.4.4).
func (c *Call) refer(p *party, r sip.Refer) int {
	switch {
	case !c.connected() || p != c.asked && p != c.agent || c.agent.leg == nil:
		return 480
	case !c.mayTransfer(p):
		return 603
	case c.transfer != nil:
		return 491
	case len(c.former) >= maxTransfers:
		return 603
	}
	ways, ok := c.destination(r)
	if !ok {
		c.log.Warn("REFER refused: no host of the platform's", "party", p.name)
		return 403
	}
	next, code := c.beginTransfer("by " + p.name)
	if code != 0 {
		return code
	}
	ctx, stop := context.WithCancel(c.asked.running)
	c.transfer.stop = stop
	asked := referral{r, p.leg, p == c.agent, ways}
	c.beside(func() {
		defer stop()
		c.carryOut(ctx, asked, next)
	})
	return 202
}

// mayTransfer reports whether the configuration lets a party transfer the call.
func (c *Call) mayTransfer(p *party) bool {
	who := "agent"
	if p == c.asked {
		who = "caller"
	}
	return slices.Contains(c.route.platform.Transfers.By, who)
}

// destination is where a REFER may lead. A number at the gateway's own address,
// or none but a number, is called at the platform's targets.
func (c *Call) destination(r sip.Refer) ([]way, bool) {
	user, address, ok := target.Split(r.To)
	if !ok {
		return nil, false
	}
	if address == "" || c.svc.knownAs(address) {
		called, err := url.PathUnescape(user)
		if err != nil || called == "" || r.Replaces != nil {
			return nil, false
		}
		var ways []way
		for _, t := range c.route.platform.Targets.Order(c.now()) {
			w := c.wayTo(t)
			w.called = called
			ways = append(ways, w)
		}
		return ways, len(ways) > 0
	}
	lead, ok := c.route.platform.Targets.Lead(r.To, c.route.platform.Transfers.To)
	return []way{c.leadTo(lead)}, ok
}

// knownAs reports whether an address, with its port or without, is one that
// platforms know the gateway by.
func (s *Service) knownAs(address string) bool {
	return slices.ContainsFunc(s.Platform.Addrs(), func(a sip.Addr) bool {
		return address == a.AddrPort.String() || address == hostForm(a.AddrPort.Addr())
	})
}

// beginTransfer opens the media of the next agent. It returns a status if that cannot be.
func (c *Call) beginTransfer(text string) (*party, int) {
	next, err := c.newParty("agent", c.svc.PlatformPorts, c.agent.signalled)
	if err != nil {
		c.log.Warn("transfer refused: no media ports")
		return nil, 503
	}
	c.listen(next)
	c.transfer = &transfer{next: next, stop: func() {}}
	c.remark("transfer_begun", text)
	c.publish()
	return next, 0
}

// carryOut calls where the REFER leads, and tells who asked for it how that goes
// (RFC 3515 section 2.4.4).
func (c *Call) carryOut(ctx context.Context, r referral, next *party) {
	tell := c.notifier(r)
	defer close(tell)
	tell <- 100
	err := errNoTarget
	for _, w := range r.ways {
		err = c.transferTo(ctx, r, next, w, tell)
		if err == nil {
			tell <- 200
			return
		}
		if ctx.Err() != nil || !c.route.platform.FailoverOn.Has(failureCode(err)) {
			break
		}
	}
	code := failureCode(err)
	if code < 300 {
		code = 503
	}
	c.do(ctx, func() { c.transferFailed(next, err) }) // so that another try may follow the NOTIFY at once
	tell <- code
}

// notifier sends NOTIFYs in order, beside everything else: who asked for the
// transfer may take its time to answer them. Provisional ones are told once each.
func (c *Call) notifier(r referral) chan<- int {
	codes := make(chan int, 16)
	c.beside(func() {
		last := 0
		for code := range codes {
			if code == last {
				continue
			}
			last = code
			// Who has hung up waits for it all the same, and so does the end of the call.
			ctx, cancel := context.WithTimeout(context.Background(), byeWait)
			if err := r.leg.NotifyRefer(ctx, r.ID, code, phrase(code)); err != nil {
				c.log.Debug("progress of a transfer not told", "error", err)
			}
			cancel()
			if code >= 200 {
				c.do(c.asked.running, c.dismissFormer)
			}
		}
	})
	return codes
}

// phrase is that of a class of status; the fragment of a NOTIFY needs one.
func phrase(code int) string {
	return [...]string{1: "Trying", 2: "OK", 3: "Redirected", 4: "Refused", 5: "Failed", 6: "Declined"}[code/100]
}

// transferTo calls one place and, if somebody answers, hands the call over.
func (c *Call) transferTo(ctx context.Context, r referral, next *party, w way, tell chan<- int) error {
	inv := sip.Invite{
		Target: w.uri, Called: w.called, CallID: uuid.NewString(),
		FirstResponse: c.svc.firstResponse, Answer: c.route.platform.AnswerTimeout,
		Auth: credentials(w.target), TLS: clientTLS(w.target, w.certified),
		Extensions: sip.Extensions{Reliable: sip.ReliableIfSupported},
	}
	inv.InDialog = c.inDialog(next, inv.CallID)
	inv.Progress = func(code int, body []byte) {
		select {
		case tell <- code:
		default: // it does not listen
		}
		c.do(ctx, func() { c.hearNext(next, body) })
	}
	if err := c.do(ctx, func() {
		c.ringNext(next)
		next.dialog = inv.CallID
		inv.Offer = next.offer(c.asked, c.route.trunk.Codecs)
		told := c.present(w.target)
		c.transfer.said = c.rec.Outcome
		inv.Caller, inv.Headers, inv.Present = told.caller, told.headers, told.present
	}); err != nil {
		return err
	}
	if r.ReferredBy != "" && r.byAgent {
		inv.Headers = append(inv.Headers, sip.Header{Name: "Referred-By", Value: "<" + r.ReferredBy + ">"})
	}
	if r.Replaces != nil {
		inv.Headers = append(inv.Headers, sip.Header{Name: "Replaces", Value: r.Replaces.String()})
		inv.Extensions.Require = []string{"replaces"}
	}
	leg, err := c.svc.Platform.Dial(ctx, inv)
	if err != nil {
		return err
	}
	if e := c.do(ctx, func() { err = c.handOver(next, leg, w.place) }); e != nil || err != nil {
		dismiss(ctx, leg)
		return errors.Join(e, err)
	}
	return nil
}

// handOver makes next the agent. Nothing is recorded until that is done; then
// the recording goes on under the same permit.
func (c *Call) handOver(next *party, leg *sip.Leg, place string) error {
	if err := next.answered(leg.SDP()); err != nil {
		return err
	}
	c.replaceAgent(next, leg, place)
	return nil
}

func (c *Call) replaceAgent(next *party, leg *sip.Leg, place string) {
	old, said := c.agent, c.transfer.said
	c.moving = true
	c.regate()
	c.asked.silence() // a ringback tone, if the agent has left
	old.stream.TapTo(nil)
	old.stream.RelayTo(nil)
	old.dialog = ""
	old.stop()
	c.former = append(c.former, old)
	c.agent, c.transfer = next, nil
	c.tape.transfers = append(c.tape.transfers, consent.Stamp(c.now()))
	next.dialog = leg.CallID()
	next.stream.TapTo(c.tape.agent)
	next.began()
	c.follow(next, leg)
	c.joinSessions(leg)
	c.talk()
	c.rec.Call.FormerCallIDs = append(slices.Clip(c.rec.Call.FormerCallIDs), c.rec.Call.PlatformCallID)
	c.rec.Call.Target, c.rec.Call.PlatformCallID = place, leg.CallID()
	c.remark("transferred", "to "+place+", Call-ID "+leg.CallID())
	c.moving = false
	c.regate()
	c.tellRecorders()          // who it is now, whether the gate is open or not
	if said != c.rec.Outcome { // taken back meanwhile
		c.inform()
	}
	c.publish()
}

// dismissFormer hangs up on agents who were replaced. Their media ports are given
// back at the end of the call: a packet may be on its way there.
func (c *Call) dismissFormer() {
	for _, p := range c.former {
		if leg := p.leg; leg != nil {
			p.leg = nil
			c.beside(func() {
				ctx, cancel := context.WithTimeout(context.Background(), byeWait)
				defer cancel()
				leg.Bye(ctx, "transferred")
			})
		}
	}
}

// transferFailed keeps the agent there is, or ends the call if it has left.
func (c *Call) transferFailed(next *party, err error) {
	t := c.transfer
	if t == nil || t.next != next {
		return
	}
	c.transfer = nil
	c.beside(next.hush) // nobody sends by its stream: its ports may go back
	c.remark("transfer_failed", failureWord(err))
	c.publish()
	if t.left != nil {
		c.end(errNoTransfer)
	}
}

// agentGone ends the call with the agent's dialog, unless the agent is being
// replaced: then the caller waits for the next one, and nothing is recorded.
func (c *Call) agentGone(p *party, cause error) {
	switch {
	case p != c.agent: // a former one
	case c.transfer == nil:
		c.end(&legEnded{p.name, cause})
	default:
		c.transfer.left = cause
		p.stream.RelayTo(nil)
		c.regate()
		c.remark("agent_left", "during a transfer")
		c.publish()
		c.ring()
		c.hearNext(c.transfer.next, nil)
	}
}

// ring lets the asked party hear that somebody is called.
func (c *Call) ring() { c.speak(func(ctx context.Context) { c.asked.stream.Ring(ctx) }) }

// ringNext undoes the early media of a place that failed after it.
func (c *Call) ringNext(next *party) {
	t := c.transfer
	if t == nil || t.next != next || !t.early {
		return
	}
	t.early = false
	next.stream.RelayTo(nil)
	if t.left != nil {
		c.ring()
	}
}

// hearNext lets the asked party hear the early media of the next agent, once the
// one before has left.
func (c *Call) hearNext(next *party, body []byte) {
	t := c.transfer
	if t == nil || t.next != next {
		return
	}
	if len(body) > 0 && next.answered(body) == nil {
		t.early = true
	}
	if t.early && t.left != nil {
		c.asked.silence()
		next.stream.RelayTo(c.asked.stream)
	}
}

// pausedByTransfer reports whether there is nobody to be recorded just now.
func (c *Call) pausedByTransfer() bool {
	return c.moving || c.transfer != nil && c.transfer.left != nil
}
