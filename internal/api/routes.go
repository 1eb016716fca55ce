package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// How long a request may wait for the store or for a call. Those that a call
// flow waits for are answered while the caller can still be kept waiting.
const (
	flowPatience  = 2 * time.Second
	adminPatience = 10 * time.Second
)

// maxBody bounds a request body, in bytes. No request needs one.
const maxBody = 1 << 10

// route is one method of one path.
type route struct {
	method   string
	path     string        // a pattern of http.ServeMux
	params   []string      // the query parameters it knows
	patience time.Duration // bound of the request's context; 0: none
	serve    func(*server, http.ResponseWriter, *http.Request) error
}

// routes is the whole API; /openapi.json is tested against it.
func routes() []route {
	return []route{
		{"GET", "/v1/calls", nil, adminPatience, (*server).listCalls},
		{"GET", "/v1/calls/{call}/consent", []string{"shape"}, flowPatience, (*server).callConsent},
		{"POST", "/v1/calls/{call}/withdraw", []string{"purposes"}, adminPatience, (*server).withdrawCall},
		{"POST", "/v1/calls/{call}/pause", nil, adminPatience, command("pause")},
		{"POST", "/v1/calls/{call}/resume", nil, adminPatience, command("resume")},
		{"POST", "/v1/calls/{call}/hangup", nil, adminPatience, command("hangup")},
		{"GET", "/v1/consents", []string{"subject", "outcome", "route", "from", "to", "limit", "cursor"},
			adminPatience, (*server).search},
		{"GET", "/v1/consents/{id}", nil, adminPatience, (*server).consent},
		{"POST", "/v1/consents/{id}/withdraw", []string{"purposes"}, adminPatience, (*server).withdrawRecord},
		{"GET", "/v1/export", []string{"format", "from", "to"}, 0, (*server).export},
		{"GET", "/healthz", nil, adminPatience, (*server).healthz},
		{"GET", "/readyz", nil, adminPatience, (*server).readyz},
		{"GET", "/metrics", nil, 0, (*server).metrics},
		{"GET", "/openapi.json", nil, adminPatience, (*server).openAPI},
	}
}

// mux dispatches by path; the method is chosen behind it, because the answers
// of http.ServeMux to a wrong method or path are no problem documents.
func (s *server) mux() http.Handler {
	byPath := map[string][]route{}
	for _, r := range routes() {
		byPath[r.path] = append(byPath[r.path], r)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { s.refuse(w, "", notFound()) })
	for pattern, methods := range byPath {
		mux.Handle(pattern, s.methods(pattern, methods))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would answer an unclean path with a redirect to another one.
		if p := r.URL.EscapedPath(); path.Clean(p) != p || r.Method == http.MethodConnect {
			s.refuse(w, "", notFound())
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *server) methods(pattern string, all []route) http.Handler {
	allow := []string{http.MethodOptions}
	for _, r := range all {
		allow = append(allow, r.method)
		if r.method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		noteRoute(w, pattern)
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet // net/http leaves the body out
		}
		if i := slices.IndexFunc(all, func(x route) bool { return x.method == method }); i >= 0 {
			s.handle(w, r, all[i])
			return
		}
		if method == http.MethodOptions {
			w.Header().Set("Allow", strings.Join(allow, ", "))
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s.refuse(w, pattern, methodNotAllowed(allow))
	})
}

func (s *server) handle(w http.ResponseWriter, r *http.Request, to route) {
	query, err := checkQuery(r.URL.RawQuery, to.params)
	if err == nil {
		err = checkBody(w, r)
	}
	if err == nil {
		r = r.WithContext(context.WithValue(r.Context(), queryKey{}, query))
		if to.patience > 0 {
			ctx, cancel := context.WithTimeout(r.Context(), to.patience)
			defer cancel()
			r = r.WithContext(ctx)
		}
		err = to.serve(s, w, r)
	}
	if err != nil {
		s.refuse(w, to.path, err)
	}
}

// queryKey finds the checked query parameters in a request's context.
type queryKey struct{}

func queryOf(r *http.Request) url.Values {
	q, _ := r.Context().Value(queryKey{}).(url.Values)
	return q
}

// refuse tells the client what was wrong, and the log what the client is not
// told.
func (s *server) refuse(w http.ResponseWriter, pattern string, err error) {
	var f fault
	if errors.As(err, &f) {
		s.Log.Warn("api request failed", "request", w.Header().Get(requestIDHeader), "route", pattern, "error", f.cause)
	}
	writeProblem(w, asProblem(err))
}

// checkBody demands that there is none; an empty JSON object is taken for that,
// because some platforms cannot send less.
func checkBody(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return newProblem(http.StatusRequestEntityTooLarge, "too-large", "Body too large",
			"No request here takes a body.")
	}
	if err != nil {
		return badRequest("The body could not be read.")
	}
	text := strings.TrimSpace(string(body))
	if inner, ok := strings.CutPrefix(text, "{"); ok && strings.TrimSpace(inner) == "}" {
		return nil
	}
	if text != "" {
		return badRequest("This request takes no body.")
	}
	return nil
}
