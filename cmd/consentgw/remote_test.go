package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentgw/consent"
	"consentgw/internal/api/client"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWithoutAGatewayEveryCommandSaysWhatToDo(t *testing.T) {
	for _, args := range []string{"calls list", "calls show x", "calls hangup x", "calls pause x", "calls resume x",
		"consent get x", "consent withdraw x", "export", "export --format jsonl"} {
		t.Run(args, func(t *testing.T) {
			r := consentgw(t, append(strings.Fields(args), "--api", "http://127.0.0.1:1")...)
			assert.Equal(t, exitFailed, r.code)
			assert.Empty(t, r.stdout)
			assert.Contains(t, r.stderr, "no gateway answers at http://127.0.0.1:1")
			assert.Contains(t, r.stderr, `Is the gateway running? Start it with "consentgw serve", or say --api`)
		})
	}
}

func TestAnAddressThatIsNoneIsNotTakenForAGatewayThatIsDown(t *testing.T) {
	r := consentgw(t, "calls", "list", "--api", "http://[::")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "is not the address of an API")
	require.NotContains(t, r.stderr, "running?")
}

// TestOperatorsPlatformsAndOfficersAskARunningGateway follows one call, from
// its first moment to the export of its record.
func TestOperatorsPlatformsAndOfficersAskARunningGateway(t *testing.T) {
	s := serve(t)
	assert.Equal(t, result{exitOK, "no live calls\n", ""}, s.on("calls", "list"))
	assert.Equal(t, result{exitOK, "[]\n", ""}, s.on("calls", "list", "--json"))

	line := s.agrees("call-1")
	var live []client.Call
	decode(t, s.on("calls", "list", "--json"), &live)
	require.Len(t, live, 1)
	id := string(live[0].RecordID)

	t.Run("the list is a table without numbers", func(t *testing.T) {
		r := s.on("calls", "list")
		require.Equal(t, exitOK, r.code)
		rows := strings.Split(strings.TrimSpace(r.stdout), "\n")
		require.Len(t, rows, 2)
		require.Equal(t, []string{"RECORD", "TRUNK", "ROUTE", "STATUS", "RECORDING", "SECONDS"}, strings.Fields(rows[0]))
		require.Equal(t, []string{id, "carrier", "sales", "granted", "on"}, strings.Fields(rows[1])[:5])
		require.Equal(t, strings.Index(rows[0], "STATUS"), strings.Index(rows[1], "granted"), "the columns stand one below the other")
		noNumbers(t, r)
	})
	t.Run("a call is shown by any of its names", func(t *testing.T) {
		for _, name := range []string{id, "call-1", live[0].PlatformCallID} {
			r := s.on("calls", "show", name)
			require.Equal(t, exitOK, r.code, r.stderr)
			for _, want := range []string{"record " + id + ": granted (given), recording on", "trunk", "carrier, route sales",
				`short version 1 in "en", heard 200 of 200 ms`, "a key, by rfc4733", "archive: ", "decided: given", "recording_on"} {
				require.Contains(t, r.stdout, want)
			}
			noNumbers(t, r)
			r = s.on("consent", "get", name)
			require.Equal(t, result{exitOK, "record " + id + ": granted (given), recording on\n", ""}, r)
		}
	})
	t.Run("whoever asks for JSON gets the whole record", func(t *testing.T) {
		var record consent.Record
		decode(t, s.on("calls", "show", "call-1", "--json"), &record)
		require.Equal(t, id, string(record.ID))
		require.Equal(t, callerNumber, record.Subject)
		require.NotEmpty(t, record.History)
		var status client.Status
		decode(t, s.on("consent", "get", "call-1", "--json"), &status)
		require.Equal(t, consent.StatusGranted, status.Status)
	})
	t.Run("a recording is paused and resumed", func(t *testing.T) {
		require.Equal(t, result{exitOK, "record " + id + ": granted (given), recording paused\n", ""}, s.on("calls", "pause", "call-1"))
		var status client.Status
		decode(t, s.on("calls", "resume", "call-1", "--json"), &status)
		require.Equal(t, consent.RecordingOn, status.Recording)
	})
	t.Run("a consent is taken back, and stays so", func(t *testing.T) {
		for range 2 {
			require.Equal(t, result{exitOK, "record " + id + ": withdrawn (withdrawn), recording off\n", ""}, s.on("consent", "withdraw", id))
		}
		r := s.on("calls", "resume", "call-1")
		require.Equal(t, exitFailed, r.code)
		require.Contains(t, r.stderr, "Not possible now")
		require.NotContains(t, r.stderr, "running?", "it is running, and said no")
	})
	t.Run("a call is hung up", func(t *testing.T) {
		r := s.on("calls", "hangup", "call-1")
		require.Equal(t, exitOK, r.code, r.stderr)
		<-line.Ended()
	})
	s.until(t, func() bool { return s.on("calls", "list").stdout == "no live calls\n" })
	t.Run("what is over stays to be asked for", func(t *testing.T) {
		r := s.on("consent", "get", "call-1")
		require.Equal(t, result{exitOK, "record " + id + ": withdrawn (withdrawn), recording off\n", ""}, r)
		require.Contains(t, s.on("calls", "show", "call-1").stdout, "ended: hung up by the api")
		require.Equal(t, exitFailed, s.on("calls", "hangup", "call-1").code)
	})
	t.Run("a call that nobody has seen", func(t *testing.T) {
		require.Equal(t, result{exitOK, "unknown: no such call has been seen\n", ""}, s.on("consent", "get", "call-2"))
		r := s.on("calls", "show", "call-2")
		require.Equal(t, exitFailed, r.code)
		require.Contains(t, r.stderr, "no such call has been seen; name it by")
		r = s.on("consent", "withdraw", "01890000-0000-7000-8000-000000000009")
		require.Equal(t, exitFailed, r.code)
		require.Contains(t, r.stderr, "No such record")
	})
	t.Run("the record is exported", func(t *testing.T) { s.exports(t, id) })
	t.Run("the gateway ends when it is told to", func(t *testing.T) {
		require.Equal(t, exitOK, s.stop())
		require.NotContains(t, s.log.String(), callerNumber[1:])
		require.Equal(t, exitFailed, s.on("calls", "list").code)
	})
}

// exports asks for the one record in every way.
func (s *served) exports(t *testing.T, id string) {
	r := s.on("export")
	require.Equal(t, exitOK, r.code, r.stderr)
	rows, err := csv.NewReader(strings.NewReader(r.stdout)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Equal(t, "record_id", rows[0][0])
	require.Equal(t, id, rows[1][0])

	var record consent.Record
	decode(t, s.on("export", "--format", "jsonl"), &record)
	require.Equal(t, id, string(record.ID))
	require.Equal(t, consent.Withdrawn, record.Outcome)

	file := filepath.Join(t.TempDir(), "all.csv")
	require.Equal(t, result{exitOK, "", ""}, s.on("export", "-o", file))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, r.stdout, string(text))

	require.Empty(t, s.on("export", "--format", "jsonl", "--to", "2000-01-01").stdout)
	require.Equal(t, 1, strings.Count(s.on("export", "--from", "3000-01-01T00:00:00Z").stdout, "\n"), "the header and no record")
}

func decode(t *testing.T, r result, into any) {
	require.Equal(t, exitOK, r.code, r.stderr)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), into), r.stdout)
}

func noNumbers(t *testing.T, r result) {
	require.NotContains(t, r.stdout+r.stderr, callerNumber[1:])
	require.NotContains(t, r.stdout+r.stderr, calledNumber[1:])
}

// until asks again after every line of the log.
func (s *served) until(t *testing.T, ok func() bool) {
	for {
		s.log.mu.Lock()
		news := s.log.news
		s.log.mu.Unlock()
		if ok() {
			return
		}
		select {
		case <-news:
		case <-s.ctx.Done():
			require.FailNow(t, "it never came to be")
		}
	}
}
