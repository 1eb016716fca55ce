package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"consentgw/consent"
	"consentgw/internal/boltstore"
	"consentgw/internal/stored"
	"consentgw/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("store is away")

// open returns an empty spool and an empty store behind faults.
func open(t *testing.T) (*Spool, *storetest.Faulty) {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "spool.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	store, err := boltstore.Open(filepath.Join(t.TempDir(), "store.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	return s, storetest.NewFaulty(store)
}

func next(r *consent.Record, changes ...func(*consent.Record)) *consent.Record {
	c := r.Clone()
	for _, change := range changes {
		change(c)
	}
	c.Note(r.UpdatedAt.Add(time.Second), "noted by "+c.Writer, "")
	return c
}

func withdrawn(r *consent.Record) { r.Withdraw(r.UpdatedAt.Add(time.Minute), "api") }

func add(t *testing.T, s *Spool, records ...*consent.Record) {
	t.Helper()
	for _, r := range records {
		require.NoError(t, s.Add(r))
	}
}

func drained(t *testing.T, s *Spool, store consent.Store, moved int) {
	t.Helper()
	n, err := s.Drain(t.Context(), store)
	require.NoError(t, err)
	assert.Equal(t, moved, n)
	assert.Zero(t, s.Len())
}

func get(t *testing.T, store interface {
	Get(context.Context, consent.RecordID) (*consent.Record, error)
}, r *consent.Record) *consent.Record {
	t.Helper()
	got, err := store.Get(t.Context(), r.ID)
	require.NoError(t, err)
	return got
}

func TestAnEmptySpoolHasNothing(t *testing.T) {
	s, store := open(t)
	drained(t, s, store, 0)
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, consent.ErrNotFound)
	_, err = s.Find(t.Context(), "a")
	require.ErrorIs(t, err, consent.ErrNotFound)
	assert.Zero(t, store.Calls(storetest.Put))
}

func TestASpooledRecordIsFoundAndListedUntilItIsDrained(t *testing.T) {
	s, store := open(t)
	r := storetest.Record(storetest.Granted)
	add(t, s, r)
	for _, call := range []string{string(r.ID), r.Call.TrunkCallID, r.Call.PlatformCallID} {
		found, err := s.Find(t.Context(), call)
		require.NoError(t, err)
		assert.Equal(t, r, found)
	}
	open, err := s.Unfinished(t.Context(), storetest.Node)
	require.NoError(t, err)
	assert.Equal(t, []consent.RecordID{r.ID}, open)

	drained(t, s, store, 1)
	assert.Equal(t, r, get(t, store, r))
	_, err = s.Get(t.Context(), r.ID)
	require.ErrorIs(t, err, consent.ErrNotFound)
}

func TestOnlyTheNewestVersionOfARecordWaits(t *testing.T) {
	s, store := open(t)
	r := storetest.Record()
	add(t, s, next(r), r, next(next(r)), next(r))
	assert.Equal(t, 1, s.Len())
	drained(t, s, store, 1)
	assert.Equal(t, next(next(r)), get(t, store, r))
	assert.Equal(t, 1, store.Calls(storetest.Put))
}

func TestTheOldestCallIsDrainedFirst(t *testing.T) {
	s, store := open(t)
	var want, got []consent.RecordID
	for i := range 3 * page {
		r := storetest.Record(storetest.After(time.Duration(i) * time.Second))
		want = append(want, r.ID)
	}
	for i := len(want) - 1; i >= 0; i-- {
		id := want[i]
		add(t, s, storetest.Record(storetest.After(time.Duration(i)*time.Second), func(r *consent.Record) { r.ID = id }))
	}
	store.Fail(func(m storetest.Method, r *consent.Record) storetest.Fault {
		got = append(got, r.ID)
		return storetest.Fault{}
	})
	drained(t, s, store, len(want))
	assert.Equal(t, want, got)
}

func TestTheSpoolSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "spool.db")
	s, err := Open(path)
	require.NoError(t, err)
	r := storetest.Record()
	add(t, s, r)
	require.NoError(t, s.Close())
	s, err = Open(path)
	require.NoError(t, err)
	defer s.Close()
	assert.Equal(t, 1, s.Len())
	assert.Equal(t, r, get(t, s, r))
}

func TestASpoolThatCannotBeOpenedSaysWhich(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	require.NoError(t, os.WriteFile(path, []byte("this is no spool, and long enough to be one\n"), 0o600))
	_, err := Open(path)
	require.ErrorContains(t, err, path)
}

func TestARecordThatNoStoreWillTakeIsRefusedAtOnce(t *testing.T) {
	s, _ := open(t)
	require.ErrorIs(t, s.Add(nil), stored.ErrInvalid)
	require.ErrorIs(t, s.Add(storetest.Record(func(r *consent.Record) { r.ID = "{}" })), stored.ErrInvalid)
	assert.Zero(t, s.Len())
}

func TestDrainingStopsAtTheStoreAndGoesOnLater(t *testing.T) {
	s, store := open(t)
	first, second, third := storetest.Record(), storetest.Record(storetest.After(1e9)), storetest.Record(storetest.After(2e9))
	add(t, s, first, second, third)
	store.Fail(func(_ storetest.Method, r *consent.Record) storetest.Fault {
		if r.ID == second.ID {
			return storetest.Fault{Err: errAway}
		}
		return storetest.Fault{}
	})
	moved, err := s.Drain(t.Context(), store)
	require.ErrorIs(t, err, errAway)
	assert.Equal(t, 1, moved)
	assert.Equal(t, 2, s.Len())
	assert.Equal(t, 2, store.Calls(storetest.Put), "the third was not tried")

	store.Fail(nil)
	drained(t, s, store, 2)
}

func TestAWriteThatWasKeptThoughItFailedIsRepeatedWithoutHarm(t *testing.T) {
	s, store := open(t)
	r := storetest.Record()
	add(t, s, r)
	store.FailWrites(storetest.Fault{Kept: true, Err: errAway})
	_, err := s.Drain(t.Context(), store)
	require.ErrorIs(t, err, errAway)
	assert.Equal(t, 1, s.Len())
	store.Fail(nil)
	drained(t, s, store, 1)
	assert.Equal(t, r, get(t, store, r))
}

func TestDrainingStopsWithItsContext(t *testing.T) {
	s, store := open(t)
	add(t, s, storetest.Record())
	store.FailWrites(storetest.Fault{Block: true})
	cause := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_, err := s.Drain(ctx, store)
	require.ErrorIs(t, err, cause)
	assert.Equal(t, 1, s.Len())
}

func TestAVersionThatIsStaleInTheStoreLeavesTheSpool(t *testing.T) {
	s, store := open(t)
	r := storetest.Record()
	add(t, s, r)
	require.NoError(t, store.Put(t.Context(), next(r)))
	drained(t, s, store, 1)
	assert.Equal(t, next(r), get(t, store, r))
}

func TestAVersionAddedWhileTheOlderOneIsDrainedStays(t *testing.T) {
	s, store := open(t)
	r := storetest.Record()
	add(t, s, r)
	store.Fail(func(storetest.Method, *consent.Record) storetest.Fault {
		add(t, s, next(r))
		return storetest.Fault{}
	})
	moved, err := s.Drain(t.Context(), store)
	require.NoError(t, err)
	assert.Equal(t, 1, moved)
	assert.Equal(t, next(r), get(t, s, r))
	store.Fail(nil)
	drained(t, s, store, 1)
	assert.Equal(t, next(r), get(t, store, r))
}

func TestAnErrorAboutOneRecordDoesNotHoldUpTheOthers(t *testing.T) {
	s, store := open(t)
	bad, good := storetest.Record(), storetest.Record(storetest.After(time.Second))
	add(t, s, bad, good)
	store.Fail(func(_ storetest.Method, r *consent.Record) storetest.Fault {
		if r.ID == bad.ID {
			return storetest.Fault{Err: fmt.Errorf("put: %w", stored.ErrInvalid)}
		}
		return storetest.Fault{}
	})
	moved, err := s.Drain(t.Context(), store)
	require.ErrorIs(t, err, stored.ErrInvalid)
	assert.Equal(t, 1, moved)
	store.Fail(nil)
	assert.Equal(t, bad, get(t, s, bad))
	assert.Equal(t, good, get(t, store, good))
}

func TestARecordThatOthersKeepChangingIsLeftForTheNextTime(t *testing.T) {
	s, store := open(t)
	base := storetest.Record()
	other := next(base, storetest.By("writer-2"))
	other.History[1].Text = "not known to writer-1"
	require.NoError(t, store.Put(t.Context(), other))
	add(t, s, next(base))
	store.Fail(func(m storetest.Method, _ *consent.Record) storetest.Fault {
		if m == storetest.Replace {
			return storetest.Fault{Err: consent.ErrConflict}
		}
		return storetest.Fault{}
	})
	_, err := s.Drain(t.Context(), store)
	require.ErrorIs(t, err, consent.ErrConflict)
	assert.Equal(t, 1, s.Len())
	assert.Equal(t, attempts-1, store.Calls(storetest.Replace))
	store.Fail(nil)
	drained(t, s, store, 1)
}

func TestARecordThatVanishedBetweenConflictAndReadIsPut(t *testing.T) {
	s, store := open(t)
	r := storetest.Record()
	add(t, s, r)
	once := true
	store.Fail(func(m storetest.Method, _ *consent.Record) storetest.Fault {
		if m == storetest.Put && once {
			once = false
			return storetest.Fault{Err: consent.ErrConflict}
		}
		return storetest.Fault{}
	})
	drained(t, s, store, 1)
	assert.Equal(t, r, get(t, store, r))
}

func TestManyCallsMaySpoolWhileItDrains(t *testing.T) {
	s, store := open(t)
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			for range 10 {
				r := storetest.Record()
				assert.NoError(t, s.Add(r))
				assert.NoError(t, s.Add(next(r)))
			}
		})
	}
	for range 5 {
		_, err := s.Drain(t.Context(), store)
		require.NoError(t, err)
	}
	calls.Wait()
	_, err := s.Drain(t.Context(), store)
	require.NoError(t, err)
	page, err := store.Search(t.Context(), consent.Query{Limit: 1000})
	require.NoError(t, err)
	require.Len(t, page.Records, 80)
	for _, r := range page.Records {
		assert.EqualValues(t, 2, r.Epoch)
	}
}
