package boltstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"consentgw/consent"
	"consentgw/internal/stored"
)

// The buckets. An index key is a SHA-256 (32 bytes; none in the time index),
// the position of the record (8 bytes of time, then the id), and has no value.
// Fixed lengths mean that no Call-ID, number or node name, however odd, can
// reach into another's keys.
const (
	bucketMeta    = "meta"
	bucketRecords = "records" // id -> JSON
	bucketTime    = "by-time"
	bucketCall    = "by-call"    // SHA-256 of the Call-ID
	bucketSubject = "by-subject" // SHA-256 of the number
	bucketOpen    = "open"       // SHA-256 of the node; records without an end

	formatName    = "format"
	formatVersion = "1"
)

// format makes the buckets of a new file and refuses a file of a later format.
func format(tx *bbolt.Tx) error {
	for _, name := range []string{bucketMeta, bucketRecords, bucketTime, bucketCall, bucketSubject, bucketOpen} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	meta := tx.Bucket([]byte(bucketMeta))
	switch held := meta.Get([]byte(formatName)); {
	case held == nil:
		return meta.Put([]byte(formatName), []byte(formatVersion))
	case string(held) != formatVersion:
		return fmt.Errorf("format %q of the file is not %q: written by another version of the gateway", held, formatVersion)
	}
	return nil
}

// version is a record with the JSON it is kept as.
type version struct {
	record *consent.Record
	text   []byte
}

// is reports whether v and w are the same version, byte for byte.
func (v version) is(w version) bool { return bytes.Equal(v.text, w.text) }

// load returns the stored version, or [consent.ErrNotFound]. Its text is valid
// during tx only.
func load(tx *bbolt.Tx, id consent.RecordID) (version, error) {
	if id == "" {
		return version{}, consent.ErrNotFound
	}
	text := tx.Bucket([]byte(bucketRecords)).Get([]byte(id))
	if text == nil {
		return version{}, consent.ErrNotFound
	}
	r, err := stored.Decode(text)
	if err != nil {
		return version{}, fmt.Errorf("record %s: %w", id, err)
	}
	return version{r, text}, nil
}

// save stores v over held, which is nil for a new record.
func save(tx *bbolt.Tx, v version, held *consent.Record) error {
	if err := reindex(tx, held, v.record); err != nil {
		return err
	}
	return tx.Bucket([]byte(bucketRecords)).Put([]byte(v.record.ID), v.text)
}

func remove(tx *bbolt.Tx, held *consent.Record) error {
	if err := reindex(tx, held, nil); err != nil {
		return err
	}
	return tx.Bucket([]byte(bucketRecords)).Delete([]byte(held.ID))
}

// reindex replaces the index entries of one version by those of the next;
// either may be nil.
func reindex(tx *bbolt.Tx, from, to *consent.Record) error {
	old, now := entries(from), entries(to)
	for e := range old {
		if !now[e] {
			if err := tx.Bucket([]byte(e.bucket)).Delete([]byte(e.key)); err != nil {
				return err
			}
		}
	}
	for e := range now {
		if !old[e] {
			if err := tx.Bucket([]byte(e.bucket)).Put([]byte(e.key), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

type entry struct{ bucket, key string }

func entries(r *consent.Record) map[entry]bool {
	if r == nil {
		return nil
	}
	at := positionKey(stored.PositionOf(r))
	list := map[entry]bool{{bucketTime, at}: true}
	for _, call := range stored.CallIDs(r) {
		list[entry{bucketCall, hashed(call) + at}] = true
	}
	if r.Subject != "" {
		list[entry{bucketSubject, hashed(r.Subject) + at}] = true
	}
	if !r.Ended() {
		list[entry{bucketOpen, hashed(r.Node) + at}] = true
	}
	return list
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(stored.Text(text)))
	return string(sum[:])
}

// positionKey sorts as positions do: the sign bit is turned so that times
// before 1970 come first.
func positionKey(p stored.Position) string {
	ms := uint64(p.MS) ^ (1 << 63)
	return string(binary.BigEndian.AppendUint64(nil, ms)) + string(p.ID)
}

var errIndex = errors.New("index is damaged")

func parsePosition(key []byte) (stored.Position, error) {
	if len(key) <= 8 {
		return stored.Position{}, errIndex
	}
	ms := int64(binary.BigEndian.Uint64(key) ^ (1 << 63))
	return stored.Position{MS: ms, ID: consent.RecordID(key[8:])}, nil
}
