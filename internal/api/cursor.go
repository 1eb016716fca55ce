package api

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"

	"consentgw/consent"
)

// The cursor that clients get holds the store's own behind a checksum over both
// it and the restrictions of the search: a cursor that was cut off, altered, or
// carried over to another search is a clear error instead of a wrong page. It
// guards against mistakes, not against forgery, which would gain nothing.

const checksumSize = 8

func checksum(q consent.Query, stored string) uint64 {
	h := fnv.New64a()
	for _, part := range []string{q.Subject, string(q.Outcome), q.Route, q.From.UTC().String(), q.To.UTC().String(), stored} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return h.Sum64()
}

// sealCursor makes the cursor of the next page of q; empty at the end.
func sealCursor(q consent.Query, stored string) string {
	if stored == "" {
		return ""
	}
	sum := binary.BigEndian.AppendUint64(nil, checksum(q, stored))
	return base64.RawURLEncoding.EncodeToString(append(sum, stored...))
}

// openCursor takes the store's cursor out of a client's; q is the search that
// the client sent it with.
func openCursor(q consent.Query, sealed string) (string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(raw) <= checksumSize {
		return "", badParameter("cursor", `"cursor" is not one that this API gave.`)
	}
	stored := string(raw[checksumSize:])
	if binary.BigEndian.Uint64(raw) != checksum(q, stored) {
		return "", badParameter("cursor", `"cursor" belongs to another search: send it with the same subject, outcome, route, from and to.`)
	}
	return stored, nil
}
