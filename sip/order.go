package sip

import (
	"context"
	"slices"
	"sync"
	"time"
)

// maxWaiting is how many requests of one dialog may wait for their turn.
const maxWaiting = 32

// turnstile lets the in-dialog requests of a leg through one at a time, in the
// order in which they came in (trap 7): arrive is called by the reading
// goroutine, enter and leave by the goroutine that handles the request. The
// zero value is not ready; see newTurnstile.
type turnstile struct {
	inside chan struct{} // holds the token of the request that is inside

	mu      sync.Mutex // guards what follows
	last    uint32     // highest CSeq that arrived
	waiting []uint32   // CSeqs that arrived and have not left
	changed chan struct{}
}

func newTurnstile() *turnstile {
	return &turnstile{inside: make(chan struct{}, 1), changed: make(chan struct{})}
}

// arrive queues a CSeq. It reports false for one that is no news: a repetition
// is the transaction's business and must not queue twice, and a lower one will
// be refused.
func (t *turnstile) arrive(seq uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seq <= t.last || len(t.waiting) >= maxWaiting {
		return false
	}
	t.last = seq
	t.waiting = append(t.waiting, seq)
	return true
}

// enter waits until every CSeq that arrived before seq has left, but not
// longer than patience: a request may have been lost between the reader and
// here. Then it waits until nobody is inside. Whoever enters must exit.
func (t *turnstile) enter(ctx context.Context, seq uint32, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for out := false; !out; {
		first, changed := t.first(seq)
		if first {
			break
		}
		select {
		case <-changed:
		case <-timer.C:
			out = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	select {
	case t.inside <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *turnstile) exit() { <-t.inside }

// first says whether no lower CSeq is waiting, and gives the channel that is
// closed when that may have changed.
func (t *turnstile) first(seq uint32) (bool, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.waiting {
		if s < seq {
			return false, t.changed
		}
	}
	return true, nil
}

// leave takes seq out of the queue.
func (t *turnstile) leave(seq uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, seq); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
		close(t.changed)
		t.changed = make(chan struct{})
	}
}
