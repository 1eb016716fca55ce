// Package boltstore keeps the records in one file on the machine of the
// gateway: [consent.Store] over bbolt, for an installation without Redis. A
// write is on the disk when its method returns; a process killed at any moment
// leaves the file as it was before or after a write, never in between.
package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"consentgw/consent"
	"consentgw/internal/stored"
)

// lockTimeout is how long Open waits for another process to let go of the file.
const lockTimeout = 2 * time.Second

var errClosed = errors.New("store is closed")

// Store is a [consent.Store] in one file.
type Store struct {
	// Set by Open, then constant.
	db     *bbolt.DB
	queue  chan *write
	quit   chan struct{} // closed by Close
	closed sync.Once
	writer sync.WaitGroup // the one goroutine that writes; Close waits for it
}

// Open opens the store in the file path and creates it, readable for its owner
// only, if it is not there. A file that another process holds is an error after
// two seconds. The caller closes the store.
func Open(path string) (*Store, error) {
	return open(path, &bbolt.Options{})
}

func open(path string, opts *bbolt.Options) (*Store, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create directory of store: %w", err)
	}
	opts.Timeout, opts.FreelistType = lockTimeout, bbolt.FreelistMapType
	db, err := bbolt.Open(path, 0o600, opts)
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("store %s is in use by another process", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	if err := prepare(db, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), db.Close())
	}
	s := &Store{db: db, queue: make(chan *write), quit: make(chan struct{})}
	s.writer.Go(s.writeAll)
	return s, nil
}

// prepare makes the buckets, and the directory entry of a new file durable: a
// file that a power cut could take away again must not hold consents.
func prepare(db *bbolt.DB, dir string) error {
	if err := db.Update(format); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Put implements [consent.Store].
func (s *Store) Put(ctx context.Context, r *consent.Record) error {
	text, err := stored.Encode(r)
	if err != nil {
		return fmt.Errorf("put record: %w", err)
	}
	next := version{record: r.Clone(), text: text}
	return wrap("put record", s.write(ctx, func(tx *bbolt.Tx) (outcome, fatal error) {
		held, err := load(tx, next.record.ID)
		switch {
		case errors.Is(err, consent.ErrNotFound):
		case err != nil:
			return err, nil
		case held.record.Writer != next.record.Writer:
			return consent.ErrConflict, nil
		case held.record.Epoch > next.record.Epoch:
			return consent.ErrStale, nil
		}
		return nil, save(tx, next, held.record)
	}))
}

// Replace implements [consent.Store].
func (s *Store) Replace(ctx context.Context, r, seen *consent.Record) error {
	if err := stored.CheckSuccessor(r, seen); err != nil {
		return fmt.Errorf("replace record: %w", err)
	}
	text, err := stored.Encode(r)
	if err != nil {
		return fmt.Errorf("replace record: %w", err)
	}
	next, epoch, writer := version{record: r.Clone(), text: text}, seen.Epoch, seen.Writer
	return wrap("replace record", s.write(ctx, func(tx *bbolt.Tx) (outcome, fatal error) {
		held, err := load(tx, next.record.ID)
		switch {
		case errors.Is(err, consent.ErrNotFound):
			return consent.ErrConflict, nil
		case err != nil:
			return err, nil
		case held.is(next):
			return nil, nil
		case held.record.Epoch != epoch || held.record.Writer != writer:
			return consent.ErrConflict, nil
		}
		return nil, save(tx, next, held.record)
	}))
}

// Remove takes version seen of a record out of the store. A record that is not
// there, or of which another version is stored meanwhile, is left as it is.
func (s *Store) Remove(ctx context.Context, seen *consent.Record) error {
	id, epoch, writer := seen.ID, seen.Epoch, seen.Writer
	return wrap("remove record", s.write(ctx, func(tx *bbolt.Tx) (outcome, fatal error) {
		held, err := load(tx, id)
		switch {
		case errors.Is(err, consent.ErrNotFound):
			return nil, nil
		case err != nil:
			return err, nil
		case held.record.Epoch != epoch || held.record.Writer != writer:
			return nil, nil
		}
		return nil, remove(tx, held.record)
	}))
}

// Ping implements [consent.Store]: it commits an empty transaction, so a disk
// that is gone, read-only or broken shows.
func (s *Store) Ping(ctx context.Context) error {
	return wrap("ping", s.write(ctx, func(*bbolt.Tx) (outcome, fatal error) { return nil, nil }))
}

// Close waits for the writes under way and closes the file. Writes that wait
// behind them fail.
func (s *Store) Close() error {
	var err error
	s.closed.Do(func() {
		close(s.quit)
		s.writer.Wait()
		err = s.db.Close()
	})
	return err
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
