package spool

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"consentgw/consent"
)

// joinMark stands in the writer of a joined version, before a random word. Such
// a writer is nobody else's: a call that is still up must meet a conflict with
// its next version and learn what was joined (that consent was withdrawn, above
// all) instead of writing over it.
const joinMark = "+spool-"

func joinWriter(writer string) string {
	base, _, _ := strings.Cut(writer, joinMark)
	return base + joinMark + rand.Text()[:8]
}

// descends reports whether r was made from old: the history of a record only
// grows, so a history that begins with all of old's knew all of old.
func descends(r, old *consent.Record) bool {
	return len(r.History) >= len(old.History) && slices.Equal(r.History[:len(old.History)], old.History)
}

// join is r brought together with the version seen that another writer stored,
// under an epoch above seen's. If r knew all of seen, that is r itself; else it
// is written by writer. A withdrawal on either side wins. A call that seen knows
// to be over stays over: r is then the last that its own writer, who died with
// the call, said about it.
func join(r, seen *consent.Record, writer string) *consent.Record {
	j := r.Clone()
	if descends(r, seen) {
		if r.Epoch <= seen.Epoch {
			j.Epoch, j.Writer = seen.Epoch+1, writer
		}
		return j
	}
	j.Writer = writer
	j.Merge(seen)
	if seen.Ended() && !j.Ended() {
		j.CutOff(later(r.UpdatedAt, seen.UpdatedAt), writer)
		j.Call.EndedAt, j.Call.EndCause = seen.Call.EndedAt, seen.Call.EndCause
	}
	return j
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
