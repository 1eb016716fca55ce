package spool

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
	"consentgw/internal/storetest"
)

// conflict puts theirs in the store and ours in the spool, drains, and returns
// what is stored then.
func conflict(t *testing.T, theirs, ours *consent.Record) *consent.Record {
	t.Helper()
	s, store := open(t)
	require.NoError(t, store.Put(t.Context(), theirs))
	add(t, s, ours)
	drained(t, s, store, 1)
	return get(t, store, ours)
}

func TestAWithdrawalInTheStoreWinsOverASpooledGrant(t *testing.T) {
	base := storetest.Record(storetest.Granted)
	theirs := next(base, storetest.By("api"), withdrawn)
	ours := next(next(base))
	got := conflict(t, theirs, ours)
	assert.Equal(t, consent.Withdrawn, got.Outcome)
	assert.Equal(t, consent.StatusWithdrawn, got.Status)
	assert.Equal(t, theirs.Withdrawal.At, got.Withdrawal.At)
	assert.Greater(t, got.Epoch, max(ours.Epoch, theirs.Epoch))
	assert.True(t, descends(got, ours), "nothing of ours is lost")
}

func TestASpooledWithdrawalWinsOverAGrantInTheStore(t *testing.T) {
	base := storetest.Record(storetest.Granted)
	got := conflict(t, next(next(base, storetest.By("writer-2"))), next(base, withdrawn))
	assert.Equal(t, consent.Withdrawn, got.Outcome)
}

func TestACallThatIsUpMeetsAConflictAndLearnsOfTheWithdrawal(t *testing.T) {
	s, store := open(t)
	base := storetest.Record(storetest.Granted)
	require.NoError(t, store.Put(t.Context(), next(base, storetest.By("api"), withdrawn)))
	ours := next(base)
	add(t, s, ours)
	drained(t, s, store, 1)

	going := next(next(next(ours)))
	require.ErrorIs(t, store.Put(t.Context(), going), consent.ErrConflict)
	assert.True(t, going.Merge(get(t, store, ours)), "the gate is shut")

	add(t, s, next(next(next(ours))))
	drained(t, s, store, 1)
	assert.Equal(t, consent.Withdrawn, get(t, store, ours).Outcome, "even if it only spools")
}

func TestAVersionThatTheStoredOneWasMadeFromIsDropped(t *testing.T) {
	ours := storetest.Record(storetest.Granted)
	theirs := next(ours, storetest.By("writer-2"), func(r *consent.Record) { r.CutOff(r.UpdatedAt, "writer-2") })
	assert.Equal(t, theirs, conflict(t, theirs, ours))
}

func TestAVersionMadeFromTheStoredOneReplacesItAsItIs(t *testing.T) {
	theirs := storetest.Record(storetest.Granted)
	ours := next(theirs, storetest.By("writer-2"), storetest.Ended)
	assert.Equal(t, ours, conflict(t, theirs, ours))
}

func TestAVersionMadeFromTheStoredOneUnderALowEpochIsLifted(t *testing.T) {
	theirs := storetest.Record(func(r *consent.Record) { r.Epoch = 50 })
	ours := next(theirs, storetest.By("writer-2"), func(r *consent.Record) { r.Epoch = 7 })
	got := conflict(t, theirs, ours)
	assert.EqualValues(t, 51, got.Epoch)
	assert.Equal(t, ours.History, got.History)
}

// The gateway died with a call of which the spool knows more than the store;
// its successor closed the call from what the store had.
func TestACallThatWasClosedMeanwhileStaysClosedAndKeepsItsEvidence(t *testing.T) {
	base := storetest.Record()
	theirs := next(base, storetest.By("writer-2"), func(r *consent.Record) { r.CutOff(r.UpdatedAt.Add(time.Hour), "writer-2") })
	ours := next(base, storetest.Granted)
	got := conflict(t, theirs, ours)
	assert.Equal(t, theirs.Call.EndedAt, got.Call.EndedAt)
	assert.Equal(t, theirs.Call.EndCause, got.Call.EndCause)
	require.Len(t, got.Recordings, 1)
	assert.Equal(t, consent.RecordingOff, got.Recordings[0].State)
	assert.EqualValues(t, 1999, got.RecordedPackets())
	assert.Equal(t, consent.Given, got.Outcome)
}

func TestVersionsOfTwoWritersAreJoinedInTheSpoolToo(t *testing.T) {
	s, store := open(t)
	base := storetest.Record(storetest.Granted)
	add(t, s, next(base, withdrawn), next(next(base), storetest.By("writer-2")))
	assert.Equal(t, 1, s.Len())
	assert.Equal(t, consent.Withdrawn, get(t, s, base).Outcome)
	drained(t, s, store, 1)
	assert.Equal(t, consent.Withdrawn, get(t, store, base).Outcome)
}

func TestEveryJoinHasAWriterOfItsOwn(t *testing.T) {
	first := joinWriter("writer-1")
	assert.Contains(t, first, "writer-1"+joinMark)
	again := joinWriter(first)
	assert.NotEqual(t, first, again)
	assert.Len(t, again, len(first), "the name does not grow")
}
