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

// ask sends a request within the dialog, completed by fill, and returns its
// final response. A challenge is answered once, if it comes from where the
// INVITE went and is of a realm that challenged the INVITE.
func (d *dialog) ask(ctx context.Context, method siplib.RequestMethod, fill func(*siplib.Request)) (*siplib.Response, error) {
	for challenged := false; ; challenged = true {
		req, h, err := d.build(ctx, method, d.nextSeq())
		if err != nil {
			return nil, err
		}
		fill(req)
		if challenged {
			for _, hdr := range d.auth.headers(req) {
				req.AppendHeader(siplib.NewHeader(hdr.Name, hdr.Value))
			}
		}
		res, err := d.e.transact(ctx, h, req)
		if err != nil || challenged || h.dest != d.peer || !d.auth.renew(res) {
			return res, err
		}
	}
}

// request starts a client transaction.
func (h hop) request(ctx context.Context, req *siplib.Request) (*siplib.ClientTx, error) {
	dial, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	defer context.AfterFunc(h.stack.ending, cancel)()
	tx, err := h.stack.txl.Request(dial, req)
	if errors.Is(err, context.Canceled) && dial.Err() == nil {
		// The connection was being opened for somebody else, who gave up.
		tx, err = h.stack.txl.Request(dial, req)
	}
	if err != nil {
		return nil, unreachable(err)
	}
	h.stack.flows.opened(h.dest)
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
// ErrUnreachable, or the cause of ctx; every address of the target is asked, one
// after the other.
func (e *Endpoint) Options(ctx context.Context, target string) (code int, err error) {
	return e.OptionsTLS(ctx, target, nil)
}

// OptionsTLS is Options for a target that is reached by TLS, with what Invite.TLS
// is for calls.
func (e *Endpoint) OptionsTLS(ctx context.Context, target string, files *ClientTLS) (code int, err error) {
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
	hops, err := e.hops(ctx, t, files)
	if err != nil {
		return 0, err
	}
	for _, h := range hops {
		if code, err = e.ping(ctx, t, h); err == nil || ctx.Err() != nil {
			break
		}
	}
	return code, err
}

// ping sends one OPTIONS.
func (e *Endpoint) ping(ctx context.Context, t target, h hop) (code int, err error) {
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
	us, _ := h.stack.public.name(h.local)
	from := &siplib.FromHeader{Address: siplib.Uri{Scheme: "sip", User: escapeUser(caller), Host: us}}
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
