// Package stored is the form in which every store keeps a record, and the
// bounds they share: the JSON and its size, what a record id may look like, the
// order of the records and the cursor into it. It performs no I/O.
package stored

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"consentgw/consent"
)

// Bounds of every store.
const (
	// MaxRecord is the size of the largest record, as JSON, in bytes. A record
	// of a normal call has 2 to 4 kB.
	MaxRecord = 1 << 20
	// MaxExamined is how many records one page of a search looks at. A page of
	// a selective query may therefore be short, or even empty, and still have
	// a Next: it says that the search goes on, not that there was something.
	MaxExamined = 5000

	defaultLimit = 100
	maxLimit     = 1000
	maxID        = 64
)

// ErrInvalid: what was handed to the store is wrong in itself, so that no store
// would ever take it. Nothing was written.
var ErrInvalid = errors.New("invalid")

// Encode checks r and returns the JSON under which it is kept. The error wraps
// [ErrInvalid].
func Encode(r *consent.Record) ([]byte, error) {
	if r == nil {
		return nil, fmt.Errorf("%w: no record", ErrInvalid)
	}
	if !ValidID(r.ID) {
		return nil, fmt.Errorf("%w: record id must be 1 to %d of letters, digits, '-', '_' and '.'", ErrInvalid, maxID)
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("%w: record %s cannot be written as JSON", ErrInvalid, r.ID)
	}
	if len(text) > MaxRecord {
		return nil, fmt.Errorf("%w: record %s has %d bytes, more than %d", ErrInvalid, r.ID, len(text), MaxRecord)
	}
	return text, nil
}

// Decode reads what Encode wrote. Its error quotes nothing of the text, which
// holds personal data.
func Decode(text []byte) (*consent.Record, error) {
	r := new(consent.Record)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, errors.New("stored record cannot be read: damaged, or written by a newer version")
	}
	return r, nil
}

// ValidID reports whether a record may have this id. A UUID is one of them. The
// rule keeps ids harmless in keys of Redis (no braces) and in file names.
func ValidID(id consent.RecordID) bool {
	if len(id) == 0 || len(id) > maxID {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// CheckSuccessor checks the arguments of a Replace: r must follow seen. The
// error wraps [ErrInvalid].
func CheckSuccessor(r, seen *consent.Record) error {
	switch {
	case r == nil || seen == nil:
		return fmt.Errorf("%w: no record", ErrInvalid)
	case r.ID != seen.ID:
		return fmt.Errorf("%w: record %s cannot replace another record", ErrInvalid, r.ID)
	case r.Epoch <= seen.Epoch:
		return fmt.Errorf("%w: record %s of epoch %d cannot replace epoch %d", ErrInvalid, r.ID, r.Epoch, seen.Epoch)
	}
	return nil
}

// Text is s as it is after a stay in JSON, which holds UTF-8 only: any other
// byte becomes U+FFFD. Indexes are made from this form, so that what a hostile
// trunk sent is found under what the record says.
func Text(s string) string { return string([]rune(s)) }

// CallIDs lists the Call-IDs of r, without repetition, in the form of [Text].
func CallIDs(r *consent.Record) []string {
	var ids []string
	for _, id := range append([]string{r.Call.TrunkCallID, r.Call.PlatformCallID}, r.Call.FormerCallIDs...) {
		if id = Text(id); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// HasCallID reports whether a leg of r has the Call-ID call, which is in the
// form of [Text].
func HasCallID(r *consent.Record, call string) bool { return slices.Contains(CallIDs(r), call) }
