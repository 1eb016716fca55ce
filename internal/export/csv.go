package export

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"strings"
	"unicode"

	"consentgw/consent"
)

// CSV writes the records that q selects to w, one a row, under a header that
// never loses or reorders a column: new columns come at the end. The form is
// RFC 4180 with CRLF, UTF-8 without a byte order mark. Limit, Cursor and
// Ascending of q are ignored: the order is oldest first and there is no cap. It
// returns how many rows were written, the header aside.
//
// This is the strict profile, for machines: numbers are not altered, "+31..."
// included. Times are UTC with milliseconds; a fact that is not there is an
// empty cell. Text that a caller's telephone can choose must not become a
// formula in a spreadsheet or a line of its own, so a cell that begins like a
// formula without being a number is preceded by an apostrophe, and control
// characters read U+FFFD. JSONL has the unaltered text.
//
// Every Write to w ends with a row, so that what was written before an error
// has no half row. Nothing has been written if the first page failed.
func CSV(ctx context.Context, w io.Writer, store consent.Store, q consent.Query) (rows int, err error) {
	var head bytes.Buffer
	if err := row(&head, Header()); err != nil {
		return 0, err
	}
	all := columns()
	return pages(ctx, w, store, q, head.Bytes(), func(b *bytes.Buffer, r *consent.Record) error {
		return row(b, cells(all, r))
	})
}

// Header lists the columns of [CSV].
func Header() []string {
	all := columns()
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.name
	}
	return names
}

func row(b *bytes.Buffer, cells []string) error {
	w := csv.NewWriter(b)
	w.UseCRLF = true
	if err := w.Write(cells); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

func cells(all []column, r *consent.Record) []string {
	media := sum(r.Recordings)
	out := make([]string, len(all))
	for i, c := range all {
		out[i] = cell(c.value(r, media))
	}
	return out
}

// cell makes v safe to be opened: see [CSV].
func cell(v string) string {
	v = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return unicode.ReplacementChar
		}
		return c // invalid UTF-8 arrives here as U+FFFD already
	}, v)
	if formula(v) && !number(v) {
		return "'" + v
	}
	return v
}

// formula knows the characters, and their full-width forms, with which
// spreadsheets take a cell for a formula.
func formula(v string) bool {
	first := strings.TrimLeftFunc(v, unicode.IsSpace)
	return first != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(first)[0])
}

// number recognises a telephone number in E.164 form.
func number(v string) bool {
	digits, plus := strings.CutPrefix(v, "+")
	return plus && digits != "" && strings.Trim(digits, "0123456789") == ""
}
