package boltstore

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

// maxBatch bounds how many writes share one commit, and with it how long the
// first of them waits for the others.
const maxBatch = 256

// write is one change on its way to the disk.
type write struct {
	// apply changes tx. An outcome is the answer to this write alone, which
	// then changed nothing; a fatal error spoils the transaction for all.
	apply func(tx *bbolt.Tx) (outcome, fatal error)
	done  chan error // buffered: nobody need be there to hear it
}

// write hands apply to the writer and waits until it is durable or ctx ends.
// After the latter it may still become durable.
func (s *Store) write(ctx context.Context, apply func(tx *bbolt.Tx) (outcome, fatal error)) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w := &write{apply: apply, done: make(chan error, 1)}
	select {
	case s.queue <- w:
	case <-s.quit:
		return errClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// writeAll is the one goroutine that writes. Whatever arrives while a commit is
// waiting for the disk shares the next one: under load many calls pay for one
// fsync, and a single call waits for nobody.
func (s *Store) writeAll() {
	for {
		select {
		case w := <-s.queue:
			s.commit(s.gather(w))
		case <-s.quit:
			return
		}
	}
}

// gather takes what is waiting already.
func (s *Store) gather(first *write) []*write {
	batch := []*write{first}
	for len(batch) < maxBatch {
		select {
		case w := <-s.queue:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

// commit answers every write of the batch. Nothing is answered with success
// before the whole batch is on the disk, and a commit that failed is failed for
// all: it is not tried again, because a disk that refused a sync once may claim
// the next one without having written a byte.
func (s *Store) commit(batch []*write) {
	outcomes := make([]error, len(batch))
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for i, w := range batch {
			var fatal error
			if outcomes[i], fatal = w.apply(tx); fatal != nil {
				return fatal
			}
		}
		return nil
	})
	for i, w := range batch {
		if err != nil {
			outcomes[i] = fmt.Errorf("not written: %w", err)
		}
		w.done <- outcomes[i]
	}
}
