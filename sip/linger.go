package sip

import (
	"context"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// linger takes what still comes for an INVITE after its result is known, for
// 64*T1: repeated and late 2xx go to on2xx. If the INVITE was abandoned, it is
// cancelled as soon as that is allowed.
func (inv *invitation) linger(abandoned bool, on2xx func(*siplib.Response)) {
	defer inv.e.registry.removeInbox(inv.branch)
	defer inv.e.guard("lingering on an INVITE", nil)
	if abandoned {
		// At the end, so that an answer to the CANCEL is acknowledged.
		defer inv.tx.Terminate()
		inv.withdraw()
	}
	timer := time.NewTimer(inv.e.timeout())
	defer timer.Stop()
	for {
		for res := inv.inbox.take(); res != nil; res = inv.inbox.take() {
			inv.heard = true
			switch {
			case res.IsSuccess():
				on2xx(res)
			case !abandoned:
			case res.IsProvisional():
				inv.withdraw()
			case inv.alone:
				inv.acknowledge(res)
			default:
				inv.refused()
				return
			}
		}
		select {
		case <-inv.inbox.ready:
		case <-timer.C:
			return
		case <-inv.e.quit:
			return
		}
	}
}

// withdraw sends the CANCEL, once, if the far end was heard: before that it may
// not be sent (RFC 3261 section 9.1). An INVITE without any response is just
// not repeated any more; if one comes late, the CANCEL follows.
func (inv *invitation) withdraw() {
	if !inv.heard && !inv.alone {
		inv.alone = true
		inv.tx.Terminate()
	}
	if !inv.heard || inv.cancelled {
		return
	}
	inv.cancelled = true
	req := cancelOf(inv.req)
	inv.hop.aim(req)
	e := inv.e
	e.spawn(func() {
		defer e.guard("sending a CANCEL", nil)
		if _, err := e.transact(context.Background(), inv.hop, req); err != nil {
			e.log.Debug("sip CANCEL without an answer", "error", err)
		}
	}, &e.sends)
}

// refused waits until the transaction has acknowledged a final response: it
// does so on a goroutine of its own, and must not be terminated before.
func (inv *invitation) refused() {
	select {
	case <-inv.tx.Done():
	case <-inv.pumped:
	case <-inv.e.quit:
	}
}

// acknowledge answers a final response to an INVITE whose transaction was
// given up.
func (inv *invitation) acknowledge(res *siplib.Response) {
	req := ackOf(inv.req, res)
	inv.hop.aim(req)
	inv.hop.write(req)
}

// write sends an ACK. An error is one more lost packet: the response comes
// again, and so will the ACK.
// A connection may have to be opened, but not for longer than for a request.
func (h hop) write(ack *siplib.Request) {
	ctx, cancel := context.WithTimeout(h.stack.ending, connectTimeout)
	defer cancel()
	c, err := h.stack.tpl.ClientRequestConnection(ctx, ack)
	if err != nil {
		return
	}
	defer c.TryClose()
	_ = c.WriteMsg(ack)
}
