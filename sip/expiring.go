package sip

import "time"

// expiring is a map whose entries live for ttl, at most limit of them: the
// oldest goes first. Time is an argument. Not for concurrent use.
type expiring[K comparable, V any] struct {
	ttl     time.Duration
	limit   int
	entries map[K]expiringEntry[V]
	order   []expiringKey[K] // by time; holds stale keys of entries put again or taken
	head    int              // order before it is done with
}

type expiringEntry[V any] struct {
	value V
	until time.Time
}

type expiringKey[K comparable] struct {
	key   K
	until time.Time
}

func newExpiring[K comparable, V any](ttl time.Duration, limit int) *expiring[K, V] {
	return &expiring[K, V]{ttl: ttl, limit: limit, entries: make(map[K]expiringEntry[V])}
}

// put adds an entry, or renews it.
func (x *expiring[K, V]) put(k K, v V, now time.Time) {
	until := now.Add(x.ttl)
	x.entries[k] = expiringEntry[V]{v, until}
	x.order = append(x.order, expiringKey[K]{k, until})
	x.sweep(now)
}

// get returns an entry that has not expired.
func (x *expiring[K, V]) get(k K, now time.Time) (V, bool) {
	e, ok := x.entries[k]
	if !ok || now.After(e.until) {
		var zero V
		return zero, false
	}
	return e.value, true
}

// take is get, and removes the entry.
func (x *expiring[K, V]) take(k K, now time.Time) (V, bool) {
	v, ok := x.get(k, now)
	delete(x.entries, k)
	return v, ok
}

// sweep drops what has expired and what is beyond the limit. The order keeps
// a key for each put, so it is bounded as well: to twice the limit.
func (x *expiring[K, V]) sweep(now time.Time) {
	for x.head < len(x.order) {
		oldest := x.order[x.head]
		if len(x.entries) <= x.limit && len(x.order)-x.head <= 2*x.limit && !now.After(oldest.until) {
			break
		}
		if e, ok := x.entries[oldest.key]; ok && e.until.Equal(oldest.until) {
			delete(x.entries, oldest.key)
		}
		x.head++
	}
	if x.head > len(x.order)/2 {
		kept := copy(x.order, x.order[x.head:])
		clear(x.order[kept:])
		x.order, x.head = x.order[:kept], 0
	}
}
