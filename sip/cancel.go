package sip

import (
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// onCancel handles a CANCEL for which sipgo found no INVITE. Either the INVITE
// is a few instructions away on another goroutine, or it comes later, or there
// is none (trap 7). In the last two cases a tombstone was left when the CANCEL
// came in: an INVITE that finds it is answered 487.
func (e *Endpoint) onCancel(r responder, a arrival) {
	switch {
	case a.invite != nil:
		a.invite.cancel()
		r.answer(200, "OK")
		return
	case a.tomb == nil: // of a re-INVITE that is over
		r.dismiss(refuse(481, "Call/Transaction Does Not Exist"))
		return
	}
	timer := time.NewTimer(e.t1)
	defer timer.Stop()
	select {
	case <-a.tomb.met:
		r.answer(200, "OK")
	case <-timer.C:
		r.answer(481, "Call/Transaction Does Not Exist")
	case <-e.quit:
		r.tx.Terminate()
	}
}

// cancelOf builds the CANCEL of an INVITE from the INVITE alone (RFC 3261
// section 9.1): same request URI, top Via, From, To, Call-ID, number and Route
// (traps 4 and 5). Nothing of a response goes into it.
func cancelOf(invite *siplib.Request) *siplib.Request {
	req := siplib.NewRequest(siplib.CANCEL, *invite.Recipient.Clone())
	req.AppendHeader(invite.Via().Clone())
	copyDialog(invite, req)
	cseq := siplib.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: siplib.CANCEL}
	req.AppendHeader(&cseq)
	siplib.CopyHeaders("Route", invite, req)
	req.SetBody(nil)
	return req
}

// ackOf builds the ACK to a final response other than 2xx (RFC 3261 section
// 17.1.1.3), for an INVITE whose transaction is gone.
func ackOf(invite *siplib.Request, res *siplib.Response) *siplib.Request {
	req := siplib.NewRequest(siplib.ACK, *invite.Recipient.Clone())
	req.AppendHeader(invite.Via().Clone())
	copyDialog(invite, req)
	req.To().Params = res.To().Params.Clone()
	cseq := siplib.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: siplib.ACK}
	req.AppendHeader(&cseq)
	siplib.CopyHeaders("Route", invite, req)
	req.SetBody(nil)
	return req
}

// copyDialog copies Max-Forwards, From, To and Call-ID.
func copyDialog(from, to *siplib.Request) {
	hops := siplib.MaxForwardsHeader(maxForwards)
	to.AppendHeader(&hops)
	siplib.CopyHeaders("From", from, to)
	siplib.CopyHeaders("To", from, to)
	siplib.CopyHeaders("Call-ID", from, to)
}
