package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"consentgw/consent"
)

// problem is an RFC 9457 problem detail. Its Type is stable: clients may branch
// on it. Its texts never repeat a value of the request, which may be a number.
type problem struct {
	Type      string `json:"type"` // "/problems/<kind>"
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Parameter string `json:"parameter,omitempty"` // the query parameter that is wrong
	RequestID string `json:"request_id"`          // as in X-Request-Id and in the log

	allow string // the Allow header of a 405
}

func (p problem) Error() string { return p.Title + ": " + p.Detail }

func newProblem(status int, kind, title, detail string) problem {
	return problem{Type: "/problems/" + kind, Title: title, Status: status, Detail: detail}
}

func notFound() problem {
	return newProblem(http.StatusNotFound, "not-found", "No such path",
		"This path leads nowhere; /openapi.json lists those that do. A '/' inside a Call-ID is written %2F.")
}

func methodNotAllowed(allow []string) problem {
	p := newProblem(http.StatusMethodNotAllowed, "method-not-allowed", "Method not allowed",
		"This path takes "+strings.Join(allow, ", ")+".")
	p.allow = strings.Join(allow, ", ")
	return p
}

func badParameter(name, detail string) problem {
	p := newProblem(http.StatusBadRequest, "bad-parameter", "Bad query parameter", detail)
	p.Parameter = name
	return p
}

func badRequest(detail string) problem {
	return newProblem(http.StatusBadRequest, "bad-request", "Bad request", detail)
}

func noSuchRecord() problem {
	return newProblem(http.StatusNotFound, "no-such-record", "No such record",
		"No record with this id is stored, and no call with it is live.")
}

func noSuchCall() problem {
	return newProblem(http.StatusNotFound, "no-such-call", "No such call",
		"No call with this record id or Call-ID is live on this gateway.")
}

func notPossible(detail string) problem {
	return newProblem(http.StatusConflict, "not-possible", "Not possible now", detail)
}

func conflict() problem {
	return newProblem(http.StatusConflict, "conflict", "Record is being changed",
		"The record was changed by another writer each time; ask again.")
}

func storeUnavailable() problem {
	return newProblem(http.StatusServiceUnavailable, "store-unavailable", "Store unavailable",
		"The store did not answer, or answered with an error; ask again. A write may have been kept: repeating it does no harm.")
}

func oldProtocol() problem {
	return newProblem(http.StatusHTTPVersionNotSupported, "old-protocol", "HTTP version not supported",
		"Over HTTP/1.0 an export that was cut off looks like a whole one; use HTTP/1.1.")
}

func misdirected() problem {
	return newProblem(http.StatusMisdirectedRequest, "misdirected", "Misdirected request",
		"This API has no authentication and answers only requests whose Host is localhost or a loopback address.")
}

func crossOrigin() problem {
	return newProblem(http.StatusForbidden, "cross-origin", "Cross-origin request",
		"A web page of another origin may not change anything here.")
}

func internalError() problem {
	return newProblem(http.StatusInternalServerError, "internal", "Internal error",
		"The gateway failed on this request; its log says how, under the request id.")
}

// fault is an error of a store or of the calls: logged, not told.
type fault struct {
	problem
	cause error
}

func (f fault) Unwrap() error { return f.cause }

// storeFault turns an error of the store into what the client is told.
func storeFault(err error) error {
	switch {
	case errors.Is(err, consent.ErrNotFound):
		return noSuchRecord()
	case errors.Is(err, consent.ErrConflict), errors.Is(err, consent.ErrStale):
		return conflict()
	}
	return fault{storeUnavailable(), err}
}

// callFault turns an error of a command to a live call into what the client is
// told.
func callFault(err error) error {
	switch {
	case errors.Is(err, consent.ErrNoCall):
		return noSuchCall()
	case errors.Is(err, consent.ErrNotPossible):
		return notPossible(err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fault{newProblem(http.StatusServiceUnavailable, "no-answer", "No answer in time",
			"The call did not take the command in time; ask for its status."), err}
	}
	return fault{internalError(), err}
}

// asProblem is the one place in which an error becomes a status.
func asProblem(err error) problem {
	var f fault
	if errors.As(err, &f) {
		return f.problem
	}
	var p problem
	if errors.As(err, &p) {
		return p
	}
	return internalError()
}

func writeProblem(w http.ResponseWriter, p problem) {
	p.RequestID = w.Header().Get(requestIDHeader)
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Del("Content-Disposition")
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "2")
	}
	body, err := json.Marshal(p)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(p.Status)
	w.Write(body) // a client that left is no fault of ours
}

// writeJSON answers 200 with v.
func writeJSON(w http.ResponseWriter, v any) error { return writeCode(w, http.StatusOK, v) }

func writeCode(w http.ResponseWriter, code int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fault{internalError(), err}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(body)
	return nil
}
