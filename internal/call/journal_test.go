package call

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"consentgw/consent"
	"consentgw/internal/boltstore"
	"consentgw/internal/metrics"
	"consentgw/internal/spool"
	"consentgw/internal/storetest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bubble is a journal in a bubble, where a second of waiting takes no time.
type bubble struct {
	*Journal
	t     *testing.T
	store *storetest.Faulty
	log   *lockedBuffer
	stop  func()
}

var errAway = errors.New("the store is away")

const writer = "gw-test/run"

// inBubble runs test with a journal that writes. Without a spool, versions that
// fail stay in memory.
func inBubble(t *testing.T, spooled bool, test func(t *testing.T, b *bubble)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		inner, err := boltstore.Open(filepath.Join(dir, "records.db"))
		require.NoError(t, err)
		b := &bubble{t: t, store: storetest.NewFaulty(inner), log: &lockedBuffer{}}
		defer b.store.Close()
		cfg := JournalConfig{Store: b.store, Name: writer, Timeout: time.Second, Metrics: metrics.New("test"),
			Log: slog.New(slog.NewTextHandler(b.log, nil))}
		if spooled {
			cfg.Spool, err = spool.Open(filepath.Join(dir, "spool.db"))
			require.NoError(t, err)
			defer cfg.Spool.Close()
		}
		b.Journal = NewJournal(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { b.Run(ctx) })
		b.stop = func() { cancel(); run.Wait() }
		defer b.stop()
		test(t, b)
	})
}

// wait lets everything happen that happens within d.
func (b *bubble) wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (b *bubble) stored(id consent.RecordID) *consent.Record {
	b.t.Helper()
	r, err := b.store.Store.Get(context.Background(), id)
	require.NoError(b.t, err)
	return r
}

// ours is a record of a call of this process.
func ours(changes ...func(*consent.Record)) *consent.Record {
	return storetest.Record(append([]func(*consent.Record){storetest.By(writer)}, changes...)...)
}

// next is the version after r.
func next(r *consent.Record, change func(*consent.Record)) *consent.Record {
	n := r.Clone()
	change(n)
	return n
}

func noted(text string) func(*consent.Record) {
	return func(r *consent.Record) { r.Note(r.UpdatedAt.Add(time.Second), "test", text) }
}

// withdrawnBy stores a withdrawal by another writer over what is stored.
func (b *bubble) withdrawnBy(name string, id consent.RecordID) *consent.Record {
	b.t.Helper()
	seen := b.stored(id)
	w := seen.Clone()
	require.True(b.t, w.Withdraw(seen.UpdatedAt.Add(time.Second), "api"))
	w.Writer = name
	require.NoError(b.t, b.store.Store.Replace(context.Background(), w, seen))
	return w
}

func TestAVersionIsStoredAndForgotten(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bubble) {
		r := ours()
		b.Save(r)
		b.wait(time.Millisecond)
		assert.Equal(t, r.Epoch, b.stored(r.ID).Epoch)
		_, waits := b.Journal.Find(string(r.ID))
		assert.False(t, waits)
		assert.Empty(t, b.pending)
	})
}

func TestOfVersionsThatWaitOnlyTheNewestIsWritten(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bubble) {
		slow := make(chan struct{})
		b.store.FailWrites(storetest.Fault{Until: slow})
		r := ours()
		b.Save(r)
		b.wait(time.Millisecond)
		last := r
		for range 50 {
			last = next(last, noted("x"))
			b.Save(last)
		}
		b.Save(r) // an old one that comes late changes nothing
		b.wait(time.Millisecond)
		found, ok := b.Journal.Find(r.Call.TrunkCallID)
		require.True(t, ok)
		assert.Equal(t, last.Epoch, found.Epoch)
		close(slow)
		b.wait(time.Millisecond)
		assert.Equal(t, last.Epoch, b.stored(r.ID).Epoch)
		assert.Equal(t, 2, b.store.Calls(storetest.Put))
	})
}

func TestAVersionThatIsOlderThanTheStoredOneIsDone(t *testing.T) {
	inBubble(t, true, func(t *testing.T, b *bubble) {
		old := ours()
		newer := next(old, noted("newer"))
		require.NoError(t, b.store.Store.Put(t.Context(), newer))
		b.Save(old)
		b.wait(time.Millisecond)
		assert.Equal(t, newer.Epoch, b.stored(old.ID).Epoch)
		assert.Empty(t, b.pending)
		assert.Zero(t, b.Spool.Len())
	})
}

func TestAWithdrawalByAnotherWriterIsMergedIntoTheRecordOfACallThatIsOver(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bubble) {
		r := ours(storetest.Granted)
		require.NoError(t, b.store.Store.Put(t.Context(), r))
		b.withdrawnBy("api:gw-2", r.ID)
		b.Save(next(r, storetest.Ended))
		b.wait(time.Millisecond)
		got := b.stored(r.ID)
		assert.Equal(t, consent.Withdrawn, got.Outcome)
		assert.True(t, got.Ended())
	})
}

// The last version of a call may come while an earlier one is being merged:
// neither the end nor the withdrawal may be lost.
func TestTheEndIsNotLostWhileAnEarlierVersionIsMerged(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bubble) {
		r := ours(storetest.Granted)
		require.NoError(t, b.store.Store.Put(t.Context(), r))
		b.withdrawnBy("api:gw-2", r.ID)
		merging := make(chan struct{})
		b.store.Fail(func(m storetest.Method, _ *consent.Record) storetest.Fault {
			if m == storetest.Replace {
				return storetest.Fault{Until: merging}
			}
			return storetest.Fault{}
		})
		r = next(r, func(r *consent.Record) { r.Touch(r.UpdatedAt) })
		b.Save(r)
		b.wait(time.Millisecond)
		b.Save(next(r, storetest.Ended))
		close(merging)
		b.wait(time.Millisecond)
		got := b.stored(r.ID)
		assert.True(t, got.Ended(), "the end is lost")
		assert.Equal(t, consent.Withdrawn, got.Outcome, "the withdrawal is lost")
	})
}

func TestALiveCallMergesByItself(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bubble) {
		live := ours(storetest.Granted)
		b.merge = func(_ context.Context, other *consent.Record) (*consent.Record, error) {
			live.Merge(other)
			return live.Clone(), nil
		}
		require.NoError(t, b.store.Store.Put(t.Context(), live.Clone()))
		b.withdrawnBy("api:gw-2", live.ID)
		live.Touch(live.UpdatedAt)
		b.Save(live.Clone())
		b.wait(time.Millisecond)
		assert.Equal(t, consent.Withdrawn, live.Outcome)
		got := b.stored(live.ID)
		assert.Equal(t, consent.Withdrawn, got.Outcome)
		assert.Equal(t, writer, got.Writer)
		live.End(live.UpdatedAt, "caller hung up")
		b.Save(live.Clone())
		b.wait(time.Millisecond)
		assert.True(t, b.stored(live.ID).Ended())
	})
}

// A call that is too busy to merge is not over: its gate is still to be shut, so
// nothing may be written as if it were.
func TestALiveCallThatIsBusyIsAskedAgain(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bubble) {
		live := ours(storetest.Granted)
		var free atomic.Bool
		b.merge = func(ctx context.Context, other *consent.Record) (*consent.Record, error) {
			if !free.Load() {
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
			live.Merge(other)
			return live.Clone(), nil
		}
		require.NoError(t, b.store.Store.Put(t.Context(), live.Clone()))
		other := b.withdrawnBy("api:gw-2", live.ID)
		live.Touch(live.UpdatedAt)
		b.Save(live.Clone())
		b.wait(1500 * time.Millisecond)
		assert.Equal(t, other.Writer, b.stored(live.ID).Writer)
		free.Store(true)
		b.wait(3 * time.Second)
		assert.Equal(t, consent.Withdrawn, live.Outcome)
		assert.Equal(t, writer, b.stored(live.ID).Writer)
	})
}

func TestWritersThatKeepChangingARecordAreMetAgain(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bubble) {
		r := ours(storetest.Granted)
		require.NoError(t, b.store.Store.Put(t.Context(), r))
		b.withdrawnBy("api:gw-2", r.ID)
		times := 0
		b.store.Fail(func(m storetest.Method, _ *consent.Record) storetest.Fault {
			if m == storetest.Replace && times < 2 {
				times++
				return storetest.Fault{Err: consent.ErrConflict}
			}
			return storetest.Fault{}
		})
		b.Save(next(r, storetest.Ended))
		b.wait(time.Millisecond)
		assert.True(t, b.stored(r.ID).Ended())
	})
}

func TestWithoutASpoolAVersionWaitsInMemoryUntilTheStoreIsBack(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bubble) {
		b.store.Away(errAway)
		r := ours(storetest.Ended)
		b.Save(r)
		b.wait(10 * time.Second)
		found, ok := b.Journal.Find(string(r.ID))
		require.True(t, ok)
		assert.Equal(t, r.Epoch, found.Epoch)
		b.store.Fail(nil)
		b.wait(2 * time.Second)
		assert.True(t, b.stored(r.ID).Ended())
	})
}

func TestWhileTheStoreIsAwayVersionsWaitInTheSpool(t *testing.T) {
	inBubble(t, true, func(t *testing.T, b *bubble) {
		b.store.Away(errAway)
		r := ours(storetest.Ended)
		b.Save(r)
		b.wait(2 * time.Second)
		assert.Equal(t, 1, b.Spool.Len())
		assert.Empty(t, b.pending)
		found, ok := b.Journal.Find(r.Call.TrunkCallID)
		require.True(t, ok, "what waits in the spool can be found")
		assert.Equal(t, r.ID, found.ID)
		b.store.Fail(nil)
		b.wait(2 * time.Second)
		assert.Zero(t, b.Spool.Len())
		assert.True(t, b.stored(r.ID).Ended())
	})
}

func TestAStoreThatNeverAnswersHoldsUpNobody(t *testing.T) {
	inBubble(t, true, func(t *testing.T, b *bubble) {
		b.store.Fail(func(storetest.Method, *consent.Record) storetest.Fault { return storetest.Fault{Block: true} })
		for range 200 {
			b.Save(ours(storetest.Ended))
		}
		b.wait(30 * time.Second)
		assert.Equal(t, 200, b.Spool.Len())
	})
}

func TestWhatIsLeftAtTheEndIsSpooledIfTheStoreIsAway(t *testing.T) {
	inBubble(t, true, func(t *testing.T, b *bubble) {
		b.store.Away(errAway)
		r := ours(storetest.Ended)
		b.Save(r)
		b.stop()
		assert.Equal(t, 1, b.Spool.Len())
	})
}

func TestWhatIsLeftAtTheEndIsStoredFirst(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bubble) {
		b.store.Away(errAway)
		r := ours(storetest.Ended)
		b.Save(r)
		b.wait(100 * time.Millisecond)
		b.store.Fail(nil)
		b.stop()
		assert.True(t, b.stored(r.ID).Ended())
		assert.NotContains(t, b.log.String(), "lost")
	})
}

func TestALossAtTheEndIsSaid(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bubble) {
		b.store.Away(errAway)
		b.Save(ours(storetest.Ended))
		b.stop()
		assert.Contains(t, b.log.String(), "lost")
	})
}

// A record that no store will ever take must not be tried for ever.
func TestAnInvalidRecordIsDroppedWithAWord(t *testing.T) {
	for name, spooled := range map[string]bool{"with a spool": true, "without a spool": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, spooled, func(t *testing.T, b *bubble) {
				b.Save(ours(noted(strings.Repeat("x", 2<<20))))
				b.wait(5 * time.Second)
				assert.Empty(t, b.pending)
				assert.Equal(t, 1, strings.Count(b.log.String(), "level=ERROR"))
			})
		})
	}
}

// leftOpen is a record of a call that died with an earlier process.
func leftOpen(changes ...func(*consent.Record)) *consent.Record {
	return storetest.Record(append([]func(*consent.Record){storetest.By("gw-test/before")}, changes...)...)
}

func (b *bubble) recovered() (int, error) {
	return b.Recover(context.Background(), storetest.Node, func() time.Time { return storetest.Epoch0().Add(time.Hour) })
}

func TestRecoverClosesWhatAnEarlierProcessLeftOpen(t *testing.T) {
	inBubble(t, true, func(t *testing.T, b *bubble) {
		stored, spooled, mine, done := leftOpen(storetest.Granted), leftOpen(), ours(), leftOpen(storetest.Ended)
		for _, r := range []*consent.Record{stored, mine, done} {
			require.NoError(t, b.store.Store.Put(t.Context(), r))
		}
		require.NoError(t, b.Spool.Add(spooled))
		closed, err := b.recovered()
		require.NoError(t, err)
		assert.Equal(t, 2, closed)
		for _, r := range []*consent.Record{stored, spooled} {
			got := b.stored(r.ID)
			assert.Equal(t, "gateway stopped during the call", got.Call.EndCause)
			assert.Equal(t, consent.RecordingOff, got.Recording())
		}
		assert.False(t, b.stored(mine.ID).Ended())
		assert.Equal(t, "caller hung up", b.stored(done.ID).Call.EndCause)
		assert.Zero(t, b.Spool.Len())
	})
}

func TestRecoverKeepsTheEndThatWaitsInTheSpool(t *testing.T) {
	inBubble(t, true, func(t *testing.T, b *bubble) {
		r := leftOpen(storetest.Granted)
		require.NoError(t, b.store.Store.Put(t.Context(), r))
		require.NoError(t, b.Spool.Add(next(r, storetest.Ended)))
		closed, err := b.recovered()
		require.NoError(t, err)
		assert.Zero(t, closed)
		assert.Equal(t, "caller hung up", b.stored(r.ID).Call.EndCause)
	})
}

func TestRecoverMeetsAWriterThatWasFaster(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bubble) {
		r := leftOpen(storetest.Granted)
		require.NoError(t, b.store.Store.Put(t.Context(), r))
		first := true
		b.store.Fail(func(m storetest.Method, _ *consent.Record) storetest.Fault {
			if m == storetest.Replace && first {
				first = false
				b.withdrawnBy("api:gw-2", r.ID)
			}
			return storetest.Fault{}
		})
		closed, err := b.recovered()
		require.NoError(t, err)
		assert.Equal(t, 1, closed)
		got := b.stored(r.ID)
		assert.True(t, got.Ended())
		assert.Equal(t, consent.Withdrawn, got.Outcome)
	})
}

// A call of this process may bear another writer's name in the store: that of
// the node through which its consent was taken back.
func TestRecoverLeavesLiveCallsAlone(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bubble) {
		r := ours(storetest.Granted)
		require.NoError(t, b.store.Store.Put(t.Context(), r))
		b.withdrawnBy("api:gw-2", r.ID)
		b.up = func(id consent.RecordID) bool { return id == r.ID }
		closed, err := b.recovered()
		require.NoError(t, err)
		assert.Zero(t, closed)
		assert.False(t, b.stored(r.ID).Ended())
	})
}

// One record that the store will not have must not keep the others open.
func TestRecoverGoesOnAfterARecordThatCannotBeMoved(t *testing.T) {
	inBubble(t, true, func(t *testing.T, b *bubble) {
		stuck, r := leftOpen(), leftOpen()
		require.NoError(t, b.store.Store.Put(t.Context(), r))
		require.NoError(t, b.Spool.Add(stuck))
		b.store.Fail(func(m storetest.Method, w *consent.Record) storetest.Fault {
			if w != nil && w.ID == stuck.ID {
				return storetest.Fault{Err: consent.ErrConflict}
			}
			return storetest.Fault{}
		})
		closed, err := b.recovered()
		assert.ErrorIs(t, err, consent.ErrConflict, "it is to be called again")
		assert.Equal(t, 1, closed)
		assert.True(t, b.stored(r.ID).Ended())
	})
}

func TestRecoverSaysThatTheStoreIsAway(t *testing.T) {
	for _, m := range []storetest.Method{storetest.Unfinished, storetest.Get, storetest.Replace} {
		t.Run(string(m), func(t *testing.T) {
			inBubble(t, false, func(t *testing.T, b *bubble) {
				r := leftOpen()
				require.NoError(t, b.store.Store.Put(t.Context(), r))
				b.store.Fail(func(got storetest.Method, _ *consent.Record) storetest.Fault {
					if got == m {
						return storetest.Fault{Err: errAway}
					}
					return storetest.Fault{}
				})
				closed, err := b.recovered()
				assert.ErrorIs(t, err, errAway)
				assert.Zero(t, closed)
				b.store.Fail(nil)
				closed, err = b.recovered()
				require.NoError(t, err)
				assert.Equal(t, 1, closed)
			})
		})
	}
}

func TestARecordThatVanishedNeedsNoEnd(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bubble) {
		require.NoError(t, b.store.Store.Put(t.Context(), leftOpen()))
		b.store.Fail(func(m storetest.Method, _ *consent.Record) storetest.Fault {
			if m == storetest.Get {
				return storetest.Fault{Err: consent.ErrNotFound}
			}
			return storetest.Fault{}
		})
		closed, err := b.recovered()
		require.NoError(t, err)
		assert.Zero(t, closed)
	})
}

func TestProcessNamesDifferFromRunToRun(t *testing.T) {
	assert.NotEqual(t, ProcessName("gw-1"), ProcessName("gw-1"))
	assert.True(t, strings.HasPrefix(ProcessName("gw-1"), "gw-1/"))
}
