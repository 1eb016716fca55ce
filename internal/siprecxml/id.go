package siprecxml

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// ID identifies an element for ever: the bytes of a UUID (RFC 7865 section
// 6.10). It must tell nothing of a person, so it is never made of one.
type ID [16]byte

// ErrNotUUID is returned for a text that is no UUID.
var ErrNotUUID = errors.New("siprecxml: not a UUID")

// ParseUUID reads the textual form of a UUID (RFC 9562 section 4).
func ParseUUID(text string) (id ID, err error) {
	digits := strings.ReplaceAll(text, "-", "")
	if len(text) != 36 || len(digits) != 32 {
		return ID{}, ErrNotUUID
	}
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return ID{}, ErrNotUUID
	}
	return id, nil
}

// Named returns the identifier of what has this name within id, the same one
// every time: a recorder that takes over from another finds the parties and the
// streams under the identifiers they had (RFC 9562 section 5.8).
func (id ID) Named(name string) ID {
	sum := sha256.Sum256(append(id[:], name...))
	var n ID
	copy(n[:], sum[:])
	n[6] = n[6]&0x0f | 0x80
	n[8] = n[8]&0x3f | 0x80
	return n
}

// String is the form of the metadata: base64, 24 characters.
func (id ID) String() string { return base64.StdEncoding.EncodeToString(id[:]) }

// isID says whether s is the base64 of sixteen bytes.
func isID(s string) bool {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == len(ID{})
}

// stamp writes a time as RFC 7865 wants it: RFC 3339 in UTC, with T and Z.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// isStamp says whether s is such a time.
func isStamp(s string) bool {
	_, err := time.Parse("2006-01-02T15:04:05.999999999Z", s)
	return err == nil
}

// isSessionID says whether s is a Session-ID with both halves, the form in which RFC
// 7989 section 5 writes it. White space within is no part of it: examples of RFC
// 7865 break the line there.
func isSessionID(s string) bool {
	ours, theirs, ok := strings.Cut(strings.Join(strings.Fields(s), ""), ";remote=")
	return ok && isHalf(ours) && isHalf(theirs)
}

// isHalf says whether s is one half: 32 lower-case hexadecimal digits.
func isHalf(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == len(ID{}) && s == strings.ToLower(s)
}
