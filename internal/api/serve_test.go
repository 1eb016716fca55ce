package api

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"consentgw/consent"
)

// open serves the desk on a port of its own until the test ends, and returns
// its base address, a client, and what stops it and returns Serve's error.
func (d *desk) open(t *testing.T) (base string, client *http.Client, stop func() error) {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	l, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, New(d.config)) }()
	stopped := false
	transport := &http.Transport{DisableCompression: true}
	stop = func() error {
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if !stopped {
			assert.NoError(t, stop())
		}
		transport.CloseIdleConnections()
		goleak.VerifyNone(t, leaks)
	})
	return "http://" + l.Addr().String(), &http.Client{Transport: transport}, stop
}

func get(t *testing.T, c *http.Client, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := c.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestOnlyALoopbackAddressIsListenedOn(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0", "127.0.0.1", "", "127.0.0.1:x"} {
		l, err := Listen(addr)
		if !assert.Error(t, err, addr) {
			l.Close()
			continue
		}
		assert.ErrorContains(t, err, "api address")
	}
	_, err := Listen("0.0.0.0:0")
	assert.ErrorContains(t, err, "not a loopback address: the API has no authentication yet")
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "127.0.0.2:0"} {
		l, err := Listen(addr)
		require.NoError(t, err, addr)
		l.Close()
	}
}

func TestATakenPortIsAnErrorAtOnce(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = Listen(l.Addr().String())
	assert.ErrorContains(t, err, "in use")
}

// elsewhere is a listener that claims another address.
type elsewhere struct{ net.Listener }

func (elsewhere) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: 8080} }

func TestServingAForeignListenerIsRefused(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	err = Serve(t.Context(), elsewhere{l}, http.NotFoundHandler())
	require.ErrorContains(t, err, "not a loopback address")
	_, err = l.Accept()
	assert.ErrorIs(t, err, net.ErrClosed, "Serve owns its listener")
}

func TestServeEndsWhenItsListenerBreaks(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	l.Close()
	assert.ErrorIs(t, Serve(t.Context(), l, http.NotFoundHandler()), net.ErrClosed)
}

func TestStoppingLetsARequestFinishAndClosesIdleConnections(t *testing.T) {
	d := newDesk()
	entered, release := make(chan struct{}), make(chan struct{})
	d.store.before = func(string) error {
		close(entered)
		<-release
		return nil
	}
	base, client, stop := d.open(t)
	idle := get(t, client, base+"/healthz")
	io.Copy(io.Discard, idle.Body)

	answered := make(chan int, 1)
	go func() {
		resp, err := client.Get(base + "/v1/consents")
		if err != nil {
			answered <- 0
			return
		}
		defer resp.Body.Close()
		answered <- resp.StatusCode
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	close(release)
	assert.Equal(t, http.StatusOK, <-answered)
	assert.NoError(t, <-stopped)
	_, err := client.Get(base + "/healthz")
	assert.Error(t, err, "nobody listens any more")
}

func TestStoppingCutsOffWhatDoesNotEnd(t *testing.T) {
	d := newDesk()
	entered := make(chan struct{})
	d.config.Metrics = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- serve(ctx, l, New(d.config), 20*time.Millisecond) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-entered
	silent, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer silent.Close()
	cancel()
	assert.NoError(t, <-done, "neither a stuck handler nor a silent connection holds it up")
}

func TestAnExportStreamsEveryRecord(t *testing.T) {
	d := newDesk()
	for i := range 1203 {
		d.store.records = append(d.store.records, over(granted(i)))
	}
	base, client, _ := d.open(t)
	resp := get(t, client, base+"/v1/export?format=csv")
	assert.Equal(t, "text/csv; charset=utf-8; header=present", resp.Header.Get("Content-Type"))
	assert.Equal(t, `attachment; filename="consents.csv"`, resp.Header.Get("Content-Disposition"))
	rows, err := csv.NewReader(resp.Body).ReadAll()
	require.NoError(t, err)
	assert.Len(t, rows, 1204)
	assert.Equal(t, string(granted(0).ID), rows[1][0], "oldest first")

	resp = get(t, client, base+"/v1/export?format=jsonl&from=2026-03-12T12:00:10Z&to=2026-03-12T12:00:20Z")
	assert.Equal(t, "application/x-ndjson", resp.Header.Get("Content-Type"))
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, 10, strings.Count(string(body), "\n"))

	assert.Equal(t, "text/csv; charset=utf-8; header=present", get(t, client, base+"/v1/export").Header.Get("Content-Type"))
}

func TestAnExportThatBreaksOffIsNoticedAndEndsAtAWholeLine(t *testing.T) {
	for _, format := range []string{"csv", "jsonl"} {
		d := newDesk()
		for i := range 1203 {
			d.store.records = append(d.store.records, over(granted(i)))
		}
		page := 0
		d.store.before = func(string) error {
			if page++; page == 3 {
				return errors.New("store went away")
			}
			return nil
		}
		base, client, stop := d.open(t)
		resp := get(t, client, base+"/v1/export?format="+format)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		body, err := io.ReadAll(resp.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.True(t, strings.HasSuffix(string(body), "\n"), "the last line is whole")
		assert.GreaterOrEqual(t, strings.Count(string(body), "\n"), 1000)
		require.NoError(t, stop())
		assert.Contains(t, d.log.String(), "export cut off")
	}
}

func TestHeadOfAnExportReadsNothing(t *testing.T) {
	d := newDesk()
	w := d.ask(t, "HEAD", "/v1/export?format=jsonl")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "application/x-ndjson", w.Header().Get("Content-Type"))
	assert.Empty(t, d.store.ops)
}

func TestAnExportThatFailsAtOnceIsAProblemAndNoFile(t *testing.T) {
	d := newDesk()
	d.store.before = func(string) error { return errors.New("away") }
	w := d.ask(t, "GET", "/v1/export?format=csv")
	assert.Equal(t, "/problems/store-unavailable", problemIn(t, w).Type)
	assert.Empty(t, w.Header().Get("Content-Disposition"))
}

func TestHTTP10IsRefusedAnExportBecauseItCannotShowThatItBrokeOff(t *testing.T) {
	d := newDesk()
	base, _, _ := d.open(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprint(conn, "GET /v1/export HTTP/1.0\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusHTTPVersionNotSupported, resp.StatusCode)
}

func TestAnExportOutlivesTheReadAndWriteTimeouts(t *testing.T) {
	d := newDesk()
	for i := range 1203 {
		d.store.records = append(d.store.records, over(granted(i)))
	}
	gone := make(chan struct{}, 4)
	slow := &slowStore{memory: d.store, wait: 150 * time.Millisecond, gone: gone}
	d.config.Store = slow
	srv := httptest.NewUnstartedServer(New(d.config))
	srv.Config.ReadTimeout, srv.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	srv.Start()
	defer srv.Close()
	resp := get(t, srv.Client(), srv.URL+"/v1/export?format=jsonl")
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, 1203, strings.Count(string(body), "\n"))
	assert.Empty(t, gone, "no page found the request gone")
}

// slowStore takes its time for every page, and reports a request that ended
// meanwhile.
type slowStore struct {
	*memory
	wait time.Duration
	gone chan<- struct{}
}

func (s *slowStore) Search(ctx context.Context, q consent.Query) (consent.Page, error) {
	select {
	case <-time.After(s.wait):
	case <-ctx.Done():
		s.gone <- struct{}{}
		return consent.Page{}, ctx.Err()
	}
	return s.memory.Search(ctx, q)
}

func TestALateStoreIsNotWaitedForLongerThanACallFlowCan(t *testing.T) {
	d := newDesk()
	d.config.Store = &slowStore{memory: d.store, wait: time.Hour, gone: make(chan struct{}, 1)}
	w := d.ask(t, "GET", "/v1/consents", func(r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Millisecond)
		t.Cleanup(cancel)
		*r = *r.WithContext(ctx)
	})
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	for _, to := range routes() {
		if strings.HasSuffix(to.path, "/consent") {
			assert.LessOrEqual(t, to.patience, 2*time.Second)
		}
	}
}

// drip hands out one record a page, and the second only when it is let.
type drip struct {
	*memory
	next <-chan struct{}
}

func (s *drip) Search(ctx context.Context, q consent.Query) (consent.Page, error) {
	if q.Cursor != "" {
		select {
		case <-s.next:
		case <-ctx.Done():
			return consent.Page{}, context.Cause(ctx)
		}
	}
	q.Limit = 1
	return s.memory.Search(ctx, q)
}

func TestAPageIsOnItsWayBeforeTheNextIsFetched(t *testing.T) {
	d := newDesk()
	d.store.records = []*consent.Record{over(granted(1)), over(granted(2))}
	next := make(chan struct{})
	d.config.Store = &drip{d.store, next}
	base, client, _ := d.open(t)
	lines := bufio.NewReader(get(t, client, base+"/v1/export?format=jsonl").Body)
	first, err := lines.ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, first, granted(1).ID)
	close(next)
	second, err := lines.ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, second, granted(2).ID)
}
