// Package spool keeps on disk what the store could not take, so that no
// evidence is lost while Redis is away: a queue of the newest version of each
// record. What is in it counts for no Permit: a grant that only the spool knows
// was never answered by the store.
package spool

import (
	"context"
	"errors"
	"fmt"

	"consentgw/consent"
	"consentgw/internal/boltstore"
	"consentgw/internal/stored"
)

// attempts bounds how often one record is fought over with another writer
// before the queue goes on without it, until the next time.
const attempts = 4

// page is how many records are read from the spool at once.
const page = 64

// Spool is an on-disk queue of the newest version of each record that the store
// could not take yet. Its methods may be called concurrently.
type Spool struct {
	held *boltstore.Store
}

// Open opens the spool in the file path and creates it, readable for its owner
// only, if it is not there. The caller closes it.
func Open(path string) (*Spool, error) {
	held, err := boltstore.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	return &Spool{held}, nil
}

// Add keeps r; it is on the disk when Add returns nil. An older version of the
// same record makes way, and a newer one stays: of one writer the higher epoch
// is newer, and versions of two writers are joined so that nothing that either
// says is lost. An error wrapping [stored.ErrInvalid] says that no store will
// ever take r; any other, that the disk did not.
func (s *Spool) Add(r *consent.Record) error {
	if err := settle(context.Background(), s.held, r); err != nil {
		return fmt.Errorf("spool record: %w", err)
	}
	return nil
}

// Drain hands the records to the store, the oldest call first, and takes each
// out of the spool that is stored, or superseded by what is stored. moved is
// how many those were. It stops at the first error that is about the store or
// the context; an error about one record leaves that record where it is, and is
// returned at the end.
func (s *Spool) Drain(ctx context.Context, store consent.Store) (moved int, err error) {
	q := consent.Query{Ascending: true, Limit: page}
	var skipped []error
	for {
		batch, err := s.held.Search(ctx, q)
		if err != nil {
			return moved, fmt.Errorf("drain spool: %w", err)
		}
		for _, r := range batch.Records {
			err := s.move(ctx, store, r)
			switch {
			case err == nil:
				moved++
			case aboutOne(err):
				skipped = append(skipped, err)
			default:
				return moved, fmt.Errorf("drain spool: %w", err)
			}
		}
		if batch.Next == "" {
			return moved, errors.Join(skipped...)
		}
		q.Cursor = batch.Next
	}
}

// move hands one record over. It leaves the spool after it is in the store: a
// crash in between repeats a Put, which is harmless. If a newer version was
// added meanwhile, that one stays.
func (s *Spool) move(ctx context.Context, store consent.Store, r *consent.Record) error {
	if err := settle(ctx, store, r); err != nil {
		return fmt.Errorf("record %s: %w", r.ID, err)
	}
	return s.held.Remove(ctx, r)
}

// aboutOne reports whether err concerns one record, so that the next may do
// better.
func aboutOne(err error) bool {
	return errors.Is(err, stored.ErrInvalid) || errors.Is(err, consent.ErrConflict)
}

// Get returns the version that waits here, or [consent.ErrNotFound].
func (s *Spool) Get(ctx context.Context, id consent.RecordID) (*consent.Record, error) {
	return s.held.Get(ctx, id)
}

// Find returns the record with this id, or with this Call-ID on either leg, if
// a version of it waits here, else [consent.ErrNotFound].
func (s *Spool) Find(ctx context.Context, call string) (*consent.Record, error) {
	return s.held.Find(ctx, call)
}

// Unfinished lists the records of a node that wait here and have no end.
func (s *Spool) Unfinished(ctx context.Context, node string) ([]consent.RecordID, error) {
	return s.held.Unfinished(ctx, node)
}

// Len is how many records wait. A spool that cannot be read counts as empty:
// Drain says why.
func (s *Spool) Len() int {
	n, err := s.held.Len()
	if err != nil {
		return 0
	}
	return n
}

// Close closes the file. No method is called afterwards.
func (s *Spool) Close() error { return s.held.Close() }

// settle brings r into the store, whatever another writer has put there.
func settle(ctx context.Context, store consent.Store, r *consent.Record) error {
	err := store.Put(ctx, r)
	for try := 1; errors.Is(err, consent.ErrConflict) && try < attempts; try++ {
		var seen *consent.Record
		seen, err = store.Get(ctx, r.ID)
		switch {
		case errors.Is(err, consent.ErrNotFound):
			err = store.Put(ctx, r)
		case err == nil && descends(seen, r):
			return nil
		case err == nil:
			err = store.Replace(ctx, join(r, seen, joinWriter(r.Writer)), seen)
		}
	}
	if errors.Is(err, consent.ErrStale) {
		return nil
	}
	return err
}
