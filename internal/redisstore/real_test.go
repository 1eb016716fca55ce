package redisstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
	"consentgw/internal/storetest"
)

// realStore returns a store on a server of its own.
func realStore(t *testing.T, timeout time.Duration, args ...string) (*Store, *storetest.RedisServer) {
	t.Helper()
	addr, ctl := storetest.Redis(t, args...)
	return openAt(t, Config{Addrs: []string{addr}, Timeout: timeout}), ctl
}

func next(r *consent.Record, changes ...func(*consent.Record)) *consent.Record {
	c := r.Clone()
	c.Note(r.UpdatedAt.Add(time.Second), "noted", "")
	for _, change := range changes {
		change(c)
	}
	return c
}

func holds(t *testing.T, s *Store, want *consent.Record) {
	t.Helper()
	got, err := s.Get(t.Context(), want.ID)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestRealWhatWasAcknowledgedOutlivesAKill(t *testing.T) {
	s, ctl := realStore(t, slow)
	r := storetest.Record(storetest.Granted)
	require.NoError(t, s.Put(t.Context(), r))
	ctl.Kill()
	clean(t, s.Put(t.Context(), next(r)), "refused")
	clean(t, s.Ping(t.Context()), "refused")
	ctl.Restart()
	holds(t, s, r)
	require.NoError(t, s.Put(t.Context(), next(r)), "the scripts are gone, and sent again")
	holds(t, s, next(r))
}

func TestRealAKillWhileConnectedIsNoSuccess(t *testing.T) {
	s, ctl := realStore(t, slow)
	require.NoError(t, s.Ping(t.Context()))
	ctl.Kill()
	_, err := s.Find(t.Context(), "a@b")
	require.Error(t, err)
	assert.Contains(t, []string{"refused", "reset"}, Reason(err))
}

func TestRealAServerWithEmptyDataGetsRecordAndIndexAgain(t *testing.T) {
	s, ctl := realStore(t, slow)
	r := storetest.Record(storetest.Granted)
	require.NoError(t, s.Put(t.Context(), r))
	ctl.Wipe()
	ctl.Restart()
	_, err := s.Get(t.Context(), r.ID)
	require.ErrorIs(t, err, consent.ErrNotFound)

	require.NoError(t, s.Put(t.Context(), next(r)))
	for _, call := range []string{r.Call.TrunkCallID, r.Call.PlatformCallID} {
		found, err := s.Find(t.Context(), call)
		require.NoError(t, err)
		assert.Equal(t, next(r), found)
	}
	for _, q := range []consent.Query{{}, {Subject: r.Subject}} {
		page, err := s.Search(t.Context(), q)
		require.NoError(t, err)
		assert.Len(t, page.Records, 1)
	}
	open, err := s.Unfinished(t.Context(), storetest.Node)
	require.NoError(t, err)
	assert.Equal(t, []consent.RecordID{r.ID}, open)
}

func TestRealAFrozenServerIsATimeoutUntilItThaws(t *testing.T) {
	s, ctl := realStore(t, 150*time.Millisecond)
	r := second()
	recovers(t, s)
	ctl.Freeze()
	err := s.Put(t.Context(), r)
	ctl.Thaw()
	clean(t, err, "timeout")
	patient := openAt(t, Config{Addrs: []string{ctl.Addr()}, Timeout: slow})
	require.NoError(t, patient.Put(t.Context(), next(r)), "the late write is no conflict: same writer, lower epoch")
	holds(t, patient, next(r))
}

func TestRealAPasswordIsDemandedAndChecked(t *testing.T) {
	s, ctl := realStore(t, slow, "--requirepass", "secret")
	clean(t, s.Put(t.Context(), storetest.Record()), "noauth")
	wrong := openAt(t, Config{Addrs: []string{ctl.Addr()}, Password: "guess", Timeout: slow})
	clean(t, wrong.Put(t.Context(), storetest.Record()), "wrongpass")
	right := openAt(t, Config{Addrs: []string{ctl.Addr()}, Username: "default", Password: "secret", Timeout: slow, Database: 3})
	require.NoError(t, right.Put(t.Context(), storetest.Record()))
	require.NoError(t, right.Ping(t.Context()))
}

func TestRealAnACLThatForbidsTheScriptIsNamed(t *testing.T) {
	_, ctl := realStore(t, slow)
	ctl.Do("ACL", "SETUSER", "gw", "on", ">pw", "~consentgw:*", "+@all", "-evalsha", "-eval")
	s := openAt(t, Config{Addrs: []string{ctl.Addr()}, Username: "gw", Password: "pw", Timeout: slow})
	clean(t, s.Put(t.Context(), storetest.Record()), "noperm")
}

// The commands that the documentation tells an operator to allow.
func TestRealTheDocumentedACLIsEnough(t *testing.T) {
	_, ctl := realStore(t, slow)
	ctl.Do("ACL", "SETUSER", "gw", "on", ">pw", "~consentgw:*", "+evalsha", "+eval", "+hset", "+hmget", "+hget",
		"+zadd", "+zrem", "+zrange", "+zrevrange", "+set", "+info", "+client|setname")
	s := openAt(t, Config{Addrs: []string{ctl.Addr()}, Username: "gw", Password: "pw", Timeout: slow})
	r := storetest.Record(storetest.Granted)
	require.NoError(t, s.Ping(t.Context()))
	require.NoError(t, s.Put(t.Context(), r))
	require.NoError(t, s.Put(t.Context(), next(r, storetest.Ended)))
	_, err := s.Find(t.Context(), r.Call.TrunkCallID)
	require.NoError(t, err)
	_, err = s.Search(t.Context(), consent.Query{})
	require.NoError(t, err)
	_, err = s.Unfinished(t.Context(), storetest.Node)
	require.NoError(t, err)
}

func TestRealAFullServerTakesNoWriteAndSaysSo(t *testing.T) {
	s, ctl := realStore(t, slow)
	r := storetest.Record()
	require.NoError(t, s.Put(t.Context(), r))
	ctl.Do("CONFIG", "SET", "maxmemory", "1")
	clean(t, s.Put(t.Context(), storetest.Record()), "oom")
	clean(t, s.Put(t.Context(), next(r)), "oom")
	clean(t, s.Ping(t.Context()), "oom")
	holds(t, s, r)
	ctl.Do("CONFIG", "SET", "maxmemory", "0")
	require.NoError(t, s.Put(t.Context(), next(r)))
}

func TestRealAReplicaTakesNoWriteAndSaysSo(t *testing.T) {
	s, ctl := realStore(t, slow)
	r := storetest.Record()
	require.NoError(t, s.Put(t.Context(), r))
	ctl.Do("REPLICAOF", "127.0.0.1", "1")
	clean(t, s.Put(t.Context(), storetest.Record()), "readonly")
	clean(t, s.Put(t.Context(), next(r)), "readonly")
	clean(t, s.Ping(t.Context()), "readonly")
	ctl.Do("REPLICAOF", "NO", "ONE")
	require.NoError(t, s.Put(t.Context(), next(r)))
}

func TestRealTooFewReplicasIsNamed(t *testing.T) {
	s, ctl := realStore(t, slow)
	ctl.Do("CONFIG", "SET", "min-replicas-to-write", "1")
	clean(t, s.Put(t.Context(), storetest.Record()), "noreplicas")
}

func TestRealAForeignValueUnderOurKeyIsAnError(t *testing.T) {
	s, ctl := realStore(t, slow)
	r := storetest.Record()
	ctl.Do("SET", "consentgw:{"+string(r.ID)+"}", "x")
	clean(t, s.Put(t.Context(), r), "wrongtype")
	_, err := s.Get(t.Context(), r.ID)
	clean(t, err, "wrongtype")
}

func TestRealIndexEntriesThatLeadNowhereAreSkipped(t *testing.T) {
	s, ctl := realStore(t, slow)
	r := storetest.Record(storetest.Calls("odd", "leg"))
	require.NoError(t, s.Put(t.Context(), r))
	ms := fmt.Sprint(r.Call.InvitedAt.UnixMilli())
	for _, key := range []string{"call:odd", "call:other", "day:2026-11-23", "open:" + storetest.Node, "subject:" + hashed(r.Subject)} {
		for i := range 40 {
			ctl.Do("ZADD", "consentgw:"+key, ms, fmt.Sprintf("zz-none-%d", i))
		}
		ctl.Do("ZADD", "consentgw:"+key, ms, "{not-an-id}")
	}
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC).UnixMilli()
	ctl.Do("ZADD", "consentgw:days", fmt.Sprint(day), "2026-11-22")
	ctl.Do("ZADD", "consentgw:day:2026-11-22", fmt.Sprint(day+1), string(r.ID))
	ctl.Do("ZADD", "consentgw:days", "12345", "nonsense")
	ctl.Do("ZADD", "consentgw:call:other", ms, string(r.ID))

	found, err := s.Find(t.Context(), "odd")
	require.NoError(t, err)
	assert.Equal(t, r, found)
	_, err = s.Find(t.Context(), "other")
	require.ErrorIs(t, err, consent.ErrNotFound, "the record does not say so")
	for _, q := range []consent.Query{{}, {Ascending: true, Limit: 1}, {Subject: r.Subject}} {
		page, err := s.Search(t.Context(), q)
		require.NoError(t, err)
		assert.Equal(t, []*consent.Record{r}, page.Records)
	}
	open, err := s.Unfinished(t.Context(), storetest.Node)
	require.NoError(t, err)
	assert.Equal(t, []consent.RecordID{r.ID}, open)
}

func TestRealTheListOfTheUnfinishedCleansItself(t *testing.T) {
	s, ctl := realStore(t, slow)
	var want []consent.RecordID
	for i := range 600 {
		r := storetest.Record(storetest.After(time.Duration(i) * time.Second))
		if i%2 == 0 {
			r = storetest.Record(storetest.After(time.Duration(i)*time.Second), storetest.Ended)
			ctl.Do("ZADD", "consentgw:open:"+storetest.Node, fmt.Sprint(r.Call.InvitedAt.UnixMilli()), string(r.ID))
		} else {
			want = append(want, r.ID)
		}
		require.NoError(t, s.Put(t.Context(), r))
		if i%2 == 0 { // as if the update of the list had been cut off
			ctl.Do("ZADD", "consentgw:open:"+storetest.Node, fmt.Sprint(r.Call.InvitedAt.UnixMilli()), string(r.ID))
		}
	}
	open, err := s.Unfinished(t.Context(), storetest.Node)
	require.NoError(t, err)
	assert.Equal(t, want, open)
	assert.Equal(t, "300", ctl.Do("ZCARD", "consentgw:open:"+storetest.Node))
}

func TestRealAPageOverManyDaysIsBoundedAndGoesOn(t *testing.T) {
	s, _ := realStore(t, slow)
	var want []consent.RecordID
	for i := range maxRounds + 50 {
		r := storetest.Record(storetest.After(time.Duration(i) * 24 * time.Hour))
		if i == 0 || i == maxRounds+49 {
			r.Call.Route = "rare"
			want = append(want, r.ID)
		}
		require.NoError(t, s.Put(t.Context(), r))
	}
	for _, ascending := range []bool{true, false} {
		q := consent.Query{Route: "rare", Ascending: ascending}
		first, err := s.Search(t.Context(), q)
		require.NoError(t, err)
		require.NotEmpty(t, first.Next, "the page is cut")
		require.Len(t, first.Records, 1)
		q.Cursor = first.Next
		second, err := s.Search(t.Context(), q)
		require.NoError(t, err)
		require.Empty(t, second.Next)
		require.Len(t, second.Records, 1)
		got := []consent.RecordID{first.Records[0].ID, second.Records[0].ID}
		assert.ElementsMatch(t, want, got)
	}
}

// Platforms may read these fields: they are documented.
func TestRealTheFieldsOfARecordAreReadable(t *testing.T) {
	s, ctl := realStore(t, slow)
	r := storetest.Record(storetest.Granted)
	require.NoError(t, s.Put(t.Context(), r))
	key := "consentgw:{" + string(r.ID) + "}"
	for field, want := range map[string]string{
		"epoch": "2", "writer": "writer-1", "status": "granted", "outcome": "given", "recording": "on",
		"call_id": r.Call.TrunkCallID, "platform_call_id": r.Call.PlatformCallID, "notice_id": "recording",
		"notice_version": "3", "language": "nl", "method": "rfc4733", "ended": "0",
		"decided_at": "2026-11-23T09:30:08.900Z", "updated_at": "2026-11-23T09:30:08.900Z",
	} {
		assert.Equal(t, want, ctl.Do("HGET", key, field), field)
	}
	assert.True(t, strings.HasPrefix(ctl.Do("HGET", key, "json"), `{"schema":"consentgw.record/1"`))

	require.NoError(t, s.Put(t.Context(), next(r, storetest.Ended, func(r *consent.Record) { r.Press = nil })))
	assert.Equal(t, "1", ctl.Do("HGET", key, "ended"))
	assert.Empty(t, ctl.Do("HGET", key, "method"), "a field that no longer applies is empty")
	assert.Equal(t, string(r.ID), ctl.Do("ZRANGE", "consentgw:call:"+r.Call.TrunkCallID, "-1", "-1"))
}

func TestRealAReplaceIsOneScriptToo(t *testing.T) {
	s, ctl := realStore(t, slow)
	r := storetest.Record()
	require.NoError(t, s.Put(t.Context(), r))
	ctl.Do("CONFIG", "RESETSTAT")
	require.NoError(t, s.Replace(t.Context(), next(r, storetest.By("writer-2")), r))
	stats := ctl.Do("INFO", "commandstats")
	assert.Contains(t, stats, "cmdstat_evalsha:calls=1,")
	assert.Contains(t, stats, "cmdstat_hset:calls=1,")
	assert.NotContains(t, stats, "cmdstat_zadd", "nothing new to index")
}

// One node that owns every slot is enough to have each key checked against its
// slot, and the script refused if it touched two.
func TestRealClusterContract(t *testing.T) {
	addr, ctl := storetest.Redis(t, "--cluster-enabled", "yes")
	ctl.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	require.Eventually(t, func() bool { return strings.Contains(ctl.Do("CLUSTER", "INFO"), "cluster_state:ok") }, slow, time.Millisecond)
	n := 0
	storetest.Run(t, func(t *testing.T) consent.Store {
		n++
		return openAt(t, Config{Addrs: []string{addr, addr}, Prefix: fmt.Sprintf("t%d:", n), Timeout: slow})
	})
}
