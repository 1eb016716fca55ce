package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

func TestAWrongMethodIsAnsweredWithTheRightOnes(t *testing.T) {
	for target, c := range map[string]struct{ method, allow string }{
		"/v1/calls":               {"POST", "GET, HEAD, OPTIONS"},
		"/v1/calls/x/consent":     {"DELETE", "GET, HEAD, OPTIONS"},
		"/v1/calls/x/hangup":      {"GET", "OPTIONS, POST"},
		"/v1/consents/x":          {"PATCH", "GET, HEAD, OPTIONS"},
		"/v1/consents/x/withdraw": {"HEAD", "OPTIONS, POST"},
		"/metrics":                {"PUT", "GET, HEAD, OPTIONS"},
		"/readyz":                 {"BREW", "GET, HEAD, OPTIONS"},
	} {
		w := newDesk().ask(t, c.method, target)
		assert.Equal(t, http.StatusMethodNotAllowed, w.Code, target)
		assert.Equal(t, c.allow, w.Header().Get("Allow"), target)
		assert.Equal(t, "/problems/method-not-allowed", problemIn(t, w).Type)
	}
}

func TestOptionsSaysWhatAPathTakes(t *testing.T) {
	w := newDesk().ask(t, "OPTIONS", "/v1/calls/x/pause")
	assert.Equal(t, http.StatusNoContent, w.Code)
	assert.Equal(t, "OPTIONS, POST", w.Header().Get("Allow"))
	assert.Empty(t, w.Body.String())
}

func TestAnUnknownPathIsAProblemAndNoRedirect(t *testing.T) {
	for _, target := range []string{"/", "/v1", "/v1/", "/v1/calls/", "/v2/calls", "/v1/calls/a/b/consent", "/v1//calls",
		"/v1/calls//consent", "/v1/x/../calls", "/v1/calls/x", "/v1/events", "/healthz/"} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			w := newDesk().ask(t, method, target)
			assert.Equal(t, http.StatusNotFound, w.Code, "%s %s", method, target)
			assert.Equal(t, "/problems/not-found", problemIn(t, w).Type)
		}
	}
}

func TestARequestTakesNoBody(t *testing.T) {
	for body, status := range map[string]int{
		"": 200, "{}": 200, " { } \n": 200, `{"a":1}`: 400, "x": 400, "{": 400, "{}}": 400, "[]": 400, "{{}": 400,
		strings.Repeat(" ", maxBody) + "x": 413,
	} {
		d := newDesk()
		d.calls.live = []*consent.Record{granted(1)}
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/calls/trunk-1@127.0.0.1/pause", strings.NewReader(body))
		r.Host = "localhost"
		w := httptest.NewRecorder()
		New(d.config).ServeHTTP(w, r)
		assert.Equal(t, status, w.Code, "%.20q", body)
		assert.Equal(t, status == 200, len(d.calls.commands) == 1)
	}
}

func TestAPageInABrowserCannotReadThroughANameOfItsOwn(t *testing.T) {
	for host, status := range map[string]int{
		"127.0.0.1:8080": 200, "127.0.0.1": 200, "localhost:8080": 200, "LOCALHOST": 200, "[::1]:8080": 200, "[::1]": 200,
		"127.9.9.9": 200, "localhost.": 200, "": 200, "[::ffff:127.0.0.1]:1": 200,
		"evil.example:8080": 421, "192.0.2.1:8080": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421,
		"0.0.0.0:8080": 421, "2130706433": 421,
	} {
		w := newDesk().ask(t, "GET", "/v1/calls", func(r *http.Request) { r.Host = host })
		assert.Equal(t, status, w.Code, host)
		w = newDesk().ask(t, "GET", "/%761/calls", func(r *http.Request) { r.Host = host })
		assert.Equal(t, status, w.Code, "escaped: %s", host)
	}
	w := newDesk().ask(t, "GET", "/readyz", func(r *http.Request) { r.Host = "probe.example" })
	assert.Equal(t, http.StatusOK, w.Code, "a probe reads nothing personal")
}

func TestAPageOfAnotherOriginCannotCommand(t *testing.T) {
	d := newDesk()
	d.calls.live = []*consent.Record{granted(1)}
	for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		w := d.ask(t, "POST", "/v1/calls/trunk-1@127.0.0.1/hangup", func(r *http.Request) { r.Header.Set(header[0], header[1]) })
		assert.Equal(t, "/problems/cross-origin", problemIn(t, w).Type)
	}
	assert.Empty(t, d.calls.commands)
}

// broken panics with a value that says too much.
type broken struct{ with any }

func (b broken) Ready() (bool, []string) { panic(b.with) }

func TestAPanicIsAProblemThatTellsNothing(t *testing.T) {
	d := newDesk()
	d.config.Health = broken{"the caller was +31205550142"}
	w := d.ask(t, "GET", "/readyz")
	p := problemIn(t, w)
	assert.Equal(t, http.StatusInternalServerError, p.Status)
	assert.Contains(t, d.log.String(), p.RequestID)
	assert.Contains(t, d.log.String(), "panic=string")
	assert.Contains(t, d.log.String(), "guard_test.go", "the log has the stack")
	assert.NotContains(t, w.Body.String()+d.log.String(), "31205550142")

	var none *doctor
	d.config.Health = none
	assert.Equal(t, http.StatusInternalServerError, d.ask(t, "GET", "/readyz").Code)
	assert.Contains(t, d.log.String(), "called using nil")
}

func TestAPanicAfterTheHeaderCutsTheConnection(t *testing.T) {
	d := newDesk()
	d.config.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("half"))
		panic("oh")
	})
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { d.ask(t, "GET", "/metrics") })
}

func TestEveryAnswerHasAnIDOfItsOwnAndIsNotKept(t *testing.T) {
	d := newDesk()
	seen := map[string]bool{}
	for _, target := range []string{"/v1/calls", "/nowhere", "/metrics", "/v1/consents?x=1"} {
		w := d.ask(t, "GET", target, func(r *http.Request) { r.Header.Set("X-Request-Id", "from outside") })
		id := w.Header().Get("X-Request-Id")
		assert.NotEqual(t, "from outside", id)
		assert.False(t, seen[id])
		seen[id] = true
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	}
}

func TestTheLogHoldsTheRouteAndNotWhatWasAskedFor(t *testing.T) {
	d := newDesk()
	d.ask(t, "GET", "/v1/consents?subject=%2B31205550142")
	d.ask(t, "GET", "/v1/calls/%2B31205550142@127.0.0.1/consent")
	d.ask(t, "GET", "/%2B31205550142")
	assert.Contains(t, d.log.String(), "/v1/calls/{call}/consent")
	assert.NotContains(t, d.log.String(), "31205550142")
}

func TestProbesTellReadinessAndWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		health doctor
		status int
		want   string
	}{
		"all well": {doctor{ready: true}, 200, `{"ready": true, "degraded": []}`},
		"no store": {doctor{true, []string{"store"}}, 200, `{"ready": true, "degraded": ["store"]}`},
		"draining": {doctor{false, []string{"draining"}}, 503, `{"ready": false, "degraded": ["draining"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			d.config.Health = c.health
			w := d.ask(t, "GET", "/readyz")
			assert.Equal(t, c.status, w.Code)
			assert.JSONEq(t, c.want, w.Body.String())
			w = d.ask(t, "GET", "/healthz")
			assert.Equal(t, http.StatusOK, w.Code, "a process that answers is alive")
			assert.JSONEq(t, c.want, w.Body.String())
		})
	}
}

func TestMetricsAreServed(t *testing.T) {
	w := newDesk().ask(t, "GET", "/metrics")
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "consentgw_up 1\n", w.Body.String())
}
