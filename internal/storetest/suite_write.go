package storetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

func putCases() map[string]func(*testing.T, *bench) {
	return map[string]func(*testing.T, *bench){
		"a new record is stored whole": func(t *testing.T, b *bench) {
			for _, r := range []*consent.Record{Record(), Record(Granted), Record(Granted, Ended)} {
				b.put(r)
				b.holds(r)
			}
		},
		"a withdrawn record keeps what was withdrawn": func(t *testing.T, b *bench) {
			r := Record(Granted)
			require.True(t, r.Withdraw(r.UpdatedAt, "key"))
			b.put(r)
			b.holds(r)
		},
		"purposes that were answered one by one keep their evidence": func(t *testing.T, b *bench) {
			r := Record(Granted, Asked)
			b.put(r)
			b.holds(r)
			require.True(t, r.Withdraw(r.UpdatedAt, "api", "quality"))
			b.put(r)
			b.holds(r)
			require.Equal(t, consent.Given, r.Outcome)
		},
		"the store keeps what it was given, not what becomes of it": func(t *testing.T, b *bench) {
			r := Record(Granted)
			want := r.Clone()
			b.put(r)
			r.Note(r.UpdatedAt, "changed by the call", "")
			r.Press.Key = "2"
			b.holds(want)
		},
		"a repetition is harmless": func(t *testing.T, b *bench) {
			r := Record(Granted)
			b.put(r, r)
			b.holds(r)
			require.Equal(t, ids(r), b.search(consent.Query{}))
		},
		"a writer goes on from its own version": func(t *testing.T, b *bench) {
			r := Record()
			b.put(r, next(r), next(next(r)))
			b.holds(next(next(r)))
		},
		"a writer may skip epochs": func(t *testing.T, b *bench) {
			r := Record()
			far := next(r, func(r *consent.Record) { r.Epoch = 1 << 60 })
			b.put(r, far)
			b.holds(far)
		},
		"a record may begin at any epoch": func(t *testing.T, b *bench) {
			r := Record(func(r *consent.Record) { r.Epoch = 7 })
			b.put(r)
			b.holds(r)
		},
		"epochs are compared as numbers": func(t *testing.T, b *bench) {
			nine := Record(func(r *consent.Record) { r.Epoch = 9 })
			ten := nine.Clone()
			ten.Epoch = 10
			b.put(nine, ten)
			require.ErrorIs(t, b.Put(b.ctx(), nine), consent.ErrStale)
			huge := nine.Clone()
			huge.Epoch = 1<<64 - 1
			b.put(huge)
			huge.Epoch--
			require.ErrorIs(t, b.Put(b.ctx(), huge), consent.ErrStale, "the last digit counts beyond 2^53")
		},
		"an older version of the same writer is stale": func(t *testing.T, b *bench) {
			old := Record()
			b.put(next(old))
			require.ErrorIs(t, b.Put(b.ctx(), old), consent.ErrStale)
			b.holds(next(old))
		},
		"another writer conflicts, whatever its epoch": func(t *testing.T, b *bench) {
			r := next(Record())
			b.put(r)
			for _, epoch := range []uint64{r.Epoch - 1, r.Epoch, r.Epoch + 1} {
				other := r.Clone()
				other.Writer, other.Epoch = "writer-2", epoch
				require.ErrorIs(t, b.Put(b.ctx(), other), consent.ErrConflict)
			}
			b.holds(r)
		},
		"what no store could keep is refused and changes nothing": func(t *testing.T, b *bench) {
			good := Record()
			b.put(good)
			refused := map[string]*consent.Record{
				"no record":        nil,
				"no id":            Record(func(r *consent.Record) { r.ID = "" }),
				"id with braces":   Record(func(r *consent.Record) { r.ID = "{a}" }),
				"id with a NUL":    Record(func(r *consent.Record) { r.ID = "a\x00" }),
				"more than 1 MiB":  next(good, func(r *consent.Record) { r.Call.EndCause = strings.Repeat("x", 1<<20) }),
				"history too long": next(good, func(r *consent.Record) { r.History = make([]consent.Event, 1<<15) }),
			}
			for name, r := range refused {
				err := b.Put(b.ctx(), r)
				require.Error(t, err, name)
				require.NotErrorIs(t, err, consent.ErrStale, name)
				require.NotErrorIs(t, err, consent.ErrConflict, name)
			}
			b.holds(good)
			require.Equal(t, ids(good), b.search(consent.Query{}))
		},
		"a record just within 1 MiB is stored": func(t *testing.T, b *bench) {
			r := Record(func(r *consent.Record) { r.Call.EndCause = strings.Repeat("x", 1<<20-8<<10) })
			b.put(r)
			b.holds(r)
		},
	}
}

func replaceCases() map[string]func(*testing.T, *bench) {
	other := By("writer-2")
	return map[string]func(*testing.T, *bench){
		"the version that was seen is replaced by another writer's": func(t *testing.T, b *bench) {
			r := Record()
			b.put(r)
			mine := next(r, other)
			require.NoError(t, b.Replace(b.ctx(), mine, r))
			b.holds(mine)
			require.ErrorIs(t, b.Put(b.ctx(), next(r)), consent.ErrConflict, "the first writer notices")
			b.put(next(mine))
		},
		"epochs may be skipped": func(t *testing.T, b *bench) {
			r := Record()
			b.put(r)
			far := next(r, other, func(r *consent.Record) { r.Epoch += 40 })
			require.NoError(t, b.Replace(b.ctx(), far, r))
			b.holds(far)
		},
		"a repetition is harmless": func(t *testing.T, b *bench) {
			r := Record()
			b.put(r)
			mine := next(r, other)
			require.NoError(t, b.Replace(b.ctx(), mine, r))
			require.NoError(t, b.Replace(b.ctx(), mine, r))
			b.holds(mine)
		},
		"a version that came meanwhile conflicts": func(t *testing.T, b *bench) {
			seen := Record()
			now := next(seen)
			b.put(now)
			require.ErrorIs(t, b.Replace(b.ctx(), next(now, other), seen), consent.ErrConflict)
			b.holds(now)
		},
		"the same epoch by a third writer conflicts": func(t *testing.T, b *bench) {
			r := Record()
			b.put(r)
			seen := r.Clone()
			seen.Writer = "writer-3"
			require.ErrorIs(t, b.Replace(b.ctx(), next(r, other), seen), consent.ErrConflict)
			b.holds(r)
		},
		"the same epoch and writer with other content is no repetition": func(t *testing.T, b *bench) {
			r := Record()
			b.put(r)
			mine := next(r, other)
			require.NoError(t, b.Replace(b.ctx(), mine, r))
			altered := mine.Clone()
			altered.Subject = "+31205550199"
			require.ErrorIs(t, b.Replace(b.ctx(), altered, r), consent.ErrConflict)
			b.holds(mine)
		},
		"a record that is not there conflicts": func(t *testing.T, b *bench) {
			r := Record()
			require.ErrorIs(t, b.Replace(b.ctx(), next(r, other), r), consent.ErrConflict)
			_, err := b.Get(b.ctx(), r.ID)
			require.ErrorIs(t, err, consent.ErrNotFound)
		},
		"an epoch not above the seen one, or another record, is refused": func(t *testing.T, b *bench) {
			r := next(Record())
			b.put(r)
			same, lower, stranger := r.Clone(), r.Clone(), next(Record())
			same.Writer, lower.Writer = "writer-2", "writer-2"
			lower.Epoch--
			for _, bad := range []*consent.Record{same, lower, stranger, nil} {
				err := b.Replace(b.ctx(), bad, r)
				require.Error(t, err)
				require.NotErrorIs(t, err, consent.ErrConflict)
			}
			require.Error(t, b.Replace(b.ctx(), next(r, other), nil))
			b.holds(r)
		},
		"the indexes follow": func(t *testing.T, b *bench) {
			r := Record()
			b.put(r)
			mine := next(r, other, func(r *consent.Record) { r.Call.PlatformCallID = "later@192.0.2.20" }, Ended)
			require.NoError(t, b.Replace(b.ctx(), mine, r))
			found, err := b.Find(b.ctx(), "later@192.0.2.20")
			require.NoError(t, err)
			require.Equal(t, mine, found)
			open, err := b.Unfinished(b.ctx(), Node)
			require.NoError(t, err)
			require.Empty(t, open)
		},
	}
}
