package consent_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

func granted(t *testing.T) consent.Permit {
	t.Helper()
	p, err := consent.Commit(t.Context(), &vault{answer: keeps}, pending(), decided(consent.Given), stepping())
	require.NoError(t, err)
	require.True(t, p.Valid())
	return p
}

func TestTheZeroPermitPermitsNothing(t *testing.T) {
	var p consent.Permit
	assert.False(t, p.Valid())
	assert.Empty(t, p.Record())
	assert.Zero(t, p.StoredAt())
	assert.NotPanics(t, p.Revoke)
	assert.False(t, p.Valid())
}

func TestCopiesOfAPermitShareOneFate(t *testing.T) {
	original := granted(t)
	copied := original
	inside := []consent.Permit{original}
	copied.Revoke()
	assert.False(t, original.Valid())
	assert.False(t, copied.Valid())
	assert.False(t, inside[0].Valid())
	copied.Revoke()
	assert.False(t, original.Valid(), "revoking twice is revoking")
}

func TestARevokedPermitStillSaysWhatItRestedOn(t *testing.T) {
	p := granted(t)
	record, at := p.Record(), p.StoredAt()
	p.Revoke()
	assert.Equal(t, record, p.Record())
	assert.Equal(t, at, p.StoredAt())
}

func TestPermitsOfTwoCallsAreIndependent(t *testing.T) {
	mine, yours := granted(t), granted(t)
	mine.Revoke()
	assert.True(t, yours.Valid())
}

func TestRevokeIsSeenByEveryPacketAfterIt(t *testing.T) {
	p := granted(t)
	revoked := make(chan struct{})
	var ready, done sync.WaitGroup
	for range 4 {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			for p.Valid() {
				select {
				case <-revoked:
					assert.False(t, p.Valid(), "after Revoke has returned")
				default:
				}
			}
			for range 1000 {
				assert.False(t, p.Valid(), "a revoked permit never comes back")
			}
		})
	}
	for range 2 {
		ready.Wait()
		done.Go(p.Revoke)
	}
	p.Revoke()
	close(revoked)
	done.Wait()
	assert.False(t, p.Valid())
}

func TestAskingAPermitCostsThePacketPathNoMemory(t *testing.T) {
	p := granted(t)
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		if !p.Valid() {
			t.Error("not valid")
		}
	}))
}
