package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"consentgw/consent"
	"consentgw/internal/api"
	"consentgw/internal/api/client"
)

var noon = time.Date(2026, 3, 12, 12, 0, 0, 0, time.UTC)

// shelf is a store of records in their order, newest first; failAt is the
// search that fails, counted from 1.
type shelf struct {
	consent.Store
	records  []*consent.Record
	searches []consent.Query
	failAt   int
}

func (s *shelf) Get(_ context.Context, id consent.RecordID) (*consent.Record, error) {
	return s.first(func(r *consent.Record) bool { return r.ID == id })
}

func (s *shelf) Find(_ context.Context, call string) (*consent.Record, error) {
	return s.first(func(r *consent.Record) bool { return r.Call.TrunkCallID == call })
}

func (s *shelf) first(is func(*consent.Record) bool) (*consent.Record, error) {
	if i := slices.IndexFunc(s.records, is); i >= 0 {
		return s.records[i].Clone(), nil
	}
	return nil, consent.ErrNotFound
}

func (s *shelf) Replace(_ context.Context, r, seen *consent.Record) error {
	i := slices.IndexFunc(s.records, func(x *consent.Record) bool { return x.ID == seen.ID })
	s.records[i] = r.Clone()
	return nil
}

func (s *shelf) Search(_ context.Context, q consent.Query) (consent.Page, error) {
	s.searches = append(s.searches, q)
	if len(s.searches) == s.failAt {
		return consent.Page{}, errors.New("store went away")
	}
	limit := q.Limit
	if limit == 0 {
		limit = 100
	}
	from, _ := strconv.Atoi(q.Cursor)
	var p consent.Page
	for i := from; i < len(s.records); i++ {
		if !q.Matches(s.records[i]) {
			continue
		}
		if len(p.Records) == limit {
			p.Next = strconv.Itoa(i)
			break
		}
		p.Records = append(p.Records, s.records[i])
	}
	return p, nil
}

// calls is one live call at most.
type calls struct {
	live  *consent.Record
	verbs []string
	err   error
}

func (c *calls) Live() []*consent.Record {
	if c.live == nil {
		return nil
	}
	return []*consent.Record{c.live}
}

func (c *calls) Find(call string) (*consent.Record, bool) {
	if c.live == nil || (call != string(c.live.ID) && call != c.live.Call.TrunkCallID) {
		return nil, false
	}
	return c.live, true
}

func (c *calls) Command(_ context.Context, call, verb string, _ ...string) (*consent.Record, error) {
	if _, ok := c.Find(call); !ok {
		return nil, consent.ErrNoCall
	}
	c.verbs = append(c.verbs, verb)
	return c.live, c.err
}

type well struct{}

func (well) Ready() (bool, []string) { return true, nil }

// dial serves an API over s and c and returns a client of it.
func dial(t *testing.T, s *shelf, c *calls) *client.Client {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	l, err := api.Listen("127.0.0.1:0")
	require.NoError(t, err)
	h := api.New(api.Config{Node: "gw-1", Calls: c, Store: s, Health: well{}, Metrics: http.NotFoundHandler(),
		Now: func() time.Time { return noon.Add(time.Hour) }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- api.Serve(ctx, l, h) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
		goleak.VerifyNone(t, leaks)
	})
	return client.New(l.Addr().String())
}

func record(n int) *consent.Record {
	r := consent.NewRecord(consent.RecordID(fmt.Sprintf("0190e000-0000-7000-8000-%012d", n)), "gw-1", "gw-1",
		consent.Policy{Name: "nl", Purposes: []string{"quality"}},
		consent.Call{TrunkCallID: fmt.Sprintf("trunk-%d@127.0.0.1", n), Direction: "inbound", Trunk: "carrier-a",
			Route: "sales", Called: "+31205550100", InvitedAt: noon.Add(-time.Duration(n) * time.Second)})
	r.Subject = "+31205550142"
	r.Notice = consent.Notice{ID: "recording", Version: "1", Language: "nl"}
	r.Outcome, r.Status, r.DecidedAt, r.StoredAt = consent.Given, consent.StatusGranted, noon, noon
	r.Press = &consent.Press{Key: "1", Method: "rfc4733", At: noon}
	r.Purposes[0].Granted = true
	return r
}

func TestTheStatusOfACallComesWhole(t *testing.T) {
	r := record(1)
	c := dial(t, &shelf{}, &calls{live: r})
	got, err := c.Status(t.Context(), "trunk-1@127.0.0.1")
	require.NoError(t, err)
	assert.Equal(t, client.Status{
		RecordID: r.ID, CallID: "trunk-1@127.0.0.1", Status: consent.StatusGranted, Outcome: consent.Given,
		Recording: consent.RecordingOff, Purposes: []consent.Grant{{Purpose: "quality", Granted: true}},
		Notice: client.Notice{ID: "recording", Version: "1", Language: "nl"}, Method: "rfc4733",
		DecidedAt: new(noon), UpdatedAt: &r.UpdatedAt,
	}, got)

	unknown, err := c.Status(t.Context(), "nobody")
	require.NoError(t, err, "a call never seen is no error")
	assert.Equal(t, consent.StatusUnknown, unknown.Status)
}

func TestACallIDWithOddCharactersReachesTheGateway(t *testing.T) {
	s := &shelf{}
	c := dial(t, s, &calls{})
	for _, callID := range []string{"a/b", "..", ".", "a?b#c%d e", "a+b@h", "//", "<x>\"{}", "consent", "\x01\xff"} {
		r := record(1)
		r.Call.TrunkCallID = callID
		s.records = []*consent.Record{r}
		got, err := c.Status(t.Context(), callID)
		require.NoError(t, err, "%q", callID)
		assert.Equal(t, r.ID, got.RecordID, "%q", callID)
	}
}

func TestLiveCallsAreListed(t *testing.T) {
	live := record(1)
	c := dial(t, &shelf{}, &calls{live: live})
	got, err := c.Calls(t.Context())
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, live.ID, got[0].RecordID)
	assert.Equal(t, consent.StatusGranted, got[0].Status.Status)
	assert.Equal(t, "carrier-a", got[0].Trunk)
	assert.Equal(t, "+31205550142", got[0].Subject)
	assert.Equal(t, live.Call.InvitedAt, *got[0].InvitedAt)
	assert.Nil(t, got[0].ConnectedAt)
}

func TestACommandIsDoneOrSaysWhyNot(t *testing.T) {
	live := &calls{live: record(1)}
	c := dial(t, &shelf{}, live)
	got, err := c.Command(t.Context(), "trunk-1@127.0.0.1", "pause")
	require.NoError(t, err)
	assert.Equal(t, record(1).ID, got.RecordID)
	assert.Equal(t, []string{"pause"}, live.verbs)

	live.err = fmt.Errorf("nothing to resume: %w", consent.ErrNotPossible)
	_, err = c.Command(t.Context(), "trunk-1@127.0.0.1", "resume")
	var p *client.Problem
	require.ErrorAs(t, err, &p)
	assert.Equal(t, http.StatusConflict, p.Status)
	assert.ErrorContains(t, err, "nothing to resume")
	assert.ErrorContains(t, err, p.RequestID)

	_, err = c.Command(t.Context(), "nobody", "hangup")
	require.ErrorAs(t, err, &p)
	assert.Equal(t, "/problems/no-such-call", p.Type)
	_, err = c.Command(t.Context(), "trunk-1@127.0.0.1", "../../healthz")
	require.ErrorAs(t, err, &p)
	assert.Equal(t, http.StatusNotFound, p.Status, "a verb is one segment")
}

func TestOneRecordIsShownAndWithdrawn(t *testing.T) {
	s := &shelf{records: []*consent.Record{record(1)}}
	c := dial(t, s, &calls{})
	got, err := c.Show(t.Context(), string(record(1).ID))
	require.NoError(t, err)
	assert.Equal(t, record(1), got)

	withdrawn, err := c.Withdraw(t.Context(), string(record(1).ID))
	require.NoError(t, err)
	assert.Equal(t, consent.Withdrawn, withdrawn.Outcome)
	assert.Equal(t, consent.Withdrawn, s.records[0].Outcome)

	for _, f := range []func(context.Context, string) (*consent.Record, error){c.Show,
		func(ctx context.Context, id string) (*consent.Record, error) { return c.Withdraw(ctx, id) }} {
		none, err := f(t.Context(), "nobody")
		var p *client.Problem
		require.ErrorAs(t, err, &p)
		assert.Equal(t, "/problems/no-such-record", p.Type)
		assert.Nil(t, none)
	}
}

func TestASearchIsAskedAsItIsMeantAndWalksThroughItsPages(t *testing.T) {
	s := &shelf{records: []*consent.Record{record(1), record(2), record(3)}}
	c := dial(t, s, &calls{})
	q := consent.Query{Subject: "+31205550142", Outcome: consent.Given, Route: "sales",
		From: noon.Add(-time.Hour), To: noon.Add(1500 * time.Microsecond).In(time.FixedZone("", 3600)), Limit: 2}
	first, err := c.Search(t.Context(), q)
	require.NoError(t, err)
	assert.Len(t, first.Records, 2)
	require.NotEmpty(t, first.Next)
	asked := s.searches[0]
	assert.True(t, q.To.Equal(asked.To))
	asked.To = q.To
	assert.Equal(t, q, asked)

	q.Cursor = first.Next
	second, err := c.Search(t.Context(), q)
	require.NoError(t, err)
	require.Len(t, second.Records, 1)
	assert.Equal(t, record(3).ID, second.Records[0].ID)
	assert.Empty(t, second.Next)

	_, err = c.Search(t.Context(), consent.Query{Limit: 5000})
	var p *client.Problem
	require.ErrorAs(t, err, &p)
	assert.Equal(t, "limit", p.Parameter)
}

func TestAnExportIsCopiedWhole(t *testing.T) {
	s := &shelf{}
	for i := range 1100 {
		s.records = append(s.records, record(i))
	}
	c := dial(t, s, &calls{})
	var b bytes.Buffer
	require.NoError(t, c.Export(t.Context(), "jsonl", time.Time{}, time.Time{}, &b))
	assert.Equal(t, 1100, strings.Count(b.String(), "\n"))
	b.Reset()
	require.NoError(t, c.Export(t.Context(), "csv", noon.Add(-9*time.Second), noon, &b))
	assert.Equal(t, 10, strings.Count(b.String(), "\r\n"), "header and nine rows")
}

func TestAnExportThatBreaksOffIsAnError(t *testing.T) {
	s := &shelf{failAt: 3}
	for i := range 1100 {
		s.records = append(s.records, record(i))
	}
	var b bytes.Buffer
	err := dial(t, s, &calls{}).Export(t.Context(), "jsonl", time.Time{}, time.Time{}, &b)
	require.ErrorContains(t, err, "export is incomplete")
	assert.Equal(t, 1000, strings.Count(b.String(), "\n"))

	err = dial(t, &shelf{failAt: 1}, &calls{}).Export(t.Context(), "csv", time.Time{}, time.Time{}, &b)
	var p *client.Problem
	require.ErrorAs(t, err, &p)
	assert.Equal(t, http.StatusServiceUnavailable, p.Status)
}

func TestAGatewayThatIsNotThereIsSaidWithoutWhatWasAskedFor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	l.Close()
	_, err = client.New("http://"+addr+"/").Search(t.Context(), consent.Query{Subject: "+31205550142"})
	require.ErrorContains(t, err, "no gateway answers at http://"+addr)
	assert.NotContains(t, err.Error(), "31205550142")

	for _, base := range []string{"http://127.0.0.1:x", "http://[", "http://\x7f", "ftp://127.0.0.1"} {
		_, err = client.New(base).Search(t.Context(), consent.Query{Subject: "+31205550142"})
		require.Error(t, err, base)
		assert.NotContains(t, err.Error(), "31205550142")
	}
}

func TestWhatIsNoAPIIsSaid(t *testing.T) {
	answer := func(w http.ResponseWriter, _ *http.Request) {}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	defer srv.Close()
	c := client.New(srv.URL)
	for name, a := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a page":         {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "cannot be read"},
		"nothing":        {func(http.ResponseWriter, *http.Request) {}, "cannot be read"},
		"a plain 404":    {http.NotFound, "the API answered 404 Not Found"},
		"a redirect":     {http.RedirectHandler("http://example.com/", http.StatusFound).ServeHTTP, "the API answered 302 Found"},
		"a bad document": {brokenProblem, "the API answered 502 Bad Gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			answer = a.answer
			_, err := c.Calls(t.Context())
			assert.ErrorContains(t, err, a.want)
		})
	}
}

func brokenProblem(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusBadGateway)
	fmt.Fprint(w, `{"type": 1`)
}

func TestARequestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.New("127.0.0.1:1").Calls(ctx)
	assert.ErrorIs(t, err, context.Canceled)
}
