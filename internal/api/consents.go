package api

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"

	"consentgw/consent"
)

// maxTries bounds how often a withdrawal is merged with a record that another
// writer keeps changing.
const maxTries = 8

// found is one page of a search. NextCursor is left out on the last page.
type found struct {
	Records    []*consent.Record `json:"records"`
	NextCursor string            `json:"next_cursor,omitempty"`
}

func (s *server) search(w http.ResponseWriter, r *http.Request) error {
	params := queryOf(r)
	q, err := searchQuery(params)
	if err != nil {
		return err
	}
	if sealed := params.Get("cursor"); sealed != "" {
		if q.Cursor, err = openCursor(q, sealed); err != nil {
			return err
		}
	}
	page, err := s.Store.Search(r.Context(), q)
	if err != nil {
		return storeFault(err)
	}
	out := found{Records: page.Records, NextCursor: sealCursor(q, page.Next)}
	if out.Records == nil {
		out.Records = []*consent.Record{}
	}
	if out.NextCursor != "" {
		next := maps.Clone(params)
		next.Set("cursor", out.NextCursor)
		if q.Subject != "" {
			next.Set("subject", q.Subject)
		}
		w.Header().Set("Link", "<"+(&url.URL{Path: "/v1/consents", RawQuery: next.Encode()}).String()+`>; rel="next"`)
	}
	return writeJSON(w, out)
}

// consent answers with one whole record: the live one if the call is on, else
// the stored one.
func (s *server) consent(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if live, ok := s.Calls.Find(id); ok && string(live.ID) == id {
		return writeJSON(w, evidenced(live))
	}
	record, err := s.Store.Get(r.Context(), consent.RecordID(id))
	if err != nil {
		return storeFault(err)
	}
	return writeJSON(w, record)
}

func (s *server) withdrawRecord(w http.ResponseWriter, r *http.Request) error {
	record, err := s.withdraw(r.Context(), r.PathValue("id"), some(r), func(ctx context.Context, id string) (*consent.Record, error) {
		return s.Store.Get(ctx, consent.RecordID(id))
	})
	if err != nil {
		return err
	}
	return writeJSON(w, record)
}

// withdraw takes a consent back: through the call while that is live, because
// its gate must shut before anything is stored (law L2), else in the store,
// where look finds the record. Withdrawing twice is withdrawing once.
func (s *server) withdraw(ctx context.Context, id string, purposes []string, look func(context.Context, string) (*consent.Record, error)) (*consent.Record, error) {
	if live, ok := s.Calls.Find(id); ok && !live.Ended() {
		if err := checkPurposes(live, purposes); err != nil {
			return nil, err
		}
		record, err := s.Calls.Command(ctx, id, "withdraw", purposes...)
		switch {
		case err == nil:
			return record, nil
		case errors.Is(err, consent.ErrNotPossible):
			if live, ok := s.Calls.Find(id); ok && takenBack(live, purposes) {
				return live, nil
			}
			return nil, callFault(err)
		case !errors.Is(err, consent.ErrNoCall):
			return nil, callFault(err)
		}
	}
	return s.withdrawStored(ctx, id, purposes, look)
}

// withdrawStored merges the withdrawal with whatever other writers do to the
// record meanwhile. An error leaves open whether the write was kept; asking
// again is harmless.
func (s *server) withdrawStored(ctx context.Context, id string, purposes []string, look func(context.Context, string) (*consent.Record, error)) (*consent.Record, error) {
	for range maxTries {
		seen, err := look(ctx, id)
		if errors.Is(err, consent.ErrNotFound) {
			if _, ok := s.Calls.Find(id); ok {
				return nil, fault{storeUnavailable(), errors.New("the call has ended and its record is not stored yet")}
			}
		}
		if err != nil {
			return nil, storeFault(err)
		}
		if err := checkPurposes(seen, purposes); err != nil {
			return nil, err
		}
		if takenBack(seen, purposes) {
			return seen, nil
		}
		record := seen.Clone()
		if !record.Withdraw(s.Now(), "api", purposes...) {
			return nil, notPossible("No consent is in force: there is nothing to withdraw.")
		}
		record.Writer = "api:" + s.Node
		if err = s.Store.Replace(ctx, record, seen); err == nil {
			return record, nil
		}
		if !errors.Is(err, consent.ErrConflict) && !errors.Is(err, consent.ErrStale) {
			return nil, storeFault(err)
		}
	}
	return nil, conflict()
}
