package api

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

const requestIDHeader = "X-Request-Id"

// answer remembers what was answered, for the log and for the panic handler.
type answer struct {
	http.ResponseWriter
	status int // 0: no header was sent yet
	route  string
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// noteRoute tells the log which route a request took. The path itself is not
// logged: it is the client's.
func noteRoute(w http.ResponseWriter, pattern string) {
	if a, ok := w.(*answer); ok {
		a.route = pattern
	}
}

// guard is around every request: an id, a log line, the headers that all
// answers have, a net under panics, and the checks against foreign web pages.
func (s *server) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		a := &answer{ResponseWriter: w}
		h := a.Header()
		h.Set(requestIDHeader, rand.Text())
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		defer func() { s.logRequest(a, r, time.Since(began)) }()
		defer s.catch(a)
		switch {
		case strings.HasPrefix(r.URL.Path, "/v1") && !loopbackHost(r.Host):
			s.refuse(a, "", misdirected())
		case origin.Check(r) != nil:
			s.refuse(a, "", crossOrigin())
		default:
			next.ServeHTTP(a, r)
		}
	})
}

// catch answers a panic with a problem. If part of an answer is out already,
// the connection is cut, so that the client does not take the part for all.
func (s *server) catch(a *answer) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	what := fmt.Sprintf("%T", v) // the value may hold what the request was about
	if err, ok := v.(runtime.Error); ok {
		what = err.Error()
	}
	s.Log.Error("api handler panicked", "request", a.Header().Get(requestIDHeader), "route", a.route,
		"panic", what, "stack", string(debug.Stack()))
	if a.status != 0 {
		panic(http.ErrAbortHandler)
	}
	s.refuse(a, a.route, internalError())
}

func (s *server) logRequest(a *answer, r *http.Request, took time.Duration) {
	s.Log.Debug("api request", "request", a.Header().Get(requestIDHeader), "method", r.Method, "route", a.route,
		"status", a.status, "ms", took.Milliseconds())
}

// loopbackHost reports whether a Host header names this machine to itself. An
// empty one is HTTP/1.0, which no browser speaks.
func loopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "" || strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
