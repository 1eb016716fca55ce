package acceptance

import (
	"bytes"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"

	"github.com/stretchr/testify/require"
)

// window is the time in which packets that were sent must be at a recorder,
// and outside of which none may be. Times of a record are cut to the
// millisecond.
type window struct {
	stored time.Time // no copy arrived or was sent before
	opened time.Time // from here on every packet sent is there
	surely time.Time // until here; zero: to the end
	closed time.Time // from here on none; zero: to the end
}

// windowOf is what a record of one recording claims.
func windowOf(r *consent.Record) window {
	w := window{stored: r.StoredAt, opened: opened(r).Add(time.Millisecond)}
	if r.Withdrawal != nil {
		w.closed = r.Withdrawal.At
		w.surely = w.closed.Add(-onWay)
	}
	return w
}

// onWay is how long a packet of one side may be on its way to a gate that the
// other side shuts, on a busy machine.
const onWay = 2 * time.Second

// checkCopies compares every packet of speech that was sent with every copy of
// one direction: the copies are one unbroken piece of what was said, unchanged,
// each there once, but for as many as the kernel threw away before the gateway
// could read them.
func checkCopies(t *testing.T, w window, dropped int, sent, copies []phone.Packet) {
	t.Helper()
	bySeq := map[uint16]phone.Packet{}
	for _, c := range copies {
		bySeq[c.Seq] = c
	}
	require.Len(t, bySeq, len(copies), "a copy twice")
	matched, since, missing := 0, 0, 0 // since the last copy
	for _, p := range audio(sent) {
		c, ok := bySeq[p.Seq]
		switch {
		case ok:
			matched++
			missing, since = missing+since, 0
			checkCopy(t, w, p, c)
		case matched > 0 || p.At.After(w.opened):
			since++
		}
		due := p.At.After(w.opened) && (w.surely.IsZero() || p.At.Before(w.surely))
		if !ok && missing+since > dropped && due {
			require.Fail(t, "a packet is not at the recorder", "sent %v after the gate opened, number %d", p.At.Sub(w.opened), p.Seq)
		}
	}
	require.LessOrEqual(t, missing, dropped, "a gap in the recording")
	require.Equal(t, len(copies), matched, "copies of packets that nobody sent")
}

// checkCopy compares one packet p with its copy c. There are so many that the
// slower ways to compare would take longer than the calls.
func checkCopy(t *testing.T, w window, p, c phone.Packet) {
	t.Helper()
	switch {
	case p.Timestamp != c.Timestamp || !bytes.Equal(p.Payload, c.Payload):
		require.Equal(t, p, c, "a copy that differs")
	case p.At.Before(w.stored) || c.At.Before(w.stored):
		require.Fail(t, "a copy of what was said before the decision was stored", "sent %v, arrived %v, stored %v", p.At, c.At, w.stored)
	case !w.closed.IsZero() && p.At.After(w.closed.Add(time.Millisecond)):
		require.Fail(t, "a copy of what was said after the withdrawal", "sent %v, withdrawn %v", p.At, w.closed)
	}
}

// checkRecorded holds the record of a recorded call against what was sent and
// what arrived, both ways.
func (v *conversation) checkRecorded(r *consent.Record) {
	t := v.t
	t.Helper()
	require.Len(t, r.Recordings, 1)
	rec := r.Recordings[0]
	caller, agent := v.recorder.Caller(rec.Caller.SSRC), v.recorder.Agent(rec.Agent.SSRC)
	require.EqualValues(t, rec.Caller.Packets, len(caller))
	require.EqualValues(t, rec.Agent.Packets, len(agent))
	require.NotEmpty(t, caller)
	require.NotEmpty(t, agent)
	require.Zero(t, rec.BeforeGrant)
	require.Zero(t, rec.AfterStop)
	require.Zero(t, rec.Caller.Lost+rec.Agent.Lost)
	require.Equal(t, consent.RecordingOff, rec.State)
	checkCopies(t, windowOf(r), v.agentDropped, v.agent.line.Sent(), agent)
	w := windowOf(r)
	if r.Withdrawal != nil && r.Withdrawal.Method == "key" {
		// What the caller said before the key reached the gateway before it.
		w.surely = v.pressedLast()
	}
	checkCopies(t, w, v.callerDropped, v.caller.Sent(), caller)
}

// pressedLast is when the first packet of the caller's last key was sent.
func (v *conversation) pressedLast() (at time.Time) {
	var timestamp uint32
	for _, p := range v.caller.Sent() {
		if p.Type != 0 && p.Type != 8 && (at.IsZero() || p.Timestamp != timestamp) {
			at, timestamp = p.At, p.Timestamp
		}
	}
	require.False(v.t, at.IsZero(), "no key was pressed")
	return at
}

// arrivedAll waits until the recorder has a copy of everything that both sides
// said since the gate opened.
func (v *conversation) arrivedAll(r *consent.Record) {
	v.t.Helper()
	v.poll("the last packets at the recorder", func() bool {
		rec := r.Recordings[0]
		return hasLast(v.caller.Sent(), v.recorder.Caller(rec.Caller.SSRC)) && hasLast(v.agent.line.Sent(), v.recorder.Agent(rec.Agent.SSRC))
	})
}

func hasLast(sent, copies []phone.Packet) bool {
	sent = audio(sent)
	return len(copies) > 0 && copies[len(copies)-1].Seq == sent[len(sent)-1].Seq
}
