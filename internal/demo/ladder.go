package demo

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"consentgw/consent"
)

// The columns of a ladder.
const (
	atCaller = iota
	atGateway
	atCenter
	atRecorder
)

// places are where the columns stand, in characters; full is the width of a
// ladder with its clock, which fits a terminal of 120.
var places = [...]int{0, 29, 61, 84}

const (
	clock = 10
	full  = 118
)

// rung is one line of a ladder.
type rung struct {
	at       time.Time
	from, to int // equal: a note at a column
	label    string
}

func (sc *scene) mark(at time.Time, from, to int, label string) {
	sc.rungs = append(sc.rungs, rung{at, from, to, label})
}

// draw prints the call as a ladder.
func (sc *scene) draw(w io.Writer, of int) {
	fmt.Fprintf(w, "\nCall %d of %d: %s\n", sc.number, of, sc.title)
	rungs := slices.Clone(sc.rungs)
	if sc.record != nil {
		fmt.Fprintf(w, "record %s, outcome %s\n", sc.record.ID, sc.record.Outcome)
		rungs = append(rungs, fromRecord(sc.record)...)
	}
	slices.SortStableFunc(rungs, func(a, b rung) int { return a.at.Compare(b.at) })
	header := []rune(strings.Repeat(" ", full-clock))
	for i, name := range []string{"caller", "gateway", "contact center", "recorder"} {
		copy(header[places[i]:], []rune(name))
	}
	fmt.Fprintf(w, "%7s   %s\n", "ms", strings.TrimRight(string(header), " "))
	for _, r := range rungs {
		fmt.Fprintf(w, "%7d   %s\n", r.at.Sub(sc.begun).Milliseconds(), r.line())
	}
}

// fromRecord is what only the record knows.
func fromRecord(r *consent.Record) (rungs []rung) {
	note := func(at time.Time, column int, format string, args ...any) {
		rungs = append(rungs, rung{at, column, column, fmt.Sprintf(format, args...)})
	}
	if !r.StoredAt.IsZero() {
		note(r.DecidedAt, atGateway, "decided: %s", consent.Given)
		note(r.StoredAt, atGateway, "stored; permit minted")
	} else {
		note(r.DecidedAt, atGateway, "decided: %s", r.Outcome)
	}
	for _, rec := range r.Recordings {
		if !rec.FirstPacketAt.IsZero() {
			rungs = append(rungs, rung{rec.FirstPacketAt, atGateway, atRecorder, "RTP copies: the first"},
				rung{rec.LastPacketAt, atGateway, atRecorder, "RTP copies: the last"})
		}
		note(rec.ClosedAt.Add(time.Millisecond), atRecorder, "has %d + %d packets", rec.Caller.Packets, rec.Agent.Packets)
	}
	if r.Withdrawal != nil {
		note(r.Withdrawal.At, atGateway, "gate shut; withdrawn")
	}
	if len(r.Recordings) == 0 {
		note(r.Call.EndedAt, atRecorder, "has 0 packets")
	}
	return rungs
}

// line draws a rung.
func (r rung) line() string {
	cells := []rune(strings.Repeat(" ", full-clock))
	for _, at := range places {
		cells[at] = '│'
	}
	if r.from == r.to {
		copy(cells[places[r.from]+2:], []rune(r.label))
		return strings.TrimRight(string(cells), " ")
	}
	left, right := places[min(r.from, r.to)], places[max(r.from, r.to)]
	for i := left + 1; i < right; i++ {
		cells[i] = '─'
	}
	if r.from < r.to {
		cells[right-1] = '▶'
	} else {
		cells[left+1] = '◀'
	}
	copy(cells[left+3:right-3], []rune(" "+r.label+" "))
	return strings.TrimRight(string(cells), " ")
}
