package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

const racers = 16

func raceCases() map[string]func(*testing.T, *bench) {
	return map[string]func(*testing.T, *bench){
		"of many writers that saw one version, one replaces it": func(t *testing.T, b *bench) {
			seen := Record()
			b.put(seen)
			for range 5 {
				seen = replacedByOne(t, b, seen)
			}
			b.holds(seen)
		},
		"of many writers of a new record, one stores it": func(t *testing.T, b *bench) {
			r, ctx := Record(), b.ctx()
			var won atomic.Int32
			together(func(i int) {
				mine := r.Clone()
				mine.Writer = fmt.Sprint("writer-", i)
				err := b.Put(ctx, mine)
				if err == nil {
					won.Add(1)
					return
				}
				assert.ErrorIs(t, err, consent.ErrConflict)
			})
			require.EqualValues(t, 1, won.Load())
		},
		"versions of one writer that overtake each other leave the highest": func(t *testing.T, b *bench) {
			r, ctx := Record(), b.ctx()
			together(func(i int) {
				mine := r.Clone()
				mine.Epoch = uint64(i + 1)
				if err := b.Put(ctx, mine); err != nil {
					assert.ErrorIs(t, err, consent.ErrStale)
				}
			})
			got, err := b.Get(ctx, r.ID)
			require.NoError(t, err)
			require.EqualValues(t, racers, got.Epoch)
		},
		"many calls at once are all stored and indexed": func(t *testing.T, b *bench) {
			ctx := b.ctx()
			all := make([]*consent.Record, racers*20)
			for i := range all {
				all[i] = Record(After(time.Duration(i) * time.Millisecond))
			}
			together(func(i int) {
				for _, r := range all[i*20 : i*20+20] {
					assert.NoError(t, b.Put(ctx, r))
					assert.NoError(t, b.Put(ctx, next(r, Granted)))
				}
			})
			require.Equal(t, want(all, consent.Query{}), b.search(consent.Query{Limit: 64}))
			for _, r := range all {
				_, err := b.Find(ctx, r.Call.TrunkCallID)
				require.NoError(t, err)
			}
			open, err := b.Unfinished(ctx, Node)
			require.NoError(t, err)
			require.Len(t, open, len(all))
		},
	}
}

// replacedByOne lets all racers replace seen and returns the one version that won.
func replacedByOne(t *testing.T, b *bench, seen *consent.Record) *consent.Record {
	winners, ctx := make(chan *consent.Record, racers), b.ctx()
	together(func(i int) {
		mine := next(seen, By(fmt.Sprint("writer-", i)))
		switch err := b.Replace(ctx, mine, seen); {
		case err == nil:
			winners <- mine
		default:
			assert.ErrorIs(t, err, consent.ErrConflict)
		}
	})
	require.Len(t, winners, 1)
	return <-winners
}

func together(do func(i int)) {
	var start, all sync.WaitGroup
	start.Add(1)
	for i := range racers {
		all.Go(func() { start.Wait(); do(i) })
	}
	start.Done()
	all.Wait()
}

func contextCases() map[string]func(*testing.T, *bench) {
	return map[string]func(*testing.T, *bench){
		"a context that was cancelled stops every method before it does anything": func(t *testing.T, b *bench) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			stopped(t, b, ctx, context.Canceled)
		},
		"so does a deadline in the past": func(t *testing.T, b *bench) {
			ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Hour))
			defer cancel()
			stopped(t, b, ctx, context.DeadlineExceeded)
		},
		"the cause of the cancellation is the error": func(t *testing.T, b *bench) {
			cause := errors.New("caller hung up")
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(cause)
			stopped(t, b, ctx, cause)
		},
	}
}

func stopped(t *testing.T, b *bench, ctx context.Context, cause error) {
	held, fresh := Record(), Record()
	b.put(held)
	_, getErr := b.Get(ctx, held.ID)
	_, findErr := b.Find(ctx, held.Call.TrunkCallID)
	_, searchErr := b.Search(ctx, consent.Query{})
	_, openErr := b.Unfinished(ctx, Node)
	for method, err := range map[string]error{
		"Put": b.Put(ctx, fresh), "Replace": b.Replace(ctx, next(held, By("writer-2")), held), "Ping": b.Ping(ctx),
		"Get": getErr, "Find": findErr, "Search": searchErr, "Unfinished": openErr,
	} {
		require.ErrorIs(t, err, cause, method)
	}
	b.holds(held)
	_, err := b.Get(b.ctx(), fresh.ID)
	require.ErrorIs(t, err, consent.ErrNotFound)
}
