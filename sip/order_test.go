package sip

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	siplib "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExpiringEntriesGoByTimeAndByNumber(t *testing.T) {
	now := time.Unix(0, 0)
	x := newExpiring[int, string](time.Minute, 3)
	for i := range 5 {
		x.put(i, "v", now)
	}
	_, ok := x.get(1, now)
	assert.False(t, ok, "the oldest goes first")
	_, ok = x.take(2, now)
	assert.True(t, ok)
	_, ok = x.get(2, now)
	assert.False(t, ok, "taken")
	x.put(3, "again", now.Add(30*time.Second))
	v, ok := x.get(3, now.Add(80*time.Second))
	assert.True(t, ok, "renewed")
	assert.Equal(t, "again", v)
	_, ok = x.get(4, now.Add(61*time.Second))
	assert.False(t, ok, "expired")
	for i := range 1000 { // one key for ever must not grow the order
		x.put(7, "v", now.Add(time.Duration(i)))
	}
	assert.LessOrEqual(t, len(x.order), 4*x.limit+2)
	assert.LessOrEqual(t, len(x.entries), x.limit)
}

func TestTheTurnstileKeepsTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newTurnstile()
		for _, seq := range []uint32{2, 3, 5} {
			assert.True(t, ts.arrive(seq))
		}
		assert.False(t, ts.arrive(5), "a repetition")
		assert.False(t, ts.arrive(4), "too late")
		got := make(chan uint32, 3)
		for _, seq := range []uint32{5, 3, 2} {
			go func() {
				assert.NoError(t, ts.enter(t.Context(), seq, time.Minute))
				got <- seq
				ts.exit()
				ts.leave(seq)
			}()
			synctest.Wait() // 5 is there first, and waits
		}
		assert.Equal(t, []uint32{2, 3, 5}, []uint32{<-got, <-got, <-got})
	})
}

func TestTheTurnstileDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newTurnstile()
		ts.arrive(2) // and never enters
		ts.arrive(3)
		began := time.Now()
		require.NoError(t, ts.enter(t.Context(), 3, time.Second))
		assert.Equal(t, time.Second, time.Since(began))
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(gone) })
		require.ErrorIs(t, ts.enter(ctx, 3, time.Minute), gone, "3 is inside")
		require.ErrorIs(t, ts.enter(ctx, 4, time.Minute), gone)
		ts.exit()
	})
}

func TestTheTurnstileHasALimit(t *testing.T) {
	ts := newTurnstile()
	for i := range 2 * maxWaiting {
		assert.Equal(t, i < maxWaiting, ts.arrive(uint32(i+1)))
	}
}

func TestTheInboxDropsProvisionalResponsesFirst(t *testing.T) {
	b := inbox{ready: make(chan struct{}, 1)}
	for range 2 * maxProvisional {
		b.put(siplib.NewResponse(180, "Ringing"))
	}
	b.put(siplib.NewResponse(200, "OK"))
	assert.Equal(t, 200, b.final().StatusCode)
	assert.Nil(t, b.final())
}
