package redisstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"consentgw/consent"
	"consentgw/internal/stored"
)

// keys names every key. With the default prefix:
//
//	consentgw:{<record id>}        hash: the record
//	consentgw:call:<Call-ID>       sorted set: record ids by time of INVITE (ms); the last is the newest call
//	consentgw:call:sha256:<hex>    the same for a Call-ID that is long or has unusual bytes
//	consentgw:subject:<hex>        sorted set: record ids by time, under the SHA-256 of the number
//	consentgw:day:<yyyy-mm-dd>     sorted set: record ids by time, one key per UTC day
//	consentgw:days                 sorted set: the days, by their beginning (ms)
//	consentgw:open:<node>          sorted set: ids of the records of a node that have no end, by time
//	consentgw:ping                 string: written by the health check, gone after a minute
//
// Only the first is the truth. An index entry is written before its record and
// may lead to none, or to one that says otherwise: a reader skips it.
type keys struct{ prefix string }

// record is the one key of the write script; its braces pick the cluster slot.
func (k keys) record(id consent.RecordID) string { return k.prefix + "{" + string(id) + "}" }

// maxPlain is the longest Call-ID that stands in a key as it is, in bytes.
const maxPlain = 128

// call takes a Call-ID in the form of [stored.Text].
func (k keys) call(id string) string {
	if len(id) > maxPlain || strings.ContainsFunc(id, unusual) {
		return k.prefix + "call:sha256:" + hashed(id)
	}
	return k.prefix + "call:" + id
}

// unusual tells what does not stand in a key as it is: anything but the
// characters of a RFC 3261 token and '@'. It includes ':', so that no Call-ID
// can pass for the hash of another, and braces.
func unusual(c rune) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return false
	}
	return !strings.ContainsRune("-.!%*_+`'~@", c)
}

func (k keys) subject(number string) string {
	return k.prefix + "subject:" + hashed(stored.Text(number))
}
func (k keys) open(node string) string { return k.prefix + "open:" + stored.Text(node) }
func (k keys) days() string            { return k.prefix + "days" }
func (k keys) day(name string) string  { return k.prefix + "day:" + name }
func (k keys) ping() string            { return k.prefix + "ping" }

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

const dayMS = int64(24 * time.Hour / time.Millisecond)

// dayOf is the beginning of the UTC day that ms is in. Both are Unix milliseconds.
func dayOf(ms int64) int64 {
	rest := ms % dayMS
	if rest < 0 {
		rest += dayMS
	}
	return ms - rest
}

func dayName(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.DateOnly) }

// indexMark identifies what the index entries of r are made of: as long as the
// stored record carries the same mark, its entries need not be written again.
func indexMark(r *consent.Record) string {
	c := r.Call
	text := fmt.Sprintf("%d %q %q %q %q", c.InvitedAt.UnixMilli(), c.TrunkCallID, c.PlatformCallID, r.Subject, r.Node)
	for _, id := range c.FormerCallIDs {
		text += fmt.Sprintf(" %q", id)
	}
	return hashed(text)[:32]
}
