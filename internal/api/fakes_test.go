package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

var noon = time.Date(2026, 3, 12, 12, 0, 0, 0, time.UTC)

// memory is a store in memory. before is asked before each operation; after
// may turn a write that was kept into one whose reply was lost.
type memory struct {
	consent.Store // what the API has no use for
	before        func(op string) error
	after         func(op string) error

	mu      sync.Mutex
	records []*consent.Record
	ops     []string
}

func (m *memory) begin(ctx context.Context, op string) error {
	m.mu.Lock()
	m.ops = append(m.ops, op)
	m.mu.Unlock()
	if m.before != nil {
		if err := m.before(op); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (m *memory) Get(ctx context.Context, id consent.RecordID) (*consent.Record, error) {
	return m.first(ctx, "get", func(r *consent.Record) bool { return r.ID == id })
}

func (m *memory) Find(ctx context.Context, call string) (*consent.Record, error) {
	return m.first(ctx, "find", func(r *consent.Record) bool {
		return string(r.ID) == call || r.Call.TrunkCallID == call || (call != "" && r.Call.PlatformCallID == call)
	})
}

func (m *memory) first(ctx context.Context, op string, is func(*consent.Record) bool) (*consent.Record, error) {
	if err := m.begin(ctx, op); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.IndexFunc(m.records, is); i >= 0 {
		return m.records[i].Clone(), nil
	}
	return nil, consent.ErrNotFound
}

func (m *memory) Replace(ctx context.Context, r, seen *consent.Record) error {
	if err := m.begin(ctx, "replace"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.records, func(x *consent.Record) bool { return x.ID == r.ID })
	if i < 0 || m.records[i].Epoch != seen.Epoch || m.records[i].Writer != seen.Writer || r.Epoch <= seen.Epoch {
		return consent.ErrConflict
	}
	m.records[i] = r.Clone()
	if m.after != nil {
		return m.after("replace")
	}
	return nil
}

// Search uses the index of the next record as its cursor.
func (m *memory) Search(ctx context.Context, q consent.Query) (consent.Page, error) {
	if err := m.begin(ctx, "search"); err != nil {
		return consent.Page{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	ordered := slices.Clone(m.records)
	slices.SortFunc(ordered, func(a, b *consent.Record) int {
		c := a.Call.InvitedAt.Compare(b.Call.InvitedAt)
		if !q.Ascending {
			c = -c
		}
		return c
	})
	limit := q.Limit
	if limit == 0 {
		limit = 100
	}
	from, _ := strconv.Atoi(q.Cursor)
	var p consent.Page
	for i := from; i < len(ordered); i++ {
		if !q.Matches(ordered[i]) {
			continue
		}
		if len(p.Records) == limit {
			p.Next = strconv.Itoa(i)
			break
		}
		p.Records = append(p.Records, ordered[i].Clone())
	}
	return p, nil
}

// stored returns the stored version of a record.
func (m *memory) stored(t *testing.T, id consent.RecordID) *consent.Record {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.records, func(r *consent.Record) bool { return r.ID == id })
	require.GreaterOrEqual(t, i, 0, "record is stored")
	return m.records[i].Clone()
}

// switchboard holds the live calls. do is what a command does.
type switchboard struct {
	mu       sync.Mutex
	live     []*consent.Record
	do       func(r *consent.Record, verb string) error
	commands []string
}

func (s *switchboard) Live() []*consent.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*consent.Record
	for _, r := range s.live {
		if !r.Ended() {
			out = append(out, r.Clone())
		}
	}
	return out
}

func (s *switchboard) Find(call string) (*consent.Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.find(call); r != nil {
		return r.Clone(), true
	}
	return nil, false
}

func (s *switchboard) find(call string) *consent.Record {
	for _, r := range s.live {
		if string(r.ID) == call || r.Call.TrunkCallID == call || r.Call.PlatformCallID == call {
			return r
		}
	}
	return nil
}

func (s *switchboard) Command(_ context.Context, call, verb string, purposes ...string) (*consent.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands = append(s.commands, strings.Join(append([]string{verb, call}, purposes...), " "))
	r := s.find(call)
	if r == nil || r.Ended() {
		return nil, consent.ErrNoCall
	}
	if s.do != nil {
		if err := s.do(r, verb); err != nil {
			return nil, err
		}
	}
	return r.Clone(), nil
}

// doctor is a Health that says what it is told to.
type doctor struct {
	ready    bool
	degraded []string
}

func (d doctor) Ready() (bool, []string) { return d.ready, d.degraded }

// desk is an API with everything behind it in reach.
type desk struct {
	store  *memory
	calls  *switchboard
	log    *bytes.Buffer
	config Config
}

func newDesk() *desk {
	d := &desk{store: &memory{}, calls: &switchboard{}, log: &bytes.Buffer{}}
	d.config = Config{
		Node: "gw-1", Calls: d.calls, Store: d.store, Health: doctor{ready: true},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "consentgw_up 1\n") }),
		Now:     func() time.Time { return noon.Add(time.Hour) },
		Log:     slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	return d
}

// ask sends a request as a local client does and returns the answer.
func (d *desk) ask(t *testing.T, method, target string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	r.Host = "127.0.0.1:8080"
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	New(d.config).ServeHTTP(w, r)
	return w
}

// members parses a JSON object.
func members(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var out map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out), "body: %s", w.Body)
	return out
}

// problemIn checks that the answer is a problem document and returns it.
func problemIn(t *testing.T, w *httptest.ResponseRecorder) problem {
	t.Helper()
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), "body: %s", w.Body)
	var p problem
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	require.Equal(t, w.Code, p.Status)
	require.True(t, strings.HasPrefix(p.Type, "/problems/"))
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Detail)
	require.NotEmpty(t, p.RequestID)
	require.Equal(t, w.Header().Get("X-Request-Id"), p.RequestID)
	return p
}

// recordOf makes the record of a call that was invited n seconds after noon.
func recordOf(n int) *consent.Record {
	r := consent.NewRecord(consent.RecordID(fmt.Sprintf("0190e000-0000-7000-8000-%012d", n)), "gw-1", "gw-1", consent.Policy{
		Name: "nl", Basis: "consent", Jurisdiction: "NL", Purposes: []string{"quality"},
		Controller: consent.Controller{Name: "Voorbeeld B.V.", Contact: "privacy@example.com", Address: "Kade 1", Country: "NL"},
		Keys:       consent.Keys{Withdraw: "*9"}, Retention: consent.Retention{Record: "P7Y", Recording: "P90D"},
	}, consent.Call{
		TrunkCallID: fmt.Sprintf("trunk-%d@127.0.0.1", n), PlatformCallID: fmt.Sprintf("platform-%d@127.0.0.1", n),
		Direction: "inbound", Trunk: "carrier-a", Route: "sales", Platform: "contact-center",
		Target: "sip:127.0.0.1:5090", Called: "+31205550100",
		InvitedAt: noon.Add(time.Duration(n) * time.Second), AnsweredAt: noon.Add(time.Duration(n) * time.Second),
	})
	r.Subject = "+31205550142"
	r.Notice = consent.Notice{ID: "recording", Version: "1", Language: "nl", Codec: "PCMA",
		AudioSHA256: strings.Repeat("a1", 32), TextSHA256: strings.Repeat("b2", 32),
		Heard: consent.Heard{StartedAt: noon, HeardMS: 9000, LengthMS: 9000, Complete: true, Plays: 1,
			SSRC: 7, FirstSeq: 1, LastSeq: 450}}
	return r
}

// granted is a record whose call agreed, with a recording under way.
func granted(n int) *consent.Record {
	r := recordOf(n)
	at := r.Call.InvitedAt.Add(10 * time.Second)
	r.Outcome, r.Status = consent.Given, consent.StatusGranted
	r.Press = &consent.Press{Key: "1", Method: "rfc4733", SSRC: 9, RTPTimestamp: 72160, PayloadType: 101,
		DurationMS: 120, At: at, EndSeen: true}
	r.Purposes[0].Granted = true
	r.DecidedAt, r.StoredAt, r.Call.ConnectedAt = at, at, at
	r.Note(at, "decided", "given")
	r.Recordings = []consent.Recording{{Recorder: "archive", State: consent.RecordingOn, OpenedAt: at,
		FirstPacketAt: at, LastPacketAt: at,
		Caller: consent.Copies{SSRC: 1, Packets: 100, Lost: 1}, Agent: consent.Copies{SSRC: 2, Packets: 99},
		Pauses: []consent.Pause{{From: at, To: at, Reason: "hold"}}, Fault: "none"}}
	return r
}

// over ends the call of a record.
func over(r *consent.Record) *consent.Record {
	for i := range r.Recordings {
		r.Recordings[i].State = consent.RecordingOff
		r.Recordings[i].ClosedAt = r.Call.InvitedAt.Add(time.Minute)
	}
	r.End(r.Call.InvitedAt.Add(time.Minute), "caller hung up")
	return r
}

// denied is a record whose call refused.
func denied(n int) *consent.Record {
	r := recordOf(n)
	r.Outcome, r.Status, r.DecidedAt = consent.Refused, consent.StatusDenied, r.Call.InvitedAt
	r.Press = &consent.Press{Key: "2", Method: "sip-info", DurationMS: 160, At: r.Call.InvitedAt}
	return r
}
