package sip

import (
	"context"
	"errors"
	"fmt"

	siplib "github.com/emiago/sipgo/sip"
)

// Info sends an INFO (RFC 6086 section 4, legacy usage) and returns the final
// status of its answer, whatever it is. Without an answer the error is
// ErrSilent, ErrUnreachable, or the cause of ctx or of the leg's end. A 481
// ends the leg (RFC 5057 section 5.1).
func (l *Leg) Info(ctx context.Context, contentType string, body []byte) (code int, err error) {
	if err := checkValue("Content-Type", contentType); err != nil {
		return 0, err
	}
	if len(body) > 0 && contentType == "" {
		return 0, errors.New("sip: an INFO with a body needs a Content-Type")
	}
	e := l.dialog.e
	if !e.enter(drains) {
		return 0, ErrNotServing
	}
	defer e.leave()
	ctx, cancel := l.within(ctx)
	defer cancel()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	res, err := l.dialog.ask(ctx, siplib.INFO, func(req *siplib.Request) {
		if len(body) > 0 {
			req.AppendHeader(siplib.NewHeader("Content-Type", contentType))
			req.SetBody(body)
		}
	})
	if err != nil {
		return 0, err
	}
	if res.StatusCode == 481 {
		l.hangUp("", fmt.Errorf("sip: the far end does not know the dialog: %w", &StatusError{Code: 481}))
	}
	return res.StatusCode, nil
}

// within returns a context that ends with ctx or with the leg, with the cause
// of the one that ended.
func (l *Leg) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })
	if l.ctx.Err() != nil {
		cancel(context.Cause(l.ctx)) // at once; AfterFunc takes a moment
	}
	return ctx, func() { stop(); cancel(nil) }
}

// onInfo answers an INFO.
func (l *Leg) onInfo(r responder) {
	if headerValue(r.req, "Info-Package") != "" {
		// RFC 6086 section 4.2.2: we accept no package, and say so.
		r.answer(469, "Bad Info Package", Header{"Recv-Info", ""})
		return
	}
	handle := l.handlers()
	switch {
	case handle.Info == nil && len(r.req.Body()) > 0:
		r.answer(415, "Unsupported Media Type")
		return
	case handle.Info == nil:
		r.answer(200, "OK") // a keep-alive
		return
	}
	code := handle.Info(headerValue(r.req, "Content-Type"), r.req.Body())
	switch {
	case code == 415:
		r.answer(415, "Unsupported Media Type", Header{"Accept", "application/dtmf-relay, application/dtmf"})
	case code < 200 || code > 699:
		r.answer(500, "Server Internal Error")
	default:
		r.answer(code, phrase(code))
	}
}

// phrase is the reason phrase of the statuses that an INFO is answered with.
func phrase(code int) string {
	switch {
	case code < 300:
		return "OK"
	case code == 469:
		return "Bad Info Package"
	case code < 500:
		return "Bad Request"
	}
	return "Server Internal Error"
}
