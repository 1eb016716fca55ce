package boltstore

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"consentgw/consent"
	"consentgw/internal/stored"
)

// Search implements [consent.Store]. A page looks at no more than
// [stored.MaxExamined] records.
func (s *Store) Search(ctx context.Context, q consent.Query) (consent.Page, error) {
	scan, err := stored.NewScan(q)
	if err != nil {
		return consent.Page{}, fmt.Errorf("search: %w", err)
	}
	q.Subject, q.Route = stored.Text(q.Subject), stored.Text(q.Route)
	var page consent.Page
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		page, err = search(ctx, tx, q, scan)
		return err
	})
	if err != nil {
		return consent.Page{}, fmt.Errorf("search: %w", err)
	}
	return page, nil
}

func search(ctx context.Context, tx *bbolt.Tx, q consent.Query, scan stored.Scan) (consent.Page, error) {
	var page consent.Page
	w := newWalk(tx, q.Subject, scan)
	for examined := 0; ; examined++ {
		at, err := w.next()
		if err != nil || at.ID == "" {
			return page, err
		}
		if examined == stored.MaxExamined || len(page.Records) == scan.Limit {
			page.Next = scan.Cursor()
			return page, nil
		}
		if ctx.Err() != nil {
			return page, context.Cause(ctx)
		}
		held, err := load(tx, at.ID)
		if errors.Is(err, consent.ErrNotFound) {
			err = errIndex
		}
		if err != nil {
			return page, err
		}
		scan = scan.Moved(at)
		if q.Matches(held.record) {
			page.Records = append(page.Records, held.record)
		}
	}
}

// walk steps through the positions of a scan, in one index.
type walk struct {
	cursor  *bbolt.Cursor
	prefix  []byte
	scan    stored.Scan
	started bool
}

// newWalk picks the index: the subject's if one is asked for, else the times.
func newWalk(tx *bbolt.Tx, subject string, scan stored.Scan) *walk {
	if subject != "" {
		return &walk{cursor: tx.Bucket([]byte(bucketSubject)).Cursor(), prefix: []byte(hashed(subject)), scan: scan}
	}
	return &walk{cursor: tx.Bucket([]byte(bucketTime)).Cursor(), scan: scan}
}

// next returns the next position, or the zero one at the end of the scan.
func (w *walk) next() (stored.Position, error) {
	key := w.step()
	for ; within(key, w.prefix) != nil; key = w.step() {
		at, err := parsePosition(key[len(w.prefix):])
		if err != nil {
			return stored.Position{}, err
		}
		if w.scan.Holds(at) {
			return at, nil
		}
		past := at.Compare(w.scan.Before) >= 0
		if past == w.scan.Ascending {
			break
		}
	}
	return stored.Position{}, nil
}

func (w *walk) step() []byte {
	var key []byte
	switch {
	case w.started && w.scan.Ascending:
		key, _ = w.cursor.Next()
	case w.started:
		key, _ = w.cursor.Prev()
	case w.scan.Ascending:
		key, _ = w.cursor.Seek(append(w.prefix[:len(w.prefix):len(w.prefix)], positionKey(w.scan.After)...))
	default:
		key = before(w.cursor, append(w.prefix[:len(w.prefix):len(w.prefix)], positionKey(w.scan.Before)...))
	}
	w.started = true
	return key
}
