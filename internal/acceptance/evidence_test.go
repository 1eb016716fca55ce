package acceptance

import (
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"

	"github.com/stretchr/testify/require"
)

// window is the time in which packets that were sent must be at a recorder,
// and outside of which none may be.
type window struct {
	stored time.Time // no copy arrived or was sent before
	opened time.Time // from here on every packet sent is there
	closed time.Time // from here on none; zero: to the end
}

// windowOf is what a record of one recording claims. Times of a record are cut
// to the millisecond.
func windowOf(r *consent.Record) window {
	w := window{stored: r.StoredAt, opened: opened(r).Add(time.Millisecond)}
	if r.Withdrawal != nil {
		w.closed = r.Withdrawal.At
	}
	return w
}

// onWay is how long a packet that was sent just before the gate shut may take
// to it.
const onWay = 20 * time.Millisecond

// checkCopies compares every packet of speech that was sent with every copy of
// one direction: the copies are one unbroken piece of what was said, unchanged,
// each there once.
func checkCopies(t *testing.T, w window, sent, copies []phone.Packet) {
	t.Helper()
	sent = audio(sent)
	bySeq := map[uint16]phone.Packet{}
	for _, c := range copies {
		require.NotContains(t, bySeq, c.Seq, "a copy twice")
		bySeq[c.Seq] = c
	}
	missing := 0 // after the first copy
	matched := 0
	for _, p := range sent {
		c, ok := bySeq[p.Seq]
		if !ok {
			if matched > 0 {
				missing++
			}
			require.False(t, p.At.After(w.opened) && (w.closed.IsZero() || p.At.Before(w.closed.Add(-onWay))),
				"a packet that is not at the recorder was sent %v after the gate opened", p.At.Sub(w.opened))
			continue
		}
		matched++
		require.Zero(t, missing, "a gap in the recording")
		require.Equal(t, p.Timestamp, c.Timestamp)
		require.Equal(t, p.Payload, c.Payload)
		require.False(t, p.At.Before(w.stored), "a copy of what was said before the decision was stored")
		require.False(t, c.At.Before(w.stored), "a copy before the decision was stored")
		if !w.closed.IsZero() {
			require.False(t, p.At.After(w.closed.Add(time.Millisecond)), "a copy of what was said after the withdrawal")
		}
	}
	require.Equal(t, len(copies), matched, "copies of packets that nobody sent")
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
	checkCopies(t, windowOf(r), v.caller.Sent(), caller)
	checkCopies(t, windowOf(r), v.agent.line.Sent(), agent)
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
