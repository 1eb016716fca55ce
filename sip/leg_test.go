package sip

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pair connects two endpoints of ours and returns both ends of the call.
func pair(t *testing.T, transport string, ours, theirs InDialog) (caller, callee *Leg) {
	t.Helper()
	h, legs, _ := answering(theirs)
	b := start(t, h)
	a := start(t, Handler{})
	d := receive(t, dial(t.Context(), a, Invite{
		Target: "sip:" + b.first(transport).String() + ";transport=" + transport, Caller: "+31205550101", InDialog: ours,
	}))
	require.NoError(t, d.err)
	return d.leg, receive(t, legs)
}

// each runs a test over UDP and over TCP.
func each(t *testing.T, f func(t *testing.T, transport string)) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) { f(t, transport) })
	}
}

func TestTwoEndpointsHoldACall(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		keys := make(chan string, 2)
		offer := func(name string) func([]byte) ([]byte, error) {
			return func(sdp []byte) ([]byte, error) { return []byte("v=0 answer of " + name + " to " + string(sdp)), nil }
		}
		info := func(kind string, body []byte) int { keys <- kind + " " + string(body); return 200 }
		caller, callee := pair(t, transport, InDialog{Offer: offer("caller"), Info: info}, InDialog{Offer: offer("callee"), Info: info})
		assert.Equal(t, caller.CallID(), callee.CallID())
		assert.Equal(t, testAnswer, string(caller.SDP()))
		assert.Equal(t, testOffer, string(callee.SDP()))

		answer, err := caller.Reinvite(t.Context(), []byte("v=0 one"))
		require.NoError(t, err)
		assert.Equal(t, "v=0 answer of callee to v=0 one", string(answer))
		answer, err = callee.Reinvite(t.Context(), []byte("v=0 two"))
		require.NoError(t, err)
		assert.Equal(t, "v=0 answer of caller to v=0 two", string(answer))
		assert.Equal(t, "v=0 two", string(caller.SDP()))

		code, err := caller.Info(t.Context(), "application/dtmf", []byte("1"))
		require.NoError(t, err)
		assert.Equal(t, 200, code)
		assert.Equal(t, "application/dtmf 1", receive(t, keys))
		code, err = callee.Info(t.Context(), "application/dtmf", []byte("2"))
		require.NoError(t, err)
		assert.Equal(t, 200, code)
		assert.Equal(t, "application/dtmf 2", receive(t, keys))

		require.NoError(t, callee.Bye(t.Context(), "enough"))
		var byeErr *ByeError
		require.ErrorAs(t, ended(t, caller.Context()), &byeErr)
		assert.Equal(t, "enough", byeErr.Reason)
		require.ErrorIs(t, ended(t, callee.Context()), ErrEnded)
	})
}

func TestGlareBetweenTwoEndpointsEndsWithBothOffersAnswered(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		offer := func([]byte) ([]byte, error) { return []byte(testAnswer), nil }
		caller, callee := pair(t, transport, InDialog{Offer: offer}, InDialog{Offer: offer})
		var wg sync.WaitGroup
		for range 3 {
			for _, l := range []*Leg{caller, callee} {
				wg.Go(func() {
					_, err := l.Reinvite(t.Context(), []byte(testOffer2))
					assert.NoError(t, err)
				})
			}
		}
		wg.Wait()
		require.NoError(t, caller.Bye(t.Context(), ""))
		ended(t, callee.Context())
	})
}

func TestByesOfBothEndpointsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		for range 10 {
			caller, callee := pair(t, transport, InDialog{}, InDialog{})
			var wg sync.WaitGroup
			for _, l := range []*Leg{caller, callee} {
				wg.Go(func() { assert.NoError(t, l.Bye(context.Background(), "")) })
			}
			wg.Wait()
		}
	})
}

func TestDialedCallsAreCancelledInEveryState(t *testing.T) {
	hungUp := errors.New("the caller hung up")
	tests := map[string]func(in *Incoming) error{
		"trying":  func(*Incoming) error { return nil },
		"ringing": func(in *Incoming) error { return in.Progress(180, "Ringing", nil) },
		"early":   func(in *Incoming) error { return in.Progress(183, "Session Progress", []byte(testAnswer)) },
	}
	each(t, func(t *testing.T, transport string) {
		for name, before := range tests {
			t.Run(name, func(t *testing.T) {
				reached := make(chan struct{})
				h, causes := waiting(func(in *Incoming) {
					assert.NoError(t, before(in))
					close(reached)
				})
				b, a := start(t, h), start(t, Handler{})
				ctx, cancel := context.WithCancelCause(t.Context())
				got := dial(ctx, a, Invite{Target: "sip:" + b.first(transport).String() + ";transport=" + transport})
				receive(t, reached)
				cancel(hungUp)
				require.ErrorIs(t, receive(t, got).err, hungUp)
				require.ErrorIs(t, receive(t, causes), ErrCancelled)
			})
		}
	})
}

// Whatever the moment of the cancel, no call is left over on either side.
func TestACancelAtAnyMomentLeavesNoCallBehind(t *testing.T) {
	each(t, func(t *testing.T, transport string) {
		h, legs, errs := answering(InDialog{})
		b, a := start(t, h), start(t, Handler{})
		target := "sip:" + b.first(transport).String() + ";transport=" + transport
		for range 30 {
			ctx, cancel := context.WithCancel(t.Context())
			got := dial(ctx, a, Invite{Target: target})
			cancel()
			if d := receive(t, got); d.err == nil {
				require.NoError(t, d.leg.Bye(t.Context(), ""))
			}
		}
		require.Eventually(t, func() bool { return len(b.registry.allLegs()) == 0 && len(a.registry.allLegs()) == 0 }, soon, testT1)
		for len(legs) > 0 {
			ended(t, (<-legs).Context())
		}
		for len(errs) > 0 {
			<-errs
		}
	})
}

func TestManyCallsAtOnce(t *testing.T) {
	const n = 50
	each(t, func(t *testing.T, transport string) {
		b := start(t, Handler{Invite: func(ctx context.Context, in *Incoming) {
			leg, err := in.Answer(ctx, in.Offer(), InDialog{})
			var bye *ByeError // it may overtake the ACK
			if err == nil {
				<-leg.Context().Done()
			} else {
				assert.ErrorAs(t, err, &bye)
			}
		}})
		a := start(t, Handler{})
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				sdp := fmt.Sprint("v=0 ", i)
				leg, err := a.Dial(t.Context(), Invite{
					Target: "sip:" + b.first(transport).String() + ";transport=" + transport,
					Called: fmt.Sprint(i), Offer: []byte(sdp), FirstResponse: soon,
				})
				if assert.NoError(t, err) {
					assert.Equal(t, sdp, string(leg.SDP()))
					assert.NoError(t, leg.Bye(t.Context(), ""))
				}
			})
		}
		wg.Wait()
	})
}
