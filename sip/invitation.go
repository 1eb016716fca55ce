package sip

import (
	"context"
	"errors"
	"sync"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// Bounds of an inbox; the reader is at work at all times, so both are far off.
const (
	maxProvisional = 256
	maxResponses   = 512
)

// An inbox holds the responses to one INVITE of ours in the order in which
// they came in. It has no limit to how many provisional ones may come in the
// course of a call (trap 2).
type inbox struct {
	ready chan struct{} // holds a token when there may be something to take

	mu    sync.Mutex // guards queue
	queue []*siplib.Response
}

// put adds a response. It never blocks: what nobody takes is dropped,
// provisional responses first.
func (b *inbox) put(res *siplib.Response) {
	limit := maxResponses
	if res.IsProvisional() {
		limit = maxProvisional
	}
	b.mu.Lock()
	if len(b.queue) < limit {
		b.queue = append(b.queue, res)
	}
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take returns the next response, or nil.
func (b *inbox) take() *siplib.Response {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return nil
	}
	res := b.queue[0]
	b.queue = b.queue[1:]
	return res
}

// An invitation is one INVITE of ours on its way, within a dialog or not.
type invitation struct {
	e       *Endpoint
	hop     hop
	req     *siplib.Request
	tx      *siplib.ClientTx
	branch  string
	half    halfID // zero for a re-INVITE
	inbox   inbox
	settled chan struct{} // closed when the result of the INVITE is in the registry
	pumped  chan struct{} // closed when the transaction has passed on its final response, or ended

	// Owned by the goroutine that takes from the inbox: first the caller of
	// await, then linger.
	heard     bool // there was a response
	cancelled bool // a CANCEL was sent
	alone     bool // the transaction was given up, its work is ours
}

// invite sends an INVITE that is complete. Responses come to the inbox; the
// transaction only repeats the INVITE, acknowledges what is not 2xx and times
// out.
func (e *Endpoint) invite(ctx context.Context, h hop, req *siplib.Request, half halfID) (*invitation, error) {
	inv := &invitation{
		e: e, hop: h, req: req, half: half,
		branch:  param(req.Via().Params, "branch"),
		inbox:   inbox{ready: make(chan struct{}, 1)},
		settled: make(chan struct{}),
		pumped:  make(chan struct{}),
	}
	e.registry.addInvitation(inv)
	tx, err := h.request(ctx, req)
	if err != nil {
		inv.settle()
		e.registry.removeInbox(inv.branch)
		return nil, err
	}
	inv.tx = tx
	if !e.spawn(inv.pump) {
		close(inv.pumped)
		tx.Terminate()
	}
	return inv, nil
}

// pump takes the transaction's own copies of the responses, without which it
// would stand still (trap 16), until it needs no more pumping.
func (inv *invitation) pump() {
	defer close(inv.pumped)
	for {
		select {
		case res := <-inv.tx.Responses():
			if !res.IsProvisional() {
				return
			}
		case <-inv.tx.Done():
			return
		}
	}
}

// settle lets requests go on that wait for the result of the INVITE.
func (inv *invitation) settle() {
	inv.e.registry.settle(inv)
	close(inv.settled)
}

// patience is how long an INVITE may take.
type patience struct{ first, answer time.Duration }

// await returns the final response to the INVITE, or the reason to give it up:
// the cause of ctx, ErrSilent, ErrNoAnswer, ErrUnreachable or ErrNotServing.
func (inv *invitation) await(ctx context.Context, p patience, progress func(*siplib.Response)) (*siplib.Response, error) {
	first, answer := time.NewTimer(p.first), time.NewTimer(p.answer)
	defer first.Stop()
	defer answer.Stop()
	for {
		for res := inv.inbox.take(); res != nil; res = inv.inbox.take() {
			inv.heard = true
			first.Stop()
			if !res.IsProvisional() {
				return res, nil
			}
			if res.StatusCode > 100 {
				progress(res)
			}
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
		}
		select {
		case <-inv.inbox.ready:
		case <-inv.tx.Done():
			if res := inv.inbox.final(); res != nil {
				return res, nil
			}
			return nil, failed(inv.tx)
		case <-first.C:
			if !inv.heard {
				return nil, ErrSilent
			}
		case <-answer.C:
			return nil, ErrNoAnswer
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-inv.e.draining:
			return nil, ErrNotServing
		}
	}
}

// final takes everything up to the first final response and returns that.
func (b *inbox) final() *siplib.Response {
	for res := b.take(); res != nil; res = b.take() {
		if !res.IsProvisional() {
			return res
		}
	}
	return nil
}

// statusError is a final response that is no 2xx, as an error.
func statusError(res *siplib.Response) error {
	err := &StatusError{
		Code: res.StatusCode, Reason: cleaned(res.Reason), RetryAfter: retryAfter(headerValue(res, "Retry-After")),
		demands: demandsOf(res),
	}
	switch {
	case err.Code < 400:
		err.Contacts = redirections(res)
	case err.Code == 422:
		err.minSE, _ = deltaSeconds(splitParams(headerValue(res, "Min-SE"))[0])
	}
	return err
}

// isStatus says whether err is a StatusError with one of the codes.
func isStatus(err error, codes ...int) bool {
	var status *StatusError
	if !errors.As(err, &status) {
		return false
	}
	for _, c := range codes {
		if status.Code == c {
			return true
		}
	}
	return false
}
