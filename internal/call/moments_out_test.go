package call

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"consentgw/internal/phone"
	"consentgw/internal/storetest"

	"github.com/stretchr/testify/assert"
)

// outward is one outbound call of many: who leaves, and when.
type outward struct {
	called string
	agent  time.Duration // leaves, or cancels, so long after dialing
	callee time.Duration // leaves so long after answering; 0: stays
	rings  time.Duration
	refuse int
}

// outwards covers a call of some 900 ms, from its first to its last step, in steps
// of 15 ms.
func outwards() []outward {
	var list []outward
	add := func(o outward) {
		o.called = fmt.Sprintf("+442079460%03d", len(list))
		list = append(list, o)
	}
	for i := range 60 {
		at := time.Duration(i)*15*time.Millisecond + time.Millisecond
		add(outward{agent: at, rings: 60 * time.Millisecond})
		add(outward{agent: patience, callee: at})
		add(outward{agent: at + 30*time.Millisecond, callee: at, rings: time.Duration(i%5) * 10 * time.Millisecond})
		add(outward{agent: at / 10, rings: at / 10, refuse: []int{486, 503}[i%2]})
	}
	return list
}

// TestWhoeverLeavesWheneverAnOutboundCallIsOver makes calls of agents that end at
// every moment there is: while the trunk is dialed, rings, refuses or answers,
// while the callee is asked, while the decision is stored, and afterwards.
func TestWhoeverLeavesWheneverAnOutboundCallIsOver(t *testing.T) {
	h := newHouse(t)
	plans := map[string]outward{}
	for _, o := range outwards() {
		plans[o.called] = o
	}
	ring := func(ctx context.Context, r *phone.Ring) { h.callee(ctx, r, plans[r.Called()]) }
	h.callsOut(ring, ring)
	h.cfg.Routes[2].Recorders = []string{"archive"}
	h.recorders = []Recorder{{Name: "archive", Open: newMemory().opens}}
	h.store.FailWrites(storetest.Fault{Delay: 20 * time.Millisecond})
	h.open()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 30)
	for _, o := range plans {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			h.goesOut(o)
		})
	}
	wg.Wait()
	seen := 0
	for _, o := range plans {
		if _, err := h.store.Store.Find(h.ctx, o.id()); err != nil && o.agent < patience {
			continue // cancelled before the gateway heard of it
		}
		seen++
		h.checkEnded(o.id(), "agent hung up", "callee hung up", "agent cancelled", "callee was busy", "trunk did not take the call",
			"agent was lost: the dialog is unknown there (481)") // our request and the agent's BYE crossed
	}
	t.Logf("%d calls, %d seen by the gateway", len(plans), seen)
}

func (o outward) id() string { return o.called + "@moments.example" }

// goesOut makes one call as the agent.
func (h *house) goesOut(o outward) {
	ctx, leave := context.WithTimeout(h.ctx, o.agent)
	defer leave()
	line, err := h.caller.Call(ctx, phone.Dial{Target: "sip:" + h.platform.Addrs()[0].AddrPort.String(), Caller: toNumber, Called: o.called, CallID: o.id()})
	if err != nil {
		return // refused, or cancelled
	}
	line.Speak(tone(500), true)
	select {
	case <-ctx.Done():
	case <-line.Ended():
	}
	assert.NoError(h.t, line.Hangup(h.ctx))
}

// callee answers a call of outward, and presses a key after the notice, which has
// 200 ms.
func (h *house) callee(ctx context.Context, r *phone.Ring, o outward) {
	line := rungThenPicked(ctx, r, o.rings, o.refuse)
	if line == nil {
		return
	}
	defer line.Hangup(context.WithoutCancel(ctx))
	leave := after(o.callee)
	press := time.After(260 * time.Millisecond)
	for {
		select {
		case <-press:
			line.Press([]string{"1", "2", "1*9"}[rand.IntN(3)])
			continue
		case <-leave:
		case <-line.Ended():
		case <-ctx.Done():
		}
		return
	}
}
