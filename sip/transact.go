package sip

import (
	"context"
	"errors"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// transact sends a request other than INVITE or ACK and returns its final
// response. Provisional ones are skipped (trap 11). It gives up after 64*T1.
// The transaction is always terminated: one that is left alone blocks a
// goroutine for ever at the next response (trap 16).
func (e *Endpoint) transact(ctx context.Context, h hop, req *siplib.Request) (*siplib.Response, error) {
	tx, err := h.request(ctx, req)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	timer := time.NewTimer(e.timeout())
	defer timer.Stop()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, failed(tx)
		case <-timer.C:
			return nil, ErrSilent
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-e.quit:
			return nil, ErrNotServing
		}
	}
}

// request starts a client transaction.
func (h hop) request(ctx context.Context, req *siplib.Request) (*siplib.ClientTx, error) {
	dial, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	defer context.AfterFunc(h.stack.ending, cancel)()
	tx, err := h.stack.txl.Request(dial, req)
	if err != nil {
		return nil, unreachable(err)
	}
	return tx, nil
}

// failed says why a client transaction ended without a final response.
func failed(tx *siplib.ClientTx) error {
	err := tx.Err()
	if errors.Is(err, siplib.ErrTransactionTimeout) {
		return ErrSilent
	}
	return unreachable(err)
}

// Options asks a target for a sign of life and returns the status of its
// answer, whatever it is. Without one the error is ErrSilent after 64*T1,
// ErrUnreachable, or the cause of ctx.
func (e *Endpoint) Options(ctx context.Context, target string) (code int, err error) {
	if _, err := e.serveContext(); err != nil {
		return 0, err
	}
	t, err := parseTarget(target)
	if err != nil {
		return 0, err
	}
	if !e.enter(serving) {
		return 0, ErrNotServing
	}
	defer e.leave()
	h, err := e.hop(ctx, t.transport, t.host, t.port)
	if err != nil {
		return 0, err
	}
	req := e.newRequest(siplib.OPTIONS, h, t.uri(t.user), "", newToken())
	req.AppendHeader(siplib.NewHeader("Accept", accepted))
	req.SetBody(nil)
	h.stamp(req)
	res, err := e.transact(ctx, h, req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, nil
}

// newRequest makes a request outside of a dialog, without Via and body. An
// empty caller is us.
func (e *Endpoint) newRequest(method siplib.RequestMethod, h hop, uri siplib.Uri, caller, callID string) *siplib.Request {
	req := siplib.NewRequest(method, uri)
	to := &siplib.ToHeader{Address: siplib.Uri{Scheme: "sip", User: uri.User, Host: uri.Host, Port: uri.Port}}
	from := &siplib.FromHeader{Address: siplib.Uri{Scheme: "sip", User: escapeUser(caller), Host: h.local.Addr().String()}}
	from.Params.Add("tag", newToken())
	forwards, id := siplib.MaxForwardsHeader(maxForwards), siplib.CallIDHeader(callID)
	for _, hdr := range []siplib.Header{
		&forwards, from, to, &id, &siplib.CSeqHeader{SeqNo: 1, MethodName: method},
		h.contact(), siplib.NewHeader("User-Agent", e.userAgent),
	} {
		req.AppendHeader(hdr)
	}
	return req
}
