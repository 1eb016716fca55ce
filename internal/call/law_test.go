package call

import (
	"context"
	"errors"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/storetest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Laws L1 and L3: without a yes that is stored no recorder is even asked, and
// the caller reaches an agent all the same.
func TestWithoutAStoredYesNoRecorderIsAsked(t *testing.T) {
	away := errors.New("the store is away")
	for name, c := range map[string]struct {
		keys    string
		fault   storetest.Fault
		outcome consent.Outcome
	}{
		"a no":                       {"2", storetest.Fault{}, consent.Refused},
		"silence":                    {"", storetest.Fault{}, consent.NoInput},
		"another key":                {"7", storetest.Fault{}, consent.InvalidInput},
		"two keys at once":           {"12", storetest.Fault{}, consent.DTMFAmbiguous},
		"a store that fails":         {"1", storetest.Fault{Err: away}, consent.StoreUnavailable},
		"a reply that is lost":       {"1", storetest.Fault{Kept: true, Err: away}, consent.StoreUnavailable},
		"a store that hangs":         {"1", storetest.Fault{Block: true}, consent.StoreUnavailable},
		"a reply that comes late":    {"1", storetest.Fault{Kept: true, Delay: 2 * time.Second}, consent.StoreUnavailable},
		"a record of another writer": {"1", storetest.Fault{Err: consent.ErrConflict}, consent.StoreUnavailable},
		"a version that is stale":    {"1", storetest.Fault{Err: consent.ErrStale}, consent.StoreUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.storeFor = 300 * time.Millisecond
			if c.keys == "" {
				h.cfg.Policies[0].AnswerTimeout = 600 * time.Millisecond
			}
			h.records(Recorder{Name: "archive", Open: func(context.Context, Take) (Recording, error) {
				t.Error("a recorder was asked")
				return nil, away
			}})
			h.open()
			line := h.dial(toNumber)
			h.hears(line, "ask")
			if c.fault != (storetest.Fault{}) {
				h.store.FailWrites(c.fault)
			}
			line.Press(c.keys)
			h.agent()
			h.live("the connection", func(r *consent.Record) bool { return !r.Call.ConnectedAt.IsZero() })
			h.hearsMore(line, 10)
			require.ErrorIs(t, h.command("pause"), consent.ErrNotPossible)
			h.store.Fail(nil)
			require.NoError(t, line.Hangup(h.ctx))
			r := h.ended()
			assert.Equal(t, c.outcome, r.Outcome)
			assert.Empty(t, r.Recordings)
			assert.Equal(t, c.outcome == consent.StoreUnavailable, happened(r, "store_failed"))
		})
	}
}
