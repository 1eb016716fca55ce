package export_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
	"consentgw/internal/export"
)

var update = flag.Bool("update", false, "rewrite the golden exports")

// shelf is a store that only searches. Its cursor is the index of the next
// record. fail, if set, is asked before each page.
type shelf struct {
	consent.Store
	records []*consent.Record
	queries []consent.Query
	fail    func(page int) error
}

func (s *shelf) Search(ctx context.Context, q consent.Query) (consent.Page, error) {
	page := len(s.queries)
	s.queries = append(s.queries, q)
	if s.fail != nil {
		if err := s.fail(page); err != nil {
			return consent.Page{}, err
		}
	}
	from := 0
	if q.Cursor != "" {
		from, _ = strconv.Atoi(q.Cursor)
	}
	var p consent.Page
	for i := from; i < len(s.records); i++ {
		if len(p.Records) == q.Limit {
			p.Next = strconv.Itoa(i)
			break
		}
		if q.Matches(s.records[i]) {
			p.Records = append(p.Records, s.records[i])
		}
	}
	return p, ctx.Err()
}

// writes remembers every Write by itself.
type writes struct{ chunks [][]byte }

func (w *writes) Write(p []byte) (int, error) {
	w.chunks = append(w.chunks, bytes.Clone(p))
	return len(p), nil
}

func (w *writes) all() []byte { return bytes.Join(w.chunks, nil) }

var noon = time.Date(2026, 3, 12, 12, 0, 0, 0, time.UTC)

func after(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

// agreed is a call with everything in it: agreed, recorded, withdrawn.
func agreed() *consent.Record {
	r := consent.NewRecord("0190e000-0000-7000-8000-000000000001", "gw-1", "gw-1", consent.Policy{
		Name: "nl", Controller: consent.Controller{Name: "Voorbeeld B.V.", Country: "NL"}, Jurisdiction: "NL",
		Basis: "consent", Purposes: []string{"quality", "training"}, Keys: consent.Keys{Withdraw: "*9"},
		Retention: consent.Retention{Record: "P7Y", Recording: "P90D"},
	}, consent.Call{
		TrunkCallID: "a84b4c76e66710@127.0.0.1", PlatformCallID: "b2-17@127.0.0.1", Direction: "inbound",
		Trunk: "carrier-a", Route: "sales", Platform: "contact-center", Target: "sip:127.0.0.1:5090",
		Called: "+31205550100", InvitedAt: noon, AnsweredAt: after(40), ConnectedAt: after(11200),
		Signalled: consent.Signalled{Source: consent.SourceAsserted, DivertedFrom: "+31205550144",
			Attestations: []consent.Attestation{{Type: "shaken", Attest: "A", OrigID: "de305d54-75b4-431b-adb2-eb6b9e546014",
				IssuedAt: after(-500), NumberMatches: true, TokenSHA256: strings.Repeat("c3", 32)}},
			Sessions: consent.Sessions{Caller: strings.Repeat("1a", 16), Gateway: strings.Repeat("2b", 16), Platform: strings.Repeat("3c", 16)}},
	})
	r.Subject = "+31205550142"
	r.Notice = consent.Notice{ID: "recording", Version: "1", Language: "nl", Codec: "PCMA",
		AudioSHA256: strings.Repeat("a1", 32), TextSHA256: strings.Repeat("b2", 32),
		Heard: consent.Heard{StartedAt: after(60), HeardMS: 9000, LengthMS: 9000, Complete: true, Plays: 1}}
	r.Outcome, r.Status = consent.Given, consent.StatusGranted
	r.Press = &consent.Press{Key: "1", Method: "rfc4733", SSRC: 3735928559, RTPTimestamp: 72160,
		DurationMS: 120, At: after(10300), EndSeen: true}
	r.DecidedAt, r.StoredAt = after(10600), after(10602)
	r.Purposes[0].Granted = true
	r.Recordings = []consent.Recording{
		{Recorder: "archive", State: consent.RecordingOff, OpenedAt: after(11210), ClosedAt: after(32000),
			FirstPacketAt: after(11220), LastPacketAt: after(31980),
			Caller: consent.Copies{SSRC: 1, Packets: 1038, Lost: 1}, Agent: consent.Copies{SSRC: 2, Packets: 1036}},
		{Recorder: "second", State: consent.RecordingOff, OpenedAt: after(11205), ClosedAt: after(32010),
			FirstPacketAt: after(11225), LastPacketAt: after(31990),
			Caller: consent.Copies{SSRC: 3, Packets: 2}, Agent: consent.Copies{SSRC: 4, Packets: 3, Lost: 4}},
	}
	r.Withdraw(after(32000), "key")
	r.End(after(61000), "caller hung up")
	return r
}

// refused said no by SIP INFO; what its telephone sent is hostile.
func refused() *consent.Record {
	r := consent.NewRecord("0190e000-0000-7000-8000-000000000002", "gw-1", "gw-1",
		consent.Policy{Name: "nl", Purposes: []string{"quality"}},
		consent.Call{TrunkCallID: "x,\"y\"/z", Direction: "inbound", Trunk: "carrier-a", Route: "sales",
			Called: "@SUM(A1)", InvitedAt: after(1000)})
	r.Subject = `=HYPERLINK("http://example.com","click")`
	r.Notice = consent.Notice{ID: "recording", Version: "1", Language: "nl"}
	r.Outcome, r.Status = consent.Refused, consent.StatusDenied
	r.Press = &consent.Press{Key: "2", Method: "sip-info", DurationMS: 160, At: after(3000)}
	r.DecidedAt = after(3000)
	r.End(after(9000), "\t=1+1\r\nnext line\x00")
	return r
}

// bare is a call that never got as far as a question, of a caller who withheld
// its number.
func bare() *consent.Record {
	r := consent.NewRecord("0190e000-0000-7000-8000-000000000003", "gw-1", "gw-1", consent.Policy{},
		consent.Call{TrunkCallID: "c3@127.0.0.1", Direction: "inbound", Trunk: "carrier-a", Route: "sales",
			Called: "+31205550101", InvitedAt: after(2000),
			Signalled: consent.Signalled{Source: consent.SourceAsserted, Withheld: true, Privacy: []string{"id"}}})
	return r
}

func TestGoldenExports(t *testing.T) {
	store := &shelf{records: []*consent.Record{agreed(), refused(), bare()}}
	for name, write := range map[string]func(context.Context, io.Writer, consent.Store, consent.Query) (int, error){
		"records.csv": export.CSV, "records.jsonl": export.JSONL,
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			rows, err := write(t.Context(), &got, store, consent.Query{})
			require.NoError(t, err)
			assert.Equal(t, 3, rows)
			golden := filepath.Join("..", "..", "testdata", "export", name)
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755))
				require.NoError(t, os.WriteFile(golden, got.Bytes(), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), got.String())
		})
	}
}

// table exports the records as CSV and reads them as a spreadsheet would.
func table(t *testing.T, records ...*consent.Record) []map[string]string {
	t.Helper()
	var b bytes.Buffer
	_, err := export.CSV(t.Context(), &b, &shelf{records: records}, consent.Query{})
	require.NoError(t, err)
	lines, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	rows := make([]map[string]string, 0, len(lines)-1)
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func TestTheHeaderIsTheContract(t *testing.T) {
	const want = "record_id,trunk_call_id,platform_call_id,node,trunk,route,platform,target,subject,called,invited_at," +
		"answered_at,connected_at,ended_at,end_cause,outcome,status,basis,jurisdiction,purposes_granted,notice_id," +
		"notice_version,language,notice_audio_sha256,notice_text_sha256,notice_heard_ms,notice_duration_ms," +
		"notice_complete,key,method,ssrc,rtp_timestamp,key_duration_ms,pressed_at,decided_at,stored_at,withdrawn_at," +
		"withdrawn_by,recording_started_at,first_packet_at,last_packet_at,recording_ended_at,caller_packets," +
		"agent_packets,lost_packets,packets_before_grant,packets_after_stop,retention_record,retention_recording,updated_at," +
		"subject_source,subject_withheld,diverted_from,attestation,attestation_origid,attestation_verified,session_caller,session_platform," +
		"ask,purpose_outcomes"
	assert.Equal(t, want, strings.Join(export.Header(), ","))
}

func TestAnEmptyExportIsTheHeaderAlone(t *testing.T) {
	var b bytes.Buffer
	rows, err := export.CSV(t.Context(), &b, &shelf{}, consent.Query{})
	require.NoError(t, err)
	assert.Zero(t, rows)
	assert.Equal(t, strings.Join(export.Header(), ",")+"\r\n", b.String())

	b.Reset()
	rows, err = export.JSONL(t.Context(), &b, &shelf{}, consent.Query{})
	require.NoError(t, err)
	assert.Zero(t, rows)
	assert.Empty(t, b.String())
}

func TestARowAddsUpAllRecordersOfTheCall(t *testing.T) {
	row := table(t, agreed())[0]
	for column, want := range map[string]string{
		"recording_started_at": "2026-03-12T12:00:11.205Z", "first_packet_at": "2026-03-12T12:00:11.220Z",
		"last_packet_at": "2026-03-12T12:00:31.990Z", "recording_ended_at": "2026-03-12T12:00:32.010Z",
		"caller_packets": "1040", "agent_packets": "1039", "lost_packets": "5",
		"packets_before_grant": "0", "packets_after_stop": "0",
	} {
		assert.Equal(t, want, row[column], column)
	}
}

func TestPacketsAgainstTheLawAreNotHidden(t *testing.T) {
	r := agreed()
	r.Recordings[0].BeforeGrant, r.Recordings[1].AfterStop = 7, 9
	row := table(t, r)[0]
	assert.Equal(t, "7", row["packets_before_grant"])
	assert.Equal(t, "9", row["packets_after_stop"])
}

func TestARecordingThatIsStillOpenHasNoEnd(t *testing.T) {
	r := agreed()
	r.Recordings[0].ClosedAt = time.Time{}
	assert.Empty(t, table(t, r)[0]["recording_ended_at"])
}

func TestNumbersAreNotAlteredAndFormulasAreDefused(t *testing.T) {
	for in, want := range map[string]string{
		"+31205550142":        "+31205550142",
		"31205550142":         "31205550142",
		"anonymous":           "anonymous",
		"*31#":                "*31#",
		"=1+1":                "'=1+1",
		"+1+1":                "'+1+1",
		"+":                   "'+",
		"-1":                  "'-1",
		"@SUM(A1)":            "'@SUM(A1)",
		" =1+1":               "' =1+1",
		"\u00a0=1+1":          "'\u00a0=1+1",
		"＝1+1":                "'＝1+1",
		"\t=1+1":              "\ufffd=1+1",
		"\r=1+1":              "\ufffd=1+1",
		"a\r\nb":              "a\ufffd\ufffdb",
		"\xff=1":              "\ufffd=1",
		`a,"b"`:               `a,"b"`,
		"":                    "",
		"'already":            "'already",
		"\"\n=cmd|' /C x'!A0": "\"\ufffd=cmd|' /C x'!A0",
	} {
		t.Run(fmt.Sprintf("%q", in), func(t *testing.T) {
			r := bare()
			r.Subject = in
			assert.Equal(t, want, table(t, r)[0]["subject"])
		})
	}
}

func TestJSONLinesHoldTheWholeRecordUnaltered(t *testing.T) {
	var b bytes.Buffer
	_, err := export.JSONL(t.Context(), &b, &shelf{records: []*consent.Record{refused()}}, consent.Query{})
	require.NoError(t, err)
	var got consent.Record
	require.NoError(t, json.Unmarshal(b.Bytes(), &got))
	assert.Equal(t, refused(), &got)
	assert.Equal(t, 1, strings.Count(b.String(), "\n"), "one record a line")
}

// many makes n records, one a second.
func many(n int) []*consent.Record {
	out := make([]*consent.Record, n)
	for i := range out {
		out[i] = bare()
		out[i].ID = consent.RecordID(fmt.Sprintf("r-%05d", i))
		out[i].Call.InvitedAt = noon.Add(time.Duration(i) * time.Second)
	}
	return out
}

func TestThereIsNoCapAndEveryRecordComesOnceInOrder(t *testing.T) {
	store := &shelf{records: many(1234)}
	var b bytes.Buffer
	rows, err := export.JSONL(t.Context(), &b, store, consent.Query{Limit: 1, Cursor: "7"})
	require.NoError(t, err)
	assert.Equal(t, 1234, rows)
	i := 0
	for line := range strings.Lines(b.String()) {
		require.Contains(t, line, fmt.Sprintf(`"record_id":"r-%05d"`, i))
		i++
	}
	assert.Equal(t, 1234, i)
	for _, q := range store.queries {
		assert.True(t, q.Ascending, "oldest first")
	}
}

func TestTheQueryRestrictsTheExport(t *testing.T) {
	var b bytes.Buffer
	rows, err := export.CSV(t.Context(), &b, &shelf{records: many(10)},
		consent.Query{From: noon.Add(2 * time.Second), To: noon.Add(5 * time.Second)})
	require.NoError(t, err)
	assert.Equal(t, 3, rows)
}

func TestAStoreThatFailsHalfWayLeavesOnlyWholeLines(t *testing.T) {
	down := errors.New("store is away")
	store := &shelf{records: many(1200), fail: func(page int) error {
		if page == 2 {
			return down
		}
		return nil
	}}
	var w writes
	rows, err := export.CSV(t.Context(), &w, store, consent.Query{})
	require.ErrorIs(t, err, down)
	assert.Equal(t, 1000, rows)
	assert.Len(t, w.chunks, 2, "one write a page")
	for _, c := range w.chunks {
		assert.True(t, bytes.HasSuffix(c, []byte("\r\n")))
	}
	lines, err := csv.NewReader(bytes.NewReader(w.all())).ReadAll()
	require.NoError(t, err)
	assert.Len(t, lines, 1001)
}

func TestAStoreThatFailsAtOnceLeavesNothing(t *testing.T) {
	down := errors.New("store is away")
	var w writes
	_, err := export.CSV(t.Context(), &w, &shelf{fail: func(int) error { return down }}, consent.Query{})
	require.ErrorIs(t, err, down)
	assert.Empty(t, w.chunks)
}

// stuck repeats its first page for ever.
type stuck struct{ consent.Store }

func (stuck) Search(context.Context, consent.Query) (consent.Page, error) {
	return consent.Page{Records: many(1), Next: "same"}, nil
}

func TestAStoreThatRepeatsAPageDoesNotHoldTheExportForEver(t *testing.T) {
	rows, err := export.JSONL(t.Context(), io.Discard, stuck{}, consent.Query{})
	require.ErrorContains(t, err, "repeats a page")
	assert.Equal(t, 2, rows)
}

// closed is a client that went away.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAClientThatLeavesEndsTheExport(t *testing.T) {
	store := &shelf{records: many(2000)}
	rows, err := export.CSV(t.Context(), closed{}, store, consent.Query{})
	require.ErrorIs(t, err, io.ErrClosedPipe)
	assert.Zero(t, rows)
	assert.Len(t, store.queries, 1)
}

func TestACancelledExportEndsWithTheCause(t *testing.T) {
	stopping := errors.New("gateway stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	store := &shelf{records: many(2000)}
	w := writerFunc(func(p []byte) (int, error) { cancel(stopping); return len(p), nil })
	_, err := export.JSONL(ctx, w, store, consent.Query{})
	require.ErrorIs(t, err, stopping)
	assert.Len(t, store.queries, 1)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// FuzzCSV: whatever a telephone sends, a row stays one row with every column,
// and no cell of it is a formula.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"+31205550142", "=1+1", "\t=1", "a\r\nb,c\"", "\xff\xfe", "＋1", " -1", "\u2028=1"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, subject, cause string) {
		r := bare()
		r.Subject, r.Call.EndCause = subject, cause
		var b bytes.Buffer
		rows, err := export.CSV(t.Context(), &b, &shelf{records: []*consent.Record{r}}, consent.Query{})
		require.NoError(t, err)
		require.Equal(t, 1, rows)
		require.Equal(t, 2, strings.Count(b.String(), "\r\n"))
		require.Equal(t, 2, strings.Count(b.String(), "\n"))
		lines, err := csv.NewReader(&b).ReadAll()
		require.NoError(t, err)
		require.Len(t, lines, 2)
		for _, cell := range lines[1] {
			if strings.Trim(cell, "+0123456789") != "" {
				require.NotContains(t, "=+-@", string([]rune(strings.TrimSpace(cell) + " ")[0]))
			}
		}
	})
}
