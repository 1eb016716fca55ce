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
	columns
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

// width is the distance between two columns.
const width = 26

// draw prints the call as a ladder with the verdict under it.
func (sc *scene) draw(w io.Writer, number, of int, findings []error) {
	fmt.Fprintf(w, "Call %d of %d: %s\n", number, of, sc.title)
	if sc.record != nil {
		sc.markRecord()
		fmt.Fprintf(w, "record %s, outcome %s\n", sc.record.ID, sc.record.Outcome)
	}
	slices.SortStableFunc(sc.rungs, func(a, b rung) int { return a.at.Compare(b.at) })
	header := "      ms  "
	for _, name := range []string{"caller", "gateway", "contact center", "recorder"} {
		header += fmt.Sprintf("%-*s", width, name)
	}
	fmt.Fprintln(w, strings.TrimRight(header, " "))
	for _, r := range sc.rungs {
		fmt.Fprintf(w, "%8d  %s\n", r.at.Sub(sc.begun).Milliseconds(), r.line())
	}
	for _, f := range findings {
		fmt.Fprintf(w, "  BROKEN  %v\n", f)
	}
	if len(findings) == 0 {
		fmt.Fprintln(w, "  held    no packet outside the permit, both could hear each other")
	}
	fmt.Fprintln(w)
}

// markRecord adds what only the record knows.
func (sc *scene) markRecord() {
	r := sc.record
	sc.mark(r.DecidedAt, atGateway, atGateway, "decided: "+decided(r))
	if r.Outcome == consent.Given || r.Outcome == consent.Withdrawn {
		sc.mark(r.StoredAt, atGateway, atGateway, "stored; permit minted")
	}
	for _, rec := range r.Recordings {
		sc.mark(rec.FirstPacketAt, atGateway, atRecorder, "first packet")
		sc.mark(rec.LastPacketAt, atGateway, atRecorder, "last packet")
		sc.mark(rec.ClosedAt.Add(time.Millisecond), atRecorder, atRecorder,
			fmt.Sprintf("%d + %d packets", rec.Caller.Packets, rec.Agent.Packets))
	}
	if r.Withdrawal != nil {
		sc.mark(r.Withdrawal.At, atGateway, atGateway, "gate shut; withdrawn")
	}
	if len(r.Recordings) == 0 {
		sc.mark(r.Call.EndedAt, atRecorder, atRecorder, "0 packets")
	}
}

func decided(r *consent.Record) string {
	if r.Outcome == consent.Withdrawn {
		return string(consent.Given)
	}
	return string(r.Outcome)
}

// line draws a rung.
func (r rung) line() string {
	cells := []byte(strings.Repeat(" ", width*columns))
	for c := range columns {
		cells[c*width] = '|'
	}
	if r.from == r.to {
		copy(cells[r.from*width+2:], r.label)
		return strings.TrimRight(string(cells), " ")
	}
	left, right := min(r.from, r.to)*width, max(r.from, r.to)*width
	for i := left + 1; i < right; i++ {
		cells[i] = '-'
	}
	if r.from < r.to {
		cells[right-1] = '>'
	} else {
		cells[left+1] = '<'
	}
	label := " " + r.label + " "
	copy(cells[left+3:right-2], label)
	return strings.TrimRight(string(cells), " ")
}
