package stored

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"consentgw/consent"
)

// Position is a place in the order of all records: by the time of the INVITE in
// milliseconds, then by id. A position is not tied to a record that exists, so
// a page stays where it was whatever is inserted or removed meanwhile.
type Position struct {
	MS int64 // Unix milliseconds
	ID consent.RecordID
}

// PositionOf is where r stands.
func PositionOf(r *consent.Record) Position {
	return Position{r.Call.InvitedAt.UnixMilli(), r.ID}
}

// Compare orders positions.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.MS, q.MS), cmp.Compare(p.ID, q.ID))
}

// Cursor is p in the opaque form of [consent.Page].
func (p Position) Cursor() string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(p.MS))
	return base64.RawURLEncoding.EncodeToString(append(raw, p.ID...))
}

// parseCursor is the inverse of [Position.Cursor]. An empty id is allowed: it
// stands before every record of its millisecond.
func parseCursor(cursor string) (Position, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 8 {
		return Position{}, fmt.Errorf("%w: cursor was not given out by this gateway", ErrInvalid)
	}
	p := Position{int64(binary.BigEndian.Uint64(raw)), consent.RecordID(raw[8:])}
	if p.ID != "" && !ValidID(p.ID) {
		return Position{}, fmt.Errorf("%w: cursor was not given out by this gateway", ErrInvalid)
	}
	return p, nil
}

// Scan is a query in terms of positions: the open interval (After, Before) is
// walked from After upward if ascending, else from Before downward.
type Scan struct {
	After, Before Position
	Limit         int // how many records make a page
	Ascending     bool
}

// NewScan checks the paging of q. The error wraps [ErrInvalid].
func NewScan(q consent.Query) (Scan, error) {
	s := Scan{Limit: q.Limit, Ascending: q.Ascending}
	switch {
	case q.Limit == 0:
		s.Limit = defaultLimit
	case q.Limit < 0 || q.Limit > maxLimit:
		return Scan{}, fmt.Errorf("%w: limit %d is not within 1 to %d", ErrInvalid, q.Limit, maxLimit)
	}
	s.After, s.Before = Position{MS: math.MinInt64}, Position{MS: math.MaxInt64}
	if !q.From.IsZero() {
		s.After.MS = q.From.UnixMilli()
	}
	if !q.To.IsZero() {
		s.Before.MS = ceilMilli(q.To)
	}
	if q.Cursor == "" {
		return s, nil
	}
	at, err := parseCursor(q.Cursor)
	if err != nil {
		return Scan{}, err
	}
	if s.Ascending && at.Compare(s.After) > 0 {
		s.After = at
	}
	if !s.Ascending && at.Compare(s.Before) < 0 {
		s.Before = at
	}
	return s, nil
}

// Holds reports whether p is in the interval.
func (s Scan) Holds(p Position) bool { return p.Compare(s.After) > 0 && p.Compare(s.Before) < 0 }

// Moved is the scan that is left when everything up to p has been walked.
func (s Scan) Moved(p Position) Scan {
	if s.Ascending {
		s.After = p
	} else {
		s.Before = p
	}
	return s
}

// Cursor is where the next page of this scan begins.
func (s Scan) Cursor() string {
	if s.Ascending {
		return s.After.Cursor()
	}
	return s.Before.Cursor()
}

// ceilMilli rounds up, so that an exclusive end with a part of a millisecond
// still lets the whole millisecond be looked at; the query itself decides.
func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.After(time.UnixMilli(ms)) {
		ms++
	}
	return ms
}
