package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

// mixture is a stock of calls over three days that differ in everything that a
// query may ask for.
func mixture() []*consent.Record {
	var all []*consent.Record
	subjects := []string{"+31205550143", "+12025550143", ""}
	routes := []string{"sales", "service"}
	outcomes := []consent.Outcome{consent.Given, consent.Refused, consent.Pending, consent.StoreUnavailable}
	for i := range 48 {
		all = append(all, Record(After(time.Duration(i/2)*3*time.Hour), func(r *consent.Record) {
			r.Subject, r.Call.Route = subjects[i%3], routes[i%2]
			r.Outcome = outcomes[(i/3)%4]
			r.Status = r.Outcome.Status()
		}))
	}
	return all
}

// want is what the contract says a query returns.
func want(all []*consent.Record, q consent.Query) []consent.RecordID {
	selected := []*consent.Record{}
	for _, r := range all {
		if q.Matches(r) {
			selected = append(selected, r)
		}
	}
	slices.SortFunc(selected, func(a, b *consent.Record) int {
		order := a.Call.InvitedAt.Compare(b.Call.InvitedAt)
		if order == 0 && a.ID < b.ID || order < 0 {
			return -1
		}
		return 1
	})
	if !q.Ascending {
		slices.Reverse(selected)
	}
	return ids(selected...)
}

func queries() []consent.Query {
	var list []consent.Query
	day := 24 * time.Hour
	for _, subject := range []string{"", "+31205550143", "+12025550143", "+442079460000"} {
		for _, outcome := range []consent.Outcome{"", consent.Given, consent.Refused, consent.Withdrawn} {
			for _, route := range []string{"", "sales", "nowhere"} {
				for _, span := range [][2]time.Time{{}, {Epoch0().Add(3 * time.Hour), {}}, {{}, Epoch0().Add(day)},
					{Epoch0().Add(6 * time.Hour), Epoch0().Add(2 * day)}, {Epoch0().Add(time.Millisecond), Epoch0().Add(3 * time.Hour)}} {
					list = append(list, consent.Query{Subject: subject, Outcome: outcome, Route: route, From: span[0], To: span[1],
						Ascending: len(list)%2 == 0, Limit: []int{0, 1, 7, 1000}[len(list)%4]})
				}
			}
		}
	}
	return list
}

func searchCases() map[string]func(*testing.T, *bench) {
	return map[string]func(*testing.T, *bench){
		"an empty store has an empty page": func(t *testing.T, b *bench) {
			page, err := b.Search(b.ctx(), consent.Query{})
			require.NoError(t, err)
			require.Empty(t, page.Records)
			require.Empty(t, page.Next)
		},
		"every field and their combinations, in both orders, by pages of any size": func(t *testing.T, b *bench) {
			all := mixture()
			b.put(all...)
			for _, q := range queries() {
				require.Equal(t, want(all, q), b.search(q), "%+v", q)
			}
		},
		"a search returns the records whole": func(t *testing.T, b *bench) {
			r := Record(Granted, Ended)
			b.put(r)
			page, err := b.Search(b.ctx(), consent.Query{Subject: r.Subject})
			require.NoError(t, err)
			require.Equal(t, []*consent.Record{r}, page.Records)
		},
		"a page has 100 records unless a limit is asked for": func(t *testing.T, b *bench) {
			for range 101 {
				b.put(Record())
			}
			page, err := b.Search(b.ctx(), consent.Query{})
			require.NoError(t, err)
			require.Len(t, page.Records, 100)
			require.NotEmpty(t, page.Next)
			page, err = b.Search(b.ctx(), consent.Query{Cursor: page.Next})
			require.NoError(t, err)
			require.Len(t, page.Records, 1)
			require.Empty(t, page.Next)
		},
		"a page that is just full and the last has no next": func(t *testing.T, b *bench) {
			b.put(Record(), Record(), Record())
			page, err := b.Search(b.ctx(), consent.Query{Limit: 3})
			require.NoError(t, err)
			require.Len(t, page.Records, 3)
			require.Empty(t, page.Next)
		},
		"many calls of one millisecond are paged by id": func(t *testing.T, b *bench) {
			var all []*consent.Record
			for range 150 {
				all = append(all, Record())
			}
			b.put(all...)
			for _, q := range []consent.Query{{Limit: 2}, {Limit: 7, Ascending: true}} {
				require.Equal(t, want(all, q), b.search(q))
			}
		},
		"times before 1970 and far ahead keep their order": func(t *testing.T, b *bench) {
			var all []*consent.Record
			for _, year := range []int{1, 1900, 1969, 1970, 2026, 9999} {
				all = append(all, Record(At(time.Date(year, 12, 31, 23, 59, 59, 999e6, time.UTC))))
			}
			b.put(all...)
			require.Equal(t, want(all, consent.Query{}), b.search(consent.Query{Limit: 1}))
			require.Equal(t, want(all, consent.Query{Ascending: true}), b.search(consent.Query{Ascending: true, Limit: 4}))
		},
		"a record that changes its outcome is found by the new one only": func(t *testing.T, b *bench) {
			r := Record(Granted)
			later := r.Clone()
			later.Withdraw(later.UpdatedAt, "api")
			b.put(r, later)
			require.Empty(t, b.search(consent.Query{Outcome: consent.Given}))
			require.Equal(t, ids(r), b.search(consent.Query{Outcome: consent.Withdrawn}))
		},
		"pages neither lose nor repeat a record while others are inserted": func(t *testing.T, b *bench) {
			for _, ascending := range []bool{false, true} {
				pagedWhileInserting(t, b, ascending)
			}
		},
		"paging that makes no sense is refused": func(t *testing.T, b *bench) {
			for _, q := range []consent.Query{{Limit: -1}, {Limit: 1001}, {Cursor: "***"}, {Cursor: "AA"}} {
				_, err := b.Search(b.ctx(), q)
				require.Error(t, err, "%+v", q)
			}
		},
		"an inverted span selects nothing": func(t *testing.T, b *bench) {
			b.put(Record())
			require.Empty(t, b.search(consent.Query{From: Epoch0().Add(time.Hour), To: Epoch0().Add(-time.Hour)}))
		},
	}
}

func pagedWhileInserting(t *testing.T, b *bench, ascending bool) {
	var all []*consent.Record
	route := fmt.Sprint("ascending ", ascending)
	onRoute := func(r *consent.Record) { r.Call.Route = route }
	for i := range 30 {
		all = append(all, Record(After(time.Duration(i)*time.Hour), onRoute))
	}
	b.put(all...)
	q := consent.Query{Route: route, Ascending: ascending, Limit: 4}
	before, got := want(all, q), []consent.RecordID{}
	for i := 0; ; i++ {
		page, err := b.Search(b.ctx(), q)
		require.NoError(t, err)
		for _, r := range page.Records {
			if slices.Contains(before, r.ID) {
				got = append(got, r.ID)
			}
		}
		if page.Next == "" {
			break
		}
		q.Cursor = page.Next
		// Behind the cursor, ahead of it, and in the millisecond where it stands.
		at := page.Records[len(page.Records)-1].Call.InvitedAt
		b.put(Record(At(at.Add(-90*time.Minute)), onRoute), Record(At(at.Add(90*time.Minute)), onRoute), Record(At(at), onRoute))
		require.Less(t, i, 200, "the pages come to an end")
		if i > 3 {
			q.Limit = 50
		}
	}
	require.Equal(t, before, got)
}
