package call

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"
	"consentgw/internal/sdp"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Both parties hold and resume, the API pauses and resumes, platforms ask for
// the status, all at once; then the consent is taken back. The race detector
// watches, and the evidence adds up.
func TestEverybodyMayWantSomethingAtOnce(t *testing.T) {
	h, m := newHouse(t), newMemory()
	h.records(Recorder{Name: "archive", Open: m.open})
	h.open()
	line := h.agree()
	h.agent()
	h.live("copies", func(*consent.Record) bool { return m.packets() > 0 })
	c := h.svc.find(h.callID())
	var crowd sync.WaitGroup
	connected := h.live("the connection", func(r *consent.Record) bool { return r.Call.PlatformCallID != "" })
	for id, p := range map[string]*party{h.callID(): c.asked, connected.Call.PlatformCallID: c.agent} {
		far := line.MediaAddr()
		crowd.Go(func() { // re-INVITEs, with and without an offer
			legs := c.inDialog(p, id)
			local := sdp.Local{Addr: far.Addr(), Port: int(far.Port()), ID: 7, Version: 2}
			for i := range 30 {
				local.Version++
				local.Direction = []sdp.Direction{sdp.SendOnly, sdp.SendRecv, sdp.Inactive}[i%3]
				offer := sdp.NewOffer(local, []sdp.Codec{sdp.PCMA(), sdp.PCMU(), sdp.Event8000()}).Marshal()
				if _, err := legs.Offer(offer); err != nil {
					assert.NoError(t, err)
				}
				ours, err := legs.Offer(nil)
				assert.NoError(t, err)
				legs.Offered(answerTo(ours, far, func(s *sdp.Session) { s.Media[0].Direction = local.Direction }))
				legs.Info("application/dtmf-relay", []byte("Signal=5\r\nDuration=100\r\n"))
			}
		})
	}
	for _, verb := range []string{"pause", "resume"} {
		crowd.Go(func() {
			for range 15 {
				assert.NoError(t, h.command(verb))
			}
		})
	}
	crowd.Go(func() {
		for range 200 {
			_, ok := h.svc.Find(h.callID())
			assert.True(t, ok)
			h.svc.Live()
		}
	})
	crowd.Wait()
	require.NoError(t, h.command("withdraw"))
	n := m.packets()
	require.NoError(t, line.Hangup(h.ctx))
	r := h.ended()
	require.Equal(t, n, m.packets(), "a copy after the withdrawal")
	require.EqualValues(t, n, r.Withdrawal.RecordedPackets)
	h.checkPauses(r.Recordings[0])
}

// checkPauses says that the pauses follow one another and have ended.
func (h *house) checkPauses(r consent.Recording) {
	require.True(h.t, slices.IsSortedFunc(r.Pauses, func(a, b consent.Pause) int { return a.From.Compare(b.From) }))
	for i, p := range r.Pauses {
		require.False(h.t, p.To.IsZero(), "pause %d goes on", i)
		require.False(h.t, p.To.Before(p.From))
		require.False(h.t, i > 0 && p.From.Before(r.Pauses[i-1].To), "pause %d overlaps", i)
		require.False(h.t, r.ClosedAt.Before(p.To))
	}
}

// The gateway may be told to end at every moment of a call: both parties are
// told, and the record says why.
func TestTheEndOfTheGatewayEndsEveryCall(t *testing.T) {
	h := newHouse(t)
	h.records(Recorder{Name: "archive", Open: newMemory().opens})
	h.open()
	const calls = 24
	var crowd sync.WaitGroup
	ids := make([]string, calls)
	lines := make([]*phone.Line, calls)
	for i := range calls {
		ids[i] = fmt.Sprintf("cut-%d@crowd.example", i)
		select {
		case <-time.After(40 * time.Millisecond):
		case <-h.ctx.Done():
		}
		crowd.Go(func() {
			line, err := h.caller.Call(h.ctx, phone.Dial{Target: h.trunkURI(), Caller: fromNumber, Called: toNumber, CallID: ids[i]})
			if !assert.NoError(t, err) {
				return
			}
			lines[i] = line
			line.Speak(tone(500), true)
			ctx, cancel := context.WithCancel(h.ctx)
			defer cancel()
			defer context.AfterFunc(line.Leg().Context(), cancel)()
			p := h.notice.Prompt("ask")
			if line.Hears(ctx, p.PCMU, p.PCMA) == nil {
				line.Press([]string{"1", "2"}[i%2])
			}
			select {
			case <-line.Ended():
			case <-h.ctx.Done():
			}
		})
		if i == calls-1 {
			h.until("the last call", func() (*consent.Record, bool) { return h.svc.Find(ids[i]) })
		}
	}
	h.halt()
	require.NoError(t, h.svc.Drain(h.ctx))
	for i, id := range ids {
		r := h.until("the end of "+id, func() (*consent.Record, bool) {
			r, err := h.store.Store.Find(h.ctx, id)
			return r, err == nil && r.Ended()
		})
		assert.Equal(t, "gateway stopping", r.Call.EndCause, id)
		assert.NotEqual(t, consent.Pending, r.Outcome)
		if lines[i] != nil {
			<-lines[i].Ended()
		}
	}
	for _, l := range lines {
		if l != nil {
			l.Drop()
		}
	}
	crowd.Wait()
}
