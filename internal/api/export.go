package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"consentgw/consent"
	"consentgw/internal/export"
)

// exportPatience is how long one page of an export may wait for its reader.
const exportPatience = 30 * time.Second

// format is one form of an export.
type format struct {
	contentType string
	write       func(context.Context, io.Writer, consent.Store, consent.Query) (int, error)
}

func formatOf(name string) (format, error) {
	switch name {
	case "csv":
		return format{"text/csv; charset=utf-8; header=present", export.CSV}, nil
	case "jsonl":
		return format{"application/x-ndjson", export.JSONL}, nil
	}
	return format{}, badParameter("format", `"format" is csv or jsonl.`)
}

func (s *server) export(w http.ResponseWriter, r *http.Request) error {
	params := queryOf(r)
	name := params.Get("format")
	if name == "" {
		name = "csv"
	}
	form, err := formatOf(name)
	if err != nil {
		return err
	}
	var q consent.Query
	if q.From, q.To, err = period(params); err != nil {
		return err
	}
	if !r.ProtoAtLeast(1, 1) {
		return oldProtocol()
	}
	w.Header().Set("Content-Type", form.contentType)
	w.Header().Set("Content-Disposition", `attachment; filename="consents.`+name+`"`)
	if r.Method == http.MethodHead {
		return nil
	}
	out := &pageWriter{w: w, control: http.NewResponseController(w)}
	rows, err := form.write(r.Context(), out, s.Store, q)
	if err == nil {
		return nil
	}
	if !out.begun {
		return storeFault(err)
	}
	// Part of the answer is out with status 200: only a cut connection tells
	// the client that the rest is missing.
	s.Log.Warn("export cut off", "request", w.Header().Get(requestIDHeader), "rows", rows, "error", err)
	panic(http.ErrAbortHandler)
}

// pageWriter sends every page on its way before the next is fetched, so that a
// cut connection ends at a whole line, and gives each page its own time, so
// that an export may take as long as it has records.
type pageWriter struct {
	w       io.Writer
	control *http.ResponseController
	begun   bool
}

func (p *pageWriter) Write(b []byte) (int, error) {
	p.begun = true
	if err := supported(p.control.SetWriteDeadline(time.Now().Add(exportPatience))); err != nil {
		return 0, err
	}
	n, err := p.w.Write(b)
	if err != nil {
		return n, err
	}
	return n, supported(p.control.Flush())
}

// supported forgives a response writer without a connection, which has no
// deadlines either.
func supported(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
