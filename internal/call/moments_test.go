package call

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/config"
	"consentgw/internal/phone"
	"consentgw/internal/storetest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// attempt is one call of many: who leaves, and when.
type attempt struct {
	name   string
	caller time.Duration // after the answer; 0: stays
	agent  time.Duration // after picking up; 0: stays
	rings  time.Duration
	refuse int
}

// attempts covers a call of some 900 ms, from its first to its last step, in
// steps of 15 ms.
func attempts() []attempt {
	var list []attempt
	for i := range 60 {
		at := time.Duration(i)*15*time.Millisecond + time.Millisecond
		list = append(list,
			attempt{name: fmt.Sprintf("caller-%d", i), caller: at, rings: 60 * time.Millisecond},
			attempt{name: fmt.Sprintf("crossing-%d", i), caller: 400*time.Millisecond + at, agent: time.Duration(i%7+1) * 5 * time.Millisecond,
				rings: time.Duration(i%5) * 20 * time.Millisecond},
			attempt{name: fmt.Sprintf("refused-%d", i), caller: 500*time.Millisecond + at/2, refuse: 503, rings: 30 * time.Millisecond})
	}
	return list
}

// TestWhoeverLeavesWheneverTheCallIsOver makes many calls that end at every
// moment there is: while the notice plays, while the decision is stored, while
// a target is dialed, rings, refuses or answers. Each leaves a complete record,
// and the house checks that none leaves a port, a call or a goroutine.
func TestWhoeverLeavesWheneverTheCallIsOver(t *testing.T) {
	for _, dial := range []string{config.DialAfterDecision, config.DialDuringNotice} {
		t.Run(dial, func(t *testing.T) { leaveAtEveryMoment(t, dial) })
	}
}

func leaveAtEveryMoment(t *testing.T, dial string) {
	h := newHouse(t)
	h.cfg.Policies[0].Dial = dial
	plans := map[string]attempt{}
	for _, a := range attempts() {
		plans[a.name+"@moments.example"] = a
	}
	ring := func(ctx context.Context, r *phone.Ring) {
		a := plans[r.Header("X-CID")[0]]
		h.desk(ctx, r, a)
	}
	h.ring = []func(context.Context, *phone.Ring){ring, ring}
	h.store.FailWrites(storetest.Fault{Delay: 20 * time.Millisecond})
	h.records(Recorder{Name: "archive", Open: newMemory().opens})
	h.open()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 30)
	for id, a := range plans {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			h.attempt(id, a)
		})
	}
	wg.Wait()
	for id := range plans {
		h.checkEnded(id, "caller hung up", "agent hung up", "no target answered")
	}
}

// attempt makes one call: it agrees as soon as it can and leaves when it is
// planned to.
func (h *house) attempt(id string, a attempt) {
	line, err := h.caller.Call(h.ctx, phone.Dial{Target: h.trunkURI(), Caller: fromNumber, Called: toNumber, CallID: id})
	if !assert.NoError(h.t, err) {
		return
	}
	line.Speak(tone(500), true)
	leave := time.NewTimer(a.caller)
	defer leave.Stop()
	press := time.NewTimer(260 * time.Millisecond) // the notice has 200
	defer press.Stop()
	for {
		select {
		case <-press.C:
			line.Press([]string{"1", "2", "1*9"}[rand.IntN(3)])
			continue
		case <-leave.C:
		case <-line.Ended():
		case <-h.ctx.Done():
		}
		break
	}
	assert.NoError(h.t, line.Hangup(h.ctx))
}

// desk answers a call of attempt.
func (h *house) desk(ctx context.Context, r *phone.Ring, a attempt) {
	line := rungThenPicked(ctx, r, a.rings, a.refuse)
	if line == nil {
		return
	}
	select {
	case <-after(a.agent):
	case <-line.Ended():
	case <-ctx.Done():
	}
	line.Hangup(context.WithoutCancel(ctx))
}

// rungThenPicked rings for a while and then refuses the call with a code, or picks
// up and speaks; nil if there is no call.
func rungThenPicked(ctx context.Context, r *phone.Ring, rings time.Duration, refuse int) *phone.Line {
	r.Progress(180, "Ringing", nil)
	select {
	case <-time.After(rings):
	case <-r.Context().Done():
		return nil
	}
	if refuse != 0 {
		r.Reject(refuse, "Not now")
		return nil
	}
	line, err := r.Pick(ctx)
	if err != nil {
		return nil
	}
	line.Speak(tone(700), true)
	return line
}

// after is when who leaves after a while does; never for 0.
func after(d time.Duration) <-chan time.Time {
	if d == 0 {
		return nil
	}
	return time.After(d)
}

// checkEnded holds the record of one call against the law. It ended for one of
// the causes.
func (h *house) checkEnded(id string, causes ...string) {
	h.t.Helper()
	r := h.until("the end of "+id, func() (*consent.Record, bool) {
		r, err := h.store.Store.Find(h.ctx, id)
		return r, err == nil && r.Ended()
	})
	require.NotEqual(h.t, consent.Pending, r.Outcome)
	require.Equal(h.t, r.Outcome.Status(), r.Status)
	require.Equal(h.t, "ended", r.History[len(r.History)-1].Type, id)
	require.Contains(h.t, causes, r.Call.EndCause, id)
	if r.Call.PlatformCallID == "" {
		require.Zero(h.t, r.Call.ConnectedAt, id)
	}
	for _, rec := range r.Recordings {
		require.Contains(h.t, []consent.Outcome{consent.Given, consent.Withdrawn}, r.Outcome)
		require.Equal(h.t, consent.RecordingOff, rec.State)
		require.Zero(h.t, rec.BeforeGrant+rec.AfterStop)
		require.False(h.t, rec.ClosedAt.IsZero())
	}
}
