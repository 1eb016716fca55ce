package consent

import (
	"context"
	"errors"
	"time"
)

// Sentinels of a [Store].
var (
	// ErrNotFound: no such record, or no record of such a call.
	ErrNotFound = errors.New("no such record")
	// ErrConflict: another writer changed the record. Read it, merge, and replace
	// it under a higher epoch.
	ErrConflict = errors.New("record was changed by another writer")
	// ErrStale: this writer has already stored a higher epoch; nothing is lost.
	ErrStale = errors.New("a newer version is stored")
)

// Store keeps the records of all calls. It is the one interface that lives
// beside its meaning instead of beside its consumer: the meaning is law.
//
// Every method honours the context, fails within its deadline, and may be
// called concurrently. No method retries a write by itself.
type Store interface {
	// Put stores r whole and is durable when it returns nil. It succeeds if
	// nothing is stored under r.ID, or the stored version is of the same
	// r.Writer and not of a higher epoch (so a repetition is harmless, and a
	// writer may skip epochs). Otherwise ErrStale (same writer, higher epoch)
	// or ErrConflict (another writer). Any other error does not say whether r
	// was kept.
	Put(ctx context.Context, r *Record) error
	// Replace is Put over the version that another writer stored: it succeeds
	// only if the stored version still has the epoch and the writer of seen,
	// or is r itself; otherwise ErrConflict. r.Epoch must be above seen.Epoch.
	Replace(ctx context.Context, r, seen *Record) error
	// Get returns the record, or ErrNotFound.
	Get(ctx context.Context, id RecordID) (*Record, error)
	// Find returns the record with this id, or with this Call-ID on either
	// leg (the newest if a Call-ID came twice), or ErrNotFound.
	Find(ctx context.Context, call string) (*Record, error)
	// Search returns one page of the records that match.
	Search(ctx context.Context, q Query) (Page, error)
	// Unfinished lists the records of a node that have no end yet.
	Unfinished(ctx context.Context, node string) ([]RecordID, error)
	// Ping says whether a write would have a chance right now.
	Ping(ctx context.Context) error
	// Close releases what the store holds; no method is called afterwards.
	Close() error
}

// Query selects records. Zero fields do not restrict.
type Query struct {
	Subject   string // the asked party's number, as Record.Subject holds it
	Outcome   Outcome
	Route     string
	From, To  time.Time // of Call.InvitedAt; From inclusive, To exclusive
	Limit     int       // 1 to 1000; 0 means 100
	Cursor    string    // Page.Next of the page before
	Ascending bool      // oldest first; default newest first
}

// Matches reports whether r is selected, paging aside.
func (q Query) Matches(r *Record) bool {
	return (q.Subject == "" || q.Subject == r.Subject) &&
		(q.Outcome == "" || q.Outcome == r.Outcome) &&
		(q.Route == "" || q.Route == r.Call.Route) &&
		(q.From.IsZero() || !r.Call.InvitedAt.Before(q.From)) &&
		(q.To.IsZero() || r.Call.InvitedAt.Before(q.To))
}

// Page is a part of an answer, ordered by InvitedAt and then by id.
type Page struct {
	Records []*Record
	Next    string // cursor of the next page; empty at the end
}
