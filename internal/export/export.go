// Package export writes consent records for those who must prove, search or
// hand them over: as CSV for people and spreadsheets, as JSON Lines for
// machines. It streams: records come from the store page by page, oldest first,
// and memory does not grow with their number.
package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"consentgw/consent"
)

// pageSize is how many records are in memory at a time.
const pageSize = 500

// errCursor: a store that hands out the cursor it was given would keep an
// export busy for ever.
var errCursor = errors.New("the store repeats a page")

// JSONL writes the records that q selects to w as JSON Lines: one whole record
// a line, with its history, in the schema of the HTTP API. Limit, Cursor and
// Ascending of q are ignored: the order is oldest first and there is no cap. It
// returns how many lines were written.
//
// Every Write to w ends with a line, so that what was written before an error
// has no half line. Nothing has been written if the first page failed.
func JSONL(ctx context.Context, w io.Writer, store consent.Store, q consent.Query) (rows int, err error) {
	return pages(ctx, w, store, q, nil, func(b *bytes.Buffer, r *consent.Record) error {
		e := json.NewEncoder(b)
		e.SetEscapeHTML(false)
		return e.Encode(r)
	})
}

// pages walks through the records and hands w one buffer of whole lines a page.
// head goes before the first page, also if that is empty.
func pages(ctx context.Context, w io.Writer, store consent.Store, q consent.Query, head []byte,
	line func(*bytes.Buffer, *consent.Record) error) (rows int, err error) {
	q.Limit, q.Cursor, q.Ascending = pageSize, "", true
	b := bytes.NewBuffer(head)
	for {
		page, err := store.Search(ctx, q)
		if err != nil {
			return rows, fmt.Errorf("export after %d records: %w", rows, err)
		}
		for _, r := range page.Records {
			if err := line(b, r); err != nil {
				return rows, fmt.Errorf("export record %s: %w", r.ID, err)
			}
		}
		if b.Len() > 0 {
			if _, err := w.Write(b.Bytes()); err != nil {
				return rows, fmt.Errorf("export after %d records: %w", rows, err)
			}
		}
		b.Reset()
		rows += len(page.Records)
		switch {
		case page.Next == "":
			return rows, nil
		case page.Next == q.Cursor:
			return rows, fmt.Errorf("export after %d records: %w", rows, errCursor)
		case ctx.Err() != nil:
			return rows, context.Cause(ctx)
		}
		q.Cursor = page.Next
	}
}
