package limit

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Verdict is what to do with a request.
type Verdict int

const (
	// Admit it.
	Admit Verdict = iota
	// Refuse it with an answer.
	Refuse
	// Ignore it: no answer, no work.
	Ignore
)

// String is the word for logs and metrics.
func (v Verdict) String() string {
	switch v {
	case Refuse:
		return "refuse"
	case Ignore:
		return "ignore"
	}
	return "admit"
}

// SourcesConfig says what one source may do.
type SourcesConfig struct {
	// PerSecond is how many requests a second are admitted; 0 is no limit.
	PerSecond float64
	// DropAfter is how many requests in one window are refused with an answer
	// before the rest of the window is ignored; 0: every refusal is answered.
	DropAfter int
	// Window is how long refusals count; default 10 s.
	Window time.Duration
}

// The table: 16,384 sources in sets of eight, 1.4 MB, whatever comes.
const (
	setBits = 11
	setSize = 8
)

const defaultWindow = 10 * time.Second

// Sources remembers what each source did lately. Its memory is fixed: where a
// set is full, the source that was silent longest is forgotten. Being forgotten
// is never to a source's disadvantage, so that a flood from millions of
// addresses costs nobody his calls. It is safe for concurrent use.
type Sources struct {
	cfg  SourcesConfig
	seed maphash.Seed

	mu   sync.Mutex
	sets [1 << setBits][setSize]source
}

// source is one address, or one /64 of IPv6.
type source struct {
	key      key   // the zero key: free
	seen     int64 // Unix nanoseconds
	bucket   tokens
	refusals int
	since    time.Time // when the window of refusals began
}

// NewSources takes its memory now.
func NewSources(cfg SourcesConfig) *Sources {
	cfg.PerSecond = max(0, clean(cfg.PerSecond))
	if cfg.Window <= 0 {
		cfg.Window = defaultWindow
	}
	return &Sources{cfg: cfg, seed: maphash.MakeSeed()}
}

// Admit holds a request against its source's calls per second. What it does not
// admit it counts as a refusal.
func (s *Sources) Admit(addr netip.Addr, now time.Time) Verdict {
	if s.cfg.PerSecond == 0 {
		return Admit
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.find(addr, now)
	if ok, _ := src.bucket.take(s.cfg.PerSecond, now); ok {
		return Admit
	}
	return s.refuse(src, now)
}

// Refused counts a refusal for another reason, such as a sender that no trunk
// knows, and reports whether to answer it (Refuse) or not (Ignore).
//
// The source of a datagram can be forged. A source that belongs to a trunk
// should not be ignored because of what was sent in its name.
func (s *Sources) Refused(addr netip.Addr, now time.Time) Verdict {
	if s.cfg.DropAfter <= 0 {
		return Refuse
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuse(s.find(addr, now), now)
}

func (s *Sources) refuse(src *source, now time.Time) Verdict {
	if s.cfg.DropAfter <= 0 {
		return Refuse
	}
	if age := now.Sub(src.since); age < 0 || age >= s.cfg.Window {
		src.refusals, src.since = 0, now
	}
	if src.refusals >= s.cfg.DropAfter {
		return Ignore
	}
	src.refusals++
	return Refuse
}

// find returns the place of a source, taking that of another if it must.
func (s *Sources) find(addr netip.Addr, now time.Time) *source {
	key := keyOf(addr)
	set := &s.sets[maphash.Bytes(s.seed, key[:])&(1<<setBits-1)]
	at := now.UnixNano()
	oldest := &set[0]
	for i := range set {
		src := &set[i]
		if src.key == key {
			src.seen = at
			return src
		}
		if src.seen < oldest.seen {
			oldest = src
		}
	}
	*oldest = source{key: key, seen: at}
	return oldest
}

// key is an IPv4 address in the form of IPv6, or the first half of one of IPv6.
type key [16]byte

// keyOf leaves out what one host or site has for itself: the interface
// identifier of IPv6 (RFC 4291 section 2.5.1).
func keyOf(addr netip.Addr) key {
	k := key(addr.As16())
	if addr.Unmap().Is6() {
		clear(k[8:])
	}
	return k
}
