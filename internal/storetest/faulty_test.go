package storetest_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
	"consentgw/internal/boltstore"
	"consentgw/internal/storetest"
)

var errAway = errors.New("store is away")

func faulty(t *testing.T) *storetest.Faulty {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "records.db"))
	require.NoError(t, err)
	f := storetest.NewFaulty(s)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f
}

func TestWithoutAFaultTheContractHolds(t *testing.T) {
	storetest.Run(t, func(t *testing.T) consent.Store { return faulty(t) })
}

func TestAFaultSaysWhatTheCallerHearsAndWhetherTheWriteWasKept(t *testing.T) {
	closed := make(chan struct{})
	close(closed)
	for name, test := range map[string]struct {
		fault storetest.Fault
		err   error
		kept  bool
	}{
		"no fault":             {storetest.Fault{}, nil, true},
		"failed":               {storetest.Fault{Err: errAway}, errAway, false},
		"failed but kept":      {storetest.Fault{Err: errAway, Kept: true}, errAway, true},
		"blocked":              {storetest.Fault{Block: true}, context.DeadlineExceeded, false},
		"blocked but kept":     {storetest.Fault{Block: true, Kept: true}, context.DeadlineExceeded, true},
		"late":                 {storetest.Fault{Until: closed, Delay: time.Millisecond}, nil, true},
		"too late":             {storetest.Fault{Delay: time.Hour}, context.DeadlineExceeded, false},
		"too late but kept":    {storetest.Fault{Until: make(chan struct{}), Kept: true}, context.DeadlineExceeded, true},
		"late, and then fails": {storetest.Fault{Delay: time.Millisecond, Err: errAway}, errAway, false},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := faulty(t), storetest.Record()
			f.FailWrites(test.fault)
			timeout := 30 * time.Millisecond
			if !errors.Is(test.err, context.DeadlineExceeded) {
				timeout = time.Minute
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			require.ErrorIs(t, f.Put(ctx, r), test.err)
			_, err := f.Get(t.Context(), r.ID)
			assert.Equal(t, test.kept, err == nil)
			assert.Equal(t, 1, f.Calls(storetest.Put))
		})
	}
}

func TestAStoreThatIsAwayAnswersNothing(t *testing.T) {
	f, r := faulty(t), storetest.Record()
	f.Away(errAway)
	_, getErr := f.Get(t.Context(), r.ID)
	_, findErr := f.Find(t.Context(), "a")
	_, searchErr := f.Search(t.Context(), consent.Query{})
	_, openErr := f.Unfinished(t.Context(), storetest.Node)
	for _, err := range []error{f.Put(t.Context(), r), f.Replace(t.Context(), r, r), f.Ping(t.Context()), getErr, findErr, searchErr, openErr} {
		require.ErrorIs(t, err, errAway)
	}
	f.Fail(nil)
	require.NoError(t, f.Put(t.Context(), r))
}

func TestADelayTakesNoTimeInABubble(t *testing.T) {
	f := storetest.NewFaulty(nil)
	f.FailWrites(storetest.Fault{Delay: time.Hour, Err: errAway})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		require.ErrorIs(t, f.Ping(t.Context()), errAway)
		assert.Equal(t, time.Hour, time.Since(start))
	})
}

func TestTheRedisHelperKillsFreezesAndRestarts(t *testing.T) {
	addr, ctl := storetest.Redis(t)
	assert.Equal(t, addr, ctl.Addr())
	assert.Equal(t, "OK", ctl.Do("SET", "a", "1"))
	ctl.Freeze()
	ctl.Thaw()
	assert.Equal(t, "1", ctl.Do("GET", "a"))
	ctl.Kill()
	ctl.Kill()
	ctl.Restart()
	assert.Equal(t, "1", ctl.Do("GET", "a"))
	ctl.Wipe()
	ctl.Restart()
	assert.Empty(t, ctl.Do("GET", "a"))
	ctl.Stop()
}
