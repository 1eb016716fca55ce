package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"consentgw/consent"
)

// Get implements [consent.Store].
func (s *Store) Get(ctx context.Context, id consent.RecordID) (*consent.Record, error) {
	var found *consent.Record
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		held, err := load(tx, id)
		found = held.record
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get record: %w", err)
	}
	return found, nil
}

// Find implements [consent.Store]. A record id is looked for first, so that no
// Call-ID can hide a record.
func (s *Store) Find(ctx context.Context, call string) (*consent.Record, error) {
	var found *consent.Record
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		held, err := load(tx, consent.RecordID(call))
		if errors.Is(err, consent.ErrNotFound) {
			held, err = newestOf(tx, call)
		}
		found = held.record
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find call: %w", err)
	}
	return found, nil
}

func newestOf(tx *bbolt.Tx, call string) (version, error) {
	cursor, prefix := tx.Bucket([]byte(bucketCall)).Cursor(), hashed(call)
	key := last(cursor, []byte(prefix))
	if key == nil {
		return version{}, consent.ErrNotFound
	}
	at, err := parsePosition(key[len(prefix):])
	if err != nil {
		return version{}, err
	}
	return load(tx, at.ID)
}

// last moves the cursor to the last key with the prefix, nil if there is none.
func last(cursor *bbolt.Cursor, prefix []byte) []byte {
	return within(before(cursor, append(bytes.Clone(prefix), bytes.Repeat([]byte{0xff}, 9)...)), prefix)
}

// before moves the cursor to the last key below limit.
func before(cursor *bbolt.Cursor, limit []byte) []byte {
	if key, _ := cursor.Seek(limit); key == nil {
		key, _ = cursor.Last()
		return key
	}
	key, _ := cursor.Prev()
	return key
}

func within(key, prefix []byte) []byte {
	if !bytes.HasPrefix(key, prefix) {
		return nil
	}
	return key
}

// Unfinished implements [consent.Store], oldest first.
func (s *Store) Unfinished(ctx context.Context, node string) ([]consent.RecordID, error) {
	var ids []consent.RecordID
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		cursor, prefix := tx.Bucket([]byte(bucketOpen)).Cursor(), []byte(hashed(node))
		for key, _ := cursor.Seek(prefix); within(key, prefix) != nil; key, _ = cursor.Next() {
			at, err := parsePosition(key[len(prefix):])
			if err != nil {
				return err
			}
			ids = append(ids, at.ID)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list unfinished records: %w", err)
	}
	return ids, nil
}

// Len is the number of records.
func (s *Store) Len() (int, error) {
	var n int
	err := s.view(context.Background(), func(tx *bbolt.Tx) error {
		n = tx.Bucket([]byte(bucketRecords)).Stats().KeyN
		return nil
	})
	return n, wrap("count records", err)
}

// view runs read, which is short: a long read would keep the file from shrinking.
func (s *Store) view(ctx context.Context, read func(tx *bbolt.Tx) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.db.View(read)
}
