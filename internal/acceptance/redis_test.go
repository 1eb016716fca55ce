package acceptance

import (
	"fmt"
	"testing"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"

	"github.com/stretchr/testify/require"
)

// outage is a site whose Redis will fail.
type outage struct {
	*site
	carrier *phone.Phone
	center  *center
}

func newOutage(t *testing.T) *outage {
	s := newSite(t, plan{store: 500 * time.Millisecond})
	s.start()
	o := &outage{site: s, carrier: s.openPhone(), center: s.openCenter()}
	o.storeUp(1)
	return o
}

// storeUp waits until the gateway knows how its store is.
func (o *outage) storeUp(want float64) {
	o.t.Helper()
	o.poll("store_up", func() bool { return o.metrics().sum("consentgw_store_up") == want })
}

// back waits until the store is up again and nothing waits for it.
func (o *outage) back() {
	o.t.Helper()
	o.poll("an empty spool", func() bool {
		m := o.metrics()
		return m.sum("consentgw_store_up") == 1 && m["consentgw_store_spool_depth"] == 0
	})
}

// unrecorded ends a call that must have connected without a recording, and
// returns its record.
func (o *outage) unrecorded(v *conversation, outcome consent.Outcome) *consent.Record {
	t := o.t
	t.Helper()
	require.NoError(t, v.reaches(o.center))
	require.Equal(t, "off", v.agent.headers["X-Recording"])
	require.Equal(t, string(outcome.Header()), v.agent.headers["X-Consent-Status"])
	require.Equal(t, string(outcome), v.agent.headers["X-Consent-Outcome"])
	r := v.hangsUp()
	require.Equal(t, outcome, r.Outcome)
	require.False(t, r.Call.ConnectedAt.IsZero())
	require.Empty(t, r.Recordings)
	for _, g := range r.Purposes {
		require.False(t, g.Granted)
	}
	return r
}

// recorded makes a whole call that is recorded.
func (o *outage) recorded(id string) {
	t := o.t
	t.Helper()
	v, err := o.connected(o.carrier, o.center, id, "1")
	require.NoError(t, err)
	o.copied(v)
	r := v.hangsUp()
	require.Equal(t, consent.Given, r.Outcome)
	require.NotZero(t, r.RecordedPackets())
}

// copied waits until copies of the call are at the recorder.
func (o *outage) copied(v *conversation) {
	o.t.Helper()
	before := len(o.recorder.Caller(0))
	o.poll("copies", func() bool { return len(o.recorder.Caller(0)) > before+10 })
}

// arrives waits until the record is in Redis as the gateway last knew it.
func (o *outage) arrives(r *consent.Record) {
	t := o.t
	t.Helper()
	o.poll("the record in Redis", func() bool {
		stored, ok := o.lookInRedis(r.Call.TrunkCallID)
		return ok && stored.Epoch >= r.Epoch
	})
	stored := o.inRedis(r.Call.TrunkCallID)
	require.Equal(t, r.Outcome, stored.Outcome)
	require.Equal(t, r.Recordings, stored.Recordings)
	require.True(t, stored.Ended())
}

func TestRedisKilledBeforeTheQuestion(t *testing.T) {
	o := newOutage(t)
	o.redis.Kill()
	var records []*consent.Record
	for i, key := range []string{"1", "2"} {
		v, err := o.asked(o.carrier, fmt.Sprintf("before-%d", i))
		require.NoError(t, err)
		v.caller.Press(key)
		records = append(records, o.unrecorded(v, []consent.Outcome{consent.StoreUnavailable, consent.Refused}[i]))
	}
	o.storeUp(0)
	code, body := o.get("/readyz")
	require.Equal(t, 200, code, "a gateway without a store takes calls: %s", body)
	require.Contains(t, body, `"store"`)

	o.redis.Restart()
	o.back()
	for _, r := range records {
		o.arrives(r)
	}
	o.recorded("after")
	require.Empty(t, o.recorderOf(records))
}

// recorderOf lists the copies at the recorder that arrived during the calls.
func (o *outage) recorderOf(records []*consent.Record) (copies []phone.Packet) {
	for _, p := range append(o.recorder.Caller(0), o.recorder.Agent(0)...) {
		for _, r := range records {
			if p.At.After(r.Call.InvitedAt) && p.At.Before(r.Call.EndedAt) {
				copies = append(copies, p)
			}
		}
	}
	return copies
}

// TestRedisKilledBetweenKeyAndStore kills Redis after the gateway has taken the
// key and before the decision is stored. It is frozen first, so that nothing can
// be stored in between however busy the machine is.
func TestRedisKilledBetweenKeyAndStore(t *testing.T) {
	o := newOutage(t)
	v, err := o.asked(o.carrier, "between")
	require.NoError(t, err)
	o.redis.Freeze()
	v.caller.Press("1")
	o.poll("the key", func() bool { return o.metrics().sum("consentgw_dtmf_events_total") == 1 })
	o.redis.Kill()
	r := o.unrecorded(v, consent.StoreUnavailable)
	require.Equal(t, "1", r.Press.Key)
	require.Zero(t, r.StoredAt)

	o.redis.Restart()
	o.back()
	o.arrives(r)
	o.recorded("after")
}

// TestRedisFrozenWhileItStores stops Redis so that it takes the decision and
// does not answer. The caller waits no longer than the store may take.
func TestRedisFrozenWhileItStores(t *testing.T) {
	o := newOutage(t)
	v, err := o.asked(o.carrier, "frozen")
	require.NoError(t, err)
	o.redis.Freeze()
	v.caller.Press("1")
	r := o.unrecorded(v, consent.StoreUnavailable)
	waited := r.Call.ConnectedAt.Sub(r.Press.At)
	t.Logf("from the key to the agent with a frozen store: %v", waited)
	require.Less(t, waited, 20*time.Second, "the store may take half a second")

	o.redis.Thaw()
	o.back()
	o.arrives(r)
	require.False(t, o.inRedis("frozen").Purposes[0].Granted, "a yes that Redis took too late counts for nothing")
	o.recorded("after")
}

// TestRedisKilledDuringARecordedCall: the stored decision stands, so the
// recording goes on; its end reaches Redis when it is back.
func TestRedisKilledDuringARecordedCall(t *testing.T) {
	o := newOutage(t)
	v, err := o.connected(o.carrier, o.center, "during", "1")
	require.NoError(t, err)
	stays, err := o.connected(o.carrier, o.center, "stays", "1")
	require.NoError(t, err)
	stops, err := o.connected(o.carrier, o.center, "stops", "1")
	require.NoError(t, err)
	o.redis.Kill()
	o.copied(v)
	stops.caller.Press("*9")
	require.NoError(t, stops.talks(25))
	stopped := stops.hangsUp()
	require.Equal(t, consent.Withdrawn, stopped.Outcome, "who withdraws need not wait for a store")
	stops.checkRecorded(stopped)
	r := v.hangsUp()
	require.Equal(t, consent.Given, r.Outcome)

	o.redis.Restart()
	o.back()
	o.arrives(r)
	o.arrives(stopped)
	require.NoError(t, stays.talks(25))
	last := stays.hangsUp()
	o.arrives(last)
	require.NotZero(t, last.RecordedPackets())
	o.recorded("after")
}
