package redisstore

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/redis/go-redis/v9"

	"consentgw/consent"
	"consentgw/internal/stored"
)

// Bounds of one page of a search.
const (
	maxRounds = 400 // index reads, so also the days that are walked
	maxStep   = 512 // index entries in one read
)

// Search implements [consent.Store]. A page looks at no more than
// [stored.MaxExamined] records and asks Redis a few hundred questions at most,
// each within the time-out.
func (s *Store) Search(ctx context.Context, q consent.Query) (consent.Page, error) {
	scan, err := stored.NewScan(q)
	if err != nil {
		return consent.Page{}, fmt.Errorf("search: %w", err)
	}
	q.Subject, q.Route = stored.Text(q.Subject), stored.Text(q.Route)
	return run(ctx, s, "search", 0, func(ctx context.Context) (consent.Page, error) {
		w := walk{store: s, query: q, scan: scan, step: int64(min(max(2*scan.Limit, 32), maxStep))}
		return w.page(ctx)
	})
}

// walk is one page in the making. It is used by one goroutine.
type walk struct {
	store    *Store
	query    consent.Query
	scan     stored.Scan // what is left to walk
	step     int64       // how many index entries are read at once
	rounds   int
	examined int
	found    consent.Page
}

// page walks the index of the subject, or else the days one by one.
func (w *walk) page(ctx context.Context) (consent.Page, error) {
	if w.query.Subject != "" {
		_, err := w.index(ctx, w.store.keys.subject(w.query.Subject), math.MinInt64, math.MaxInt64)
		return w.found, err
	}
	days, err := w.days(ctx)
	if err != nil {
		return consent.Page{}, err
	}
	for _, day := range days {
		full, err := w.index(ctx, w.store.keys.day(dayName(day)), day, day+dayMS)
		if err != nil || full {
			return w.found, err
		}
		if w.scan.Ascending {
			w.scan = w.scan.Moved(stored.Position{MS: day + dayMS})
		} else {
			w.scan = w.scan.Moved(stored.Position{MS: day})
		}
	}
	return w.found, nil
}

// days lists the days that have calls within the scan, in its order.
func (w *walk) days(ctx context.Context) ([]int64, error) {
	lowest, highest := w.scan.After.MS, w.scan.Before.MS
	if lowest != math.MinInt64 {
		lowest = dayOf(lowest)
	}
	members, err := w.span(ctx, w.store.keys.days(), lowest, highest, -1)
	if err != nil {
		return nil, err
	}
	days := make([]int64, 0, len(members))
	for _, m := range members {
		if day := int64(m.Score); dayOf(day) == day {
			days = append(days, day)
		}
	}
	return days, nil
}

// index walks one sorted set of record ids, whose scores are within from and
// to, and reports whether the page is full; its Next is set then.
func (w *walk) index(ctx context.Context, key string, from, to int64) (full bool, err error) {
	step := w.step
	for {
		if w.rounds++; w.rounds > maxRounds {
			w.found.Next = w.scan.Cursor()
			return true, nil
		}
		members, err := w.span(ctx, key, max(from, w.scan.After.MS), min(to, w.scan.Before.MS), step)
		if err != nil {
			return false, err
		}
		ahead := w.ahead(members)
		if full, err = w.take(ctx, ahead); full || err != nil {
			return full, err
		}
		switch {
		case int64(len(members)) < step:
			return false, nil
		case len(ahead) == 0:
			step *= 2 // all of one millisecond, and all walked already
		default:
			step = w.step
		}
	}
}

// ahead keeps the positions that are still to be walked: a sorted set can only
// be entered at a millisecond, not at an id within it.
func (w *walk) ahead(members []redis.Z) []stored.Position {
	var list []stored.Position
	for _, m := range members {
		id, _ := m.Member.(string)
		at := stored.Position{MS: int64(m.Score), ID: consent.RecordID(id)}
		if w.scan.Holds(at) && stored.ValidID(at.ID) {
			list = append(list, at)
		}
	}
	return list
}

// take examines records until the page is full.
func (w *walk) take(ctx context.Context, list []stored.Position) (full bool, err error) {
	ids := make([]consent.RecordID, len(list))
	for i, at := range list {
		ids[i] = at.ID
	}
	records, err := w.store.fetch(ctx, ids)
	if err != nil {
		return false, err
	}
	for i, at := range list {
		if len(w.found.Records) == w.scan.Limit || w.examined == stored.MaxExamined {
			w.found.Next = w.scan.Cursor()
			return true, nil
		}
		w.scan = w.scan.Moved(at)
		w.examined++
		// An entry that another version of the record has left behind stands
		// at another time than the record does.
		if r := records[i]; r != nil && stored.PositionOf(r) == at && w.query.Matches(r) {
			w.found.Records = append(w.found.Records, r)
		}
	}
	return false, nil
}

// span reads up to count members with scores from lowest to highest, in the
// direction of the scan; all if count is -1.
func (w *walk) span(ctx context.Context, key string, lowest, highest, count int64) ([]redis.Z, error) {
	if lowest > highest {
		return nil, nil
	}
	args := redis.ZRangeArgs{Key: key, ByScore: true, Start: bound(lowest), Stop: bound(highest), Count: count}
	if !w.scan.Ascending {
		args.Rev, args.Start, args.Stop = true, args.Stop, args.Start
	}
	return w.store.client.ZRangeArgsWithScores(ctx, args).Result()
}

func bound(ms int64) string {
	switch ms {
	case math.MinInt64:
		return "-inf"
	case math.MaxInt64:
		return "+inf"
	}
	return strconv.FormatInt(ms, 10)
}
