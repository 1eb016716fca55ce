package acceptance

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"consentgw/consent"

	"github.com/stretchr/testify/require"
)

// TestFiftyRecordedCallsAtOnce: fifty callers who agreed and ten who refused
// talk at once, both ways. Of the fifty, every packet sent after the tap opened
// is at the recorder and none before; of the ten, none at all.
func TestFiftyRecordedCallsAtOnce(t *testing.T) {
	const agreed, refused = 50, 10
	s := newSite(t, plan{info: true})
	s.start()
	p, c := s.openPhone(), s.openCenter()
	before := s.metrics()

	talks := make([]*conversation, agreed+refused)
	var dialing sync.WaitGroup
	for i := range talks {
		dialing.Go(func() {
			key := "1"
			if i >= agreed {
				key = "2"
			}
			v, err := s.connected(p, c, fmt.Sprintf("talk-%d", i), key)
			if err == nil {
				talks[i] = v
			}
		})
	}
	dialing.Wait()
	require.NotContains(t, talks, (*conversation)(nil), "a call that did not connect")
	require.EqualValues(t, agreed, s.metrics().sum("consentgw_gate_state", `state="open"`))
	s.listen(talkTime(t))
	copies := 0
	records := s.endAll(talks, agreed)
	for i, v := range talks {
		if i < agreed {
			v.checkRecorded(records[i])
			copies += int(records[i].RecordedPackets())
			continue
		}
		require.Equal(t, consent.Refused, records[i].Outcome)
		require.Empty(t, records[i].Recordings)
		require.Equal(t, "off", v.agent.headers["X-Recording"])
	}
	all := len(s.recorder.Caller(0)) + len(s.recorder.Agent(0))
	require.Equal(t, copies, all, "packets at the recorder that belong to no recording")
	m := s.idle(1e9)
	require.Zero(t, m.sum("consentgw_fork_violations_total"))
	t.Logf("%d packets at the recorder of %d calls in %v, none missing; %d refused calls: 0 packets", all, agreed, talkTime(t), refused)
	t.Logf("processor time of the gateway: %.1f s", m["process_cpu_seconds_total"]-before["process_cpu_seconds_total"])
}

// talkTime is how long the calls talk.
func talkTime(t *testing.T) time.Duration {
	value := os.Getenv("CONSENTGW_TALK")
	if value == "" {
		value = "20s"
	}
	d, err := time.ParseDuration(value)
	require.NoError(t, err, "CONSENTGW_TALK")
	return d
}

// listen lets calls go on for a while.
func (s *site) listen(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.ctx.Done():
	}
}

// endAll hushes the calls, waits until the recorder has all of those that are
// recorded, and hangs up.
func (s *site) endAll(talks []*conversation, recorded int) []*consent.Record {
	for _, v := range talks {
		v.hushed()
	}
	records := make([]*consent.Record, len(talks))
	for i, v := range talks {
		if i < recorded {
			status, err := s.api.Status(s.ctx, v.id)
			require.NoError(s.t, err)
			require.Equal(s.t, consent.RecordingOn, status.Recording)
			live, err := s.api.Show(s.ctx, string(status.RecordID))
			require.NoError(s.t, err)
			v.arrivedAll(live)
		}
		records[i] = v.hangsUp()
	}
	return records
}

// TestWithdrawingByKeyStopsTheRecording: the packet after the decision is not
// at the recorder, on either side, and the record has both times and counts.
func TestWithdrawingByKeyStopsTheRecording(t *testing.T) {
	t.Parallel()
	s := newSite(t, plan{})
	s.start()
	p, c := s.openPhone(), s.openCenter()
	v, err := s.connected(p, c, "withdraws", "1")
	require.NoError(t, err)
	require.NoError(t, v.talks(200)) // for longer than onWay
	v.caller.Press("*9")
	s.poll("the withdrawal", func() bool {
		status, err := s.api.Status(s.ctx, v.id)
		return err == nil && status.Status == consent.StatusWithdrawn && status.Recording == consent.RecordingOff
	})
	require.NoError(t, v.talks(50))
	r := v.hangsUp()

	require.Equal(t, consent.Withdrawn, r.Outcome)
	require.Equal(t, "1", r.Press.Key)
	require.False(t, r.StoredAt.IsZero())
	require.Equal(t, "key", r.Withdrawal.Method)
	require.True(t, r.Withdrawal.At.After(r.StoredAt))
	v.checkRecorded(r)
	rec := r.Recordings[0]
	require.Equal(t, r.Withdrawal.RecordedPackets, rec.Caller.Packets+rec.Agent.Packets, "packets at the withdrawal and at the end")
	require.Zero(t, rec.AfterStop)
	require.False(t, rec.ClosedAt.After(r.Withdrawal.At))

	t.Logf("from the first packet of the key to the shut gate: %v", r.Withdrawal.At.Sub(v.pressedLast()))
	require.Equal(t, r, s.inRedis(v.id))
}

// TestWithdrawingFromSIPp: the same for keys and speech that are not ours.
func TestWithdrawingFromSIPp(t *testing.T) {
	needsReal(t)
	needsRaw(t)
	s := newSite(t, plan{})
	s.start()
	platform := s.sippPlatform(10)
	calls := sippCalls("stop", 10, "withdraw")
	for i := range calls {
		calls[i].way = "rtp"
	}
	s.sippCallers(5, calls, "stop").wait(s)
	platform.wait(s)
	records := s.recordsOf(calls)
	s.agreesWithRecorder(records, s.idle(1e9))
	for id, r := range records {
		require.EqualValues(t, speechPackets, r.Recordings[0].Caller.Packets, "%s: the first of two pieces of speech", id)
		require.EqualValues(t, speechPackets, r.Recordings[0].Agent.Packets, "%s: its echo", id)
	}
}
