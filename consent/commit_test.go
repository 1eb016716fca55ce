package consent_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

// noon is the moment of the tests: summer time, with more precision than a
// record keeps.
var noon = time.Date(2026, 7, 1, 12, 0, 0, 123_456_789, time.FixedZone("CEST", 2*60*60))

// errAway is what a store says that is not there.
var errAway = errors.New("connection refused")

// vault is a store with the contract of Put and nothing else; answer decides
// whether a version is kept and what the caller is told.
type vault struct {
	consent.Store
	answer func(ctx context.Context) (kept bool, err error)
	puts   []*consent.Record // every version that Put was called with, as it was handed over
	stored *consent.Record
}

func (v *vault) Put(ctx context.Context, r *consent.Record) error {
	v.puts = append(v.puts, r)
	kept, err := v.answer(ctx)
	if kept && err == nil && v.stored != nil {
		switch {
		case v.stored.Writer != r.Writer:
			return consent.ErrConflict
		case v.stored.Epoch > r.Epoch:
			return consent.ErrStale
		}
	}
	if kept {
		v.stored = r.Clone()
	}
	return err
}

func keeps(context.Context) (bool, error)         { return true, nil }
func loses(context.Context) (bool, error)         { return false, errAway }
func keepsButFails(context.Context) (bool, error) { return true, errAway }
func neverAnswers(ctx context.Context) (bool, error) {
	<-ctx.Done()
	return false, context.Cause(ctx)
}
func keepsTooLate(ctx context.Context) (bool, error) {
	<-ctx.Done()
	return true, context.Cause(ctx)
}

// stepping is a clock that moves on by a second with every look at it.
func stepping() consent.Clock {
	at := noon
	return func() time.Time {
		at = at.Add(time.Second)
		return at
	}
}

func pending() *consent.Record {
	r := consent.NewRecord("0190e000-0000-7000-8000-000000000001", "gw-1", "gw-1/7", asked(2),
		consent.Call{TrunkCallID: "a@127.0.0.1", Called: "+31205550100", InvitedAt: noon})
	r.Subject = "+31205550142"
	return r
}

func decided(o consent.Outcome) consent.Decision {
	return consent.Decision{Outcome: o, At: noon, Choice: consent.Choice{
		Kind: consent.Yes, Press: consent.Press{Key: "1", Method: "rfc4733", SSRC: 7, RTPTimestamp: 800, At: noon}}}
}

func TestAPermitComesOnlyOfAGivenDecisionThatIsStored(t *testing.T) {
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("caller hung up"))
	for _, store := range []struct {
		name   string
		ctx    func(t *testing.T) context.Context
		answer func(context.Context) (bool, error)
		want   error // nil: stored
	}{
		{"a store that keeps it", (*testing.T).Context, keeps, nil},
		{"a store that fails", (*testing.T).Context, loses, errAway},
		{"a store that keeps it and fails", (*testing.T).Context, keepsButFails, errAway},
		{"a store that never answers", soon, neverAnswers, context.DeadlineExceeded},
		{"a store that keeps it too late", soon, keepsTooLate, context.DeadlineExceeded},
		{"a store asked after the call", func(*testing.T) context.Context { return ended }, neverAnswers, context.Cause(ended)},
		{"a store that another writer changed", (*testing.T).Context,
			func(context.Context) (bool, error) { return false, consent.ErrConflict }, consent.ErrConflict},
		{"a store that has a higher epoch", (*testing.T).Context,
			func(context.Context) (bool, error) { return false, consent.ErrStale }, consent.ErrStale},
	} {
		for _, o := range append(consent.Outcomes(), consent.Pending) {
			t.Run(fmt.Sprintf("%s: %q", store.name, o), func(t *testing.T) {
				v := &vault{answer: store.answer}
				r := pending()
				before := r.Clone()
				permit, err := consent.Commit(store.ctx(t), v, r, decided(o), stepping())

				require.ErrorIs(t, err, store.want)
				assert.Equal(t, o == consent.Given && store.want == nil, permit.Valid())
				require.Len(t, v.puts, 1, "a decision is sent once")
				put := v.puts[0]
				assert.NotSame(t, r, put)
				assert.Equal(t, o, put.Outcome)
				assert.Greater(t, put.Epoch, before.Epoch)
				assert.Equal(t, before.History, put.History[:len(before.History)])
				checkStanding(t, r)
				if store.want == nil {
					checkStored(t, r, put, permit, o)
				} else {
					checkNotStored(t, r, put, permit, err, o)
				}
			})
		}
	}
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func checkStored(t *testing.T, r, put *consent.Record, permit consent.Permit, o consent.Outcome) {
	t.Helper()
	assert.Equal(t, o, r.Outcome)
	assert.Equal(t, put.Epoch, r.Epoch)
	assert.Equal(t, consent.Stamp(noon.Add(time.Second)), r.StoredAt, "the time after the store's yes")
	assert.Zero(t, put.StoredAt, "nothing claims to be stored before it is")
	if o == consent.Given {
		assert.Equal(t, r.ID, permit.Record())
		assert.Equal(t, r.StoredAt, permit.StoredAt())
	} else {
		assert.Equal(t, consent.Permit{}, permit)
	}
}

func checkNotStored(t *testing.T, r, put *consent.Record, permit consent.Permit, err error, o consent.Outcome) {
	t.Helper()
	assert.Equal(t, consent.Permit{}, permit)
	assert.ErrorContains(t, err, "store decision")
	assert.NotContains(t, err.Error(), r.Subject)
	assert.Greater(t, r.Epoch, put.Epoch, "what the store may have kept is superseded")
	assert.Zero(t, r.StoredAt)
	if o == consent.Given {
		o = consent.StoreUnavailable
	}
	assert.Equal(t, o, r.Outcome)
	require.NotNil(t, r.Press)
	assert.Equal(t, "1", r.Press.Key, "the key stays in evidence")
}

// checkStanding holds what is true of every record at every moment.
func checkStanding(t require.TestingT, r *consent.Record) {
	require.Equal(t, r.Outcome.Status(), r.Status)
	for _, g := range r.Purposes {
		require.Equal(t, r.Outcome == consent.Given, g.Granted, "purpose %q", g.Purpose)
	}
}

func TestWhatAStoreWasGivenIsItsOwn(t *testing.T) {
	v := &vault{answer: keeps}
	r := pending()
	_, err := consent.Commit(t.Context(), v, r, decided(consent.Given), stepping())
	require.NoError(t, err)
	given := v.puts[0].Clone()

	require.True(t, r.Withdraw(noon, "key"))
	r.Press.Key = "2"
	r.Purposes[0].Purpose = "marketing"
	r.History[0].Type = "forged"
	r.End(noon, "caller hung up")
	assert.Equal(t, given, v.puts[0])
}

func TestTheNextWriteSettlesAWriteThatWasKeptAndLost(t *testing.T) {
	v := &vault{answer: keepsButFails}
	r := pending()
	permit, err := consent.Commit(t.Context(), v, r, decided(consent.Given), stepping())
	require.ErrorIs(t, err, errAway)
	require.False(t, permit.Valid())
	require.Equal(t, consent.Given, v.stored.Outcome, "the store kept the yes")

	v.answer = keeps
	require.NoError(t, v.Put(t.Context(), r))
	assert.Equal(t, consent.StoreUnavailable, v.stored.Outcome)
	assert.ErrorIs(t, v.Put(t.Context(), v.puts[0]), consent.ErrStale, "the yes that came late is stale")
}

func TestALaterDecisionOfTheSameCallNeedsItsOwnCommit(t *testing.T) {
	v := &vault{answer: keeps}
	r := pending()
	first, err := consent.Commit(t.Context(), v, r, decided(consent.Given), stepping())
	require.NoError(t, err)
	first.Revoke()
	require.True(t, r.Withdraw(noon, "key"))

	second, err := consent.Commit(t.Context(), v, r, decided(consent.Given), stepping())
	require.NoError(t, err)
	assert.True(t, second.Valid())
	assert.False(t, first.Valid(), "a revoked permit stays revoked")
	assert.Greater(t, v.puts[1].Epoch, v.puts[0].Epoch)
}
