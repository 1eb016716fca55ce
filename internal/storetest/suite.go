package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

// Run holds the stores that open returns against the contract of
// [consent.Store]. Each call of open returns an empty store; open closes it
// with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) consent.Store) {
	for _, group := range []struct {
		name  string
		cases map[string]func(*testing.T, *bench)
	}{
		{"put", putCases()},
		{"replace", replaceCases()},
		{"read", readCases()},
		{"search", searchCases()},
		{"race", raceCases()},
		{"context", contextCases()},
	} {
		t.Run(group.name, func(t *testing.T) {
			for name, test := range group.cases {
				t.Run(name, func(t *testing.T) { test(t, &bench{Store: open(t), t: t}) })
			}
		})
	}
}

// bench is a store under test with the few things that every case does.
type bench struct {
	consent.Store
	t *testing.T
}

func (b *bench) ctx() context.Context {
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	b.t.Cleanup(cancel)
	return ctx
}

// put stores records that the store has to take.
func (b *bench) put(records ...*consent.Record) {
	b.t.Helper()
	for _, r := range records {
		require.NoError(b.t, b.Put(b.ctx(), r))
	}
}

// holds checks that exactly this version is stored.
func (b *bench) holds(want *consent.Record) {
	b.t.Helper()
	got, err := b.Get(b.ctx(), want.ID)
	require.NoError(b.t, err)
	require.Equal(b.t, want, got)
}

// search walks all pages and returns the ids in order.
func (b *bench) search(q consent.Query) []consent.RecordID {
	b.t.Helper()
	ids := []consent.RecordID{}
	for {
		page, err := b.Search(b.ctx(), q)
		require.NoError(b.t, err)
		for _, r := range page.Records {
			ids = append(ids, r.ID)
		}
		if page.Next == "" {
			return ids
		}
		q.Cursor = page.Next
	}
}

func ids(records ...*consent.Record) []consent.RecordID {
	list := []consent.RecordID{}
	for _, r := range records {
		list = append(list, r.ID)
	}
	return list
}

// next is the version after r: one line of history more, by the same writer
// unless a change says otherwise.
func next(r *consent.Record, changes ...func(*consent.Record)) *consent.Record {
	c := r.Clone()
	c.Note(r.UpdatedAt.Add(time.Second), "noted", "")
	for _, change := range changes {
		change(c)
	}
	return c
}
