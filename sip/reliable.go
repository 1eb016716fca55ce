package sip

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	siplib "github.com/emiago/sipgo/sip"
)

// Reliable says when provisional responses are made reliable (RFC 3262).
type Reliable int

const (
	// ReliableIfRequired does it only if the far end insists.
	ReliableIfRequired Reliable = iota
	// ReliableIfSupported does it whenever both sides can.
	ReliableIfSupported
	// ReliableAlways is for Dial: a far end that cannot is to refuse the call.
	ReliableAlways
)

// ErrNoPRACK is the cause of Incoming.Context after a reliable provisional
// response was repeated for 64*T1 without a PRACK. The INVITE has been
// answered 504 (RFC 3262 section 3).
var ErrNoPRACK = errors.New("sip: no PRACK for our provisional response")

// maxUnacknowledged is how many reliable responses may wait for their turn.
const maxUnacknowledged = 16

// reliables sends provisional responses to one INVITE reliably: each is
// repeated until its PRACK, and the next one waits for that (RFC 3262 section
// 3 lets it).
type reliables struct {
	in *Incoming

	mu      sync.Mutex  // guards what follows; taken after Incoming.mu
	queue   []*reliable // the first one is being sent
	running bool
	rseq    uint32        // of the last one sent
	over    bool          // there is a final response
	stopped chan struct{} // closed when over
	agreed  bool          // a session description is queued or sent
}

// A reliable is one provisional response on its way.
type reliable struct {
	code   int
	reason string
	sdp    []byte
	offer  bool // the session description is an offer of ours
	rseq   uint32
	taken  bool          // its PRACK is being handled
	acked  chan struct{} // closed when its PRACK is answered
}

func newReliables(in *Incoming) *reliables {
	return &reliables{in: in, stopped: make(chan struct{}), rseq: rand.Uint32N(1 << 30)}
}

// push queues a response. in.mu is held.
func (q *reliables) push(code int, reason string, sdp []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.over:
		return ErrAnswered
	case len(q.queue) >= maxUnacknowledged:
		return errors.New("sip: too many provisional responses wait for their PRACK")
	}
	item := &reliable{code: code, reason: reason, acked: make(chan struct{})}
	if len(sdp) > 0 && !q.agreed {
		// One session description there may be; what follows it would mean
		// nothing (RFC 3261 section 13.2.1).
		q.agreed = true
		item.sdp, item.offer = sdp, q.in.Offer() == nil
	}
	q.queue = append(q.queue, item)
	if q.running {
		return nil
	}
	q.running = true
	if !q.in.e.spawn(q.run) {
		return ErrNotServing
	}
	return nil
}

// run sends what is queued.
func (q *reliables) run() {
	defer q.in.e.guard("sending a reliable response", nil)
	for item := q.first(); item != nil; item = q.first() {
		if !q.deliver(item) {
			return
		}
		q.mu.Lock()
		q.queue = q.queue[1:]
		q.mu.Unlock()
	}
}

// first returns the next response to send, with its RSeq, or nil.
func (q *reliables) first() *reliable {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) == 0 || q.over {
		q.running = false
		return nil
	}
	q.rseq++
	q.queue[0].rseq = q.rseq
	return q.queue[0]
}

// deliver repeats one response, from T1 doubling, until its PRACK. It reports
// false when there is nothing more to send.
func (q *reliables) deliver(item *reliable) bool {
	in := q.in
	interval := in.e.t1
	again, limit := time.NewTimer(0), time.NewTimer(in.e.timeout())
	defer again.Stop()
	defer limit.Stop()
	var res *siplib.Response
	for {
		select {
		case <-again.C:
			if res == nil {
				res = in.compose(item)
			}
			if in.resend(res) != nil {
				return false
			}
			again.Reset(interval)
			interval *= 2
		case <-item.acked:
			return true
		case <-limit.C:
			in.giveUp()
			return false
		case <-q.stopped:
			return false
		case <-in.ctx.Done():
			return false
		case <-in.e.quit:
			return false
		}
	}
}

// compose builds a reliable response, and notes what its session description
// does to the offer and answer of the early dialog before the far end can see it.
func (in *Incoming) compose(item *reliable) *siplib.Response {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(item.sdp) > 0 {
		in.early.setAnswered(item.sdp)
		in.early.setPending(settled)
		if item.offer {
			in.early.setPending(offered)
		}
	}
	return in.build(item.code, item.reason, item.sdp,
		Header{"Require", "100rel"}, Header{"RSeq", strconv.FormatUint(uint64(item.rseq), 10)})
}

// resend sends a provisional response unless there is a final one.
func (in *Incoming) resend(res *siplib.Response) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.open(); err != nil {
		return err
	}
	return in.send(res)
}

// giveUp refuses an INVITE whose caller sends no PRACK.
func (in *Incoming) giveUp() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.open() != nil {
		return
	}
	in.closed()
	in.end(ErrNoPRACK)
	in.answer(504, "No PRACK", rejectReason(504, "No PRACK"))
}

// stop ends the repetition, for a final response.
func (q *reliables) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.over {
		q.over = true
		close(q.stopped)
	}
}

// settle waits until a session description that was sent reliably has its
// PRACK: before that there may be no 2xx (RFC 3262 section 3). It reports
// whether there was one.
func (q *reliables) settle(ctx context.Context) (agreed bool, err error) {
	q.mu.Lock()
	agreed = q.agreed
	i := slices.IndexFunc(q.queue, func(r *reliable) bool { return len(r.sdp) > 0 })
	if i < 0 {
		q.mu.Unlock()
		return agreed, nil
	}
	item := q.queue[i]
	q.mu.Unlock()
	select {
	case <-item.acked:
		return true, nil
	case <-q.stopped:
		q.in.mu.Lock()
		defer q.in.mu.Unlock()
		return true, q.in.open()
	case <-q.in.ctx.Done():
		return true, context.Cause(q.in.ctx)
	case <-ctx.Done():
		return true, context.Cause(ctx)
	}
}

// take finds the response that a RAck names. It reports false if there is none
// that waits for a PRACK.
func (q *reliables) take(rack rack) (*reliable, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) == 0 || rack.method != siplib.INVITE || rack.cseq != q.in.req.CSeq().SeqNo {
		return nil, false
	}
	item := q.queue[0]
	if item.rseq != rack.rseq || item.rseq == 0 || item.taken {
		return nil, false
	}
	item.taken = true
	return item, true
}
