package call

import (
	"context"
	"testing"

	"consentgw/consent"
	"consentgw/internal/phone"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A platform shows its agent whether the caller agreed while the telephone
// rings: all it knows then is the Call-ID of our INVITE.
func TestThePlatformMayAskWhileItRings(t *testing.T) {
	h := newHouse(t)
	rings, release := make(chan string, 1), make(chan struct{})
	h.ring = []func(context.Context, *phone.Ring){func(ctx context.Context, r *phone.Ring) {
		r.Progress(180, "Ringing", nil)
		rings <- r.CallID()
		select {
		case <-release:
			h.pick(ctx, r)
		case <-r.Context().Done():
		}
	}}
	h.open()
	line := h.agree()
	id := <-rings
	r, ok := h.svc.Find(id)
	require.True(t, ok)
	assert.Equal(t, consent.Given, r.Outcome)
	assert.Equal(t, h.callID(), r.Call.TrunkCallID)
	close(release)
	h.agent()
	connected := h.live("the connection", func(r *consent.Record) bool { return !r.Call.ConnectedAt.IsZero() })
	assert.Equal(t, id, connected.Call.PlatformCallID)
	require.NoError(t, line.Hangup(h.ctx))
	assert.Equal(t, id, h.ended().Call.PlatformCallID)
}

func TestACallThatOnlyRangNamesNoPlatformLeg(t *testing.T) {
	h := newHouse(t)
	rings := make(chan struct{})
	h.ring = []func(context.Context, *phone.Ring){refusing(486, rings, nil)}
	h.open()
	line := h.agree()
	<-rings
	require.NoError(t, line.Hangup(h.ctx))
	r := h.ended()
	assert.Empty(t, r.Call.PlatformCallID)
	assert.True(t, r.Call.ConnectedAt.IsZero())
}

func TestLiveCallsAreListedAndFoundByEveryName(t *testing.T) {
	h := newHouse(t)
	h.open()
	require.Empty(t, h.svc.Live())
	var lines []*phone.Line
	for _, id := range []string{"first", "second"} {
		line, err := h.caller.Call(h.ctx, phone.Dial{Target: h.trunkURI(), Caller: fromNumber, Called: "+31305550123", CallID: id})
		require.NoError(t, err)
		lines = append(lines, line)
		h.agent()
	}
	live := h.svc.Live()
	require.Len(t, live, 2)
	for i, id := range []string{"first", "second"} {
		h.until("the connection", func() (*consent.Record, bool) {
			r, ok := h.svc.Find(id)
			return r, ok && r.Call.PlatformCallID != ""
		})
		assert.Equal(t, id, live[i].Call.TrunkCallID, "oldest first")
		for _, name := range []string{id, string(live[i].ID)} {
			r, ok := h.svc.Find(name)
			require.True(t, ok, name)
			assert.Equal(t, live[i].ID, r.ID)
			byLeg, ok := h.svc.Find(r.Call.PlatformCallID)
			require.True(t, ok)
			assert.Equal(t, live[i].ID, byLeg.ID)
		}
	}
	_, ok := h.svc.Find("third")
	assert.False(t, ok)
	for _, l := range lines {
		require.NoError(t, l.Hangup(h.ctx))
	}
}

func TestACommandIsObeyedOrRefusedWithItsReason(t *testing.T) {
	h, m := newHouse(t), newMemory()
	h.records(Recorder{Name: "archive", Open: m.open})
	h.open()
	require.ErrorIs(t, h.command("hangup"), consent.ErrNoCall, "no such call")
	line := h.dial(toNumber)
	for _, verb := range []string{"withdraw", "pause", "resume", "dance"} {
		require.ErrorIs(t, h.command(verb), consent.ErrNotPossible, verb)
	}
	h.hears(line, "ask")
	line.Press("1")
	h.agent()
	h.live("copies", func(*consent.Record) bool { return m.packets() > 0 })
	r, err := h.svc.Command(h.ctx, h.callID(), "pause")
	require.NoError(t, err)
	assert.Equal(t, consent.RecordingPaused, r.Recording())
	require.NoError(t, h.command("pause"), "pausing twice is pausing once")
	require.NoError(t, h.command("resume"))
	require.NoError(t, h.command("withdraw"))
	require.NoError(t, h.command("withdraw"), "withdrawing twice is withdrawing once")
	require.ErrorIs(t, h.command("resume"), consent.ErrNotPossible)
	require.NoError(t, h.command("hangup"))
	<-line.Ended()
	r = h.ended()
	assert.Equal(t, "hung up by the api", r.Call.EndCause)
	assert.Equal(t, "api", r.Withdrawal.Method)
	assert.Len(t, r.Recordings[0].Pauses, 1)
	require.ErrorIs(t, h.command("hangup"), consent.ErrNoCall, "it is over")
}

// A withdrawal through another node is in the store, and reaches the call with
// the next version that it writes.
func TestAWithdrawalThroughTheStoreShutsTheGate(t *testing.T) {
	h, m := newHouse(t), newMemory()
	h.records(Recorder{Name: "archive", Open: m.open})
	h.open()
	line := h.agree()
	agent := h.agent()
	h.live("copies", func(*consent.Record) bool { return m.packets() > 0 })
	seen := h.stored("the consent", func(r *consent.Record) bool { return r.Outcome == consent.Given && len(r.Recordings) == 1 })
	for {
		w := seen.Clone()
		require.True(t, w.Withdraw(seen.UpdatedAt, "api"))
		w.Writer = "api:gw-2"
		if err := h.store.Store.Replace(h.ctx, w, seen); err == nil {
			break
		}
		seen = h.stored("the newest version", func(*consent.Record) bool { return true })
	}
	require.NoError(t, agent.Hold(h.ctx)) // any event makes another version
	require.NoError(t, agent.Resume(h.ctx))
	h.live("the withdrawal", func(r *consent.Record) bool { return r.Outcome == consent.Withdrawn })
	h.hears(line, "stopped")
	n := m.packets()
	h.hearsMore(line, 10)
	assert.Equal(t, n, m.packets())
	require.NoError(t, line.Hangup(h.ctx))
	r := h.ended()
	assert.Equal(t, consent.Withdrawn, r.Outcome)
	assert.Zero(t, r.Recordings[0].AfterStop)
}

func TestDrainWaitsForTheLastCallOrForItsContext(t *testing.T) {
	h := newHouse(t)
	h.open()
	line := h.dial("+31305550123")
	short, cancel := context.WithCancel(h.ctx)
	cancel()
	require.ErrorIs(t, h.svc.Drain(short), context.Canceled)
	assert.True(t, h.svc.Draining())
	drained := make(chan error, 1)
	go func() { drained <- h.svc.Drain(h.ctx) }()
	require.NoError(t, line.Hangup(h.ctx))
	require.NoError(t, <-drained)
	require.NoError(t, h.svc.Drain(h.ctx), "once more")
}
