package acceptance

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"consentgw/consent"

	"github.com/stretchr/testify/require"
)

// TestFiveHundredCallsAtTwentyASecond: SIPp on both sides, callers saying yes,
// no and nothing in turn. All connect, all sources agree call by call, and the
// gateway is as empty afterwards as it was before.
func TestFiveHundredCallsAtTwentyASecond(t *testing.T) {
	const count, rate = 500, 20
	s := newSite(t, plan{info: true})
	s.start()
	before := s.metrics()
	began := time.Now()
	calls, platform := s.sippRun("call", count, rate, "yes", "no", "silence")
	t.Logf("%d calls in %.1f s", count, time.Since(began).Seconds())
	s.idle(1e9)
	records := s.recordsOf(calls)
	s.agreesWithExport(records)
	s.agreesWithPlatform(records, platform)
	s.agreesWithRecorder(records, s.metrics())
	s.reportTimes(records)
	// The SIP transactions of a call live for 32 s after it (RFC 3261 17, 64*T1).
	after := s.idle(before["go_goroutines"])
	t.Logf("goroutines: %.0f before the first call, %.0f after the last; idle again after %.1f s",
		before["go_goroutines"], after["go_goroutines"], time.Since(began).Seconds())
}

// sippRun makes calls on both sides and waits for their end. It returns them
// and what the contact center was told, by the Call-ID of the trunk leg. SIPp
// goes by the clock: where it says that it was itself kept waiting, nothing is
// proved by calls that went wrong, and others are made at half the rate.
func (s *site) sippRun(name string, count, rate int, choices ...string) ([]sippCall, map[string][]string) {
	t := s.t
	t.Helper()
	for try := 0; ; try++ {
		run := fmt.Sprintf("%s%d", name, try)
		platform := s.sippPlatform(count)
		calls := sippCalls(run, count, choices...)
		callers := s.sippCallers(max(1, rate>>try), calls, run)
		if callers.succeeds(s) && platform.succeedsSoon(s) {
			return calls, platform.told(count)
		}
		starved := callers.starved() || platform.starved()
		require.True(t, starved && try < 3, "callers: %s\nplatform: %s", callers.problems(), platform.problems())
		t.Logf("SIPp was kept waiting at %d calls a second: again at half of it", rate>>try)
		platform.kill()
	}
}

// recordsOf holds Redis against what the callers did, and the API against Redis.
func (s *site) recordsOf(calls []sippCall) map[string]*consent.Record {
	t := s.t
	t.Helper()
	found := s.searched()
	records := map[string]*consent.Record{}
	for _, c := range calls {
		r := s.inRedis(c.id)
		records[c.id] = r
		require.Equal(t, c.outcome(), string(r.Outcome), c)
		require.Equal(t, callerNumber, r.Subject)
		require.Equal(t, calledNumber, r.Call.Called)
		require.False(t, r.Call.ConnectedAt.IsZero(), "connected: %v", c)
		require.Equal(t, "caller hung up", r.Call.EndCause, c)
		require.Equal(t, c.outcome() == "no_input", r.Press == nil, c)
		if r.Press != nil {
			require.Equal(t, map[string]string{"rtp": "rfc4733", "info": "sip-info"}[c.way], r.Press.Method, c)
		}
		if c.outcome() == "given" && c.way == "rtp" {
			require.EqualValues(t, speechPackets, r.Recordings[0].Caller.Packets, c)
		}
		if c.outcome() != "given" && c.outcome() != "withdrawn" {
			require.Empty(t, r.Recordings, c)
		}
		require.JSONEq(t, text(t, r), text(t, found[c.id]), "the record of %v in Redis and by the API", c)
	}
	return records
}

func text(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// agreesWithExport compares both exports, made by the command, record by record.
func (s *site) agreesWithExport(records map[string]*consent.Record) {
	t := s.t
	t.Helper()
	lines := 0
	scanner := bufio.NewScanner(strings.NewReader(s.export("jsonl")))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var r consent.Record
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &r))
		if want := records[r.Call.TrunkCallID]; want != nil {
			lines++
			require.JSONEq(t, text(t, want), text(t, r))
		}
	}
	require.Equal(t, len(records), lines, "records in the export as JSON Lines")

	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(s.export("csv"), "\ufeff"))).ReadAll()
	require.NoError(t, err)
	column := func(row []string, name string) string { return row[slices.Index(rows[0], name)] }
	lines = 0
	for _, row := range rows[1:] {
		r := records[column(row, "trunk_call_id")]
		if r == nil {
			continue
		}
		lines++
		var caller, agent uint64
		for _, rec := range r.Recordings {
			caller, agent = caller+rec.Caller.Packets, agent+rec.Agent.Packets
		}
		for name, want := range map[string]string{
			"record_id": string(r.ID), "platform_call_id": r.Call.PlatformCallID, "outcome": string(r.Outcome),
			"status": string(r.Status), "end_cause": r.Call.EndCause, "notice_audio_sha256": r.Notice.AudioSHA256,
			"caller_packets": strconv.FormatUint(caller, 10), "agent_packets": strconv.FormatUint(agent, 10),
			"packets_before_grant": "0", "packets_after_stop": "0",
		} {
			require.Equal(t, want, column(row, name), "%s of %s", name, r.Call.TrunkCallID)
		}
	}
	require.Equal(t, len(records), lines, "records in the export as CSV")
}

func (s *site) export(format string) string {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "records."+format)
	code, _, problems := run(s.t, "export", "--api", s.apiURL, "--format", format, "-o", file)
	require.Zero(s.t, code, problems)
	return readFile(s.t, file)
}

// agreesWithPlatform compares the headers that the contact center got.
func (s *site) agreesWithPlatform(records map[string]*consent.Record, told map[string][]string) {
	t := s.t
	t.Helper()
	for id, r := range records {
		status, recording := "denied", "off"
		outcome := r.Outcome
		if outcome == consent.Withdrawn { // later
			outcome = consent.Given
		}
		if outcome == consent.Given {
			status, recording = "granted", "on"
		}
		require.Equal(t, []string{r.Call.PlatformCallID, id, string(r.ID), status, string(outcome), recording}, told[id])
	}
}

// agreesWithRecorder compares what arrived with what the records claim.
func (s *site) agreesWithRecorder(records map[string]*consent.Record, m metrics) {
	t := s.t
	t.Helper()
	var claimed, copies uint64
	for id, r := range records {
		for _, rec := range r.Recordings {
			require.Zero(t, rec.BeforeGrant+rec.AfterStop, id)
			caller, agent := s.recorder.Caller(rec.Caller.SSRC), s.recorder.Agent(rec.Agent.SSRC)
			require.EqualValues(t, rec.Caller.Packets, len(caller), "caller's packets of %s", id)
			require.EqualValues(t, rec.Agent.Packets, len(agent), "agent's packets of %s", id)
			claimed += rec.Caller.Packets + rec.Agent.Packets
		}
	}
	for _, r := range s.searched() { // the calls before them, too
		copies += r.RecordedPackets()
	}
	require.EqualValues(t, copies, len(s.recorder.Caller(0))+len(s.recorder.Agent(0)), "packets at the recorder")
	require.EqualValues(t, copies, m.sum("consentgw_fork_packets_total"))
	require.Zero(t, m.sum("consentgw_fork_violations_total"))
	t.Logf("%d packets at the recorder in %d calls", claimed, len(records))
}

// reportTimes says how long things took, and that refusing costs no time (L4).
func (s *site) reportTimes(records map[string]*consent.Record) {
	s.t.Helper()
	of := map[consent.Outcome][]time.Duration{}
	var stored []time.Duration
	for _, r := range records {
		of[r.Outcome] = append(of[r.Outcome], r.Call.ConnectedAt.Sub(r.DecidedAt))
		if !r.StoredAt.IsZero() {
			stored = append(stored, r.StoredAt.Sub(r.DecidedAt))
		}
	}
	for outcome, list := range of {
		slices.Sort(list)
		s.t.Logf("decision to connection, %s: median %v, 99%% %v", outcome, list[len(list)/2], list[len(list)*99/100])
	}
	slices.Sort(stored)
	s.t.Logf("decision to stored: median %v, 99%% %v", stored[len(stored)/2], stored[len(stored)*99/100])
	given, refused := of[consent.Given], of[consent.Refused]
	// Twice as long and more is no accident of a busy machine: they take turns.
	require.LessOrEqual(s.t, refused[len(refused)/2], 2*given[len(given)/2]+250*time.Millisecond, "who refuses waits longer")
}
